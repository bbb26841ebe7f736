package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema/process"
)

// command is a row of the table: a word after "wagewire", and what it does.
type command struct {
	name string
	// summary is its line in the list of commands.
	summary string
	// help is all that `wagewire help NAME` prints. A test holds it to the flags.
	help string
	// flags defines its flags and returns what is done when they are parsed.
	flags func(*flag.FlagSet) action
}

// action does a command's work with the arguments that are no flags.
type action func(ctx context.Context, t terminal, args []string) error

// terminal is what a command has of the process around it.
type terminal struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	// asks: somebody can answer on stdin. screen: somebody looks at stdout.
	asks, screen bool
}

func commands() []command {
	return []command{
		{"provision", "compare streams and queues with what they must be, and make them so", provisionUsage(), provisionFlags},
		{"send", "sign a webhook as its provider does, and send it", sendHelp, sendFlags},
		{"tail", "print completions as they come", tailHelp, tailFlags},
		{"status", "show streams, queues and dead letters at a glance", statusHelp, statusFlags},
		{"trace", "tell the life of one event", traceHelp, traceFlags},
		{"dead", "list, show, redrive or discard dead letters", deadHelp, deadFlags},
		{"quarantine", "list, show, release or discard webhooks that could not be read", quarantineHelp, quarantineFlags},
		{"replay", "send events of the past through one queue again", replayHelp, replayFlags},
		{"pause", "stop a queue's deliveries for a while", pauseHelp, pauseFlags},
		{"resume", "end a pause", resumeHelp, resumeFlags},
		{"nkeys", "make the keys by which the broker knows each process", nkeysHelp, nkeysFlags},
		{"healthcheck", "exit 0 when NATS answers and an event can be stored", healthcheckHelp, healthcheckFlags},
	}
}

// usageError is what is wrong with the command line, rather than with the world.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func wrongUsage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// errDiffers is the answer of plan --exit-code, not a failure.
var errDiffers = errors.New("there is something to change")

// The exit codes. A test of --help holds them to its text.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDiffers = 3
)

// run is the whole command, and returns its exit code. What commands print goes to stdout, what they say about it to stderr.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	stderr = zapcore.Lock(zapcore.AddSync(stderr)) // the connection's log is written from goroutines of its own
	name, err := dispatch(ctx, args, terminal{getenv, stdin, stdout, stderr, person(stdin), person(stdout)})
	usage, wrong := errors.AsType[*usageError](err)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDiffers):
		return exitDiffers
	case wrong:
		fmt.Fprintf(stderr, "%s: %s\nsee: %s --help\n", name, usage.text, name)
		return exitUsage
	case ctx.Err() != nil:
		fmt.Fprintf(stderr, "%s: interrupted: %v\n", name, err)
		return exitFailed
	default:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitFailed
	}
}

// person reports whether somebody sits at the other end.
func person(end any) bool {
	file, ok := end.(*os.File)
	return ok && process.Terminal(file)
}

// dispatch finds the command and runs it. name is who speaks in an error: "wagewire send".
func dispatch(ctx context.Context, args []string, t terminal) (name string, err error) {
	const program = "wagewire"
	if len(args) == 0 {
		return program, wrongUsage("it needs a command: one of %s", strings.Join(names(), ", "))
	}
	switch first := args[0]; {
	case first == "--version" || first == "-version":
		fmt.Fprintln(t.stdout, program, process.Version())
		return program, nil
	case helpWanted(first) && (len(args) == 1 || helpWanted(args[1])):
		fmt.Fprint(t.stdout, overview())
		return program, nil
	case helpWanted(first):
		args = []string{args[1], "--help"}
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return program + " " + c.name, c.run(ctx, t, args[1:])
		}
	}
	return program, wrongUsage("there is no command %q%s", args[0], suggestion(args[0], names()))
}

func helpWanted(arg string) bool {
	return arg == "help" || arg == "--help" || arg == "-help" || arg == "-h"
}

func (c command) run(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it, once
	work := c.flags(flags)
	args, err := parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(t.stdout, c.help)
		return nil
	}
	if err != nil {
		return wrongUsage("%v", err)
	}
	return work(ctx, t, args)
}

// parse takes flags before, between and behind the other arguments, where package flag stops at the first of those.
func parse(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		left := flags.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if done := len(args) - len(left); done > 0 && args[done-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

func names() []string {
	var all []string
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return all
}

func overview() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-11s %s\n", c.name, c.summary)
	}
	return strings.Replace(overviewHelp, "COMMANDS\n", b.String(), 1)
}

const overviewHelp = `wagewire is the operator's command of Wagewire, which answers the webhooks of payroll data providers when they are stored,
fetches what each announces, and gives every one of them a completion.

Usage:
  wagewire COMMAND [flags]
  wagewire help COMMAND      all there is to say of one
  wagewire --version

Commands:
COMMANDS
Examples:
  Make the streams and queues of a new installation, seeing them first:
    wagewire provision plan
    wagewire provision apply
  Send a webhook of an employment and see what becomes of it:
    wagewire tail &
    PINWHEEL_SECRETS_FILE=pinwheel.secret wagewire send employment.added
  See whether all is well, and what became of one event:
    wagewire status
    wagewire trace 5a141122-4235-4fa1-bd76-0628573880b0
  After an outage of the provider, work off what had been given up:
    wagewire dead redrive --class transient

Environment:
  NATS_URL               the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE        credentials for it (none)
  NATS_CA_FILE           certificates that vouch for it (the system's)
  PINWHEEL_SECRETS_FILE  file with Pinwheel's API secrets, one a line; the first signs what is sent
  TRUV_SECRETS_FILE      the same for Truv's access secrets

Exit codes:
  0  done, or stopped by Ctrl-C where that is how it ends
  1  it failed, or was refused; the last line says why
  2  the command line is wrong
  3  provision plan --exit-code, and something differs
`
