package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newTraceCommand(t terminal) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "trace EVENT",
		GroupID: groupObserve,
		Short:   "Print the history of one event",
		Long: `wagewire trace prints the history of one event, as far as the streams have it.

EVENT is the event_id or webhook_id of the provider, or a key of Wagewire: pinwheel:ID, or
pinwheel:ID:r1 for the first redrive.

The history has when the webhook was received and stored, and each redrive. For each queue that
reads the type it has: whether the event waits, is in flight or settled, its completion, its dead
letter, and what the broker reported when deliveries ran out.

The streams do not have everything. Duplicates of the webhook are answered and dropped. Failed
attempts are only in the workers' logs; completions, dead letters and the broker's reports have
their number. Of an event in flight, nobody knows whether a worker has it now.

Events are kept 14 days, completions 21, dead letters 90. The events, completions and dead letters
of an erased account are gone.`,
		Example: `  Print the history of a webhook:
    wagewire trace 5a141122-4235-4fa1-bd76-0628573880b0
  Print the history of a redrive alone:
    wagewire trace pinwheel:5a141122-4235-4fa1-bd76-0628573880b0:r1
  Print a history for another program:
    wagewire trace pinwheel:5a141122-4235-4fa1-bd76-0628573880b0 --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return command.UsageError("give one event id, not %d", len(args))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		return printTrace(ctx, s, args[0], asJSON)
	})
}

func printTrace(ctx context.Context, s session, name string, asJSON bool) error {
	lives, err := traceEvent(ctx, s.Operator, name)
	if err != nil {
		return err
	}
	if len(lives) == 0 {
		return fmt.Errorf("nothing of event %s is on the streams: "+
			"it was never stored, is older than they keep, or its account is erased", plain(name))
	}
	if asJSON {
		return json.NewEncoder(s.stdout).Encode(map[string]any{"event": name, "lives": lives})
	}
	for i, l := range lives {
		if i > 0 {
			fmt.Fprintln(s.stdout)
		}
		l.print(s.stdout)
	}
	return nil
}

// tracer gathers the traces of an event and its redrives on the streams.
type tracer struct {
	op     *stream.Operator
	wanted eventName
	// lives has the lives found so far, by the key of the event.
	lives       map[string]*life
	letters     map[string][]stream.Letter
	completions map[string][]schema.Completion
	endings     []stream.Ended
}

// traceEvent returns a life for the webhook's own event and for each redrive.
func traceEvent(ctx context.Context, op *stream.Operator, name string) ([]*life, error) {
	tr := &tracer{
		op:          op,
		wanted:      parseEventName(name),
		lives:       map[string]*life{},
		letters:     map[string][]stream.Letter{},
		completions: map[string][]schema.Completion{},
	}
	for _, read := range []func(context.Context) error{
		tr.readEvents, tr.readLetters, tr.readCompletions, tr.readEndings,
	} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	lives := tr.sortedLives()
	for _, l := range lives {
		if err := tr.judge(ctx, l); err != nil {
			return nil, err
		}
	}
	return lives, nil
}

func (tr *tracer) sortedLives() []*life {
	return slices.SortedFunc(maps.Values(tr.lives), func(a, b *life) int {
		return cmp.Or(cmp.Compare(a.Redrive, b.Redrive), cmp.Compare(a.Event, b.Event))
	})
}

// lifeOf returns the life of the event, a new life if need be.
func (tr *tracer) lifeOf(e schema.Event, account string) *life {
	key := e.Key()
	if tr.lives[key] == nil {
		tr.lives[key] = &life{
			Event: key, Provider: e.Provider, Type: e.Type, Account: account,
			Redrive: e.Redrive, Queue: e.Queue, Queues: []fate{}, event: e,
		}
	}
	return tr.lives[key]
}

func (tr *tracer) readEvents(ctx context.Context) error {
	return tr.op.Headings(ctx, stream.Selection{}, func(h stream.Heading) error {
		if tr.wanted.matches(h.Event) {
			tr.lifeOf(h.Event, h.Account).Stored = newStoredEvent(h)
		}
		return nil
	})
}

func (tr *tracer) readLetters(ctx context.Context) error {
	selection := stream.Selection{HeadersOnly: true}
	return tr.op.Scan(ctx, schema.DeadLettersStream, selection, func(m stream.Stored) error {
		l := stream.ReadLetter(m)
		if !tr.wanted.matches(l.Event) {
			return nil
		}
		e := l.Event
		if e.Redrive == 0 {
			e.Queue = "" // the queue of the letter; the event itself went to every queue
		}
		tr.lifeOf(e, l.Account)
		tr.letters[e.Key()] = append(tr.letters[e.Key()], l)
		return nil
	})
}

// readCompletions looks up the completions of the known lives and of the wanted event. The event
// may be gone, so its redrives are tried one by one until a redrive has no completion.
func (tr *tracer) readCompletions(ctx context.Context) error {
	for _, l := range tr.sortedLives() {
		if _, err := tr.readCompletionsOf(ctx, l.event); err != nil {
			return err
		}
	}
	for _, p := range tr.wanted.providers {
		for n := max(tr.wanted.redrive, 0); ; n++ {
			found, err := tr.readCompletionsOf(ctx,
				schema.Event{Provider: p, ID: tr.wanted.id, Redrive: n})
			if err != nil {
				return err
			}
			if !found || tr.wanted.redrive >= 0 {
				break
			}
		}
	}
	return nil
}

// readCompletionsOf looks up the completions of an event. It returns true if the event is known,
// from a life or a completion.
func (tr *tracer) readCompletionsOf(ctx context.Context, e schema.Event) (found bool, err error) {
	if _, isRead := tr.completions[e.Key()]; isRead {
		return true, nil
	}
	completions, err := tr.op.CompletionsOf(ctx, e)
	if err != nil {
		return false, err
	}
	tr.completions[e.Key()] = nil
	for _, c := range completions {
		e.Type = c.Data.Event.Type
		e.OccurredAt = c.Data.Event.OccurredAt
		e.ReceivedAt = c.Data.Event.ReceivedAt
		// If the ids differ, the provider's id only looks like a redrive's.
		if c.ID == e.CompletionKey(c.Data.Resource) {
			tr.lifeOf(e, c.Subject)
			tr.completions[e.Key()] = append(tr.completions[e.Key()], c)
		}
	}
	return len(completions) > 0, nil
}

// readEndings reads the broker's reports on the deliveries of the lives.
func (tr *tracer) readEndings(ctx context.Context) error {
	stored := map[uint64]bool{}
	for _, l := range tr.lives {
		if l.Stored != nil {
			stored[l.Stored.Sequence] = true
		}
	}
	err := tr.op.Endings(ctx, func(e stream.Ended) error {
		if stored[e.Sequence] {
			tr.endings = append(tr.endings, e)
		}
		return nil
	})
	if errors.Is(err, stream.ErrNoQueue) {
		return nil
	}
	return err
}

// judge fills in the fate of the event in each queue that reads its type.
func (tr *tracer) judge(ctx context.Context, l *life) (err error) {
	l.Erased, err = tr.op.Erased(ctx, l.Provider, l.Account)
	if err != nil {
		return err
	}
	for _, q := range schema.Queues() {
		if !readsType(q, schema.Lookup(l.Provider, l.Type)) || l.Queue != "" && l.Queue != q.Name {
			continue
		}
		f := tr.fateIn(l, q)
		f.State, f.Note, err = tr.stateIn(ctx, l, q, f)
		if err != nil {
			return err
		}
		l.Queues = append(l.Queues, f)
	}
	return nil
}

// fateIn gathers the traces of the event in a queue.
func (tr *tracer) fateIn(l *life, q schema.Queue) fate {
	f := fate{Queue: q.Name}
	for _, c := range tr.completions[l.Event] {
		if c.Data.Provider == q.Provider && c.Data.Resource == q.Resource {
			f.Completion = newCompletionSummary(c)
		}
	}
	for _, letter := range tr.letters[l.Event] {
		if letter.Queue == q.Name {
			f.DeadLetters = append(f.DeadLetters, newLetterJSON(letter))
		}
	}
	for _, e := range tr.endings {
		if l.Stored != nil && e.Sequence == l.Stored.Sequence && e.Queue == q.Name {
			f.Ended = &deliveries{e.At.UTC(), e.Deliveries, e.Exhausted, e.Reason}
		}
	}
	return f
}

// stateIn decides the state of the event in the queue. Only an event without an end needs a look at
// the queue.
func (tr *tracer) stateIn(
	ctx context.Context, l *life, q schema.Queue, f fate,
) (state, note string, err error) {
	switch {
	case f.Completion != nil:
		return stateCompleted, "", nil
	case len(f.DeadLetters) > 0:
		return stateDead, "it has no completion", nil
	case f.Ended != nil && f.Ended.Exhausted && !l.Erased:
		return stateExhausted, "its dead letter and completion are to come: " +
			"a worker of the queue writes them", nil
	case l.Stored == nil:
		return stateUnknown, "the event is gone from its stream", nil
	}
	at, err := tr.op.Position(ctx, q)
	switch {
	case errors.Is(err, stream.ErrNoQueue):
		return stateUnknown, "the queue is not there: " + stream.ErrNoQueue.Error(), nil
	case err != nil:
		return "", "", err
	case l.Stored.Sequence > at.Delivered:
		return stateWaiting, "", nil
	case l.Stored.Sequence > at.Settled:
		return stateInFlight, "a worker has it, or it waits for another attempt: " +
			"the broker does not say which, nor how often it was delivered", nil
	case l.Erased:
		return stateErased, "the account is erased: nothing is kept of it", nil
	default:
		return stateSettled, "no completion is kept of it: " +
			"it is older than completions are kept, or was deleted", nil
	}
}

// eventName is the name of an event on the command line: the provider's id alone, or
// <provider>:<id> with or without the number of a redrive.
type eventName struct {
	// providers are all providers if the name has none.
	providers []schema.Provider
	id        string
	// redrive is -1 for any.
	redrive int
}

func parseEventName(name string) eventName {
	provider, id, _ := strings.Cut(name, ":")
	if !schema.Provider(provider).Known() {
		return eventName{providers: schema.Providers(), id: name, redrive: -1}
	}
	original, number := splitRedriveID(id)
	if number == 0 {
		number = -1
	}
	return eventName{[]schema.Provider{schema.Provider(provider)}, original, number}
}

// splitRedriveID splits the id of a redrive into the provider's id and the number, which is 0 if
// the id is not a redrive's.
func splitRedriveID(id string) (original string, number int) {
	withoutDigits := strings.TrimRight(id, "0123456789")
	number, err := strconv.Atoi(id[len(withoutDigits):])
	if err != nil {
		return id, 0
	}
	original = schema.OriginalID(id, number)
	if original == id {
		return id, 0
	}
	return original, number
}

func (n eventName) matches(e schema.Event) bool {
	return slices.Contains(n.providers, e.Provider) &&
		(e.ID == n.id || schema.Token(e.ID) == n.id) &&
		(n.redrive < 0 || n.redrive == e.Redrive)
}
