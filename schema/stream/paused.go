package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// PauseState is the state of a queue's pause, as the broker has it. Every worker of the queue
// shares the state.
type PauseState struct {
	schema.Pause
	// revision is the sequence of the state's message, 0 before the first.
	revision uint64
}

// PauseState reads the state from the stream's leader. The zero state means that the queue never
// paused.
func (q *Queue) PauseState(ctx context.Context) (PauseState, error) {
	which := messageRequest{LastFor: schema.PauseSubject(q.queue.Name)}
	m, err := q.conn.getMessage(ctx, schema.PausesStream, which)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return PauseState{}, nil
	}
	if err != nil {
		return PauseState{}, fmt.Errorf("read the pause of queue %s: %w", q.queue.Name, err)
	}
	state := PauseState{revision: m.Sequence}
	if err := schema.DecodeJSON(m.Data, &state.Pause); err != nil {
		return PauseState{}, fmt.Errorf("decode the pause of queue %s: %w", q.queue.Name, err)
	}
	return state, nil
}

// StorePause stores a new state of the queue's pause, unless another worker changed the state after
// it was read. stored is false if another worker did.
func (q *Queue) StorePause(
	ctx context.Context, read PauseState, p schema.Pause,
) (stored bool, err error) {
	p.Queue = q.queue.Name
	body, err := json.Marshal(p)
	if err != nil {
		return false, fmt.Errorf("encode the pause of queue %s: %w", q.queue.Name, err)
	}
	msg := &nats.Msg{
		Subject: schema.PauseSubject(q.queue.Name),
		Data:    body,
		Header:  nats.Header{headerContentType: {jsonContentType}},
	}
	_, err = q.conn.publish(ctx, schema.PausesStream, msg,
		jetstream.WithExpectLastSequencePerSubject(read.revision))
	if codeOf(err) == codeWrongLastSequence {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store the pause of queue %s: %w", q.queue.Name, err)
	}
	return true, nil
}

// WatchPause calls changed after each change of the state, until stop is called. A change during a
// lost connection passes unseen, so changed is no substitute for PauseState.
func (q *Queue) WatchPause(changed func()) (stop func(), err error) {
	subject := schema.PauseSubject(q.queue.Name)
	watch, err := q.conn.nats.Subscribe(subject, func(*nats.Msg) { changed() })
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", subject, err)
	}
	return func() { _ = watch.Unsubscribe() }, nil
}

// Pauses returns the pauses of the queues that take no events because a provider refuses our
// credentials. It asks for each queue: a scan would miss a state that changes during the scan.
func (o *Operator) Pauses(ctx context.Context) ([]schema.Pause, error) {
	var paused []schema.Pause
	for _, q := range schema.Queues() {
		state, err := o.Queue(q).PauseState(ctx)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, nil // not provisioned yet
		}
		if err != nil {
			return nil, err
		}
		if state.Paused {
			paused = append(paused, state.Pause)
		}
	}
	return paused, nil
}
