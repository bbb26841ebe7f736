package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Waiting is an event that waits for its next try, as its stream holds it.
type Waiting struct {
	schema.Wait
	Queue string
	// Account is the account's token.
	Account string
	// Event comes from the headers alone: Body and AccountID are empty.
	Event schema.Event
	// Sequence is the event's place in the events stream.
	Sequence uint64

	stream  string
	number  uint64
	subject string
	header  nats.Header
}

// Waiting calls each with the waiting events of a queue and account: queue by queue, and in each in
// the order in which they began to wait. The names "*" stand for any queue or account.
func (o *Operator) Waiting(
	ctx context.Context, queue, account string, each func(Waiting) error,
) error {
	isChosen := func(q schema.Queue) bool { return queue == "*" || queue == q.Name }
	return scanQueues(isChosen, func(q schema.Queue) error {
		return o.scanWaiting(ctx, q, schema.AccountWaiting(q.Name, account), each)
	})
}

// WaitingOf calls each with the waits of an event: one for each queue in which the event waits.
func (o *Operator) WaitingOf(
	ctx context.Context, e schema.Event, each func(Waiting) error,
) error {
	return scanQueues(isOfProvider(e), func(q schema.Queue) error {
		return o.scanWaiting(ctx, q, e.WaitingEvents(), each)
	})
}

// isOfProvider returns a function that reports whether a queue may have the event.
func isOfProvider(e schema.Event) func(schema.Queue) bool {
	return func(q schema.Queue) bool { return q.Provider == e.Provider }
}

// scanQueues calls scan for each chosen queue. If the stream of a queue is missing, the other
// queues are scanned all the same, and the error comes at the end.
func scanQueues(isChosen func(schema.Queue) bool, scan func(schema.Queue) error) error {
	var missing error
	for _, q := range schema.Queues() {
		if !isChosen(q) {
			continue
		}
		err := scan(q)
		if errors.Is(err, ErrNoQueue) {
			missing = err
			continue
		}
		if err != nil {
			return err
		}
	}
	return missing
}

func (o *Operator) scanWaiting(
	ctx context.Context, q schema.Queue, filter string, each func(Waiting) error,
) error {
	which := Selection{Filters: []string{filter}}
	return o.Scan(ctx, q.WaitingStream(), which, func(m Stored) error {
		event := eventOf(m.Header)
		sequence, _ := strconv.ParseUint(m.Header.Get(headerSequence), 10, 64)
		return each(Waiting{
			Wait:     waitOf(m.Header),
			Queue:    m.Header.Get(headerQueue),
			Account:  m.Header.Get(headerSubject),
			Event:    event,
			Sequence: sequence,
			stream:   q.WaitingStream(),
			number:   m.Sequence,
			subject:  m.Subject,
			header:   m.Header,
		})
	})
}

// Retry is an event among the retries or replays, as its stream holds it: its time to wait is over,
// or it is a replayed event that has not waited. The stream keeps a retry also after a worker has
// settled it.
type Retry struct {
	// Wait is the wait before. It is the zero value without one, and if a worker gave the event
	// back without a failure.
	schema.Wait
	Queue string
	// Event comes from the headers alone: Body and AccountID are empty.
	Event schema.Event
	// Lane is the lane of the retry: retries or replays. Number is the place of the retry in the
	// lane's stream, and At when it was stored.
	Lane   schema.Lane
	Number uint64
	At     time.Time
}

// RetriesOf calls each with the retries and replays of an event: queue by queue, and in each oldest
// first. The subject of a retry names the account's token and not the event.
func (o *Operator) RetriesOf(
	ctx context.Context, e schema.Event, account string, each func(Retry) error,
) error {
	return scanQueues(isOfProvider(e), func(q schema.Queue) error {
		return o.scanRetries(ctx, q, e, account, each)
	})
}

func (o *Operator) scanRetries(
	ctx context.Context, q schema.Queue, e schema.Event, account string, each func(Retry) error,
) error {
	which := Selection{
		Filters: []string{
			schema.RetriesSubject(q.Name, account), schema.ReplaysSubject(q.Name, account),
		},
		HeadersOnly: true,
	}
	return o.Scan(ctx, q.WaitingStream(), which, func(m Stored) error {
		event := eventOf(m.Header)
		if event.Key() != e.Key() {
			return nil
		}
		return each(Retry{
			Wait:   waitOf(m.Header),
			Queue:  m.Header.Get(headerQueue),
			Event:  event,
			Lane:   q.LaneOf(m.Subject),
			Number: m.Sequence,
			At:     m.At,
		})
	})
}

// RetryNow ends the wait of an event: in one step, the broker stores the event on the target of the
// schedule, among the retries or replays, and removes the schedule. retried is false if the event
// no longer waits.
func (o *Operator) RetryNow(ctx context.Context, w Waiting) (retried bool, err error) {
	msg := &nats.Msg{
		Subject: w.header.Get(jetstream.ScheduleTargetHeader),
		Header:  copyOwnHeaders(w.header),
	}
	msg.Header.Set(jetstream.SchedulerHeader, w.subject)
	msg.Header.Set(jetstream.ScheduleNextHeader, "purge")
	_, err = o.publish(ctx, w.stream, msg,
		jetstream.WithMsgID(fmt.Sprintf("now:%d", w.number)),
		jetstream.WithExpectLastSequenceForSubject(w.number, w.subject))
	if codeOf(err) == codeWrongLastSequence {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("retry %s now: %w", w.Event.Key(), err)
	}
	return true, nil
}
