package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// former is a broker as the release with one stream for all waiting events left it.
type former struct {
	broker
	conn     *stream.Conn
	topology schema.Topology
	// left has, for each event, how many messages the streams of the queues must have in the end.
	left map[string]int
}

// newFormer fills the streams of the queues with fill, and then makes the former stream of them.
func newFormer(t *testing.T, fill func(former)) former {
	t.Helper()
	s, c := streamtest.New(t)
	f := former{look(t, s), c, streamtest.Topology(), map[string]int{}}
	fill(f)
	f.restore()
	return f
}

// restore makes the former stream in the place of the queues' streams, with their messages.
func (f former) restore() {
	f.t.Helper()
	ctx := f.t.Context()
	config := f.stream(schema.Queues()[0].WaitingStream()).CachedInfo().Config
	config.Name = schema.FormerWaitingStream
	config.Subjects = []string{"wagewire.waiting.>", "wagewire.retries.>"}
	var messages []*jetstream.RawStreamMsg
	var consumers []jetstream.ConsumerConfig
	for _, q := range schema.Queues() {
		messages = append(messages, f.all(q.WaitingStream(), ">")...)
		consumer, err := f.Consumer(ctx, q.WaitingStream(), q.Name)
		must(f.t, err)
		consumers = append(consumers, consumer.CachedInfo().Config)
		must(f.t, f.DeleteStream(ctx, q.WaitingStream()))
	}
	_, err := f.CreateStream(ctx, config)
	must(f.t, err)
	for _, c := range consumers {
		_, err := f.CreateConsumer(ctx, schema.FormerWaitingStream, c)
		must(f.t, err)
	}
	f.restoreAdvisories()
	for _, m := range messages {
		for _, key := range []string{
			jetstream.MsgRollup, jetstream.MsgIDHeader, jetstream.ExpectedStreamHeader,
		} {
			m.Header.Del(key)
		}
		_, err := f.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: m.Header})
		must(f.t, err)
	}
}

// restoreAdvisories lets the stream of the advisories, and its consumers, look at the former
// stream.
func (f former) restoreAdvisories() {
	f.t.Helper()
	ctx := f.t.Context()
	config := f.stream(schema.AdvisoriesStream).CachedInfo().Config
	config.Subjects = append(config.Subjects[:2:2], schema.FormerAdvisoriesSubjects()...)
	_, err := f.UpdateStream(ctx, config)
	must(f.t, err)
	for _, q := range schema.Queues() {
		consumer, err := f.Consumer(ctx, schema.AdvisoriesStream, q.Name)
		must(f.t, err)
		config := consumer.CachedInfo().Config
		config.FilterSubjects = []string{
			schema.ExhaustedSubject(schema.EventsStream, q.Name),
			schema.ExhaustedSubject(schema.FormerWaitingStream, q.Name),
		}
		_, err = f.UpdateConsumer(ctx, schema.AdvisoriesStream, config)
		must(f.t, err)
	}
}

// park stores the schedule of an event.
func (f former) park(q schema.Queue, e schema.Event, until time.Time) {
	f.t.Helper()
	publish(f.t, f.conn, e)
	w := wait(schema.ClassTransient, until)
	must(f.t, f.conn.Park(f.t.Context(), q, e, f.state(schema.EventsStream).LastSeq, w))
	f.left[e.ID] = 1
}

// requeue stores the retry of an event.
func (f former) requeue(q schema.Queue, e schema.Event) {
	f.t.Helper()
	publish(f.t, f.conn, e)
	must(f.t, f.conn.Requeue(f.t.Context(), q, e, f.state(schema.EventsStream).LastSeq))
	f.left[e.ID] = 1
}

// take takes the next retry as a worker of the former release.
func (f former) take(q schema.Queue) jetstream.Msg {
	f.t.Helper()
	consumer, err := f.Consumer(f.t.Context(), schema.FormerWaitingStream, q.Name)
	must(f.t, err)
	var taken jetstream.Msg
	streamtest.Eventually(f.t, "a retry of "+q.Name, func() bool {
		taken, err = consumer.Next(jetstream.FetchMaxWait(time.Second))
		return err == nil
	})
	return taken
}

// moved counts the messages in the streams of the queues, by event.
func (f former) moved() map[string]int {
	f.t.Helper()
	counts := map[string]int{}
	for _, q := range schema.Queues() {
		for _, m := range f.all(q.WaitingStream(), ">") {
			counts[m.Header.Get("ce-id")]++
		}
	}
	return counts
}

// apply plans and makes all changes. onMove is told of each moved message.
func (f former) apply(ctx context.Context, onMove func(moved, total int)) error {
	f.t.Helper()
	o := operator(f.conn)
	o.OnMove = onMove
	return o.Provision(ctx, f.topology)
}

// checkApplied checks that nothing but the streams of the queues is left, with the given messages.
func (f former) checkApplied(want map[string]int) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.moved()); diff != "" {
		f.t.Errorf("messages by event (-want +got):\n%s", diff)
	}
	if left := plan(f.t, f.conn, f.topology); len(left) > 0 {
		f.t.Errorf("planned again: %s", texts(left))
	}
	_, err := f.Stream(f.t.Context(), schema.FormerWaitingStream)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		f.t.Errorf("the former stream: %v", err)
	}
}

