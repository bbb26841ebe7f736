package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Exhausted hands each the events of which the queue's deliveries ran out, until ctx ends: they killed every worker before
// a verdict, and the broker says so once, in an advisory. each stores what is to be kept of the event; an error leaves the
// advisory for another try. Such a delivery cannot be settled: the broker has given it up.
func (q *Queue) Exhausted(ctx context.Context, each func(*Delivery) error) error {
	own := q.conn.Queue(q.queue) // what the log said of the queue and of its advisories differs
	for {
		err := own.serveExhausted(ctx, each)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is how it ends
		}
		own.say(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookAgainAfter):
		}
	}
}

func (q *Queue) serveExhausted(ctx context.Context, each func(*Delivery) error) error {
	advisories, err := q.conn.js.Consumer(ctx, schema.AdvisoriesStream, q.queue.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("queue %s of stream %s is not there: %w", q.queue.Name, schema.AdvisoriesStream, ErrNoQueue)
	}
	if err != nil {
		return fmt.Errorf("look up the advisories of queue %s: %w", q.queue.Name, err)
	}
	q.say(nil)
	q.say(nil)
	for {
		msg, err := q.take(ctx, advisories)
		if err != nil {
			return fmt.Errorf("take from the advisories of queue %s: %w", q.queue.Name, err)
		}
		if err := q.exhausted(ctx, msg.Data(), each); err != nil {
			_ = msg.NakWithDelay(lookAgainAfter) // if it does not arrive, the lease ends by itself
			return err
		}
		settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleFor)
		err = msg.DoubleAck(settle)
		cancel()
		if err != nil {
			return fmt.Errorf("settle an advisory of queue %s: %w", q.queue.Name, err)
		}
	}
}

func (q *Queue) exhausted(ctx context.Context, advisory []byte, each func(*Delivery) error) error {
	var said struct {
		StreamSeq  uint64 `json:"stream_seq"`
		Deliveries int    `json:"deliveries"`
	}
	if err := json.Unmarshal(advisory, &said); err != nil {
		return fmt.Errorf("read an advisory of queue %s: %w", q.queue.Name, err)
	}
	m, err := q.conn.message(ctx, schema.EventsStream, said.StreamSeq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // erased, or older than the stream keeps
	}
	if err != nil {
		return fmt.Errorf("read event %d: %w", said.StreamSeq, err)
	}
	d := &Delivery{Queue: q.queue, Attempt: said.Deliveries, Sequence: m.Sequence, header: m.Header, body: m.Data}
	d.Event, d.Err = decode(m.Subject, m.Header, m.Data)
	_, _, _, d.Account, _ = schema.ParseSubject(m.Subject)
	return each(d)
}
