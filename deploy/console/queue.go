package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// anewFor is how long a page asks the broker for what it also knows from the last reading.
const anewFor = time.Second

// queuesView is what the page of all queues shows.
type queuesView struct{ known }

// waits counts the classes of waiting events, over all queues.
func (v queuesView) waits() int {
	n := 0
	for _, q := range v.Queues {
		n += len(q.WaitingByClass)
	}
	return n
}

// waitingClasses are the classes of the waiting events of all queues.
func (v queuesView) waitingClasses() []schema.Class {
	var all []stream.WaitingCount
	for _, q := range v.Queues {
		all = append(all, q.WaitingByClass...)
	}
	return classWords(all, classOfWaiting)
}

func classOfWaiting(c stream.WaitingCount) schema.Class { return c.Class }

// unfinished are the queues that had an event ready or in hand within the samples.
func (v queuesView) unfinished() []string {
	var names []string
	for _, q := range v.Queues {
		hasLag := func(s sample) bool { return s.lag[q.Name] > 0 }
		if slices.ContainsFunc(v.Samples, hasLag) {
			names = append(names, q.Name)
		}
	}
	return names
}

// restText says that there is nothing to draw.
func (v queuesView) restText() string {
	if len(v.Samples) < 2 {
		return "No event is ready or in hand. The charts begin with the console."
	}
	first := v.Samples[0].at
	last := v.Samples[len(v.Samples)-1].at
	return "No event was ready or in hand at the readings of the last " +
		plain.Age(last.Sub(first)) + "."
}

// showQueues shows all queues.
func (c *Console) showQueues(w http.ResponseWriter, r *http.Request) {
	view := queuesView{c.known(r.Context())}
	c.render(w, r, http.StatusOK, page{title: "Queues", isLive: true}, queuesPage(view))
}

// queueView is what the page of a queue shows.
type queueView struct {
	known

	schema.Queue
	// status is nil if the broker has no such queue, or was not read.
	status  *stream.QueueStatus
	letters []health.DeadCount
	about   []health.Finding
	mayAct  bool
	// runs are the newest retries.
	runs []runView
	// done says what the last action of the person did, zero without one.
	done resultOf
}

// showQueue shows a queue, and to a person who may act the forms.
func (c *Console) showQueue(w http.ResponseWriter, r *http.Request) {
	q, exists := schema.QueueNamed(r.PathValue("queue"))
	if !exists {
		c.failQueue(w, r)
		return
	}
	view := queueView{
		known: c.known(r.Context()), Queue: q, mayAct: personOf(r).has(RoleAct),
		done: c.results.find(r),
	}
	view.gather()
	view.runs = c.newestRuns(retryBoard(q))
	c.pauseAnew(r, &view)
	c.render(w, r, http.StatusOK, page{title: "Queue " + q.Name, isLive: true}, queuePage(view))
}

// failQueue says that there is no such queue, and which there are.
func (c *Console) failQueue(w http.ResponseWriter, r *http.Request) {
	var names []string
	for _, q := range schema.Queues() {
		names = append(names, q.Name)
	}
	c.fail(w, r, http.StatusNotFound, "There is no such queue. There are "+
		strings.Join(names, ", ")+".")
}

// gather takes what is about the queue out of the state.
func (v *queueView) gather() {
	isOurs := func(q stream.QueueStatus) bool { return q.Name == v.Name }
	if i := slices.IndexFunc(v.Queues, isOurs); i >= 0 {
		status := v.Queues[i]
		v.status = &status
	}
	for _, d := range v.DeadLetters {
		if d.Queue == v.Name {
			v.letters = append(v.letters, d)
		}
	}
	for _, f := range v.Findings {
		if v.isAbout(f) {
			v.about = append(v.about, f)
		}
	}
}

// isAbout reports whether the finding says something of the queue. One about its provider does so
// only if the queue rests because of it.
func (v *queueView) isAbout(f health.Finding) bool {
	isClosed := func(reason schema.ClosureReason) bool {
		return v.status != nil && slices.Contains(v.status.Closures, reason)
	}
	isOfProvider := f.About == string(v.Provider)
	switch f.Name {
	case health.RefusedCredentials:
		return isOfProvider && v.status != nil && v.status.Refusal != nil
	case health.ProviderFailing:
		return isOfProvider && isClosed(schema.ClosureDown)
	case health.ProviderHolds:
		return isOfProvider && isClosed(schema.ClosureHeld)
	case health.DeadLetters:
		return len(v.letters) > 0
	default:
		return f.About == v.Name || f.About == stream.WorkerRole(v.Resource)
	}
}

// pauseAnew reads the operator's pause anew: the state may be older than a pause of this page.
// While the broker is away or slow, or many pages ask, the pause of the state stays.
func (c *Console) pauseAnew(r *http.Request, v *queueView) {
	if v.status == nil || !v.AwaySince.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), anewFor)
	defer cancel()
	if !enter(ctx, c.lookups, anewFor) {
		return
	}
	defer func() { <-c.lookups }()
	until, err := c.op.PausedUntil(ctx, v.Queue)
	if err == nil {
		v.status.PausedUntil = until
	}
}

// rest says why the queue takes no events, in sentences.
func (v queueView) rest() []string {
	rest := trace.Rest{PausedUntil: v.status.PausedUntil, Refusal: v.status.Refusal}
	return rest.Lines(v.At)
}

// closures are the reasons why an autoscaler adds no worker.
func closures(q stream.QueueStatus) string {
	var list []string
	for _, reason := range q.Closures {
		list = append(list, plain.Word(reason))
	}
	return strings.Join(list, ", ")
}

// pauseEnd is when a pause ends, in short.
func pauseEnd(until, now time.Time) string {
	if trace.IsEndless(until, now) {
		return trace.PauseEnd(until, now)
	}
	return "ends " + plain.In(until, now)
}
