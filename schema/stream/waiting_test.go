package stream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// outage is a wait of the length.
func outage(failures int, d time.Duration) schema.Wait {
	now := time.Now()
	return schema.Wait{
		Class: schema.ClassTransient, Status: 503, Endpoint: "/v1/accounts/{account_id}/paystubs",
		Step: failures, Steps: 12, Since: now, Until: now.Add(d),
		Failures:     schema.Failures{schema.ClassTransient: failures, schema.ClassNotReady: 2},
		ProviderTook: 90*time.Second + 7,
		TraceParent:  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Progress: &schema.RecordsRef{
			Bucket: schema.RecordsBucket, Name: "n", SHA256: "s", Bytes: 3, Count: 1,
		},
	}
}

// waiting are the waits of the queue.
func waiting(t *testing.T, c *stream.Conn, queue string) []stream.Waiting {
	t.Helper()
	all, err := readWaiting(t, c, queue)
	must(t, err)
	return all
}

func readWaiting(
	t *testing.T, c *stream.Conn, queue string,
) (all []stream.Waiting, err error) {
	t.Helper()
	err = operator(c).Waiting(t.Context(), queue, "*", func(w stream.Waiting) error {
		all = append(all, w)
		return nil
	})
	return all, err
}

// lag is the number of events of a queue that are ready or in hand: the sum over all lanes.
func lag(t *testing.T, s *streamtest.Server, queue string) int {
	t.Helper()
	sum := 0
	for _, lane := range queueNamed(queue).Lanes() {
		consumer, err := look(t, s).Consumer(t.Context(), lane.Stream, lane.Consumer)
		must(t, err)
		info := consumer.CachedInfo()
		sum += int(info.NumPending) + info.NumAckPending
	}
	return sum
}

// loseLease makes the broker deliver an event again that a worker has in hand, as the end of its
// lease would.
func (b broker) loseLease(q schema.Queue, sequence uint64) {
	b.t.Helper()
	ack := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.%d.0", schema.EventsStream, q.Name, sequence,
		b.queue(q).Delivered.Consumer, time.Now().UnixNano())
	must(b.t, b.Conn().Publish(ack, []byte("-NAK")))
}

// sameWait compares waits; a header has no monotonic clock.
var sameWait = cmpopts.EquateApproxTime(0)

func TestAWaitingEventIsNoWorkAndComesBackWithItsFailures(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	e := paystubs("e-1", "a.1")
	publish(t, c, e)
	jobs, _, _ := holdTaking(t, c, q, stream.Taking{Hands: 1, RetryHands: 1})
	j := next(t, "delivery", jobs)
	want := outage(3, time.Hour)
	must(t, j.Wait(want))
	j.release()
	if n := lag(t, s, q.Name); n != 0 {
		t.Errorf("a lag of %d while it waits", n)
	}
	all := waiting(t, c, q.Name)
	if len(all) != 1 {
		t.Fatalf("%d events wait", len(all))
	}
	w := all[0]
	if w.Queue != q.Name || w.Account != e.Account() || w.Event.Key() != e.Key() ||
		w.Sequence != 1 {
		t.Errorf("waiting: %+v", w)
	}
	if diff := cmp.Diff(want, w.Wait, sameWait); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	retried, err := operator(c).RetryNow(t.Context(), w)
	if err != nil || !retried {
		t.Fatalf("retried %v, %v", retried, err)
	}
	j = next(t, "the retry", jobs)
	if j.Err != nil || !j.Retry || j.Deliveries != 1 || j.Attempt() != 6 || j.Sequence != 1 {
		t.Errorf("delivery %+v", j.Delivery)
	}
	if diff := cmp.Diff(e, j.Event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, j.Waited, sameWait); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, j.Done())
	j.release()
	if n := len(waiting(t, c, q.Name)); n != 0 || lag(t, s, q.Name) != 0 {
		t.Errorf("%d wait, a lag of %d", n, lag(t, s, q.Name))
	}
	again, err := operator(c).RetryNow(t.Context(), w)
	if err != nil || again {
		t.Errorf("an event that no longer waits: retried %v, %v", again, err)
	}
}

