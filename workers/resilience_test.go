package workers

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

// publishAll publishes many events at a time.
func (b *bench) publishAll(events []schema.Event) {
	b.Helper()
	var group errgroup.Group
	group.SetLimit(64)
	for _, e := range events {
		group.Go(func() error {
			_, err := b.conn.PublishEvent(b.Context(), e)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

func many(t *testing.T, n int, name string) []schema.Event {
	t.Helper()
	events := make([]schema.Event, n)
	for i := range events {
		events[i] = employment(t, fmt.Sprintf("%s-%d", name, i))
	}
	return events
}

func TestAFreshEventIsCompletedAtOnceThough5000WaitForTheirLadder(t *testing.T) {
	t.Parallel()
	const waiting, queue = 5000, "pinwheel_employment"
	b := newBench(t)
	var calls atomic.Int64
	begun, release := make(chan struct{}), make(chan struct{})
	config := quick()
	config.Concurrency, config.Ladders.Retry = 32, []time.Duration{time.Hour}
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if job.Event.ID != "fresh" {
			calls.Add(1)
			return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 503}
		}
		close(begun)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return brings(ctx, job)
	}), config)
	b.publishAll(many(t, waiting, "waits"))
	streamtest.Eventually(b, "all of them have been tried",
		func() bool { return calls.Load() == waiting })
	later := map[string]string{"queue": queue, "outcome": "later"}
	streamtest.Eventually(b, "all of them wait",
		func() bool { return b.metric("wagewire_worker_jobs_total", later) == waiting })

	fresh := employment(t, "fresh")
	b.publish(fresh)
	receive(t, "the fresh event is in hand", begun)
	// Only the fresh event is in hand. What waits is no work: no lag, and no place in the queue.
	if lag := b.lag(queue); lag != 1 {
		t.Errorf("a lag of %d, want 1", lag)
	}
	if got := len(b.waiting(queue)); got != waiting {
		t.Errorf("%d events wait, want %d", got, waiting)
	}
	close(release)
	if got := b.completed(fresh, schema.Employment); got.Data.Attempts != 1 ||
		got.Data.Outcome != schema.Succeeded {
		t.Errorf("completion %+v", got.Data)
	}
	streamtest.Eventually(b, "the fresh event is settled", func() bool { return b.lag(queue) == 0 })
	if calls.Load() != waiting {
		t.Errorf("%d calls, want %d: an event was tried again", calls.Load(), waiting)
	}
}

func TestAFreshEventIsCompletedWhileReplaysHoldAllTheirHands(t *testing.T) {
	t.Parallel()
	const replays, queue = 100, "pinwheel_employment"
	b := newBench(t)
	release := make(chan struct{})
	var replayed atomic.Int64
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if job.Event.Replayed() {
			replayed.Add(1)
			select {
			case <-release:
			case <-ctx.Done():
				return Fetched{}, ctx.Err()
			}
		}
		return brings(ctx, job)
	}), quick())
	events := many(t, replays, "replayed")
	for i := range events {
		events[i].Redrive = 1
	}
	b.publishAll(events)
	fresh := employment(t, "fresh")
	b.publish(fresh)
	if got := b.completed(fresh, schema.Employment); got.Data.Outcome != schema.Succeeded {
		t.Errorf("completion %+v", got.Data)
	}
	hands := int64(quick().Concurrency) / HandsPerRetryHand
	if n := replayed.Load(); n > max(1, hands) {
		t.Errorf("%d replays are in hand, want %d at most", n, max(1, hands))
	}
	close(release)
	for _, e := range events {
		b.completed(e, schema.Employment)
	}
	b.idle(queue)
}

func TestAQueueThatIsProvisionedAgainRedeliversEverythingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	const n, queue = 20, "pinwheel_employment"
	b := newBench(t)
	var calls atomic.Int64
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		calls.Add(1)
		if job.Event.ID == "failed" {
			return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 422}
		}
		return brings(ctx, job)
	}), quick())
	failed := employment(t, "failed")
	events := append(many(t, n, "kept"), failed)
	for i := range events {
		events[i].ReceivedAt = time.Now().Add(-2 * FreshFor)
	}
	b.publishAll(events)
	for _, e := range events {
		b.completed(e, schema.Employment)
	}
	b.idle(queue)
	if got := calls.Load(); got != n+1 {
		t.Fatalf("%d calls, want %d", got, n+1)
	}

	if err := b.js.DeleteConsumer(t.Context(), schema.EventsStream, queue); err != nil {
		t.Fatal(err)
	}
	if err := stream.NewOperator(b.conn).Provision(t.Context(), streamtest.Topology()); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if line := b.logged(e, "completed_before", 1); line["attempt"] != int64(1) {
			t.Errorf("logged as %v: the queue is not a new one", line)
		}
	}
	b.idle(queue)
	if got := calls.Load(); got != n+1 {
		t.Errorf("the provider was asked %d times, want %d", got, n+1)
	}
	if stored := b.completions(); len(stored) != len(events) {
		t.Errorf("%d completions of %d events", len(stored), len(events))
	}
	if letters := b.deadLetters(queue, "*"); len(letters) != 1 {
		t.Errorf("%d dead letters, want 1", len(letters))
	}
	fresh := employment(t, "fresh")
	b.publish(fresh)
	b.completed(fresh, schema.Employment)
}

