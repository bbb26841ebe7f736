package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/fetch"
)

const (
	loopback = "127.0.0.1"
	// secretsFile is the variable, without the provider, of the file with a provider's secrets.
	secretsFile = "SECRETS_FILE"
	// workerStopFor is short, because a person waits for the sandbox to stop.
	workerStopFor = 3 * time.Second
	// readHeaderFor is how long a caller of the fakes or of the admin listener may take to send the
	// headers of a request.
	readHeaderFor = 5 * time.Second
)

// getenv is the environment of every part: the sandbox's own variables, then Config.Getenv.
func (s *Sandbox) getenv(key string) string {
	if value, set := s.env[key]; set {
		return value
	}
	return s.config.Getenv(key)
}

// makeDirectory makes the directory of the streams and the files with the fakes' secrets.
func (s *Sandbox) makeDirectory(context.Context) error {
	if s.config.Dir == "" {
		dir, err := os.MkdirTemp("", "wagewire-sandbox-")
		if err != nil {
			return &PartError{Dir, err}
		}
		s.config.Dir = dir
		s.cleanup = append(s.cleanup, func() { _ = os.RemoveAll(dir) })
	}
	if err := makeWritable(s.streamsDir()); err != nil {
		return &PartError{Dir, err}
	}
	if s.config.Real {
		return nil
	}
	for _, p := range schema.Providers() {
		if err := fake.Covers(string(p)); err != nil {
			return err
		}
		if err := s.writeSecret(p); err != nil {
			return &PartError{Dir, err}
		}
	}
	return nil
}

// makeWritable makes the directory and tries to write a file there.
func makeWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return err
	}
	_ = probe.Close()
	return os.Remove(probe.Name())
}

// writeSecret writes the secret of a fake provider to a file and points ingress and workers to the
// file.
func (s *Sandbox) writeSecret(p schema.Provider) error {
	path := filepath.Join(s.config.Dir, string(p)+".secret")
	s.env[p.Variable(secretsFile)] = path
	s.env[fetch.SecretVariable(p)] = path
	return os.WriteFile(path, []byte(fake.Secret(string(p))+"\n"), 0o600)
}

// streamsDir is where the broker stores the streams.
func (s *Sandbox) streamsDir() string { return filepath.Join(s.config.Dir, "nats") }

// startBroker starts nats-server, connects, and makes the streams and queues.
func (s *Sandbox) startBroker(ctx context.Context) error {
	server, err := broker.Start(broker.Config{
		Port:         s.config.NATSPort,
		Dir:          s.streamsDir(),
		AccountsFile: s.brokerFile(),
		Account:      nats.StreamsAccount,
		SyncAlways:   s.config.Real,
	})
	if _, inUse := errors.AsType[*broker.InUseError](err); inUse {
		return &PartError{Dir, err}
	}
	if err != nil {
		return &PartError{NATS, err}
	}
	s.nats = server
	s.cleanup = append(s.cleanup, server.Stop)
	s.NATSURL = server.URL()
	s.env["NATS_URL"] = s.NATSURL
	s.env["NATS_CREDS_FILE"] = "" // each part connects with the key of its role
	s.Conn, err = s.connect(stream.RoleOperator, "wagewire-sandbox")
	if err != nil {
		return err
	}
	topology := broker.SmallTopology()
	if s.config.Real {
		topology = schema.DefaultTopology()
	}
	operator := stream.NewOperator(s.Conn)
	operator.Keep = func(stream.Kept) bool { return true } // `wagewire provision` made it so
	if err := operator.Provision(ctx, topology); err != nil {
		return err
	}
	if !s.config.Real {
		if err := s.makeTeam(ctx); err != nil {
			return fmt.Errorf("make the team %s: %w", team, err)
		}
	}
	s.start("teams", s.followTeams)
	return nil
}

func (s *Sandbox) startIngress(context.Context) error {
	config, err := ingress.ConfigFromEnv(s.getenv)
	if err != nil {
		return err
	}
	config.Addr = address(s.config.WebhooksPort)
	config.AdminAddr = "" // all parts share the admin listener of the sandbox
	config.DrainFor = 0
	config.Tracing = s.config.Tracing
	conn, err := s.connect(stream.RoleIngress, "ingress")
	if err != nil {
		return err
	}
	server, err := ingress.New(config, conn, s.config.Log, s.registry)
	if err != nil {
		return asPartError(Webhooks, err)
	}
	s.WebhooksURL = "http://" + server.Addr() + "/webhooks"
	s.startReporting("ingress", conn, stream.Reporter{
		Role: stream.RoleIngress, Providers: server.Sightings,
	}, server.Run)
	return nil
}

