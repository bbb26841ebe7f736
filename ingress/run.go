package ingress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// Limits that no installation needs to change.
const (
	BodyBytesMax   = 256 << 10
	HeaderBytesMax = 16 << 10
	// RetryAfter is what a 429 or a 503 asks the sender to wait.
	RetryAfter = 5 * time.Second
	// AnswerFor is what a provider waits at most, by our own promise. Truv hangs up after 10 s, Pinwheel after 15.
	AnswerFor = 5 * time.Second
)

// Defaults of Config.
const (
	DefaultAddr = ":8080"
	// DefaultSignatureAgeMax is Pinwheel's 15 minutes of redeliveries, which may keep the first one's signature, and the clocks.
	DefaultSignatureAgeMax = 20 * time.Minute
	// DefaultDrainFor lets a load balancer that asks every second see it, and leaves the 8 s that the requests in hand may take
	// of the 10 s that docker stop gives.
	DefaultDrainFor = 2 * time.Second
)

// Names of the environment variables.
const (
	pinwheelSecretsVariable = "PINWHEEL_SECRETS_FILE"
	truvSecretsVariable     = "TRUV_SECRETS_FILE"
	ageVariable             = "PINWHEEL_SIGNATURE_AGE_MAX"
)

// Config is what an installation chooses.
type Config struct {
	// Addr is where webhooks are received, DefaultAddr where it is empty. Port 0 takes a free one: Server.Addr tells which.
	Addr string
	// AdminAddr is where /livez, /readyz and /metrics are served. Empty: nowhere.
	AdminAddr string
	// A provider is served if there is a file with its secrets. There must be one for one of them.
	PinwheelSecretsFile string
	TruvSecretsFile     string
	// SignatureAgeMax is how old a signature of Pinwheel may be, or how far ahead of our clock. 0: as it may.
	SignatureAgeMax time.Duration
	// DrainFor is how long webhooks are still received after readiness is gone, so that those who ask for it go elsewhere first.
	DrainFor time.Duration
	Limits   Limits
	// Tracing is where spans go. nil: nowhere.
	Tracing trace.TracerProvider
}

// Limits are the times and numbers that tests make small. A zero is the default, which is design, not taste.
type Limits struct {
	HeaderReadFor time.Duration // 5 s
	ReadFor       time.Duration // 10 s, header and body
	WriteFor      time.Duration // 10 s, from the answer on
	IdleFor       time.Duration // 60 s
	PublishFor    time.Duration // 4 s
	InFlightMax   int           // 1,024
}

func (l Limits) orDefaults() Limits {
	return Limits{
		HeaderReadFor: cmp.Or(l.HeaderReadFor, 5*time.Second),
		ReadFor:       cmp.Or(l.ReadFor, 10*time.Second),
		WriteFor:      cmp.Or(l.WriteFor, 10*time.Second),
		IdleFor:       cmp.Or(l.IdleFor, 60*time.Second),
		PublishFor:    cmp.Or(l.PublishFor, 4*time.Second),
		InFlightMax:   cmp.Or(l.InFlightMax, 1024),
	}
}

// ConfigFromEnv reads INGRESS_ADDR, ADMIN_ADDR, PINWHEEL_SECRETS_FILE, TRUV_SECRETS_FILE and PINWHEEL_SIGNATURE_AGE_MAX. With
// ADMIN_ADDR it drains for DefaultDrainFor; without, nobody sees readiness go, and there is nothing to wait for.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	c := Config{
		Addr:                getenv("INGRESS_ADDR"),
		AdminAddr:           getenv("ADMIN_ADDR"),
		PinwheelSecretsFile: getenv(pinwheelSecretsVariable),
		TruvSecretsFile:     getenv(truvSecretsVariable),
		SignatureAgeMax:     DefaultSignatureAgeMax,
	}
	if c.AdminAddr != "" {
		c.DrainFor = DefaultDrainFor
	}
	if s := getenv(ageVariable); s != "" {
		age, err := time.ParseDuration(s)
		if err != nil || age < 0 {
			return Config{}, fmt.Errorf("%s: %q is not a duration such as 20m, or 0 for no limit", ageVariable, s)
		}
		c.SignatureAgeMax = age
	}
	return c, nil
}

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
	secrets   map[schema.Provider]*process.SecretFile
	slots     chan struct{}
	forgeries *forgeries
	unknown   onceEach
	listener  net.Listener
	stopping  chan struct{}
}

