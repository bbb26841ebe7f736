package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

func newTraceCommand(t terminal) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:     "trace EVENT",
		GroupID: groupObserve,
		Short:   "Print the history of one event",
		Long: `wagewire trace prints the history of one event, as far as the streams have it.

EVENT is the event_id or webhook_id of the provider, or a key of Wagewire: pinwheel:ID, or
pinwheel:ID:r1 for the first redrive.

The history has when the webhook was received and stored, and each redrive. For each queue that
reads the type it has the state:
  ready      no worker has taken the event yet, or not again since its time to wait is over
  in hand    a worker has the event; after a crash, until the lease ends
  waiting    the event waits for its next try; wagewire retry EVENT tries it now
  completed  it has a completion; settled if the completion is kept no longer
  …          or it has a dead letter, its deliveries ran out, or its account is erased

The verification reports of a person have a completion for each account of the person.

Of an event that waits, the history has the last failure, the step of the ladder, the time of the
next try, and the number of failures by class. It says so if the queue takes no events: paused by an
operator, or because the provider refuses our credentials.

The streams do not have everything. Duplicates of the webhook are answered and dropped. What each
attempt met before the last one is only in the workers' logs.

Events are kept 14 days, completions 21, dead letters 90. Of an erased account, only the completion
of the webhook that reported its deletion is kept.

An event without a completion that does not wait is looked for among the newest 50,000 events and
dead letters. Another webhook may have the same id, of the other provider or of another account.
Once trace knows an account with the id, it does not look for the others, and says so. With --all,
trace looks at all events and dead letters.

With CONSOLE_URL, each history ends with the address of its page in the console.`,
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
	cmd.Flags().BoolVar(&all, "all", false, "look at every event and dead letter")
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		newest := uint64(traceNewest)
		if all {
			newest = 0
		}
		return printTrace(ctx, s, args[0], newest, asJSON)
	}, consoleVariables()...)
}

// traceNewest is how many of the newest events and dead letters trace looks at for an event whose
// account it does not know.
const traceNewest = 50_000

func printTrace(ctx context.Context, s session, name string, newest uint64, asJSON bool) error {
	console, err := readConsole(s.getenv)
	if err != nil {
		return err
	}
	lives, isPartial, err := traceEvent(ctx, s.Operator, name, newest)
	if err != nil {
		return err
	}
	if isPartial && len(lives) > 0 {
		fmt.Fprintln(s.stderr, "other accounts with this id are not looked for; "+
			"wagewire trace --all looks at all events")
	}
	if len(lives) == 0 {
		return explainNoTrace(ctx, s.Operator, name, newest)
	}
	if asJSON {
		return json.NewEncoder(s.stdout).Encode(map[string]any{
			"event": name, "lives": withPages(lives, console),
		})
	}
	now := time.Now()
	for i, l := range lives {
		if i > 0 {
			fmt.Fprintln(s.stdout)
		}
		l.print(s.stdout, now)
		if console != "" {
			fmt.Fprintf(s.stdout, "  page: %s\n", console.Event(l.Event))
		}
	}
	return nil
}

// pagedLife is a life with the address of its page, for another program.
type pagedLife struct {
	*life

	Console string `json:"console,omitempty"`
}

// withPages adds the address of its page to each life, if there is a console.
func withPages(lives []*life, console process.Console) []pagedLife {
	paged := []pagedLife{}
	for _, l := range lives {
		page := ""
		if console != "" {
			page = console.Event(l.Event)
		}
		paged = append(paged, pagedLife{l, page})
	}
	return paged
}

// explainNoTrace says why nothing of the event was found, and what trace did not look at.
func explainNoTrace(
	ctx context.Context, op *stream.Operator, name string, newest uint64,
) error {
	reason := "it was never stored, is older than they keep, or its account is erased"
	var left []string
	for _, s := range []struct{ name, noun string }{
		{schema.EventsStream, "events"}, {schema.DeadLettersStream, "dead letters"},
	} {
		stored, err := op.CountMessages(ctx, s.name)
		if err != nil {
			return err
		}
		if newest > 0 && stored > newest {
			left = append(left, fmt.Sprintf("the newest %d of %d %s", newest, stored, s.noun))
		}
	}
	if len(left) == 0 {
		return fmt.Errorf("nothing of event %s is on the streams: %s", plain.Word(name), reason)
	}
	return fmt.Errorf("nothing of event %s is among the completions, the waiting events, and %s: "+
		"%s; wagewire trace --all looks at all", plain.Word(name), strings.Join(left, " and "), reason)
}

