package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const deadHelp = `wagewire dead looks after dead letters: our copies of events that no worker could finish.

Usage:
  wagewire dead list              [flags]   a line each: number, when, queue, type, account, class, reason, attempts, event
  wagewire dead show    NUMBER    [flags]   all of one but its body
  wagewire dead redrive NUMBER... [flags]   send them through their queues again, and delete them
  wagewire dead discard NUMBER... [flags]   delete them, for good

Which ones redrive and discard take is said by numbers, by the flags below that choose, or by --all. They ask before they do
anything, and need --yes where nobody can answer.

Redrive gives the event a name of its own, ID:r1, then ID:r2 and so on: the completion of the first attempt stands, and this one
gets another. It goes to the one queue that gave it up, even if others read its type. The dead letter is deleted when the
event is stored; if redrive ends in between, run it again: what was sent before is not sent twice. What cannot be decoded, and
what belongs to an erased account, cannot be redriven and stays.

Flags that choose:
  --queue NAME       those of one queue, such as pinwheel_paystubs
  --class CLASS      transient, not_ready, throttled, unauthorized, permanent, contract, poison or exhausted
  --provider NAME    pinwheel or truv
  --account ID       of an account or an end user: the provider's id, or the account as the list shows it
  --since TIME       given up since: 1h, 2d, 2026-01-12T02:36:00Z, or all (all)
  --until TIME       given up before, likewise (now)
  --all              every one there is

Flags:
  --dry-run          redrive and discard print what they would do, and do nothing
  --yes              do not ask
  --rate N           redrive so many a second at most; 0 is as fast as it goes (0)
  --body             show prints the webhook, too, as it was received
  --json             list and show print one JSON object a line
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  What has been given up since yesterday:
    wagewire dead list --since 24h
  After an outage, what the retries did not outlast:
    wagewire dead redrive --class transient --dry-run
    wagewire dead redrive --class transient --rate 20
  One, after a look at it:
    wagewire dead show 17
    wagewire dead redrive 17 --yes
  Webhooks of an account that nobody wants any more:
    wagewire dead discard --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, 1 failed, declined, or something could not be redriven, 2 wrong usage
`

// letterFilter is which dead letters are meant. The zero value is all of them.
type letterFilter struct {
	queue, class, provider, account string
	span
}

// deadFlagged is the command line of `wagewire dead`.
type deadFlagged struct {
	filter       letterFilter
	since, until string
	all          bool
	consent
	rate       int
	body, json bool
	wait       time.Duration
}

func deadFlags(flags *flag.FlagSet) action {
	var f deadFlagged
	flags.StringVar(&f.filter.queue, "queue", "", "")
	flags.StringVar(&f.filter.class, "class", "", "")
	flags.StringVar(&f.filter.provider, "provider", "", "")
	flags.StringVar(&f.filter.account, "account", "", "")
	flags.StringVar(&f.since, "since", "all", "")
	flags.StringVar(&f.until, "until", "now", "")
	flags.BoolVar(&f.all, "all", false, "")
	flags.BoolVar(&f.dryRun, "dry-run", false, "")
	flags.BoolVar(&f.yes, "yes", false, "")
	flags.IntVar(&f.rate, "rate", 0, "")
	flags.BoolVar(&f.body, "body", false, "")
	flags.BoolVar(&f.json, "json", false, "")
	flags.DurationVar(&f.wait, "wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) (err error) {
		verb, args, err := verbIn("dead", args, "list", "show", "redrive", "discard")
		if err != nil {
			return err
		}
		if f.filter.span, err = spanOf(f.since, f.until, time.Now()); err != nil {
			return err
		}
		if err := errors.Join(f.filter.check(), checkRate(f.rate)); err != nil {
			return err
		}
		numbers, err := numbersOf(args)
		if err != nil {
			return err
		}
		chosen := len(numbers) > 0 || !f.filter.everything() || f.all
		if err := checkChoice("dead", verb, args, chosen); err != nil {
			return err
		}
		if acts(verb) {
			if err := f.possible(t); err != nil {
				return err
			}
		}
		return attend(ctx, t, f.wait, func(conn *stream.Operator) error {
			letters, numbers, err := keptIn(ctx, conn, deadLetters, numbers, stream.ReadLetter, f.filter.takes)
			switch {
			case err != nil:
				return err
			case verb == "list":
				return listLetters(t, letters, f.json)
			case verb == "show":
				return showLetter(t, letters[0], f.body, f.json)
			case len(letters) == 0:
				deadLetters.none(t)
				return nil
			case verb == "redrive":
				return redrive(ctx, t, conn, letters, f)
			case f.dryRun:
				return deadLetters.wouldDiscard(t, len(letters), listLetters(t, letters, f.json))
			default:
				return deadLetters.discard(ctx, t, conn, numbers, " ("+byQueue(letters)+")", f.consent, f.rate)
			}
		})
	}
}

