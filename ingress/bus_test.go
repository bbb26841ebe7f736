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

// untilEnd is a broker that never answers: a publish is tried until its time is up.
func untilEnd(ctx context.Context, _ schema.Event) (bool, error) {
	<-ctx.Done()
	return false, fmt.Errorf("no responders (%w)", context.Cause(ctx))
}

// The HTTP side of cases 28 to 37 of the failure list. What the broker does in them is tested in schema/stream.
func TestAnswersWhileTheBrokerFails(t *testing.T) {
	fails := func(err error) func(context.Context, schema.Event) (bool, error) {
		return func(context.Context, schema.Event) (bool, error) { return false, err }
	}
	type answers []int
	for name, row := range map[string]struct {
		// onEvent makes the broker fail; it is told how often it was called before.
		onEvent func(broker *fakePublisher, call int) func(context.Context, schema.Event) (bool, error)
		want    answers // to the same webhook, sent again and again
		result  string  // of the first publish
		took    time.Duration
	}{
		"28: a broker that is down from the start is a 503, until it is there": {
			func(b *fakePublisher, call int) func(context.Context, schema.Event) (bool, error) {
				if call < 2 {
					return untilEnd
				}
				return b.store
			}, answers{503, 503, 200}, "timeout", 4 * time.Second},
		"29: a broker that goes away in mid-request is a 503 within the budget": {
			func(b *fakePublisher, call int) func(context.Context, schema.Event) (bool, error) {
				if call == 0 {
					return untilEnd
				}
				return b.store
			}, answers{503, 200}, "timeout", 4 * time.Second},
		"29: one that is back within the budget is a 200": {
			func(b *fakePublisher, _ int) func(context.Context, schema.Event) (bool, error) {
				return func(ctx context.Context, e schema.Event) (bool, error) {
					<-time.After(3 * time.Second)
					return b.store(ctx, e)
				}
			}, answers{200}, "stored", 3 * time.Second},
		"30: a publish whose answer was lost is a duplicate the next time": {
			func(b *fakePublisher, call int) func(context.Context, schema.Event) (bool, error) {
				return func(ctx context.Context, e schema.Event) (bool, error) {
					duplicate, err := b.store(ctx, e)
					if call == 0 {
						return false, errors.New("connection reset")
					}
					return duplicate, err
				}
			}, answers{503, 200}, "error", 0},
		"31: an id in process that becomes a duplicate within the budget is a 200": {
			func(*fakePublisher, int) func(context.Context, schema.Event) (bool, error) {
				return func(context.Context, schema.Event) (bool, error) { return true, nil }
			}, answers{200}, "duplicate", 0},
		"31: one that does not is a 503": {
			func(*fakePublisher, int) func(context.Context, schema.Event) (bool, error) { return untilEnd },
			answers{503}, "timeout", 4 * time.Second},
		"32: a stream that is not there is a 503": {
			func(*fakePublisher, int) func(context.Context, schema.Event) (bool, error) {
				return fails(errors.New("run: wagewire provision apply"))
			}, answers{503}, "error", 0},
		"33: a full stream is a 503": {
			func(*fakePublisher, int) func(context.Context, schema.Event) (bool, error) {
				return fails(errors.New("the stream is full"))
			}, answers{503}, "error", 0},
		"34: an answer from another stream is a 503": {
			func(*fakePublisher, int) func(context.Context, schema.Event) (bool, error) {
				return fails(errors.New("expected stream does not match"))
			}, answers{503}, "error", 0},
		"36: a stream that is frozen or without a quorum is a 503": {
			func(*fakePublisher, int) func(context.Context, schema.Event) (bool, error) { return untilEnd },
			answers{503}, "timeout", 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker, calls := &fakePublisher{}, 0
				broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
					defer func() { calls++ }()
					return row.onEvent(broker, calls)(ctx, e)
				}
				s, registry := handler(t, testConfig(t), broker)
				for n, want := range row.want {
					began := time.Now()
					w := serve(s, request(pinwheelPath, income))
					if w.Code != want {
						t.Fatalf("answer %d is %d %s, want %d", n, w.Code, w.Body, want)
					}
					checkAnswer(t, w)
					if n == 0 && time.Since(began) != row.took {
						t.Errorf("it took %v, want %v", time.Since(began), row.took)
					}
					if n == 0 && count(t, registry, "wagewire_ingress_publish_total", row.result) != 1 {
						t.Errorf("wagewire_ingress_publish_total{result=%q} is not 1", row.result)
					}
				}
				if events, quarantined := broker.kept(); events > 1 || quarantined != 0 {
					t.Errorf("%d stored, %d quarantined: want one at most", events, quarantined)
				}
			})
		})
	}
}

