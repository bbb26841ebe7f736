package stream_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// erasure is all that the worker of a link-deleted does on the broker, step by step.
func erasure(c *stream.Conn, deleted schema.Event) []stream.Step {
	told := stream.Step{Name: "completion deleted", Run: func(ctx context.Context) error {
		_, err := c.PublishCompletion(ctx, deleted, completion(deleted, schema.Deleted))
		return err
	}}
	return slices.Concat(
		c.ErasureSteps(deleted.Provider, deleted.Account()),
		[]stream.Step{told},
		c.LastErasureSteps(deleted),
	)
}

func run(t *testing.T, steps []stream.Step) {
	t.Helper()
	for _, step := range steps {
		if err := step.Run(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
	}
}

// truvQueue finds a queue of Truv: the queue of links, or the queue of erasures.
func truvQueue(erases bool) schema.Queue {
	for _, q := range schema.QueuesOf(schema.Link) {
		if q.Provider == schema.Truv && q.Erases == erases {
			return q
		}
	}
	panic("no such queue")
}

// park lets an event wait in a queue, and stores the event among the retries as well.
func park(t *testing.T, c *stream.Conn, q schema.Queue, e schema.Event) {
	t.Helper()
	sequence := uint64(time.Now().UnixNano()) // no event has this place, and none is needed
	must(t, c.Park(t.Context(), q, e, sequence, schema.Wait{
		Class: schema.ClassTransient, Status: 503, Endpoint: "/v1/links/{link_id}/",
		Step: 1, Steps: 2, Since: time.Now(), Until: time.Now().Add(time.Hour),
		Failures: schema.Failures{schema.ClassTransient: 1},
	}))
	must(t, c.Requeue(t.Context(), q, e, sequence))
}

// fill gives an account events, completions, one of them large, dead letters, waiting events,
// retries and a replay. It returns the account's link-deleted, which waits too.
func fill(t *testing.T, c *stream.Conn, account, canary string) schema.Event {
	t.Helper()
	for _, e := range []schema.Event{
		link(account+"-1", account, schema.ActionConnected),
		link(account+"-2", account, schema.ActionDisconnected),
		link(account+"-3", account, schema.ActionConnected),
	} {
		publish(t, c, e)
		complete(t, c, e, succeeded(e, `{"ssn":"`+canary+`"}`))
		must(t, c.PublishDeadLetter(t.Context(), schema.DeadLetter{
			Queue:    schema.QueueName(schema.Truv, schema.Link),
			Account:  e.Account(),
			Sequence: uint64(len(account)*10) + uint64(e.ID[len(e.ID)-1]),
			At:       received,
			Body:     fmt.Appendf(nil, `{"note":%q}`, canary),
		}))
	}
	large := link(account+"-4", account, schema.ActionConnected)
	publish(t, c, large)
	complete(t, c, large, succeeded(large, records(schema.CompletionBytesMax, canary+" ")...))
	park(t, c, truvQueue(false), large)
	park(t, c, truvQueue(false), redriven(large, truvQueue(false)))
	deleted := link(account+"-5", account, schema.ActionDeleted)
	publish(t, c, deleted)
	park(t, c, truvQueue(true), deleted)
	return deleted
}

// holds counts what the streams have of an account.
func (b broker) holds(account string) map[string]int {
	b.t.Helper()
	objects := 0
	for _, name := range b.objects() {
		if strings.HasPrefix(name, schema.AccountRecords(schema.Truv, account)) {
			objects++
		}
	}
	count := func(stream, filter string) int { return len(b.all(stream, filter)) }
	waiting := 0
	retries := 0
	replays := 0
	for _, q := range schema.Queues() {
		waiting += count(q.WaitingStream(), schema.AccountWaiting("*", account))
		retries += count(q.WaitingStream(), schema.RetriesSubject("*", account))
		replays += count(q.WaitingStream(), schema.ReplaysSubject("*", account))
	}
	events := schema.AccountEvents(schema.Truv, "*", "*", account)
	completions := schema.AccountCompletions(schema.Truv, account)
	tombstone := schema.TombstoneSubject(schema.Truv, account)
	return map[string]int{
		"events":       count(schema.EventsStream, events),
		"completions":  count(schema.CompletionsStream, completions),
		"tombstones":   count(schema.CompletionsStream, tombstone),
		"dead letters": count(schema.DeadLettersStream, schema.DeadLetterSubject("*", account)),
		"waiting":      waiting,
		"retries":      retries,
		"replays":      replays,
		"objects":      objects,
	}
}

// leftAfterErasure is what the streams still have of an erased account.
var leftAfterErasure = map[string]int{
	"events": 0, "completions": 1, "tombstones": 1, "dead letters": 0, "objects": 0,
	"waiting": 0, "retries": 0, "replays": 0,
}

func TestErasureMayStopAfterAnyStepAndBeginAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	fill(t, c, "bystander", "BYSTANDER")
	before := fmt.Sprint(b.holds("bystander"))
	for first := range len(erasure(c, schema.Event{})) + 1 {
		account := strings.Repeat("x", first+1)
		deleted := fill(t, c, account, "CANARY")
		run(t, erasure(c, deleted)[:first])
		run(t, erasure(c, deleted))
		if got := b.holds(account); !maps.Equal(got, leftAfterErasure) {
			t.Errorf("%d steps, then all: the account has %v, want %v",
				first, got, leftAfterErasure)
		}
		m := b.all(schema.CompletionsStream, schema.AccountCompletions(schema.Truv, account))[0]
		if m.Header.Get("Wagewire-Outcome") != "deleted" {
			t.Errorf("%d steps, then all: the completion left is %s", first, m.Data)
		}
	}
	if after := fmt.Sprint(b.holds("bystander")); after != before {
		t.Errorf("the bystander has %s, had %s", after, before)
	}
}

