package stream_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// oneEach has one hand for each lane.
var oneEach = stream.Taking{Hands: 1, RetryHands: 1, ReplayHands: 1}

// redriven is the event as sent again through the queue.
func redriven(e schema.Event, q schema.Queue) schema.Event {
	e.Redrive = 1
	e.Queue = q.Name
	return e
}

// backfilled is the event as a backfill.
func backfilled(e schema.Event) schema.Event {
	e.Backfill = true
	return e
}

// replays are the messages of the queue's lane of replays.
func (b broker) replays(q schema.Queue) []*jetstream.RawStreamMsg {
	b.t.Helper()
	return b.all(q.WaitingStream(), schema.ReplaysSubject(q.Name, "*"))
}

func TestAFreshEventIsWorkedOnWhileTwoThousandReplaysWait(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	const replays = 2000
	var publishers sync.WaitGroup
	for some := range slices.Chunk(numbered(0, replays), replays/20) {
		publishers.Go(func() {
			for _, e := range some {
				if _, err := c.PublishEvent(t.Context(), redriven(e, q)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	fresh := paystubs("fresh", "a-1")
	publish(t, c, fresh)
	jobs, _, _ := holdTaking(t, c, q, stream.Taking{Hands: 4, RetryHands: 1, ReplayHands: 1})
	got := map[bool]job{}
	for range 2 {
		j := next(t, "a replay, or the fresh event", jobs)
		got[j.Replay] = j
	}
	if got[false].Delivery == nil || got[false].Event.ID != fresh.ID || got[true].Delivery == nil {
		t.Fatalf("the first two in hand are %+v, want a replay and the fresh event", got)
	}
	streamtest.Eventually(t, "all replays but one are behind the fresh event", func() bool {
		got := statusOf(t, c, q)
		return got.Replays == replays-1 && got.Ready == 0 && got.InHand == 2
	})
	none(t, "a second replay is in hand", jobs)
}

func TestAReplayThatWaitedIsAReplayAgain(t *testing.T) {
	t.Parallel()
	for promise, replayed := range map[string]func(schema.Event, schema.Queue) schema.Event{
		"a redrive": redriven,
		"a backfill": func(e schema.Event, _ schema.Queue) schema.Event {
			return backfilled(e)
		},
		"a redrive of a backfill": func(e schema.Event, q schema.Queue) schema.Event {
			return redriven(backfilled(e), q)
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			q := queueOf(schema.Paystubs)
			e := replayed(paystubs("replayed", "a-1"), q)
			publish(t, c, e)
			jobs, _, _ := holdTaking(t, c, q, oneEach)
			for attempt := 1; attempt <= 3; attempt++ {
				j := next(t, "the replay", jobs)
				if diff := cmp.Diff(e, j.Event); diff != "" || j.Err != nil {
					t.Errorf("error %v; event (-want +got):\n%s", j.Err, diff)
				}
				if !j.Replay || !j.Retry || j.Attempt() != attempt || j.Sequence != 1 {
					t.Errorf("attempt %d: got %+v", attempt, j.Delivery)
				}
				must(t, j.Wait(schema.Wait{
					Class: schema.ClassTransient, Until: later,
					Failures: schema.Failures{schema.ClassTransient: attempt},
				}))
				j.release()
				waits := waiting(t, c, q.Name)
				if len(waits) != 1 || waits[0].Event.Backfill != e.Backfill {
					t.Fatalf("waiting: %+v", waits)
				}
				_, err := operator(c).RetryNow(t.Context(), waits[0])
				must(t, err)
			}
			if n := len(look(t, s).all(q.WaitingStream(), "wagewire.retries.>")); n > 0 {
				t.Errorf("%d messages are among the retries of fresh events", n)
			}
		})
	}
}

func TestARetryOfAReplayHoldsNoHandOfAFreshRetry(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	jobs, _, _ := holdTaking(t, c, q, oneEach)
	letWait := func(e schema.Event) {
		publish(t, c, e)
		j := next(t, "its first delivery", jobs)
		must(t, j.Wait(wait(schema.ClassTransient, later)))
		j.release()
	}
	letWait(redriven(paystubs("replayed", "a-1"), q))
	letWait(paystubs("fresh", "a-2"))
	for _, w := range waiting(t, c, q.Name) { // the replay is first
		_, err := operator(c).RetryNow(t.Context(), w)
		must(t, err)
	}
	lanes := map[string]bool{}
	for range 2 { // neither is released
		j := next(t, "the retry of both", jobs)
		lanes[j.Event.ID] = j.Replay
	}
	want := map[string]bool{"replayed": true, "fresh": false}
	if diff := cmp.Diff(want, lanes); diff != "" {
		t.Errorf("from the lane of replays (-want +got):\n%s", diff)
	}
}

func TestAReplayedEventIsPutBehindOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	e := redriven(paystubs("e-1", "a-1"), q)
	publish(t, c, e)
	must(t, c.PutBehind(t.Context(), q, e, 1)) // by a worker that dies before it acknowledges
	jobs, _, _ := holdTaking(t, c, q, oneEach)
	must(t, next(t, "the replay", jobs).Done())
	streamtest.Eventually(t, "the queue is idle", func() bool { return lag(t, s, q.Name) == 0 })
	if n := len(look(t, s).replays(q)); n != 1 {
		t.Errorf("the event is %d times among the replays, want once", n)
	}
}

func TestAWornOutReplayGoesOnAmongTheReplays(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	publish(t, c, redriven(paystubs("e-1", "a-1"), q))
	jobs, _, _ := holdTaking(t, c, q, oneEach)
	for want := 1; want <= schema.DeliveriesInPlace+1; want++ {
		j := next(t, "the replay", jobs)
		if j.Deliveries != want || !j.Replay {
			t.Errorf("got %+v, want delivery %d", j.Delivery, want)
		}
		must(t, j.GiveBack())
		j.release()
	}
	if j := next(t, "the replay", jobs); j.Deliveries != 1 || !j.Replay {
		t.Errorf("got %+v, want the first delivery of a new replay", j.Delivery)
	}
	if n := len(look(t, s).replays(q)); n != 2 {
		t.Errorf("%d messages among the replays, want 2", n)
	}
}

func TestSomeReplayedEventsAreWorkedOnAtOnce(t *testing.T) {
	t.Parallel()
	for promise, row := range map[string]struct {
		queue schema.Queue
		event schema.Event
	}{
		"an erasure, which calls no provider": {
			truvQueue(true),
			redriven(link("e-1", "a-1", schema.ActionDeleted), truvQueue(true)),
		},
		"an event sent again for another queue, which is no work here": {
			paystubsQueue,
			redriven(paystubs("e-1", "a-1"), queueOf(schema.Income)),
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			_, c := streamtest.New(t)
			publish(t, c, row.event)
			jobs, _, _ := holdTaking(t, c, row.queue, oneEach)
			if j := next(t, "the event", jobs); j.Replay || j.Retry || j.Event.Redrive != 1 {
				t.Errorf("got %+v", j.Delivery)
			}
		})
	}
}

func TestAnUndecodableRedriveIsWorkedOnAtOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	e := redriven(paystubs("e-1", "a-1"), paystubsQueue)
	publish(t, c, e)
	b := look(t, s)
	stored := b.all(schema.EventsStream, ">")[0]
	stored.Header.Del(jetstream.MsgIDHeader)
	_, err := b.PublishMsg(t.Context(),
		&nats.Msg{Subject: stored.Subject, Header: stored.Header, Data: []byte("{}")})
	must(t, err)
	jobs, _, _ := holdTaking(t, c, paystubsQueue, oneEach)
	decoded := map[bool]bool{}
	for range 2 {
		j := next(t, "a delivery", jobs)
		decoded[j.Err == nil] = j.Replay
	}
	if diff := cmp.Diff(map[bool]bool{true: true, false: false}, decoded); diff != "" {
		t.Errorf("from the lane of replays, by whether it is decoded (-want +got):\n%s", diff)
	}
}

func TestReplaysCountAsReadyOnlyBehindFreshEvents(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	for _, e := range numbered(0, 3) {
		publish(t, c, redriven(e, q))
	}
	jobs, _, _ := holdTaking(t, c, q, oneEach)
	j := next(t, "a replay", jobs)
	streamtest.Eventually(t, "two replays are ready, and one is in hand", func() bool {
		got := statusOf(t, c, q)
		return got.Replays == 2 && got.InHand == 1 && got.Ready == 0 && got.Oldest.IsZero()
	})
	must(t, j.Done())
	j.release()
	next(t, "the second replay", jobs)
	streamtest.Eventually(t, "one replay is ready", func() bool {
		return statusOf(t, c, q).Replays == 1
	})
}

// statusOf is the state of the queue.
func statusOf(t *testing.T, c *stream.Conn, q schema.Queue) stream.QueueStatus {
	t.Helper()
	_, queues, err := operator(c).Status(t.Context())
	must(t, err)
	for _, status := range queues {
		if status.Name == q.Name {
			return status
		}
	}
	t.Fatalf("no status of queue %s", q.Name)
	return stream.QueueStatus{}
}

// withoutReplays leaves the broker as a release without a lane for replays made it.
func (b broker) withoutReplays() {
	b.t.Helper()
	ctx := b.t.Context()
	for _, q := range schema.Queues() {
		if q.Erases {
			continue
		}
		must(b.t, b.DeleteConsumer(ctx, q.WaitingStream(), q.ReplaysLane().Consumer))
		config := b.stream(q.WaitingStream()).CachedInfo().Config
		config.Subjects = []string{
			schema.AccountWaiting(q.Name, "*"), schema.RetriesSubject(q.Name, "*"),
		}
		_, err := b.UpdateStream(ctx, config)
		must(b.t, err)
		advisories, err := b.Consumer(ctx, schema.AdvisoriesStream, q.Name)
		must(b.t, err)
		reader := advisories.CachedInfo().Config
		reader.FilterSubjects = []string{
			schema.ExhaustedSubject(schema.EventsStream, q.Name),
			schema.ExhaustedSubject(q.WaitingStream(), q.Name),
		}
		_, err = b.UpdateConsumer(ctx, schema.AdvisoriesStream, reader)
		must(b.t, err)
	}
}

// parkAsBefore stores the schedule of a redrive as a release without a lane for replays did: it
// leads to the retries.
func (b broker) parkAsBefore(c *stream.Conn, q schema.Queue, e schema.Event, until time.Time) {
	b.t.Helper()
	publish(b.t, c, e)
	w := wait(schema.ClassTransient, until)
	must(b.t, c.Park(b.t.Context(), q, e, b.state(schema.EventsStream).LastSeq, w))
	schedules := b.all(q.WaitingStream(), e.WaitingSubject(q.Name))
	m := schedules[len(schedules)-1]
	header := maps.Clone(m.Header)
	header.Del(jetstream.ExpectedStreamHeader)
	header.Set(jetstream.ScheduleTargetHeader, schema.RetriesSubject(q.Name, e.Account()))
	_, err := b.PublishMsg(b.t.Context(), &nats.Msg{Subject: m.Subject, Header: header})
	must(b.t, err)
}

func TestAnUpgradeToReplaysKeepsTheRedrivesInFlight(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	q := queueOf(schema.Paystubs)
	redrive := func(id string) schema.Event { return redriven(paystubs(id, "a-1"), q) }
	b.parkAsBefore(c, q, redrive("waits"), later)
	b.parkAsBefore(c, q, redrive("due"), later)
	_, err := operator(c).RetryNow(t.Context(), waiting(t, c, q.Name)[1])
	must(t, err)
	b.withoutReplays()
	publish(t, c, redrive("in-hand"), redrive("ready"), paystubs("fresh", "a-1"))
	former, err := b.Consumer(t.Context(), schema.EventsStream, q.Name)
	must(t, err)
	for range 3 { // a former worker has settled the first two: they wait
		m, err := former.Next()
		must(t, err)
		if m.Headers().Get("ce-id") != "in-hand:r1" {
			must(t, m.DoubleAck(t.Context()))
		}
	}
	if err := c.Queue(q).Ready(t.Context()); !errors.Is(err, stream.ErrNoQueue) {
		t.Errorf("before the upgrade: ready is %v", err)
	}

	for _, change := range plan(t, c, streamtest.Topology()) {
		if change.Refused != "" {
			t.Errorf("refused: %s", change)
		}
	}
	streamtest.Provision(t, c, streamtest.Topology())
	if again := plan(t, c, streamtest.Topology()); len(again) > 0 {
		t.Errorf("planned again: %s", texts(again))
	}
	must(t, c.Queue(q).Ready(t.Context()))
	b.loseLease(q, 3)
	retried, err := operator(c).RetryNow(t.Context(), waiting(t, c, q.Name)[0])
	if !retried || err != nil {
		t.Fatalf("retried %t, %v", retried, err)
	}
	jobs, _, _ := holdTaking(t, c, q, oneEach)
	got := map[string]string{}
	for range 5 {
		j := next(t, "each of five events", jobs)
		got[j.Event.ID] += fmt.Sprintf("replay %t, attempt %d", j.Replay, j.Attempt())
		must(t, j.Done())
		j.release()
	}
	want := map[string]string{
		"waits": "replay true, attempt 4", "due": "replay true, attempt 4",
		"in-hand": "replay true, attempt 1", "ready": "replay true, attempt 1",
		"fresh": "replay false, attempt 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	streamtest.Eventually(t, "the queue is idle", func() bool { return lag(t, s, q.Name) == 0 })
	none(t, "an event came twice", jobs)
}

func TestAPauseOfBeforeTheUpgradeHoldsReplaysToo(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	q := queueOf(schema.Paystubs)
	b.withoutReplays()
	for _, lane := range []schema.Lane{q.EventsLane(), q.RetriesLane()} {
		_, err := b.PauseConsumer(t.Context(), lane.Stream, lane.Consumer, later)
		must(t, err)
	}
	streamtest.Provision(t, c, streamtest.Topology())
	replays, err := b.Consumer(t.Context(), q.WaitingStream(), q.ReplaysLane().Consumer)
	must(t, err)
	if info := replays.CachedInfo(); !info.Paused || !info.Config.PauseUntil.Equal(later) {
		t.Errorf("paused %t, until %v; want until %s", info.Paused, info.Config.PauseUntil, later)
	}
	if again := plan(t, c, streamtest.Topology()); len(again) > 0 {
		t.Errorf("planned again: %s", texts(again))
	}
	wasPaused, err := operator(c).Resume(t.Context(), q)
	if !wasPaused || err != nil {
		t.Errorf("resumed %t, %v", wasPaused, err)
	}
	publish(t, c, redriven(paystubs("e-1", "a-1"), q))
	jobs, _, _ := holdTaking(t, c, q, oneEach)
	next(t, "the replay after the pause", jobs)
}
