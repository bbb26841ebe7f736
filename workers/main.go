package workers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api/pace"
)

// Opener opens the sources of a worker command. Package workers knows no provider, so the command
// passes the Opener to Main.
type Opener struct {
	// Open opens the sources of a resource, by provider. Its errors name the variable to change.
	Open func(r schema.Resource, of Surroundings) (map[schema.Provider]Source, error)
	// Variables lists the environment variables of a provider. A variable without a default must be
	// set.
	Variables func(schema.Provider) []process.Variable
}

// Surroundings are what the sources of a process share.
type Surroundings struct {
	Getenv   func(string) string
	Registry prometheus.Registerer
	// Log takes what is wrong later, such as a changed file of secrets, or a provider that asks us
	// to wait.
	Log *zap.Logger
	// Budget returns where all processes share the budget of a provider.
	Budget func(schema.Provider) pace.Store
	// Calls counts the calls to the providers. Nil: nobody counts.
	Calls *Calls
	// Transport makes the calls to the providers, for example through a proxy with certificates of
	// its own. Nil: each client has a transport of its own.
	Transport http.RoundTripper
}

// Main is the main function of every worker command: it serves the queues of the resource until
// SIGTERM or SIGINT. A second signal ends the process at once. The exit code is 0 after a stop, 1
// if the worker cannot start, if it lost the connection to NATS for good, or if healthcheck finds
// no ready process, and 2 if the arguments are wrong.
func Main(r schema.Resource, opener Opener) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, r, opener, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// AccountsMain is the main function of the command accounts: it keeps the states of accounts until
// SIGTERM or SIGINT. The exit codes are those of Main.
func AccountsMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(runAccounts(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(
	ctx context.Context, r schema.Resource, opener Opener, args []string,
	getenv func(string) string, stdout, stderr io.Writer,
) int {
	name := stream.WorkerRole(r)
	c := commandLine{
		name:  name,
		help:  func(w io.Writer) { writeHelp(w, name, r, opener) },
		serve: func(ctx context.Context) error { return serve(ctx, name, r, opener, getenv) },
	}
	return c.run(ctx, args, getenv, stdout, stderr)
}

// commandLine is the command line of a worker.
type commandLine struct {
	name  string
	help  func(io.Writer)
	serve func(context.Context) error
}

// run serves, or does what the arguments ask for, and returns the exit code.
func (c commandLine) run(
	ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer,
) int {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // help writes the help, and an error is a single line
	version := flags.Bool("version", false, "print the version and exit")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(stdout)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v: see %s --help\n", c.name, err, c.name)
		return 2
	case slices.Equal(args, []string{process.HealthcheckArg}):
		err := process.Healthcheck(ctx, "ADMIN_ADDR", getenv("ADMIN_ADDR"))
		return exitCode(err, c.name, stderr)
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "%s: unexpected argument %q: the only argument is %s, see %s --help\n",
			c.name, flags.Arg(0), process.HealthcheckArg, c.name)
		return 2
	case *version:
		fmt.Fprintln(stdout, c.name, process.Version())
		return 0
	}
	return exitCode(c.serve(ctx), c.name, stderr)
}