// fillFormer lets two events wait, and makes the retries of four: one is settled, and one is in
// hand. It returns the delivery in hand.
func fillFormer(t *testing.T) (f former, inHand jetstream.Msg) {
	t.Helper()
	q := queueOf(schema.Paystubs)
	f = newFormer(t, func(f former) {
		f.park(q, paystubs("waits", "a-1"), later)
		f.park(queueOf(schema.Link), link("link-waits", "a-1", "connected"), later)
		for _, id := range []string{"settled", "in-hand", "retry"} {
			f.requeue(q, paystubs(id, "a-1"))
		}
		f.requeue(queueOf(schema.Link), link("link-retry", "a-1", "connected"))
	})
	must(t, f.take(q).DoubleAck(t.Context()))
	delete(f.left, "settled")
	return f, f.take(q)
}

func TestWaitingEventsMoveFromTheFormerStreamToTheStreamsOfTheirQueues(t *testing.T) {
	t.Parallel()
	f, inHand := fillFormer(t)
	paused := queueOf(schema.Link)
	_, err := f.PauseConsumer(t.Context(), schema.FormerWaitingStream, paused.Name, later)
	must(t, err)
	changes := plan(t, f.conn, streamtest.Topology())
	if got, want := changes[0].String(), "~ stream WAGEWIRE_WAITING: move 2 waiting events and "+
		"3 retries to the streams of their queues, then delete it"; got != want {
		t.Errorf("planned %q, want %q", got, want)
	}
	for _, change := range changes {
		if change.Refused != "" {
			t.Errorf("refused: %s", change)
		}
	}
	must(t, f.apply(t.Context(), nil))
	f.checkApplied(f.left)
	q := queueOf(schema.Paystubs)
	waiting := waitingEvents(t, f.conn, q.Name, "*")
	if len(waiting) != 1 || !cmp.Equal(waiting[0].Wait, wait(schema.ClassTransient, later)) {
		t.Errorf("waiting: %+v", waiting)
	}
	until, err := operator(f.conn).PausedUntil(t.Context(), paused)
	if err != nil || !until.Equal(later) {
		t.Errorf("the paused queue is paused until %s, %v, want %s", until, err, later)
	}

	// A worker of the former release, and one of this release.
	if err := inHand.DoubleAck(t.Context()); err == nil {
		t.Error("the delivery in hand is settled on a stream that is gone")
	}
	msg := &nats.Msg{Subject: paystubs("e", "a").WaitingSubject(q.Name)}
	_, err = f.PublishMsg(t.Context(), msg,
		jetstream.WithExpectStream(schema.FormerWaitingStream))
	if _, refused := errors.AsType[*jetstream.APIError](err); !refused {
		t.Errorf("a wait on the former stream: %v", err)
	}
	jobs, _, _ := holdTaking(t, f.conn, q, stream.Taking{Hands: 1, RetryHands: 1})
	tried := map[string]bool{}
	for !tried["retry"] || !tried["in-hand"] {
		j := next(t, "a retry", jobs)
		if j.Retry {
			tried[j.Event.ID] = true
		}
		must(t, j.Done())
		j.release()
	}
	if tried["settled"] {
		t.Error("a settled retry was tried again")
	}
}

