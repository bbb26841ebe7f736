package stream_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const doesNotStore = "the broker is there and does not store: " +
	"see its log and the room on its volume, then restart it"

// A stream takes no event for as long as something is wrong with it, and Ready says so although the
// broker, the connection and the stream are there.
func TestReadyFailsWhileTheStreamTakesNoEventAndIsBackByItself(t *testing.T) {
	t.Parallel()
	for promise, change := range map[string]func(*jetstream.StreamConfig){
		"without the subjects of events": func(c *jetstream.StreamConfig) {
			c.Subjects = []string{"elsewhere"}
		},
		"without acknowledgements": func(c *jetstream.StreamConfig) { c.NoAck = true },
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			b := look(t, s)
			must(t, c.Ready(t.Context()))
			good := b.stream(schema.EventsStream).CachedInfo().Config
			bad := good
			change(&bad)
			_, err := b.UpdateStream(t.Context(), bad)
			must(t, err)
			streamtest.Eventually(t, "it is not ready", func() bool {
				return c.Ready(t.Context()) != nil
			})
			_, err = b.UpdateStream(t.Context(), good)
			must(t, err)
			streamtest.Eventually(t, "it is ready again", func() bool {
				return c.Ready(t.Context()) == nil
			})
			if n := b.state(schema.EventsStream).LastSeq; n != 0 {
				t.Errorf("the trials stored %d messages", n)
			}
		})
	}
}

func TestReadyStoresTheEventThatCouldNotBeStored(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	c := s.Connect(t)
	e := paystubs("late", "account")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.PublishEvent(ctx, e); err == nil {
		t.Fatal("stored without a stream")
	}
	streamtest.Provision(t, c, streamtest.Topology())
	streamtest.Eventually(t, "it is ready", func() bool { return c.Ready(t.Context()) == nil })
	if got := look(t, s).all(schema.EventsStream, e.Subject()); len(got) != 1 {
		t.Fatalf("the event is stored %d times, want once", len(got))
	}
	if duplicate, err := c.PublishEvent(t.Context(), e); !duplicate || err != nil {
		t.Errorf("the sender's next try: %v, %v; want a duplicate", duplicate, err)
	}
}

// After a write error the broker answers every request, also a duplicate and a trial that must be
// refused. It answers no publish that it would have to store.
func TestAFrozenStreamIsToldAsThatUntilTheBrokerIsRestarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := streamtest.FreePort(t)
	url := "nats://127.0.0.1:" + strconv.Itoa(port)
	stop := streamtest.StartProcess(t, dir, port, 0)
	core, log := observer.New(zapcore.InfoLevel)
	c, err := stream.Connect(stream.Config{URL: url}, "wagewire-test", zap.New(core))
	must(t, err)
	t.Cleanup(c.Close)
	streamtest.Provision(t, c, streamtest.Topology())
	stop()
	stop = streamtest.StartProcess(t, dir, port, 256<<10)
	streamtest.Eventually(t, "it is ready", func() bool { return c.Ready(t.Context()) == nil })

	stored, refused := fillDisk(t, c)
	for range 2 {
		if duplicate, err := c.PublishEvent(t.Context(), stored); !duplicate || err != nil {
			t.Errorf("an event that is stored: %v, %v; want a duplicate", duplicate, err)
		}
		c.TryAgain()
		err := readyInTime(t, c)
		if err == nil || !strings.Contains(err.Error(), doesNotStore) {
			t.Errorf("Ready: error %v", err)
		}
	}
	if n := log.FilterMessage("nats does not store").Len(); n != 1 {
		t.Errorf("%d lines say so, want 1", n)
	}

	stop()
	streamtest.StartProcess(t, dir, port, 0)
	streamtest.Eventually(t, "it is ready again", func() bool { return c.Ready(t.Context()) == nil })
	if duplicate, err := c.PublishEvent(t.Context(), refused); !duplicate || err != nil {
		t.Errorf("the refused event again: %v, %v; want a duplicate", duplicate, err)
	}
	if n := log.FilterMessage("nats stores again").Len(); n != 1 {
		t.Errorf("%d lines say that it stores again, want 1", n)
	}
}

// fillDisk publishes events until the broker stores no more. It returns the first event, which is
// stored, and the last, which is not.
func fillDisk(t *testing.T, c *stream.Conn) (stored, refused schema.Event) {
	t.Helper()
	for i := 0; ; i++ {
		e := paystubs(fmt.Sprint("fill-", i), "account")
		e.Body = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("x", 8<<10))
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // as ingress gives it
		_, err := c.PublishEvent(ctx, e)
		cancel()
		if i == 0 {
			must(t, err)
			stored = e
		}
		if err != nil {
			return stored, e
		}
	}
}

// readyInTime asks as the admin listener does, and fails if no answer comes in its time.
func readyInTime(t *testing.T, c *stream.Conn) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return c.Ready(ctx)
}

// Many load balancers may ask. The broker gets a trial a second at most, and everybody an answer.
func TestManyProbesShareATrial(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	nc, err := nats.Connect(s.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	trials, err := nc.SubscribeSync("wagewire.events.>")
	must(t, err)
	must(t, nc.FlushTimeout(time.Hour))
	began := time.Now()
	var probes sync.WaitGroup
	for range 64 {
		probes.Go(func() {
			if err := c.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	probes.Wait()
	must(t, nc.FlushTimeout(time.Hour))
	n, _, err := trials.Pending()
	must(t, err)
	if most := 1 + int(time.Since(began)/time.Second); n < 1 || n > most {
		t.Errorf("%d trials in %s, want 1 to %d", n, time.Since(began), most)
	}
}

func TestAProbeThatGivesUpLeavesNoAnswerForOthers(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	good := b.stream(schema.EventsStream).CachedInfo().Config
	silent := good
	silent.NoAck = true
	_, err := b.UpdateStream(t.Context(), silent)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.Ready(ctx); err == nil {
		t.Error("ready without an answer")
	}
	_, err = b.UpdateStream(t.Context(), good)
	must(t, err)
	must(t, c.Ready(t.Context()))
}

func TestAWorkerIsReadyOnlyIfItsCompletionsCanBeStored(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	q := c.Queue(queueOf(schema.Paystubs))
	must(t, q.Ready(t.Context()))
	good := b.stream(schema.CompletionsStream).CachedInfo().Config
	bad := good
	bad.Subjects = []string{"elsewhere"}
	_, err := b.UpdateStream(t.Context(), bad)
	must(t, err)
	streamtest.Eventually(t, "it is not ready", func() bool { return q.Ready(t.Context()) != nil })
	_, err = b.UpdateStream(t.Context(), good)
	must(t, err)
	streamtest.Eventually(t, "it is ready again", func() bool {
		return q.Ready(t.Context()) == nil
	})
	if n := b.state(schema.CompletionsStream).LastSeq; n != 0 {
		t.Errorf("the trials stored %d messages", n)
	}
}
