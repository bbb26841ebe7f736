package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

const (
	// lookAgainAfter is the pause before a missing queue is looked up again.
	lookAgainAfter = 2 * time.Second
	// settleFor is how long a settlement may take.
	settleFor = 5 * time.Second
)

// Queue is a queue of events on the broker.
type Queue struct {
	conn  *Conn
	queue schema.Queue
	// logged is the error that logChange logged last, "" if the queue is served.
	logged atomic.Value
}

// Queue returns the queue. The broker need not have it yet.
func (c *Conn) Queue(q schema.Queue) *Queue {
	queue := &Queue{conn: c, queue: q}
	queue.logged.Store("")
	return queue
}

// Ready returns nil if events can be taken: the connection is there, and the broker has the queue.
// ErrNoQueue says what to do.
func (q *Queue) Ready(ctx context.Context) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	_, err := q.lookUpConsumer(ctx, schema.EventsStream)
	return err
}

// lookUpConsumer returns the queue's consumer on a stream: on the events, or on the advisories.
func (q *Queue) lookUpConsumer(ctx context.Context, stream string) (jetstream.Consumer, error) {
	consumer, err := q.conn.js.Consumer(ctx, stream, q.queue.Name)
	switch {
	case isMissing(err):
		return nil, fmt.Errorf("queue %s of stream %s is not there: %w",
			q.queue.Name, stream, ErrNoQueue)
	case err != nil:
		return nil, fmt.Errorf("look up queue %s of stream %s: %w", q.queue.Name, stream, err)
	}
	return consumer, nil
}

// Consume hands events to work until ctx ends: events, and the queue's retries if take has hands
// for them. An event is on lease only while work has it, and heartbeats renew the lease for as long
// as work takes. At the end Consume gives back the events not yet handed to work, which may take
// busyFor, and returns when the last work has returned. If the broker is away, or if somebody
// deletes the queue and provisions a new queue, Consume waits.
func (q *Queue) Consume(ctx context.Context, take Taking, work func(*Delivery)) error {
	durables := []durable{{schema.EventsStream, newHands(take.Hands)}}
	if take.RetryHands > 0 {
		durables = append(durables, durable{schema.WaitingStream, newHands(take.RetryHands)})
	}
	q.repeatUntilDone(ctx, func(ctx context.Context) error {
		return q.takeFrom(ctx, durables, take.Gate, func(msg jetstream.Msg) {
			work(q.newDelivery(ctx, msg))
		})
	})
	for _, d := range durables {
		d.hands.jobs.Wait()
	}
	return nil
}

// durable is one of a queue's durable consumers, and the hands for its messages.
type durable struct {
	stream string
	hands  *hands
}

// takeFrom takes messages from all durables until ctx ends or one of the durables is lost. It does
// not wait for the work.
func (q *Queue) takeFrom(
	ctx context.Context, durables []durable, gate Gate, work func(jetstream.Msg),
) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	var takers []*taker
	for _, d := range durables {
		consumer, err := q.lookUpConsumer(ctx, d.stream)
		if err != nil {
			return err
		}
		takers = append(takers, q.conn.newTaker(consumer, gate, d.hands, work))
	}
	q.logChange(nil)
	return runTakers(ctx, takers)
}

// runTakers runs takers until ctx ends or one of them fails, and returns the first error.
func runTakers(ctx context.Context, takers []*taker) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for _, t := range takers {
		running.Go(func() { stop(t.run(ctx)) })
	}
	running.Wait()
	return context.Cause(ctx)
}

// repeatUntilDone calls serve until ctx ends. It logs why serve returned and repeats the call after
// a pause.
func (q *Queue) repeatUntilDone(ctx context.Context, serve func(context.Context) error) {
	for {
		err := serve(ctx)
		if ctx.Err() != nil {
			return
		}
		q.logChange(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgainAfter):
		}
	}
}

// logChange logs that the queue is served (err is nil), or why it is not. Of several equal calls,
// only the first logs.
func (q *Queue) logChange(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if q.logged.Swap(text) == text {
		return
	}
	if err != nil {
		q.conn.log.Warn("queue not served", zap.String("queue", q.queue.Name), zap.Error(err))
	} else {
		q.conn.log.Info("queue served", zap.String("queue", q.queue.Name))
	}
}

// workUnderLease calls work and renews the lease on the message until work returns.
func workUnderLease(msg jetstream.Msg, beatEvery time.Duration, work func()) {
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
				// A lost heartbeat may cause a second delivery. The fence makes a second delivery
				// harmless.
				_ = msg.InProgress()
			}
		}
	})
	defer heart.Wait()
	defer close(done)
	work()
}

// Delivery is one hand-out of an event. Exactly one call of Done, Later or Never settles it.
type Delivery struct {
	// Event is the content of the message. If Err is set, the message could not be decoded, and
	// only fields from the subject are certain.
	Event schema.Event
	Err   error
	Queue schema.Queue
	// Account is the account token of the subject.
	Account string
	// Attempt counts the deliveries of the event by the queue, from 1.
	Attempt int
	// Sequence is the event's place in the events stream.
	Sequence uint64

	header nats.Header
	body   []byte
	msg    jetstream.Msg
	ctx    context.Context
}

func (q *Queue) newDelivery(ctx context.Context, msg jetstream.Msg) *Delivery {
	d := q.decodeDelivery(msg.Subject(), msg.Headers(), msg.Data())
	d.msg = msg
	d.ctx = context.WithoutCancel(ctx)
	if meta, err := msg.Metadata(); err == nil {
		d.Attempt = int(meta.NumDelivered)
		d.Sequence = meta.Sequence.Stream
	}
	return d
}

func (q *Queue) decodeDelivery(subject string, header nats.Header, body []byte) *Delivery {
	d := &Delivery{Queue: q.queue, header: header, body: body}
	d.Event, d.Err = decode(subject, header, body)
	_, _, _, d.Account, _ = schema.ParseSubject(subject)
	return d
}

// Done settles the event: its completion is stored. Done returns after the broker has confirmed.
func (d *Delivery) Done() error {
	ctx, cancel := context.WithTimeout(d.ctx, settleFor)
	defer cancel()
	return d.settled("done", d.msg.DoubleAck(ctx))
}

// Later gives the event back. The broker delivers it again after the delay.
func (d *Delivery) Later(delay time.Duration) error {
	return d.settled("later", d.msg.NakWithDelay(delay))
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
		Attempts: d.Attempt, Sequence: d.Sequence, At: at,
		Headers: d.header, Body: d.body,
	}
}
