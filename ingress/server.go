package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// Server receives webhooks.
type Server struct {
	config    Config
	limits    Limits
	publisher Publisher
	log       *zap.Logger
	registry  *prometheus.Registry
	metrics   *metrics
	tracer    trace.Tracer
	// secrets has the providers that are served.
	secrets map[schema.Provider]*process.SecretFile
	// What requests hold before they are verified, and after.
	connections *connections
	room        *room
	hand        *hand
	// known are the peers that have delivered a verified webhook.
	known     recent[struct{}]
	forgeries *forgeries
	refusals  *refusals
	unknown   onceEach
	// sightings has every provider.
	sightings map[schema.Provider]*sighting
	listener  net.Listener
	// stopping is closed when Run is told to stop.
	stopping chan struct{}
}

// New reads the secrets and opens the listener, so that every mistake in the configuration is an
// error here. The caller must call Run next.
func New(c Config, p Publisher, log *zap.Logger, registry *prometheus.Registry) (*Server, error) {
	s, err := newServer(c, p, log, registry)
	if err != nil {
		return nil, err
	}
	s.listener = c.Listener
	if s.listener == nil {
		s.listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", c.Addr)
	}
	if err != nil {
		return nil, fmt.Errorf("INGRESS_ADDR: %w", err)
	}
	return s, nil
}

// newServer makes a Server without a listener: an http.Handler.
func newServer(
	c Config, p Publisher, log *zap.Logger, registry *prometheus.Registry,
) (*Server, error) {
	if err := coverAll(schema.Providers()); err != nil {
		return nil, err
	}
	secrets, err := openSecrets(c)
	if err != nil {
		return nil, err
	}
	if c.Tracing == nil {
		c.Tracing = noop.NewTracerProvider()
	}
	c.Limits = c.Limits.orDefaults()
	s := &Server{
		config:    c,
		limits:    c.Limits,
		publisher: p,
		log:       log,
		registry:  registry,
		tracer:    c.Tracing.Tracer("github.com/wagewire/wagewire/ingress"),
		secrets:   secrets,
		room:      newRoom(c.Limits.UnverifiedBytesMax, c.Limits.PeerBytesMax),
		hand:      &hand{countMax: c.Limits.InFlightMax, bytesMax: c.Limits.InFlightBytesMax},
		forgeries: newForgeries(),
		refusals:  newRefusals(log),
		unknown:   onceEach{seen: make(map[string]bool)},
		sightings: newSightings(),
		stopping:  make(chan struct{}),
	}
	s.connections = newConnections(c, &s.known, s.countCutOff)
	s.metrics, err = newMetrics(registry, gauges{
		inFlight:        s.hand.webhooks,
		connections:     s.connections.number,
		unverifiedBytes: s.room.bytes,
	})
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return s, nil
}

// coverAll returns an error if a provider has no signature scheme.
func coverAll(providers []schema.Provider) error {
	for _, p := range providers {
		if err := webhook.Covers(p); err != nil {
			return err
		}
	}
	return nil
}

// openSecrets opens the secret file of every provider that has one.
func openSecrets(c Config) (map[schema.Provider]*process.SecretFile, error) {
	secrets := make(map[schema.Provider]*process.SecretFile)
	var variables []string
	for _, p := range schema.Providers() {
		variable := p.Variable(secretsFileName)
		variables = append(variables, variable)
		path := c.Providers[p].SecretsFile
		if path == "" {
			continue
		}
		file, err := process.OpenSecretFile(variable, path, c.realAPI())
		if err != nil {
			return nil, err
		}
		secrets[p] = file
	}
	if len(secrets) == 0 {
		names := strings.Join(variables, " nor ")
		return nil, fmt.Errorf("neither %s is set: "+
			"set one or more to a file with one secret a line", names)
	}
	return secrets, nil
}

// Addr is the address of the listener for webhooks.
func (s *Server) Addr() string { return s.listener.Addr().String() }

var errStopping = errors.New("the process is stopping")

// Ready returns an error when webhooks should go elsewhere: while webhooks cannot be stored, and
// after Run is told to stop.
func (s *Server) Ready(ctx context.Context) error {
	if s.isStopping() {
		return errStopping
	}
	return s.publisher.Ready(ctx)
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// Run serves until ctx ends. Then the server is no longer ready, receives webhooks for DrainFor,
// answers the requests in hand, and Run returns nil. Run may be called once.
func (s *Server) Run(ctx context.Context) error {
	s.connections.Listener = behindProxies(
		s.listener, s.config.TrustedProxies, s.limits.HeaderReadFor)
	s.logStart()

	group, ctx := errgroup.WithContext(ctx)
	receiving, stopReceiving := context.WithCancel(context.WithoutCancel(ctx))
	watched, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stopReceiving()
		<-ctx.Done()
		close(s.stopping)
		select {
		case <-time.After(s.config.DrainFor):
		case <-receiving.Done(): // a listener broke
		}
		return nil
	})
	group.Go(func() error {
		defer stopAdmin()
		defer stopReceiving()
		return process.Serve(receiving, s.connections, s.httpServer())
	})
	group.Go(func() error {
		s.refusals.run(receiving)
		return nil
	})
	group.Go(func() error {
		defer stopReceiving()
		return process.Admin(watched, s.config.AdminAddr, s.Ready, s.registry)
	})
	err := group.Wait()
	s.log.Info("stopped")
	return err
}

func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.limits.HeaderReadFor,
		ReadTimeout:       s.limits.ReadFor,
		WriteTimeout:      s.limits.WriteFor,
		IdleTimeout:       s.limits.IdleFor,
		MaxHeaderBytes:    HeaderBytesMax,
		ErrorLog:          newServerLog(s.log),
		ConnContext:       withConnection,
		ConnState:         noteIdle,
		// net/http would answer OPTIONS * with 200, and 200 is for what is stored.
		DisableGeneralOptionsHandler: true,
	}
}
