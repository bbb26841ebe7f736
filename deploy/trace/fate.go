package trace

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Fate is the end of an event in a queue, or its state so far.
type Fate struct {
	Queue string `json:"queue"`
	State State  `json:"state"`
	// Note explains the state.
	Note        string             `json:"note,omitempty"`
	DeadLetters []shelf.LetterJSON `json:"dead_letters,omitempty"`
	Completion  *Completion        `json:"completion,omitempty"`
	// Completions are all completions of an event that names a person: one for each account.
	// Completion is then the first.
	Completions []*Completion `json:"completions,omitempty"`
	// Wait is the wait of a waiting event, or the last wait of an event whose time has come.
	Wait *Wait `json:"wait,omitempty"`
	// DueSince is when the last wait ended, or when a worker put a replayed event behind fresh
	// ones. It is zero for another event, and while the event waits.
	DueSince time.Time `json:"due_since,omitzero"`
	// Endings are the broker's reports about deliveries without success.
	Endings []Deliveries `json:"deliveries_ended,omitempty"`
	// Rest is the rest of the queue. It is read only for an event without an end.
	Rest

	// retry is the event's last message among the retries or replays of the queue.
	retry *stream.Retry
}

// State is the state of an event in a queue.
type State string

// The states of an event in a queue.
const (
	// StateReady is an event that no worker has taken yet, or not again since its wait is over.
	StateReady State = "ready"
	// StateInHand is an event that a worker has. After a crash, it lasts until the lease ends.
	StateInHand State = "in_hand"
	// StateWaiting is an event that waits for its next try.
	StateWaiting State = "waiting"
	// StateSettled is an event with an end whose completion is kept no longer.
	StateSettled State = "settled"
	// StateCompleted is an event with a completion.
	StateCompleted State = "completed"
	// StateDead is an event with a dead letter and without a completion.
	StateDead State = "dead_letter"
	// StateExhausted is an event whose deliveries ran out. A worker of the queue goes on with it.
	StateExhausted State = "exhausted"
	// StateErased is an event of an erased account.
	StateErased State = "erased"
	// StateUnknown is an event that is gone, or whose queue is not there.
	StateUnknown State = "unknown"
)

// String is the state in words.
func (s State) String() string { return strings.ReplaceAll(string(s), "_", " ") }

// isExhausted reports whether the deliveries of the event's last message ran out.
func (f *Fate) isExhausted() bool {
	for _, e := range f.Endings {
		isLast := f.retry == nil && e.Stream == schema.EventsStream ||
			f.retry != nil && e.Stream == f.retry.Lane.Stream && e.Sequence == f.retry.Number
		if isLast && e.Exhausted {
			return true
		}
	}
	return false
}

// noteOnExhausted says what a worker does next.
func (f *Fate) noteOnExhausted() string {
	if f.retry == nil {
		return "a worker of the queue publishes it anew among the retries or replays"
	}
	return "its dead letter and completion are to come: a worker of the queue writes them"
}

// judge fills in the fate of the event in each queue that reads its type.
func (tr *tracer) judge(ctx context.Context, l *Life) (err error) {
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
func (tr *tracer) fateIn(l *Life, q schema.Queue) Fate {
	f := Fate{Queue: q.Name}
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
			f.Wait = newWait(w.Wait)
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
func (tr *tracer) addState(ctx context.Context, l *Life, q schema.Queue, f *Fate) (err error) {
	switch {
	case f.Completion != nil:
		f.State = StateCompleted
		f.Wait = nil // a wait beside the completion ends without work
	case len(f.DeadLetters) > 0:
		f.State = StateDead
		f.Note = "it has no completion"
	case l.Stored == nil:
		f.State = StateUnknown
		f.Note = "the event is gone from its stream"
	case f.Wait != nil:
		f.State = StateWaiting
		err = tr.addRest(ctx, q, f)
	case f.isExhausted() && !l.Erased:
		f.State = StateExhausted
		f.Note = f.noteOnExhausted()
	default:
		err = tr.addPosition(ctx, l, q, f)
	}
	return err
}

// addPosition decides the state of an event without an end by the progress of the queue: in the
// lane that got the event last.
func (tr *tracer) addPosition(ctx context.Context, l *Life, q schema.Queue, f *Fate) error {
	sequence := l.Stored.Sequence
	lane := q.EventsLane()
	if f.retry != nil {
		sequence = f.retry.Number
		lane = f.retry.Lane
	}
	at, err := tr.op.Position(ctx, lane)
	switch {
	case errors.Is(err, stream.ErrNoQueue):
		f.State = StateUnknown
		f.Note = "the queue is not there: " + stream.ErrNoQueue.Error()
		return nil
	case err != nil:
		return err
	case sequence <= at.Settled && l.Erased:
		f.State = StateErased
		f.Note = "the account is erased: nothing is kept of it"
		return nil
	case sequence <= at.Settled:
		f.State = StateSettled
		f.Note = "no completion is kept of it: " +
			"it is older than completions are kept, or was deleted"
		return nil
	case sequence <= at.Delivered:
		f.State = StateInHand
	default:
		f.State = StateReady
	}
	if f.retry != nil {
		f.Wait = newWait(f.retry.Wait)
		f.DueSince = f.retry.At.UTC()
	}
	return tr.addRest(ctx, q, f)
}

// addRest says if the queue takes no events.
func (tr *tracer) addRest(ctx context.Context, q schema.Queue, f *Fate) (err error) {
	f.Rest, err = ReadRest(ctx, tr.op, q, tr.refusals)
	return err
}
