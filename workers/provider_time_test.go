package workers

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
)

// at is a time, a number of minutes after another.
func at(minutes int) time.Time {
	return time.Date(2026, 2, 3, 15, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func TestStopsCountOnlyWithinATime(t *testing.T) {
	ended := stops{{at(10), at(20)}, {at(30), at(40)}}
	for _, row := range []struct {
		promise  string
		stops    stops
		from, to int
		want     time.Duration
	}{
		{"without a stop nothing counts", nil, 0, 60, 0},
		{"all stops within the time count", ended, 0, 60, 20 * time.Minute},
		{"a stop before the time does not count", ended, 25, 60, 10 * time.Minute},
		{"a stop after the time does not count", ended, 0, 25, 10 * time.Minute},
		{"the parts of stops within the time count", ended, 15, 35, 10 * time.Minute},
		{"a stop longer than the time counts for the time", ended, 12, 15, 3 * time.Minute},
		{"a stop without an end counts until now", stops{{from: at(10)}}, 0, 15, 5 * time.Minute},
		{"a time that ends before it begins has none", ended, 20, 10, 0},
	} {
		t.Run(row.promise, func(t *testing.T) {
			if got := row.stops.within(at(row.from), at(row.to)); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

func TestAQueueRemembersALimitedNumberOfStops(t *testing.T) {
	var s stops
	for i := range 3 * stopsMax {
		s.note(true, at(2*i))
		s.note(true, at(2*i))
		s.note(false, at(2*i+1))
		s.note(false, at(2*i+1))
	}
	if len(s) != stopsMax || s[stopsMax-1].to != at(6*stopsMax-1) {
		t.Errorf("%d stops, the last is %v", len(s), s[len(s)-1])
	}
}

func TestAQueueIsStoppedWhileItTakesNoEvents(t *testing.T) {
	for _, row := range []struct {
		promise string
		disturb func(*testing.T, *pause)
		want    time.Duration
	}{
		{"during a hold", func(_ *testing.T, p *pause) { p.hold(time.Minute) }, time.Minute},
		{"until a hold is ended early", func(_ *testing.T, p *pause) {
			p.hold(time.Minute)
			<-time.After(time.Second)
			p.hold(0)
		}, time.Second},
		{"not during a hold for which calls wait in hand", func(_ *testing.T, p *pause) {
			p.hold(api.HoldInHandMax)
		}, 0},
		{"until a probe is accepted", func(t *testing.T, p *pause) {
			_ = call(t, p, "a", errUnauthorized)
			<-time.After(time.Second)
			takeTurn(p)
			_ = call(t, p, "a", errUnauthorized)
			<-time.After(time.Second)
			takeTurn(p)
			_ = call(t, p, "a", nil)
		}, 2 * time.Second},
	} {
		t.Run(row.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newTestPause()
				began := time.Now()
				row.disturb(t, p)
				<-time.After(time.Hour)
				if got := p.stoppedFor(began, time.Now()); got != row.want {
					t.Errorf("stopped for %v, want %v", got, row.want)
				}
			})
		})
	}
}

func TestAnAttemptKnowsWhatTheProviderTookBefore(t *testing.T) {
	const took = 7 * time.Second
	waited := func(class schema.Class) schema.Wait {
		return schema.Wait{Class: class, Since: at(10), Until: at(40), ProviderTook: took}
	}
	for _, row := range []struct {
		promise string
		waited  schema.Wait
		now     int
		want    time.Duration
	}{
		{"nothing without an attempt before", schema.Wait{}, 5, 0},
		{"the time on the stream during a stop", schema.Wait{}, 110, 10 * time.Minute},
		{"a wait for an outage", waited(schema.ClassTransient), 40, took + 30*time.Minute},
		{"a wait for late data", waited(schema.ClassNotReady), 40, took + 30*time.Minute},
		{"a wait after a 429", waited(schema.ClassThrottled), 40, took + 30*time.Minute},
		{"a wait after a 401", waited(schema.ClassUnauthorized), 40, took + 30*time.Minute},
		{"a wait after a 403", waited(schema.ClassForbidden), 40, took + 30*time.Minute},
		{"a wait after a broken answer", waited(schema.ClassContract), 40, took + 30*time.Minute},
		{"no wait for the broker", waited(schema.ClassNotStored), 40, took},
		{"no wait of a class of a later release", waited("weather"), 40, took},
		{"a wait until an operator ended it", waited(schema.ClassTransient), 20,
			took + 10*time.Minute},
		{"no time between the wait and the attempt", waited(schema.ClassTransient), 90,
			took + 30*time.Minute},
		{"a stop after the wait", waited(schema.ClassTransient), 105, took + 35*time.Minute},
	} {
		t.Run(row.promise, func(t *testing.T) {
			q := &queue{pause: newTestPause()}
			q.pause.stops = stops{{at(100), at(110)}}
			d := &stream.Delivery{Event: schema.Event{ReceivedAt: at(0)}, Waited: row.waited}
			if got := q.startProviderClock(d, at(row.now)).took(); got != row.want {
				t.Errorf("the provider took %v, want %v", got, row.want)
			}
		})
	}
}

// histogram is what the registry has of a histogram with the labels of Pinwheel's employment.
type histogram struct {
	count uint64
	sum   float64
	// traces are the trace ids of the exemplars.
	traces []string
}

func (b *bench) histogram(name string) histogram {
	b.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	var h histogram
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			h.count += m.GetHistogram().GetSampleCount()
			h.sum += m.GetHistogram().GetSampleSum()
			for _, bucket := range m.GetHistogram().GetBucket() {
				for _, label := range bucket.GetExemplar().GetLabel() {
					h.traces = append(h.traces, label.GetName()+"="+label.GetValue())
				}
			}
		}
	}
	return h
}

// takes is a Handler whose provider takes a second for the first attempt, two for the second and so
// on, and is down until the attempt with the number.
func takes(succeeds int) fetchFunc {
	return func(ctx context.Context, job Job) (Fetched, error) {
		CountProviderTime(ctx, time.Duration(job.Attempt)*time.Second)
		if job.Attempt < succeeds {
			return Fetched{}, errDown
		}
		return Fetched{}, bring(ctx, job, canaryRecord)
	}
}

func TestTheTimeOfACompletionIsObservedApartFromItsProviders(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise  string
		attempts int
		provider time.Duration // without the waits
	}{
		{"a call is the provider's time", 1, time.Second},
		{"the calls of all attempts are", 3, 6 * time.Second},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.start(schema.Employment, takes(row.attempts), quick())
			e := employment(t, "timed")
			e.ReceivedAt = time.Now().Add(-time.Hour).UTC().Round(0)
			b.publish(e)
			b.completed(e, schema.Employment)
			b.logged(e, "succeeded", 1)
			total := b.histogram("wagewire_completion_seconds")
			own := b.histogram("wagewire_completion_own_seconds")
			if total.count != 1 || own.count != 1 {
				t.Fatalf("observed %d and %d times, want once", total.count, own.count)
			}
			want := row.provider + b.waits(e)
			if total.sum < time.Hour.Seconds() {
				t.Errorf("the completion took %v s, and its webhook is an hour old", total.sum)
			}
			if got := total.sum - own.sum; math.Abs(got-want.Seconds()) > 1e-6 {
				t.Errorf("%v s are the provider's, want %v", got, want)
			}
		})
	}
}

