package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newFindCommand(t terminal) *cobra.Command {
	var f finding
	cmd := &cobra.Command{
		Use:     "find ACCOUNT",
		GroupID: groupObserve,
		Short:   "Print all that the streams have of one account",
		Long: `wagewire find prints what the streams have of one account, oldest first: its events,
its waiting events, its completions, its dead letters and its state. Then it ends.

ACCOUNT is the provider's id of an account or of a person, or its token in subjects. Different
providers may have the same id: --provider chooses one.

A line has the time, the provider, what it is, and the event. No line has data of the person.`,
		Example: `  See what became of an account:
    wagewire find 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65
  See which completions of an account failed, for a program:
    wagewire find 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --json |
      jq '.entries[] | select(.outcome == "failed")'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return command.UsageError("give one account: the provider's id, or its token")
			}
			return nil
		},
	}
	addProvider(cmd, &f.provider, "only of")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print a JSON object")
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		return f.run(ctx, s, args[0])
	})
}

// finding is the command line of wagewire find, and what is found.
type finding struct {
	provider schema.Provider
	asJSON   bool

	entries []foundEntry
}

// foundEntry is a message about the account. Fields that a kind of message lacks are empty.
type foundEntry struct {
	At       time.Time       `json:"at"`
	Provider schema.Provider `json:"provider"`
	// What is event, waiting, completion, dead letter, state or tombstone.
	What string `json:"what"`
	// Account is the account's token.
	Account string `json:"account"`
	// Event is the key of the event.
	Event    string               `json:"event,omitempty"`
	Type     string               `json:"type,omitempty"`
	Queue    string               `json:"queue,omitempty"`
	Resource schema.Resource      `json:"resource,omitempty"`
	Outcome  schema.Outcome       `json:"outcome,omitempty"`
	Class    schema.Class         `json:"class,omitempty"`
	Reason   schema.Reason        `json:"reason,omitempty"`
	Attempts int                  `json:"attempts,omitempty"`
	Number   uint64               `json:"number,omitempty"`
	NextTry  time.Time            `json:"next_try,omitzero"`
	Status   schema.AccountStatus `json:"status,omitempty"`
	Backfill bool                 `json:"backfill,omitempty"`
}

// The kinds of entries.
const (
	foundEvent      = "event"
	foundWaiting    = "waiting"
	foundCompletion = "completion"
	foundLetter     = "dead letter"
	foundState      = "state"
	foundTombstone  = "tombstone"
)

func (f *finding) run(ctx context.Context, s session, name string) error {
	for _, p := range schema.Providers() {
		if f.provider != "" && f.provider != p {
			continue
		}
		for _, token := range subjectTokens(name) {
			if err := f.read(ctx, s, p, token); err != nil {
				return err
			}
		}
	}
	if len(f.entries) == 0 {
		return fmt.Errorf("nothing of account %s is on the streams: "+
			"no webhook named it, or they are older than the streams keep", plain.Word(name))
	}
	slices.SortStableFunc(f.entries, func(a, b foundEntry) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Event, b.Event))
	})
	if f.asJSON {
		return json.NewEncoder(s.stdout).Encode(map[string]any{"entries": f.entries})
	}
	return printEntries(s.stdout, f.entries, time.Now())
}

// subjectTokens are the tokens under which the account or the person may stand in subjects. The id
// of a person is always hashed.
func subjectTokens(name string) []string {
	tokens := append(accountTokens(name), schema.HashToken(name))
	slices.Sort(tokens)
	return slices.Compact(tokens)
}

// read adds the entries of an account.
func (f *finding) read(ctx context.Context, s session, p schema.Provider, token string) error {
	for _, read := range []func(context.Context, session, schema.Provider, string) error{
		f.readEvents, f.readWaiting, f.readCompletions, f.readLetters, f.readState,
	} {
		if err := read(ctx, s, p, token); err != nil {
			return err
		}
	}
	return nil
}

func (f *finding) add(e foundEntry) {
	e.At = e.At.UTC()
	f.entries = append(f.entries, e)
}

func (f *finding) readEvents(
	ctx context.Context, s session, p schema.Provider, token string,
) error {
	which := stream.Selection{Filters: []string{schema.AccountEvents(p, "*", "*", token)}}
	return s.Headings(ctx, which, func(h stream.Heading) error {
		at := h.Event.ReceivedAt
		if h.Event.Redrive > 0 || at.IsZero() {
			at = h.At // the redrive came later than the webhook
		}
		f.add(foundEntry{
			At: at, Provider: p, What: foundEvent, Account: token, Event: h.Event.Key(),
			Type: h.Event.Type, Queue: h.Event.Queue, Backfill: h.Event.Backfill,
		})
		return nil
	})
}

func (f *finding) readWaiting(
	ctx context.Context, s session, p schema.Provider, token string,
) error {
	return s.Waiting(ctx, "*", token, func(w stream.Waiting) error {
		if w.Event.Provider == p {
			f.add(foundEntry{
				At: w.Since, Provider: p, What: foundWaiting, Account: token,
				Event: w.Event.Key(), Type: w.Event.Type, Queue: w.Queue, Class: w.Class,
				Attempts: w.Failures.Total(), NextTry: w.Until.UTC(),
			})
		}
		return nil
	})
}

func (f *finding) readCompletions(
	ctx context.Context, s session, p schema.Provider, token string,
) error {
	which := stream.Selection{Filters: []string{schema.AccountCompletions(p, token)}}
	return s.Scan(ctx, schema.CompletionsStream, which, func(m stream.Stored) error {
		var c schema.Completion
		if err := json.Unmarshal(m.Body, &c); err != nil {
			return fmt.Errorf("decode %s: %w", m.Subject, err)
		}
		event, _, _ := schema.ParseCompletionKey(c.ID)
		e := foundEntry{
			At: c.Time, Provider: p, What: foundCompletion, Account: token, Event: event,
			Type: c.Data.Event.Type, Resource: c.Data.Resource, Outcome: c.Data.Outcome,
			Attempts: c.Data.Attempts,
		}
		if c.Data.Error != nil {
			e.Class = schema.Class(c.Data.Error.Class)
		}
		f.add(e)
		return nil
	})
}

func (f *finding) readLetters(
	ctx context.Context, s session, p schema.Provider, token string,
) error {
	which := stream.Selection{
		Filters: []string{schema.DeadLetterSubject("*", token)}, HeadersOnly: true,
	}
	return s.Scan(ctx, schema.DeadLettersStream, which, func(m stream.Stored) error {
		l := stream.ReadLetter(m)
		if l.Event.Provider == p {
			f.add(foundEntry{
				At: l.At, Provider: p, What: foundLetter, Account: token, Event: l.Event.Key(),
				Type: l.Event.Type, Queue: l.Queue, Class: l.Class, Reason: l.Reason,
				Attempts: l.Attempts, Number: l.Number,
			})
		}
		return nil
	})
}

func (f *finding) readState(
	ctx context.Context, s session, p schema.Provider, token string,
) error {
	state, err := s.State(ctx, p, token)
	if err != nil && !errors.Is(err, stream.ErrBadState) {
		return err
	}
	if state.Exists() {
		f.add(foundEntry{
			At: state.Time, Provider: p, What: foundState, Account: token,
			Status: state.Data.Status,
		})
	}
	which := stream.Selection{
		Filters: []string{schema.TombstoneSubject(p, token)}, HeadersOnly: true,
	}
	return s.Scan(ctx, schema.CompletionsStream, which, func(m stream.Stored) error {
		f.add(foundEntry{At: m.At, Provider: p, What: foundTombstone, Account: token})
		return nil
	})
}

func printEntries(w io.Writer, entries []foundEntry, now time.Time) error {
	table := newTable(w)
	fmt.Fprintln(table, "AT\tPROVIDER\tWHAT\tEVENT\tTYPE\tSAYS")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", plain.Time(e.At), e.Provider, e.What,
			wordOrDash(e.Event), wordOrDash(e.Type), e.says(now))
	}
	return table.Flush()
}

func wordOrDash(word string) string {
	if word == "" {
		return "-"
	}
	return plain.Word(word)
}

// says is the rest of the line.
func (e foundEntry) says(now time.Time) string {
	switch e.What {
	case foundEvent:
		return e.saysOfEvent()
	case foundWaiting:
		return fmt.Sprintf("%s: %s, %s, next try %s", e.Queue, plain.Word(e.Class),
			plain.Count(e.Attempts, "failure"), plain.In(e.NextTry, now))
	case foundCompletion:
		says := fmt.Sprintf("%s: %s, %s", plain.Word(e.Resource), plain.Word(e.Outcome),
			plain.Count(e.Attempts, "attempt"))
		if e.Class != "" {
			says += ", class " + plain.Word(e.Class)
		}
		return says
	case foundLetter:
		return fmt.Sprintf("number %d of %s: %s, %s", e.Number, plain.Word(e.Queue), plain.Word(e.Class),
			plain.Word(e.Reason))
	case foundState:
		if e.Status == "" {
			return "cannot be read"
		}
		return plain.Word(e.Status)
	default:
		return "the account is erased"
	}
}

func (e foundEntry) saysOfEvent() string {
	switch {
	case e.Queue != "":
		return "sent again to " + plain.Word(e.Queue)
	case e.Backfill:
		return "stored, as a backfill"
	default:
		return "stored"
	}
}
