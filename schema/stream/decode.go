package stream

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
)

// decode reads an event from its message. The parts must agree: the account of the body is the
// account of the subject, and the hash of the body is the hash that ingress took after it checked
// the signature. With an error, decode returns the parts read so far.
func decode(subject string, header nats.Header, body []byte) (schema.Event, error) {
	provider, resource, action, account, err := schema.ParseSubject(subject)
	if err != nil {
		return schema.Event{}, fmt.Errorf("decode event: %w", err)
	}
	e := schema.Event{Provider: provider, Resource: resource, Action: action, Body: body}
	if err := decodeHeaders(&e, header); err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	e.AccountID, err = schema.Lookup(provider, e.Type).AccountIDIn(body)
	if err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	if header.Get(headerBodySHA256) != sha256Of(body) {
		return e, fmt.Errorf("decode event: the body is not that of header %s", headerBodySHA256)
	}
	if err := e.Validate(); err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	if e.Account() != account {
		return e, fmt.Errorf("decode event: the subject's account %s is not the body's", account)
	}
	return e, nil
}

func decodeHeaders(e *schema.Event, header nats.Header) (err error) {
	e.TraceParent = header.Get(headerTraceParent)
	e.Backfill = header.Get(headerBackfill) == schema.BackfillTrue
	e.ID, err = decodeText(header.Get(headerID))
	if err != nil {
		return fmt.Errorf("header %s: %w", headerID, err)
	}
	if n := header.Get(headerRedrive); n != "" {
		e.Redrive, err = strconv.Atoi(n)
		if err != nil {
			return fmt.Errorf("header %s: it is no number", headerRedrive)
		}
		e.ID = schema.OriginalID(e.ID, e.Redrive)
		e.Queue = header.Get(headerQueue)
	}
	name, err := decodeText(header.Get(headerType))
	if err != nil {
		return fmt.Errorf("header %s: %w", headerType, err)
	}
	e.Type = strings.TrimPrefix(name, string(e.Provider)+".")
	e.OccurredAt, err = schema.ParseTime(header.Get(headerTime))
	if err != nil {
		return fmt.Errorf("header %s: %w", headerTime, err)
	}
	e.ReceivedAt, err = schema.ParseTime(header.Get(headerReceivedAt))
	if err != nil {
		return fmt.Errorf("header %s: %w", headerReceivedAt, err)
	}
	return nil
}
