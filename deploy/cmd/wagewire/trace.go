package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const traceHelp = `wagewire trace tells the life of one event, from what is on the streams.

Usage:
  wagewire trace EVENT [flags]

EVENT is the provider's event_id or webhook_id, or the name under which Wagewire knows it: pinwheel:ID, or pinwheel:ID:r1 for
what an operator sent again the first time.

It tells when the webhook was received and stored, each time it was sent again, and for each queue that reads its type: whether
it waits, is in flight or settled, its completion, its dead letter, and what the broker said when deliveries ran out.

What it cannot tell, because it is nowhere stored: duplicates of the webhook, which are answered and dropped; attempts that came to
nothing, of which a completion, a dead letter or the broker's word has the number and the workers' logs the rest; and, of an event
in flight, whether a worker has it right now. Events are kept 14 days, completions 21, dead letters 90. An erased account's
events, completions and dead letters are gone.

Flags:
  --json             print one JSON object
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  What became of a webhook:
    wagewire trace 5a141122-4235-4fa1-bd76-0628573880b0
  The same, of one that was redriven:
    wagewire trace pinwheel:5a141122-4235-4fa1-bd76-0628573880b0:r1
  For another program:
    wagewire trace pinwheel:5a141122-4235-4fa1-bd76-0628573880b0 --json

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, 1 failed, or nothing of the event is on the streams; 2 wrong usage
`

func traceFlags(flags *flag.FlagSet) action {
	whole := flags.Bool("json", false, "")
	wait := flags.Duration("wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return wrongUsage("it takes one event id, not %d", len(args))
		}
		return attend(ctx, t, *wait, func(conn *stream.Operator) error {
			lives, err := livesOf(ctx, conn, sought(args[0]))
			if err != nil {
				return err
			}
			if len(lives) == 0 {
				return fmt.Errorf("nothing of event %s is on the streams: it was never stored, is older than they keep, or its account is erased", plain(args[0]))
			}
			if *whole {
				return json.NewEncoder(t.stdout).Encode(map[string]any{"event": args[0], "lives": lives})
			}
			for i, l := range lives {
				if i > 0 {
					fmt.Fprintln(t.stdout)
				}
				l.print(t.stdout)
			}
			return nil
		})
	}
}

// wanted is the event that was asked for. Zero fields are any.
type wanted struct {
	providers []schema.Provider
	id        string
	// redrive is -1 for any.
	redrive int
}

var keyForm = regexp.MustCompile(`^(?:([a-z]+):)?(.*?)(?::r([1-9][0-9]*))?$`)

// sought reads an event's name: the id alone, or <provider>:<id>[:rN].
func sought(name string) wanted {
	w := wanted{providers: schema.Providers(), id: name, redrive: -1}
	parts := keyForm.FindStringSubmatch(name)
	if parts == nil || parts[1] == "" || !slices.Contains(schema.Providers(), schema.Provider(parts[1])) {
		return w
	}
	w.providers, w.id = []schema.Provider{schema.Provider(parts[1])}, parts[2]
	if n, err := strconv.Atoi(parts[3]); err == nil {
		w.redrive = n
	}
	return w
}

func (w wanted) is(e schema.Event) bool {
	return slices.Contains(w.providers, e.Provider) && (e.ID == w.id || schema.Token(e.ID) == w.id) && (w.redrive < 0 || w.redrive == e.Redrive)
}

// life is one passage of an event through the line: the webhook's own, or a redrive's.
type life struct {
	Event    string          `json:"event"`
	Provider schema.Provider `json:"provider"`
	Type     string          `json:"type"`
	Account  string          `json:"account"`
	// Erased: the account has a tombstone.
	Erased bool `json:"erased"`
	// Redrive is 0 for the webhook itself; Queue is the one a redrive is for, "" for all.
	Redrive int    `json:"redrive"`
	Queue   string `json:"queue,omitempty"`
	// Stored is where the event lies, null where it is gone.
	Stored *storedEvent `json:"stored"`
	Queues []fate       `json:"queues"`

	event schema.Event
}

type storedEvent struct {
	At         time.Time `json:"at"`
	OccurredAt time.Time `json:"occurred_at"`
	ReceivedAt time.Time `json:"received_at"`
	Sequence   uint64    `json:"sequence"`
	Subject    string    `json:"subject"`
	BodyBytes  int       `json:"body_bytes"`
	BodySHA256 string    `json:"body_sha256"`
}

// fate is what one queue made of an event.
type fate struct {
	Queue string `json:"queue"`
	// State is one of the words below; Note says what it leaves open.
	State       string        `json:"state"`
	Note        string        `json:"note,omitempty"`
	Ended       *deliveries   `json:"deliveries_ended,omitempty"`
	DeadLetters []letterJSON  `json:"dead_letters,omitempty"`
	Completion  *completedOne `json:"completion,omitempty"`
}

// States of an event in a queue.
const (
	stateWaiting   = "waiting"
	stateInFlight  = "in_flight"
	stateSettled   = "settled"
	stateCompleted = "completed"
	stateDead      = "dead_letter"
	stateExhausted = "exhausted"
	stateErased    = "erased"
	stateUnknown   = "unknown"
)