func exitCode(err error, name string, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// environment is the configuration of every worker command. Open reads the variables of the
// providers.
type environment struct {
	NATS    stream.Config
	Worker  Config
	Process process.Config
}

// serve runs a worker until ctx ends.
func serve(
	ctx context.Context, name string, r schema.Resource, opener Opener,
	getenv func(string) string,
) error {
	var env environment
	if err := process.ReadConfig(getenv, &env); err != nil {
		return err
	}
	log, stopLog, err := process.Logger(env.Process)
	if err != nil {
		return err
	}
	defer stopLog()
	defer process.TuneMemory(log)()
	tracing, flush, err := process.Tracing(ctx, env.Process, "wagewire-"+name)
	if err != nil {
		return err
	}
	defer flush()
	env.Worker.Tracing = tracing
	conn, err := stream.Connect(env.NATS, "wagewire-"+name, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	registry := newRegistry()
	calls := NewCalls()
	sources, err := opener.Open(r, Surroundings{
		Getenv: getenv, Registry: registry, Log: log, Calls: calls,
		Budget: func(p schema.Provider) pace.Store { return conn.Budget(p) },
	})
	if err != nil {
		return err
	}
	if err := requireSource(r, sources); err != nil {
		return err
	}
	worker := New(r, sources, conn, env.Worker, log, registry)
	reporter := stream.Reporter{Role: name, Version: process.Version(), Providers: calls.Report}
	return reportWhileOpen(ctx, conn, reporter, func(ctx context.Context) error {
		return runWithAdmin(ctx, worker, env.Process.AdminAddr, registry, log,
			zap.String("resource", string(r)))
	})
}

// reportWhileOpen calls run, and reports to operators meanwhile. It ends when the connection is
// lost for good.
func reportWhileOpen(
	ctx context.Context, conn *stream.Conn, r stream.Reporter, run func(context.Context) error,
) error {
	return conn.ReportWhile(ctx, r, func(ctx context.Context) error {
		return conn.RunWhileOpen(ctx, run)
	})
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// server is the part of a process that works: a Worker, or Accounts.
type server interface {
	Run(ctx context.Context) error
	Ready(ctx context.Context) error
}

// runWithAdmin runs a server and the admin listener at addr. If either ends, the other ends too.
// The fields are in the lines about start and stop.
func runWithAdmin(
	ctx context.Context, s server, addr string, registry *prometheus.Registry,
	log *zap.Logger, fields ...zap.Field,
) error {
	log = log.With(fields...)
	log.Info("worker starts", zap.String("version", process.Version()))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Run(ctx) })
	group.Go(func() error { return process.Admin(ctx, addr, s.Ready, registry) })
	if err := group.Wait(); err != nil {
		return err
	}
	log.Info("worker stopped")
	return nil
}

func writeHelp(w io.Writer, name string, r schema.Resource, opener Opener) {
	fmt.Fprintf(w, `%s completes the events of %s: it %s and
publishes wagewire.completions.<provider>.%s.<account>.<event>.

Queues and their events:
`, name, r, workOf(r), r)
	variables := process.Variables(environment{})
	var examples []string
	for _, q := range schema.QueuesOf(r) {
		fmt.Fprintf(w, "  %s\n", q.Name)
		for _, subject := range q.Subjects {
			fmt.Fprintf(w, "    %s\n", subject)
		}
		var ofProvider []process.Variable
		if calls(r) {
			ofProvider = opener.Variables(q.Provider)
		}
		variables = append(variables, ofProvider...)
		examples = append(examples, exampleOf(q.Provider, ofProvider)+name)
	}
	fmt.Fprintf(w, `
Usage:
  %s [--help] [--version]
  %s healthcheck    exit 0 if the process at ADMIN_ADDR is ready, else say why not and exit 1

Examples:
`, name, name)
	for _, example := range examples {
		fmt.Fprintf(w, "  %s\n", example)
		fmt.Fprintf(w, "  ADMIN_ADDR=:9090 WORKER_CONCURRENCY=4 NATS_URL=nats://nats:4222 %s\n",
			example)
	}
	fmt.Fprint(w, "\nEnvironment:\n")
	process.PrintVariables(w, variables)
	fmt.Fprint(w, "\nTo create the streams and queues, run: wagewire provision apply\n")
}

// calls reports whether the worker of the resource calls a provider.
func calls(r schema.Resource) bool {
	return slices.ContainsFunc(schema.QueuesOf(r), schema.Queue.CallsProvider)
}

// workOf says what the worker of the resource does for an event.
func workOf(r schema.Resource) string {
	if calls(r) {
		return "fetches the data that each event announces"
	}
	return "takes the record from each webhook, calls no provider"
}

// exampleOf returns the assignments before the command of an example: the variables of the provider
// without a default.
func exampleOf(p schema.Provider, variables []process.Variable) string {
	var b strings.Builder
	for _, v := range variables {
		switch {
		case v.Default != "":
		case strings.HasSuffix(v.Name, "_FILE"):
			fmt.Fprintf(&b, "%s=%s.secret ", v.Name, p)
		default:
			fmt.Fprintf(&b, "%s=… ", v.Name)
		}
	}
	return b.String()
}
