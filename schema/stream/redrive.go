package stream

import (
	"context"
	"errors"

	"github.com/wagewire/wagewire/schema"
)

// Redrive publishes an event for the nth time again: for a single queue, or for all queues of its
// type if queue is "". The redrive has an id of its own (schema.RedriveID), so neither the
// duplicate window nor the completion of the event stops the redrive. stored is false if the nth
// redrive of the event was published before.
func (o *Operator) Redrive(
	ctx context.Context, e schema.Event, queue string, n int,
) (stored bool, err error) {
	e.Redrive = n
	e.Queue = queue
	duplicate, err := o.PublishEvent(ctx, e)
	if errors.Is(err, schema.ErrIDConflict) {
		return false, nil
	}
	return err == nil && !duplicate, err
}
