package workers

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// provisionAsBefore makes the streams and queues of the last release without waiting events. The
// file has them as the broker described them.
func (b *bench) provisionAsBefore() {
	b.Helper()
	text, err := os.ReadFile("testdata/topology-without-waiting.json")
	if err != nil {
		b.Fatal(err)
	}
	var streams []struct {
		Stream    jetstream.StreamConfig
		Consumers []jetstream.ConsumerConfig
	}
	if err := json.Unmarshal(text, &streams); err != nil {
		b.Fatal(err)
	}
	for _, s := range streams {
		if _, err := b.js.CreateStream(b.Context(), s.Stream); err != nil {
			b.Fatalf("%s: %v", s.Stream.Name, err)
		}
		for _, c := range s.Consumers {
			if _, err := b.js.CreateConsumer(b.Context(), s.Stream.Name, c); err != nil {
				b.Fatalf("%s of %s: %v", c.Name, s.Stream.Name, err)
			}
		}
	}
}

// takeEvent takes the event from a queue, as a worker would. Every other event goes back.
func (b *bench) takeEvent(queue string, e schema.Event) jetstream.Msg {
	b.Helper()
	for {
		msg := b.take(queue)
		if msg.Headers().Get("ce-id") == e.ID {
			return msg
		}
		if err := msg.Nak(); err != nil {
			b.Fatal(err)
		}
	}
}

// The broker's state is that of a release that gave waiting events back with a delay, counted their
// deliveries, and had erasures in the queue of their resource.
func TestAnUpgradeKeepsTheEventsInFlight(t *testing.T) {
	t.Parallel()
	server := streamtest.Run(t, streamtest.Config{})
	b := newBenchAt(t, server.URL())
	b.provisionAsBefore()
	const queue = "pinwheel_employment"

	fresh := employment(t, "fresh")
	waits := employment(t, "waits")
	inHand := employment(t, "in-hand")
	completed := employment(t, "completed")
	often := employment(t, "delivered-often")
	for _, e := range []schema.Event{waits, inHand, completed, often} {
		b.publish(e)
	}
	nak := func(e schema.Event, delay time.Duration) {
		t.Helper()
		if err := b.takeEvent(queue, e).NakWithDelay(delay); err != nil {
			t.Fatal(err)
		}
	}
	nak(waits, 2*time.Second)
	b.takeEvent(queue, inHand)
	b.takeEvent(queue, completed) // its worker stores the completion and dies
	first := schema.NewCompletion(completed, schema.Employment, schema.Unavailable, time.Now())
	first.Data.Attempts = 1
	if _, err := b.conn.PublishCompletion(t.Context(), completed, first); err != nil {
		t.Fatal(err)
	}
	for range schema.DeliveriesMax + 5 { // restarts during an outage of the credentials
		nak(often, 0)
	}
	b.publish(fresh)

	pendingDeletion := sample(t, schema.Truv, "link-deleted", "pending", ofLink("link-pending"))
	erased := sample(t, schema.Truv, "link-deleted", "erased", ofLink("link-erased"))
	b.publish(erased)
	for _, step := range b.conn.ErasureSteps(schema.Truv, erased.Account())[:2] {
		if err := step.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deleted := schema.NewCompletion(erased, schema.Link, schema.Deleted, time.Now())
	deleted.Data.Attempts = 1
	if _, err := b.conn.PublishCompletion(t.Context(), erased, deleted); err != nil {
		t.Fatal(err)
	}
	if err := b.take("truv_link").DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.publish(pendingDeletion)

	operator := stream.NewOperator(b.conn)
	changes, err := operator.Plan(t.Context(), streamtest.Topology())
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		t.Log(change)
		if slices.ContainsFunc(change.Fields, func(f stream.Field) bool {
			return !change.Create && f.Name == "max_deliver"
		}) {
			t.Errorf("%s: workers of before would end events at the new limit", change.What)
		}
	}
	if err := operator.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	left, err := operator.Plan(t.Context(), streamtest.Topology())
	if err != nil || len(left) != 0 {
		t.Errorf("a second plan has %v, %v", left, err)
	}

	b.start(schema.Employment, brings, quick())
	b.start(schema.Link, fetchFunc(func(context.Context, Job) (Fetched, error) {
		return Fetched{Outcome: schema.Deleted}, nil
	}), quick())
	b.loseLease(queue, inHand)
	b.loseLease(queue, completed)
	for _, e := range []schema.Event{fresh, waits, inHand, often} {
		if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Succeeded ||
			got.Data.Attempts != 1 {
			t.Errorf("%s: completion %+v", e.ID, got.Data)
		}
	}
	for _, e := range []schema.Event{pendingDeletion, erased} {
		if got := b.completed(e, schema.Link); got.Data.Outcome != schema.Deleted {
			t.Errorf("%s: completion %+v", e.ID, got.Data)
		}
	}
	for _, name := range []string{queue, "truv_link", "truv_erasures"} {
		b.idle(name)
	}
	if got := b.completed(completed, schema.Employment); got.Data.Outcome != schema.Unavailable {
		t.Errorf("the completion of before became %+v", got.Data)
	}
	if n := len(b.completions()); n != 7 {
		t.Errorf("%d completions of 7 events", n)
	}
	if n := len(b.deadLetters("*", "*")); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if left := b.all(schema.EventsStream, "wagewire.events.truv.>"); len(left) != 0 {
		t.Errorf("%d reports of deletions are left, with their bodies", len(left))
	}
}
