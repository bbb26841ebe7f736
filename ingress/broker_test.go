package ingress

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// untilEnd is a broker that never answers: a publish is repeated until its time is up.
func untilEnd(ctx context.Context, _ schema.Event) (bool, error) {
	<-ctx.Done()
	return false, fmt.Errorf("no responders (%w)", context.Cause(ctx))
}

type publishFunc = func(ctx context.Context, e schema.Event) (duplicate bool, err error)

type brokerTest struct {
	// onEvent is what the broker does with publish number call, counted from 0.
	onEvent func(broker *fakePublisher, call int) publishFunc
	// statuses are the answers to the same webhook, sent several times.
	statuses []int
	// result and took are of the first publish.
	result string
	took   time.Duration
}

// always makes the broker do the same with every publish.
func always(publish publishFunc) func(*fakePublisher, int) publishFunc {
	return func(*fakePublisher, int) publishFunc { return publish }
}

// failing is a broker that refuses every publish.
func failing(text string) func(*fakePublisher, int) publishFunc {
	err := errors.New(text)
	return always(func(context.Context, schema.Event) (bool, error) { return false, err })
}

// downUntil is a broker that answers from publish number n on.
func downUntil(n int) func(*fakePublisher, int) publishFunc {
	return func(b *fakePublisher, call int) publishFunc {
		if call < n {
			return untilEnd
		}
		return b.store
	}
}

// The HTTP side of a broker that fails. The broker's side is tested in schema/stream.
func TestAnswersWhileTheBrokerFails(t *testing.T) {
	backAfter3s := func(b *fakePublisher, _ int) publishFunc {
		return func(ctx context.Context, e schema.Event) (bool, error) {
			<-time.After(3 * time.Second)
			return b.store(ctx, e)
		}
	}
	firstAnswerLost := func(b *fakePublisher, call int) publishFunc {
		return func(ctx context.Context, e schema.Event) (bool, error) {
			duplicate, err := b.store(ctx, e)
			if call == 0 {
				return false, errors.New("connection reset")
			}
			return duplicate, err
		}
	}
	duplicate := always(func(context.Context, schema.Event) (bool, error) { return true, nil })
	for name, row := range map[string]brokerTest{
		"a broker that is down from the start is a 503, until it is up": {
			downUntil(2), []int{503, 503, 200}, "timeout", 4 * time.Second},
		"a broker that goes away in mid-request is a 503 within the budget": {
			downUntil(1), []int{503, 200}, "timeout", 4 * time.Second},
		"a broker that is back within the budget is a 200": {
			backAfter3s, []int{200}, "stored", 3 * time.Second},
		"a publish whose answer was lost is a duplicate the next time": {
			firstAnswerLost, []int{503, 200}, "error", 0},
		"an id in process that becomes a duplicate within the budget is a 200": {
			duplicate, []int{200}, "duplicate", 0},
		"an id in process that does not become a duplicate is a 503": {
			always(untilEnd), []int{503}, "timeout", 4 * time.Second},
		"a stream that does not exist is a 503": {
			failing("run: wagewire provision apply"), []int{503}, "error", 0},
		"a full stream is a 503": {
			failing("the stream is full"), []int{503}, "error", 0},
		"an answer from another stream is a 503": {
			failing("expected stream does not match"), []int{503}, "error", 0},
		"a stream that is frozen or has no quorum is a 503": {
			always(untilEnd), []int{503}, "timeout", 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testWhileTheBrokerFails(t, row) })
		})
	}
}

func testWhileTheBrokerFails(t *testing.T, row brokerTest) {
	broker := &fakePublisher{}
	calls := 0
	broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
		defer func() { calls++ }()
		return row.onEvent(broker, calls)(ctx, e)
	}
	s, registry := handler(t, impatientConfig(t), broker)
	for n, want := range row.statuses {
		began := time.Now()
		w := serve(s, request(pinwheelPath, income))
		if w.Code != want {
			t.Fatalf("answer %d is %d %s, want %d", n, w.Code, w.Body, want)
		}
		checkAnswer(t, w)
		if n > 0 {
			continue
		}
		if took := time.Since(began); took != row.took {
			t.Errorf("the answer took %v, want %v", took, row.took)
		}
		if count(t, registry, "wagewire_ingress_publish_total", row.result) != 1 {
			t.Errorf("wagewire_ingress_publish_total{result=%q} is not 1", row.result)
		}
	}
	if events, quarantined := broker.stored(); events > 1 || quarantined != 0 {
		t.Errorf("%d stored, %d quarantined: want one at most", events, quarantined)
	}
}

// impatientConfig has the default limits. It is for tests whose clock is their own.
func impatientConfig(t *testing.T) Config {
	t.Helper()
	c := testConfig(t)
	c.Limits = Limits{}
	return c
}

// The custody rule, for errors that mean something else elsewhere.
func TestNoErrorOfTheBrokerIsTheSendersFault(t *testing.T) {
	for _, fault := range []error{
		os.ErrDeadlineExceeded, context.Canceled, context.DeadlineExceeded, http.ErrHandlerTimeout,
		&http.MaxBytesError{Limit: 1},
		errors.Join(os.ErrDeadlineExceeded, &http.MaxBytesError{Limit: 1}),
	} {
		broker := &fakePublisher{
			onEvent:      func(context.Context, schema.Event) (bool, error) { return false, fault },
			onQuarantine: func(context.Context, schema.Quarantined) error { return fault },
		}
		s, _ := handler(t, testConfig(t), broker)
		for what, body := range map[string]string{"an event": income, "a broken webhook": "{"} {
			if w := serve(s, request(pinwheelPath, body)); w.Code != 503 {
				t.Errorf("%s that ends in %v is answered %d, want 503", what, fault, w.Code)
			}
		}
	}
}

