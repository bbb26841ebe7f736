package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

const (
	// pullFor is how long one request for an event waits at the broker before it is renewed, and Consume for its end.
	pullFor = time.Second
	// lookAgainAfter is the pause before a queue that is not there is looked up again.
	lookAgainAfter = 2 * time.Second
	// settleFor is how long telling the queue may take.
	settleFor = 5 * time.Second
)

// Queue is one queue of events on the broker.
type Queue struct {
	conn  *Conn
	queue schema.Queue
	said  atomic.Value // of string: what the log says of the queue
}

// Queue returns the queue; it need not be on the broker yet.
func (c *Conn) Queue(q schema.Queue) *Queue {
	queue := &Queue{conn: c, queue: q}
	queue.said.Store("")
	return queue
}

// Ready reports an error until events can be taken: connected, the queue there. ErrNoQueue says what to do.
func (q *Queue) Ready(ctx context.Context) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	_, err := q.consumer(ctx)
	return err
}

func (q *Queue) consumer(ctx context.Context) (jetstream.Consumer, error) {
	consumer, err := q.conn.js.Consumer(ctx, schema.EventsStream, q.queue.Name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerDoesNotExist):
		return nil, fmt.Errorf("queue %s of stream %s is not there: %w", q.queue.Name, schema.EventsStream, ErrNoQueue)
	case err != nil:
		return nil, fmt.Errorf("look up queue %s: %w", q.queue.Name, err)
	}
	return consumer, nil
}

// Consume takes events and hands each to work, concurrency of them at a time, until ctx ends; it then gives back what it
// has not begun and returns when the last work has. Nothing is taken ahead: an event is on lease only while it is worked
// on, and heartbeats renew the lease as long as that takes. A broker that is away, or a queue deleted and provisioned
// again, is waited for.
func (q *Queue) Consume(ctx context.Context, concurrency int, work func(*Delivery)) error {
	var slots sync.WaitGroup
	for range concurrency {
		slots.Go(func() { q.slot(ctx, work) })
	}
	slots.Wait()
	return nil
}

func (q *Queue) slot(ctx context.Context, work func(*Delivery)) {
	for {
		err := q.serve(ctx, work)
		if ctx.Err() != nil {
			return
		}
		q.say(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgainAfter):
		}
	}
}

// say logs why the queue is not served, once and not once a slot; nil says that it is.
func (q *Queue) say(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if q.said.Swap(text) == text {
		return
	}
	if err != nil {
		q.conn.log.Warn("queue not served", zap.String("queue", q.queue.Name), zap.Error(err))
	} else {
		q.conn.log.Info("queue served", zap.String("queue", q.queue.Name))
	}
}

// serve hands events to work, one after the other, until ctx ends or the queue is lost.
func (q *Queue) serve(ctx context.Context, work func(*Delivery)) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	consumer, err := q.consumer(ctx)
	if err != nil {
		return err
	}
	q.say(nil)
	for {
		msg, err := q.take(ctx, consumer)
		if err != nil {
			return fmt.Errorf("take from queue %s: %w", q.queue.Name, err)
		}
		q.lend(ctx, msg, consumer.CachedInfo().Config.AckWait/schema.HeartbeatsPerLease, work)
	}
}

// take waits for one message, until ctx ends. It asks for one at a time and waits each request out: the broker may be
// answering one that is withdrawn, and the message would stay on lease unseen. The client's own iterators withdraw theirs
// when they stop, and ask twice after a reconnect.
func (q *Queue) take(ctx context.Context, consumer jetstream.Consumer) (jetstream.Msg, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// While disconnected the client keeps a subscription for every request it cannot send.
		if err := q.conn.Connected(); err != nil {
			return nil, err
		}
		msg, err := consumer.Next(jetstream.FetchMaxWait(pullFor))
		switch {
		case errors.Is(err, nats.ErrTimeout):
			continue
		case err == nil && ctx.Err() != nil:
			_ = msg.NakWithDelay(pullFor) // by then no other slot of ours is asking for it
			return nil, ctx.Err()
		default:
			return msg, err
		}
	}
}

// lend holds the lease on a message while work has it.
func (q *Queue) lend(ctx context.Context, msg jetstream.Msg, beatEvery time.Duration, work func(*Delivery)) {
	done := make(chan struct{})
	var heart sync.WaitGroup
	heart.Go(func() {
		beat := time.NewTicker(beatEvery)
		defer beat.Stop()
		for {
			select {
			case <-done:
				return
			case <-beat.C:
				_ = msg.InProgress() // a missed beat costs at most a second delivery, which the fence makes harmless
			}
		}
	})
	defer heart.Wait()
	defer close(done)
	work(deliver(ctx, q, msg))
}