// An erasure that stops before its end must come again. The queue delivers the report again only
// while the report and, for a report that waited, its retry are on their streams.
func TestAReportStaysUntilNothingElseOfItsAccountIsLeft(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	deleted := fill(t, c, "account", "CANARY")
	steps := erasure(c, deleted)
	report := len(steps) - 2
	for _, step := range steps[:report] {
		run(t, []stream.Step{step})
		got := b.holds("account")
		if len(b.all(schema.EventsStream, deleted.Subject())) != 1 || got["retries"] == 0 {
			t.Errorf("after step %s the report or its retry is gone: %v", step.Name, got)
		}
	}
	want := maps.Clone(leftAfterErasure)
	want["events"], want["waiting"], want["retries"] = 1, 1, 1
	if got := b.holds("account"); !maps.Equal(got, want) {
		t.Errorf("before the report goes, the account has %v, want %v", got, want)
	}
}

func TestASecondReportStaysUntilItsOwnErasure(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	first := fill(t, c, "account", "CANARY")
	second := link("second", "account", schema.ActionDeleted)
	publish(t, c, second)
	park(t, c, truvQueue(true), second)
	run(t, erasure(c, first))
	want := maps.Clone(leftAfterErasure)
	want["events"], want["waiting"], want["retries"] = 1, 1, 1
	if got := b.holds("account"); !maps.Equal(got, want) {
		t.Errorf("after the first erasure the account has %v, want %v", got, want)
	}
	run(t, erasure(c, second))
	want = maps.Clone(leftAfterErasure)
	want["completions"] = 2
	if got := b.holds("account"); !maps.Equal(got, want) {
		t.Errorf("after the second erasure the account has %v, want %v", got, want)
	}
}

func TestEveryCopyOfAReportIsErased(t *testing.T) {
	t.Parallel()
	s, c := start(t, func(topology *schema.Topology) {
		streamIn(topology, schema.EventsStream).Duplicates = 100 * time.Millisecond
	})
	b := look(t, s)
	deleted := fill(t, c, "account", "CANARY")
	streamtest.Eventually(t, "the duplicate window has passed", func() bool {
		duplicate, err := c.PublishEvent(t.Context(), deleted)
		must(t, err)
		return !duplicate
	})
	if n := len(b.all(schema.EventsStream, deleted.Subject())); n != 2 {
		t.Fatalf("%d copies of the report, want 2", n)
	}
	run(t, erasure(c, deleted))
	if got := b.holds("account"); !maps.Equal(got, leftAfterErasure) {
		t.Errorf("the account has %v, want %v", got, leftAfterErasure)
	}
}

func TestAReportSentAgainAfterItsErasureIsErasedAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	deleted := fill(t, c, "account", "CANARY")
	for promise, between := range map[string]func(){
		"within the duplicate window": func() {},
		"after the broker started again": func() {
			restart(b, s, deleted)
			streamtest.Eventually(t, "connected again", func() bool { return c.Connected() == nil })
		},
	} {
		run(t, erasure(c, deleted))
		between()
		duplicate, err := c.PublishEvent(t.Context(), deleted)
		must(t, err)
		if duplicate || b.holds("account")["events"] != 1 {
			t.Errorf("%s: the broker takes a report that it no longer has for a duplicate", promise)
		}
		run(t, erasure(c, deleted))
		if got := b.holds("account"); !maps.Equal(got, leftAfterErasure) {
			t.Errorf("%s: the account has %v, want %v", promise, got, leftAfterErasure)
		}
	}
}

// A message may be deleted while a worker has it. The broker takes the acknowledgement. After a
// nak, or after the end of the lease, it delivers the message to nobody.
func TestADeletedReportIsSettledAndNeverDeliveredAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	q := truvQueue(true)
	publish(t, c,
		link("settled", "first", schema.ActionDeleted),
		link("given-back", "second", schema.ActionDeleted))
	jobs, _, _ := hold(t, c, q, 2)
	for range 2 {
		j := next(t, "a report", jobs)
		run(t, erasure(c, j.Event))
		if j.Event.ID == "settled" {
			must(t, j.Done())
		} else {
			must(t, j.GiveBack())
		}
		j.release()
	}
	streamtest.Eventually(t, "the queue has no report in hand", func() bool {
		return b.queue(q).NumAckPending == 0
	})
	none(t, "a deleted report was delivered again", jobs)
}

