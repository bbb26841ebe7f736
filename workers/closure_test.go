package workers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

const testQueue = "pinwheel_employment"

var errDown = &api.StatusError{Endpoint: "/v1/x", Status: 503}

// recorder is a broker's side of closures that writes down what it is told.
type recorder struct {
	mu   sync.Mutex
	told []string
	err  error
}

func (r *recorder) CloseFor(
	_ context.Context, reason schema.ClosureReason, lasts time.Duration,
) error {
	return r.write(fmt.Sprintf("%s for %s", reason, lasts))
}

func (r *recorder) write(text string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, text)
	return r.err
}

// answer sets what the broker answers from now on.
func (r *recorder) answer(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// news returns what the broker was told since the last call, once nothing moves any more.
func (r *recorder) news() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told
	r.told = nil
	return told
}

// bubble has the closures of a queue, and what they tell, on a clock of its own.
type bubble struct {
	*testing.T
	*closures
	broker *recorder
	lines  *observer.ObservedLogs
}

// inBubble runs a test while the closures are announced.
func inBubble(t *testing.T, test func(b bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, lines := observer.New(zap.InfoLevel)
		broker := &recorder{}
		c := newClosures(broker, testQueue, zap.New(core))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.announce(ctx)
		}()
		test(bubble{t, c, broker, lines})
		stop()
		<-done
	})
}

// pass moves the clock.
func (bubble) pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a synctest bubble, Sleep moves the clock
}

// told checks what the broker was told since the last call.
func (b bubble) told(what string, want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, b.broker.news()); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// paused returns a pause with the closures of the bubble.
func (b bubble) paused() *pause {
	return newPause(nil, testQueue, restFor, b.closures, zap.NewNop(),
		newMetrics(prometheus.NewRegistry()))
}

// fail records failures of different events.
func fail(c *closures, events int) {
	for n := range events {
		c.record(fmt.Sprint("event-", n), errDown)
	}
}

func TestAProviderIsDownAfterARunOfFailuresWithoutAnAnswer(t *testing.T) {
	type row struct {
		promise string
		calls   func(*closures)
		want    []string
	}
	outage := []string{"down for 1m0s"}
	tests := []row{
		{"too few failures are no outage", func(c *closures) { fail(c, DownAfter-1) }, nil},
		{"a run of failures is an outage", func(c *closures) { fail(c, DownAfter) }, outage},
		{"many failures at a time are told once", func(c *closures) {
			fail(c, 100*DownAfter)
		}, outage},
		{"one event that fails again and again is no outage", func(c *closures) {
			for range 100 * DownAfter {
				fail(c, 1)
			}
		}, nil},
		{"a success between ends the run", func(c *closures) {
			fail(c, DownAfter-1)
			c.record("good", nil)
			fail(c, DownAfter-1)
		}, nil},
		{"a lost connection is a failure", func(c *closures) {
			for n := range DownAfter {
				c.record(fmt.Sprint(n), &api.NetworkError{Endpoint: "/v1/x"})
			}
		}, outage},
	}
	for _, status := range []int{400, 401, 403, 404, 429} {
		tests = append(tests, row{fmt.Sprintf("an answer %d ends the run", status),
			func(c *closures) {
				fail(c, DownAfter-1)
				c.record("answered", &api.StatusError{Status: status})
				fail(c, DownAfter-1)
			}, nil})
	}
	stopped := fmt.Errorf("%w; given up: %w", errDown, context.Canceled)
	for _, ours := range []error{
		context.Canceled, errNotStored, errPanic, stream.ErrErased, stopped,
	} {
		tests = append(tests, row{fmt.Sprintf("%q is no failure", ours), func(c *closures) {
			fail(c, DownAfter-1)
			c.record("ours", ours)
		}, nil}, row{fmt.Sprintf("%q is no answer", ours), func(c *closures) {
			fail(c, DownAfter-1)
			c.record("ours", ours)
			c.record("last", errDown)
		}, outage})
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			inBubble(t, func(b bubble) {
				test.calls(b.closures)
				b.told("told", test.want...)
			})
		})
	}
}

