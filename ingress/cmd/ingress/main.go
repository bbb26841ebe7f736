// Command ingress receives the webhooks of the providers and answers when they are stored. See
// --help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// helpBefore and helpAfter are the help text before and after the table of variables. The verb in
// helpBefore takes the names of the providers.
const (
	helpBefore = `ingress receives webhooks and answers 200 when they are stored.

Usage:
  ingress              serve until SIGINT or SIGTERM, finish the requests in hand, exit 0.
                       With ADMIN_ADDR, ingress first reports for 2 s that it is not ready, and
                       still serves, so that a load balancer sends elsewhere.
                       A second signal ends ingress immediately
  ingress healthcheck  exit 0 if the ingress that serves at ADMIN_ADDR is ready; otherwise print
                       the reason and exit 1
  ingress --help
  ingress --version

POST /webhooks/PROVIDER receives the webhooks of a provider: %s.
The streams must exist: run wagewire provision apply once. Until NATS answers, ingress is alive, is
not ready, and answers 503.

Exit codes:
  0  stopped by a signal
  1  cannot start, was ended before the requests in hand were finished, lost the connection to NATS
     for good (start it again), or is not ready
  2  wrong arguments

Environment:
`
	helpAfter = `
A provider without a file of secrets is not served. At least one provider must have a file.

Examples:
  Serve Truv alone, with its secret in a file:
    TRUV_SECRETS_FILE=/run/secrets/truv ingress
  Serve both, with health and metrics on port 9090:
    PINWHEEL_SECRETS_FILE=/run/secrets/pinwheel TRUV_SECRETS_FILE=/run/secrets/truv \
      ADMIN_ADDR=:9090 ingress
  Rotate a secret: add the new one to the file, change it at the provider, remove the old line.
`
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal then ends the process
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(
	ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer,
) int {
	flags := flag.NewFlagSet("ingress", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // help goes to standard output, errors are a line each
	version := flags.Bool("version", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printHelp(stdout)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "ingress: %v: see ingress --help\n", err)
		return 2
	case slices.Equal(args, []string{process.HealthcheckArg}):
		return exitCode(process.Healthcheck(ctx, "ADMIN_ADDR", getenv("ADMIN_ADDR")), stderr)
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "ingress: unexpected argument %q: "+
			"the only argument is healthcheck, see ingress --help\n", flags.Arg(0))
		return 2
	case *version:
		fmt.Fprintln(stdout, "ingress", process.Version())
		return 0
	}
	return exitCode(serve(ctx, getenv), stderr)
}

func printHelp(w io.Writer) {
	var names []string
	for _, p := range schema.Providers() {
		names = append(names, string(p))
	}
	fmt.Fprintf(w, helpBefore, strings.Join(names, ", "))
	process.PrintVariables(w, variables())
	fmt.Fprint(w, helpAfter)
}

func exitCode(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "ingress:", err)
		return 1
	}
	return 0
}

// environment is everything that ingress reads from the environment.
type environment struct {
	Ingress ingress.Config
	NATS    stream.Config
	Process process.Config
}

// readEnvironment fills an environment. Every error names the variable to change.
func readEnvironment(getenv func(string) string) (environment, error) {
	var env environment
	if err := process.ReadConfig(getenv, &env); err != nil {
		return environment{}, err
	}
	config, err := ingress.ConfigFromEnv(getenv) // also the variables of every provider
	if err != nil {
		return environment{}, err
	}
	env.Ingress = config
	return env, nil
}

// variables lists the variables of an environment.
func variables() []process.Variable {
	return slices.Concat(ingress.Variables(), process.Variables(stream.Config{}, process.Config{}))
}

func serve(ctx context.Context, getenv func(string) string) error {
	env, err := readEnvironment(getenv)
	if err != nil {
		return err
	}
	log, stopLog, err := process.Logger(env.Process)
	if err != nil {
		return err
	}
	defer stopLog()
	defer process.TuneMemory(log)()
	tracing, flush, err := process.Tracing(ctx, env.Process, "wagewire-ingress")
	if err != nil {
		return err
	}
	defer flush()
	env.Ingress.Tracing = tracing
	broker, err := stream.Connect(env.NATS, "ingress", log)
	if err != nil {
		return err
	}
	defer broker.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	server, err := ingress.New(env.Ingress, broker, log, registry)
	if err != nil {
		return err
	}
	reporter := stream.Reporter{
		Role: stream.RoleIngress, Version: process.Version(), Providers: server.Sightings,
	}
	return broker.ReportWhile(ctx, reporter, func(ctx context.Context) error {
		return broker.RunWhileOpen(ctx, server.Run)
	})
}
