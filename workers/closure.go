package workers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

// Limits of closures.
const (
	// DownAfter is the number of different events in a row that must fail, without an answer of the
	// provider between them, before the provider counts as down. An attempt at an event has then
	// repeated its calls for 20 s, so chance is no reason.
	DownAfter = 5
	// ClosureFor is how long a closure lasts whose end nobody knows. A worker renews such a closure
	// after ClosureRenewEvery. If every worker is gone, the closure ends: an autoscaler starts one
	// worker, which learns the state and closes the queue again.
	ClosureFor = 60 * time.Second
	// ClosureRenewEvery is the time between two renewals: one may be lost.
	ClosureRenewEvery = 20 * time.Second

	// closureStep is the least change of an end that the broker learns of. The hands of a process
	// hear of one hold one after the other, and each computes its end anew.
	closureStep = time.Second
)

// closer is the broker's side of the closures of a queue.
type closer interface {
	CloseFor(ctx context.Context, r schema.ClosureReason, lasts time.Duration) error
}

// closures tell an autoscaler, through the broker, why the queue needs no more workers: the
// provider refuses our credentials, wants no calls, or is down. The workers themselves do not read
// closures.
type closures struct {
	queue closer
	name  string
	log   *zap.Logger

	mu sync.Mutex
	// ends has the end of each closure that stands.
	ends map[schema.ClosureReason]time.Time
	// stored has the ends that the broker knows.
	stored map[schema.ClosureReason]time.Time
	// refused is true while the provider refuses our credentials.
	refused bool
	// failed are the events that the provider failed since its last answer, DownAfter at most.
	failed map[string]bool
	// warned is true if the log says that the broker does not store closures.
	warned bool
	// wake ends the sleep of announce.
	wake chan struct{}
}

func newClosures(queue closer, name string, log *zap.Logger) *closures {
	return &closures{
		queue: queue, name: name, log: log,
		ends:   map[schema.ClosureReason]time.Time{},
		stored: map[schema.ClosureReason]time.Time{},
		failed: map[string]bool{},
		wake:   make(chan struct{}, 1),
	}
}

// refuse begins or ends the closure for refused credentials.
func (c *closures) refuse(refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = refused
	if !refused {
		delete(c.ends, schema.ClosureRefused)
	}
	c.wakeLocked()
}

// hold begins the closure for a hold, which lasts until the given time. The zero time ends the
// closure.
func (c *closures) hold(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved := until.Sub(c.ends[schema.ClosureHeld])
	if !until.IsZero() && moved.Abs() < closureStep {
		return
	}
	c.ends[schema.ClosureHeld] = until
	c.wakeLocked()
}

// record notes the result of an attempt at the event. A run of failures of the provider begins the
// closure for a provider that is down, and the first answer ends the run with its closure.
func (c *closures) record(event string, err error) {
	status, _ := lastAnswer(err)
	isFailure := (Ladders{}).judge(Fetched{}, err, nil).Class == schema.ClassTransient
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case isFailure:
		c.failLocked(event)
	case err == nil, isAnswer(status):
		c.answerLocked()
	}
}

// isAnswer reports whether the provider works: a server in trouble answers with 5xx or 408 too, and
// 0 means that no answer came.
func isAnswer(status int) bool {
	isTrouble := status >= http.StatusInternalServerError || status == http.StatusRequestTimeout
	return status > 0 && !isTrouble
}

func (c *closures) failLocked(event string) {
	if len(c.failed) < DownAfter {
		c.failed[event] = true
		if len(c.failed) < DownAfter {
			return
		}
		c.log.Warn("provider is down: every attempt of late has failed",
			zap.String("queue", c.name))
	}
	if c.renewLocked(schema.ClosureDown) {
		c.wakeLocked()
	}
}

func (c *closures) answerLocked() {
	if len(c.failed) == DownAfter {
		c.log.Info("provider answers again", zap.String("queue", c.name))
		delete(c.ends, schema.ClosureDown)
		c.wakeLocked()
	}
	clear(c.failed)
}

// renewLocked begins a closure without a known end, or prolongs the closure if it is time.
func (c *closures) renewLocked(r schema.ClosureReason) (renewed bool) {
	if time.Until(c.ends[r]) > ClosureFor-ClosureRenewEvery {
		return false
	}
	c.ends[r] = time.Now().Add(ClosureFor)
	return true
}

func (c *closures) wakeLocked() {
	select {
	case c.wake <- struct{}{}:
	default: // announce has not seen the last one yet
	}
}

// announce tells the broker of the closures until ctx ends. A closure that the broker does not
// store is tried again later, and changes nothing else.
func (c *closures) announce(ctx context.Context) {
	for ctx.Err() == nil {
		changes, next := c.changes()
		for _, change := range changes {
			err := c.queue.CloseFor(ctx, change.reason, time.Until(change.end))
			if err != nil {
				c.warn(ctx, err)
				next = ClosureRenewEvery
				continue
			}
			c.noteStored(change)
		}
		sleep(ctx, c.wake, next)
	}
}

// closure is a closure of the queue that has not ended.
type closure struct {
	reason schema.ClosureReason
	end    time.Time
}

// changes returns the closures that the broker does not know yet. It returns no ends, because the
// broker ends a closure that nobody prolongs. next is the time until a closure must be renewed, 0
// if none must be.
func (c *closures) changes() (changes []closure, next time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused {
		c.renewLocked(schema.ClosureRefused)
		next = ClosureRenewEvery
	}
	for _, r := range schema.ClosureReasons() {
		end := c.ends[r]
		switch {
		case !end.After(time.Now()):
			delete(c.stored, r)
		case !end.Equal(c.stored[r]):
			changes = append(changes, closure{r, end})
		}
	}
	return changes, next
}

func (c *closures) noteStored(change closure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored[change.reason] = change.end
	c.warned = false
}

// warn logs the first of several failures to store a closure.
func (c *closures) warn(ctx context.Context, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.warned || ctx.Err() != nil {
		return
	}
	c.warned = true
	c.log.Warn("closure not stored: an autoscaler may add workers that have nothing to do",
		zap.String("queue", c.name), zap.Error(err))
}
