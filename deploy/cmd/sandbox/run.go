package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const usage = `sandbox runs all of Wagewire in one process: nats-server, fake Pinwheel and Truv, ingress and every worker.
It plays a person who links a payroll account, prints a line for each event that gets its last word, and
stays up until Ctrl-C.

Usage:
  sandbox [flags]

Examples:
  sandbox                           play the demonstration, then wait for your own webhooks
  sandbox --once                    play it and end: 0 when every event has its last word, else 1
  sandbox --no-demo --dir ./state   wait for your own, and keep the streams
  PINWHEEL_SECRETS_FILE=pinwheel.secret PINWHEEL_API_SECRET_FILE=pinwheel.secret \
    PINWHEEL_URL=https://sandbox.getpinwheel.com sandbox --providers real --dir ./state

Flags:
  --once                 end after the demonstration
  --no-demo              play nothing
  --providers fake|real  real: the provider variables below say where and with which secrets (fake)
  --dir DIR              keep the streams in DIR (a temporary directory, removed at the end)
  --webhooks-port N      receive webhooks here (8080)
  --nats-port N          NATS (4222)
  --providers-port N     the fake providers, and their control (8081)
  --admin-port N         /livez, /readyz and /metrics (9090)
                         a port of 0 is any free one; all are on 127.0.0.1
  --version              print the version

Environment:
  LOG_LEVEL, LOG_FORMAT  what the parts log to standard error: debug, info, warn, error (error); json, console
  OTEL_EXPORTER_OTLP_ENDPOINT
                         where traces go, by OTLP over HTTP (nowhere)
  WORKER_CONCURRENCY, RETRY_LADDER, NOT_READY_LADDER, PINWHEEL_SIGNATURE_AGE_MAX
                         as for the separate commands
  With --providers real, those of ingress and the workers:
  PINWHEEL_SECRETS_FILE, PINWHEEL_URL, PINWHEEL_API_SECRET_FILE, PINWHEEL_VERSION, PINWHEEL_RATE_PER_S
  TRUV_SECRETS_FILE, TRUV_URL, TRUV_CLIENT_ID, TRUV_ACCESS_SECRET_FILE, TRUV_RATE_PER_S
  NO_COLOR               no colour
`

type options struct {
	once, noDemo, version bool
	providers             string
	sandbox               sandbox.Config
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints errors and help
	flags.BoolVar(&o.once, "once", false, "")
	flags.BoolVar(&o.noDemo, "no-demo", false, "")
	flags.BoolVar(&o.version, "version", false, "")
	flags.StringVar(&o.providers, "providers", "fake", "")
	flags.StringVar(&o.sandbox.Dir, "dir", "", "")
	flags.IntVar(&o.sandbox.WebhooksPort, "webhooks-port", 8080, "")
	flags.IntVar(&o.sandbox.NATSPort, "nats-port", 4222, "")
	flags.IntVar(&o.sandbox.ProvidersPort, "providers-port", 8081, "")
	flags.IntVar(&o.sandbox.AdminPort, "admin-port", 9090, "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.providers != "fake" && o.providers != "real":
		return o, fmt.Errorf("--providers: %q is neither fake nor real", o.providers)
	case o.once && o.noDemo:
		return o, errors.New("--once ends after the demonstration and --no-demo plays none: choose one")
	case o.once && o.providers == "real":
		return o, errors.New("--once: only the fake providers play a demonstration")
	}
	o.sandbox.Real = o.providers == "real"
	o.noDemo = o.noDemo || o.sandbox.Real
	return o, nil
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sandbox: %v: see sandbox --help\n", err)
		return 2
	case o.version:
		fmt.Fprintln(stdout, "sandbox", process.Version())
		return 0
	}
	o.sandbox.Getenv = getenv
	var config process.Config
	if err := process.ReadConfig(quiet(getenv), &config); err != nil {
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return 1
	}
	if o.sandbox.Log, err = process.Logger(config); err != nil {
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return 1
	}
	tracing, flush, err := process.Tracing(ctx, config, "wagewire-sandbox")
	if err != nil {
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return 1
	}
	defer flush()
	o.sandbox.Tracing = tracing
	s, err := sandbox.Up(ctx, o.sandbox)
	if err != nil {
		if ctx.Err() != nil {
			return 0 // Ctrl-C before it was up
		}
		fmt.Fprintf(stderr, "sandbox: %s\n", explain(err))
		return 1
	}
	complete, err := watch(ctx, s, o, newPrinter(stdout, getenv))
	if err := errors.Join(err, s.Close()); err != nil {
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return 1
	}
	if o.once && !complete {
		return 1
	}
	return 0
}

// quiet keeps the parts' logs out of the demonstration unless they are asked for.
func quiet(getenv func(string) string) func(string) string {
	return func(key string) string {
		if value := getenv(key); value != "" || key != "LOG_LEVEL" {
			return value
		}
		return "error"
	}
}

// watch prints completions until ctx ends or, with --once, until the demonstration has. complete says that every event of
// the demonstration has its last word.
func watch(ctx context.Context, s *sandbox.Sandbox, o options, p *printer) (complete bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-s.Failed():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	tail, err := stream.NewOperator(s.Conn).Tail(ctx, "", time.Now())
	if err != nil {
		return false, err
	}
	defer tail.Close()
	p.greet(s)
	if !o.noDemo {
		if complete, err = demonstrate(ctx, s, tail, p); err != nil || o.once {
			return complete, stopped(ctx, err)
		}
	}
	p.next(s)
	for {
		completion, err := tail.Next(ctx)
		if err != nil {
			return complete, stopped(ctx, err)
		}
		p.completion(completion)
	}
}

// stopped is the error that ended ctx, nil where somebody asked for the end.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// explain names the flag to change.
func explain(err error) string {
	part, ok := errors.AsType[*sandbox.PartError](err)
	if listen, ok := errors.AsType[*net.OpError](err); ok && part != nil {
		part.Err = listen // without the variable that the separate command would have
	}
	switch {
	case !ok:
		return err.Error()
	case part.Part == sandbox.Dir && errors.Is(err, fs.ErrPermission), part.Part == sandbox.Dir && errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("--dir: %v: choose a directory that can be written", part.Err)
	case part.Part == sandbox.Dir:
		return fmt.Sprintf("--dir: %v: choose another directory", part.Err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("--%s-port: %v: choose another port, or 0 for any", part.Part, part.Err)
	default:
		return fmt.Sprintf("--%s-port: %v", part.Part, part.Err)
	}
}

// colours reports whether out is a terminal that wants them.
func colours(out io.Writer, getenv func(string) string) bool {
	file, ok := out.(*os.File)
	return ok && process.Terminal(file) && getenv("NO_COLOR") == ""
}