func TestOnceThereIsRoomForCompletionsTheEventsThatWaitedAreCompleted(t *testing.T) {
	t.Parallel()
	const queue = "pinwheel_employment"
	b := newBench(t)
	s, err := b.js.Stream(t.Context(), schema.CompletionsStream)
	if err != nil {
		t.Fatal(err)
	}
	roomy := s.CachedInfo().Config
	full := roomy
	full.MaxMsgs = 1
	if _, err := b.js.UpdateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	b.start(schema.Employment, brings, quick())
	first, second := employment(t, "full-1"), employment(t, "full-2")
	b.publish(first)
	b.logged(first, "succeeded", 1)
	b.publish(second)
	b.waitsFor(queue, 1)
	if _, err := b.js.UpdateStream(t.Context(), roomy); err != nil {
		t.Fatal(err)
	}
	b.retryNow(queue)
	if got := b.completed(second, schema.Employment); got.Data.Outcome != schema.Succeeded {
		t.Errorf("completion %+v", got.Data)
	}
	b.idle(queue)
}

func TestVersionsSideBySide(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start(schema.Employment, brings, quick())
	for promise, change := range map[string]func(*nats.Msg){
		"headers of a later version are ignored": func(m *nats.Msg) {
			m.Header.Set("Wagewire-Later", "x")
			m.Header.Set("ce-later", "%zz")
			m.Header.Set("tracestate", "vendor=1")
		},
		"an earlier version's event without optional headers is read": func(m *nats.Msg) {
			for _, name := range []string{"traceparent", "content-type", "ce-specversion",
				"ce-source", "ce-subject"} {
				delete(m.Header, name)
			}
		},
	} {
		t.Run(promise, func(t *testing.T) {
			e := employment(t, schema.Token(promise), func(body map[string]any) {
				body["later"] = map[string]any{"a": []int{1}}
				says("later", "field")(body)
			})
			e.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			raw := b.asPublished(e)
			change(raw)
			if _, err := b.js.PublishMsg(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Succeeded ||
				got.Data.Event.ID != e.ID {
				t.Errorf("completion %+v", got.Data)
			}
		})
	}
	t.Run("a completion that a later version stored, with more in it, is the last word",
		func(t *testing.T) {
			e := employment(t, "later-completion")
			c := schema.NewCompletion(e, schema.Employment, schema.Unavailable, time.Now())
			text, err := c.Encode()
			if err != nil {
				t.Fatal(err)
			}
			text = append(append([]byte(`{"later":{"x":[1]},`), text[1:len(text)-2]...),
				`,"later":1.50}}`...)
			var read schema.Completion
			if err := json.Unmarshal(text, &read); err != nil || read.ID != c.ID ||
				read.Data.Outcome != c.Data.Outcome {
				t.Fatalf("it reads as %+v, error %v", read, err)
			}
			msg := &nats.Msg{Subject: e.CompletionSubject(schema.Employment), Data: text,
				Header: nats.Header{"Wagewire-Later": {"x"}}}
			if _, err := b.js.PublishMsg(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
			b.publish(e)
			b.until("its job ends", func() bool { return len(b.jobs(e)) > 0 })
			if stored := b.all(schema.CompletionsStream, msg.Subject); len(stored) != 1 ||
				string(stored[0].Data) != string(text) {
				t.Errorf("%d completions", len(stored))
			}
		})
	b.idle("pinwheel_employment")
}

// asPublished is the message that this version makes of the event, taken from another broker: on
// this one nobody has seen it.
func (b *bench) asPublished(e schema.Event) *nats.Msg {
	b.Helper()
	server, conn := streamtest.New(b.T)
	if _, err := conn.PublishEvent(b.Context(), e); err != nil {
		b.Fatal(err)
	}
	js := jetStreamOf(b.T, dial(b.T, server))
	s, err := js.Stream(b.Context(), schema.EventsStream)
	if err != nil {
		b.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(b.Context(), e.Subject())
	if err != nil {
		b.Fatal(err)
	}
	return &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
}
