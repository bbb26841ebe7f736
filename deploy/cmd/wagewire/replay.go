package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const replayHelp = `wagewire replay sends events of the past through one queue again, oldest first: after a worker was wrong, or a consumer
lost what it had.

Usage:
  wagewire replay --queue NAME [flags]

Each event goes under a name of its own, ID:r1, then ID:r2 and so on, so that it gets a completion of its own beside those it
has. Only the one queue works on it, even if others read its type. What was sent again before is not counted as another event;
events of erased accounts are left out. Two webhooks with one id and different bodies are two events.

The events stream keeps 14 days. Replay reads it once to the end, asks, and then sends; it needs --yes where nobody can answer.
A replay that was interrupted says how far it came: to go on, give --since the time it names.

Flags that choose, of which one is needed:
  --since TIME       received since: 1h, 2d, 2026-01-12T02:36:00Z, or all (all)
  --until TIME       received before, likewise (now)
  --type TYPE        of one type, such as paystubs.added; repeatable
  --account ID       of an account or an end user: the provider's id, or its token

Flags:
  --queue NAME       the queue that works on them, such as pinwheel_income
  --dry-run          print what would be sent, and send nothing
  --yes              do not ask
  --rate N           so many a second at most; 0 is as fast as it goes (0)
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  What it would be, then do it, leaving the provider's rate to others:
    wagewire replay --queue pinwheel_paystubs --since 2d --dry-run
    wagewire replay --queue pinwheel_paystubs --since 2d --rate 5
  One account's income once more:
    wagewire replay --queue pinwheel_income --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --yes
  One afternoon of one type:
    wagewire replay --queue pinwheel_shifts --type shifts.added --since 2026-01-12T12:00:00Z --until 2026-01-12T18:00:00Z

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, 1 failed or declined, 2 wrong usage
`

// replayed is which events are replayed, and where to.
type replayed struct {
	queue   schema.Queue
	types   []schema.WebhookType
	account string
	span
}

func replayFlags(flags *flag.FlagSet) action {
	queue := flags.String("queue", "", "")
	since := flags.String("since", "", "")
	until := flags.String("until", "now", "")
	account := flags.String("account", "", "")
	var types []string
	flags.Func("type", "", func(s string) error { types = append(types, s); return nil })
	var leave consent
	flags.BoolVar(&leave.dryRun, "dry-run", false, "")
	flags.BoolVar(&leave.yes, "yes", false, "")
	rate := flags.Int("rate", 0, "")
	wait := flags.Duration("wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) error {
		if len(args) > 0 {
			return wrongUsage("unexpected argument %q", args[0])
		}
		if *queue == "" {
			return wrongUsage("say which queue works on them: --queue NAME")
		}
		what, err := replayedOf(*queue, types, *account)
		if err != nil {
			return err
		}
		if *since == "" && *until == "now" && len(types) == 0 && *account == "" {
			return wrongUsage("say which events: --since, --until, --type or --account; --since all is every one")
		}
		if *since == "" {
			*since = "all"
		}
		if what.span, err = spanOf(*since, *until, time.Now()); err != nil {
			return err
		}
		if err := checkRate(*rate); err != nil {
			return err
		}
		if err := leave.possible(t); err != nil {
			return err
		}
		return attend(ctx, t, *wait, func(conn *stream.Operator) error { return replay(ctx, t, conn, what, leave, *rate) })
	}
}

func replayedOf(queue string, types []string, account string) (replayed, error) {
	q, err := queueOf(queue)
	if err != nil {
		return replayed{}, err
	}
	what := replayed{queue: q, account: account}
	var known []string
	for _, w := range schema.Catalogue() {
		if reads(q, w) {
			known = append(known, w.Name)
			if len(types) == 0 || slices.Contains(types, w.Name) {
				what.types = append(what.types, w)
			}
		}
	}
	for _, name := range types {
		if !slices.Contains(known, name) {
			return replayed{}, wrongUsage("--type: queue %s does not read %q%s", q.Name, name, suggestion(name, known))
		}
	}
	return what, nil
}

