package workers

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// exhausted gives an event its last word of which the deliveries ran out: whoever had it in hand died before a verdict,
// every time. A completion that was stored all the same stands.
func (w *Worker) exhausted(ctx context.Context, q *queue, d *stream.Delivery) error {
	if d.Event.Queue != "" && d.Event.Queue != d.Queue.Name {
		return nil // a redrive for another queue has nothing to be told here
	}
	job := Job{Event: d.Event, Attempt: d.Attempt}
	if d.Err == nil {
		completed, err := w.conn.Completed(ctx, d.Event, w.resource)
		if err != nil || completed {
			return err
		}
		job.Payload, _ = q.source.Decode(d.Event) // what can be read of it; what cannot has killed nobody
	}
	verdict, fetched, cause := never(schema.ClassExhausted, schema.ReasonDeliveriesMax, schema.Failed), Fetched{}, errExhausted
	if d.Err == nil && d.Event.Action == schema.ActionDeleted { // nothing excuses from an erasure, and it asks nobody
		verdict, fetched, cause = Verdict{Kind: Done, Outcome: schema.Succeeded}, Fetched{Outcome: schema.Deleted}, nil
	}
	err := w.complete(ctx, d, job, fetched, verdict, cause)
	if err != nil && !errors.Is(err, stream.ErrErased) {
		return fmt.Errorf("keep the exhausted event %d of queue %s: %w", d.Sequence, d.Queue.Name, err)
	}
	w.log.Error("deliveries ran out", zap.String("event_id", d.Event.Key()), zap.String("queue", d.Queue.Name), zap.Int("attempt", d.Attempt))
	return nil
}

var errExhausted = errors.New("the event's deliveries ran out before a verdict")
