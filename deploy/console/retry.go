package console

import (
	"cmp"
	"context"
	"net/http"

	"github.com/wagewire/wagewire/deploy/retry"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// retryAction is the only action on waiting events. It is a command of its own.
const retryAction = "retry"

// retryBoard is the board of the waiting events of a queue: its page is that of the queue.
func retryBoard(q schema.Queue) board {
	return board{
		path: string(queuePath(q.Name)), noun: "event", words: [2]string{"Queue", "Class"},
		resend: retryAction,
	}
}

// planRetry begins a plan for the waiting events of a queue.
func (c *Console) planRetry(w http.ResponseWriter, r *http.Request) {
	q, exists := schema.QueueNamed(r.PathValue("queue"))
	if !exists {
		c.failQueue(w, r)
		return
	}
	t, err := readTask(r, retryBoard(q))
	class := schema.Class(r.PostFormValue("class"))
	if err := cmp.Or(err, isOneOf("class", class, retry.Classes())); err != nil {
		c.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	t.flags = []string{q.Name}
	if class != "" {
		t.flags = append(t.flags, "--class", string(class))
	}
	what := &retryWork{
		op: c.op, queue: q, choice: retry.Choice{Queues: []string{q.Name}, Class: class},
	}
	c.planRun(w, r, t, what, q.WaitingStream())
}

// retryWork is work on the waiting events of a queue.
type retryWork struct {
	op     *stream.Operator
	queue  schema.Queue
	choice retry.Choice

	events []stream.Waiting
}

// stored counts the waiting events, and the retries that are kept beside them.
func (w *retryWork) stored(ctx context.Context) (uint64, error) {
	return w.op.CountMessages(ctx, w.queue.WaitingStream())
}

// find keeps those that have waited longest, and says why the queue takes no events.
func (w *retryWork) find(ctx context.Context, most int, looked func(int)) (selection, error) {
	var all selection
	seen := 0
	err := w.op.Waiting(ctx, w.queue.Name, "*", func(e stream.Waiting) error {
		seen++
		looked(seen)
		if !w.choice.Matches(e) {
			return nil
		}
		all.matched++
		if len(w.events) < most {
			w.events = append(w.events, e)
		}
		return nil
	})
	if err != nil {
		return all, err
	}
	counts := retry.Counts(w.events)
	for _, c := range counts {
		words := [2]string{c.Queue, string(c.Class)}
		all.groups = append(all.groups, group{words, c.Count})
	}
	all.rests, err = retry.Rests(ctx, w.op, counts)
	return all, err
}

func (w *retryWork) count() int { return len(w.events) }

// send tries exactly the planned wait. A wait that began after the plan is another one.
func (w *retryWork) send(
	ctx context.Context, i int,
) (number uint64, outcome shelf.Outcome, err error) {
	event := w.events[i]
	isRetried, err := w.op.RetryNow(ctx, event)
	outcome.Result = shelf.Gone
	if isRetried {
		outcome.Result = shelf.Sent
	}
	return event.Sequence, outcome, err
}

func (w *retryWork) drop() { w.events = nil }
