package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

// links is a Handler like that of links: a deleted one is not asked for.
var links = fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
	if job.Event.Action == schema.ActionDeleted {
		return Fetched{Outcome: schema.Deleted}, nil
	}
	return brings(ctx, job)
})

// holds is what the broker has of a link.
type holds struct {
	Tombstones, Events, DeadLetters, Objects, Waiting int
	Completions                                       []schema.Outcome
}

func (b *bench) holds(link string) (h holds) {
	b.Helper()
	h.Tombstones = len(b.all(schema.CompletionsStream, schema.TombstoneSubject(schema.Truv, link)))
	h.Events = len(b.all(schema.EventsStream, schema.AccountEvents(schema.Truv, "*", "*", link)))
	h.DeadLetters = len(b.all(schema.DeadLettersStream, schema.DeadLetterSubject("*", link)))
	for _, q := range schema.Queues() {
		h.Waiting += len(b.all(q.WaitingStream(), schema.AccountWaiting("*", link))) +
			len(b.all(q.WaitingStream(), schema.RetriesSubject("*", link)))
	}
	completions := schema.AccountCompletions(schema.Truv, link)
	for _, m := range b.all(schema.CompletionsStream, completions) {
		h.Completions = append(h.Completions, schema.Outcome(m.Header.Get("Wagewire-Outcome")))
	}
	store, err := b.js.ObjectStore(b.Context(), schema.RecordsBucket)
	if err != nil {
		b.Fatal(err)
	}
	objects, _ := store.List(b.Context()) // none is an error
	for _, o := range objects {
		if strings.HasPrefix(o.Name, schema.AccountRecords(schema.Truv, link)) {
			h.Objects++
		}
	}
	return h
}

// erased is what is left of a link that was deleted: that it was.
var erased = holds{Tombstones: 1, Completions: []schema.Outcome{schema.Deleted}}

// erasures is the queue of link-deleted.
const erasures = "truv_erasures"

// live gives a link two completions, one of them with its records in the object store, and a dead
// letter.
func (b *bench) live(link string) {
	b.Helper()
	small, large, dead := sample(b.T, schema.Truv, "link-connected", link+"-1", ofLink(link)),
		sample(b.T, schema.Truv, "link-disconnected", link+"-2", ofLink(link)),
		sample(b.T, schema.Truv, "link-connected", link+"-3", ofLink(link))
	b.publish(small, large, dead)
	for range 3 {
		if err := b.take("truv_link").Ack(); err != nil {
			b.Fatal(err)
		}
	}
	patient := streamtest.ConnectPatiently(b, b.url)
	for _, e := range []schema.Event{small, large} {
		c := schema.NewCompletion(e, schema.Link, schema.Succeeded, time.Now())
		c.Data.Attempts, c.Data.Records = 1, []json.RawMessage{json.RawMessage(canaryRecord)}
		if e.ID == large.ID {
			c.Data.Records = append(c.Data.Records,
				json.RawMessage(`{"id":"`+strings.Repeat("x", schema.CompletionBytesMax)+`"}`))
		}
		if stored, err := patient.PublishCompletion(b.Context(), e, c); err != nil || !stored {
			b.Fatalf("stored %v, error %v", stored, err)
		}
	}
	if err := b.conn.PublishDeadLetter(b.Context(), schema.DeadLetter{
		Queue: "truv_link", Account: dead.Account(), Class: schema.ClassPermanent,
		Reason: schema.ReasonRejected, Attempts: 1,
		Sequence: b.sequence(dead), At: time.Now(), Body: dead.Body,
	}); err != nil {
		b.Fatal(err)
	}
}

func TestADeletedLinkLeavesNothingButThatItWas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.live("gone")
	b.live("stays")
	before := b.holds("stays")
	if diff := cmp.Diff(holds{Events: 3, DeadLetters: 1, Objects: 1,
		Completions: []schema.Outcome{schema.Succeeded, schema.Succeeded}}, before); diff != "" {
		t.Fatalf("what a link has before (-want +got):\n%s", diff)
	}
	b.start(schema.Link, links, quick())
	deleted := sample(t, schema.Truv, "link-deleted", "gone-4", ofLink("gone"))
	b.publish(deleted)
	b.logged(deleted, "deleted", 1)
	if diff := cmp.Diff(erased, b.holds("gone")); diff != "" {
		t.Errorf("what is left of the link (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, b.holds("stays")); diff != "" {
		t.Errorf("another link lost something (-before +after):\n%s", diff)
	}
	got := b.completed(deleted, schema.Link)
	if *got.Data.AccountID != "gone" || len(got.Data.Records) != 0 || got.Data.Error != nil {
		t.Errorf("completion %+v", got.Data)
	}
	b.idle("truv_link")
}

