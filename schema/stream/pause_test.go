package stream_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestAPausedQueueDeliversNothingUntilItIsResumed(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	until := time.Now().Add(time.Hour).UTC().Round(time.Second)
	must(t, operator(c).Pause(t.Context(), q, until))
	_, queues, err := operator(c).Status(t.Context())
	must(t, err)
	i := slices.IndexFunc(queues, func(s stream.QueueStatus) bool { return s.Name == q.Name })
	if !queues[i].PausedUntil.Equal(until) {
		t.Errorf("paused until %s, want %s", queues[i].PausedUntil, until)
	}
	publish(t, c, paystubs("e-1", "a-1"))
	jobs, _, _ := hold(t, c, q, 1)
	streamtest.Eventually(t, "a worker asks for the event", func() bool {
		_, queues, err := operator(c).Status(t.Context())
		must(t, err)
		return queues[i].Requests == 1 && queues[i].Ready == 1
	})
	none(t, "a paused queue delivered", jobs)
	if paused, err := operator(c).Resume(t.Context(), q); !paused || err != nil {
		t.Errorf("paused %t, %v", paused, err)
	}
	next(t, "a delivery", jobs).release()
	if paused, err := operator(c).Resume(t.Context(), q); paused || err != nil {
		t.Errorf("resumed twice: paused %t, %v", paused, err)
	}
}

func TestAPauseHoldsEveryLane(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	until := time.Now().Add(time.Hour)
	paused := func() (lanes []schema.LaneName) {
		t.Helper()
		for _, lane := range q.Lanes() {
			consumer, err := look(t, s).Consumer(t.Context(), lane.Stream, lane.Consumer)
			must(t, err)
			if consumer.CachedInfo().Paused {
				lanes = append(lanes, lane.Name)
			}
		}
		return lanes
	}
	must(t, operator(c).Pause(t.Context(), q, until))
	if lanes := paused(); len(lanes) != 3 {
		t.Errorf("paused: %s", lanes)
	}
	if _, err := operator(c).Resume(t.Context(), q); err != nil {
		t.Error(err)
	}
	if lanes := paused(); len(lanes) != 0 {
		t.Errorf("resumed, and paused: %s", lanes)
	}
	// A command that was interrupted between the two.
	last := q.ReplaysLane()
	_, err := look(t, s).PauseConsumer(t.Context(), last.Stream, last.Consumer, until)
	must(t, err)
	got, err := operator(c).PausedUntil(t.Context(), q)
	if err != nil || !got.Equal(until) {
		t.Errorf("half a pause: until %s, %v, want %s", got, err, until)
	}
	if wasPaused, err := operator(c).Resume(t.Context(), q); !wasPaused || err != nil {
		t.Errorf("half a pause: resumed %t, %v", wasPaused, err)
	}
}
