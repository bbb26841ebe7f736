package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
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
		kind:      shelf.Quarantine(),
		noun:      "webhook",
		place:     " in quarantine",
		newFilter: func() filter[stream.Unread] { return &unreadFilter{} },
		trim:      func(u *stream.Unread) { u.Body = nil },
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

// unreadFilter is the choice of webhooks in quarantine by flags. The zero value matches all.
type unreadFilter struct{ shelf.UnreadFilter }

func (f *unreadFilter) addFlags(cmd *cobra.Command) {
	reasons := schema.QuarantineReasons()
	addProvider(cmd, &f.Provider, "only those of")
	addChoice(cmd, &f.Reason, "reason", "only those with a reason: "+command.OneOf(reasons),
		reasons)
	addSpan(cmd, &f.Span, "received")
}

func (f *unreadFilter) check() error { return checkSpan(f.Span) }

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
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%d", u.Number, plain.Time(u.ReceivedAt),
		plain.Word(u.Provider), plain.Word(u.Reason), u.BodyBytes)
}

func printUnread(w io.Writer, u stream.Unread) {
	reads := "yes: it can be released"
	if _, err := shelf.Parse(u); err != nil {
		reads = "no: " + plain.Text(err.Error())
	}
	fmt.Fprintf(w, "number\t%d\nreceived\t%s\nprovider\t%s\nreason\t%s\nbody\t%d bytes\n",
		u.Number, plain.Time(u.ReceivedAt), plain.Word(u.Provider), plain.Word(u.Reason),
		u.BodyBytes)
	fmt.Fprintf(w, "reads\t%s\n", reads)
}

func newReleaser(
	ctx context.Context, c *change[stream.Unread],
) (resendFunc[stream.Unread], error) {
	r, err := shelf.NewReleaser(ctx, c.Operator, c.messages)
	release := r.Send
	if c.dryRun {
		release = r.Preview
	}
	return func(ctx context.Context, u stream.Unread) (line string, isReleased bool, err error) {
		outcome, err := release(ctx, u)
		return formatRelease(outcome, c.dryRun), outcome.IsOff(), err
	}, err
}

// formatRelease says what happened to a webhook in quarantine, or would.
func formatRelease(o shelf.Outcome, isPreview bool) string {
	switch o.Result {
	case shelf.Gone:
		return "is gone meanwhile"
	case shelf.Kept:
		return "kept: " + o.Obstacle
	case shelf.SentBefore:
		return fmt.Sprintf("is stored as %s already", o.Key)
	default:
	}
	line := fmt.Sprintf("released as %s, %s", o.Key, plain.Word(o.Type))
	if isPreview {
		line = "would be " + line
	}
	if o.HasRival {
		line += ": another body has its id"
	}
	return line
}