// listenForFakes opens the listener of the fake providers, and points ingress and the workers to
// the fakes. Their secrets are the demonstration's, and those may stand beside a fake only.
func (s *Sandbox) listenForFakes(ctx context.Context) error {
	if s.config.Real {
		return nil
	}
	listener, err := listen(ctx, s.config.ProvidersPort)
	if err != nil {
		return &PartError{Providers, err}
	}
	s.fakesListener = listener
	s.cleanup = append(s.cleanup, func() { _ = listener.Close() }) // if the fakes never start
	s.ProvidersURL = "http://" + listener.Addr().String()
	for _, p := range schema.Providers() {
		for name, value := range fake.Environment(string(p), s.ProvidersURL) {
			s.env[p.Variable(name)] = value
		}
	}
	return nil
}

// startFakes serves the fake providers.
func (s *Sandbox) startFakes(context.Context) error {
	if s.config.Real {
		return nil
	}
	s.Fake = fake.New(fake.Config{WebhookURL: s.WebhooksURL, PageMax: PageMax})
	server := &http.Server{Handler: s.Fake, ReadHeaderTimeout: readHeaderFor}
	s.start("providers", func(ctx context.Context) error {
		defer context.AfterFunc(ctx, s.Fake.Close)()
		return process.Serve(ctx, s.fakesListener, server)
	})
	return nil
}

func (s *Sandbox) startWorkers(context.Context) error {
	if err := s.checkSecrets(); err != nil {
		return err
	}
	calls := workers.NewCalls()
	sources, err := fetch.OpenAll(workers.Surroundings{
		Getenv: s.getenv, Registry: s.registry, Log: s.config.Log, Calls: calls,
		Budget: func(p schema.Provider) pace.Store { return s.Conn.Budget(p) },
	})
	if err != nil {
		return err
	}
	config, err := workers.ConfigFromEnv(s.getenv)
	if err != nil {
		return err
	}
	config.PauseFor = s.config.PauseFor
	config.StopFor = workerStopFor
	config.Tracing = s.config.Tracing
	s.sources = sources
	for r, byProvider := range sources {
		role := stream.WorkerRole(r)
		conn, err := s.connect(role, "wagewire-"+role)
		if err != nil {
			return err
		}
		labels := prometheus.Labels{"worker": string(r)}
		registry := prometheus.WrapRegistererWith(labels, s.registry)
		// Each start makes a new worker, as a new process would.
		run := func(ctx context.Context) error {
			return workers.New(r, byProvider, conn, config, s.config.Log, registry).Run(ctx)
		}
		s.startReporting(string(r), conn, stream.Reporter{Role: role}, run)
	}
	// All workers share a client of each provider, so their calls have a report of their own.
	all := stream.Reporter{Role: stream.RoleOperator, Providers: calls.Report}
	s.startReporting("calls", s.Conn, all, untilEnd)
	return s.startAccounts()
}

// startAccounts starts the worker that keeps the states of accounts.
func (s *Sandbox) startAccounts() error {
	var config workers.AccountsConfig
	if err := process.ReadConfig(s.getenv, &config); err != nil {
		return err
	}
	config.StopFor = workerStopFor
	conn, err := s.connect(stream.RoleAccounts, "wagewire-"+stream.RoleAccounts)
	if err != nil {
		return err
	}
	accounts := workers.NewAccounts(conn, config, s.config.Log, s.registry)
	s.startReporting(
		stream.RoleAccounts, conn, stream.Reporter{Role: stream.RoleAccounts}, accounts.Run)
	return nil
}

// checkSecrets returns an error if a provider has the secrets for webhooks and not the secret for
// calls: the provider's events would get no completion.
func (s *Sandbox) checkSecrets() error {
	for _, p := range schema.Providers() {
		signing := p.Variable(secretsFile)
		calling := fetch.SecretVariable(p)
		if s.getenv(signing) != "" && s.getenv(calling) == "" {
			return fmt.Errorf("%s is not set, and %s is: set both, or neither", calling, signing)
		}
	}
	return nil
}

func (s *Sandbox) startAdmin(ctx context.Context) error {
	if s.config.AdminPort < 0 {
		return nil
	}
	listener, err := listen(ctx, s.config.AdminPort)
	if err != nil {
		return &PartError{Admin, err}
	}
	s.AdminURL = "http://" + listener.Addr().String()
	handler := process.AdminHandler(s.Conn.Ready, s.registry)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderFor}
	s.start("admin", func(ctx context.Context) error {
		return process.Serve(ctx, listener, server)
	})
	return nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address(port))
}

func address(port int) string { return fmt.Sprintf("%s:%d", loopback, port) }

// asPartError makes a PartError of an error of the listener.
func asPartError(part string, err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return &PartError{part, err}
	}
	return err
}
