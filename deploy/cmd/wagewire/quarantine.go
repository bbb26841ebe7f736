package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const quarantineHelp = `wagewire quarantine looks after webhooks that their provider signed and ingress could not read as an event. They were answered
200 and are kept for 14 days.

Usage:
  wagewire quarantine list              [flags]   a line each: number, when, provider, reason, bytes
  wagewire quarantine show    NUMBER    [flags]   one of them
  wagewire quarantine release NUMBER... [flags]   read them anew, send them through the line, and delete them
  wagewire quarantine discard NUMBER... [flags]   delete them, for good

Which ones release and discard take is said by numbers, by the flags below that choose, or by --all. They ask before they do
anything, and need --yes where nobody can answer.

Release reads the body as the ingress of this version does. One that still cannot be read stays, and release says why. One whose
id was stored before with another body (id_conflict) goes as a redrive of that id, ID:r1 and so on: the completion of the first
body stands, and this one gets its own. If release ends before it deleted one, run it again: it is not stored twice.

Flags that choose:
  --provider NAME    pinwheel or truv
  --reason WORD      json, utf8, duplicate_key, depth, schema or id_conflict
  --since TIME       received since: 1h, 2d, 2026-01-12T02:36:00Z, or all (all)
  --until TIME       received before, likewise (now)
  --all              every one there is

Flags:
  --dry-run          release and discard print what they would do, and do nothing
  --yes              do not ask
  --body             show prints the webhook, too, as it was received
  --json             list and show print one JSON object a line
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  What could not be read, and one of them:
    wagewire quarantine list
    wagewire quarantine show 3 --body
  After an update that reads them:
    wagewire quarantine release --reason schema
  Two webhooks with one id, both of them wanted:
    wagewire quarantine release 3 --yes

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, 1 failed, declined, or something could not be released, 2 wrong usage
`

// unreadFilter is which webhooks in quarantine are meant. The zero value is all of them.
type unreadFilter struct {
	provider, reason string
	span
}

// quarantineFlagged is the command line of `wagewire quarantine`.
type quarantineFlagged struct {
	filter       unreadFilter
	since, until string
	all          bool
	consent
	body, json bool
	wait       time.Duration
}

func quarantineFlags(flags *flag.FlagSet) action {
	var f quarantineFlagged
	flags.StringVar(&f.filter.provider, "provider", "", "")
	flags.StringVar(&f.filter.reason, "reason", "", "")
	flags.StringVar(&f.since, "since", "all", "")
	flags.StringVar(&f.until, "until", "now", "")
	flags.BoolVar(&f.all, "all", false, "")
	flags.BoolVar(&f.dryRun, "dry-run", false, "")
	flags.BoolVar(&f.yes, "yes", false, "")
	flags.BoolVar(&f.body, "body", false, "")
	flags.BoolVar(&f.json, "json", false, "")
	flags.DurationVar(&f.wait, "wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) (err error) {
		verb, args, err := verbIn("quarantine", args, "list", "show", "release", "discard")
		if err != nil {
			return err
		}
		if f.filter.span, err = spanOf(f.since, f.until, time.Now()); err != nil {
			return err
		}
		if err := f.filter.check(); err != nil {
			return err
		}
		numbers, err := numbersOf(args)
		if err != nil {
			return err
		}
		chosen := len(numbers) > 0 || !f.filter.everything() || f.all
		if err := checkChoice("quarantine", verb, args, chosen); err != nil {
			return err
		}
		if acts(verb) {
			if err := f.possible(t); err != nil {
				return err
			}
		}
		return attend(ctx, t, f.wait, func(conn *stream.Operator) error {
			webhooks, numbers, err := keptIn(ctx, conn, quarantined, numbers, stream.ReadUnread, f.filter.takes)
			switch {
			case err != nil:
				return err
			case verb == "list":
				return listUnread(t, webhooks, f.json)
			case verb == "show":
				return showUnread(t, webhooks[0], f.body, f.json)
			case len(webhooks) == 0:
				quarantined.none(t)
				return nil
			case verb == "release":
				return release(ctx, t, conn, webhooks, f)
			case f.dryRun:
				return quarantined.wouldDiscard(t, len(webhooks), listUnread(t, webhooks, f.json))
			default:
				return quarantined.discard(ctx, t, conn, numbers, "", f.consent, 0)
			}
		})
	}
}

