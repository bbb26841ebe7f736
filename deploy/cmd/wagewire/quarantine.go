package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

func newQuarantineCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "quarantine",
		GroupID: groupRepair,
		Short:   "List, show, release or discard signed webhooks that are no events yet",
		Long: `wagewire quarantine works on webhooks with a valid signature that ingress did not
store as events: webhooks that could not be read, webhooks whose signature was too old or from the
future (stale), and webhooks with the id of another webhook (id_conflict). Ingress answered 200 to
them. They are kept for 14 days.`,
		Example: `  List the webhooks in quarantine, and show one:
    wagewire quarantine list
    wagewire quarantine show 3 --body
  Release what came while a clock was wrong:
    wagewire quarantine release --reason stale
  Release what an update can read:
    wagewire quarantine release --reason schema`,
	}
	cmd.AddCommand(quarantined().commands(t)...)
	return cmd
}

func quarantined() *shelfOf[stream.Unread] {
	return &shelfOf[stream.Unread]{
		command:   "quarantine",
		stream:    schema.QuarantineStream,
		noun:      "webhook",
		place:     " in quarantine",
		newFilter: func() filter[stream.Unread] { return &unreadFilter{} },
		read:      stream.ReadUnread,
		trim:      func(u *stream.Unread) { u.Body = nil },
		number:    func(u stream.Unread) uint64 { return u.Number },
		body:      func(u stream.Unread) []byte { return u.Body },
		heading:   "NUMBER\tRECEIVED\tPROVIDER\tREASON\tBYTES",
		row:       unreadRow,
		printAll:  printUnread,
		toJSON:    func(u stream.Unread) any { return newUnreadJSON(u) },
		toAllJSON: newFullUnreadJSON,
		page:      process.Console.Quarantined,
		tally:     func([]stream.Unread) string { return "" },
		resend: resending[stream.Unread]{
			verb: "release", past: "released", participle: "released",
			short: "Store webhooks as events and send them through the line",
			long:  releaseLong, example: releaseExample,
			question: "release %s",
			prepare:  newReleaser,
		},
	}
}

const releaseLong = `wagewire quarantine release reads a webhook as the ingress of this version
does, stores the event, and deletes the webhook from the quarantine. The age of the signature does
not matter: a stale webhook is released as it is.

A webhook that still cannot be read stays, and so does a webhook of an erased account; release says
why and exits 1. A webhook whose id was stored before with another body (id_conflict) is stored as a
redrive of the id, ID:r1 and so on: the completion of the first body stays, and the second body gets
its own.

Run release again if it was interrupted: a webhook is not stored twice.`

const releaseExample = `  Release the webhooks that came while a clock was wrong:
    wagewire quarantine release --reason stale --since 2h
  Release the webhooks that an update can read:
    wagewire quarantine release --reason schema
  Release a second webhook with a known id:
    wagewire quarantine release 3 --yes`

// unreadFilter is the choice of webhooks in quarantine. The zero value matches all.
type unreadFilter struct {
	provider schema.Provider
	reason   schema.QuarantineReason
	span
}

func (f *unreadFilter) addFlags(cmd *cobra.Command) {
	reasons := schema.QuarantineReasons()
	addProvider(cmd, &f.provider, "only those of")
	addChoice(cmd, &f.reason, "reason", "only those with a reason: "+command.OneOf(reasons),
		reasons)
	f.span.addFlags(cmd, "received")
}

func (f *unreadFilter) isEmpty() bool { return f.provider == "" && f.reason == "" && f.isOpen() }

func (f *unreadFilter) matches(u stream.Unread) bool {
	return (f.provider == "" || f.provider == u.Provider) &&
		(f.reason == "" || f.reason == u.Reason) &&
		f.contains(u.ReceivedAt)
}

// unreadJSON is a webhook in quarantine for another program. Body is base64, because the body may
// not be text.
type unreadJSON struct {
	Number     uint64                  `json:"number"`
	ReceivedAt time.Time               `json:"received_at"`
	Provider   schema.Provider         `json:"provider"`
	Reason     schema.QuarantineReason `json:"reason"`
	BodyBytes  int                     `json:"body_bytes"`
	Body       []byte                  `json:"body_base64,omitempty"`
	// Console is the address of the webhook's page.
	Console string `json:"console,omitempty"`
}

func newUnreadJSON(u stream.Unread) unreadJSON {
	return unreadJSON{
		Number: u.Number, ReceivedAt: u.ReceivedAt.UTC(), Provider: u.Provider, Reason: u.Reason,
		BodyBytes: u.BodyBytes,
	}
}

func newFullUnreadJSON(u stream.Unread, withBody bool, page string) any {
	full := newUnreadJSON(u)
	full.Console = page
	if withBody {
		full.Body = u.Body
	}
	return full
}

func unreadRow(u stream.Unread) string {
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%d",
		u.Number, plain.Time(u.ReceivedAt), plain.Word(u.Provider), plain.Word(u.Reason), u.BodyBytes)
}

