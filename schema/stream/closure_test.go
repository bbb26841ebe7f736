package stream_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// pendingClosures is how many closures the broker counts for a queue: the figure that an autoscaler
// reads.
func (b broker) pendingClosures(ctx context.Context, q schema.Queue) (uint64, error) {
	lane := q.ClosuresLane()
	consumer, err := b.Consumer(ctx, lane.Stream, lane.Consumer)
	if err != nil {
		return 0, err
	}
	info := consumer.CachedInfo()
	return info.NumPending + uint64(info.NumAckPending), nil
}

// wantClosures waits until the broker counts so many closures for a queue, or more: a closure that
// was stored again after a lost answer counts twice. With 0 it waits for none.
func (b broker) wantClosures(what string, q schema.Queue, want uint64) {
	b.t.Helper()
	clusterEventually(b.t, what, func(ctx context.Context) bool {
		got, err := b.pendingClosures(ctx, q)
		return err == nil && (got == want || want > 0 && got > want)
	})
}

func TestTheBrokerCountsAClosureAsLongAsItLasts(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	checkClosures(t, look(t, s), c, func() {
		s.Stop()
		must(t, s.Restart())
	})
}

func TestACountOfClosuresMovesWithItsLeaderInACluster(t *testing.T) {
	t.Parallel()
	_, urls := cluster(t)
	c := provisionCluster(t, urls, clusterTopology())
	b := lookAt(t, urls)
	closures := paystubsQueue.ClosuresLane()
	checkClosures(t, b, c, func() {
		for _, leader := range []string{
			"STREAM.LEADER.STEPDOWN." + closures.Stream,
			"CONSUMER.LEADER.STEPDOWN." + closures.Stream + "." + closures.Consumer,
		} {
			clusterEventually(t, "another leader", func(ctx context.Context) bool {
				_, err := b.nats.RequestWithContext(ctx, "$JS.API."+leader, nil)
				return err == nil
			})
		}
	})
}

// checkClosures begins, repeats and ends closures of a queue, with a disturbance between.
func checkClosures(t *testing.T, b broker, c *stream.Conn, disturb func()) {
	t.Helper()
	q := paystubsQueue
	closeFor := func(r schema.ClosureReason, lasts time.Duration) {
		t.Helper()
		clusterEventually(t, "the closure is stored", func(ctx context.Context) bool {
			return c.Queue(q).CloseFor(ctx, r, lasts) == nil
		})
	}
	end := func(r schema.ClosureReason) {
		t.Helper()
		clusterEventually(t, "the closure is ended", func(ctx context.Context) bool {
			return operator(c).EndClosure(ctx, q.ClosureSubject(r)) == nil
		})
	}
	b.wantClosures("an open queue has no closure", q, 0)
	closeFor(schema.ClosureDown, time.Hour)
	b.wantClosures("a closure counts", q, 1)
	closeFor(schema.ClosureRefused, time.Hour)
	b.wantClosures("another reason counts beside it", q, 2)
	disturb()
	b.wantClosures("the disturbance ends no closure", q, 2)
	end(schema.ClosureDown)
	b.wantClosures("an end counts no more", q, 1)
	end(schema.ClosureRefused)
	b.wantClosures("the last end opens the queue", q, 0)
}

func TestAHoldIsAClosureOfEveryQueueThatCallsItsProvider(t *testing.T) {
	t.Parallel()
	s, _ := streamtest.New(t)
	c := streamtest.ConnectPatiently(t, s.URL()) // CloseFor asks once
	b := look(t, s)
	must(t, c.Queue(paystubsQueue).CloseFor(t.Context(), schema.ClosureHeld, time.Hour))
	for _, q := range schema.Queues() {
		switch {
		case q.Provider == paystubsQueue.Provider && q.CallsProvider():
			b.wantClosures(q.Name+" is closed", q, 1)
		case !q.Erases:
			b.wantClosures(q.Name+" is open", q, 0)
		}
	}
	if _, err := operator(c).ResetBudget(t.Context(), paystubsQueue.Provider); err != nil {
		t.Fatal(err)
	}
	b.wantClosures("a reset of the budget ends the closure", paystubsQueue, 0)
}

