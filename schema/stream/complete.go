package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// PublishCompletion stores the completion. The broker takes a single completion of an event and
// resource, ever: stored is false if another completion was there before. The error is ErrErased if
// the account has a tombstone and the outcome is not Deleted, ErrFull if the stream has no room,
// and ErrTooLarge if the completion does not fit in a message even without its records. If the
// completion has more than schema.CompletionBytesMax bytes, or more than the broker takes, its
// records are stored first, in the object store.
func (c *Conn) PublishCompletion(
	ctx context.Context, e schema.Event, completion schema.Completion,
) (stored bool, err error) {
	body, err := completion.Encode()
	if err != nil {
		return false, fmt.Errorf("complete %s: %w", completion.ID, err)
	}
	isLarge := len(body) > min(schema.CompletionBytesMax, c.payloadMax())
	if isLarge && len(completion.Data.Records) > 0 {
		records, err := c.putRecords(ctx, e, completion.Data.Resource, completion.Data.Records)
		if err != nil {
			return false, fmt.Errorf("complete %s: %w", completion.ID, err)
		}
		return c.PublishWithRecords(ctx, e, completion, records)
	}
	stored, _, err = c.publishEncoded(ctx, e, completion, body)
	if err != nil {
		return stored, fmt.Errorf("complete %s: %w", completion.ID, err)
	}
	return stored, nil
}

// PublishWithRecords is PublishCompletion for a completion whose records are in the object store
// already. The records belong to PublishWithRecords from now on: if the completion is certainly not
// stored, PublishWithRecords discards them. A nil writer has no records.
func (c *Conn) PublishWithRecords(
	ctx context.Context, e schema.Event, completion schema.Completion, records *RecordsWriter,
) (stored bool, err error) {
	stored, unanswered, err := c.publishCompletion(ctx, e, completion, records)
	if records != nil && recordsAreUnused(stored, unanswered, err) {
		err = errors.Join(err, records.Discard(ctx))
	}
	if err != nil {
		return stored, fmt.Errorf("complete %s: %w", completion.ID, err)
	}
	return stored, nil
}

// unsentError is an error from before the completion was sent.
type unsentError struct{ error }

func (e unsentError) Unwrap() error { return e.error }

// publishCompletion ends the object of the records and publishes the completion.
func (c *Conn) publishCompletion(
	ctx context.Context, e schema.Event, completion schema.Completion, records *RecordsWriter,
) (stored, unanswered bool, err error) {
	if records != nil {
		ref, err := records.Close(ctx)
		if err != nil {
			return false, false, unsentError{err}
		}
		completion.Data.Records = nil
		completion.Data.RecordsRef = &ref
	}
	body, err := completion.Encode()
	if err != nil {
		return false, false, unsentError{err}
	}
	return c.publishEncoded(ctx, e, completion, body)
}

// publishEncoded publishes a completion with the body.
func (c *Conn) publishEncoded(
	ctx context.Context, e schema.Event, completion schema.Completion, body []byte,
) (stored, unanswered bool, err error) {
	if len(body) > c.payloadMax() {
		return false, false, unsentError{ErrTooLarge}
	}
	options, err := c.completionOptions(ctx, e, completion.Data.Outcome)
	if err != nil {
		return false, false, unsentError{err}
	}
	return c.publishOnce(ctx, completionMessage(e, completion, body), completion.ID, options)
}

func completionMessage(e schema.Event, completion schema.Completion, body []byte) *nats.Msg {
	msg := &nats.Msg{
		Subject: e.CompletionSubject(completion.Data.Resource),
		Data:    body,
		Header: nats.Header{
			headerContentType: {schema.CloudEventsJSON},
			headerOutcome:     {string(completion.Data.Outcome)},
		},
	}
	if e.TraceParent != "" {
		msg.Header.Set(headerTraceParent, e.TraceParent)
	}
	return msg
}

// completionOptions are the conditions of the publish: how long the completion is kept, and the
// fence.
func (c *Conn) completionOptions(
	ctx context.Context, e schema.Event, outcome schema.Outcome,
) ([]jetstream.PublishOpt, error) {
	var options []jetstream.PublishOpt
	age, err := c.ageOfCompletions(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", schema.CompletionsStream, err)
	}
	if age > 0 {
		options = append(options, jetstream.WithMsgTTL(age))
	}
	if outcome != schema.Deleted {
		tombstone := schema.TombstoneSubject(e.Provider, e.Account())
		options = append(options, jetstream.WithExpectLastSequenceForSubject(0, tombstone))
	}
	return options, nil
}

// publishOnce publishes a completion under the id, unless its subject has a message already or the
// account has a tombstone. unanswered is true if the broker left a try of ours unanswered: then the
// message on the subject may be ours.
func (c *Conn) publishOnce(
	ctx context.Context, msg *nats.Msg, id string, options []jetstream.PublishOpt,
) (stored, unanswered bool, err error) {
	isKept := func(ctx context.Context, _ uint64) (bool, error) {
		return c.hasMessage(ctx, schema.CompletionsStream, msg.Subject)
	}
	published, err := c.publishKept(ctx, schema.CompletionsStream, msg, id, isKept, options...)
	switch codeOf(err) {
	case codeWrongLastSequence:
		err = ErrErased
	case codeStoreFailed:
		err = c.requireTaken(ctx, schema.CompletionsStream, msg.Subject)
	case 0:
		stored = err == nil && !published.Duplicate
	}
	return stored, published.Unanswered, err
}

// recordsAreUnused reports whether the broker certainly did not store our completion, so that
// nothing points to its records. Any other error of the publish leaves the question open.
func recordsAreUnused(stored, unanswered bool, err error) bool {
	if err != nil {
		_, unsent := errors.AsType[unsentError](err)
		return unsent || errors.Is(err, ErrErased) || errors.Is(err, ErrFull)
	}
	return !stored && !unanswered
}

// requireTaken separates the two meanings of codeStoreFailed on the completions stream. It returns
// nil if the subject has its message, and ErrFull if the stream has no room.
func (c *Conn) requireTaken(ctx context.Context, stream, subject string) error {
	taken, err := c.hasMessage(ctx, stream, subject)
	if err == nil && !taken {
		err = fmt.Errorf("stream %s: %w", stream, ErrFull)
	}
	return err
}

// ageOfCompletions is how long a completion is kept, as provisioned. The broker is asked once.
func (c *Conn) ageOfCompletions(ctx context.Context) (time.Duration, error) {
	if age := c.completionAge.Load(); age != nil {
		return *age, nil
	}
	s, err := c.lookUpStream(ctx, schema.CompletionsStream)
	if err != nil {
		return 0, err
	}
	// Without the entry, the maximum age of the stream counts.
	age, _ := time.ParseDuration(s.CachedInfo().Config.Metadata[metadataTTL])
	c.completionAge.Store(&age)
	return age, nil
}

// Completed reports whether the resource's completion of the event is stored.
func (c *Conn) Completed(ctx context.Context, e schema.Event, r schema.Resource) (bool, error) {
	completed, err := c.hasMessage(ctx, schema.CompletionsStream, e.CompletionSubject(r))
	if err != nil {
		return false, fmt.Errorf("look up completion %s: %w", e.CompletionKey(r), err)
	}
	return completed, nil
}
