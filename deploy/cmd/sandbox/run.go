package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
)

// The values of --providers.
const (
	fakeProviders = "fake"
	realProviders = "real"
)

// options are the flags.
type options struct {
	once      bool
	noDemo    bool
	providers string
	sandbox   sandbox.Config
}

func rootCommand(getenv func(string) string) *cobra.Command {
	o := options{sandbox: sandbox.Config{Getenv: getenv}}
	c := &cobra.Command{
		Use: "sandbox",
		Long: fmt.Sprintf(`sandbox runs all of Wagewire in one process: nats-server, fakes of %s,
ingress and every worker. It plays a person who links a payroll account, prints a line for each
completion, compares what the providers say of the person, and runs until Ctrl-C.`,
			sandbox.Titles()),
		Example: `  Play the demonstration, then wait for your own webhooks:
    sandbox
  Play the demonstration and end: 0 if every event got all its completions, else 1:
    sandbox --once
  Wait for your own webhooks and keep the streams:
    sandbox --no-demo --dir ./state
  Ask the real Pinwheel:
    PINWHEEL_SECRETS_FILE=pinwheel.secret PINWHEEL_API_SECRET_FILE=pinwheel.secret \
      PINWHEEL_URL=https://sandbox.getpinwheel.com sandbox --providers real --dir ./state`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return runSandbox(c.Context(), o, c.OutOrStdout())
		},
	}
	o.addFlags(c)
	command.AddEnvironment(c, variables())
	command.AddSection(c, "Environment with --providers real", realEnvironment())
	return c
}

func (o *options) addFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&o.once, "once", false, "end after the demonstration")
	flags.BoolVar(&o.noDemo, "no-demo", false, "play no demonstration")
	flags.StringVar(&o.providers, "providers", fakeProviders,
		"`fake|real`; real providers are those that the variables below name")
	flags.StringVar(&o.sandbox.Dir, "dir", "",
		"keep the streams and the broker's keys in `DIR` "+
			"(a temporary directory that is removed at the end)")
	flags.IntVar(&o.sandbox.WebhooksPort, "webhooks-port", 8080,
		"the port for webhooks; every port is on 127.0.0.1, and 0 is any free port")
	flags.IntVar(&o.sandbox.NATSPort, "nats-port", 4222, "the port of nats-server")
	flags.IntVar(&o.sandbox.ProvidersPort, "providers-port", 8081,
		"the port of the fake providers and of their control tree")
	flags.IntVar(&o.sandbox.AdminPort, "admin-port", 9090,
		"the port of /livez, /readyz and /metrics")
	flags.IntVar(&o.sandbox.ConsolePort, "console-port", 8090, "the port of the console")
}

// check returns an error if flags contradict each other, and completes the options.
func (o *options) check() error {
	switch {
	case o.providers != fakeProviders && o.providers != realProviders:
		return command.UsageError("--providers: %q is neither fake nor real", o.providers)
	case o.once && o.noDemo:
		return command.UsageError(
			"--once ends after the demonstration and --no-demo plays none: choose one")
	case o.once && o.providers == realProviders:
		return command.UsageError("--once: only the fake providers play a demonstration")
	}
	o.sandbox.Real = o.providers == realProviders
	o.noDemo = o.noDemo || o.sandbox.Real
	return nil
}

// runSandbox starts the sandbox, prints completions and stops the sandbox.
func runSandbox(ctx context.Context, o options, stdout io.Writer) error {
	getenv := o.sandbox.Getenv
	var config process.Config
	if err := process.ReadConfig(quiet(getenv), &config); err != nil {
		return err
	}
	log, stopLog, err := process.Logger(config)
	if err != nil {
		return err
	}
	defer stopLog()
	tracing, flush, err := process.Tracing(ctx, config, "wagewire-sandbox")
	if err != nil {
		return err
	}
	defer flush()
	o.sandbox.Log = log
	o.sandbox.Tracing = tracing
	s, err := sandbox.Up(ctx, o.sandbox)
	if err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C came before the sandbox was up
		}
		return explain(err)
	}
	complete := false
	err = s.Conn.RunWhileOpen(ctx, func(ctx context.Context) error {
		var err error
		complete, err = watch(ctx, s, o, newPrinter(stdout, getenv))
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if o.once && !complete {
		return command.Exit(1, nil) // the summary has named the missing completions
	}
	return nil
}

// quiet sets LOG_LEVEL to error unless the environment sets it: logs would hide the demonstration.
func quiet(getenv func(string) string) func(string) string {
	return func(key string) string {
		if value := getenv(key); value != "" || key != "LOG_LEVEL" {
			return value
		}
		return quietLevel
	}
}

// watch prints completions until ctx ends, or with --once until the demonstration ends. complete
// reports whether every completion of the demonstration came.
func watch(
	ctx context.Context,
	s *sandbox.Sandbox,
	o options,
	p *printer,
) (complete bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-s.Failed():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	operator := stream.NewOperator(s.Conn)
	tail, err := operator.Tail(ctx, "", time.Now())
	if err != nil {
		return false, err
	}
	defer tail.Close()
	p.greet(s)
	if !o.noDemo {
		complete, err = demonstrate(ctx, s, tail, p)
		if err != nil || o.once {
			return complete, causeOf(ctx, err)
		}
	}
	p.suggestNext(s)
	for {
		completion, err := tail.Next(ctx)
		if err != nil {
			return complete, causeOf(ctx, err)
		}
		status, err := taskStatus(ctx, operator, completion)
		if err != nil {
			return complete, causeOf(ctx, err)
		}
		p.completion(completion, status)
	}
}

// causeOf returns the cause of the end of ctx, or err if ctx has not ended. After an end by the
// user causeOf returns nil.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// explain adds the flag to change to an error of a part.
func explain(err error) error {
	part, ok := errors.AsType[*sandbox.PartError](err)
	if !ok {
		return err
	}
	reason := part.Err
	if listen, ok := errors.AsType[*net.OpError](err); ok {
		reason = listen // without the variable of the separate command
	}
	if inUse, ok := errors.AsType[*broker.InUseError](err); ok {
		return fmt.Errorf("--dir: %w: end that sandbox, or choose another directory", inUse)
	}
	notWritable := errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
	switch {
	case part.Part == sandbox.Dir && notWritable:
		return fmt.Errorf("--dir: %w: choose a directory that can be written", reason)
	case part.Part == sandbox.Dir:
		return fmt.Errorf("--dir: %w: choose another directory", reason)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--%s-port: %w: choose another port, or 0 for any", part.Part, reason)
	default:
		return fmt.Errorf("--%s-port: %w", part.Part, reason)
	}
}
