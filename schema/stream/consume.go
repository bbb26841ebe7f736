package stream

import (
	"context"
	"errors"
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
	// pullFor is how long the broker holds a request for an event. After the end of ctx, Consume
	// may take as long to return.
	pullFor = time.Second
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

// Ready returns nil if events can be taken: the connection is there, the server is new enough, and the
// broker has the queue. ErrNoQueue says what to do.
func (q *Queue) Ready(ctx context.Context) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	if err := q.conn.checkServer(); err != nil {
		return err
	}
	for _, stream := range []string{schema.EventsStream, schema.WaitingStream} {
		if _, err := q.lookUpConsumer(ctx, stream); err != nil {
			return err
		}
	}
	return nil
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

// Taking says how many events a queue takes at a time.
type Taking struct {
	// Hands is the number of fresh events in work at a time.
	Hands int
	// RetryHands is the number of retries in work at a time.
	RetryHands int
	// Gate limits the number of events in addition. Nil means no limit.
	Gate Gate
}

// Gate decides how many events may be taken now.
type Gate interface {
	// Admit returns a number from 0 to free, and a channel that is closed when the number changes.
	Admit(free int) (n int, changed <-chan struct{})
}

// Consume hands events to work until ctx ends, up to concurrency events at the same time. No event
// is taken in advance: an event is on lease only while work has it, and heartbeats renew the lease
// for as long as work takes. At the end Consume gives back the events not yet handed to work, and
// returns when the last work has returned. If the broker is away, or if somebody deletes the queue
// and provisions a new queue, Consume waits.
func (q *Queue) Consume(ctx context.Context, taking Taking, work func(*Delivery)) error {
	concurrency := taking.Hands
	var hands sync.WaitGroup
	for range concurrency {
		hands.Go(func() {
			q.repeatUntilDone(ctx,
				func(ctx context.Context) error { return q.workThroughEvents(ctx, work) })
		})
	}
	hands.Wait()
	return nil
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

// workThroughEvents hands event after event to work, until ctx ends or the queue is lost.
func (q *Queue) workThroughEvents(ctx context.Context, work func(*Delivery)) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	consumer, err := q.lookUpConsumer(ctx, schema.EventsStream)
	if err != nil {
		return err
	}
	q.logChange(nil)
	beatEvery := consumer.CachedInfo().Config.AckWait / schema.HeartbeatsPerLease
	for {
		msg, err := q.takeMessage(ctx, consumer)
		if err != nil {
			return fmt.Errorf("take from queue %s: %w", q.queue.Name, err)
		}
		workUnderLease(msg, beatEvery, func() { q.handOut(ctx, msg, work) })
	}
}

// takeMessage waits for a message, until ctx ends. It never withdraws a request: the broker may be
// sending the answer at that moment, and nobody would work on the message until its lease ends. The
// client's own iterators withdraw requests when they stop, and send a request twice after a
// reconnect.
func (q *Queue) takeMessage(
	ctx context.Context, consumer jetstream.Consumer,
) (jetstream.Msg, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// While disconnected, the client would keep a subscription for each request.
		if err := q.conn.Connected(); err != nil {
			return nil, err
		}
		msg, err := consumer.Next(jetstream.FetchMaxWait(pullFor))
		switch {
		case errors.Is(err, nats.ErrTimeout):
			continue
		case err == nil && ctx.Err() != nil:
			// After pullFor, none of our requests is open any more: the event goes to another
			// worker.
			_ = msg.NakWithDelay(pullFor)
			return nil, ctx.Err()
		default:
			return msg, err
		}
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
