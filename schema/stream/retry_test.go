package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// later is far beyond the end of every test: a schedule of that time does not fire.
var later = time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)

// wait is a wait after a failure of the class, until the time.
func wait(class schema.Class, until time.Time) schema.Wait {
	return schema.Wait{
		Class: class, Status: 503, Endpoint: "/v1/accounts/{account_id}/paystubs", Step: 3, Steps: 12,
		Since: received, Until: until, Failures: schema.Failures{class: 3},
	}
}

// letWait takes the next event of the queue, and lets it wait.
func letWait(t *testing.T, c *stream.Conn, q schema.Queue, w schema.Wait) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	must(t, c.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
		cancel() // one hand, so nothing else is taken
		must(t, d.Wait(w))
	}))
}

// waitingEvents returns the waiting events of a queue and account.
func waitingEvents(t *testing.T, c *stream.Conn, queue, account string) []stream.Waiting {
	t.Helper()
	var all []stream.Waiting
	must(t, operator(c).Waiting(t.Context(), queue, account, func(w stream.Waiting) error {
		all = append(all, w)
		return nil
	}))
	return all
}

// retriesOf returns the retries of an event.
func retriesOf(t *testing.T, c *stream.Conn, e schema.Event) []stream.Retry {
	t.Helper()
	var all []stream.Retry
	must(t, operator(c).RetriesOf(t.Context(), e, e.Account(), func(r stream.Retry) error {
		all = append(all, r)
		return nil
	}))
	return all
}

func TestWaitingEventsAreFoundByQueueAccountAndEvent(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	pinwheel := queueOf(schema.Paystubs)
	truv := queueOf(schema.Link)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a.2"), link("e-3", "a-1", "connected"))
	for _, q := range []schema.Queue{pinwheel, pinwheel, truv} {
		letWait(t, c, q, wait(schema.ClassTransient, later))
	}
	keysOf := func(waiting []stream.Waiting) (keys []string) {
		for _, w := range waiting {
			keys = append(keys, w.Queue+" "+w.Event.Key())
		}
		return keys
	}
	one := pinwheel.Name + " pinwheel:e-1"
	two := pinwheel.Name + " pinwheel:e-2"
	three := truv.Name + " truv:e-3"
	for promise, test := range map[string]struct {
		queue, account string
		want           []string
	}{
		"all":                    {"*", "*", []string{one, two, three}},
		"a queue":                {pinwheel.Name, "*", []string{one, two}},
		"an account":             {"*", "a-1", []string{one, three}},
		"an account by its hash": {"*", schema.Token("a.2"), []string{two}},
		"neither":                {truv.Name, schema.Token("a.2"), nil},
	} {
		got := keysOf(waitingEvents(t, c, test.queue, test.account))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", promise, diff)
		}
	}
	var of []stream.Waiting
	must(t, operator(c).WaitingOf(t.Context(), paystubs("e-1", "a-1"), func(w stream.Waiting) error {
		of = append(of, w)
		return nil
	}))
	want := []stream.Waiting{{
		Wait: wait(schema.ClassTransient, later), Queue: pinwheel.Name, Account: "a-1", Sequence: 1,
		Event: schema.Event{
			Provider: schema.Pinwheel, ID: "e-1", Type: "paystubs.added",
			Resource: schema.Paystubs, Action: schema.ActionAdded,
			OccurredAt: received.Add(-time.Second), ReceivedAt: received,
		},
	}}
	if diff := cmp.Diff(want, of, cmpopts.IgnoreUnexported(stream.Waiting{})); diff != "" {
		t.Errorf("an event's wait (-want +got):\n%s", diff)
	}
}

func TestAMissingStreamOfAQueueHidesNoEventOfTheOthers(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	missing := schema.Queues()[0]
	e := paystubs("e-1", "a-1")
	publish(t, c, e, paystubs("e-2", "a-1"))
	q := queueOf(schema.Paystubs)
	letWait(t, c, q, wait(schema.ClassTransient, later))
	must(t, c.Requeue(t.Context(), q, e, 1))
	must(t, look(t, s).DeleteStream(t.Context(), missing.WaitingStream()))
	found := 0
	count := func() error { found++; return nil }
	o := operator(c)
	for what, scan := range map[string]func() error{
		"waiting events": func() error {
			return o.Waiting(t.Context(), "*", "*", func(stream.Waiting) error { return count() })
		},
		"the waits of an event": func() error {
			return o.WaitingOf(t.Context(), e, func(stream.Waiting) error { return count() })
		},
		"the retries of an event": func() error {
			return o.RetriesOf(t.Context(), e, "a-1", func(stream.Retry) error { return count() })
		},
	} {
		found = 0
		err := scan()
		if found != 1 || !errors.Is(err, stream.ErrNoQueue) ||
			!strings.Contains(err.Error(), missing.WaitingStream()) {
			t.Errorf("%s: %d found, %v", what, found, err)
		}
	}
}

