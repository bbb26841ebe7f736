package stream_test

import (
	"context"
	"fmt"
	"maps"
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
	return append(c.ErasureSteps(deleted.Provider, deleted.Account()),
		stream.Step{Name: "completion deleted", Run: func(ctx context.Context) error {
			_, err := c.PublishCompletion(ctx, deleted, completion(deleted, schema.Deleted))
			return err
		}},
		stream.Step{Name: "events", Run: func(ctx context.Context) error {
			return c.EraseEvents(ctx, deleted.Provider, deleted.Account())
		}},
	)
}

// fill gives an account events, completions, one of them large, and dead letters, and returns its
// link-deleted.
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
	deleted := link(account+"-5", account, schema.ActionDeleted)
	publish(t, c, deleted)
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
	events := schema.AccountEvents(schema.Truv, "*", "*", account)
	completions := schema.AccountCompletions(schema.Truv, account)
	tombstone := schema.TombstoneSubject(schema.Truv, account)
	return map[string]int{
		"events":       count(schema.EventsStream, events),
		"completions":  count(schema.CompletionsStream, completions),
		"tombstones":   count(schema.CompletionsStream, tombstone),
		"dead letters": count(schema.DeadLettersStream, schema.DeadLetterSubject("*", account)),
		"objects":      objects,
	}
}

// leftAfterErasure is what the streams still have of an erased account.
var leftAfterErasure = map[string]int{
	"events": 1, "completions": 1, "tombstones": 1, "dead letters": 0, "objects": 0,
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
		for _, step := range append(erasure(c, deleted)[:first], erasure(c, deleted)...) {
			if err := step.Run(t.Context()); err != nil {
				t.Fatalf("%d steps, then all: %s: %v", first, step.Name, err)
			}
		}
		if got := b.holds(account); !maps.Equal(got, leftAfterErasure) {
			t.Errorf("%d steps, then all: the account has %v, want %v",
				first, got, leftAfterErasure)
		}
		m := b.all(schema.CompletionsStream, schema.AccountCompletions(schema.Truv, account))[0]
		if m.Header.Get("Wagewire-Outcome") != "deleted" {
			t.Errorf("%d steps, then all: the completion left is %s", first, m.Data)
		}
		m = b.all(schema.EventsStream, schema.AccountEvents(schema.Truv, "*", "*", account))[0]
		if m.Subject != deleted.Subject() {
			t.Errorf("%d steps, then all: the event left is on %s", first, m.Subject)
		}
	}
	if after := fmt.Sprint(b.holds("bystander")); after != before {
		t.Errorf("the bystander has %s, had %s", after, before)
	}
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
	for _, step := range erasure(c, deleted) {
		must(t, step.Run(t.Context()))
	}
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