func TestARetryWithoutItsEventDeletesItself(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	q := truvQueue(true)
	gone := link("gone", "account", schema.ActionDeleted)
	must(t, c.Requeue(t.Context(), q, gone, 4711))
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		taking := stream.Taking{Hands: 1, RetryHands: 1}
		ended <- c.Queue(q).Consume(ctx, taking, func(d *stream.Delivery) {
			t.Errorf("a retry without its event was handed to work: %s", d.Event.Key())
			_ = d.Done()
		})
	}()
	streamtest.Eventually(t, "the retry is gone", func() bool {
		return b.holds("account")["retries"] == 0
	})
	end()
	must(t, next(t, "the end of Consume", ended))
}

func TestErasureByTwoAtOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	deleted := fill(t, c, "account", "CANARY")
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for _, step := range erasure(c, deleted) {
				if err := step.Run(t.Context()); err != nil {
					t.Errorf("%s: %v", step.Name, err)
				}
			}
		})
	}
	all.Wait()
	if got := b.holds("account"); !maps.Equal(got, leftAfterErasure) {
		t.Errorf("the account has %v, want %v", got, leftAfterErasure)
	}
}

func TestErasureOverwritesWhatItDeletes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := streamtest.Start(streamtest.Config{Dir: dir})
	must(t, err)
	t.Cleanup(s.Stop)
	c := s.Connect(t)
	streamtest.Provision(t, c, streamtest.Topology())
	deleted := fill(t, c, "account", "CANARY-4711")
	fill(t, c, "bystander", "BYSTANDER-4711")
	streams := []string{
		schema.CompletionsStream, schema.DeadLettersStream, "OBJ_" + schema.RecordsBucket,
	}
	for _, name := range streams {
		streamtest.Eventually(t, "written to "+name, func() bool {
			return onDisk(t, dir, "CANARY-4711", name) && onDisk(t, dir, "BYSTANDER-4711", name)
		})
	}
	run(t, erasure(c, deleted))
	for _, when := range []string{"after the erasure", "after a restart"} {
		for _, name := range streams {
			if onDisk(t, dir, "CANARY-4711", name) {
				t.Errorf("%s the data is still in the files of %s", when, name)
			}
			if !onDisk(t, dir, "BYSTANDER-4711", name) {
				t.Errorf("%s another account's data is no longer in the files of %s", when, name)
			}
		}
		s.Stop()
		must(t, s.Restart())
	}
}

func TestErasureOnAFullBroker(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	deleted := fill(t, c, "account", "CANARY")
	topology := streamtest.Topology()
	topology.Records.MaxBytes = int64(b.state("OBJ_" + schema.RecordsBucket).Bytes)
	letters := streamIn(&topology, schema.DeadLettersStream)
	letters.MaxBytes = int64(b.state(schema.DeadLettersStream).Bytes)
	streamtest.Provision(t, c, topology)
	for _, step := range erasure(c, deleted) {
		if err := step.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", step.Name, err)
		}
	}
	if got := b.holds("account"); got["objects"]+got["dead letters"] != 0 {
		t.Errorf("the account has %v", got)
	}
}

func TestTombstoneOutlivesEveryCompletionAndRestart(t *testing.T) {
	t.Parallel()
	s, c := start(t, func(topology *schema.Topology) {
		completions := streamIn(topology, schema.CompletionsStream)
		completions.MaxAge = time.Second
		completions.Duplicates = time.Second
	})
	b := look(t, s)
	gone := link("gone", "gone", schema.ActionConnected)
	kept := paystubs("kept", "kept")
	erase(t, c, gone)
	publishKept := func() {
		_, err := c.PublishCompletion(t.Context(), kept, succeeded(kept))
		must(t, err)
	}
	publishKept()
	for range 2 {
		streamtest.Eventually(t, "the completion is too old", func() bool {
			return b.state(schema.CompletionsStream).Msgs == 1
		})
		if n := b.holds("gone")["tombstones"]; n != 1 {
			t.Fatalf("%d tombstones", n)
		}
		if _, err := c.PublishCompletion(t.Context(), gone, succeeded(gone)); err == nil {
			t.Error("a completion was stored behind the tombstone")
		}
		restart(b, s, gone)
		streamtest.Eventually(t, "connected again", func() bool { return c.Connected() == nil })
		publishKept()
	}
}

func TestAnErasureSurvivesABrokerThatStartsAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, link("e-1", "a-1", schema.ActionConnected),
		link("e-2", "a-2", schema.ActionConnected))
	s.Stop()
	erased := make(chan error, 1)
	go func() { erased <- c.EraseEvents(t.Context(), schema.Truv, "a-1") }()
	must(t, s.Restart())
	must(t, next(t, "the erasure ends", erased))
	if left := look(t, s).all(schema.EventsStream, ">"); len(left) != 1 {
		t.Errorf("%d events are left, want the one of the other account", len(left))
	}
}