func TestALinkIsErasedWhereverAWorkerWasKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	steps := func(e schema.Event) []stream.Step {
		told := stream.Step{Name: "completion", Run: func(ctx context.Context) error {
			c := schema.NewCompletion(e, schema.Link, schema.Deleted, time.Now())
			c.Data.Attempts = 1
			c.Data.AccountID = &e.AccountID
			_, err := b.conn.PublishCompletion(ctx, e, c)
			return err
		}}
		return slices.Concat(
			b.conn.ErasureSteps(e.Provider, e.Account()),
			[]stream.Step{told},
			b.conn.LastErasureSteps(e),
		)
	}
	var deleted []schema.Event
	var dropped []jetstream.Msg
	for n := range len(steps(schema.Event{})) + 1 {
		link := fmt.Sprintf("link%d", n)
		b.live(link)
		e := sample(t, schema.Truv, "link-deleted", link+"-4", ofLink(link))
		b.publish(e)
		msg := b.take(erasures)
		for _, step := range steps(e)[:n] {
			if err := step.Run(t.Context()); err != nil {
				t.Fatalf("%s: %v", step.Name, err)
			}
		}
		deleted, dropped = append(deleted, e), append(dropped, msg)
	}
	b.start(schema.Link, links, quick())
	for n, e := range deleted {
		after := "the first"
		if n > 0 {
			after = steps(e)[n-1].Name
		}
		t.Run("killed after step "+after, func(t *testing.T) {
			if err := dropped[n].Nak(); err != nil {
				t.Fatal(err)
			}
			reported := len(b.all(schema.EventsStream, e.Subject())) > 0
			if reported { // otherwise nothing is left to do, and the queue delivers nothing
				b.logged(e, "deleted", 1)
			}
			if diff := cmp.Diff(erased, b.holds(e.AccountID)); diff != "" {
				t.Errorf("what is left of the link (-want +got):\n%s", diff)
			}
			b.completed(e, schema.Link)
		})
	}
	b.idle("truv_link")
}

func TestALateEventOfADeletedLinkLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	answers := map[string]error{}
	config := quick()
	// No wait may end before the worker has found the tombstone: the event would be dropped twice.
	config.Ladders = Ladders{Retry: Ladder{time.Hour}, NotReady: Ladder{time.Hour}}
	b.start(schema.Link, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		switch err := answers[job.Event.ID]; {
		case errors.Is(err, errPanic):
			panic(canaryName)
		case err != nil:
			return Fetched{}, err
		}
		return links(ctx, job)
	}), config)
	tests := []struct {
		promise, webhook string
		err              error
		change           func(map[string]any)
	}{
		{promise: "whose data is still there", webhook: "link-connected"},
		{promise: "that is refused for good", webhook: "link-disconnected",
			err: &api.StatusError{Status: 422}},
		{promise: "that is gone at the provider", webhook: "link-connected",
			err: &api.StatusError{Status: 410}},
		{promise: "that is not found", webhook: "link-connected",
			err: &api.StatusError{Status: 404}},
		{promise: "that makes the handler panic", webhook: "link-connected", err: errPanic},
		{promise: "during an outage longer than the ladder", webhook: "link-connected",
			err: &api.StatusError{Status: 500}},
	}
	for i := range tests {
		answers[fmt.Sprintf("late-%d", i)] = tests[i].err
	}
	deleted := sample(t, schema.Truv, "link-deleted", "deleted", ofLink("gone"))
	b.publish(deleted)
	b.logged(deleted, "deleted", 1)
	for i, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			e := sample(t, schema.Truv, test.webhook, fmt.Sprintf("late-%d", i), ofLink("gone"))
			b.publish(e)
			b.logged(e, "erased", 1)
			if diff := cmp.Diff(erased, b.holds("gone")); diff != "" {
				t.Errorf("what is left of the link (-want +got):\n%s", diff)
			}
			labels := map[string]string{"queue": "truv_link"}
			got := b.metric("wagewire_worker_dropped_total", labels)
			if got != float64(i+1) {
				t.Errorf("%v completions were dropped, want %d", got, i+1)
			}
		})
	}
	t.Run("that was stored before the erasure, and is sent again", func(t *testing.T) {
		e := sample(t, schema.Truv, tests[0].webhook, "late-0", ofLink("gone"))
		b.publish(e)
		b.logged(e, "erased", 2)
		if diff := cmp.Diff(erased, b.holds("gone")); diff != "" {
			t.Errorf("what is left of the link (-want +got):\n%s", diff)
		}
	})
	again := sample(t, schema.Truv, "link-deleted", "deleted-again", ofLink("gone"))
	b.publish(again)
	b.logged(again, "deleted", 1)
	if got := b.holds("gone"); len(got.Completions) != 2 || got.Tombstones != 1 {
		t.Errorf("a second link-deleted is completed like the first: %+v", got)
	}
	b.idle("truv_link")
	b.idle(erasures)
}