func TestAPauseIsAClosureUntilItIsResumed(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	for promise, lasts := range map[string]time.Duration{
		"a pause with an end": time.Hour, "a pause without one": 100 * 365 * 24 * time.Hour,
	} {
		must(t, operator(c).Pause(t.Context(), paystubsQueue, time.Now().Add(lasts)))
		b.wantClosures(promise, paystubsQueue, 1)
		if _, err := operator(c).Resume(t.Context(), paystubsQueue); err != nil {
			t.Error(err)
		}
		b.wantClosures(promise+" is resumed", paystubsQueue, 0)
	}
}

func TestAnotherPauseReplacesTheClosure(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	must(t, operator(c).Pause(t.Context(), paystubsQueue, time.Now().Add(time.Hour)))
	must(t, operator(c).Pause(t.Context(), paystubsQueue, time.Now().Add(2*time.Second)))
	b.wantClosures("the closure ends with the second pause", paystubsQueue, 0)
}

// An autoscaler asks for the counts at any time, also while a closure ends. The server has only the
// closures, so that each answer is fast: the more questions, the more likely is a miscount.
func TestACountIsRightAlthoughSomebodyAsksForIt(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{
		Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
	})
	c := streamtest.ConnectPatiently(t, s.ClientURL()) // CloseFor asks once
	b, lane := lookAt(t, s.ClientURL()), paystubsQueue.ClosuresLane()
	_, err := b.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: lane.Stream, Subjects: lane.Subjects, AllowMsgTTL: true,
	})
	must(t, err)
	_, err = b.CreateConsumer(t.Context(), lane.Stream, jetstream.ConsumerConfig{
		Durable: lane.Consumer, FilterSubjects: lane.Subjects,
		AckPolicy: jetstream.AckExplicitPolicy,
	})
	must(t, err)
	// The broker counts anew by itself when no closure is left.
	must(t, c.Queue(paystubsQueue).CloseFor(t.Context(), schema.ClosureRefused, time.Hour))
	asking, stop := context.WithCancel(t.Context())
	var askers sync.WaitGroup
	for range 3 {
		askers.Go(func() {
			for asking.Err() == nil {
				_, err := s.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Consumer: true})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	subject := paystubsQueue.ClosureSubject(schema.ClosureDown)
	for range 300 {
		must(t, c.Queue(paystubsQueue).CloseFor(t.Context(), schema.ClosureDown, time.Hour))
		streamtest.Eventually(t, "the closure ends", func() bool { // a purge has 5 s
			return operator(c).EndClosure(t.Context(), subject) == nil
		})
	}
	stop()
	askers.Wait()
	b.wantClosures("the closure that did not end", paystubsQueue, 1)
	must(t, c.Queue(paystubsQueue).CloseFor(t.Context(), schema.ClosureDown, time.Hour))
	b.wantClosures("another closure", paystubsQueue, 2)
}

func TestAClosureEndsByItself(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	must(t, operator(c).Pause(t.Context(), paystubsQueue, time.Now().Add(5*time.Second)))
	streamtest.Eventually(t, "the closure ends with its pause", func() bool {
		closures, err := operator(c).Closures(t.Context())
		return err == nil && len(closures) == 0
	})
	b.wantClosures("the count is that of the stream", paystubsQueue, 0)
}

func TestStatusTellsTheReasonsOfClosures(t *testing.T) {
	t.Parallel()
	s, _ := streamtest.New(t)
	c := streamtest.ConnectPatiently(t, s.URL()) // CloseFor asks once
	links := c.Queue(queueNamed("truv_link"))
	must(t, links.CloseFor(t.Context(), schema.ClosureHeld, time.Hour))
	must(t, links.CloseFor(t.Context(), schema.ClosureDown, time.Hour))
	must(t, c.Queue(paystubsQueue).CloseFor(t.Context(), schema.ClosureDown, time.Hour))
	want := map[string][]schema.ClosureReason{
		"truv_link":         {schema.ClosureHeld, schema.ClosureDown},
		"pinwheel_paystubs": {schema.ClosureDown},
	}
	for _, q := range schema.Queues() { // a hold is of the whole provider
		if q.Provider == schema.Truv && q.CallsProvider() && q.Name != "truv_link" {
			want[q.Name] = []schema.ClosureReason{schema.ClosureHeld}
		}
	}
	_, queues, err := operator(c).Status(t.Context())
	must(t, err)
	for _, q := range queues {
		if !slices.Equal(q.Closures, want[q.Name]) {
			t.Errorf("%s: closures %v, want %v", q.Name, q.Closures, want[q.Name])
		}
	}
}

// The broker of an earlier release has no stream of closures.
func TestWithoutAStreamOfClosuresOnlyTheAutoscalerMissesSomething(t *testing.T) {
	t.Parallel()
	s, _ := streamtest.New(t)
	c := streamtest.ConnectPatiently(t, s.URL()) // CloseFor asks once
	must(t, look(t, s).DeleteStream(t.Context(), schema.ClosuresStream))
	err := c.Queue(paystubsQueue).CloseFor(t.Context(), schema.ClosureDown, time.Hour)
	if !errors.Is(err, stream.ErrNoClosures) || !strings.Contains(err.Error(), "accounts.conf") ||
		!strings.HasSuffix(err.Error(), "run: wagewire provision apply") {
		t.Error(err)
	}
	must(t, operator(c).Pause(t.Context(), paystubsQueue, time.Now().Add(time.Hour)))
	if paused, err := operator(c).Resume(t.Context(), paystubsQueue); !paused || err != nil {
		t.Errorf("resumed %t, %v", paused, err)
	}
	if _, err := operator(c).ResetBudget(t.Context(), schema.Truv); err != nil {
		t.Error(err)
	}
	if _, _, err := operator(c).Status(t.Context()); err != nil {
		t.Error(err)
	}
	must(t, c.Queue(paystubsQueue).Ready(t.Context()))
}

func TestAnUpgradeCreatesTheClosuresAndChangesNothingElse(t *testing.T) {
	t.Parallel()
	s, _ := streamtest.New(t)
	c := streamtest.ConnectPatiently(t, s.URL()) // CloseFor asks once
	must(t, look(t, s).DeleteStream(t.Context(), schema.ClosuresStream))
	publish(t, c, paystubs("e-1", "a-1"))
	jobs, _, _ := hold(t, c, paystubsQueue, 1)
	inHand := next(t, "a delivery", jobs)
	want := []string{"stream " + schema.ClosuresStream}
	for _, q := range schema.Queues() {
		if !q.Erases {
			want = append(want, "closures of queue "+q.Name)
		}
	}
	changes, err := operator(c).Plan(t.Context(), streamtest.Topology())
	must(t, err)
	var got []string
	for _, change := range changes {
		if !change.Create || change.Refused != "" {
			t.Errorf("the plan has %v", change)
		}
		got = append(got, change.What)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the plan (-want +got):\n%s", diff)
	}
	must(t, operator(c).Apply(t.Context(), changes))
	must(t, inHand.Done())
	inHand.release()
	consumer, err := look(t, s).Consumer(t.Context(), schema.EventsStream, paystubsQueue.Name)
	must(t, err)
	if info := consumer.CachedInfo(); info.NumAckPending != 0 {
		t.Errorf("the event in hand was not settled: %+v", info)
	}
	must(t, c.Queue(paystubsQueue).CloseFor(t.Context(), schema.ClosureDown, time.Hour))
	look(t, s).wantClosures("the queue is closed", paystubsQueue, 1)
}
