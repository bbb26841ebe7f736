package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Pause stops the deliveries of a queue until the given time, or until Resume: of new events, and
// of retries. Events in hand are not touched, and waiting events go on waiting.
func (o *Operator) Pause(ctx context.Context, q schema.Queue, until time.Time) error {
	if _, _, err := o.lookUpQueue(ctx, q); err != nil {
		return err
	}
	for _, name := range q.Streams() {
		if _, err := o.js.PauseConsumer(ctx, name, q.Name, until); err != nil {
			return fmt.Errorf("pause queue %s of %s: %w", q.Name, name, err)
		}
	}
	return nil
}

// Resume ends a pause. paused is false if the queue was not paused.
func (o *Operator) Resume(ctx context.Context, q schema.Queue) (paused bool, err error) {
	until, err := o.PausedUntil(ctx, q)
	if err != nil || until.IsZero() {
		return false, err
	}
	for _, name := range q.Streams() {
		if _, err := o.js.ResumeConsumer(ctx, name, q.Name); err != nil {
			return true, fmt.Errorf("resume queue %s of %s: %w", q.Name, name, err)
		}
	}
	return true, nil
}

// PausedUntil returns when the queue's pause ends, and the zero time without a pause. The error is
// ErrNoQueue if the queue does not exist.
func (o *Operator) PausedUntil(ctx context.Context, q schema.Queue) (time.Time, error) {
	events, retries, err := o.lookUpQueue(ctx, q)
	if err != nil {
		return time.Time{}, err
	}
	return laterPause(events.CachedInfo(), retries.CachedInfo()), nil
}

// laterPause returns the later end of the pauses of a queue's two consumers. The ends differ only
// if a command was interrupted between the two.
func laterPause(events, retries *jetstream.ConsumerInfo) time.Time {
	var later time.Time
	for _, info := range []*jetstream.ConsumerInfo{events, retries} {
		until := info.Config.PauseUntil
		if info.Paused && until != nil && until.After(later) {
			later = *until
		}
	}
	return later
}
