package stream

import (
	"context"
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

	number  uint64
	subject string
	header  nats.Header
}

// Waiting calls each with the waiting events of a queue and account, in the order in which they
// began to wait. The names "*" stand for any queue or account.
func (o *Operator) Waiting(
	ctx context.Context, queue, account string, each func(Waiting) error,
) error {
	which := Selection{Filters: []string{schema.AccountWaiting(queue, account)}}
	return o.scanWaiting(ctx, which, each)
}

// WaitingOf calls each with the waits of an event: one for each queue in which the event waits.
func (o *Operator) WaitingOf(
	ctx context.Context, e schema.Event, each func(Waiting) error,
) error {
	return o.scanWaiting(ctx, Selection{Filters: []string{e.WaitingEvents()}}, each)
}

func (o *Operator) scanWaiting(
	ctx context.Context, which Selection, each func(Waiting) error,
) error {
	return o.Scan(ctx, schema.WaitingStream, which, func(m Stored) error {
		event := eventOf(m.Header)
		sequence, _ := strconv.ParseUint(m.Header.Get(headerSequence), 10, 64)
		return each(Waiting{
			Wait:     waitOf(m.Header),
			Queue:    m.Header.Get(headerQueue),
			Account:  m.Header.Get(headerSubject),
			Event:    event,
			Sequence: sequence,
			number:   m.Sequence,
			subject:  m.Subject,
			header:   m.Header,
		})
	})
}

// Retry is an event among the retries, as its stream holds it: its time to wait is over. The stream
// keeps a retry also after a worker has settled it.
type Retry struct {
	// Wait is the wait before. It is the zero value if a worker gave the event back without a
	// failure.
	schema.Wait
	Queue string
	// Event comes from the headers alone: Body and AccountID are empty.
	Event schema.Event
	// Number is the place of the retry in its stream, and At when it was stored.
	Number uint64
	At     time.Time
}

// RetriesOf calls each with the retries of an event in every queue, oldest first. The subject of a
// retry names the account's token and not the event.
func (o *Operator) RetriesOf(
	ctx context.Context, e schema.Event, account string, each func(Retry) error,
) error {
	which := Selection{
		Filters:     []string{schema.RetriesSubject("*", account)},
		HeadersOnly: true,
	}
	return o.Scan(ctx, schema.WaitingStream, which, func(m Stored) error {
		event := eventOf(m.Header)
		if event.Key() != e.Key() {
			return nil
		}
		return each(Retry{
			Wait:   waitOf(m.Header),
			Queue:  m.Header.Get(headerQueue),
			Event:  event,
			Number: m.Sequence,
			At:     m.At,
		})
	})
}

// RetryNow ends the wait of an event: in one step, the broker stores the event among the retries
// and removes the schedule. retried is false if the event no longer waits.
func (o *Operator) RetryNow(ctx context.Context, w Waiting) (retried bool, err error) {
	msg := &nats.Msg{
		Subject: schema.RetriesSubject(w.Queue, w.Account),
		Header:  copyOwnHeaders(w.header),
	}
	msg.Header.Set(jetstream.SchedulerHeader, w.subject)
	msg.Header.Set(jetstream.ScheduleNextHeader, "purge")
	_, err = o.publish(ctx, schema.WaitingStream, msg,
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
