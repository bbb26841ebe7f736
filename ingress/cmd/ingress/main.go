// Command ingress receives the webhooks of Pinwheel and Truv and answers them when they are stored. See --help.
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
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const usage = `ingress receives webhooks and answers 200 when they are stored.

Usage:
  ingress            serve until SIGINT or SIGTERM, finish what is in hand, exit 0. With ADMIN_ADDR it is not ready for 2 s
                     first, and serves, so that a load balancer turns away. A second signal ends it at once
  ingress healthcheck
                     exit 0 when the ingress that serves at ADMIN_ADDR is ready, else say why not and exit 1
  ingress --help
  ingress --version

POST /webhooks/pinwheel and POST /webhooks/truv take what the providers send. The streams must be there:
run wagewire provision apply once. Until NATS answers, ingress is alive, not ready, and answers 503.

Exit codes: 0 stopped by a signal; 1 cannot start, or was cut off before it had finished, or is not ready; 2 wrong arguments

Environment:
  INGRESS_ADDR                where webhooks are received (:8080)
  ADMIN_ADDR                  where /livez, /readyz and /metrics are served (nowhere; images set :9090)
  PINWHEEL_SECRETS_FILE       file with Pinwheel's API secrets, one a line, 16 bytes or more, all of them active;
                              read again when it changes. Without it Pinwheel is not served
  TRUV_SECRETS_FILE           the same for Truv's access secrets. At least one of the two files must be set
  PINWHEEL_SIGNATURE_AGE_MAX  how old a signature of Pinwheel may be (20m); 0 turns the check off
  NATS_URL                    the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE             a .creds file, or a file with an nkey seed (none)
  NATS_CA_FILE                certificates that vouch for it (the system's)
  OTEL_EXPORTER_OTLP_ENDPOINT where traces go, by OTLP over HTTP, such as http://collector:4318 (nowhere)
  LOG_LEVEL                   debug, info, warn or error (info)
  LOG_FORMAT                  json or console (console in a terminal, json elsewhere)

Examples:
  Serve Truv alone, with its secret in a file:
    TRUV_SECRETS_FILE=/run/secrets/truv ingress
  Serve both, with health and metrics on port 9090:
    PINWHEEL_SECRETS_FILE=/run/secrets/pinwheel TRUV_SECRETS_FILE=/run/secrets/truv ADMIN_ADDR=:9090 ingress
  Rotate a secret: append the new one to the file, change it at the provider, then remove the old line.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("ingress", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // help goes to standard output, an error is one line
	version := flags.Bool("version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "ingress: %v: see ingress --help\n", err)
		return 2
	case slices.Equal(args, []string{process.HealthcheckArg}):
		return exitCode(process.Healthcheck(ctx, "ADMIN_ADDR", getenv("ADMIN_ADDR")), stderr)
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "ingress: unexpected argument %q: it takes none but healthcheck, see ingress --help\n", flags.Arg(0))
		return 2
	case *version:
		fmt.Fprintln(stdout, "ingress", process.Version())
		return 0
	}
	return exitCode(serve(ctx, getenv), stderr)
}

func exitCode(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "ingress:", err)
		return 1
	}
	return 0
}

// environment is what ingress reads of its environment.
type environment struct {
	NATS    stream.Config
	Process process.Config
}

func serve(ctx context.Context, getenv func(string) string) error {
	var env environment
	if err := process.ReadConfig(getenv, &env); err != nil {
		return err
	}
	log, err := process.Logger(env.Process)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced, and says so
	config, err := ingress.ConfigFromEnv(getenv)
	if err != nil {
		return err
	}
	tracing, flush, err := process.Tracing(ctx, env.Process, "wagewire-ingress")
	if err != nil {
		return err
	}
	defer flush()
	config.Tracing = tracing
	broker, err := stream.Connect(env.NATS, "ingress", log)
	if err != nil {
		return err
	}
	defer broker.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	server, err := ingress.New(config, broker, log, registry)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
