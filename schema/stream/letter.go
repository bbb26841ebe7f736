package stream

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/wagewire/wagewire/schema"
)

// Letter is a dead letter as its stream holds it.
type Letter struct {
	schema.DeadLetter
	// Number is the sequence of the message: the number in the output of `wagewire dead`.
	Number uint64
	// Event comes from the headers alone. Decode reads the whole event.
	Event     schema.Event
	BodyBytes int
	// Error is the error of the event's completion. Explain reads it.
	Error *schema.CompletionError
}

// Explain reads the error of the event's completion. The Error stays nil if the completion is no
// longer stored, and for an event that cannot be decoded: it has no completion.
func (o *Operator) Explain(ctx context.Context, l *Letter) error {
	if !l.Event.Provider.Known() || l.Event.ID == "" {
		return nil
	}
	completions, err := o.CompletionsOf(ctx, l.Event, l.Account)
	if err != nil {
		return fmt.Errorf("read the completion of %s: %w", l.Event.Key(), err)
	}
	for _, c := range completions {
		if schema.QueueName(c.Data.Provider, c.Data.Resource) == l.Queue && c.Data.Error != nil {
			l.Error = c.Data.Error
		}
	}
	return nil
}

// ReadLetter reads a dead letter. The message may come without its body, but then Decode fails.
func ReadLetter(m Stored) Letter {
	// We wrote the headers ourselves. A broken number shows as 0.
	attempts, _ := strconv.Atoi(m.Header.Get(headerAttempts))
	sequence, _ := strconv.ParseUint(m.Header.Get(headerSequence), 10, 64)
	status, _ := strconv.Atoi(m.Header.Get(headerStatus))
	at := timeOf(m.Header, headerFailedAt)
	if at.IsZero() {
		at = m.At
	}
	return Letter{
		Number:    m.Sequence,
		Event:     eventOf(m.Header),
		BodyBytes: m.bodyBytes(),
		DeadLetter: schema.DeadLetter{
			Queue:    m.Header.Get(headerQueue),
			Account:  schema.LastToken(m.Subject),
			Class:    schema.Class(m.Header.Get(headerClass)),
			Reason:   schema.Reason(m.Header.Get(headerReason)),
			Attempts: attempts,
			Status:   status,
			Endpoint: textOf(m.Header, headerEndpoint),
			Sequence: sequence,
			At:       at,
			Headers:  m.Header,
			Body:     m.Body,
		},
	}
}

// Decode reads the event of the dead letter. The subject of the event follows from its type.
func (l Letter) Decode() (schema.Event, error) {
	subject := schema.AccountEvents(l.Event.Provider, l.Event.Resource, l.Event.Action, l.Account)
	return decode(subject, l.Headers, l.Body)
}

// Unread is a quarantined webhook as its stream holds it.
type Unread struct {
	schema.Quarantined
	// Number is the sequence of the message: the number in the output of `wagewire quarantine`.
	Number    uint64
	BodyBytes int
}

// ReadUnread reads a quarantined webhook. The message may come without its body.
func ReadUnread(m Stored) Unread {
	at := timeOf(m.Header, headerReceivedAt)
	if at.IsZero() {
		at = m.At
	}
	return Unread{
		Number:    m.Sequence,
		BodyBytes: m.bodyBytes(),
		Quarantined: schema.Quarantined{
			Provider:   schema.Provider(schema.LastToken(m.Subject)),
			Reason:     schema.QuarantineReason(m.Header.Get(headerReason)),
			ReceivedAt: at,
			Body:       m.Body,
		},
	}
}

// Discard overwrites and deletes a dead letter or a quarantined webhook.
func (o *Operator) Discard(ctx context.Context, stream string, sequence uint64) error {
	if !slices.Contains([]string{schema.DeadLettersStream, schema.QuarantineStream}, stream) {
		return fmt.Errorf("discard: nothing is discarded from %s", stream)
	}
	if err := o.deleteMessage(ctx, stream, sequence); err != nil {
		return fmt.Errorf("discard %d of %s: %w", sequence, stream, err)
	}
	return nil
}
