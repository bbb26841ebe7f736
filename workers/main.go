package workers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	concurrencyDefault = 16
	concurrencyMax     = 1000
)

// Open opens a resource's sources, by provider, from the environment. Its errors name the variable to change.
type Open func(r schema.Resource, getenv func(string) string, registry prometheus.Registerer) (map[schema.Provider]Source, error)

// Main is the main of every worker command: it serves the resource's queues until SIGTERM or SIGINT, and exits 0 then;
// 1 where it cannot start or healthcheck finds it not ready, 2 where its arguments are wrong. A second signal ends it at once.
func Main(r schema.Resource, open Open) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, r, open, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(ctx context.Context, r schema.Resource, open Open, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	name := stream.WorkerRole(r)
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // help goes to standard output, an error is one line
	version := flags.Bool("version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage(name, r))
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v: see %s --help\n", name, err, name)
		return 2
	case slices.Equal(args, []string{process.HealthcheckArg}):
		return exitCode(process.Healthcheck(ctx, "ADMIN_ADDR", getenv("ADMIN_ADDR")), name, stderr)
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "%s: unexpected argument %q: it takes none but healthcheck, see %s --help\n", name, flags.Arg(0), name)
		return 2
	case *version:
		fmt.Fprintln(stdout, name, process.Version())
		return 0
	}
	return exitCode(serve(ctx, name, r, open, getenv), name, stderr)
}

func exitCode(err error, name string, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// environment is what a worker command reads of its environment.
type environment struct {
	NATS    stream.Config
	Process process.Config
}

func serve(ctx context.Context, name string, r schema.Resource, open Open, getenv func(string) string) error {
	var env environment
	if err := process.ReadConfig(getenv, &env); err != nil {
		return err
	}
	log, err := process.Logger(env.Process)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced, and says so
	config, err := ConfigFromEnv(getenv)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	sources, err := open(r, getenv, registry)
	if err != nil {
		return err
	}
	tracing, flush, err := process.Tracing(ctx, env.Process, "wagewire-"+name)
	if err != nil {
		return err
	}
	defer flush()
	config.Tracing = tracing
	conn, err := stream.Connect(env.NATS, "wagewire-"+name, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	worker := New(r, sources, conn, config, log, registry)
	log.Info("worker starts", zap.String("resource", string(r)), zap.String("version", process.Version()))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return worker.Run(ctx) })
	group.Go(func() error { return process.Admin(ctx, env.Process.AdminAddr, worker.Ready, registry) })
	if err := group.Wait(); err != nil {
		return err
	}
	log.Info("worker stopped", zap.String("resource", string(r)))
	return nil
}

// ConfigFromEnv reads WORKER_CONCURRENCY, RETRY_LADDER and NOT_READY_LADDER. Unset ones have the defaults.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	c := Config{Ladders: DefaultLadders()}
	if s := getenv("WORKER_CONCURRENCY"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > concurrencyMax {
			return c, fmt.Errorf("WORKER_CONCURRENCY: %q is not a number from 1 to %d", s, concurrencyMax)
		}
		c.Concurrency = n
	}
	for _, of := range []struct {
		variable string
		ladder   *[]time.Duration
	}{{"RETRY_LADDER", &c.Ladders.Retry}, {"NOT_READY_LADDER", &c.Ladders.NotReady}} {
		s := getenv(of.variable)
		if s == "" {
			continue
		}
		steps, err := parseLadder(s)
		if err != nil {
			return c, fmt.Errorf("%s: %w", of.variable, err)
		}
		*of.ladder = steps
	}
	return c, nil
}

func parseLadder(s string) ([]time.Duration, error) {
	steps := []time.Duration{}
	for text := range strings.SplitSeq(s, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("%q is not a duration over 0: write durations with commas between, such as 30s,2m,10m", text)
		}
		steps = append(steps, d)
	}
	if len(steps) >= schema.DeliveriesMax {
		return nil, fmt.Errorf("it has %d steps, and a queue delivers an event %d times at most", len(steps), schema.DeliveriesMax)
	}
	return steps, nil
}

func usage(name string, r schema.Resource) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s completes the events of %s: it fetches what each announces and publishes\nwagewire.completions.<provider>.%s.<account>.<event>.\n\nIt serves\n", name, r, r)
	for _, q := range schema.QueuesOf(r) {
		fmt.Fprintf(&b, "  queue %s\n", q.Name)
		for _, subject := range q.Subjects {
			fmt.Fprintf(&b, "    %s\n", subject)
		}
	}
	fmt.Fprintf(&b, `
Usage:
  %s [--help] [--version]
  %s healthcheck    exit 0 when the process that serves at ADMIN_ADDR is ready, else say why not and exit 1

Examples:
  %s
`, name, name, strings.ReplaceAll(exampleOf(r), "NAME", name))
	fmt.Fprint(&b, `
Environment:
  NATS_URL          where NATS is (nats://127.0.0.1:4222)
  NATS_CREDS_FILE   a .creds file, or a file with an nkey seed (none)
  NATS_CA_FILE      certificates to trust
  ADMIN_ADDR        listener for /livez, /readyz and /metrics, such as :9090 (off)
  WORKER_CONCURRENCY  events in hand at a time, a queue (16)
  RETRY_LADDER      pauses between deliveries while a provider is down (30s,2m,10m,30m,2h,5h,10h,10h,10h,10h,10h,10h)
  NOT_READY_LADDER  pauses while its data lags behind the webhook (5s,30s,2m,10m)
  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go, by OTLP over HTTP, such as http://collector:4318 (nowhere)
  LOG_LEVEL         debug, info, warn or error (info)
  LOG_FORMAT        json or console (json; console in a terminal)
`)
	for _, q := range schema.QueuesOf(r) {
		fmt.Fprint(&b, providerEnvironment[q.Provider])
	}
	fmt.Fprint(&b, "\nStreams and queues are made by: wagewire provision apply\n")
	return b.String()
}

var providerEnvironment = map[schema.Provider]string{
	schema.Pinwheel: `  PINWHEEL_URL      https://api.getpinwheel.com, or that of the sandbox or development mode
  PINWHEEL_API_SECRET_FILE  file with the API secret (required); it is read again when it changes
  PINWHEEL_VERSION  version of the API (2025-07-08)
  PINWHEEL_RATE_PER_S  calls a second of this process (10)
`,
	schema.Truv: `  TRUV_URL          https://prod.truv.com, for every environment
  TRUV_CLIENT_ID    the client id (required)
  TRUV_ACCESS_SECRET_FILE  file with the access secret (required); it is read again when it changes
  TRUV_RATE_PER_S   calls a second of this process (5: Truv allows 300 a minute over everything)
`,
}

func exampleOf(r schema.Resource) string {
	if r == schema.Link {
		return "TRUV_CLIENT_ID=… TRUV_ACCESS_SECRET_FILE=truv.secret NAME\n  ADMIN_ADDR=:9090 WORKER_CONCURRENCY=4 NATS_URL=nats://nats:4222 TRUV_CLIENT_ID=… TRUV_ACCESS_SECRET_FILE=truv.secret NAME"
	}
	return "PINWHEEL_API_SECRET_FILE=pinwheel.secret NAME\n  ADMIN_ADDR=:9090 WORKER_CONCURRENCY=4 NATS_URL=nats://nats:4222 PINWHEEL_API_SECRET_FILE=pinwheel.secret NAME"
}