// waits is how long an event has waited after its failures.
func (b *bench) waits(e schema.Event) time.Duration {
	b.Helper()
	var sum time.Duration
	err := stream.NewOperator(b.conn).RetriesOf(b.Context(), e, e.Account(),
		func(r stream.Retry) error {
			sum += r.Until.Sub(r.Since)
			return nil
		})
	if err != nil {
		b.Fatal(err)
	}
	return sum
}

func TestOnlyFreshStoredCompletionsAreTimed(t *testing.T) {
	t.Parallel()
	const name = "wagewire_completion_seconds"
	for _, row := range []struct {
		promise string
		change  func(*schema.Event)
		want    uint64
	}{
		{"a webhook is", func(*schema.Event) {}, 1},
		{"a redrive is not", func(e *schema.Event) { e.Redrive = 1 }, 0},
		{"a backfill is not", func(e *schema.Event) { e.Backfill = true }, 0},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.start(schema.Employment, brings, quick())
			e := employment(t, "fresh-or-not")
			row.change(&e)
			b.publish(e)
			b.completed(e, schema.Employment)
			b.logged(e, "succeeded", 1)
			if got := b.histogram(name).count; got != row.want {
				t.Errorf("observed %d times, want %d", got, row.want)
			}
		})
	}
	t.Run("a completion that another worker has stored is not", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		e := employment(t, "fenced")
		handler := fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
			other := schema.NewCompletion(e, schema.Employment, schema.Unavailable, time.Now())
			_, err := b.conn.PublishCompletion(ctx, e, other)
			return Fetched{}, errors.Join(err, bring(ctx, job, canaryRecord))
		})
		b.start(schema.Employment, handler, quick())
		b.publish(e)
		b.logged(e, "succeeded", 1)
		if got := b.histogram(name).count; got != 0 {
			t.Errorf("observed %d times, want none", got)
		}
	})
}

func TestTheTimesOfAResourceBeginAtZero(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start(schema.Employment, brings, quick())
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if m.GetHistogram() != nil && m.GetHistogram().GetSampleCount() == 0 {
				series[family.GetName()]++
			}
		}
	}
	for _, name := range []string{
		"wagewire_completion_seconds", "wagewire_completion_own_seconds",
	} {
		if series[name] == 0 {
			t.Errorf("%s has no series before the first completion", name)
		}
	}
}

func TestTheExemplarOfATimeIsAKeptTrace(t *testing.T) {
	t.Parallel()
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, row := range []struct {
		promise string
		tracing trace.TracerProvider
		flags   string
		want    []string
	}{
		{"a sampled trace is one", sdk.NewTracerProvider(), "01", []string{"trace_id=" + id}},
		{"a trace that is not sampled is none", sdk.NewTracerProvider(), "00", nil},
		{"without tracing there is none", nil, "01", nil},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			config := quick()
			config.Tracing = row.tracing
			b.start(schema.Employment, brings, config)
			e := employment(t, "exemplary")
			e.TraceParent = "00-" + id + "-00f067aa0ba902b7-" + row.flags
			b.publish(e)
			b.completed(e, schema.Employment)
			b.logged(e, "succeeded", 1)
			for _, name := range []string{
				"wagewire_completion_seconds", "wagewire_completion_own_seconds",
			} {
				got := b.histogram(name).traces
				if len(got) != len(row.want) || len(got) > 0 && got[0] != row.want[0] {
					t.Errorf("%s has the exemplars %v, want %v", name, got, row.want)
				}
			}
		})
	}
}