// tracer gathers the traces of an event and its redrives on the streams.
type tracer struct {
	op     *stream.Operator
	wanted eventName
	// newest is how many of the newest messages are read to find the account of an event. 0 is all.
	newest uint64
	// owners are the accounts that the event may belong to.
	owners map[owner]bool
	// eventsRead counts the events that were looked at. isPartial is true if the stream has others,
	// and so perhaps another webhook with the id.
	eventsRead uint64
	isPartial  bool
	// stored has the completions of events by the key, as they were read.
	stored map[string][]schema.Completion
	// lives has the lives found so far, by the key of the event.
	lives       map[string]*life
	letters     map[string][]stream.Letter
	completions map[string][]schema.Completion
	waits       map[string][]stream.Waiting
	retries     map[string][]stream.Retry
	endings     []stream.Ended
	// refusals are the queues whose provider refuses our credentials.
	refusals []schema.Pause
}

// traceEvent returns a life for the webhook's own event and for each redrive. isPartial is true if
// there are events that traceEvent did not look at.
func traceEvent(
	ctx context.Context, op *stream.Operator, name string, newest uint64,
) (lives []*life, isPartial bool, err error) {
	tr := &tracer{
		op:          op,
		wanted:      parseEventName(name),
		newest:      newest,
		owners:      map[owner]bool{},
		stored:      map[string][]schema.Completion{},
		lives:       map[string]*life{},
		letters:     map[string][]stream.Letter{},
		completions: map[string][]schema.Completion{},
		waits:       map[string][]stream.Waiting{},
		retries:     map[string][]stream.Retry{},
	}
	for _, read := range []func(context.Context) error{
		tr.findOwners, tr.readEvents, tr.findUnread, tr.readLetters, tr.readCompletions,
		tr.readWaits, tr.readEndings, tr.readRefusals,
	} {
		if err := read(ctx); err != nil {
			return nil, false, err
		}
	}
	lives = tr.sortedLives()
	for _, l := range lives {
		if err := tr.judge(ctx, l); err != nil {
			return nil, false, err
		}
	}
	return lives, tr.isPartial, nil
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
			Redrive: e.Redrive, Queue: e.Queue, Backfill: e.Backfill,
			Queues: []fate{}, event: e,
		}
	}
	return tr.lives[key]
}