func TestAnEventInHandWhenItsLinkIsDeletedLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun, release := make(chan struct{}), make(chan struct{})
	b.start(schema.Link, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if job.Event.Action == schema.ActionConnected {
			close(begun)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return links(ctx, job)
	}), quick())
	connected, deleted := sample(t, schema.Truv, "link-connected", "first", ofLink("gone")),
		sample(t, schema.Truv, "link-deleted", "second", ofLink("gone"))
	b.publish(connected)
	receive(t, "the fetch begins", begun)
	b.publish(deleted)
	b.logged(deleted, "deleted", 1)
	close(release)
	b.logged(connected, "erased", 1)
	if diff := cmp.Diff(erased, b.holds("gone")); diff != "" {
		t.Errorf("what is left of the link (-want +got):\n%s", diff)
	}
	b.idle("truv_link")
}

// A dead letter of a deleted link would stay if its worker died before it erased the letter.
func TestADeletedLinkGetsNoDeadLetterNotEvenForAMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	letters, err := b.nats.SubscribeSync(schema.DeadLetterSubject("*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{}, 2)
	release := make(chan struct{})
	b.start(schema.Link, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if job.Event.Action == schema.ActionDeleted {
			return Fetched{Outcome: schema.Deleted}, nil
		}
		begun <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return Fetched{}, &api.StatusError{Status: 422}
	}), quick())
	gone := sample(t, schema.Truv, "link-connected", "first", ofLink("gone"))
	stays := sample(t, schema.Truv, "link-connected", "second", ofLink("stays"))
	deleted := sample(t, schema.Truv, "link-deleted", "third", ofLink("gone"))
	b.publish(gone, stays)
	receive(t, "the first fetch begins", begun)
	receive(t, "the second fetch begins", begun)
	b.publish(deleted)
	b.logged(deleted, "deleted", 1)
	close(release)
	b.logged(gone, "erased", 1)
	b.logged(stays, "failed", 1)
	if err := b.nats.FlushTimeout(time.Hour); err != nil {
		t.Fatal(err)
	}
	if n, _, err := letters.Pending(); err != nil || n != 1 {
		t.Fatalf("%d dead letters, error %v, want the other link's", n, err)
	}
	letter, err := letters.NextMsg(time.Hour) // it is there
	if err != nil {
		t.Fatal(err)
	}
	if want := schema.DeadLetterSubject("truv_link", "stays"); letter.Subject != want {
		t.Errorf("the dead letter is %s, want %s", letter.Subject, want)
	}
	if diff := cmp.Diff(erased, b.holds("gone")); diff != "" {
		t.Errorf("what is left of the link (-want +got):\n%s", diff)
	}
}

func TestNothingDelaysAnErasure(t *testing.T) {
	t.Parallel()
	const before = 20
	silent := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	fails := func(err error) func(context.Context) error {
		return func(context.Context) error { return err }
	}
	for promise, call := range map[string]func(context.Context) error{
		"not refused credentials":      fails(&api.StatusError{Status: 401}),
		"not forbidden links":          fails(&api.StatusError{Status: 403}),
		"not a provider that is down":  fails(&api.StatusError{Status: 503}),
		"not a hold of the provider":   fails(&api.StatusError{Status: 429, RetryAfter: time.Hour}),
		"not a worker with full hands": silent,
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for i := range before {
				id := fmt.Sprintf("before-%d", i)
				b.publish(sample(t, schema.Truv, "link-connected", id))
			}
			config := quick()
			config.PauseFor = time.Hour
			config.Ladders = Ladders{Retry: Ladder{time.Hour}, NotReady: Ladder{time.Hour}}
			called := make(chan struct{}, 1)
			b.start(schema.Link, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
				if job.Event.Erases() {
					return Fetched{Outcome: schema.Deleted}, nil
				}
				select {
				case called <- struct{}{}:
				default:
				}
				return Fetched{}, call(ctx)
			}), config)
			receive(t, "a call to the provider", called)

			deleted := sample(t, schema.Truv, "link-deleted", "deleted", ofLink("gone"))
			b.publish(deleted)
			b.logged(deleted, "deleted", 1)
			if diff := cmp.Diff(erased, b.holds("gone")); diff != "" {
				t.Errorf("what is left of the link (-want +got):\n%s", diff)
			}
			if n := len(b.completions()); n != 1 {
				t.Errorf("%d completions: the events before the erasure did not wait", n)
			}
		})
	}
}