func TestAMoveMayStopAfterAnyMessageAndBeginAgain(t *testing.T) {
	t.Parallel()
	for stopAfter := 1; stopAfter <= 5; stopAfter++ {
		t.Run(fmt.Sprint(stopAfter), func(t *testing.T) {
			t.Parallel()
			f, _ := fillFormer(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			err := f.apply(ctx, func(moved, total int) {
				if moved == stopAfter {
					stop()
				}
				if total != 5 {
					t.Errorf("%d of %d moved, want 5 in all", moved, total)
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("stopped: %v", err)
			}
			must(t, f.apply(t.Context(), nil))
			f.checkApplied(f.left)
		})
	}
}

func TestWaitingEventsMoveOnAClusterToo(t *testing.T) {
	t.Parallel()
	_, urls := cluster(t)
	topology := clusterTopology()
	c := provisionCluster(t, urls, topology)
	f := former{lookAt(t, urls), c, topology, map[string]int{}}
	q := queueOf(schema.Paystubs)
	f.park(q, paystubs("waits", "a-1"), later)
	f.park(q, paystubs("soon", "a-1"), time.Now().Add(time.Second))
	f.requeue(q, paystubs("retry", "a-1"))
	f.restore()
	_, err := f.PauseConsumer(t.Context(), schema.FormerWaitingStream, q.Name, later)
	must(t, err)
	clusterEventually(t, "the change is applied", func(ctx context.Context) bool {
		err := f.apply(ctx, nil)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	moved := f.moved()
	for _, id := range []string{"waits", "soon", "retry"} {
		if moved[id] == 0 {
			t.Errorf("%s is lost: %v", id, moved)
		}
	}
	if left := plan(t, c, topology); len(left) > 0 {
		t.Errorf("planned again: %s", texts(left))
	}
}

func TestAMoveKeepsANewerScheduleOfTheSameEvent(t *testing.T) {
	t.Parallel()
	q := queueOf(schema.Paystubs)
	first := paystubs("first", "a-1")
	second := paystubs("second", "a-1")
	f := newFormer(t, func(f former) {
		f.park(q, first, later)
		f.park(q, second, later)
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := f.apply(ctx, func(int, int) { stop() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	// Like a worker that has tried the event again meanwhile.
	newer := wait(schema.ClassTransient, later.Add(time.Hour))
	must(t, f.conn.Park(t.Context(), q, second, 2, newer))
	must(t, f.apply(t.Context(), nil))
	f.checkApplied(f.left)
	for _, w := range waitingEvents(t, f.conn, q.Name, "*") {
		if w.Event.ID == second.ID && !w.Until.Equal(newer.Until) {
			t.Errorf("it waits until %s, want %s", w.Until, newer.Until)
		}
	}
}

func TestAScheduleWhoseTimeComesDuringAMoveIsNotLost(t *testing.T) {
	t.Parallel()
	q := queueOf(schema.Paystubs)
	soon := paystubs("soon", "a-1")
	f := newFormer(t, func(f former) {
		// The move has published the copy long before. On a machine too slow for that, the time
		// comes before the move.
		f.park(q, soon, time.Now().Add(8*time.Second))
		f.park(q, paystubs("waits", "a-2"), later)
	})
	must(t, f.apply(t.Context(), func(moved, _ int) {
		if moved > 1 {
			return
		}
		// As if the first look had missed the schedule: the time came during the look.
		copied := jetstream.WithPurgeSubject(soon.WaitingSubject(q.Name))
		must(t, f.stream(q.WaitingStream()).Purge(t.Context(), copied))
		streamtest.Eventually(t, "the former stream has the retry", func() bool {
			subject := schema.RetriesSubject(q.Name, soon.Account())
			return len(f.all(schema.FormerWaitingStream, subject)) == 1
		})
	}))
	f.checkApplied(f.left)
	if n := len(retriesOf(t, f.conn, soon)); n != 1 {
		t.Errorf("%d retries, want 1", n)
	}
}

func TestARetryWhoseDeliveriesRanOutMovesUnlessAWorkerHasStoredItsEnd(t *testing.T) {
	t.Parallel()
	q := queueOf(schema.Paystubs)
	f := newFormer(t, func(f former) {
		for _, id := range []string{"stored", "unread", "settled"} {
			f.requeue(q, paystubs(id, "a-1"))
		}
	})
	consumer, err := f.Consumer(t.Context(), schema.FormerWaitingStream, q.Name)
	must(t, err)
	config := consumer.CachedInfo().Config
	config.MaxDeliver = 1
	_, err = f.UpdateConsumer(t.Context(), schema.FormerWaitingStream, config)
	must(t, err)
	for range 2 {
		must(t, f.take(q).Nak())
	}
	last := f.take(q)
	reader, err := f.Consumer(t.Context(), schema.AdvisoriesStream, q.Name)
	must(t, err)
	streamtest.Eventually(t, "the broker reports both", func() bool {
		_, _ = consumer.Next(jetstream.FetchMaxWait(time.Second)) // the report comes with a request
		return f.state(schema.AdvisoriesStream).Msgs == 2
	})
	must(t, last.DoubleAck(t.Context())) // the broker now counts all three as settled
	read, err := reader.Next()
	must(t, err)
	must(t, read.DoubleAck(t.Context()))
	must(t, f.apply(t.Context(), nil))
	f.checkApplied(map[string]int{"unread": 1})
}

func TestAMoveOfEventsOfAnUnknownQueueIsRefusedBeforeAnythingIsChanged(t *testing.T) {
	t.Parallel()
	f, _ := fillFormer(t)
	unknown := paystubs("e", "a").WaitingSubject("acme_pay")
	must(t, f.send(unknown, jetstream.ScheduleHeader, "@at "+later.Format(time.RFC3339),
		jetstream.ScheduleTargetHeader, schema.RetriesSubject("acme_pay", "a")))
	before := f.stream(schema.FormerWaitingStream).CachedInfo()
	err := f.apply(t.Context(), nil)
	if !errors.Is(err, stream.ErrRefused) || !strings.Contains(err.Error(), "queue acme_pay") {
		t.Errorf("applied: %v", err)
	}
	after := f.stream(schema.FormerWaitingStream).CachedInfo()
	if diff := cmp.Diff(before.Config, after.Config); diff != "" || after.State.Msgs != 7 {
		t.Errorf("%d messages; settings (-before +after):\n%s", after.State.Msgs, diff)
	}
	_, err = f.Stream(t.Context(), queueOf(schema.Link).WaitingStream())
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("the stream of a queue: %v", err)
	}
}
