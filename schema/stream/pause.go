package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Pause stops the deliveries of a queue until the given time, or until Resume: in every
// lane. Events in hand are not touched, and waiting events go on waiting. An autoscaler learns of
// the pause, if the broker stores closures.
func (o *Operator) Pause(ctx context.Context, q schema.Queue, until time.Time) error {
	if _, err := o.lookUpLanes(ctx, q); err != nil {
		return err
	}
	for _, lane := range q.Lanes() {
		if _, err := o.js.PauseConsumer(ctx, lane.Stream, lane.Consumer, until); err != nil {
			return fmt.Errorf("pause the %s of queue %s: %w", lane.Name, q.Name, err)
		}
	}
	if q.Erases {
		return nil
	}
	if err := o.EndClosure(ctx, q.ClosureSubject(schema.ClosurePaused)); err != nil {
		return err // an earlier pause may have had a later end
	}
	return withoutClosures(o.Queue(q).CloseFor(ctx, schema.ClosurePaused, time.Until(until)))
}

// Resume ends a pause. paused is false if the queue was not paused.
func (o *Operator) Resume(ctx context.Context, q schema.Queue) (paused bool, err error) {
	until, err := o.PausedUntil(ctx, q)
	if err != nil || until.IsZero() {
		return false, err
	}
	if !q.Erases { // first, so that an interrupted Resume can be repeated
		err := o.EndClosure(ctx, q.ClosureSubject(schema.ClosurePaused))
		if err != nil {
			return true, err
		}
	}
	for _, lane := range q.Lanes() {
		if _, err := o.js.ResumeConsumer(ctx, lane.Stream, lane.Consumer); err != nil {
			return true, fmt.Errorf("resume the %s of queue %s: %w", lane.Name, q.Name, err)
		}
	}
	return true, nil
}

// PausedUntil returns when the queue's pause ends, and the zero time without a pause. The error is
// ErrNoQueue if the queue does not exist.
func (o *Operator) PausedUntil(ctx context.Context, q schema.Queue) (time.Time, error) {
	infos, err := o.lookUpLanes(ctx, q)
	if err != nil {
		return time.Time{}, err
	}
	return lastPause(infos), nil
}

// lastPause returns the last end of the pauses of a queue's consumers. The ends differ only if a
// command was interrupted between two of them.
func lastPause(infos []*jetstream.ConsumerInfo) time.Time {
	var last time.Time
	for _, info := range infos {
		until := info.Config.PauseUntil
		if info.Paused && until != nil && until.After(last) {
			last = *until
		}
	}
	return last
}
