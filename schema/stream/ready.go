package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

const (
	// fullShare is the filled share of the events stream above which Reachable fails.
	fullShare = 0.95
	// tryEvery is the shortest pause between two trials of a stream.
	tryEvery = time.Second
	// trialName stands in a subject for what a trial is about. Nothing is ever stored there.
	trialName = "trial"
)

// Ready returns nil if an event can be stored: the broker is Reachable, and the events stream
// passes a trial. If an event could not be stored, the trial stores that very event, so Ready
// returns an error until the stream stores again. Callers share a trial, at most one a second.
func (c *Conn) Ready(ctx context.Context) error {
	if err := c.Reachable(ctx); err != nil {
		return err
	}
	return c.events.passed(ctx)
}

// Reachable returns nil if the connection is there, the server is new enough, and the events stream
// exists and is at most 95 % full. Reachable only reads.
func (c *Conn) Reachable(ctx context.Context) error {
	if err := c.Connected(); err != nil {
		return err
	}
	if err := c.checkServer(); err != nil {
		return err
	}
	s, err := c.js.Stream(ctx, schema.EventsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s is not there: %w", schema.EventsStream, ErrNoQueue)
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", schema.EventsStream, c.explainDomain(err))
	}
	info := s.CachedInfo()
	limit := info.Config.MaxBytes
	if limit > 0 && float64(info.State.Bytes) > fullShare*float64(limit) {
		return fmt.Errorf("stream %s: %w: %d of %d bytes",
			schema.EventsStream, ErrFull, info.State.Bytes, limit)
	}
	most := info.Config.MaxMsgs
	if most > 0 && float64(info.State.Msgs) > fullShare*float64(most) {
		return fmt.Errorf("stream %s: %w: %d of %d messages",
			schema.EventsStream, ErrFull, info.State.Msgs, most)
	}
	return nil
}

// trial finds out whether a stream stores. Without an event that could not be stored, a trial is a
// publish that the stream's leader must refuse, because it expects an impossible last sequence. The
// package comment says what such a publish does not find.
type trial struct {
	conn    *Conn
	stream  string
	subject string
	// turn has room for one value. Whoever puts it there may use the fields below.
	turn    chan struct{}
	ended   time.Time
	failure error
	// unstored is the last event that could not be stored, nil if a later event was stored.
	unstored atomic.Pointer[schema.Event]
}

func (c *Conn) newTrial(stream, subject string) *trial {
	return &trial{conn: c, stream: stream, subject: subject, turn: make(chan struct{}, 1)}
}

// trialEvent is an event of the provider that is never stored. Trials use its subjects.
func trialEvent(p schema.Provider) schema.Event {
	return schema.Event{Provider: p, ID: trialName, Resource: trialName, Action: trialName}
}

// record notes how the publish of an event ended. A duplicate proves nothing: a stream that stores
// no more still knows what it has.
func (t *trial) record(e schema.Event, duplicate bool, err error) {
	switch {
	case duplicate, errors.Is(err, ErrTooLarge), errors.Is(err, context.Canceled):
	case err == nil:
		t.unstored.Store(nil)
	default:
		t.unstored.Store(&e)
	}
}

// passed returns nil if the last trial shows that the stream stores. It makes a new trial if the
// last one is older than tryEvery, and waits for a trial that is under way.
func (t *trial) passed(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("try stream %s: another try has not ended: %w", t.stream, ctx.Err())
	}
	defer func() { <-t.turn }()
	if time.Since(t.ended) < tryEvery {
		return t.failure
	}
	err := t.run(ctx)
	if err != nil {
		err = fmt.Errorf("try stream %s: %w", t.stream, t.conn.explain(err))
	}
	if ctx.Err() == nil { // otherwise the caller's time was over, and the next caller tries again
		t.conclude(err)
	}
	return err
}

// conclude keeps the result of a trial for other callers, and logs a change.
func (t *trial) conclude(err error) {
	name := zap.String("stream", t.stream)
	if err != nil && t.failure == nil {
		t.conn.log.Error("nats does not store", name, zap.Error(err))
	}
	if err == nil && t.failure != nil {
		t.conn.log.Info("nats stores again", name)
	}
	t.ended = time.Now()
	t.failure = err
}

func (t *trial) run(ctx context.Context) error {
	if e := t.unstored.Load(); e != nil {
		id := jetstream.WithMsgID(e.Key())
		err := markTooLarge(t.publish(ctx, eventMessage(*e), id))
		if err != nil && !errors.Is(err, ErrTooLarge) {
			return err
		}
		t.unstored.CompareAndSwap(e, nil)
		if err == nil {
			return nil
		}
	}
	impossible := jetstream.WithExpectLastSequence(math.MaxInt64)
	err := t.publish(ctx, &nats.Msg{Subject: t.subject}, impossible)
	if codeOf(err) == codeWrongLastSequence {
		return nil
	}
	return err
}

// publish publishes once.
func (t *trial) publish(ctx context.Context, msg *nats.Msg, option jetstream.PublishOpt) error {
	_, err := askOnce(ctx, t.conn, func(ctx context.Context) (*jetstream.PubAck, error) {
		return t.conn.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(t.stream), option)
	})
	return err
}
