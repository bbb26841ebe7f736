// Package sandbox is the whole pipeline in one process: nats-server, the fake providers (or the real ones), ingress and
// every worker, put together from the same packages as the separate commands. It serves a newcomer, a developer with
// provider keys, a small installation, and every test that tells the line from webhook to completion.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

const (
	loopback = "127.0.0.1"
	// PageMax is how many records the fakes put on a page, whatever is asked for: Pinwheel's default.
	PageMax = 25
	// stopFor is short: whoever stops a sandbox is waiting.
	stopFor = 3 * time.Second
	// readHeaderFor is the fakes' own.
	readHeaderFor = 5 * time.Second
)

// Names of the parts that listen, as they stand in a PartError.
const (
	NATS      = "nats"
	Webhooks  = "webhooks"
	Providers = "providers"
	Admin     = "admin"
	Dir       = "dir"
)

// Config is how to run a sandbox. The zero value has fakes, free ports and a directory of its own that goes with it.
type Config struct {
	// Dir keeps the streams. Empty: a temporary directory, removed by Close.
	Dir string
	// Ports on the loopback interface; 0 takes a free one. AdminPort < 0: no admin listener.
	NATSPort, WebhooksPort, ProvidersPort, AdminPort int
	// Real leaves the fakes out: the provider variables of the environment say where the providers are.
	Real bool
	// Getenv is the environment. Where the fakes run it need not name them. nil: empty.
	Getenv func(string) string
	Log    *zap.Logger
	// Tracing is where spans go. nil: nowhere.
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
	// Conn is a connection to its broker.
	Conn *stream.Conn
	// Fake are the fake providers, nil with Real.
	Fake *fake.Providers
	// WebhooksURL, ProvidersURL, AdminURL and NATSURL are where its parts listen, "" for those that do not.
	WebhooksURL, ProvidersURL, AdminURL, NATSURL string

	config   Config
	env      map[string]string
	nats     *broker.Server
	registry *prometheus.Registry
	sources  map[schema.Resource]map[schema.Provider]workers.Source
	cleanup  []func()

	mu     sync.Mutex
	parts  map[string]*part
	failed chan error
}

// part is a component that runs until it is stopped.
type part struct {
	run    func(context.Context) error
	cancel context.CancelFunc
	ended  chan error
}

// Up starts a sandbox and returns when it takes webhooks. Its errors are *PartError where a port or the directory is the cause.
func Up(ctx context.Context, c Config) (_ *Sandbox, err error) {
	if c.Getenv == nil {
		c.Getenv = func(string) string { return "" }
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	s := &Sandbox{config: c, env: map[string]string{}, registry: prometheus.NewRegistry(), parts: map[string]*part{}, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, start := range []func(context.Context) error{s.directory, s.startBroker, s.ingress, s.fakes, s.workers, s.admin} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// getenv is the environment of every part: what the sandbox sets, then what it was given.
func (s *Sandbox) getenv(key string) string {
	if value, set := s.env[key]; set {
		return value
	}
	return s.config.Getenv(key)
}

// directory makes the place for the streams, and the fakes' secrets.
func (s *Sandbox) directory(context.Context) error {
	if s.config.Dir == "" {
		dir, err := os.MkdirTemp("", "wagewire-sandbox-")
		if err != nil {
			return &PartError{Dir, err}
		}
		s.config.Dir = dir
		s.cleanup = append(s.cleanup, func() { _ = os.RemoveAll(dir) })
	}
	if err := os.MkdirAll(s.streams(), 0o700); err != nil {
		return &PartError{Dir, err}
	}
	probe, err := os.CreateTemp(s.streams(), ".writable-")
	if err != nil {
		return &PartError{Dir, err}
	}
	_ = probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return &PartError{Dir, err}
	}
	if s.config.Real {
		return nil
	}
	for _, p := range schema.Providers() {
		if err := s.writeSecret(p); err != nil {
			return &PartError{Dir, err}
		}
	}
	return nil
}

// writeSecret writes the secret of a fake provider to a file and points ingress and workers to it.
func (s *Sandbox) writeSecret(p schema.Provider) error {
	path := filepath.Join(s.config.Dir, string(p)+".secret")
	s.env[p.Variable("SECRETS_FILE")] = path
	s.env[fetch.SecretVariable(p)] = path
	return os.WriteFile(path, []byte(fake.Secret(string(p))+"\n"), 0o600)
}

// streams is where the broker stores.
func (s *Sandbox) streams() string { return filepath.Join(s.config.Dir, "nats") }

func (s *Sandbox) startBroker(ctx context.Context) (err error) {
	s.nats, err = broker.Start(broker.Config{Port: s.config.NATSPort, Dir: s.streams(), SyncAlways: s.config.Real})
	if err != nil {
		return &PartError{NATS, err}
	}
	s.cleanup = append(s.cleanup, s.nats.Stop)
	s.NATSURL = s.nats.URL()
	s.env["NATS_URL"] = s.NATSURL
	if s.Conn, err = stream.Connect(stream.Config{URL: s.NATSURL}, "wagewire-sandbox", s.config.Log); err != nil {
		return err
	}
	s.cleanup = append(s.cleanup, s.Conn.Close)
	topology := broker.SmallTopology()
	if s.config.Real {
		topology = schema.DefaultTopology()
	}
	return stream.NewOperator(s.Conn).Provision(ctx, topology)
}

func (s *Sandbox) ingress(context.Context) error {
	config, err := ingress.ConfigFromEnv(s.getenv)
	if err != nil {
		return err
	}
	config.Addr, config.AdminAddr, config.DrainFor = address(s.config.WebhooksPort), "", 0 // one admin listener for all
	config.Tracing = s.config.Tracing
	server, err := ingress.New(config, s.Conn, s.config.Log, s.registry)
	if err != nil {
		return partIfPort(Webhooks, err)
	}
	s.WebhooksURL = "http://" + server.Addr() + "/webhooks"
	s.start("ingress", server.Run)
	return nil
}

func (s *Sandbox) fakes(ctx context.Context) error {
	if s.config.Real {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address(s.config.ProvidersPort))
	if err != nil {
		return &PartError{Providers, err}
	}
	s.ProvidersURL = "http://" + listener.Addr().String()
	s.Fake = fake.New(fake.Config{WebhookURL: s.WebhooksURL, PageMax: PageMax})
	for _, p := range schema.Providers() {
		if err := fake.Covers(string(p)); err != nil {
			return err
		}
		for name, value := range fake.Environment(string(p), s.ProvidersURL) {
			s.env[p.Variable(name)] = value
		}
	}
	s.start("providers", func(ctx context.Context) error {
		defer context.AfterFunc(ctx, s.Fake.Close)()
		return process.Serve(ctx, listener, &http.Server{Handler: s.Fake, ReadHeaderTimeout: readHeaderFor})
	})
	return nil
}

func (s *Sandbox) workers(context.Context) (err error) {
	if err := s.checkSecrets(); err != nil {
		return err
	}
	if s.sources, err = fetch.OpenAll(s.getenv, s.registry); err != nil {
		return err
	}
	config, err := workers.ConfigFromEnv(s.getenv)
	if err != nil {
		return err
	}
	config.StopFor, config.Tracing = stopFor, s.config.Tracing
	for r, sources := range s.sources {
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"worker": string(r)}, s.registry)
		s.start(string(r), func(ctx context.Context) error { // a new worker each time, as a new process would be
			return workers.New(r, sources, s.Conn, config, s.config.Log, labelled).Run(ctx)
		})
	}
	return nil
}

