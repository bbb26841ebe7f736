package workers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// completeExhausted completes an event whose deliveries ran out: the workers that had the event
// died before a verdict, at every delivery. An earlier completion stays.
func (w *Worker) completeExhausted(ctx context.Context, q *queue, d *stream.Delivery) error {
	if d.Err == nil && q.isOthers(d.Event) {
		return nil
	}
	now := time.Now()
	job := Job{
		Event: d.Event, Attempt: d.Attempt(), Started: now,
		provider: q.startProviderClock(d, now),
	}
	if d.Err == nil {
		// An erasure is done again: some of its steps come after the completion.
		if !d.Event.Erases() {
			completed, err := w.conn.Completed(ctx, d.Event, w.resource)
			if err != nil || completed {
				return err
			}
		}
		// The error does not matter here: an undecodable body did not kill the workers.
		job.Payload, _ = q.source.Decode(d.Event)
		job.Records = NewRecords(w.conn, d.Event, w.resource, d.Waited.Progress)
	}
	ctx, span := w.startJobSpan(ctx, q, d)
	defer span.End()
	fetched := Fetched{}
	cause := errExhausted
	if d.Err == nil && d.Event.Erases() { // an erasure asks no provider and must be done
		fetched.Outcome = schema.Deleted
		cause = nil
	}
	verdict := w.config.Ladders.judge(fetched, cause, d.Waited.Failures)
	markJob(ctx, verdict)
	err := w.complete(ctx, d, job, fetched, verdict, cause)
	err = errors.Join(err, job.Records.Close(ctx)) // deletes what the attempts have saved
	if err != nil && !errors.Is(err, stream.ErrErased) {
		return fmt.Errorf("complete the exhausted event %d of queue %s: %w",
			d.Sequence, d.Queue.Name, err)
	}
	fields := []zap.Field{
		zap.String("event_id", d.Event.Key()),
		zap.String("queue", d.Queue.Name),
		zap.Int("deliveries", d.Deliveries),
	}
	w.log.Error("deliveries ran out", append(fields, w.pageOf(d, verdict)...)...)
	return nil
}
