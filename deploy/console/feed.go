package console

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// feedMax is how many completions the feed keeps.
	feedMax = 200
	// feedEvery is the pause between two readings of the feed.
	feedEvery = time.Second
	// feedAgain is the pause after a reading that failed.
	feedAgain = 5 * time.Second
	// lookedFor is how long the feed is read after the last look at it. An open page looks again
	// and again.
	lookedFor = 2 * time.Minute
	// feedFirst is how long the first look waits for a reading.
	feedFirst = time.Second
)

// fed is a completion in the feed: without its records, and without the ids of those that are
// missing or deleted, which are counted.
type fed struct {
	schema.Completion

	records, missing, deleted int
}

// feed has the newest completions. It is read while somebody looks, once for all open pages. It is
// safe for concurrent use.
type feed struct {
	mu     sync.Mutex
	newest []fed // oldest first
	// last is the sequence of the newest, and unread counts those that could not be decoded.
	last   uint64
	unread int
	// readAt is when the last good reading ended, and endedAt when the last one did. failedSince is
	// when the first of the failed ones did, zero if the last was good.
	readAt, endedAt, failedSince time.Time

	lookedAt time.Time
	isNew    bool          // since the last change was told
	changed  chan struct{} // closed when there are others
	ended    chan struct{} // closed at the end of the next reading
	looks    chan struct{} // has an element after a first look
}

func newFeed() *feed {
	return &feed{
		changed: make(chan struct{}),
		ended:   make(chan struct{}),
		looks:   make(chan struct{}, 1),
	}
}

// change returns a channel that is closed when there are other completions.
func (f *feed) change() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// feedNow is what the feed has at a time.
type feedNow struct {
	newest      []fed // the newest first
	unread      int
	failedSince time.Time
}

// get returns what the feed has.
func (f *feed) get() feedNow {
	f.mu.Lock()
	defer f.mu.Unlock()
	newest := slices.Clone(f.newest)
	slices.Reverse(newest)
	return feedNow{newest, f.unread, f.failedSince}
}

// look notes that somebody looks. If nobody did of late, look waits for a reading that comes soon.
func (f *feed) look(ctx context.Context) {
	f.mu.Lock()
	f.lookedAt = time.Now()
	isFresh := time.Since(f.endedAt) < lookedFor
	ended := f.ended
	f.mu.Unlock()
	if isFresh {
		return
	}
	select {
	case f.looks <- struct{}{}:
	default:
	}
	late := time.NewTimer(feedFirst)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	case <-ctx.Done():
	}
}

// read is when the last good reading ended.
func (f *feed) read() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readAt
}

func (f *feed) isLookedAt() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.lookedAt) < lookedFor
}

// next selects the completions that the feed does not have. stored is the sequence of the newest
// that is known to be stored after the last reading, 0 if nobody knows: if it is less than that of
// the feed, the stream is another one.
func (f *feed) next(stored uint64) stream.Selection {
	f.mu.Lock()
	defer f.mu.Unlock()
	if stored > 0 && stored < f.last {
		f.last = 0
		f.newest = nil
	}
	if f.last == 0 || time.Since(f.readAt) > lookedFor {
		return stream.Selection{Newest: feedMax}
	}
	return stream.Selection{From: f.last + 1}
}

// add adds a completion as it is stored, unless the feed has it. Its records are dropped.
func (f *feed) add(m stream.Stored) {
	var c schema.Completion
	err := json.Unmarshal(m.Body, &c)
	one := fed{c, c.CountRecords(), len(c.Data.Missing), len(c.Data.Deleted)}
	one.Data.Records = nil
	one.Data.Missing = nil
	one.Data.Deleted = nil
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Sequence <= f.last {
		return
	}
	f.last = m.Sequence
	f.isNew = true
	if err != nil { // which may quote the records
		f.unread++
		return
	}
	f.newest = append(f.newest, one)
	if len(f.newest) > feedMax {
		f.newest = slices.Delete(f.newest, 0, len(f.newest)-feedMax)
	}
}

// end ends a reading, and tells of what is new. isFirst is true for the first failed one.
func (f *feed) end(err error) (isFirst bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.endedAt = time.Now()
	isFirst = err != nil && f.failedSince.IsZero()
	switch {
	case err == nil:
		f.isNew = f.isNew || !f.failedSince.IsZero()
		f.readAt = f.endedAt
		f.failedSince = time.Time{}
	case isFirst:
		f.isNew = true
		f.failedSince = f.endedAt
	}
	close(f.ended)
	f.ended = make(chan struct{})
	if f.isNew {
		f.isNew = false
		close(f.changed)
		f.changed = make(chan struct{})
	}
	return isFirst
}

// runFeed reads completions while somebody looks, until ctx ends.
func (c *Console) runFeed(ctx context.Context) error {
	for ctx.Err() == nil {
		if !c.feed.isLookedAt() {
			select {
			case <-c.feed.looks:
			case <-ctx.Done():
			}
			continue
		}
		rest := feedEvery
		if !c.readFeed(ctx) {
			rest = feedAgain
		}
		await(ctx, rest)
	}
	return nil
}

// readFeed reads the completions that the feed does not have yet.
func (c *Console) readFeed(ctx context.Context) (isRead bool) {
	reading, cancel := context.WithTimeout(ctx, pageFor)
	defer cancel()
	err := c.op.Scan(reading, schema.CompletionsStream, c.feed.next(c.stored()),
		func(m stream.Stored) error {
			c.feed.add(m)
			return nil
		})
	isFirst := c.feed.end(err)
	// The connection itself logs that it is away.
	if isFirst && ctx.Err() == nil && c.op.Connected() == nil {
		c.log.Warn("the feed of completions cannot be read", zap.Error(advice.OnBroker(err)))
	}
	return err == nil
}

// stored is the sequence of the newest completion by a state that is newer than the feed, 0 if
// there is none.
func (c *Console) stored() uint64 {
	now, _ := c.watch.get()
	if now.isRead() && now.At.After(c.feed.read()) {
		return sampleOf(now.State).completions
	}
	return 0
}

// await waits for a time, or for the end of ctx.
func await(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