// The custody rule, for errors that mean something else elsewhere.
func TestNoErrorOfTheBrokerIsTheSendersFault(t *testing.T) {
	for _, fault := range []error{
		os.ErrDeadlineExceeded, context.Canceled, context.DeadlineExceeded, &http.MaxBytesError{Limit: 1}, http.ErrHandlerTimeout,
		errors.Join(os.ErrDeadlineExceeded, &http.MaxBytesError{Limit: 1}),
	} {
		broker := &fakePublisher{
			onEvent:      func(context.Context, schema.Event) (bool, error) { return false, fault },
			onQuarantine: func(context.Context, schema.Quarantined) error { return fault },
		}
		s, _ := handler(t, testConfig(t), broker)
		for what, body := range map[string]string{"an event": income, "a webhook for quarantine": "{"} {
			if w := serve(s, request(pinwheelPath, body)); w.Code != 503 {
				t.Errorf("%s that ends in %v is answered %d, want 503", what, fault, w.Code)
			}
		}
	}
}

func TestQuarantineIsCustodyToo(t *testing.T) {
	t.Run("14: a webhook that quarantine cannot take in time is a 503", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, registry := handler(t, testConfig(t), &fakePublisher{onQuarantine: func(ctx context.Context, _ schema.Quarantined) error {
				<-ctx.Done()
				return ctx.Err()
			}})
			began := time.Now()
			w := serve(s, request(truvPath, "null"))
			if w.Code != 503 || time.Since(began) > AnswerFor || count(t, registry, "wagewire_ingress_quarantined_total") != 0 {
				t.Errorf("answered %d after %v", w.Code, time.Since(began))
			}
			checkAnswer(t, w)
		})
	})
	t.Run("24: so is another body under an id, within the one budget", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := handler(t, testConfig(t), &fakePublisher{
				onEvent: func(context.Context, schema.Event) (bool, error) {
					<-time.After(3 * time.Second)
					return true, schema.ErrIDConflict
				},
				onQuarantine: func(ctx context.Context, _ schema.Quarantined) error {
					<-ctx.Done()
					return ctx.Err()
				},
			})
			began := time.Now()
			if w := serve(s, request(truvPath, connected)); w.Code != 503 || time.Since(began) > AnswerFor {
				t.Errorf("answered %d after %v", w.Code, time.Since(began))
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
	if events, _ := broker.kept(); events != 1 {
		t.Error("the event is not stored")
	}
}

func TestShedsLoad(t *testing.T) {
	t.Run("37: with all hands full a request is a 503 at once, unread", func(t *testing.T) {
		entered, release := make(chan struct{}), make(chan struct{})
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
		if w.Code != 503 || w.Header().Get("Connection") != "close" || count(t, registry, "wagewire_ingress_publish_total", "shed") != 1 {
			t.Errorf("answered %d", w.Code)
		}
		checkAnswer(t, w)
		if w := serve(s, request("/elsewhere", "")); w.Code != 404 {
			t.Errorf("what is no webhook is answered %d, want 404", w.Code)
		}
		close(release)
		for range 2 {
			if status := <-done; status != 200 {
				t.Errorf("a request in hand is answered %d", status)
			}
		}
		broker.onEvent = nil
		if w := serve(s, request(truvPath, connected)); w.Code != 200 {
			t.Errorf("with hands free again it is answered %d", w.Code)
		}
	})
}

func TestReadiness(t *testing.T) {
	down := errors.New("nats is not connected")
	s, _ := handler(t, testConfig(t), &fakePublisher{onReady: func(context.Context) error { return down }})
	if err := s.Ready(t.Context()); !errors.Is(err, down) {
		t.Errorf("28, 32: ready is %v, want the broker's error", err)
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
		truvHangsUpAfter = 10 * time.Second
		shutdownFor      = 8 * time.Second // schema/process
		dockerStopsFor   = 10 * time.Second
		headers          = 16 << 10
	)
	for promise, holds := range map[string]bool{
		"the answer leaves time for all but the broker":          l.PublishFor < AnswerFor,
		"a provider still listens when we answer":                AnswerFor < truvHangsUpAfter,
		"a shutdown waits for what is being published":           l.PublishFor < shutdownFor,
		"it ends before docker stop kills":                       DefaultDrainFor+shutdownFor <= dockerStopsFor,
		"the header is part of the request":                      l.HeaderReadFor < l.ReadFor,
		"35: every body fits a message, its headers beside it":   BodyBytesMax+headers+schema.IDBytesMax*3 < schema.DefaultTopology().Streams[0].MessageMax,
		"18: an id fits in a body":                               schema.IDBytesMax < BodyBytesMax,
		"7: Pinwheel's redeliveries are not stale":               DefaultSignatureAgeMax > 15*time.Minute,
		"17: the cap on depth is ours, not the standard library": webhook.DepthMax < 10_000,
	} {
		if !holds {
			t.Errorf("%s: no", promise)
		}
	}
}