// Delivery is one hand-out of an event. Exactly one of Done, Later, Never settles it.
type Delivery struct {
	// Event is what the message holds. Where Err is set it could not be decoded, and Event has only what its subject says.
	Event schema.Event
	Err   error
	Queue schema.Queue
	// Account is the account token of the subject.
	Account string
	// Attempt counts the deliveries of this event by this queue, from 1.
	Attempt int
	// Sequence is the event's place in the events stream.
	Sequence uint64

	header nats.Header
	body   []byte
	msg    jetstream.Msg
	ctx    context.Context
}

func deliver(ctx context.Context, q *Queue, msg jetstream.Msg) *Delivery {
	d := &Delivery{Queue: q.queue, header: msg.Headers(), body: msg.Data(), msg: msg, ctx: context.WithoutCancel(ctx)}
	if meta, err := msg.Metadata(); err == nil {
		d.Attempt, d.Sequence = int(meta.NumDelivered), meta.Sequence.Stream
	}
	d.Event, d.Err = decode(msg.Subject(), msg.Headers(), msg.Data())
	_, _, _, d.Account, _ = schema.ParseSubject(msg.Subject())
	return d
}

// Done tells the queue that the event has its last word, and waits for the broker to say that it knows.
func (d *Delivery) Done() error {
	ctx, cancel := context.WithTimeout(d.ctx, settleFor)
	defer cancel()
	return d.settled("done", d.msg.DoubleAck(ctx))
}

// Later gives the event back, to be delivered again after the delay; 0 is at once.
func (d *Delivery) Later(delay time.Duration) error {
	return d.settled("later", d.msg.NakWithDelay(delay))
}

// Never ends the event's deliveries. Its dead letter must be stored by then.
func (d *Delivery) Never(reason schema.Reason) error {
	return d.settled("never", d.msg.TermWithReason(string(reason)))
}

func (d *Delivery) settled(how string, err error) error {
	if err != nil {
		return fmt.Errorf("settle event %d of queue %s as %s: %w", d.Sequence, d.Queue.Name, how, err)
	}
	return nil
}

// DeadLetter makes our copy of the event.
func (d *Delivery) DeadLetter(class schema.Class, reason schema.Reason, at time.Time) schema.DeadLetter {
	return schema.DeadLetter{
		Queue: d.Queue.Name, Account: d.Account, Class: class, Reason: reason, Attempts: d.Attempt, Sequence: d.Sequence, At: at,
		Headers: d.header, Body: d.body,
	}
}

// decode reads an event from its message and checks that the two agree: the account in the body is the one in the
// subject, the body is the one that was signed for.
func decode(subject string, header nats.Header, body []byte) (schema.Event, error) {
	var e schema.Event
	provider, resource, action, account, err := schema.ParseSubject(subject)
	if err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	e = schema.Event{Provider: provider, Resource: resource, Action: action, TraceParent: header.Get(headerTraceParent), Body: body}
	wrong := func(name string, err error) (schema.Event, error) {
		return e, fmt.Errorf("decode event: header %s: %w", name, err)
	}
	if e.ID, err = headerText(header.Get(headerID)); err != nil {
		return wrong(headerID, err)
	}
	if n := header.Get(headerRedrive); n != "" {
		if e.Redrive, err = strconv.Atoi(n); err != nil {
			return wrong(headerRedrive, err)
		}
		e.ID, e.Queue = schema.OriginalID(e.ID, e.Redrive), header.Get(headerQueue)
	}
	name, err := headerText(header.Get(headerType))
	if err != nil {
		return wrong(headerType, err)
	}
	e.Type = strings.TrimPrefix(name, string(provider)+".")
	if e.OccurredAt, err = schema.ParseTime(header.Get(headerTime)); err != nil {
		return wrong(headerTime, err)
	}
	if e.ReceivedAt, err = schema.ParseTime(header.Get(headerReceivedAt)); err != nil {
		return wrong(headerReceivedAt, err)
	}
	if e.AccountID, err = schema.Lookup(provider, e.Type).AccountIDIn(body); err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	if sum := sha256.Sum256(body); header.Get(headerBodySHA256) != hex.EncodeToString(sum[:]) {
		return e, fmt.Errorf("decode event: the body is not that of header %s", headerBodySHA256)
	}
	if err := e.Validate(); err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	if e.Account() != account {
		return e, fmt.Errorf("decode event: the subject's account %s is not the body's", account)
	}
	return e, nil
}
