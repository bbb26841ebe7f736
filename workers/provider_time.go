package workers

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// providerClock counts how long the provider made an event wait, over all attempts: the calls, the
// waits after its failures and refusals, and the times in which the queue was stopped. An attempt
// that was given back or killed counts nothing. A nil clock shows 0.
type providerClock struct{ nanoseconds atomic.Int64 }

func (c *providerClock) add(d time.Duration) { c.nanoseconds.Add(int64(d)) }

func (c *providerClock) took() time.Duration {
	if c == nil {
		return 0
	}
	return time.Duration(c.nanoseconds.Load())
}

// startProviderClock returns the clock of an attempt that begins now. The clock shows what the
// provider took before.
func (q *queue) startProviderClock(d *stream.Delivery, now time.Time) *providerClock {
	clock := &providerClock{}
	clock.add(d.Waited.ProviderTook)
	due := d.Event.ReceivedAt
	if d.Waited.Class != "" {
		due = d.Waited.Until
		if now.Before(due) { // an operator ended the wait
			due = now
		}
	}
	if isOfProvider(d.Waited.Class) {
		clock.add(max(0, due.Sub(d.Waited.Since)))
	}
	clock.add(q.pause.stoppedFor(due, now))
	return clock
}

// isOfProvider reports whether the provider caused a wait of the class.
func isOfProvider(c schema.Class) bool {
	switch c {
	case schema.ClassTransient, schema.ClassNotReady, schema.ClassThrottled,
		schema.ClassUnauthorized, schema.ClassForbidden, schema.ClassContract:
		return true
	default: // above all not_stored: the broker caused the wait
		return false
	}
}

type providerClockKey struct{}

func withProviderClock(ctx context.Context, clock *providerClock) context.Context {
	return context.WithValue(ctx, providerClockKey{}, clock)
}

// CountProviderTime adds the time that a provider took for a call to the job of ctx. Without a job
// it does nothing.
func CountProviderTime(ctx context.Context, took time.Duration) {
	if clock, _ := ctx.Value(providerClockKey{}).(*providerClock); clock != nil {
		clock.add(took)
	}
}

// stopsMax is how many stops a queue remembers.
const stopsMax = 64

// stops are the last times in which a queue took no events for its provider's sake: during a hold,
// and while the provider refuses our credentials. They are in the order of time.
type stops []stop

// stop is a time without events. to is zero until the queue takes events again.
type stop struct{ from, to time.Time }

// note notes whether the queue is stopped at a time.
func (s *stops) note(stopped bool, at time.Time) {
	n := len(*s)
	wasStopped := n > 0 && (*s)[n-1].to.IsZero()
	switch {
	case stopped && !wasStopped:
		*s = append(*s, stop{from: at})
		*s = (*s)[max(0, len(*s)-stopsMax):]
	case !stopped && wasStopped:
		(*s)[n-1].to = at
	}
}

// within returns how much of the time between from and to the queue was stopped.
func (s *stops) within(from, to time.Time) time.Duration {
	var sum time.Duration
	for _, one := range *s {
		begin := one.from
		if begin.Before(from) {
			begin = from
		}
		end := one.to
		if end.IsZero() || end.After(to) {
			end = to
		}
		sum += max(0, end.Sub(begin))
	}
	return sum
}