func (tr *tracer) readEvents(ctx context.Context) error {
	var read uint64
	for o := range tr.owners {
		which := stream.Selection{
			Filters: []string{schema.AccountEvents(o.provider, "*", "*", o.account)},
		}
		err := tr.op.Headings(ctx, which, func(h stream.Heading) error {
			read++
			if tr.wanted.matches(h.Event) {
				tr.lifeOf(h.Event, h.Account).Stored = newStoredEvent(h)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	tr.eventsRead = max(tr.eventsRead, read)
	return nil
}

// findUnread finds out whether there are events that trace did not look at.
func (tr *tracer) findUnread(ctx context.Context) error {
	if tr.newest == 0 { // trace looks at all
		return nil
	}
	stored, err := tr.op.CountMessages(ctx, schema.EventsStream)
	tr.isPartial = stored > tr.eventsRead
	return err
}

func (tr *tracer) readLetters(ctx context.Context) error {
	for o := range tr.owners {
		which := stream.Selection{
			Filters: []string{schema.DeadLetterSubject("*", o.account)}, HeadersOnly: true,
		}
		err := tr.op.Scan(ctx, schema.DeadLettersStream, which, func(m stream.Stored) error {
			if l := stream.ReadLetter(m); l.Event.Provider == o.provider {
				tr.addLetter(l)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (tr *tracer) addLetter(l stream.Letter) {
	if !tr.wanted.matches(l.Event) {
		return
	}
	e := l.Event
	if e.Redrive == 0 {
		e.Queue = "" // the queue of the letter; the event itself went to every queue
	}
	tr.lifeOf(e, l.Account)
	tr.letters[e.Key()] = append(tr.letters[e.Key()], l)
}

// completionsOf reads the completions of an event once. The account may be unknown: "".
func (tr *tracer) completionsOf(
	ctx context.Context, e schema.Event, account string,
) ([]schema.Completion, error) {
	key := e.Key()
	if completions, isRead := tr.stored[key]; isRead {
		return completions, nil
	}
	completions, err := tr.op.CompletionsOf(ctx, e, account)
	if err == nil {
		tr.stored[key] = completions
	}
	return completions, err
}

// readCompletions looks up the completions of the known lives and of the wanted event. The event
// may be gone, so its redrives are tried one by one until a redrive has no completion.
func (tr *tracer) readCompletions(ctx context.Context) error {
	for _, l := range tr.sortedLives() {
		if _, err := tr.readCompletionsOf(ctx, l.event, l.Account); err != nil {
			return err
		}
	}
	for o := range tr.owners {
		for n := max(tr.wanted.redrive, 0); ; n++ {
			e := schema.Event{Provider: o.provider, ID: tr.wanted.id, Redrive: n}
			found, err := tr.readCompletionsOf(ctx, e, tr.completedAccount(o))
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

// completedAccount is the account of the owner's completions: "" if the events name a person, whose
// accounts nobody knows.
func (tr *tracer) completedAccount(o owner) string {
	for _, l := range tr.lives {
		if l.Account == o.account && l.event.NamesEndUser() {
			return ""
		}
	}
	return o.account
}

// readCompletionsOf looks up the completions of an event. It returns true if the event is known,
// from a life or a completion.
func (tr *tracer) readCompletionsOf(
	ctx context.Context, e schema.Event, account string,
) (found bool, err error) {
	if _, isRead := tr.completions[e.Key()]; isRead {
		return true, nil
	}
	completions, err := tr.completionsOf(ctx, e, account)
	if err != nil {
		return false, err
	}
	tr.completions[e.Key()] = nil
	for _, c := range completions {
		owner := ownerOf(e, c)
		e.Type = c.Data.Event.Type
		e.OccurredAt = c.Data.Event.OccurredAt
		e.ReceivedAt = c.Data.Event.ReceivedAt
		of := e
		if owner != c.Subject {
			of.Of = *c.Data.AccountID
		}
		// If the ids differ, the provider's id only looks like a redrive's.
		if c.ID == of.CompletionKey(c.Data.Resource) {
			tr.lifeOf(e, owner)
			tr.completions[e.Key()] = append(tr.completions[e.Key()], c)
		}
	}
	return len(completions) > 0, nil
}

// readWaits reads where the lives wait, and then their retries: a wait that ends in between has a
// retry.
func (tr *tracer) readWaits(ctx context.Context) error {
	for _, l := range tr.lives {
		if l.Stored == nil {
			continue
		}
		err := tr.op.WaitingOf(ctx, l.event, func(w stream.Waiting) error {
			if w.Event.Key() == l.Event { // events of two providers may share an id
				tr.waits[l.Event] = append(tr.waits[l.Event], w)
			}
			return nil
		})
		if err == nil {
			err = tr.op.RetriesOf(ctx, l.event, l.Account, func(r stream.Retry) error {
				tr.retries[l.Event] = append(tr.retries[l.Event], r)
				return nil
			})
		}
		// An earlier release had no such stream.
		if err != nil && !errors.Is(err, stream.ErrNoQueue) {
			return err
		}
	}
	return nil
}

// place is the place of a message: an event on the events stream, or a retry or replay on its
// stream.
type place struct {
	stream   string
	sequence uint64
}

// readEndings reads the broker's reports on the deliveries of the lives and of their retries.
func (tr *tracer) readEndings(ctx context.Context) error {
	places := map[place]bool{}
	for _, l := range tr.lives {
		for _, p := range tr.placesOf(l) {
			places[p] = true
		}
	}
	err := tr.op.Endings(ctx, func(e stream.Ended) error {
		if places[place{e.Stream, e.Sequence}] {
			tr.endings = append(tr.endings, e)
		}
		return nil
	})
	if errors.Is(err, stream.ErrNoQueue) {
		return nil
	}
	return err
}

// placesOf returns the places of the life's messages.
func (tr *tracer) placesOf(l *life) []place {
	var places []place
	if l.Stored != nil {
		places = append(places, place{schema.EventsStream, l.Stored.Sequence})
	}
	for _, r := range tr.retries[l.Event] {
		places = append(places, place{r.Lane.Stream, r.Number})
	}
	return places
}

func (tr *tracer) readRefusals(ctx context.Context) (err error) {
	tr.refusals, err = readRefusals(ctx, tr.op)
	return err
}

// judge fills in the fate of the event in each queue that reads its type.
func (tr *tracer) judge(ctx context.Context, l *life) (err error) {
	l.Erased, err = tr.op.Erased(ctx, l.Provider, l.Account)
	if err != nil {
		return err
	}
	for _, q := range schema.Queues() {
		if !q.Reads(schema.Lookup(l.Provider, l.Type)) || l.Queue != "" && l.Queue != q.Name {
			continue
		}
		f := tr.fateIn(l, q)
		if err := tr.addState(ctx, l, q, &f); err != nil {
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
			f.addCompletion(c)
		}
	}
	for _, letter := range tr.letters[l.Event] {
		if letter.Queue == q.Name {
			f.DeadLetters = append(f.DeadLetters, shelf.NewLetterJSON(letter))
		}
	}
	for _, w := range tr.waits[l.Event] {
		if w.Queue == q.Name {
			f.Wait = newWaitSummary(w.Wait)
		}
	}
	for _, r := range tr.retries[l.Event] { // oldest first: the last one counts
		if r.Queue == q.Name {
			f.retry = &r
		}
	}
	places := tr.placesOf(l)
	for _, e := range tr.endings {
		if e.Queue == q.Name && slices.Contains(places, place{e.Stream, e.Sequence}) {
			f.Endings = append(f.Endings, newDeliveries(e))
		}
	}
	return f
}

// addState decides the state of the event in the queue. Only an event without an end needs a look
// at the queue.
func (tr *tracer) addState(ctx context.Context, l *life, q schema.Queue, f *fate) (err error) {
	switch {
	case f.Completion != nil:
		f.State = stateCompleted
		f.Wait = nil // a wait beside the completion ends without work
	case len(f.DeadLetters) > 0:
		f.State = stateDead
		f.Note = "it has no completion"
	case l.Stored == nil:
		f.State = stateUnknown
		f.Note = "the event is gone from its stream"
	case f.Wait != nil:
		f.State = stateWaiting
		err = tr.addRest(ctx, q, f)
	case f.isExhausted() && !l.Erased:
		f.State = stateExhausted
		f.Note = f.noteOnExhausted()
	default:
		err = tr.addPosition(ctx, l, q, f)
	}
	return err
}

// addPosition decides the state of an event without an end by the progress of the queue: in the
// lane that got the event last.
func (tr *tracer) addPosition(ctx context.Context, l *life, q schema.Queue, f *fate) error {
	sequence := l.Stored.Sequence
	lane := q.EventsLane()
	if f.retry != nil {
		sequence = f.retry.Number
		lane = f.retry.Lane
	}
	at, err := tr.op.Position(ctx, lane)
	switch {
	case errors.Is(err, stream.ErrNoQueue):
		f.State = stateUnknown
		f.Note = "the queue is not there: " + stream.ErrNoQueue.Error()
		return nil
	case err != nil:
		return err
	case sequence <= at.Settled && l.Erased:
		f.State = stateErased
		f.Note = "the account is erased: nothing is kept of it"
		return nil
	case sequence <= at.Settled:
		f.State = stateSettled
		f.Note = "no completion is kept of it: " +
			"it is older than completions are kept, or was deleted"
		return nil
	case sequence <= at.Delivered:
		f.State = stateInHand
	default:
		f.State = stateReady
	}
	if f.retry != nil {
		f.Wait = newWaitSummary(f.retry.Wait)
		f.DueSince = f.retry.At.UTC()
	}
	return tr.addRest(ctx, q, f)
}

// addRest says if the queue takes no events.
func (tr *tracer) addRest(ctx context.Context, q schema.Queue, f *fate) error {
	rest, err := readRest(ctx, tr.op, q, tr.refusals)
	f.PausedUntil = rest.until.UTC()
	f.Refusal = rest.refusal
	return err
}
