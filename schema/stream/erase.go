package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Step is one step of an erasure. Each may be repeated at any time.
type Step struct {
	Name string
	Run  func(context.Context) error
}

// ErasureSteps are the steps, in order, that take an account out of the streams: the tombstone first, so that nothing new
// comes in behind the others. The completion `deleted` is published after them, then EraseEvents.
func (c *Conn) ErasureSteps(p schema.Provider, account string) []Step {
	return []Step{
		{"tombstone", func(ctx context.Context) error { return c.tombstone(ctx, p, account) }},
		{"completions", func(ctx context.Context) error { return c.eraseCompletions(ctx, p, account) }},
		{"dead letters", func(ctx context.Context) error { return c.eraseDeadLetters(ctx, p, account) }},
		{"records", func(ctx context.Context) error {
			return c.eraseRecords(ctx, schema.AccountRecords(p, account))
		}},
	}
}

// tombstone marks the account. It never expires (doc.go says how), so that the fence outlives every completion.
func (c *Conn) tombstone(ctx context.Context, p schema.Provider, account string) error {
	msg := &nats.Msg{Subject: schema.TombstoneSubject(p, account), Header: nats.Header{jetstream.MsgTTLHeader: {"never"}}}
	_, err := c.publish(ctx, schema.CompletionsStream, msg)
	if codeOf(err) == codeStoreFailed {
		err = c.takenOrFull(ctx, schema.CompletionsStream, msg.Subject)
	}
	if err != nil {
		return fmt.Errorf("publish tombstone of %s: %w", msg.Subject, err)
	}
	return nil
}

// Erased reports whether the account has a tombstone.
func (c *Conn) Erased(ctx context.Context, p schema.Provider, account string) (bool, error) {
	erased, err := c.has(ctx, schema.CompletionsStream, schema.TombstoneSubject(p, account))
	if err != nil {
		return false, fmt.Errorf("look up tombstone: %w", err)
	}
	return erased, nil
}

func (c *Conn) eraseCompletions(ctx context.Context, p schema.Provider, account string) error {
	return c.eraseMessages(ctx, schema.CompletionsStream, schema.AccountCompletions(p, account), func(m *jetstream.RawStreamMsg) bool {
		return m.Header.Get(headerOutcome) == string(schema.Deleted)
	})
}

func (c *Conn) eraseDeadLetters(ctx context.Context, p schema.Provider, account string) error {
	for _, q := range schema.Queues() {
		if q.Provider != p {
			continue
		}
		if err := c.EraseDeadLetters(ctx, q.Name, account); err != nil {
			return err
		}
	}
	return nil
}

// EraseDeadLetters deletes what a queue could not finish of one account.
func (c *Conn) EraseDeadLetters(ctx context.Context, queue, account string) error {
	return c.eraseMessages(ctx, schema.DeadLettersStream, schema.DeadLetterSubject(queue, account), nil)
}

// EraseEvents deletes the account's webhooks, all but those that say it was deleted: one of these is being worked on.
func (c *Conn) EraseEvents(ctx context.Context, p schema.Provider, account string) error {
	deleted := schema.AccountEvents(p, schema.Link, schema.ActionDeleted, account)
	return c.eraseMessages(ctx, schema.EventsStream, schema.AccountEvents(p, "*", "*", account), func(m *jetstream.RawStreamMsg) bool {
		return m.Subject == deleted
	})
}

// eraseMessages overwrites and deletes, one by one, the messages that match the filter and are not kept.
func (c *Conn) eraseMessages(ctx context.Context, stream, filter string, keep func(*jetstream.RawStreamMsg) bool) error {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("erase from %s: %w", stream, err)
	}
	for from := uint64(1); ; {
		m, err := s.GetMsg(ctx, from, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("erase from %s: %w", stream, err)
		}
		from = m.Sequence + 1
		if keep != nil && keep(m) {
			continue
		}
		if err := overwrite(ctx, s, m.Sequence); err != nil {
			return fmt.Errorf("erase from %s: %w", stream, err)
		}
	}
}

// overwrite deletes one message securely; one that is gone is no error. The client does not pass on the broker's code.
func overwrite(ctx context.Context, s jetstream.Stream, sequence uint64) error {
	err := s.SecureDeleteMsg(ctx, sequence)
	if err == nil {
		return nil
	}
	if _, gone := s.GetMsg(ctx, sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return err
}
