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

// exhausted serves a queue's advisories; what each is to return is the answer to the delivery. end
// waits for it.
func exhausted(t *testing.T, c *stream.Conn, q schema.Queue, answer func(*stream.Delivery) error) (told <-chan *stream.Delivery, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, back := make(chan *stream.Delivery, 10), make(chan struct{})
	go func() {
		defer close(back)
		if err := c.Queue(q).Exhausted(ctx, func(d *stream.Delivery) error { out <- d; return answer(d) }); err != nil {
			t.Errorf("Exhausted: %v", err)
		}
	}()
	end = func() { cancel(); <-back }
	t.Cleanup(end)
	return out, end
}

func kept(*stream.Delivery) error { return nil }

func TestAnEventWhoseDeliveriesRanOutIsHandedOverOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	deliveriesMax(t, s, q.Name, 2)
	e := paystubs("e-1", "a.1")
	publish(t, c, paystubs("e-0", "a-0"), e)
	told, end := exhausted(t, c, q, kept)
	jobs, _, _ := hold(t, c, q, 1)
	for range 3 {
		j := next(t, "a delivery", jobs)
		if j.Event.ID == "e-0" {
			must(t, j.Done())
		} else {
			must(t, j.Later(0)) // as if its worker had died: the broker counts both alike
		}
		j.release()
	}
	d := next(t, "what ran out", told)
	if diff := cmp.Diff(e, d.Event); diff != "" || d.Err != nil || d.Queue.Name != q.Name || d.Account != e.Account() || d.Attempt != 2 || d.Sequence != 2 {
		t.Errorf("got %+v; (-want +got):\n%s", d, diff)
	}
	letter := d.DeadLetter(schema.ClassExhausted, schema.ReasonDeliveriesMax, received)
	must(t, c.PublishDeadLetter(t.Context(), letter))
	m, there, err := stream.NewOperator(c).Message(t.Context(), schema.DeadLettersStream, 1)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	if got, err := stream.ReadLetter(m).Decode(); err != nil || got.Key() != e.Key() {
		t.Errorf("its dead letter: %+v, %v", got, err)
	}
	eventually(t, "the advisory is settled", func() bool { return advisories(t, s, q).NumAckPending == 0 })
	end()
	none(t, "it was handed over twice", told)
}

func TestAnAdvisoryIsKeptUntilItsEventIs(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	publish(t, c, paystubs("e-1", "a-1"))
	advise(t, s, q.Name, 1, 100)
	tries := 0
	told, _ := exhausted(t, c, q, func(*stream.Delivery) error {
		if tries++; tries == 1 {
			return errors.New("the dead letters are full")
		}
		return nil
	})
	for range 2 {
		if d := next(t, "what ran out", told); d.Event.ID != "e-1" || d.Attempt != 100 {
			t.Errorf("got %+v", d)
		}
	}
	eventually(t, "the advisory is settled", func() bool { return advisories(t, s, q).NumAckPending == 0 })
}

func TestWhatIsGoneOrOfAnotherQueueIsNotHandedOver(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"), paystubs("e-3", "a-1"))
	must(t, look(t, s).stream(schema.EventsStream).DeleteMsg(t.Context(), 1))
	advise(t, s, q.Name, 1, 100)
	advise(t, s, "truv_link", 2, 100)
	advise(t, s, q.Name, 3, 100)
	told, _ := exhausted(t, c, q, kept)
	if d := next(t, "what ran out", told); d.Event.ID != "e-3" {
		t.Errorf("got %+v", d)
	}
	eventually(t, "both advisories are settled", func() bool {
		a := advisories(t, s, q)
		return a.NumAckPending == 0 && a.NumPending == 0
	})
	none(t, "something else was handed over", told)
}

func TestAdvisoriesWaitForAQueueThatIsProvisionedLater(t *testing.T) {
	t.Parallel()
	s, err := streamtest.Start(streamtest.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(s.Stop)
	c, q := s.Connect(t), queueOf(schema.Paystubs)
	told, _ := exhausted(t, c, q, kept)
	must(t, stream.NewOperator(s.Connect(t)).Provision(t.Context(), streamtest.Topology()))
	publish(t, c, paystubs("e-1", "a-1"))
	advise(t, s, q.Name, 1, 100)
	if d := next(t, "what ran out", told); d.Event.ID != "e-1" {
		t.Errorf("got %+v", d)
	}
}

// advisories looks at what a queue's workers have not yet kept.
func advisories(t *testing.T, s *streamtest.Server, q schema.Queue) *jetstream.ConsumerInfo {
	t.Helper()
	consumer, err := look(t, s).Consumer(t.Context(), schema.AdvisoriesStream, q.Name)
	must(t, err)
	return consumer.CachedInfo()
}
