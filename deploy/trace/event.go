package trace

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Newest is how many of the newest events and dead letters a command or page looks at for an event
// whose account is not known.
const Newest = 50_000

// tracer gathers the traces of an event and its redrives on the streams.
type tracer struct {
	op     *stream.Operator
	wanted Name
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
	lives       map[string]*Life
	letters     map[string][]stream.Letter
	completions map[string][]schema.Completion
	waits       map[string][]stream.Waiting
	retries     map[string][]stream.Retry
	endings     []stream.Ended
	// refusals are the queues whose provider refuses our credentials.
	refusals []schema.Pause
}

// Event returns a life for the webhook's own event and for each redrive, in the order of their
// numbers. The name is one that ParseName reads. Event returns no life, and no error, if nothing of
// the event is on the streams: Explain says why.
//
// Of an event without a completion that does not wait, Event reads the newest events and dead
// letters to learn the account; with 0 it reads all. isPartial is true if there are events that
// Event did not look at: another account may have a webhook with the same id.
func Event(
	ctx context.Context, op *stream.Operator, name string, newest uint64,
) (lives []*Life, isPartial bool, err error) {
	tr := newTracer(op, name, newest)
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

// FindCompletion returns the stored completion with the id, with its records if they are in the
// message. It looks where Event looks with Newest. isThere is false if there is no such completion,
// or if the text is no id of a completion.
func FindCompletion(
	ctx context.Context, op *stream.Operator, id string,
) (found schema.Completion, isThere bool, err error) {
	event, _, isID := schema.ParseCompletionKey(id)
	if !isID {
		return schema.Completion{}, false, nil
	}
	tr := newTracer(op, event, Newest)
	for _, read := range []func(context.Context) error{
		tr.findOwners, tr.readEvents, tr.readLetters, tr.readCompletions,
	} {
		if err := read(ctx); err != nil {
			return schema.Completion{}, false, err
		}
	}
	for _, completions := range tr.completions {
		for _, c := range completions {
			if c.ID == id {
				return c, true, nil
			}
		}
	}
	return schema.Completion{}, false, nil
}

func newTracer(op *stream.Operator, name string, newest uint64) *tracer {
	return &tracer{
		op:          op,
		wanted:      ParseName(name),
		newest:      newest,
		owners:      map[owner]bool{},
		stored:      map[string][]schema.Completion{},
		lives:       map[string]*Life{},
		letters:     map[string][]stream.Letter{},
		completions: map[string][]schema.Completion{},
		waits:       map[string][]stream.Waiting{},
		retries:     map[string][]stream.Retry{},
	}
}

func (tr *tracer) sortedLives() []*Life {
	return slices.SortedFunc(maps.Values(tr.lives), func(a, b *Life) int {
		return cmp.Or(cmp.Compare(a.Redrive, b.Redrive), cmp.Compare(a.Event, b.Event))
	})
}

// lifeOf returns the life of the event, a new life if need be.
func (tr *tracer) lifeOf(e schema.Event, account string) *Life {
	key := e.Key()
	if tr.lives[key] == nil {
		tr.lives[key] = &Life{
			Event: key, Provider: e.Provider, Type: e.Type, Account: account,
			Redrive: e.Redrive, Queue: e.Queue, Backfill: e.Backfill,
			Queues: []Fate{}, event: e,
		}
	}
	return tr.lives[key]
}
