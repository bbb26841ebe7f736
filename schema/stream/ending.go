package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// CompletionsOf returns the completions of the event, the oldest first, of each resource. The
// account is the token of the event's account. It may be "", and then the broker compares the event
// with all subjects of completions. CompletionsOf then also finds the completions of another body
// with the same id, which may have another account. An event that names a person has completions of
// other accounts, so CompletionsOf takes no notice of its account.
func (o *Operator) CompletionsOf(
	ctx context.Context, e schema.Event, account string,
) ([]schema.Completion, error) {
	filter := e.AccountCompletions(account)
	if account == "" || e.NamesEndUser() {
		filter = e.Completions()
	}
	subjects, err := o.subjectsOf(ctx, schema.CompletionsStream, filter)
	if isMissing(err) {
		return nil, fmt.Errorf("stream %s is not there: %w", schema.CompletionsStream, ErrNoQueue)
	}
	if err != nil {
		return nil, fmt.Errorf("look for the completions of %s: %w", e.Key(), err)
	}
	var messages []*jetstream.RawStreamMsg
	for _, subject := range subjects {
		m, err := o.getMessage(ctx, schema.CompletionsStream, messageRequest{LastFor: subject})
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", subject, err)
		}
		messages = append(messages, m)
	}
	slices.SortFunc(messages, func(a, b *jetstream.RawStreamMsg) int {
		return cmp.Compare(a.Sequence, b.Sequence)
	})
	var all []schema.Completion
	for _, m := range messages {
		var completion schema.Completion
		if err := schema.DecodeJSON(m.Data, &completion); err != nil {
			return nil, fmt.Errorf("decode %s: %w", m.Subject, err)
		}
		all = append(all, completion)
	}
	return all, nil
}

// Ended is a report of the broker: the event is not delivered to the queue again.
type Ended struct {
	Queue string
	// Stream and Sequence are the place of the message: an event, a retry, or a replay.
	Stream     string
	Sequence   uint64
	Deliveries int
	At         time.Time
	// Exhausted is true if the deliveries ran out. Otherwise a worker ended the deliveries, with
	// Reason.
	Exhausted bool
	Reason    string
}

// Endings calls each with the reports about deliveries without success.
func (o *Operator) Endings(ctx context.Context, each func(Ended) error) error {
	return o.scanAdvisories(ctx, func(_ uint64, e Ended) error { return each(e) })
}

// scanAdvisories calls each with the reports, and the place of each on the advisories stream.
func (o *Operator) scanAdvisories(
	ctx context.Context, each func(number uint64, e Ended) error,
) error {
	return o.Scan(ctx, schema.AdvisoriesStream, Selection{}, func(m Stored) error {
		var ended advisory
		if err := schema.DecodeJSON(m.Body, &ended); err != nil {
			return fmt.Errorf("decode advisory %d: %w", m.Sequence, err)
		}
		return each(m.Sequence, Ended{
			Queue:      schema.ConsumerQueue(ended.Consumer),
			Stream:     ended.Stream,
			Sequence:   ended.StreamSeq,
			Deliveries: ended.Deliveries,
			At:         m.At,
			Exhausted:  m.Subject == schema.ExhaustedSubject(ended.Stream, ended.Consumer),
			Reason:     ended.Reason,
		})
	})
}
