package stream_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestStatusShowsTheStateOfTheBroker(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	statusOf := func() stream.QueueStatus {
		t.Helper()
		_, queues, err := operator(c).Status(t.Context())
		must(t, err)
		i := slices.IndexFunc(queues, func(q stream.QueueStatus) bool {
			return q.Name == "pinwheel_paystubs"
		})
		return queues[i]
	}
	streams, queues, err := operator(c).Status(t.Context())
	must(t, err)
	if len(streams) != 11+len(schema.Queues()) || len(queues) != len(schema.Queues()) {
		t.Errorf("%d streams and %d queues", len(streams), len(queues))
	}
	for _, s := range streams {
		if s.Messages != 0 || !s.Oldest.IsZero() {
			t.Errorf("an empty stream: got %+v", s)
		}
	}
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	publish(t, c, link("e-3", "a-1", schema.ActionConnected), paystubs("e-4", "a-1"))
	messages := look(t, s).all(schema.EventsStream, ">")
	wants := func(promise string, want stream.QueueStatus) {
		t.Helper()
		want.Name = "pinwheel_paystubs"
		if want.WaitingByClass == nil {
			want.WaitingByClass = []stream.WaitingCount{}
		}
		var got stream.QueueStatus
		streamtest.Eventually(t, promise, func() bool {
			got = statusOf()
			got.Requests = 0
			return cmp.Equal(want, got)
		})
	}
	wants("three are ready", stream.QueueStatus{Ready: 3, Oldest: messages[0].Time})
	got, err := operator(c).Position(t.Context(), queueOf(schema.Paystubs).EventsLane())
	if err != nil || got != (stream.Position{}) {
		t.Errorf("position %+v, %v", got, err)
	}

	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	j := next(t, "a delivery", jobs)
	wants("the oldest is in hand", stream.QueueStatus{
		Ready: 2, InHand: 1, Oldest: messages[0].Time,
	})
	must(t, j.Wait(wait(schema.ClassTransient, later)))
	j.release()
	j = next(t, "a delivery", jobs)
	must(t, j.Done())
	j.release()
	j = next(t, "a delivery", jobs)
	counted := []stream.WaitingCount{
		{
			Class: schema.ClassTransient, Count: 1, Next: later, Last: later,
			Oldest: paystubs("e-1", "a-1").ReceivedAt,
		},
	}
	wants("the one that waits is not in hand", stream.QueueStatus{
		InHand: 1, Oldest: messages[3].Time, Waiting: 1, WaitingByClass: counted,
	})
	got, err = operator(c).Position(t.Context(), queueOf(schema.Paystubs).EventsLane())
	if err != nil || got != (stream.Position{Settled: 2, Delivered: 4}) {
		t.Errorf("position %+v, %v", got, err)
	}
	must(t, j.Done())
	j.release()
	wants("nothing is left but the one that waits", stream.QueueStatus{
		Waiting: 1, WaitingByClass: counted,
	})
	retried, err := operator(c).RetryNow(t.Context(), waitingEvents(t, c, "*", "*")[0])
	if !retried || err != nil {
		t.Fatalf("retried %t, %v", retried, err)
	}
	due := retriesOf(t, c, paystubs("e-1", "a-1"))[0].At
	wants("it is ready again", stream.QueueStatus{Ready: 1, Oldest: due})
}

func TestStatusCountsWaitingEventsByQueueAndClass(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	const forbidden = schema.ClassForbidden
	const transient = schema.ClassTransient
	at := func(hours int) time.Time { return later.Add(time.Duration(hours) * time.Hour) }
	paystub := queueOf(schema.Paystubs)
	links := queueOf(schema.Link)
	for i, w := range []struct {
		queue schema.Queue
		class schema.Class
		hours int
	}{
		{paystub, transient, 2}, {paystub, transient, 1}, {paystub, transient, 3},
		{paystub, forbidden, 1}, {links, transient, 5},
	} {
		e := paystubs(fmt.Sprintf("e-%d", i), "a-1")
		if w.queue.Name == links.Name {
			e = link("e-1", "a-1", schema.ActionConnected)
		}
		publish(t, c, e)
		letWait(t, c, w.queue, wait(w.class, at(w.hours)))
	}
	_, queues, err := operator(c).Status(t.Context())
	must(t, err)
	for _, q := range queues {
		oldest := paystubs("e-1", "a-1").ReceivedAt
		var want []stream.WaitingCount
		switch q.Name {
		case paystub.Name:
			want = []stream.WaitingCount{
				{forbidden, 1, oldest, at(1), at(1)}, {transient, 3, oldest, at(1), at(3)},
			}
		case links.Name:
			want = []stream.WaitingCount{{transient, 1, oldest, at(5), at(5)}}
		default:
			want = []stream.WaitingCount{}
		}
		total := 0
		for _, count := range want {
			total += count.Count
		}
		if diff := cmp.Diff(want, q.WaitingByClass); diff != "" || q.Waiting != total {
			t.Errorf("%s: %d wait, want %d (-want +got):\n%s", q.Name, q.Waiting, total, diff)
		}
	}
}

