package console

import (
	"context"
	"slices"

	"github.com/wagewire/wagewire/deploy/retry"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema/stream"
)

// work is the messages of a run, and what is done to them.
type work interface {
	// stored counts the messages of the shelf.
	stored(ctx context.Context) (uint64, error)
	// find keeps the chosen messages, at most so many, and counts the rest.
	find(ctx context.Context, most int, looked func(int)) (selection, error)
	// count is how many messages are kept.
	count() int
	// send does the action on the kept message with the index.
	send(ctx context.Context, i int) (number uint64, outcome shelf.Outcome, err error)
	// drop forgets the messages.
	drop()
}

// previewer is work that can be checked before it is done.
type previewer interface {
	// open reads what preview and send need.
	open(ctx context.Context) error
	// preview says what send would do to the kept message with the index.
	preview(ctx context.Context, i int) (number uint64, outcome shelf.Outcome, err error)
}

// selection is what find has found. The groups are those of the kept messages.
type selection struct {
	matched int
	groups  []group
	// rests are the queues of the kept messages that take no events.
	rests []retry.Rest
}

// sender is a shelf.Redriver, a shelf.Releaser or a shelf.Discarder.
type sender[T any] interface {
	Send(ctx context.Context, message T) (shelf.Outcome, error)
	Preview(ctx context.Context, message T) (shelf.Outcome, error)
}

// shelfWork is work on a shelf of messages T.
type shelfWork[T any] struct {
	op     *stream.Operator
	kind   shelf.Kind[T]
	filter shelf.Filter[T]
	// number is the only message that is meant, 0 for what the filter chooses.
	number uint64
	// trim drops what a run does not need, and words are the words of a group.
	trim       func(*T)
	words      func(T) [2]string
	makeSender func(ctx context.Context, messages []T) (sender[T], error)

	messages []T
	sender   sender[T]
}

func (w *shelfWork[T]) stored(ctx context.Context) (uint64, error) {
	return w.op.CountMessages(ctx, w.kind.Stream)
}

func (w *shelfWork[T]) find(ctx context.Context, most int, looked func(int)) (selection, error) {
	var all selection
	counts := map[[2]string]int{}
	keep := func(message T) error {
		all.matched++
		if len(w.messages) == most {
			return nil
		}
		w.trim(&message)
		w.messages = append(w.messages, message)
		counts[w.words(message)]++
		return nil
	}
	search := shelf.Search{Progress: looked}
	if w.number > 0 {
		search.From = w.number
		search.Before = w.number + 1
	}
	if _, err := shelf.Scan(ctx, w.op, w.kind, w.filter, search, keep); err != nil {
		return all, err
	}
	for words, count := range counts {
		all.groups = append(all.groups, group{words, count})
	}
	slices.SortFunc(all.groups, func(a, b group) int {
		return slices.Compare(a.words[:], b.words[:])
	})
	return all, nil
}

func (w *shelfWork[T]) count() int { return len(w.messages) }

func (w *shelfWork[T]) open(ctx context.Context) (err error) {
	w.sender, err = w.makeSender(ctx, w.messages)
	return err
}

func (w *shelfWork[T]) preview(
	ctx context.Context, i int,
) (number uint64, outcome shelf.Outcome, err error) {
	outcome, err = w.sender.Preview(ctx, w.messages[i])
	return w.kind.Number(w.messages[i]), outcome, err
}

func (w *shelfWork[T]) send(
	ctx context.Context, i int,
) (number uint64, outcome shelf.Outcome, err error) {
	outcome, err = w.sender.Send(ctx, w.messages[i])
	return w.kind.Number(w.messages[i]), outcome, err
}

func (w *shelfWork[T]) drop() {
	w.messages = nil
	w.sender = nil
}
