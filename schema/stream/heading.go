package stream

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
)

// Heading is an event without its body, for a look at many events.
type Heading struct {
	// Event comes from the headers alone: Body and AccountID are empty.
	Event schema.Event
	// Account is the account's token.
	Account    string
	BodyBytes  int
	BodySHA256 string
	// Sequence, Subject and At belong to the message.
	Sequence uint64
	Subject  string
	At       time.Time
}

// Headings calls each with the headings of the selected events. If a message is no event, the
// fields of its heading are empty.
func (o *Operator) Headings(ctx context.Context, which Selection, each func(Heading) error) error {
	which.HeadersOnly = true
	return o.Scan(ctx, schema.EventsStream, which, func(m Stored) error {
		return each(Heading{
			Event:      eventOf(m.Header),
			Account:    schema.LastToken(m.Subject),
			BodyBytes:  m.bodyBytes(),
			BodySHA256: m.Header.Get(headerBodySHA256),
			Sequence:   m.Sequence,
			Subject:    m.Subject,
			At:         m.At,
		})
	})
}

// eventOf reads an event from headers. Unlike decode, it skips headers that cannot be read.
func eventOf(header nats.Header) schema.Event {
	provider := strings.TrimPrefix(textOf(header, headerSource), providerURN)
	e := schema.Event{
		Provider:    schema.Provider(provider),
		ID:          textOf(header, headerID),
		Type:        strings.TrimPrefix(textOf(header, headerType), provider+"."),
		OccurredAt:  timeOf(header, headerTime),
		ReceivedAt:  timeOf(header, headerReceivedAt),
		TraceParent: header.Get(headerTraceParent),
		Backfill:    header.Get(headerBackfill) == schema.BackfillTrue,
	}
	t := schema.Lookup(e.Provider, e.Type)
	e.Resource = t.Resource
	e.Action = t.Action
	if n, err := strconv.Atoi(header.Get(headerRedrive)); err == nil {
		e.Redrive = n
		e.Queue = header.Get(headerQueue)
		e.ID = schema.OriginalID(e.ID, n)
	}
	return e
}

// textOf returns the text of a header, or the raw value if it cannot be decoded.
func textOf(header nats.Header, name string) string {
	text, err := decodeText(header.Get(name))
	if err != nil {
		return header.Get(name)
	}
	return text
}

// timeOf returns the time of a header, zero if it cannot be read.
func timeOf(header nats.Header, name string) time.Time {
	at, _ := schema.ParseTime(header.Get(name))
	return at
}