func printUnread(w io.Writer, u stream.Unread) {
	reads := "yes: it can be released"
	if _, err := parseUnread(u); err != nil {
		reads = "no: " + plain.Text(err.Error())
	}
	fmt.Fprintf(w, "number\t%d\nreceived\t%s\nprovider\t%s\nreason\t%s\nbody\t%d bytes\n",
		u.Number, plain.Time(u.ReceivedAt), plain.Word(u.Provider), plain.Word(u.Reason), u.BodyBytes)
	fmt.Fprintf(w, "reads\t%s\n", reads)
}

func parseUnread(u stream.Unread) (schema.Event, error) {
	return webhook.Parse(webhook.Received{Provider: u.Provider, Body: u.Body, At: u.ReceivedAt})
}

// releaser sends webhooks in quarantine through the line.
type releaser struct {
	past   history
	dryRun bool
}

// newReleaser reads the whole events stream once, because another event with the id of a webhook
// may be older and of another account. A release is rare.
func newReleaser(
	ctx context.Context, c *change[stream.Unread],
) (resendFunc[stream.Unread], error) {
	var events []ofAccount
	for _, u := range c.messages {
		m, exists, err := c.Message(ctx, schema.QuarantineStream, u.Number)
		if err != nil {
			return nil, err
		}
		if !exists {
			continue
		}
		if e, err := parseUnread(stream.ReadUnread(m)); err == nil { // release tells the error
			events = append(events, ofAccount{Event: schema.Event{Provider: e.Provider, ID: e.ID}})
		}
	}
	r := releaser{newHistory(c.Operator), c.dryRun}
	return r.release, r.past.read(ctx, events...)
}

// release stores the event of the webhook, and only then deletes the webhook from quarantine.
func (r releaser) release(
	ctx context.Context, u stream.Unread,
) (result string, isReleased bool, err error) {
	m, exists, err := r.past.op.Message(ctx, schema.QuarantineStream, u.Number)
	if err != nil {
		return "", false, err
	}
	if !exists {
		return "is gone meanwhile", true, nil
	}
	e, err := parseUnread(stream.ReadUnread(m))
	if unreadable, ok := errors.AsType[*webhook.UnreadableError](err); ok {
		result = fmt.Sprintf("kept: it still cannot be read (%s): %s",
			unreadable.Reason, plain.Text(unreadable.Error()))
		return result, false, nil
	}
	if err != nil {
		return "", false, err
	}
	erased, err := isErased(ctx, r.past.op, e)
	if err != nil {
		return "", false, err
	}
	if erased {
		return "kept: " + accountErased + ": discard it", false, nil
	}
	result, err = r.store(ctx, e)
	if err == nil && !r.dryRun {
		err = r.past.op.Discard(ctx, schema.QuarantineStream, u.Number)
	}
	return result, err == nil, err
}

// store stores the event under its own id if the id is free, and as a redrive of the id if not.
func (r releaser) store(ctx context.Context, e schema.Event) (result string, err error) {
	sameBody := func(p passage) bool { return p.bodySHA256 == digest(e.Body) }
	if i := slices.IndexFunc(r.past.of(e), sameBody); i >= 0 {
		e.Redrive = r.past.of(e)[i].number
		return storedAlready(e), nil
	}
	// The first body with the id may be of another account.
	completions, err := r.past.op.CompletionsOf(ctx, e, "")
	if err != nil {
		return "", err
	}
	verb := "released"
	if r.dryRun {
		verb = "would be released"
	}
	if len(r.past.of(e)) == 0 && len(completions) == 0 {
		isDuplicate, err := r.storeFirst(ctx, e)
		switch {
		case isDuplicate && err == nil:
			return storedAlready(e), nil
		case err == nil:
			return fmt.Sprintf("%s as %s, %s", verb, e.Key(), plain.Word(e.Type)), nil
		case !errors.Is(err, schema.ErrIDConflict):
			return "", err
		}
	}
	if r.dryRun {
		e.Redrive = r.past.nextNumber(e)
	} else if e.Redrive, _, err = r.past.resend(ctx, e, "", true); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s as %s, %s: another body has its id", verb, e.Key(), plain.Word(e.Type)), nil
}

func storedAlready(e schema.Event) string {
	return fmt.Sprintf("is stored as %s already", e.Key())
}

// storeFirst stores the event under its own id. isDuplicate is true if somebody else has stored the
// event meanwhile. The error is schema.ErrIDConflict if the stored event has another body.
func (r releaser) storeFirst(ctx context.Context, e schema.Event) (isDuplicate bool, err error) {
	if r.dryRun {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resendFor)
	defer cancel()
	isDuplicate, err = r.past.op.PublishEvent(ctx, e)
	if err == nil {
		r.past.add(e, digest(e.Body))
	}
	return isDuplicate, err
}
