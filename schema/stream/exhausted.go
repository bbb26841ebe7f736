package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// advisory is the part we read of the broker's reports about deliveries without success.
type advisory struct {
	Stream     string `json:"stream"`
	Consumer   string `json:"consumer"`
	StreamSeq  uint64 `json:"stream_seq"`
	Deliveries int    `json:"deliveries"`
	Reason     string `json:"reason"`
}

// Exhausted serves the events whose deliveries ran out, until ctx ends. No worker came to a verdict
// on such an event, for example because it ended every worker, and the broker will not deliver it
// again. The broker reports this once, in an advisory. An event whose deliveries ran out on the
// events stream is published anew among the retries or replays: an earlier release may have counted
// many deliveries that meant nothing. An event whose deliveries ran out there is handed to each,
// which must store a copy. If each returns an error, Exhausted hands the event out again. The
// delivery cannot be settled.
func (q *Queue) Exhausted(ctx context.Context, each func(*Delivery) error) error {
	// A Queue of its own: logChange must not mix the state of the advisories with the state of the
	// events.
	own := q.conn.Queue(q.queue)
	advisories := durable{schema.AdvisoriesStream, q.queue.Name, newHands(1)}
	own.repeatUntilDone(ctx, func(ctx context.Context) error {
		work := func(msg jetstream.Msg) { own.workOnAdvisory(ctx, msg, each) }
		return own.takeFrom(ctx, []durable{advisories}, nil, work, nil)
	})
	advisories.hands.wait()
	return nil
}

// workOnAdvisory hands each the event of an advisory, and settles the advisory. After an error the
// advisory goes back to the broker, and the next advisory waits for lookAgainAfter.
func (q *Queue) workOnAdvisory(
	ctx context.Context, msg jetstream.Msg, each func(*Delivery) error,
) {
	err := q.handOutExhausted(ctx, msg.Data(), each)
	if err == nil {
		err = q.settleAdvisory(ctx, msg)
	}
	if ctx.Err() == nil {
		q.logChange(err)
	}
	if err == nil {
		return
	}
	_ = msg.NakWithDelay(lookAgainAfter) // if this gets lost, the lease ends by itself
	select {
	case <-ctx.Done():
	case <-time.After(lookAgainAfter):
	}
}

func (q *Queue) settleAdvisory(ctx context.Context, msg jetstream.Msg) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleFor)
	defer cancel()
	if err := msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("settle an advisory of queue %s: %w", q.queue.Name, err)
	}
	return nil
}

// handOutExhausted hands each the event that the advisory names.
func (q *Queue) handOutExhausted(
	ctx context.Context, data []byte, each func(*Delivery) error,
) error {
	var ended advisory
	if err := schema.DecodeJSON(data, &ended); err != nil {
		return fmt.Errorf("read an advisory of queue %s: %w", q.queue.Name, err)
	}
	if ended.Stream != schema.EventsStream && ended.Stream != q.queue.WaitingStream() {
		return nil // from the former stream of the retries, which has moved them
	}
	d, err := q.readExhausted(ctx, ended)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil // erased, or older than the stream keeps
	case errors.Is(err, errGone):
		return q.conn.eraseRetry(ctx, q.queue, ended.StreamSeq)
	case err != nil:
		return fmt.Errorf("read message %d of %s: %w", ended.StreamSeq, ended.Stream, err)
	case d.Retry, d.Err != nil: // an undecodable event cannot wait
		return each(d)
	default:
		return q.conn.publishRetry(ctx, d)
	}
}

// readExhausted reads the event whose deliveries ran out: from its stream, or by its retry.
func (q *Queue) readExhausted(ctx context.Context, ended advisory) (*Delivery, error) {
	m, err := q.conn.readMessage(ctx, ended.Stream, ended.StreamSeq)
	if err != nil {
		return nil, err
	}
	d, err := q.readDelivery(ctx, ended.Stream, storedOf(m))
	if err != nil {
		return nil, err
	}
	d.Deliveries = ended.Deliveries
	return d, nil
}