// checkSecrets returns an error if webhooks of a provider are received and its API is never called:
// the events of that provider would get no completion.
func (s *Sandbox) checkSecrets() error {
	for _, p := range schema.Providers() {
		signing := p.Variable("SECRETS_FILE")
		calling := fetch.SecretVariable(p)
		if s.getenv(signing) != "" && s.getenv(calling) == "" {
			return fmt.Errorf("%s is not set, and %s is: set both, or neither", calling, signing)
		}
	}
	return nil
}

func (s *Sandbox) admin(ctx context.Context) error {
	if s.config.AdminPort < 0 {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address(s.config.AdminPort))
	if err != nil {
		return &PartError{Admin, err}
	}
	s.AdminURL = "http://" + listener.Addr().String()
	server := &http.Server{Handler: process.AdminHandler(s.Conn.Ready, s.registry), ReadHeaderTimeout: readHeaderFor}
	s.start("admin", func(ctx context.Context) error { return process.Serve(ctx, listener, server) })
	return nil
}

func address(port int) string { return fmt.Sprintf("%s:%d", loopback, port) }

func partIfPort(name string, err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return &PartError{name, err}
	}
	return err
}

func (s *Sandbox) start(name string, run func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &part{run: run}
	s.parts[name] = p
	s.begin(name, p)
}

func (s *Sandbox) begin(name string, p *part) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.ended = cancel, make(chan error, 1)
	ended := p.ended
	go func() {
		err := p.run(ctx)
		if err != nil && ctx.Err() == nil {
			select {
			case s.failed <- fmt.Errorf("%s: %w", name, err):
			default: // one failure is enough to end the sandbox
			}
		}
		ended <- err
	}()
}

// Failed tells when a part stopped by itself.
func (s *Sandbox) Failed() <-chan error { return s.failed }

// Resources lists the workers that run.
func (s *Sandbox) Resources() []schema.Resource { return slices.Sorted(maps.Keys(s.sources)) }

// StopWorker stops one worker as SIGTERM would, and returns when it has stopped.
func (s *Sandbox) StopWorker(r schema.Resource) error {
	if err := s.isWorker(r); err != nil {
		return fmt.Errorf("stop worker: %w", err)
	}
	return s.stop(string(r))
}

// StartWorker starts a worker that was stopped.
func (s *Sandbox) StartWorker(r schema.Resource) error {
	if err := s.isWorker(r); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[string(r)]
	if len(p.ended) == 0 {
		return fmt.Errorf("start worker: %s runs", r)
	}
	s.begin(string(r), p)
	return nil
}

func (s *Sandbox) isWorker(r schema.Resource) error {
	if _, ok := s.sources[r]; !ok {
		return fmt.Errorf("none is called %s: there are %s", r, s.Resources())
	}
	return nil
}

// StopNATS stops the broker. Its streams stay.
func (s *Sandbox) StopNATS() { s.nats.Stop() }

// StartNATS starts it again where it was.
func (s *Sandbox) StartNATS() error { return s.nats.Restart() }

func (s *Sandbox) stop(name string) error {
	s.mu.Lock()
	p, ok := s.parts[name]
	if !ok {
		s.mu.Unlock()
		return nil // it never started
	}
	cancel, ended := p.cancel, p.ended
	s.mu.Unlock()
	cancel()
	err := <-ended
	ended <- err // for whoever stops it again
	return err
}

// Close stops everything: what sends first, what stores last. It returns when nothing runs any more.
func (s *Sandbox) Close() error {
	var working []string
	for _, r := range s.Resources() {
		working = append(working, string(r))
	}
	var errs []error
	for _, stage := range [][]string{{"admin", "ingress"}, working, {"providers"}} {
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
