package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Step is a step of an erasure. Each step may be repeated at any time.
type Step struct {
	Name string
	Run  func(context.Context) error
}

// ErasureSteps returns the steps that remove an account from the streams, in their order. The
// tombstone comes first, so nothing new is stored behind the other steps. After the last step the
// worker publishes the completion `deleted`, and then runs LastErasureSteps.
func (c *Conn) ErasureSteps(p schema.Provider, account string) []Step {
	return []Step{
		{"tombstone", func(ctx context.Context) error {
			return c.publishTombstone(ctx, p, account)
		}},
		{"completions", func(ctx context.Context) error {
			return c.eraseCompletions(ctx, p, account)
		}},
		{"waiting events", func(ctx context.Context) error {
			return c.eraseAllWaiting(ctx, p, account)
		}},
		{"dead letters", func(ctx context.Context) error {
			return c.eraseAllDeadLetters(ctx, p, account)
		}},
		{"records", func(ctx context.Context) error {
			return c.EraseRecords(ctx, p, account)
		}},
	}
}

// LastErasureSteps returns the steps after the completion `deleted` of the event that reports the
// deletion. The event itself goes last, because its body names the person. Until the event is gone,
// the queue delivers it again after a crash, and the erasure begins anew. The event's retries go
// after the event: they have no body, and a retry without its event removes itself.
//
// Another report about the same account stays until its own erasure, which gives it a completion.
func (c *Conn) LastErasureSteps(e schema.Event) []Step {
	return []Step{
		{"events", func(ctx context.Context) error {
			return c.EraseEvents(ctx, e.Provider, e.Account())
		}},
		{"report", func(ctx context.Context) error {
			return c.eraseReport(ctx, e)
		}},
		{"retries of the report", func(ctx context.Context) error {
			return c.eraseRetriesOf(ctx, e)
		}},
	}
}

// publishTombstone marks the account as erased. The mark never expires: see the package comment.
func (c *Conn) publishTombstone(ctx context.Context, p schema.Provider, account string) error {
	msg := &nats.Msg{
		Subject: schema.TombstoneSubject(p, account),
		Header:  nats.Header{jetstream.MsgTTLHeader: {"never"}},
	}
	_, err := c.publish(ctx, schema.CompletionsStream, msg)
	if codeOf(err) == codeStoreFailed {
		err = c.requireTaken(ctx, schema.CompletionsStream, msg.Subject)
	}
	if err != nil {
		return fmt.Errorf("publish tombstone of %s: %w", msg.Subject, err)
	}
	return nil
}

// Erased reports whether the account has a tombstone.
func (c *Conn) Erased(ctx context.Context, p schema.Provider, account string) (bool, error) {
	erased, err := c.hasMessage(ctx, schema.CompletionsStream, schema.TombstoneSubject(p, account))
	if err != nil {
		return false, fmt.Errorf("look up tombstone: %w", err)
	}
	return erased, nil
}

// eraseCompletions deletes the account's completions, except those with the outcome Deleted.
func (c *Conn) eraseCompletions(ctx context.Context, p schema.Provider, account string) error {
	filter := schema.AccountCompletions(p, account)
	isDeleted := func(m *jetstream.RawStreamMsg) bool {
		return m.Header.Get(headerOutcome) == string(schema.Deleted)
	}
	return c.eraseMessages(ctx, schema.CompletionsStream, filter, isDeleted)
}