type deliveries struct {
	At         time.Time `json:"at"`
	Deliveries int       `json:"deliveries"`
	Exhausted  bool      `json:"exhausted"`
	Reason     string    `json:"reason,omitempty"`
}

type completedOne struct {
	ID       string                  `json:"id"`
	At       time.Time               `json:"at"`
	Outcome  schema.Outcome          `json:"outcome"`
	Attempts int                     `json:"attempts"`
	Records  int                     `json:"records"`
	Error    *schema.CompletionError `json:"error"`
}

// livesOf gathers what the streams have of an event, a life for the webhook and each redrive.
func livesOf(ctx context.Context, conn *stream.Operator, w wanted) ([]*life, error) {
	var lives []*life
	find := func(e schema.Event, account string) *life {
		for _, l := range lives {
			if l.Event == e.Key() {
				return l
			}
		}
		l := &life{Event: e.Key(), Provider: e.Provider, Type: e.Type, Account: account, Redrive: e.Redrive, Queue: e.Queue, Queues: []fate{}, event: e}
		lives = append(lives, l)
		return l
	}
	err := conn.Headings(ctx, stream.Selection{}, func(h stream.Heading) error {
		if w.is(h.Event) {
			find(h.Event, h.Account).Stored = &storedEvent{
				h.At.UTC(), h.Event.OccurredAt.UTC(), h.Event.ReceivedAt.UTC(), h.Sequence, h.Subject, h.BodyBytes, h.BodySHA256,
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	letters := map[string][]stream.Letter{}
	err = conn.Scan(ctx, schema.DeadLettersStream, stream.Selection{HeadersOnly: true}, func(m stream.Stored) error {
		if l := stream.ReadLetter(m); w.is(l.Event) {
			e := l.Event
			if e.Redrive == 0 {
				e.Queue = "" // the letter's queue is not one that the event was sent to
			}
			find(e, l.Account)
			letters[e.Key()] = append(letters[e.Key()], l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	completions, err := completionsOf(ctx, conn, w, lives)
	if err != nil {
		return nil, err
	}
	for _, c := range completions {
		find(c.event, c.Subject)
	}
	ended, err := endingsOf(ctx, conn, lives)
	if err != nil {
		return nil, err
	}
	for _, l := range lives {
		if err := l.tell(ctx, conn, letters[l.Event], completions, ended); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(lives, func(a, b *life) int { return cmp.Compare(a.Redrive, b.Redrive) })
	return lives, nil
}

// found is a completion and the event it ends.
type found struct {
	schema.Completion
	event schema.Event
}

// completionsOf looks up the completions of the lives, and of the event that was asked for, which may be gone itself, with
// its redrives one by one as long as there are any.
func completionsOf(ctx context.Context, conn *stream.Operator, w wanted, lives []*life) ([]found, error) {
	var all []found
	asked := map[string]bool{}
	look := func(e schema.Event) (some bool, err error) {
		if asked[e.Key()] {
			return true, nil
		}
		asked[e.Key()] = true
		completions, err := conn.CompletionsOf(ctx, e)
		for _, c := range completions {
			of := e
			of.Type = c.Data.Event.Type
			of.OccurredAt, of.ReceivedAt = c.Data.Event.OccurredAt, c.Data.Event.ReceivedAt
			if c.ID == of.CompletionKey(c.Data.Resource) { // else the id only looks like a redrive's
				all = append(all, found{c, of})
			}
		}
		return len(completions) > 0, err
	}
	for _, l := range lives {
		if _, err := look(l.event); err != nil {
			return nil, err
		}
	}
	for _, p := range w.providers {
		for n := max(w.redrive, 0); ; n++ {
			some, err := look(schema.Event{Provider: p, ID: w.id, Redrive: n})
			if err != nil {
				return nil, err
			}
			if w.redrive >= 0 || !some {
				break
			}
		}
	}
	return all, nil
}

// endingsOf returns what the broker said of the ends of the lives' deliveries.
func endingsOf(ctx context.Context, conn *stream.Operator, lives []*life) ([]stream.Ended, error) {
	var all []stream.Ended
	err := conn.Endings(ctx, func(e stream.Ended) error {
		if slices.ContainsFunc(lives, func(l *life) bool { return l.Stored != nil && l.Stored.Sequence == e.Sequence }) {
			all = append(all, e)
		}
		return nil
	})
	if errors.Is(err, stream.ErrNoQueue) {
		err = nil
	}
	return all, err
}

// tell fills in what became of the event in each queue that reads its type.
func (l *life) tell(ctx context.Context, conn *stream.Operator, letters []stream.Letter, completions []found, ended []stream.Ended) (err error) {
	if l.Erased, err = conn.Erased(ctx, l.Provider, l.Account); err != nil {
		return err
	}
	for _, q := range schema.Queues() {
		if !reads(q, schema.Lookup(l.Provider, l.Type)) || l.Queue != "" && l.Queue != q.Name {
			continue
		}
		f := fate{Queue: q.Name}
		for _, c := range completions {
			if c.event.Key() == l.Event && c.Data.Provider == q.Provider && c.Data.Resource == q.Resource {
				f.Completion = completedBy(c.Completion)
			}
		}
		for _, letter := range letters {
			if letter.Queue == q.Name {
				f.DeadLetters = append(f.DeadLetters, jsonOf(letter))
			}
		}
		for _, e := range ended {
			if l.Stored != nil && e.Sequence == l.Stored.Sequence && e.Queue == q.Name {
				f.Ended = &deliveries{e.At.UTC(), e.Deliveries, e.Exhausted, e.Reason}
			}
		}
		if f.State, f.Note, err = l.state(ctx, conn, q, f); err != nil {
			return err
		}
		l.Queues = append(l.Queues, f)
	}
	return nil
}

func completedBy(c schema.Completion) *completedOne {
	records := len(c.Data.Records)
	if c.Data.RecordsRef != nil {
		records = c.Data.RecordsRef.Count
	}
	return &completedOne{c.ID, c.Time.UTC(), c.Data.Outcome, c.Data.Attempts, records, c.Data.Error}
}

// state is the event's in the queue. What has a last word needs no look at the queue.
func (l *life) state(ctx context.Context, conn *stream.Operator, q schema.Queue, f fate) (state, note string, err error) {
	switch {
	case f.Completion != nil:
		return stateCompleted, "", nil
	case len(f.DeadLetters) > 0:
		return stateDead, "it has no completion", nil
	case f.Ended != nil && f.Ended.Exhausted && !l.Erased:
		return stateExhausted, "its dead letter and completion are to come: a worker of the queue writes them", nil
	case l.Stored == nil:
		return stateUnknown, "the event is gone from its stream", nil
	}
	at, err := conn.Position(ctx, q)
	switch {
	case errors.Is(err, stream.ErrNoQueue):
		return stateUnknown, "the queue is not there: " + stream.ErrNoQueue.Error(), nil
	case err != nil:
		return "", "", err
	case l.Stored.Sequence > at.Delivered:
		return stateWaiting, "", nil
	case l.Stored.Sequence > at.Settled:
		return stateInFlight, "a worker has it, or it waits for another try: the broker does not tell which, nor how often it was delivered", nil
	case l.Erased:
		return stateErased, "the account is erased: nothing is kept of it", nil
	default:
		return stateSettled, "no completion is kept of it: it is older than these are kept, or was deleted", nil
	}
}

func (l *life) print(w io.Writer) {
	fmt.Fprintf(w, "%s  %s  account %s\n", plain(l.Event), plain(l.Type), plain(l.Account))
	row := func(at time.Time, format string, args ...any) {
		fmt.Fprintf(w, "  %-20s  %s\n", moment(at), fmt.Sprintf(format, args...))
	}
	if s := l.Stored; s == nil {
		row(time.Time{}, "the event is gone from its stream")
	} else {
		row(s.OccurredAt, "occurred, says the provider")
		row(s.ReceivedAt, "received")
		how := "stored"
		if l.Redrive > 0 {
			how = "sent again"
			if l.Queue != "" {
				how += " to " + plain(l.Queue) + " alone"
			}
			how += ", stored"
		}
		row(s.At, "%s as %d of %s, %s, %d bytes", how, s.Sequence, schema.EventsStream, plain(s.Subject), s.BodyBytes)
	}
	if l.Erased {
		row(time.Time{}, "the account is erased")
	}
	if len(l.Queues) == 0 {
		row(time.Time{}, "no queue reads it: it is stored, nothing more")
	}
	for _, f := range l.Queues {
		fmt.Fprintf(w, "  %s: %s\n", f.Queue, strings.ReplaceAll(f.State, "_", " "))
		f.print(func(at time.Time, format string, args ...any) {
			row(at, "  "+format, args...)
		})
	}
}

func (f fate) print(row func(at time.Time, format string, args ...any)) {
	if e := f.Ended; e != nil && e.Exhausted {
		row(e.At, "deliveries ran out after %d", e.Deliveries)
	} else if e != nil {
		row(e.At, "deliveries ended by a worker after %d: %s", e.Deliveries, plain(e.Reason))
	}
	for _, d := range f.DeadLetters {
		row(d.At, "dead letter %d: class %s, reason %s, %s", d.Number, plain(string(d.Class)), plain(string(d.Reason)), plural(d.Attempts, "attempt"))
	}
	if c := f.Completion; c != nil {
		said := fmt.Sprintf("completed: %s, %s, %s", plain(string(c.Outcome)), plural(c.Attempts, "attempt"), plural(c.Records, "record"))
		if c.Error != nil {
			said += ", class " + plain(c.Error.Class)
			if c.Error.Code != "" {
				said += ", code " + plain(c.Error.Code)
			}
		}
		row(c.At, "%s", said)
	}
	if f.Note != "" {
		row(time.Time{}, "%s", f.Note)
	}
}