func TestStatusTellsOfRefusedCredentials(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	refused := schema.Pause{
		Paused: true, Since: received, Class: schema.ClassUnauthorized, Status: 401,
		Endpoint: "/v1/links/{link_id}/", ProbeAt: later, Probes: 2,
	}
	accepted := schema.Pause{Since: received}
	for name, p := range map[schema.Resource]schema.Pause{
		schema.Link: refused, schema.Paystubs: accepted,
	} {
		stored, err := c.Queue(queueOf(name)).StorePause(t.Context(), stream.PauseState{}, p)
		if err != nil || !stored {
			t.Fatalf("stored %t, %v", stored, err)
		}
	}
	refused.Queue = "truv_link"
	_, queues, err := operator(c).Status(t.Context())
	must(t, err)
	for _, q := range queues {
		var want *schema.Pause
		if q.Name == refused.Queue {
			want = &refused
		}
		if diff := cmp.Diff(want, q.Refusal); diff != "" {
			t.Errorf("%s (-want +got):\n%s", q.Name, diff)
		}
	}
}

func TestStatusReadsAtMostSoManyWaitingEventsAndCountsTheOthers(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	for i := range 5 {
		publish(t, c, paystubs(fmt.Sprintf("e-%d", i), "a-1"))
		letWait(t, c, q, wait(schema.ClassTransient, later))
	}
	read := stream.WaitingCount{
		Class: schema.ClassTransient, Count: 3, Oldest: paystubs("e-1", "a-1").ReceivedAt,
		Next: later, Last: later,
	}
	all := read
	all.Count = 5
	for most, want := range map[int][]stream.WaitingCount{
		3: {read, {Class: stream.ClassUnread, Count: 2}},
		5: {all},
	} {
		got, err := operator(c).CountWaiting(t.Context(), q, most)
		if diff := cmp.Diff(want, got.WaitingByClass); err != nil || diff != "" || got.Waiting != 5 {
			t.Errorf("at most %d: %d wait, %v (-want +got):\n%s", most, got.Waiting, err, diff)
		}
	}
}

// An installation that was provisioned by an earlier release has neither stream.
func TestStatusNeedsNoStreamOfWaitingEvents(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	for _, q := range schema.Queues() {
		must(t, b.DeleteStream(t.Context(), q.WaitingStream()))
	}
	must(t, b.DeleteStream(t.Context(), schema.PausesStream))
	streams, queues, err := operator(c).Status(t.Context())
	if len(streams) != 10 || len(queues) != 0 || err != nil {
		t.Errorf("%d streams, %d queues, %v", len(streams), len(queues), err)
	}
}

func TestAQueueThatIsNotThereSaysWhatToRun(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	c, q := s.Connect(t), queueOf(schema.Paystubs)
	streams, queues, err := operator(c).Status(t.Context())
	if len(streams)+len(queues) > 0 || err != nil {
		t.Errorf("status: got %v, %v, %v", streams, queues, err)
	}
	_, resume := operator(c).Resume(t.Context(), q)
	_, position := operator(c).Position(t.Context(), q.EventsLane())
	_, _, message := operator(c).Message(t.Context(), schema.DeadLettersStream, 1)
	_, replaysPosition := operator(c).Position(t.Context(), q.ReplaysLane())
	_, pausedUntil := operator(c).PausedUntil(t.Context(), q)
	pause := operator(c).Pause(t.Context(), q, time.Now().Add(time.Hour))
	for what, err := range map[string]error{
		"pause": pause, "resume": resume, "paused until": pausedUntil, "message": message,
		"position": position, "position in the replays": replaysPosition,
	} {
		if !errors.Is(err, stream.ErrNoQueue) ||
			!strings.Contains(err.Error(), "run: wagewire provision apply") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
