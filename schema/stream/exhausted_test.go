package stream_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// exhausted works through a queue's advisories and sends each delivery. store is the function for
// Exhausted. end ends Exhausted and waits for its return.
func exhausted(
	t *testing.T, c *stream.Conn, q schema.Queue, store func(*stream.Delivery) error,
) (deliveries <-chan *stream.Delivery, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan *stream.Delivery, 10)
	back := make(chan struct{})
	go func() {
		defer close(back)
		err := c.Queue(q).Exhausted(ctx, func(d *stream.Delivery) error {
			out <- d
			return store(d)
		})
		if err != nil {
			t.Errorf("Exhausted: %v", err)
		}
	}()
	end = func() { cancel(); <-back }
	t.Cleanup(end)
	return out, end
}

func succeed(*stream.Delivery) error { return nil }

func TestAnEventWhoseDeliveriesRanOutIsHandedOutOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	deliveriesMax(t, s, q.Name, 2)
	e := paystubs("e-1", "a.1")
	publish(t, c, paystubs("e-0", "a-0"), e)
	deliveries, end := exhausted(t, c, q, succeed)
	jobs, _, _ := holdTaking(t, c, q, stream.Taking{Hands: 1, RetryHands: 1})
	for range 5 { // two deliveries of the event, and two of its retry
		j := next(t, "a delivery", jobs)
		if j.Event.ID == "e-0" {
			must(t, j.Done())
		} else {
			must(t, j.GiveBack()) // the broker counts this like the death of a worker
		}
		j.release()
	}
	d := next(t, "an exhausted delivery", deliveries)
	if diff := cmp.Diff(e, d.Event); diff != "" || d.Err != nil {
		t.Errorf("error %v; event (-want +got):\n%s", d.Err, diff)
	}
	if d.Queue.Name != q.Name || d.Account != e.Account() || !d.Retry ||
		d.Deliveries != 2 || d.Attempt() != 1 || d.Sequence != 2 {
		t.Errorf("got %+v", d)
	}
	letter := d.DeadLetter(schema.ClassExhausted, schema.ReasonDeliveriesMax, received)
	must(t, c.PublishDeadLetter(t.Context(), letter))
	m, there, err := operator(c).Message(t.Context(), schema.DeadLettersStream, 1)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	if got, err := stream.ReadLetter(m).Decode(); err != nil || got.Key() != e.Key() {
		t.Errorf("its dead letter: %+v, %v", got, err)
	}
	streamtest.Eventually(t, "both advisories are settled", func() bool {
		return advisories(t, s, q).NumAckPending == 0
	})
	end()
	none(t, "the event was handed out twice", deliveries)
}

func TestAReplayWhoseDeliveriesRanOutIsHandedOut(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	deliveriesMax(t, s, q.Name, 2)
	e := redriven(paystubs("e-1", "a.1"), q)
	publish(t, c, e)
	deliveries, _ := exhausted(t, c, q, succeed)
	jobs, _, _ := holdTaking(t, c, q, oneEach)
	for range 2 {
		j := next(t, "the replay", jobs)
		must(t, j.GiveBack())
		j.release()
	}
	d := next(t, "the exhausted replay", deliveries)
	if d.Event.Key() != e.Key() || !d.Replay || d.Deliveries != 2 || d.Sequence != 1 {
		t.Errorf("got %+v", d)
	}
	ended := 0
	must(t, operator(c).Endings(t.Context(), func(e stream.Ended) error {
		ended++
		if e.Queue != q.Name || e.Stream != q.WaitingStream() || !e.Exhausted {
			t.Errorf("its ending is %+v", e)
		}
		return nil
	}))
	if ended != 1 {
		t.Errorf("%d endings, want 1", ended)
	}
}

func TestAnAdvisoryIsHandedOutAgainUntilItsEventIsStored(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	advise(t, s, q.Name, q.WaitingStream(), retried(t, s, c, q, paystubs("e-1", "a-1")), 100)
	tries := 0
	deliveries, _ := exhausted(t, c, q, func(*stream.Delivery) error {
		if tries++; tries == 1 {
			return errors.New("the dead letters are full")
		}
		return nil
	})
	for range 2 {
		d := next(t, "an exhausted delivery", deliveries)
		if d.Event.ID != "e-1" || d.Deliveries != 100 {
			t.Errorf("got %+v", d)
		}
	}
	streamtest.Eventually(t, "the advisory is settled", func() bool {
		return advisories(t, s, q).NumAckPending == 0
	})
}

func TestAdvisoriesOfErasedEventsAndOfOtherQueuesAreSkipped(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	gone := retried(t, s, c, q, paystubs("e-1", "a-1"))
	must(t, look(t, s).stream(schema.EventsStream).DeleteMsg(t.Context(), 1))
	deleted := retried(t, s, c, q, paystubs("e-2", "a-1"))
	must(t, look(t, s).stream(q.WaitingStream()).DeleteMsg(t.Context(), deleted))
	others := retried(t, s, c, q, paystubs("e-3", "a-1"))
	advise(t, s, q.Name, q.WaitingStream(), gone, 100)
	advise(t, s, q.Name, q.WaitingStream(), deleted, 100)
	advise(t, s, "truv_link", queueOf(schema.Link).WaitingStream(), others, 100)
	_, err := look(t, s).Publish(t.Context(), q.ExhaustedSubjects()[1],
		[]byte(`{"stream":"WAGEWIRE_WAITING","consumer":"pinwheel_paystubs","stream_seq":1}`))
	must(t, err)
	advise(t, s, q.Name, q.WaitingStream(), retried(t, s, c, q, paystubs("e-4", "a-1")), 100)
	deliveries, _ := exhausted(t, c, q, succeed)
	if d := next(t, "an exhausted delivery", deliveries); d.Event.ID != "e-4" {
		t.Errorf("got %+v", d)
	}
	streamtest.Eventually(t, "the advisories are settled", func() bool {
		a := advisories(t, s, q)
		return a.NumAckPending == 0 && a.NumPending == 0
	})
	none(t, "another event was handed out", deliveries)
}

func TestExhaustedWaitsForAQueueThatIsProvisionedLater(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	c, q := s.Connect(t), queueOf(schema.Paystubs)
	deliveries, _ := exhausted(t, c, q, succeed)
	streamtest.Provision(t, s.Connect(t), streamtest.Topology())
	advise(t, s, q.Name, q.WaitingStream(), retried(t, s, c, q, paystubs("e-1", "a-1")), 100)
	if d := next(t, "an exhausted delivery", deliveries); d.Event.ID != "e-1" {
		t.Errorf("got %+v", d)
	}
}

// advisories is the state of the consumer on a queue's advisories.
func advisories(t *testing.T, s *streamtest.Server, q schema.Queue) *jetstream.ConsumerInfo {
	t.Helper()
	consumer, err := look(t, s).Consumer(t.Context(), schema.AdvisoriesStream, q.Name)
	must(t, err)
	return consumer.CachedInfo()
}