func (f letterFilter) check() error {
	classes := []schema.Class{
		schema.ClassTransient, schema.ClassNotReady, schema.ClassThrottled, schema.ClassUnauthorized,
		schema.ClassPermanent, schema.ClassContract, schema.ClassPoison, schema.ClassExhausted,
	}
	if f.queue != "" {
		if _, err := queueOf(f.queue); err != nil {
			return err
		}
	}
	if f.class != "" && !slices.Contains(classes, schema.Class(f.class)) {
		return wrongUsage("--class: %q is none of %s", f.class, join(classes))
	}
	return checkProvider(f.provider)
}

func (f letterFilter) everything() bool {
	return f.queue+f.class+f.provider+f.account == "" && f.whole()
}

func (f letterFilter) takes(l stream.Letter) bool {
	return (f.queue == "" || f.queue == l.Queue) &&
		(f.class == "" || f.class == string(l.Class)) &&
		(f.provider == "" || f.provider == string(l.Event.Provider)) &&
		(f.account == "" || isAccount(l.Account, f.account)) &&
		f.holds(l.At)
}

// letterJSON is a dead letter for another program.
type letterJSON struct {
	Number     uint64              `json:"number"`
	At         time.Time           `json:"at"`
	Queue      string              `json:"queue"`
	Class      schema.Class        `json:"class"`
	Reason     schema.Reason       `json:"reason"`
	Attempts   int                 `json:"attempts"`
	Event      string              `json:"event"`
	Type       string              `json:"type"`
	Account    string              `json:"account"`
	ReceivedAt time.Time           `json:"received_at,omitzero"`
	Sequence   uint64              `json:"event_sequence"`
	BodyBytes  int                 `json:"body_bytes"`
	Headers    map[string][]string `json:"headers,omitempty"`
	Body       *string             `json:"body,omitempty"`
}

func jsonOf(l stream.Letter) letterJSON {
	return letterJSON{
		Number: l.Number, At: l.At.UTC(), Queue: l.Queue, Class: l.Class, Reason: l.Reason, Attempts: l.Attempts, Event: l.Event.Key(), Type: l.Event.Type,
		Account: l.Account, ReceivedAt: l.Event.ReceivedAt.UTC(), Sequence: l.Sequence, BodyBytes: l.BodyBytes,
	}
}