func (f unreadFilter) check() error {
	reasons := []schema.QuarantineReason{
		schema.QuarantineJSON, schema.QuarantineUTF8, schema.QuarantineDuplicateKey, schema.QuarantineDepth, schema.QuarantineSchema, schema.QuarantineIDConflict,
	}
	if f.reason != "" && !slices.Contains(reasons, schema.QuarantineReason(f.reason)) {
		return wrongUsage("--reason: %q is none of %s", f.reason, join(reasons))
	}
	return checkProvider(f.provider)
}

func (f unreadFilter) everything() bool { return f.provider+f.reason == "" && f.whole() }

func (f unreadFilter) takes(u stream.Unread) bool {
	return (f.provider == "" || f.provider == string(u.Provider)) && (f.reason == "" || f.reason == string(u.Reason)) && f.holds(u.ReceivedAt)
}

// unreadJSON is a webhook in quarantine for another program. Body is base64: it may not even be text.
type unreadJSON struct {
	Number     uint64                  `json:"number"`
	ReceivedAt time.Time               `json:"received_at"`
	Provider   schema.Provider         `json:"provider"`
	Reason     schema.QuarantineReason `json:"reason"`
	BodyBytes  int                     `json:"body_bytes"`
	Body       []byte                  `json:"body_base64,omitempty"`
}

func unreadJSONOf(u stream.Unread) unreadJSON {
	return unreadJSON{Number: u.Number, ReceivedAt: u.ReceivedAt.UTC(), Provider: u.Provider, Reason: u.Reason, BodyBytes: u.BodyBytes}
}

