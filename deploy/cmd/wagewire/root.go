package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const program = "wagewire"

// The exit codes; exitCodesHelp explains them.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDiffers = 3
)

// errDiffers is the result of provision plan --exit-code, and not a failure.
var errDiffers = errors.New("there is something to change")

// usageError is an error of the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func wrongUsage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// terminal is the process around a command: its environment, input and output.
type terminal struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	// canAnswer: a person at stdin can answer a question.
	canAnswer bool
	// isScreen: stdout is a screen.
	isScreen bool
}

// run runs a command line and returns the exit code. Results go to stdout, messages to stderr.
func run(
	ctx context.Context, args []string, getenv func(string) string,
	stdin io.Reader, stdout, stderr io.Writer,
) int {
	stderr = zapcore.Lock(zapcore.AddSync(stderr)) // the NATS connection logs from goroutines
	cmd, err := execute(ctx, args, terminal{
		getenv:    getenv,
		stdin:     stdin,
		stdout:    stdout,
		stderr:    stderr,
		canAnswer: isTerminal(stdin),
		isScreen:  isTerminal(stdout),
	})
	name := cmd.CommandPath()
	usage, isUsage := errors.AsType[*usageError](err)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDiffers):
		return exitDiffers
	case isUsage:
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

func isTerminal(end any) bool {
	file, ok := end.(*os.File)
	return ok && process.Terminal(file)
}

// execute runs a command line and returns the command of the error.
func execute(ctx context.Context, args []string, t terminal) (*cobra.Command, error) {
	root := newRoot(t)
	root.SetArgs(append([]string{}, args...)) // not nil: cobra would take os.Args
	return root.ExecuteContextC(ctx)
}

// Groups of commands in wagewire --help.
const (
	groupInstall = "install"
	groupObserve = "observe"
	groupRepair  = "repair"
	groupOther   = "other"
)

func newRoot(t terminal) *cobra.Command {
	root := &cobra.Command{
		Use:           program,
		Long:          rootLong,
		Example:       rootExample,
		Annotations:   environment(append(brokerVariables(), secretVariables()...)),
		Version:       process.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	requireSubcommand(root)
	root.SetIn(t.stdin)
	root.SetOut(t.stdout)
	root.SetErr(t.stderr)
	root.SetVersionTemplate(versionTemplate)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrongUsage("%v", err) })
	root.AddGroup(
		&cobra.Group{ID: groupInstall, Title: "Install:"},
		&cobra.Group{ID: groupObserve, Title: "Send and observe:"},
		&cobra.Group{ID: groupRepair, Title: "Repair:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.AddCommand(
		newProvisionCommand(t), newNkeysCommand(t),
		newSendCommand(t), newTailCommand(t), newStatusCommand(t), newTraceCommand(t),
		newDeadCommand(t), newQuarantineCommand(t), newReplayCommand(t),
		newPauseCommand(t), newResumeCommand(t),
		newHealthcheckCommand(t), newVersionCommand(),
	)
	root.SetCompletionCommandGroupID(groupOther)
	root.SetHelpCommandGroupID(groupOther)
	checkHelpTopic(root)
	return root
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: groupOther,
		Short:   "Print the version",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), program, process.Version())
			return err
		},
	}
}

const versionTemplate = program + " {{.Version}}\n"

// requireSubcommand makes a command that only has subcommands refuse a missing or unknown
// subcommand.
func requireSubcommand(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = suggestMax
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		return wrongUsage("give a command: %s", alternatives(names))
	}
}

func unknownCommand(parent *cobra.Command, name string) error {
	hint := ""
	if near := parent.SuggestionsFor(name); len(near) > 0 {
		hint = didYouMean(near...)
	}
	return wrongUsage("there is no command %q%s", name, hint)
}

// checkHelpTopic makes cobra's help command refuse an unknown command.
func checkHelpTopic(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" {
			continue
		}
		cmd.Args = func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(found, rest[0])
			}
			return err
		}
	}
}

// untilInterrupted makes Ctrl-C a success of a command without an end.
func untilInterrupted(cmd *cobra.Command, isEndless func() bool) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		if isEndless() && cmd.Context().Err() != nil {
			return nil //nolint:nilerr // the interrupt is the cause of the error
		}
		return err
	}
	return cmd
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return wrongUsage("unexpected argument %q", args[0])
	}
	return nil
}

const (
	environmentKey = "environment"
	helpColumns    = "100"
)

// environment is the annotation from which usageTemplate prints the variables of a command.
func environment(variables []process.Variable) map[string]string {
	var text strings.Builder
	process.PrintVariables(&text, variables)
	return map[string]string{environmentKey: strings.TrimSuffix(text.String(), "\n")}
}

func brokerVariables() []process.Variable { return process.Variables(stream.Config{}) }

// secretVariables are the variables of the files with each provider's secrets.
func secretVariables() []process.Variable {
	var variables []process.Variable
	for _, p := range schema.Providers() {
		variables = append(variables, process.Variable{
			Name: p.Variable("SECRETS_FILE"),
			Help: fmt.Sprintf("file with secrets of %s, one a line; the first signs what is sent",
				p.Title()),
		})
	}
	return variables
}

// usageTemplate is cobra's template with flags of limited width, the variables and the exit codes.
func usageTemplate(cobras string) string {
	return strings.NewReplacer(
		"{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}",
		".FlagUsages", ".FlagUsagesWrapped "+helpColumns,
		"[command]", "COMMAND",
	).Replace(cobras) + exitCodesHelp
}

const exitCodesHelp = `{{with .Annotations.` + environmentKey + `}}
Environment:
{{.}}
{{end}}
Exit codes:
  0  done, also if Ctrl-C ended a command that has no end of its own
  1  failed, refused or declined; the last line says why
  2  the command line is wrong{{if or (not .HasParent) (eq .Name "plan")}}
  3  provision plan --exit-code found a difference{{end}}
`

const rootLong = `wagewire operates Wagewire. Wagewire stores webhooks of payroll data providers,
fetches the data that each webhook announces, and publishes a completion for each.`

const rootExample = `  Create the streams and queues of a new installation, after a look at them:
    wagewire provision plan
    wagewire provision apply
  Send a webhook about an employment and watch for its completion:
    wagewire tail &
    PINWHEEL_SECRETS_FILE=pinwheel.secret wagewire send employment.added
  Check the whole line, and the history of one event:
    wagewire status
    wagewire trace 5a141122-4235-4fa1-bd76-0628573880b0
  Redrive what failed during an outage of the provider:
    wagewire dead redrive --class transient`
