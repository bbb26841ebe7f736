package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/schema"
)

const (
	// feedBack is how far back the feed begins.
	feedBack = time.Minute
	// feedMax is how many completions the feed keeps.
	feedMax = 200
	// feedEvery is the least time between two "changed" to open pages.
	feedEvery = time.Second
	// feedAgain is the pause before the feed is begun again after an error.
	feedAgain = 5 * time.Second
)

// fed is a completion in the feed: without its records, which are counted.
type fed struct {
	schema.Completion

	records int
}

// feed has the newest completions. One tail of the completions serves every open page. It is safe
// for concurrent use.
type feed struct {
	mu      sync.Mutex
	since   time.Time // of the oldest that it could have
	newest  []fed     // oldest first
	isNew   bool      // since the last change was told
	changed chan struct{}
}

func newFeed() *feed { return &feed{changed: make(chan struct{})} }

// get returns the newest completions, the newest first, and a channel that is closed when there are
// others.
func (f *feed) get() (newest []fed, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	newest = slices.Clone(f.newest)
	slices.Reverse(newest)
	return newest, f.changed
}

// begun returns since when completions are in the feed, zero before the first reading.
func (f *feed) begun() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since
}

// begin says since when completions are added.
func (f *feed) begin(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = since
}

// add adds a completion. Its records are dropped.
func (f *feed) add(c schema.Completion) {
	one := fed{c, c.CountRecords()}
	one.Data.Records = nil
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = append(f.newest, one)
	if len(f.newest) > feedMax {
		f.newest = slices.Delete(f.newest, 0, len(f.newest)-feedMax)
	}
	f.isNew = true
}

// tell tells of what was added since the last time.
func (f *feed) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isNew {
		f.isNew = false
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// runFeed reads completions as they come, until ctx ends. Open pages are told once a second at
// most.
func (c *Console) runFeed(ctx context.Context) error {
	since := time.Now().Add(-feedBack)
	c.feed.begin(since)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for ctx.Err() == nil {
			err := c.readFeed(ctx, since)
			// The connection itself logs that it is away.
			if err != nil && ctx.Err() == nil && c.op.Connected() == nil {
				c.log.Warn("the feed of completions begins again", zap.Error(advice.OnBroker(err)))
			}
			since = time.Now()
			await(ctx, feedAgain)
		}
		return nil
	})
	group.Go(func() error {
		for ctx.Err() == nil {
			c.feed.tell()
			await(ctx, feedEvery)
		}
		return nil
	})
	return group.Wait()
}

func (c *Console) readFeed(ctx context.Context, since time.Time) error {
	tail, err := c.op.Tail(ctx, schema.AllCompletions, since)
	if err != nil {
		return err
	}
	defer tail.Close()
	for {
		completion, err := tail.Next(ctx)
		if err != nil {
			return err
		}
		c.feed.add(completion)
	}
}

// await waits for a time, or for the end of ctx.
func await(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
