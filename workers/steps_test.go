package workers

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

// disturbances is how often each row disturbs an event. It is more than the ladders have steps.
const disturbances = 13

// stepBench has an event that meets disturbances, and then an outage of the provider.
type stepBench struct {
	*bench
	server *streamtest.Server
	e      schema.Event
	config Config
	calls  atomic.Int64
}

const stepQueue = "pinwheel_employment"

// answers returns a handler that gives the answer for each disturbance, and then reports an outage.
func (b *stepBench) answers(answer func() (Fetched, error)) Handler {
	return fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if b.calls.Add(1) <= disturbances {
			fetched, err := answer()
			if err == nil {
				err = job.Records.Add(ctx, api.Record{ID: "r", JSON: json.RawMessage(canaryRecord)})
			}
			return fetched, err
		}
		return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 503}
	})
}

func TestOnlyAFailureOfItsClassTakesAStep(t *testing.T) {
	t.Parallel()
	outage := fetchFunc(func(context.Context, Job) (Fetched, error) {
		return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 503}
	})
	tests := []struct {
		promise string
		disturb func(*testing.T, *stepBench) Handler
		// others are failures of other classes.
		others schema.Failures
	}{
		{"not a restart", func(t *testing.T, b *stepBench) Handler {
			for range disturbances {
				begun := make(chan struct{})
				stop := b.start(schema.Employment, fetchFunc(
					func(ctx context.Context, _ Job) (Fetched, error) {
						close(begun)
						<-ctx.Done()
						return Fetched{}, ctx.Err()
					}), b.config)
				receive(t, "the event is in hand", begun)
				stop()
			}
			return outage
		}, nil},
		{"not a kill", func(t *testing.T, b *stepBench) Handler {
			for range disturbances {
				b.take(stepQueue)
				b.loseLease(stepQueue, b.e)
			}
			return outage
		}, nil},
		{"not a pause", func(_ *testing.T, b *stepBench) Handler {
			return b.answers(func() (Fetched, error) {
				return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 401}
			})
		}, nil},
		{"not a hold", func(_ *testing.T, b *stepBench) Handler {
			return b.answers(func() (Fetched, error) {
				return Fetched{}, &api.StatusError{
					Endpoint: "/v1/x", Status: 429, RetryAfter: time.Millisecond,
				}
			})
		}, nil},
		{"not a broker that starts again", func(t *testing.T, b *stepBench) Handler {
			for range 3 {
				b.take(stepQueue)
				b.server.Stop()
				if err := b.server.Restart(); err != nil {
					t.Fatal(err)
				}
				streamtest.Eventually(t, "the broker is back",
					func() bool { return b.conn.Ready(t.Context()) == nil })
				b.loseLease(stepQueue, b.e)
			}
			return outage
		}, nil},
		{"not data that is not ready", func(_ *testing.T, b *stepBench) Handler {
			b.config.Ladders.NotReady = make(Ladder, disturbances)
			for i := range b.config.Ladders.NotReady {
				b.config.Ladders.NotReady[i] = time.Millisecond
			}
			return b.answers(func() (Fetched, error) { return Fetched{Stale: true}, nil })
		}, schema.Failures{schema.ClassNotReady: disturbances}},
		{"not a full stream", func(t *testing.T, b *stepBench) Handler {
			s, err := b.js.Stream(t.Context(), schema.CompletionsStream)
			if err != nil {
				t.Fatal(err)
			}
			full := s.CachedInfo().Config
			full.MaxBytes = 1
			if _, err := b.js.UpdateStream(t.Context(), full); err != nil {
				t.Fatal(err)
			}
			b.start(schema.Employment, b.answers(func() (Fetched, error) {
				return Fetched{}, nil
			}), b.config)
			for n := int64(1); n <= disturbances; n++ {
				streamtest.Eventually(t, "another completion finds no room", func() bool {
					return b.calls.Load() == n && len(b.waiting(stepQueue)) == 1
				})
				b.retryNow(stepQueue)
			}
			return nil
		}, schema.Failures{schema.ClassNotStored: disturbances}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			server, _ := streamtest.New(t)
			b := &stepBench{bench: newBenchAt(t, server.URL()), server: server, config: quick()}
			b.config.Concurrency = 1
			b.config.StopFor = time.Millisecond
			b.config.Ladders.Retry = []time.Duration{time.Hour, time.Hour}
			b.e = employment(t, "disturbed")
			b.publish(b.e)
			if handler := test.disturb(t, b); handler != nil {
				b.start(schema.Employment, handler, b.config)
			}
			failed := func() bool {
				waiting := b.waiting(stepQueue)
				return len(waiting) == 1 && waiting[0].Class == schema.ClassTransient
			}
			streamtest.Eventually(t, "the event waits for the end of the outage", failed)
			w := b.waiting(stepQueue)[0]
			want := schema.Failures{}.With(schema.ClassTransient)
			for class, n := range test.others {
				want[class] = n
			}
			if diff := cmp.Diff(want, w.Failures); diff != "" || w.Step != 1 || w.Steps != 2 {
				t.Errorf("step %d of %d; failures (-want +got):\n%s", w.Step, w.Steps, diff)
			}
			if n := len(b.completions()) + len(b.deadLetters("*", "*")); n != 0 {
				t.Errorf("%d last words", n)
			}
		})
	}
}

func TestAnEventThatWaitedTellsItsFirstStorageAndItsLastAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := employment(t, "waited")
	b.publish(e)
	var attempts []time.Time // by one hand
	config := quick()
	config.Concurrency = 1
	config.Ladders.Retry = []time.Duration{time.Hour}
	b.start(schema.Employment, fetchFunc(func(context.Context, Job) (Fetched, error) {
		attempts = append(attempts, time.Now())
		if len(attempts) == 1 {
			return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 503}
		}
		return Fetched{Scope: schema.Snapshot}, nil
	}), config)
	streamtest.Eventually(t, "the event waits",
		func() bool { return len(b.waiting(stepQueue)) == 1 })
	b.retryNow(stepQueue)
	got := b.completed(e, schema.Employment).Data
	if event := b.all(schema.EventsStream, e.Subject())[0]; !got.StoredAt.Equal(event.Time) {
		t.Errorf("stored at %v, want the time of the event, %v", got.StoredAt, event.Time)
	}
	if !got.TakenAt.After(attempts[0]) || got.TakenAt.After(attempts[1]) {
		t.Errorf("taken at %v, want a time of the second attempt, between %v and %v",
			got.TakenAt, attempts[0], attempts[1])
	}
}