func TestAClosureOfAnOutageLastsAsLongAsTheFailuresAndEndsWithTheFirstAnswer(t *testing.T) {
	inBubble(t, func(b bubble) {
		fail(b.closures, DownAfter)
		b.told("begins", "down for 1m0s")
		for range 19 {
			b.pass(time.Second)
			fail(b.closures, DownAfter)
		}
		b.told("not renewed before its time")
		b.pass(time.Second)
		fail(b.closures, DownAfter)
		b.told("renewed", "down for 1m0s")
		b.pass(2 * ClosureFor)
		b.told("ends by itself without failures")
		fail(b.closures, 1)
		b.told("the run goes on with the next failure", "down for 1m0s")
		b.record("good", nil)
		b.record("good", nil)
		b.told("is not prolonged after the first answer")
		lines := b.lines.FilterField(zap.String("queue", testQueue)).All()
		if len(lines) != 2 || !strings.Contains(lines[0].Message, "provider is down") ||
			!strings.Contains(lines[1].Message, "answers again") {
			b.Errorf("the log has %v", lines)
		}
	})
}

func TestAClosureForRefusedCredentialsIsRenewedUntilTheyAreAccepted(t *testing.T) {
	inBubble(t, func(b bubble) {
		p := b.paused()
		_ = call(b.T, p, "a", errUnauthorized)
		b.told("begins", "refused for 1m0s")
		b.pass(2*ClosureRenewEvery + time.Second)
		b.told("is renewed", "refused for 1m0s", "refused for 1m0s")
		takeTurn(p)
		_ = call(b.T, p, "a", nil)
		b.told("is not prolonged after the end")
		b.pass(time.Hour)
		b.told("stays ended")
	})
}

func TestAProcessThatLearnsOfAPauseTellsTheAutoscaler(t *testing.T) {
	inBubble(t, func(b bubble) {
		p := b.paused()
		refusal := schema.Pause{Paused: true, ProbeAt: time.Now().Add(time.Hour)}
		p.reconcile(refusal)
		b.told("another process began the pause", "refused for 1m0s")
		p.reconcile(schema.Pause{})
		b.told("another process ended the pause")
	})
}

func TestAClosureForAHoldLastsAsLongAsTheHold(t *testing.T) {
	inBubble(t, func(b bubble) {
		p := b.paused()
		p.hold(api.HoldInHandMax)
		_ = call(b.T, p, "a", &api.StatusError{Status: 429, RetryAfter: api.HoldInHandMax})
		b.told("a short hold passes in hand")
		p.hold(10 * time.Minute)
		b.told("a long hold", "held for 10m0s")
		b.pass(100 * time.Millisecond)
		p.hold(10 * time.Minute)
		b.told("another hand that hears of the hold is no news")
		p.hold(time.Minute)
		b.told("no hold is shortened")
		b.pass(time.Minute)
		p.hold(15 * time.Minute)
		b.told("a longer hold", "held for 15m0s")
		p.hold(0)
		b.told("an operator ends the hold: the operator's command has ended the closure")
		p.hold(time.Minute)
		b.told("the next hold", "held for 1m0s")
		b.pass(time.Hour)
		b.told("a hold that is over needs no word")
	})
}

func TestAClosureThatTheBrokerDoesNotStoreIsOneWarningAndTriedAgain(t *testing.T) {
	inBubble(t, func(b bubble) {
		b.broker.answer(stream.ErrNoClosures)
		fail(b.closures, DownAfter)
		b.pass(3 * ClosureRenewEvery)
		fail(b.closures, DownAfter)
		synctest.Wait()
		warnings := b.lines.FilterMessageSnippet("closure not stored").All()
		if len(warnings) != 1 ||
			!strings.Contains(fmt.Sprint(warnings[0].ContextMap()["error"]), "accounts.conf") {
			b.Errorf("the log has %v", warnings)
		}
		b.broker.news()
		b.broker.answer(nil)
		b.pass(ClosureRenewEvery)
		if news := b.broker.news(); len(news) != 1 || !strings.HasPrefix(news[0], "down for ") {
			b.Errorf("told %v", news)
		}
	})
}

func TestTheEndOfAClosureIsNoReasonToWarnAgain(t *testing.T) {
	inBubble(t, func(b bubble) {
		b.hold(time.Now().Add(10 * time.Minute))
		b.told("a hold", "held for 10m0s")
		b.broker.answer(stream.ErrNoClosures)
		fail(b.closures, DownAfter)
		synctest.Wait()
		b.hold(time.Time{})
		b.pass(2 * ClosureRenewEvery)
		if n := b.lines.FilterMessageSnippet("closure not stored").Len(); n != 1 {
			b.Errorf("%d warnings, want one", n)
		}
	})
}