// New reads the secrets and listens, so that whatever is wrong with the configuration is an error here. Run must follow.
func New(c Config, p Publisher, log *zap.Logger, registry *prometheus.Registry) (*Server, error) {
	s, err := newServer(c, p, log, registry)
	if err != nil {
		return nil, err
	}
	s.listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", cmp.Or(c.Addr, DefaultAddr))
	if err != nil {
		return nil, fmt.Errorf("INGRESS_ADDR: %w", err)
	}
	return s, nil
}

// newServer is a Server without a network: an http.Handler.
func newServer(c Config, p Publisher, log *zap.Logger, registry *prometheus.Registry) (*Server, error) {
	secrets, err := openSecrets(c)
	if err != nil {
		return nil, err
	}
	if c.Tracing == nil {
		c.Tracing = noop.NewTracerProvider()
	}
	limits := c.Limits.orDefaults()
	slots := make(chan struct{}, limits.InFlightMax)
	metrics, err := newMetrics(registry, func() float64 { return float64(len(slots)) })
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return &Server{
		config:    c,
		limits:    limits,
		publisher: p,
		log:       log,
		registry:  registry,
		metrics:   metrics,
		tracer:    c.Tracing.Tracer("github.com/wagewire/wagewire/ingress"),
		secrets:   secrets,
		slots:     slots,
		forgeries: newForgeries(),
		unknown:   onceEach{seen: make(map[string]bool)},
		stopping:  make(chan struct{}),
	}, nil
}

func openSecrets(c Config) (map[schema.Provider]*process.SecretFile, error) {
	secrets := make(map[schema.Provider]*process.SecretFile)
	for _, file := range []struct {
		provider       schema.Provider
		variable, path string
	}{
		{schema.Pinwheel, pinwheelSecretsVariable, c.PinwheelSecretsFile},
		{schema.Truv, truvSecretsVariable, c.TruvSecretsFile},
	} {
		if file.path == "" {
			continue
		}
		opened, err := process.OpenSecretFile(file.variable, file.path)
		if err != nil {
			return nil, err
		}
		secrets[file.provider] = opened
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("neither %s nor %s is set: set one or both to a file with one secret a line",
			pinwheelSecretsVariable, truvSecretsVariable)
	}
	return secrets, nil
}

// Addr is the address at which webhooks are received.
func (s *Server) Addr() string { return s.listener.Addr().String() }

var errStopping = errors.New("the process is stopping")

// Ready reports an error while webhooks had better go elsewhere: when they could not be stored, and from the moment Run is
// told to stop.
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

// Run serves until ctx ends, once. It then is no longer ready, receives for another DrainFor, answers what it has begun, and
// returns nil.
func (s *Server) Run(ctx context.Context) error {
	errorLog, err := zap.NewStdLogAt(s.log, zapcore.WarnLevel)
	if err != nil {
		return fmt.Errorf("run ingress: %w", err)
	}
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.limits.HeaderReadFor,
		ReadTimeout:       s.limits.ReadFor,
		WriteTimeout:      s.limits.WriteFor,
		IdleTimeout:       s.limits.IdleFor,
		MaxHeaderBytes:    HeaderBytesMax,
		ErrorLog:          errorLog,
	}
	s.log.Info("receiving webhooks", zap.String("addr", s.Addr()),
		zap.Bool("pinwheel", s.secrets[schema.Pinwheel] != nil), zap.Bool("truv", s.secrets[schema.Truv] != nil))

	group, ctx := errgroup.WithContext(ctx)
	receiving, stopReceiving := context.WithCancel(context.WithoutCancel(ctx))
	watched, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stopReceiving()
		<-ctx.Done()
		close(s.stopping)
		select {
		case <-time.After(s.config.DrainFor):
		case <-receiving.Done(): // one of the listeners broke
		}
		return nil
	})
	group.Go(func() error {
		defer stopAdmin()
		defer stopReceiving()
		return process.Serve(receiving, s.listener, server)
	})
	group.Go(func() error {
		defer stopReceiving()
		return process.Admin(watched, s.config.AdminAddr, s.Ready, s.registry)
	})
	err = group.Wait()
	s.log.Info("stopped")
	return err
}