func TestTheBrokerEndsAWait(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	publish(t, c, paystubs("soon", "a"), paystubs("past", "b"), paystubs("later", "c"))
	jobs, _, _ := holdTaking(t, c, q, stream.Taking{Hands: 3, RetryHands: 3})
	for range 3 {
		j := next(t, "delivery", jobs)
		must(t, j.Wait(outage(1, map[string]time.Duration{
			"soon": time.Second, "past": -time.Hour, "later": time.Hour,
		}[j.Event.ID])))
		j.release()
	}
	s.Stop() // the schedules survive the broker
	must(t, s.Restart())
	came := map[string]bool{}
	for !came["soon"] || !came["past"] {
		j := next(t, "a retry", jobs)
		if early := time.Until(j.Waited.Until); early > 0 {
			t.Errorf("%s came %v too early", j.Event.ID, early)
		}
		came[j.Event.ID] = true
		_ = j.Done() // fails if the connection is lost once more: the retry then comes again
		j.release()
	}
	if came["later"] {
		t.Error("an event came an hour too early")
	}
	streamtest.Eventually(t, "one is left", func() bool {
		left, err := readWaiting(t, c, q.Name) // fails while the connection is lost once more
		return err == nil && len(left) == 1
	})
}

func TestASecondScheduleOfAnEventReplacesTheFirst(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	publish(t, c, paystubs("e-1", "a-1"))
	jobs, _, _ := hold(t, c, q, 2)
	first := next(t, "delivery", jobs)
	look(t, s).loseLease(q, 1) // another worker gets the event too
	second := next(t, "delivery", jobs)
	if second.Deliveries != 2 || second.Attempt() != 1 {
		t.Errorf("delivery %d is attempt %d", second.Deliveries, second.Attempt())
	}
	must(t, first.Wait(outage(1, time.Hour)))
	must(t, second.Wait(outage(1, time.Minute)))
	first.release()
	second.release()
	all := waiting(t, c, q.Name)
	if len(all) != 1 || time.Until(all[0].Until) > 2*time.Minute {
		t.Errorf("waiting: %+v", all)
	}
}

func TestAnEventOfAnErasedAccountDoesNotWait(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Link)
	publish(t, c, link("before", "a-1", schema.ActionConnected),
		link("after", "a-1", schema.ActionDisconnected), link("other", "a-2", schema.ActionConnected))
	jobs, _, _ := hold(t, c, q, 1)
	for range 3 {
		j := next(t, "delivery", jobs)
		err := j.Wait(outage(1, time.Hour))
		if want := j.Event.ID == "after"; errors.Is(err, stream.ErrErased) != want {
			t.Errorf("%s: %v", j.Event.ID, err)
		}
		if j.Event.ID == "before" {
			for _, step := range c.ErasureSteps(schema.Truv, "a-1") {
				must(t, step.Run(t.Context()))
			}
			if n := len(waiting(t, c, q.Name)); n != 0 {
				t.Errorf("%d events wait after the erasure", n)
			}
		}
		if err != nil {
			must(t, j.Done())
		}
		j.release()
	}
	left := look(t, s).all(q.WaitingStream(), ">")
	if len(left) != 1 || schema.LastToken(left[0].Subject) != "other" {
		t.Errorf("%d messages wait, want the one of the other account", len(left))
	}
}

func TestARetryWhoseEventIsGoneEnds(t *testing.T) {
	t.Parallel()
	for promise, lose := range map[string]func(*testing.T, broker, *stream.Conn){
		"because somebody deleted the event": func(t *testing.T, b broker, _ *stream.Conn) {
			must(t, b.stream(schema.EventsStream).DeleteMsg(t.Context(), 1))
		},
		"because somebody made the stream anew, and its sequence is another event's": func(
			t *testing.T, b broker, c *stream.Conn,
		) {
			must(t, b.DeleteStream(t.Context(), schema.EventsStream))
			streamtest.Provision(t, c, streamtest.Topology())
			publish(t, c, link("another", "a-1", schema.ActionConnected))
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			q := queueOf(schema.Paystubs)
			retried(t, s, c, q, paystubs("e-1", "a-1"))
			lose(t, look(t, s), c)
			jobs, _, _ := holdTaking(t, c, q, stream.Taking{Hands: 1, RetryHands: 1})
			streamtest.Eventually(t, "it is settled", func() bool { return lag(t, s, q.Name) == 0 })
			none(t, "it was handed out", jobs)
		})
	}
}

func TestAWaitThatCannotBeStoredLeavesTheEventInItsQueue(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	publish(t, c, paystubs("e-1", "a-1"))
	jobs, _, _ := hold(t, c, q, 1)
	j := next(t, "delivery", jobs)
	must(t, look(t, s).DeleteStream(t.Context(), q.WaitingStream()))
	if err := j.Wait(outage(1, 0)); err == nil {
		t.Error("no error")
	}
	j.release()
	j = next(t, "the event again", jobs)
	if j.Attempt() != 1 || j.Deliveries != 2 {
		t.Errorf("attempt %d, delivery %d", j.Attempt(), j.Deliveries)
	}
	j.release()
}
