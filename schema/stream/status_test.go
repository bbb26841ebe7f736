package stream_test

import (
	"errors"
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
	if len(streams) != 6 || len(queues) != len(schema.Queues()) {
		t.Errorf("%d streams and %d queues", len(streams), len(queues))
	}
	for _, s := range streams {
		if s.Messages != 0 || !s.Oldest.IsZero() || s.BytesMax != 64<<20 {
			t.Errorf("an empty stream: got %+v", s)
		}
	}
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	publish(t, c, link("e-3", "a-1", schema.ActionConnected), paystubs("e-4", "a-1"))
	messages := look(t, s).all(schema.EventsStream, ">")
	wants := func(promise string, want stream.QueueStatus) {
		t.Helper()
		want.Name = "pinwheel_paystubs"
		var got stream.QueueStatus
		streamtest.Eventually(t, promise, func() bool {
			got = statusOf()
			got.FreeHands = 0
			return cmp.Equal(want, got)
		})
	}
	wants("three wait", stream.QueueStatus{Waiting: 3, Oldest: messages[0].Time})
	got, err := operator(c).Position(t.Context(), queueOf(schema.Paystubs))
	if err != nil || got != (stream.Position{}) {
		t.Errorf("position %+v, %v", got, err)
	}

	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	j := next(t, "a delivery", jobs)
	wants("the oldest is in flight", stream.QueueStatus{
		Waiting: 2, InFlight: 1, Oldest: messages[0].Time,
	})
	must(t, j.Wait(schema.Wait{Class: schema.ClassTransient, Until: time.Now().Add(time.Hour)}))
	j.release()
	j = next(t, "a delivery", jobs)
	must(t, j.Done())
	j.release()
	j = next(t, "a delivery", jobs)
	wants("the oldest waits for its redelivery", stream.QueueStatus{
		InFlight: 2, Oldest: messages[0].Time, Redelivered: 0,
	})
	got, err = operator(c).Position(t.Context(), queueOf(schema.Paystubs))
	if err != nil || got != (stream.Position{Settled: 0, Delivered: 4}) {
		t.Errorf("position %+v, %v", got, err)
	}
	j.release()
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
	_, position := operator(c).Position(t.Context(), q)
	_, _, message := operator(c).Message(t.Context(), schema.DeadLettersStream, 1)
	pause := operator(c).Pause(t.Context(), q, time.Now().Add(time.Hour))
	for what, err := range map[string]error{
		"pause": pause, "resume": resume, "position": position, "message": message,
	} {
		if !errors.Is(err, stream.ErrNoQueue) ||
			!strings.Contains(err.Error(), "run: wagewire provision apply") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
