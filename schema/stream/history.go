package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// webhooksBack is how far back LastWebhook looks behind replays: in steps, because the last webhook
// is mostly a few minutes old, and the events of days are many.
var webhooksBack = []time.Duration{10 * time.Minute, 2 * time.Hour, 2 * 24 * time.Hour}

// LastWebhook returns when the last webhook of the provider was stored, zero without one. A replay
// is none, because an operator sent it. If replays alone were stored within two days, LastWebhook
// returns the time two days before the last replay: the last webhook is older.
func (o *Operator) LastWebhook(ctx context.Context, p schema.Provider) (time.Time, error) {
	which := messageRequest{LastFor: schema.ProviderEvents(p)}
	m, err := o.getMessage(ctx, schema.EventsStream, which)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), isMissing(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("read the last event of %s: %w", p, err)
	case !eventOf(m.Header).Replayed():
		return m.Time, nil
	}
	var since time.Time
	for _, back := range webhooksBack {
		since = m.Time.Add(-back)
		last, err := o.lastWebhookSince(ctx, p, since)
		if err != nil || !last.IsZero() {
			return last, err
		}
	}
	return since, nil
}

// lastWebhookSince is LastWebhook for the events since a time, zero if replays alone came.
func (o *Operator) lastWebhookSince(
	ctx context.Context, p schema.Provider, since time.Time,
) (last time.Time, err error) {
	behind := Selection{
		Filters: []string{schema.ProviderEvents(p)}, Since: since, HeadersOnly: true,
	}
	err = o.Scan(ctx, schema.EventsStream, behind, func(m Stored) error {
		if !eventOf(m.Header).Replayed() {
			last = m.At
		}
		return nil
	})
	return last, err
}

// FirstEvent returns when the oldest stored event of the provider was stored, zero without one.
func (o *Operator) FirstEvent(ctx context.Context, p schema.Provider) (time.Time, error) {
	m, err := o.nextMessage(ctx, schema.EventsStream, schema.ProviderEvents(p), 1)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), isMissing(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("read the first event of %s: %w", p, err)
	}
	return m.Time, nil
}

// CountSince counts the messages of a stream that match the filter and were stored since the given
// time. The error is ErrNoQueue if the stream does not exist.
func (o *Operator) CountSince(
	ctx context.Context, stream, filter string, since time.Time,
) (uint64, error) {
	config := orderedFrom(since)
	config.FilterSubjects = []string{filter}
	config.HeadersOnly = true
	r, err := o.newReader(ctx, stream, config)
	if isMissing(err) {
		return 0, fmt.Errorf("stream %s is not there: %w", stream, ErrNoQueue)
	}
	if err != nil {
		return 0, fmt.Errorf("count messages of %s: %w", stream, err)
	}
	defer r.delete()
	return r.consumer.CachedInfo().NumPending, nil
}

// KeptFor is how long a stream keeps a message, 0 for ever. The error is ErrNoQueue if the stream
// does not exist.
func (o *Operator) KeptFor(ctx context.Context, stream string) (time.Duration, error) {
	s, err := o.lookUpStream(ctx, stream)
	if isMissing(err) {
		return 0, fmt.Errorf("stream %s is not there: %w", stream, ErrNoQueue)
	}
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	return ageOf(s.CachedInfo().Config), nil
}

// CountExhausted counts the events whose deliveries ran out since the given time. The error is
// ErrNoQueue if the stream of the advisories does not exist.
func (o *Operator) CountExhausted(ctx context.Context, since time.Time) (uint64, error) {
	return o.CountSince(ctx, schema.AdvisoriesStream, schema.AllExhausted, since)
}