func TestQuarantineIsCustodyToo(t *testing.T) {
	hangs := func(ctx context.Context, _ schema.Quarantined) error {
		<-ctx.Done()
		return ctx.Err()
	}
	t.Run("a webhook that quarantine cannot store in time is a 503", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, registry := handler(t, impatientConfig(t), &fakePublisher{onQuarantine: hangs})
			began := time.Now()
			w := serve(s, request(truvPath, "null"))
			if took := time.Since(began); w.Code != 503 || took > AnswerFor {
				t.Errorf("answered %d after %v", w.Code, took)
			}
			if n := count(t, registry, "wagewire_ingress_quarantined_total"); n != 0 {
				t.Errorf("%d are counted as quarantined, want 0", n)
			}
			checkAnswer(t, w)
		})
	})
	t.Run("another body under an id is a 503 within the same budget", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := handler(t, impatientConfig(t), &fakePublisher{
				onEvent: func(context.Context, schema.Event) (bool, error) {
					<-time.After(3 * time.Second)
					return true, schema.ErrIDConflict
				},
				onQuarantine: hangs,
			})
			began := time.Now()
			w := serve(s, request(truvPath, connected))
			if took := time.Since(began); w.Code != 503 || took > AnswerFor {
				t.Errorf("answered %d after %v", w.Code, took)
			}
		})
	})
}

func TestStoresForASenderThatHangsUp(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	broker := &fakePublisher{}
	s, _ := handler(t, testConfig(t), broker)
	serve(s, request(pinwheelPath, income).WithContext(gone))
	if events, _ := broker.stored(); events != 1 {
		t.Error("the event is not stored")
	}
}

// With InFlightMax verified webhooks in hand, another is answered 503. An unsigned request takes no
// place, and is never answered 503.
func TestShedsLoad(t *testing.T) {
	entered := make(chan struct{})
	release := make(chan struct{})
	broker := &fakePublisher{}
	broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
		entered <- struct{}{}
		<-release
		return broker.store(ctx, e)
	}
	c := testConfig(t)
	c.Limits.InFlightMax = 2
	s, registry := handler(t, c, broker)
	done := make(chan int)
	for range 2 {
		go func() { done <- serve(s, request(pinwheelPath, income)).Code }()
		<-entered
	}
	if n := count(t, registry, "wagewire_ingress_in_flight"); n != 2 {
		t.Errorf("wagewire_ingress_in_flight is %d, want 2", n)
	}
	w := serve(s, request(truvPath, connected))
	if w.Code != 503 {
		t.Errorf("with no place free, answered %d, want 503", w.Code)
	}
	if n := count(t, registry, "wagewire_ingress_publish_total", "shed"); n != 1 {
		t.Errorf("wagewire_ingress_publish_total{result=\"shed\"} is %d, want 1", n)
	}
	checkAnswer(t, w)
	unsigned := with(request(truvPath, connected), "X-Webhook-Sign")
	if w := serve(s, unsigned); w.Code != 401 {
		t.Errorf("with no place free, an unsigned request is answered %d, want 401", w.Code)
	}
	close(release)
	for range 2 {
		if status := <-done; status != 200 {
			t.Errorf("a request in hand is answered %d, want 200", status)
		}
	}
	broker.onEvent = nil
	if w := serve(s, request(truvPath, connected)); w.Code != 200 {
		t.Errorf("with places free, the webhook is answered %d, want 200", w.Code)
	}
}

func TestReadinessIsTheBrokers(t *testing.T) {
	down := errors.New("nats is not connected")
	isDown := func(context.Context) error { return down }
	s, _ := handler(t, testConfig(t), &fakePublisher{onReady: isDown})
	if err := s.Ready(t.Context()); !errors.Is(err, down) {
		t.Errorf("ready is %v, want the broker's error", err)
	}
	s, _ = handler(t, testConfig(t), &fakePublisher{})
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("ready is %v", err)
	}
}

// What must hold between limits.
func TestLimits(t *testing.T) {
	l := Limits{}.orDefaults()
	const (
		truvHangsUpAfter    = 10 * time.Second
		pinwheelRepeatsFor  = 15 * time.Minute
		shutdownFor         = 8 * time.Second // schema/process
		dockerStopsFor      = 10 * time.Second
		headers             = 8 << 10
		standardLibraryDeep = 10_000
		message             = BodyBytesMax + headers + schema.IDBytesMax*3

		drainFor = DefaultDrainFor
		ageMax   = DefaultSignatureAgeMax
	)
	events := schema.DefaultTopology().Streams[0]
	for promise, holds := range map[string]bool{
		"the answer leaves time besides the publish":       l.PublishFor < AnswerFor,
		"a provider still listens to the answer":           AnswerFor < truvHangsUpAfter,
		"a shutdown waits for the publish in hand":         l.PublishFor < shutdownFor,
		"the shutdown ends before docker stop kills":       drainFor+shutdownFor <= dockerStopsFor,
		"the header is part of the request":                l.HeaderReadFor < l.ReadFor,
		"every body fits a message, its headers beside it": message <= events.MessageMax,
		"an id fits in a body":                             schema.IDBytesMax < BodyBytesMax,
		"Pinwheel's repeated webhooks are not stale":       ageMax > pinwheelRepeatsFor,
		"the cap on nesting is ours, not the library's":    webhook.DepthMax < standardLibraryDeep,
	} {
		if !holds {
			t.Errorf("%s: no", promise)
		}
	}
}
