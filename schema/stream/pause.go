package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// Pause stops the deliveries of a queue until the given time, or until Resume. It does not touch
// events in flight.
func (o *Operator) Pause(ctx context.Context, q schema.Queue, until time.Time) error {
	if _, err := o.lookUpQueue(ctx, q); err != nil {
		return err
	}
	if _, err := o.js.PauseConsumer(ctx, schema.EventsStream, q.Name, until); err != nil {
		return fmt.Errorf("pause queue %s: %w", q.Name, err)
	}
	return nil
}

// Resume ends a pause. paused is false if the queue was not paused.
func (o *Operator) Resume(ctx context.Context, q schema.Queue) (paused bool, err error) {
	consumer, err := o.lookUpQueue(ctx, q)
	if err != nil || !consumer.CachedInfo().Paused {
		return false, err
	}
	if _, err := o.js.ResumeConsumer(ctx, schema.EventsStream, q.Name); err != nil {
		return true, fmt.Errorf("resume queue %s: %w", q.Name, err)
	}
	return true, nil
}
