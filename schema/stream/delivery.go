package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

// Delivery is one hand-out of an event. Exactly one call of Done, Wait, GiveBack or Never settles
// it.
type Delivery struct {
	// Event is the content of the message. If Err is set, the message could not be decoded, and
	// only fields from the subject are certain.
	Event schema.Event
	Err   error
	Queue schema.Queue
	// Account is the account token of the subject.
	Account string
	// Waited is the event's last wait. The zero value means that the event has not waited yet.
	Waited schema.Wait
	// Retry is true if the event comes from the queue's stream of waiting events: from the retries,
	// or from the replays. Replay is true only for the replays.
	Retry  bool
	Replay bool
	// Deliveries counts the deliveries of the message by the queue, from 1: of the event, of the
	// retry, or of the replay.
	Deliveries int
	// Sequence is the event's place in the events stream, and StoredAt is when the broker stored
	// the event there.
	Sequence uint64
	StoredAt time.Time

	// retrySequence is the place of the retry in its stream, 0 for an event.
	retrySequence uint64
	conn          *Conn
	header        nats.Header
	body          []byte
	msg           jetstream.Msg
	ctx           context.Context
}

// Attempt is the number of the attempt at the event, from 1: one more than its failures.
func (d *Delivery) Attempt() int { return d.Waited.Failures.Total() + 1 }

// handOut hands the message to work as a delivery. Two kinds of messages are settled without work:
// a retry whose event is gone, and a replayed event that is not among the replays yet.
func (q *Queue) handOut(ctx context.Context, msg jetstream.Msg, work func(*Delivery)) {
	d, err := q.newDelivery(ctx, msg)
	switch {
	case errors.Is(err, errGone):
		q.conn.log.Error("retry without its event: the account was erased, or somebody deleted "+
			"the event or its stream", zap.String("queue", q.queue.Name), zap.Error(err))
		q.dropRetry(ctx, msg)
	case err != nil:
		q.conn.log.Warn("retry not read", zap.String("queue", q.queue.Name), zap.Error(err))
		_ = msg.NakWithDelay(lookAgainAfter)
	case d.isBeforeFresh():
		if err := d.putBehind(); err != nil {
			q.conn.log.Warn("replayed event not put behind fresh ones",
				zap.String("queue", q.queue.Name), zap.Error(err))
		}
	default:
		work(d)
	}
}

// dropRetry deletes a retry without work, and acknowledges it. If the retry cannot be deleted now,
// it comes again.
func (q *Queue) dropRetry(ctx context.Context, msg jetstream.Msg) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleFor)
	defer cancel()
	meta, err := msg.Metadata()
	if err == nil {
		err = q.conn.eraseRetry(ctx, q.queue, meta.Sequence.Stream)
	}
	if err != nil {
		q.conn.log.Warn("retry not deleted", zap.String("queue", q.queue.Name), zap.Error(err))
		_ = msg.NakWithDelay(lookAgainAfter)
		return
	}
	_ = msg.Ack() // if this gets lost, the lease ends by itself
}

func (q *Queue) newDelivery(ctx context.Context, msg jetstream.Msg) (*Delivery, error) {
	ctx = context.WithoutCancel(ctx)
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	stored := Stored{
		Sequence: meta.Sequence.Stream, Subject: msg.Subject(), At: meta.Timestamp,
		Header: msg.Headers(), Body: msg.Data(),
	}
	d, err := q.readDelivery(ctx, meta.Stream, stored)
	if err != nil {
		return nil, err
	}
	d.Deliveries = int(meta.NumDelivered)
	d.msg = msg
	d.ctx = ctx
	return d, nil
}

// readDelivery returns the event of a message of the stream: of an event, a retry or a replay.
func (q *Queue) readDelivery(ctx context.Context, stream string, m Stored) (*Delivery, error) {
	if stream == schema.EventsStream {
		d := q.decodeDelivery(m.Subject, m.Header, m.Body)
		d.Sequence = m.Sequence
		d.StoredAt = m.At
		return d, nil
	}
	d, err := q.readRetry(ctx, m.Header)
	if err != nil {
		return nil, err
	}
	d.retrySequence = m.Sequence
	d.Replay = q.queue.LaneOf(m.Subject).Name == schema.LaneReplays
	return d, nil
}

// readRetry returns the event of a retry or replay.
func (q *Queue) readRetry(ctx context.Context, retry nats.Header) (*Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	m, err := q.conn.readEvent(ctx, retry)
	if err != nil {
		return nil, err
	}
	d := q.decodeDelivery(m.Subject, m.Header, m.Data)
	d.Sequence = m.Sequence
	d.StoredAt = m.Time
	d.Waited = waitOf(retry)
	d.Retry = true
	return d, nil
}

func (q *Queue) decodeDelivery(subject string, header nats.Header, body []byte) *Delivery {
	d := &Delivery{Queue: q.queue, conn: q.conn, header: header, body: body}
	d.Event, d.Err = decode(subject, header, body)
	_, _, _, d.Account, _ = schema.ParseSubject(subject)
	return d
}

// FreeHand lets the queue take another event before the work with this one returns. Call FreeHand
// when only the settlement is missing: with several servers, the broker takes as long to confirm as
// to store. As many events may be without a hand as the queue has hands; after that FreeHand does
// nothing.
func (d *Delivery) FreeHand() {
	if m, ok := d.msg.(*message); ok && m.hand != nil {
		m.hand.freeEarly()
	}
}

// Done settles the event: its completion is stored. Done returns after the broker has confirmed.
func (d *Delivery) Done() error {
	ctx, cancel := context.WithTimeout(d.ctx, settleFor)
	defer cancel()
	return d.settled("done", d.msg.DoubleAck(ctx))
}

// Never ends the deliveries of the event to this queue. The caller must have stored a dead letter
// before.
func (d *Delivery) Never(reason schema.Reason) error {
	return d.settled("never", d.msg.TermWithReason(string(reason)))
}

func (d *Delivery) settled(how string, err error) error {
	if err != nil {
		return fmt.Errorf("settle event %d of queue %s as %s: %w",
			d.Sequence, d.Queue.Name, how, err)
	}
	return nil
}

// DeadLetter makes our copy of the event.
func (d *Delivery) DeadLetter(
	class schema.Class, reason schema.Reason, at time.Time,
) schema.DeadLetter {
	return schema.DeadLetter{
		Queue: d.Queue.Name, Account: d.Account, Class: class, Reason: reason,
		Attempts: d.Attempt(), Sequence: d.Sequence, At: at,
		Headers: d.header, Body: d.body,
	}
}