// replay sends what is chosen through the queue again.
func replay(ctx context.Context, t terminal, conn *stream.Operator, what replayed, leave consent, rate int) error {
	past, chosen, err := what.find(ctx, conn)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		fmt.Fprintln(t.stderr, "there is no such event")
		return nil
	}
	first, last := chosen[0].Event.ReceivedAt, chosen[len(chosen)-1].Event.ReceivedAt
	fmt.Fprintf(t.stderr, "%s of %s, received from %s to %s\n", plural(len(chosen), "event"), what.queue.Name, moment(first), moment(last))
	if !leave.dryRun {
		if err := leave.given(ctx, t, fmt.Sprintf("send %s through %s again?", plural(len(chosen), "event"), what.queue.Name)); err != nil {
			return err
		}
	}
	var sent, leftOut int
	var at time.Time
	err = paced(ctx, t, len(chosen), rate, func(i int) error {
		at = chosen[i].Event.ReceivedAt
		name, why, err := what.sendOne(ctx, conn, past, chosen[i], leave.dryRun)
		switch {
		case err != nil:
			return fmt.Errorf("replay event %s: %w", chosen[i].Event.Key(), err)
		case why != "":
			leftOut++
			fmt.Fprintf(t.stdout, "%s  %s  left out: %s\n", plain(chosen[i].Event.Key()), plain(chosen[i].Event.Type), why)
		default:
			sent++
			fmt.Fprintf(t.stdout, "%s  %s\n", plain(name), plain(chosen[i].Event.Type))
		}
		return nil
	})
	verb := "sent"
	if leave.dryRun {
		verb = "would send"
	}
	if err != nil {
		return fmt.Errorf("%w; %s %d, to go on give --since %s", err, verb, sent, at.UTC().Format(time.RFC3339Nano))
	}
	fmt.Fprintf(t.stderr, "%s %d to %s, left out %d\n", verb, sent, what.queue.Name, leftOut)
	return nil
}

// find reads the events stream once, to the end: for a redrive of an event may lie behind all that is chosen. Of the copies
// of one webhook the first is chosen, by when the provider's request was received and not by when a copy was sent.
func (what replayed) find(ctx context.Context, conn *stream.Operator) (history, []stream.Heading, error) {
	which := stream.Selection{Filters: what.queue.Subjects}
	if !what.since.IsZero() {
		which.Since = what.since.Add(-clocksDiffer)
	}
	type once struct{ name, body string }
	past, seen := history{}, map[once]bool{}
	var chosen []stream.Heading
	err := conn.Headings(ctx, which, func(heading stream.Heading) error {
		e := heading.Event
		past.add(e, heading.BodySHA256)
		this := once{nameOf(e), heading.BodySHA256}
		if seen[this] || !what.holds(e.ReceivedAt) || what.account != "" && !isAccount(heading.Account, what.account) ||
			!slices.ContainsFunc(what.types, func(w schema.WebhookType) bool { return w.Name == e.Type }) {
			return nil
		}
		seen[this] = true
		chosen = append(chosen, heading)
		return nil
	})
	return past, chosen, err
}

// sendOne sends one event, and says why where it did not.
func (what replayed) sendOne(ctx context.Context, conn *stream.Operator, past history, heading stream.Heading, dryRun bool) (name, why string, err error) {
	m, there, err := conn.Message(ctx, schema.EventsStream, heading.Sequence)
	if err != nil {
		return "", "", err
	}
	if !there {
		return "", "it is gone meanwhile", nil
	}
	e, err := stream.DecodeEvent(m)
	if err != nil {
		return "", "it cannot be decoded", nil //nolint:nilerr // it has a dead letter of its own
	}
	if erased, err := conn.Erased(ctx, e.Provider, e.Account()); erased || err != nil {
		return "", "its account is erased", err
	}
	if dryRun {
		e.Redrive = past.next(e)
		return e.Key(), "", nil
	}
	if e.Redrive, _, err = past.send(ctx, conn, e, what.queue.Name, false); err != nil {
		return "", "", err
	}
	return e.Key(), "", nil
}
