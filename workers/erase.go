package workers

import (
	"context"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// erase erases the account of the event: first the erasure steps, with the tombstone before the
// others, then the completion `deleted`, then the account's other events, and last the event
// itself. Each step may be repeated: after a crash the next delivery begins anew.
func (w *Worker) erase(
	ctx context.Context, d *stream.Delivery, job Job, deleted schema.Completion,
) error {
	if err := runSteps(ctx, w.conn.ErasureSteps(d.Event.Provider, d.Account)); err != nil {
		return err
	}
	if err := w.storeCompletion(ctx, d, job, deleted); err != nil {
		return err
	}
	return runSteps(ctx, w.conn.LastErasureSteps(d.Event))
}

func runSteps(ctx context.Context, steps []stream.Step) error {
	for _, step := range steps {
		if err := step.Run(ctx); err != nil {
			return notStored(err)
		}
	}
	return nil
}

// eraseLateEvent erases an event of an erased account, with its dead letter and its retries.
// refusal is the broker's error for the completion, and the returned error once nothing of the
// event is left. The retries go last: until then, the queue delivers the event again after a crash.
func (w *Worker) eraseLateEvent(ctx context.Context, d *stream.Delivery, refusal error) error {
	w.metrics.countDropped(d.Queue.Name)
	if err := w.conn.EraseDeadLetters(ctx, d.Queue.Name, d.Account); err != nil {
		return notStored(err)
	}
	// A worker that died in a long list may have left records.
	if err := w.conn.EraseRecords(ctx, d.Event.Provider, d.Account); err != nil {
		return notStored(err)
	}
	if err := w.conn.EraseEvents(ctx, d.Event.Provider, d.Account); err != nil {
		return notStored(err)
	}
	if err := w.conn.EraseWaiting(ctx, d.Queue, d.Account); err != nil {
		return notStored(err)
	}
	return refusal
}

// eraseLateDeadLetter erases the dead letter of an undecodable event if the account was erased
// before. An undecodable event has no id, so no completion can be refused.
func (w *Worker) eraseLateDeadLetter(ctx context.Context, d *stream.Delivery) error {
	erased, err := w.conn.Erased(ctx, d.Event.Provider, d.Account)
	if err != nil {
		return notStored(err)
	}
	if !erased {
		return nil
	}
	if err := w.conn.EraseDeadLetters(ctx, d.Queue.Name, d.Account); err != nil {
		return notStored(err)
	}
	return nil
}
