package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
	// completions knows whether the queue's completions are stored.
	completions *trial
	// logged is the error that logChange logged last, "" if the queue is served.
	logged atomic.Value
}

// Queue returns the queue. The broker need not have it yet.
func (c *Conn) Queue(q schema.Queue) *Queue {
	subject := trialEvent(q.Provider).CompletionSubject(q.Resource)
	queue := &Queue{
		conn: c, queue: q, completions: c.newTrial(schema.CompletionsStream, subject),
	}
	queue.logged.Store("")
	return queue
}

// Ready returns nil if events can be taken: the connection is there, the server is new enough, the
// broker has the queue, and the stream of the completions passes a trial. ErrNoQueue says what to
// do.
func (q *Queue) Ready(ctx context.Context) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	if err := q.conn.checkServer(); err != nil {
		return err
	}
	for _, lane := range q.queue.Lanes() {
		if _, err := q.conn.lookUpConsumer(ctx, lane.Stream, lane.Consumer); err != nil {
			return err
		}
	}
	return q.completions.passed(ctx)
}

// lookUpConsumer returns a queue's consumer on a stream: that of a lane, or of the advisories.
func (c *Conn) lookUpConsumer(
	ctx context.Context, stream, name string,
) (jetstream.Consumer, error) {
	consumer, err := c.js.Consumer(ctx, stream, name)
	switch {
	case isMissing(err):
		return nil, fmt.Errorf("queue %s of stream %s is not there: %w", name, stream, ErrNoQueue)
	case err != nil:
		return nil, fmt.Errorf("look up queue %s of stream %s: %w",
			name, stream, c.explainDomain(err))
	}
	return consumer, nil
}

// Consume hands events to work until ctx ends: those of each lane of the queue for which take has
// hands. A replayed event of another lane than the replays is moved there, without work. An event
// is on lease only while work has it, and heartbeats renew the lease for as long as work takes. At
// the end Consume gives back the events not yet handed to work, which may take busyFor, and returns
// when the last work has returned. If the broker is away, or if somebody deletes the queue and
// provisions a new queue, Consume waits.
func (q *Queue) Consume(ctx context.Context, take Taking, work func(*Delivery)) error {
	var durables []durable
	for _, lane := range q.queue.Lanes() {
		if n := take.handsFor(lane.Name); n > 0 {
			durables = append(durables, durable{lane.Stream, lane.Consumer, newHands(n)})
		}
	}
	q.repeatUntilDone(ctx, func(ctx context.Context) error {
		handOut := func(msg jetstream.Msg) { q.handOut(ctx, msg, work) }
		renew := func(msg jetstream.Msg) { q.handOut(ctx, msg, giveBack) }
		return q.takeFrom(ctx, durables, take.Gate, handOut, renew)
	})
	for _, d := range durables {
		d.hands.wait()
	}
	return nil
}

// giveBack is the work with an event that the queue may not take now. After an error the event
// comes again when its lease ends.
func giveBack(d *Delivery) { _ = d.GiveBack() }

// durable is one of a queue's durable consumers, and the hands for its messages.
type durable struct {
	stream string
	name   string
	hands  *hands
}

// takeFrom takes messages from all durables until ctx ends or one of the durables is lost. It does
// not wait for the work.
func (q *Queue) takeFrom(
	ctx context.Context, durables []durable, gate Gate, work, renew func(jetstream.Msg),
) error {
	if err := q.conn.Connected(); err != nil {
		return err
	}
	var takers []*taker
	for _, d := range durables {
		consumer, err := q.conn.lookUpConsumer(ctx, d.stream, d.name)
		if err != nil {
			return err
		}
		takers = append(takers, q.conn.newTaker(consumer, gate, d.hands, work, renew))
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
	heart := startHeart(msg, beatEvery)
	defer heart.stop()
	work()
}

// heart renews the lease on a message.
type heart struct {
	msg   jetstream.Msg
	every time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func startHeart(msg jetstream.Msg, every time.Duration) *heart {
	h := &heart{msg: msg, every: every}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(every, h.beat)
	return h
}

func (h *heart) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	// A lost heartbeat may cause a second delivery. The fence makes a second delivery harmless.
	_ = h.msg.InProgress()
	h.timer.Reset(h.every)
}

// stop returns after the last heartbeat.
func (h *heart) stop() {
	h.timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
}