func listLetters(t terminal, letters []stream.Letter, whole bool) error {
	if whole {
		lines := json.NewEncoder(t.stdout)
		for _, l := range letters {
			if err := lines.Encode(jsonOf(l)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(letters) == 0 {
		deadLetters.none(t)
		return nil
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tAT\tQUEUE\tTYPE\tACCOUNT\tCLASS\tREASON\tATTEMPTS\tEVENT")
	for _, l := range letters {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", l.Number, moment(l.At), plain(l.Queue), plain(l.Event.Type),
			plain(l.Account), plain(string(l.Class)), plain(string(l.Reason)), l.Attempts, plain(l.Event.Key()))
	}
	return table.Flush()
}

func showLetter(t terminal, l stream.Letter, body, whole bool) error {
	if whole {
		out := jsonOf(l)
		out.Headers = l.Headers
		if body {
			text := string(l.Body)
			out.Body = &text
		}
		return json.NewEncoder(t.stdout).Encode(out)
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"number", fmt.Sprint(l.Number)}, {"at", moment(l.At)}, {"queue", l.Queue}, {"class", string(l.Class)}, {"reason", string(l.Reason)},
		{"attempts", fmt.Sprint(l.Attempts)}, {"event", l.Event.Key()}, {"type", l.Event.Type}, {"account", l.Account},
		{"occurred", moment(l.Event.OccurredAt)}, {"received", moment(l.Event.ReceivedAt)}, {"event sequence", fmt.Sprint(l.Sequence)},
		{"body", fmt.Sprintf("%d bytes", l.BodyBytes)}, {"decodes", decodes(l)},
	} {
		fmt.Fprintf(table, "%s\t%s\n", line[0], readable([]byte(line[1])))
	}
	fmt.Fprintln(table, "\nheaders\t")
	for _, name := range sortedKeys(l.Headers) {
		for _, value := range l.Headers[name] {
			fmt.Fprintf(table, "  %s\t%s\n", plain(name), readable([]byte(value)))
		}
	}
	if err := table.Flush(); err != nil || !body {
		return err
	}
	fmt.Fprintln(t.stdout)
	return printBody(t, l.Body)
}

func decodes(l stream.Letter) string {
	if _, err := l.Decode(); err != nil {
		return fmt.Sprintf("no: %v", err)
	}
	return "yes"
}

func sortedKeys(m map[string][]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// byQueue is "3 of pinwheel_paystubs and 1 of truv_link".
func byQueue(letters []stream.Letter) string {
	counts := map[string]int{}
	var queues []string
	for _, l := range letters {
		if counts[l.Queue]++; counts[l.Queue] == 1 {
			queues = append(queues, l.Queue)
		}
	}
	slices.Sort(queues)
	for i, q := range queues {
		queues[i] = fmt.Sprintf("%d of %s", counts[q], plain(q))
	}
	return strings.Join(queues, ", ")
}

// redrive sends each dead letter's event through its queue again, and only then deletes the dead letter. A crash in between
// leaves one whose event is found on the stream, and which is then only deleted.
func redrive(ctx context.Context, t terminal, conn *stream.Operator, letters []stream.Letter, f deadFlagged) error {
	var events []schema.Event
	for _, l := range letters {
		events = append(events, l.Event)
	}
	past, err := historyOf(ctx, conn, events...)
	if err != nil {
		return err
	}
	if !f.dryRun {
		question := fmt.Sprintf("send %s through their queues again (%s)?", plural(len(letters), "dead letter"), byQueue(letters))
		if err := f.given(ctx, t, question); err != nil {
			return err
		}
	}
	sent, kept := 0, 0
	err = paced(ctx, t, len(letters), f.rate, func(i int) error {
		l := letters[i]
		said, again, err := redriveOne(ctx, conn, past, l, f.dryRun)
		if err != nil {
			return fmt.Errorf("redrive dead letter %d: %w", l.Number, err)
		}
		if again {
			sent++
		} else {
			kept++
		}
		fmt.Fprintf(t.stdout, "%d  %s  %s\n", l.Number, plain(l.Event.Key()), said)
		return nil
	})
	switch {
	case err != nil:
		return err
	case f.dryRun:
		fmt.Fprintf(t.stderr, "would redrive %d of %s\n", sent, plural(len(letters), "dead letter"))
	default:
		fmt.Fprintf(t.stderr, "redrove %d of %s\n", sent, plural(len(letters), "dead letter"))
	}
	if kept > 0 {
		return fmt.Errorf("%s could not be redriven", plural(kept, "dead letter"))
	}
	return nil
}

// redriveOne says what became of one dead letter, and whether its event is on its way.
func redriveOne(ctx context.Context, conn *stream.Operator, past history, l stream.Letter, dryRun bool) (said string, again bool, err error) {
	m, there, err := conn.Message(ctx, schema.DeadLettersStream, l.Number)
	if err != nil {
		return "", false, err
	}
	if !there {
		return "is gone meanwhile", true, nil
	}
	l = stream.ReadLetter(m)
	e, err := l.Decode()
	if err != nil {
		return fmt.Sprintf("kept: it cannot be decoded, only discarded: %s", readable([]byte(err.Error()))), false, nil //nolint:nilerr // it is told
	}
	q, err := queueOf(l.Queue)
	if err != nil || !reads(q, schema.Lookup(e.Provider, e.Type)) {
		return fmt.Sprintf("kept: no queue %s reads %s any more", plain(l.Queue), plain(e.Type)), false, nil //nolint:nilerr // it is told
	}
	why, err := refused(ctx, conn, e)
	if err != nil {
		return "", false, err
	}
	if why != "" {
		return fmt.Sprintf("kept: %s: discard it", why), false, nil
	}
	n, before := past.sentBefore(e, q.Name)
	switch {
	case dryRun && before:
		return fmt.Sprintf("was sent before as :r%d, would be deleted", n), true, nil
	case dryRun:
		return fmt.Sprintf("would be sent to %s as :r%d", q.Name, past.next(e)), true, nil
	}
	stored := false
	if !before {
		if n, stored, err = past.send(ctx, conn, e, q.Name, true); err != nil {
			return "", false, err
		}
	}
	if err := conn.Discard(ctx, schema.DeadLettersStream, l.Number); err != nil {
		return "", false, err
	}
	e.Redrive = n
	if !stored {
		return fmt.Sprintf("was sent before as %s, deleted", e.Key()), true, nil
	}
	return fmt.Sprintf("sent to %s as %s", q.Name, e.Key()), true, nil
}
