package sandbox

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/workers"
)

// PageMax is how many records the fakes put on a page, whatever a call asks for: Pinwheel's
// default.
const PageMax = 25

// Titles returns the names of the providers as people write them: "Pinwheel and Truv".
func Titles() string {
	var list []string
	for _, p := range schema.Providers() {
		list = append(list, p.Title())
	}
	return strings.Join(list, " and ")
}

// Names of the parts in a PartError.
const (
	NATS      = "nats"
	Webhooks  = "webhooks"
	Providers = "providers"
	Admin     = "admin"
	Console   = "console"
	Dir       = "dir"
)

// Config is the configuration of a sandbox. The zero value means fakes, free ports, and a temporary
// directory.
type Config struct {
	// Dir is where the streams and the keys for the broker are stored. One sandbox at a time may
	// use it. Empty: a temporary directory, removed by Close.
	Dir string
	// Ports on the loopback interface. 0 takes a free port. AdminPort < 0: no admin listener.
	// ConsolePort < 0: no console.
	NATSPort, WebhooksPort, ProvidersPort, AdminPort, ConsolePort int
	// Real leaves the fakes out. Then the environment's variables name the providers.
	Real bool
	// Getenv reads the environment. With fakes the environment need not name providers. nil: an
	// empty environment.
	Getenv func(string) string
	Log    *zap.Logger
	// PauseFor is the time between two probes of a queue whose provider refuses our credentials.
	// 0 means workers.PauseFor.
	PauseFor time.Duration
	// Tracing takes the spans. nil: no spans.
	Tracing trace.TracerProvider
}

// PartError says which part of the sandbox could not start.
type PartError struct {
	Part string
	Err  error
}

func (e *PartError) Error() string { return e.Part + ": " + e.Err.Error() }
func (e *PartError) Unwrap() error { return e.Err }

// Sandbox is a running pipeline.
type Sandbox struct {
	// Conn is the operator's connection to the broker.
	Conn *stream.Conn
	// OperatorKey is the file with the operator's key for the broker: a value of NATS_CREDS_FILE.
	// With fakes, the broker takes a client without a key for the operator.
	OperatorKey string
	// Fake is the fake providers, nil with Config.Real.
	Fake *fake.Providers
	// WebhooksURL, ProvidersURL, AdminURL, NATSURL and ConsoleURL are the addresses of the parts.
	// Without a listener the URL is empty.
	WebhooksURL, ProvidersURL, AdminURL, NATSURL, ConsoleURL string
	// ConsoleToken is the token of a person who may act in the console, of this start only. It is
	// empty without a console, with Config.Real, and if the environment names persons.
	ConsoleToken string

	config   Config
	env      map[string]string // set by the sandbox for all parts
	nats     *broker.Server
	registry *prometheus.Registry
	sources  map[schema.Resource]map[schema.Provider]workers.Source
	// fakesListener is the listener of the fake providers, nil with Config.Real. consoleListener is
	// that of the console, nil without one.
	fakesListener, consoleListener net.Listener
	cleanup                        []func()

	mu     sync.Mutex
	parts  map[string]*part
	failed chan error
}

// Up starts a sandbox and returns when the sandbox receives webhooks. An error is a *PartError if a
// port or the directory is the cause.
func Up(ctx context.Context, c Config) (_ *Sandbox, err error) {
	if c.Getenv == nil {
		c.Getenv = func(string) string { return "" }
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	s := &Sandbox{
		config:   c,
		env:      map[string]string{},
		registry: prometheus.NewRegistry(),
		parts:    map[string]*part{},
		failed:   make(chan error, 1),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	starts := []func(context.Context) error{
		s.makeDirectory, s.makeAccounts, s.startBroker,
		s.listenForFakes, s.listenForConsole, s.startIngress, s.startFakes,
		s.startWorkers, s.startConsole, s.startAdmin,
	}
	for _, start := range starts {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close stops everything: the senders first, the broker last. When Close returns, no part runs.
func (s *Sandbox) Close() error {
	var workerNames []string
	for _, r := range s.Resources() {
		workerNames = append(workerNames, string(r))
	}
	var errs []error
	stages := [][]string{
		{"admin", "console", "ingress"}, workerNames,
		{stream.RoleAccounts, "calls"}, {"providers", "teams"},
	}
	for _, stage := range stages {
		var group errgroup.Group
		for _, name := range stage {
			group.Go(func() error { return s.stop(name) })
		}
		errs = append(errs, group.Wait())
	}
	for _, undo := range slices.Backward(s.cleanup) {
		undo()
	}
	return errors.Join(errs...)
}

// Failed receives the error of a part that stopped by itself.
func (s *Sandbox) Failed() <-chan error { return s.failed }

// StopNATS stops the broker. The streams stay.
func (s *Sandbox) StopNATS() { s.nats.Stop() }

// StartNATS starts a stopped broker at the same address.
func (s *Sandbox) StartNATS() error { return s.nats.Restart() }
