package console

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/stream"
)

// pageFor is how long a page may read the broker.
const pageFor = 10 * time.Second

// Console is the server of the pages.
type Console struct {
	*settings

	op       *stream.Operator
	health   health.Config
	log      *zap.Logger
	sessions *sessions
	tokens   *tokens
	// refused counts logins with wrong tokens.
	refused *rate.Limiter
	watch   *watch
	feed    *feed
	runs    *runs
	results results
	open    openPages
	// searches and lookups have an element for each search and page that asks the broker.
	searches chan struct{}
	lookups  chan struct{}
	// searchTurn is how long a search waits for its turn.
	searchTurn time.Duration
	// done is closed when the console stops: pages that stay open end.
	done chan struct{}
	stop func()
}

// New returns a console that reads from op. An error names the variable to change.
func New(
	c Config, op *stream.Operator, h health.Config, log *zap.Logger,
) (*Console, error) {
	checked, err := c.check()
	if err != nil {
		return nil, err
	}
	if c.Reveal && !log.Core().Enabled(zap.InfoLevel) {
		return nil, errors.New("CONSOLE_REVEAL: with this LOG_LEVEL nobody learns who saw " +
			"records: set LOG_LEVEL to info")
	}
	if c.TokensFile != "" {
		if _, err := readTokens(c.TokensFile, c.Providers...); err != nil {
			return nil, err
		}
	}
	done := make(chan struct{})
	runs := newRuns()
	return &Console{
		settings: checked,
		op:       op,
		health:   h,
		log:      log,
		sessions: newSessions(),
		refused:  rate.NewLimiter(rate.Every(refusedEvery), refusedBurst),
		tokens: &tokens{
			path: c.TokensFile, providers: c.Providers, log: log, again: tokensAgain,
		},
		watch:      newWatch(),
		feed:       newFeed(),
		runs:       runs,
		open:       openPages{of: map[string]int{}},
		searches:   make(chan struct{}, searchesMax),
		lookups:    make(chan struct{}, lookupsMax),
		searchTurn: searchTurn,
		done:       done,
		stop: sync.OnceFunc(func() {
			close(done)
			runs.close()
		}),
	}, nil
}

// Listen opens the listener of Config.Addr. An error is an *AddrError.
func (c *Console) Listen(ctx context.Context) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, &AddrError{err}
	}
	return listener, nil
}

// Handler returns the handler of the pages.
func (c *Console) Handler() http.Handler { return c.guard(c.survive(c.routes())) }

// Run reads what the pages show, until ctx ends.
func (c *Console) Run(ctx context.Context) error {
	defer c.runs.wait()
	defer c.stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		health.ReadAgain(ctx, c.op, c.health, health.Again{
			Every: readEvery, Limit: readFor, Begin: c.watch.begin, Show: c.watch.show,
		})
		return nil
	})
	group.Go(func() error { return c.runFeed(ctx) })
	group.Go(func() error {
		for ctx.Err() == nil {
			c.runs.tell()
			await(ctx, feedEvery)
		}
		return nil
	})
	return group.Wait()
}

// Ready returns nil as soon as the broker was read, or could not be read, for the first time. While
// the broker is away, the pages say what is known: so they must be reachable then above all.
func (c *Console) Ready(context.Context) error {
	if now, _ := c.watch.get(); now.Number == 0 {
		return errors.New("the broker was not read yet")
	}
	return nil
}

// Metric says whether the broker answers. The console is ready also without it.
func (c *Console) Metric() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wagewire_console_broker_up",
		Help: "1 if the last reading of the broker was successful.",
	}, func() float64 {
		if now, _ := c.watch.get(); now.Number == 0 || now.Why != "" {
			return 0
		}
		return 1
	})
}