func listUnread(t terminal, webhooks []stream.Unread, whole bool) error {
	if whole {
		lines := json.NewEncoder(t.stdout)
		for _, u := range webhooks {
			if err := lines.Encode(unreadJSONOf(u)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(webhooks) == 0 {
		quarantined.none(t)
		return nil
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tRECEIVED\tPROVIDER\tREASON\tBYTES")
	for _, u := range webhooks {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\n", u.Number, moment(u.ReceivedAt), plain(string(u.Provider)), plain(string(u.Reason)), u.BodyBytes)
	}
	return table.Flush()
}

func showUnread(t terminal, u stream.Unread, body, whole bool) error {
	if whole {
		out := unreadJSONOf(u)
		if body {
			out.Body = u.Body
		}
		return json.NewEncoder(t.stdout).Encode(out)
	}
	reads := "yes: it can be released"
	if _, err := parsed(u); err != nil {
		reads = "no: " + err.Error()
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "number\t%d\nreceived\t%s\nprovider\t%s\nreason\t%s\nbody\t%d bytes\nreads\t%s\n",
		u.Number, moment(u.ReceivedAt), plain(string(u.Provider)), plain(string(u.Reason)), u.BodyBytes, readable([]byte(reads)))
	if err := table.Flush(); err != nil || !body {
		return err
	}
	fmt.Fprintln(t.stdout)
	return printBody(t, u.Body)
}

func parsed(u stream.Unread) (schema.Event, error) {
	return webhook.Parse(webhook.Received{Provider: u.Provider, Body: u.Body, At: u.ReceivedAt})
}

// release sends each webhook that can be read through the line, and only then deletes it from quarantine.
func release(ctx context.Context, t terminal, conn *stream.Operator, webhooks []stream.Unread, f quarantineFlagged) error {
	if !f.dryRun {
		if err := f.given(ctx, t, fmt.Sprintf("release %s?", plural(len(webhooks), "webhook"))); err != nil {
			return err
		}
	}
	released := 0
	err := paced(ctx, t, len(webhooks), 0, func(i int) error {
		said, done, err := releaseOne(ctx, conn, webhooks[i].Number, f.dryRun)
		if err != nil {
			return fmt.Errorf("release webhook %d: %w", webhooks[i].Number, err)
		}
		if done {
			released++
		}
		fmt.Fprintf(t.stdout, "%d  %s\n", webhooks[i].Number, said)
		return nil
	})
	if err != nil {
		return err
	}
	verb := "released"
	if f.dryRun {
		verb = "would release"
	}
	fmt.Fprintf(t.stderr, "%s %d of %s\n", verb, released, plural(len(webhooks), "webhook"))
	if kept := len(webhooks) - released; kept > 0 {
		return fmt.Errorf("%s could not be released", plural(kept, "webhook"))
	}
	return nil
}

// releaseOne says what became of one webhook, and whether it is on its way.
func releaseOne(ctx context.Context, conn *stream.Operator, number uint64, dryRun bool) (said string, done bool, err error) {
	m, there, err := conn.Message(ctx, schema.QuarantineStream, number)
	if err != nil {
		return "", false, err
	}
	if !there {
		return "is gone meanwhile", true, nil
	}
	e, err := parsed(stream.ReadUnread(m))
	if unreadable, ok := errors.AsType[*webhook.UnreadableError](err); ok {
		return fmt.Sprintf("kept: it still cannot be read (%s): %s", unreadable.Reason, readable([]byte(unreadable.Error()))), false, nil
	}
	if err != nil {
		return "", false, err
	}
	why, err := refused(ctx, conn, e)
	if err != nil {
		return "", false, err
	}
	if why != "" {
		return fmt.Sprintf("kept: %s: discard it", why), false, nil
	}
	said, err = releaseEvent(ctx, conn, e, dryRun)
	if err == nil && !dryRun {
		err = conn.Discard(ctx, schema.QuarantineStream, number)
	}
	return said, err == nil, err
}

// releaseEvent stores the event under its own id where nothing has had it, else as a redrive of the id.
func releaseEvent(ctx context.Context, conn *stream.Operator, e schema.Event, dryRun bool) (said string, err error) {
	// Not since it was received: what has its id may be older.
	anyAge := e
	anyAge.ReceivedAt = time.Time{}
	past, err := historyOf(ctx, conn, anyAge)
	if err != nil {
		return "", err
	}
	completions, err := conn.CompletionsOf(ctx, e)
	if err != nil {
		return "", err
	}
	for _, p := range past[nameOf(e)] {
		if p.sum == sumOf(e.Body) {
			e.Redrive = p.n
			return fmt.Sprintf("is stored as %s already", e.Key()), nil
		}
	}
	if len(past[nameOf(e)]) == 0 && len(completions) == 0 {
		if dryRun {
			return fmt.Sprintf("would be released as %s, %s", e.Key(), plain(e.Type)), nil
		}
		ctx, cancel := context.WithTimeout(ctx, sendFor)
		defer cancel()
		duplicate, err := conn.PublishEvent(ctx, e)
		if err != nil && !errors.Is(err, schema.ErrIDConflict) {
			return "", err
		}
		// A duplicate of what is not on the stream: the broker remembers the id of an event that is gone.
		if !duplicate {
			return fmt.Sprintf("released as %s, %s", e.Key(), plain(e.Type)), nil
		}
	}
	if dryRun {
		e.Redrive = past.next(e)
		return fmt.Sprintf("would be released as %s, %s: another body has its id", e.Key(), plain(e.Type)), nil
	}
	if e.Redrive, _, err = past.send(ctx, conn, e, "", true); err != nil {
		return "", err
	}
	return fmt.Sprintf("released as %s, %s: another body has its id", e.Key(), plain(e.Type)), nil
}
