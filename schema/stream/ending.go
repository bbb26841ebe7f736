package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// CompletionsOf returns the completions of the event: of each resource, and of any account.
func (o *Operator) CompletionsOf(ctx context.Context, e schema.Event) ([]schema.Completion, error) {
	var all []schema.Completion
	which := Selection{Filters: []string{e.Completions()}}
	err := o.Scan(ctx, schema.CompletionsStream, which, func(m Stored) error {
		var completion schema.Completion
		if err := json.Unmarshal(m.Body, &completion); err != nil {
			return fmt.Errorf("decode %s: %w", m.Subject, err)
		}
		all = append(all, completion)
		return nil
	})
	return all, err
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
		if err := json.Unmarshal(m.Body, &ended); err != nil {
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