func TestAWaitEndsNowInOneStep(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	e := paystubs("e-1", "a-1")
	publish(t, c, e)
	letWait(t, c, q, wait(schema.ClassTransient, later))
	waiting := waitingEvents(t, c, "*", "*")
	if got := retriesOf(t, c, e); len(got) > 0 {
		t.Errorf("a retry before its time: %+v", got)
	}
	now := func() bool {
		t.Helper()
		retried, err := operator(c).RetryNow(t.Context(), waiting[0])
		must(t, err)
		return retried
	}
	if !now() {
		t.Error("the event no longer waits")
	}
	if left := waitingEvents(t, c, "*", "*"); len(left) > 0 {
		t.Errorf("it still waits: %+v", left)
	}
	retries := retriesOf(t, c, e)
	if len(retries) != 1 || retries[0].Queue != q.Name || retries[0].At.IsZero() ||
		!cmp.Equal(retries[0].Wait, waiting[0].Wait) {
		t.Errorf("retries %+v", retries)
	}
	consumer, err := look(t, s).Consumer(t.Context(), q.WaitingStream(), q.Name)
	must(t, err)
	if n := consumer.CachedInfo().NumPending; n != 1 {
		t.Errorf("%d retries are ready for the queue, want 1", n)
	}
	now()
	if n := len(retriesOf(t, c, e)); n != 1 {
		t.Errorf("a second call makes %d retries", n)
	}
}

func TestAnEventThatNoLongerWaitsIsNotTriedNow(t *testing.T) {
	t.Parallel()
	q := queueOf(schema.Paystubs)
	e := paystubs("e-1", "a-1")
	for promise, happens := range map[string]func(*testing.T, *streamtest.Server, *stream.Conn){
		"it waits anew": func(t *testing.T, s *streamtest.Server, _ *stream.Conn) {
			b := look(t, s)
			m, err := b.stream(q.WaitingStream()).
				GetLastMsgForSubject(t.Context(), e.WaitingSubject(q.Name))
			must(t, err)
			m.Header.Del("Nats-Rollup") // the broker sets it
			_, err = b.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header})
			must(t, err)
		},
		"its account is erased": func(t *testing.T, _ *streamtest.Server, c *stream.Conn) {
			must(t, c.EraseWaiting(t.Context(), q, "a-1"))
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			publish(t, c, e)
			letWait(t, c, q, wait(schema.ClassTransient, later))
			before := waitingEvents(t, c, "*", "*")
			happens(t, s, c)
			retried, err := operator(c).RetryNow(t.Context(), before[0])
			if retried || err != nil {
				t.Errorf("retried %t, %v", retried, err)
			}
			if retries := retriesOf(t, c, e); len(retries) > 0 {
				t.Errorf("retries %+v", retries)
			}
		})
	}
}

func TestAnEventWhoseTimeHasComeIsNotTriedTwice(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	// A busy machine may see an event only after its time has come: then the next one waits longer.
	for n := 1; ; n++ {
		e := paystubs(fmt.Sprintf("e-%d", n), "a-1")
		publish(t, c, e)
		letWait(t, c, q, wait(schema.ClassTransient, time.Now().Add(time.Duration(n)*time.Second)))
		before := waitingEvents(t, c, "*", "*")
		streamtest.Eventually(t, "the broker ends the wait", func() bool {
			return len(retriesOf(t, c, e)) == 1
		})
		if len(before) == 0 {
			continue
		}
		retried, err := operator(c).RetryNow(t.Context(), before[0])
		if retried || err != nil {
			t.Errorf("retried %t, %v", retried, err)
		}
		if n := len(retriesOf(t, c, e)); n != 1 {
			t.Errorf("%d retries, want 1", n)
		}
		return
	}
}