func TestARenewalMayBeLost(t *testing.T) {
	if ClosureFor < 3*ClosureRenewEvery {
		t.Errorf("a closure lasts %s, and is renewed every %s", ClosureFor, ClosureRenewEvery)
	}
}

// closed waits until the broker counts so many closures for the queue: the figure that an
// autoscaler reads.
func (b *bench) closed(what, queue string, want int) {
	b.Helper()
	lane := queueNamed(b.T, queue).ClosuresLane()
	streamtest.Eventually(b, what, func() bool {
		info := b.consumer(lane.Stream, lane.Consumer)
		return int(info.NumPending)+info.NumAckPending == want
	})
}

func TestAnAutoscalerSeesAnOutageOfTheProviderAndItsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config := quick()
	config.Ladders.Retry = slices.Repeat([]time.Duration{100 * time.Millisecond}, 100_000)
	var isDown atomic.Bool
	isDown.Store(true)
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if isDown.Load() {
			return Fetched{}, errDown
		}
		return brings(ctx, job)
	}), config)
	events := many(t, DownAfter, "down")
	b.publish(events[1:]...)
	b.logged(events[DownAfter-1], "later", 2)
	b.closed("a queue with few failures is open", testQueue, 0)
	b.publish(events[0])
	b.closed("the outage closes the queue", testQueue, 1)
	b.closed("other queues of the provider are open", "pinwheel_income", 0)
	b.logged(events[0], "later", 3)
	isDown.Store(false)
	for _, e := range events {
		b.completed(e, schema.Employment)
	}
	b.closed("a success opens the queue", testQueue, 0)
}

func TestAnAutoscalerSeesRefusedCredentialsAndTheirEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var refuses atomic.Bool
	refuses.Store(true)
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if refuses.Load() {
			return Fetched{}, errUnauthorized
		}
		return brings(ctx, job)
	}), quick())
	e := employment(t, "e")
	b.publish(e)
	b.closed("a refusal closes the queue", testQueue, 1)
	refuses.Store(false)
	b.completed(e, schema.Employment)
	b.closed("an accepted probe opens the queue", testQueue, 0)
}

func TestAnAutoscalerSeesAHoldOnEveryQueueOfTheProvider(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newProvider()
	p.busy = 1
	b.paced(schema.Employment, p, nil)
	b.publish(employment(t, "held"))
	b.closed("the queue is closed", testQueue, 1)
	b.closed("a queue without a worker is closed, too", "pinwheel_income", 1)
	b.closed("a queue of another provider is open", "truv_link", 0)
	_, err := stream.NewOperator(b.conn).ResetBudget(t.Context(), schema.Pinwheel)
	must(t, err)
	b.closed("the end of the hold opens the queue", testQueue, 0)
}

// The broker of an earlier release has no stream of closures.
func TestAWorkerGoesOnThoughTheBrokerStoresNoClosures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	must(t, b.js.DeleteStream(t.Context(), schema.ClosuresStream))
	worker := New(schema.Employment, sourcesOf(fetchFunc(
		func(ctx context.Context, job Job) (Fetched, error) {
			if strings.HasPrefix(job.Event.ID, "down") && job.Attempt == 1 {
				return Fetched{}, errDown
			}
			return brings(ctx, job)
		})), b.connect(), quick(), b.log, b.registry)
	b.run(worker)
	events := many(t, 2*DownAfter, "down")
	b.publish(events...)
	b.until("a warning", func() bool {
		return b.lines.FilterMessageSnippet("closure not stored").Len() > 0
	})
	warning := b.lines.FilterMessageSnippet("closure not stored").All()[0].ContextMap()
	if text := fmt.Sprint(warning["error"]); !strings.Contains(text, "accounts.conf") ||
		!strings.Contains(text, "wagewire provision apply") {
		t.Errorf("the warning says %q", text)
	}
	for _, e := range events {
		if c := b.completed(e, schema.Employment); c.Data.Outcome != schema.Succeeded {
			t.Errorf("%s is %s", e.Key(), c.Data.Outcome)
		}
	}
	if err := worker.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	if n := b.lines.FilterMessageSnippet("closure not stored").Len(); n > 1 {
		t.Errorf("%d warnings", n)
	}
}
