package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Level says how full a stream is.
type Level struct {
	Name     string    `json:"name"`
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	BytesMax int64     `json:"bytes_max"`
	Oldest   time.Time `json:"oldest,omitzero"`
}

// QueueStatus is the state of a queue.
type QueueStatus struct {
	Name string `json:"name"`
	// Waiting events have never been delivered.
	Waiting uint64 `json:"waiting"`
	// InFlight events are in a worker's hands, or wait for a delayed redelivery.
	InFlight int `json:"in_flight"`
	// Redelivered events are in flight and have been delivered more than once.
	Redelivered int `json:"redelivered"`
	// Oldest is when the oldest unsettled event was stored, zero if all are settled.
	Oldest time.Time `json:"oldest,omitzero"`
	// PausedUntil is when the queue's pause ends, zero without a pause.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// FreeHands counts the requests for an event, of all workers together, waiting at the broker.
	FreeHands int `json:"free_hands"`
}

// Status reads the state of every stream and queue. A missing stream or queue is left out.
func (o *Operator) Status(ctx context.Context) (streams []Level, queues []QueueStatus, err error) {
	topology := schema.DefaultTopology()
	names := []string{}
	for _, s := range topology.Streams {
		names = append(names, s.Name)
	}
	for _, name := range append(names, recordsStream) {
		level, err := o.streamLevel(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("status of stream %s: %w", name, err)
		}
		streams = append(streams, level)
	}
	for _, q := range topology.Queues {
		status, err := o.queueStatus(ctx, q)
		if errors.Is(err, ErrNoQueue) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("status of queue %s: %w", q.Name, err)
		}
		queues = append(queues, status)
	}
	return streams, queues, nil
}

func (o *Operator) streamLevel(ctx context.Context, name string) (Level, error) {
	s, err := o.js.Stream(ctx, name)
	if err != nil {
		return Level{}, err
	}
	info := s.CachedInfo()
	level := Level{
		Name:     name,
		Messages: info.State.Msgs,
		Bytes:    info.State.Bytes,
		BytesMax: info.Config.MaxBytes,
	}
	if info.State.Msgs > 0 {
		level.Oldest = info.State.FirstTime
	}
	return level, nil
}

func (o *Operator) queueStatus(ctx context.Context, q schema.Queue) (QueueStatus, error) {
	consumer, err := o.lookUpQueue(ctx, q)
	if err != nil {
		return QueueStatus{}, err
	}
	info := consumer.CachedInfo()
	status := QueueStatus{
		Name:        q.Name,
		Waiting:     info.NumPending,
		InFlight:    info.NumAckPending,
		Redelivered: info.NumRedelivered,
		FreeHands:   info.NumWaiting,
	}
	if until := info.Config.PauseUntil; info.Paused && until != nil {
		status.PausedUntil = *until
	}
	if status.Waiting > 0 || status.InFlight > 0 {
		status.Oldest, err = o.oldestEvent(ctx, q.Subjects, info.AckFloor.Stream+1)
	}
	return status, err
}

// oldestEvent returns when the first event at or after a sequence was stored, on any of the
// subjects. It returns the zero time if there is none.
func (o *Operator) oldestEvent(
	ctx context.Context, subjects []string, from uint64,
) (oldest time.Time, err error) {
	s, err := o.js.Stream(ctx, schema.EventsStream)
	if err != nil {
		return oldest, err
	}
	for _, subject := range subjects {
		m, err := s.GetMsg(ctx, from, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return oldest, err
		}
		if oldest.IsZero() || m.Time.Before(oldest) {
			oldest = m.Time
		}
	}
	return oldest, nil
}

// Position is the progress of a queue on the events stream.
type Position struct {
	// Settled: all events of the queue up to this sequence are settled.
	Settled uint64
	// Delivered: no event of the queue after this sequence was delivered.
	Delivered uint64
}

// Position returns the progress of the queue. The error is ErrNoQueue if the queue does not exist.
func (o *Operator) Position(ctx context.Context, q schema.Queue) (Position, error) {
	consumer, err := o.lookUpQueue(ctx, q)
	if err != nil {
		return Position{}, err
	}
	info := consumer.CachedInfo()
	return Position{Settled: info.AckFloor.Stream, Delivered: info.Delivered.Stream}, nil
}

func (o *Operator) lookUpQueue(ctx context.Context, q schema.Queue) (jetstream.Consumer, error) {
	return o.Queue(q).lookUpConsumer(ctx, schema.EventsStream)
}
