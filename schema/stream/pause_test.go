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
	streamtest.Eventually(t, "a hand is free", func() bool {
		_, queues, err := operator(c).Status(t.Context())
		must(t, err)
		return queues[i].FreeHands == 1 && queues[i].Waiting == 1
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