func (c *Conn) eraseAllDeadLetters(ctx context.Context, p schema.Provider, account string) error {
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

// EraseDeadLetters deletes the dead letters of a queue and account.
func (c *Conn) EraseDeadLetters(ctx context.Context, queue, account string) error {
	filter := schema.DeadLetterSubject(queue, account)
	return c.eraseMessages(ctx, schema.DeadLettersStream, filter, nil)
}

// EraseEvents deletes the account's events, except the reports of the account's deletion. The
// erasure of a report deletes the report: see LastErasureSteps.
func (c *Conn) EraseEvents(ctx context.Context, p schema.Provider, account string) error {
	reports := deletionReports(p, account)
	filter := schema.AccountEvents(p, "*", "*", account)
	isReport := func(m *jetstream.RawStreamMsg) bool { return slices.Contains(reports, m.Subject) }
	return c.eraseMessages(ctx, schema.EventsStream, filter, isReport)
}

// eraseReport deletes all copies of an event that reports a deletion. A provider may send a webhook
// again after the duplicate window, so the stream may have more than one copy.
func (c *Conn) eraseReport(ctx context.Context, e schema.Event) error {
	return c.eraseMessages(ctx, schema.EventsStream, e.Subject(), isOtherThan(e))
}

// eraseRetriesOf deletes the waits and the retries of an event that reports a deletion.
func (c *Conn) eraseRetriesOf(ctx context.Context, e schema.Event) error {
	for _, q := range schema.Queues() {
		if q.Provider != e.Provider || !q.Erases {
			continue
		}
		waiting := e.WaitingSubject(q.Name)
		if err := c.eraseMessages(ctx, q.WaitingStream(), waiting, nil); err != nil {
			return err
		}
		retries := schema.RetriesSubject(q.Name, e.Account())
		if err := c.eraseMessages(ctx, q.WaitingStream(), retries, isOtherThan(e)); err != nil {
			return err
		}
	}
	return nil
}

// isOtherThan returns a function that reports whether a message belongs to another event than e.
func isOtherThan(e schema.Event) func(*jetstream.RawStreamMsg) bool {
	return func(m *jetstream.RawStreamMsg) bool { return eventOf(m.Header).Key() != e.Key() }
}

// eraseAllWaiting deletes the account's waiting events, retries and replays from the queues of the
// provider.
func (c *Conn) eraseAllWaiting(ctx context.Context, p schema.Provider, account string) error {
	for _, q := range schema.Queues() {
		if q.Provider != p {
			continue
		}
		if err := c.EraseWaiting(ctx, q, account); err != nil {
			return err
		}
	}
	return nil
}

// EraseWaiting deletes the account's waiting events, retries and replays from the queue. In the
// queue of the erasures EraseWaiting deletes nothing: a waiting report must be worked on, and then
// its erasure deletes its retries.
func (c *Conn) EraseWaiting(ctx context.Context, q schema.Queue, account string) error {
	if q.Erases {
		return nil
	}
	for _, filter := range []string{
		schema.AccountWaiting(q.Name, account),
		schema.RetriesSubject(q.Name, account),
		schema.ReplaysSubject(q.Name, account),
	} {
		if err := c.eraseMessages(ctx, q.WaitingStream(), filter, nil); err != nil {
			return err
		}
	}
	return nil
}

// eraseRetry deletes a retry whose event is gone from the events stream.
func (c *Conn) eraseRetry(ctx context.Context, q schema.Queue, sequence uint64) error {
	if err := c.deleteMessage(ctx, q.WaitingStream(), sequence); err != nil {
		return fmt.Errorf("erase retry %d: %w", sequence, err)
	}
	return nil
}

// deletionReports are the subjects of the events with which the provider reports the deletion of an
// account.
func deletionReports(p schema.Provider, account string) []string {
	var subjects []string
	for _, t := range erasingTypes(p) {
		subjects = append(subjects, schema.AccountEvents(p, t.Resource, t.Action, account))
	}
	return subjects
}

// erasingTypes are the provider's webhook types for the deletion of an account.
func erasingTypes(p schema.Provider) []schema.WebhookType {
	return slices.DeleteFunc(schema.Catalogue(), func(t schema.WebhookType) bool {
		return t.Provider != p || !t.Erases
	})
}

// eraseMessages overwrites and deletes, one at a time, the messages that match the filter, unless
// keep returns true.
func (c *Conn) eraseMessages(
	ctx context.Context, stream, filter string, keep func(*jetstream.RawStreamMsg) bool,
) error {
	for from := uint64(1); ; {
		m, err := c.nextMessage(ctx, stream, filter, from)
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
		if err := c.deleteMessage(ctx, stream, m.Sequence); err != nil {
			return fmt.Errorf("erase from %s: %w", stream, err)
		}
	}
}
