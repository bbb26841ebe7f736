package stream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
)

// BePatient lets each try wait a long time for the broker's answer. A late answer makes it unclear
// whether a message is ours, and some tests need to be sure, on a busy machine too.
func (c *Conn) BePatient() { c.tryFor = time.Hour }

// Park stores the schedule of an event that waits in a queue. sequence is the event's place in the
// events stream.
func (c *Conn) Park(
	ctx context.Context, q schema.Queue, e schema.Event, sequence uint64, w schema.Wait,
) error {
	return c.publishWaiting(ctx, c.deliveryOf(q, e, sequence), w)
}

// Requeue stores an event among the retries of a queue.
func (c *Conn) Requeue(
	ctx context.Context, q schema.Queue, e schema.Event, sequence uint64,
) error {
	return c.publishRetry(ctx, c.deliveryOf(q, e, sequence))
}

// PutBehind stores an event among the replays of a queue, as a worker does that takes the event
// from another lane.
func (c *Conn) PutBehind(
	ctx context.Context, q schema.Queue, e schema.Event, sequence uint64,
) error {
	return c.publishBehind(ctx, c.deliveryOf(q, e, sequence))
}

func (c *Conn) deliveryOf(q schema.Queue, e schema.Event, sequence uint64) *Delivery {
	return &Delivery{
		Event: e, Queue: q, Account: e.Account(), Sequence: sequence,
		conn: c, header: eventMessage(e).Header, body: e.Body,
	}
}

// CountWaiting counts the waiting events of a queue as Status does, and reads most of them at most.
func (o *Operator) CountWaiting(
	ctx context.Context, q schema.Queue, most int,
) (QueueStatus, error) {
	s := QueueStatus{Name: q.Name}
	err := o.addWaiting(ctx, q, &s, most)
	return s, err
}

// TryAgain makes the next Ready begin a trial, however young the last one is.
func (c *Conn) TryAgain() {
	c.events.turn <- struct{}{}
	c.events.ended = time.Time{}
	<-c.events.turn
}

// CheckServer is the check of the server's version.
func (c *Conn) CheckServer() error { return c.checkServer() }

// DoubleAck settles a message with the reply subject, and waits for the broker's answer.
func DoubleAck(ctx context.Context, conn *nats.Conn, reply string) error {
	m := &message{conn: conn, msg: &nats.Msg{Reply: reply}}
	return m.DoubleAck(ctx)
}

// Cover is the filter that the broker gets for several filters.
var Cover = cover
