package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// scanned returns the ids of the events that a scan hands out.
func scanned(t *testing.T, c *stream.Conn, which stream.Selection) []string {
	t.Helper()
	ids := []string{}
	must(t, stream.NewOperator(c).Headings(t.Context(), which, func(h stream.Heading) error {
		ids = append(ids, h.Event.ID)
		return nil
	}))
	return ids
}

func TestAScanHandsOutWhatIsSelectedAndEnds(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	pinwheel := schema.AccountEvents(schema.Pinwheel, "*", "*", "*")
	empty := func(which stream.Selection) []string { return scanned(t, c, which) }
	if got := empty(stream.Selection{}); len(got) > 0 {
		t.Errorf("an empty stream: got %q", got)
	}
	publish(t, c, paystubs("e-1", "a-1"), link("e-2", "a-2", schema.ActionConnected), paystubs("e-3", "a-3"), link("e-4", "a-4", schema.ActionConnected))
	var at []time.Time
	must(t, stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, func(m stream.Stored) error {
		at = append(at, m.At)
		return nil
	}))
	for promise, test := range map[string]struct {
		which stream.Selection
		want  []string
	}{
		"everything": {stream.Selection{}, []string{"e-1", "e-2", "e-3", "e-4"}},
		"what a filter matches, though more comes after it": {stream.Selection{Filters: []string{pinwheel}}, []string{"e-1", "e-3"}},
		"what one of several filters matches":               {stream.Selection{Filters: []string{paystubs("", "a-1").Subject(), schema.AccountEvents(schema.Truv, "*", "*", "*")}}, []string{"e-1", "e-2", "e-4"}},
		"nothing where no filter matches":                   {stream.Selection{Filters: []string{schema.AccountEvents("plaid", "*", "*", "*")}}, []string{}},
		"what was stored since":                             {stream.Selection{Since: at[2]}, []string{"e-3", "e-4"}},
		"nothing since the last":                            {stream.Selection{Since: at[3].Add(time.Nanosecond)}, []string{}},
		"nothing since a time to come":                      {stream.Selection{Since: time.Now().Add(time.Hour)}, []string{}},
	} {
		t.Run(promise, func(t *testing.T) {
			if diff := cmp.Diff(test.want, scanned(t, c, test.which)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAScanEndsWithWhatWasThereWhenItBegan(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	n := 0
	must(t, stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, func(stream.Stored) error {
		n++ // one more for each: it would never end
		publish(t, c, paystubs(fmt.Sprintf("new-%d", n), "a-1"))
		return nil
	}))
	if n != 2 {
		t.Errorf("%d messages, want the 2 that were there", n)
	}
}

func TestAScanOutlivesTheDeletionOfWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	const all = 1200 // more than the client takes ahead
	s, c := streamtest.New(t)
	for i := range all {
		publish(t, c, paystubs(fmt.Sprintf("e-%d", i), "a-1"))
	}
	events := look(t, s).stream(schema.EventsStream)
	n := 0
	must(t, stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{Filters: []string{paystubs("", "a-1").Subject()}}, func(stream.Stored) error {
		if n++; n == 1 {
			must(t, events.Purge(t.Context(), jetstream.WithPurgeSubject(paystubs("", "a-1").Subject())))
			publish(t, c, link("e-new", "a-2", schema.ActionConnected))
		}
		return nil
	}))
	if n == 0 || n == all {
		t.Errorf("%d of %d messages: nothing was deleted while it waited", n, all)
	}
}

func TestAScanIsEnded(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	t.Run("by an error of each, which it returns", func(t *testing.T) {
		enough, n := errors.New("enough"), 0
		err := stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, func(stream.Stored) error { n++; return enough })
		if !errors.Is(err, enough) || n != 1 {
			t.Errorf("%d messages and %v, want one and the error", n, err)
		}
	})
	t.Run("by its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := stream.NewOperator(c).Scan(ctx, schema.EventsStream, stream.Selection{}, func(stream.Stored) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by a stream that is not there, with what to run", func(t *testing.T) {
		s, err := streamtest.Start(streamtest.Config{Dir: t.TempDir()})
		must(t, err)
		t.Cleanup(s.Stop)
		err = stream.NewOperator(s.Connect(t)).Scan(t.Context(), schema.EventsStream, stream.Selection{}, nil)
		if !errors.Is(err, stream.ErrNoQueue) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAHeadingSaysAllButTheBody(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	e := paystubs("an id: \"100 %\"", "a.1")
	publish(t, c, e)
	if stored, err := stream.NewOperator(c).Redrive(t.Context(), e, "pinwheel_paystubs", 2); err != nil || !stored {
		t.Fatal(stored, err)
	}
	var got []stream.Heading
	must(t, stream.NewOperator(c).Headings(t.Context(), stream.Selection{}, func(h stream.Heading) error {
		got = append(got, h)
		return nil
	}))
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	for i, redrive := range []int{0, 2} {
		want := e
		want.AccountID, want.Body, want.Redrive = "", nil, redrive
		if redrive > 0 {
			want.Queue = "pinwheel_paystubs"
		}
		h := got[i]
		if diff := cmp.Diff(want, h.Event); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if h.Account != e.Account() || h.BodyBytes != len(e.Body) || len(h.BodySHA256) != 64 || h.Sequence != uint64(i+1) || h.Subject != e.Subject() || h.At.IsZero() {
			t.Errorf("got %+v", h)
		}
	}
}

func TestARedriveIsStoredOnceUnderEachName(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	e := paystubs("e-1", "a-1")
	publish(t, c, e)
	again := paystubs("e-1", "a-1")
	again.Body = append(again.Body, ' ')
	for _, test := range []struct {
		promise string
		event   schema.Event
		n       int
		stored  bool
	}{
		{"the memory of its id does not eat the first", e, 1, true},
		{"the same again is stored before", e, 1, false},
		{"another body finds the name taken", again, 1, false},
		{"the second has a name of its own", e, 2, true},
	} {
		t.Run(test.promise, func(t *testing.T) {
			stored, err := stream.NewOperator(c).Redrive(t.Context(), test.event, "pinwheel_paystubs", test.n)
			if stored != test.stored || err != nil {
				t.Errorf("stored %t, %v; want %t", stored, err, test.stored)
			}
		})
	}
	m, there, err := stream.NewOperator(c).Message(t.Context(), schema.EventsStream, 3)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	got, err := stream.DecodeEvent(m)
	want := e
	want.Redrive, want.Queue = 2, "pinwheel_paystubs"
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestADeadLetterIsReadWithAndWithoutItsBody(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	e := paystubs("e-1", "a.1")
	publish(t, c, e)
	if _, err := stream.NewOperator(c).Redrive(t.Context(), e, "pinwheel_paystubs", 1); err != nil {
		t.Fatal(err)
	}
	jobs, end, back := hold(t, c, queueOf(schema.Paystubs), 1)
	for range 2 {
		j := next(t, "a delivery", jobs)
		must(t, c.PublishDeadLetter(t.Context(), j.DeadLetter(schema.ClassTransient, schema.ReasonLadderEnded, received.Add(time.Hour))))
		must(t, j.Never(schema.ReasonLadderEnded))
		j.release()
	}
	end()
	next(t, "the end of Consume", back)
	for _, headersOnly := range []bool{true, false} {
		var letters []stream.Letter
		must(t, stream.NewOperator(c).Scan(t.Context(), schema.DeadLettersStream, stream.Selection{HeadersOnly: headersOnly}, func(m stream.Stored) error {
			letters = append(letters, stream.ReadLetter(m))
			return nil
		}))
		if len(letters) != 2 {
			t.Fatalf("got %+v", letters)
		}
		for i, l := range letters {
			want := e
			if want.Redrive = i; i > 0 {
				want.Queue = "pinwheel_paystubs"
			}
			if l.Queue != "pinwheel_paystubs" || l.Account != e.Account() || l.Class != schema.ClassTransient || l.Reason != schema.ReasonLadderEnded ||
				l.Attempts != 1 || l.Sequence != uint64(i+1) || !l.At.Equal(received.Add(time.Hour)) || l.Number != uint64(i+1) || l.BodyBytes != len(e.Body) {
				t.Errorf("got %+v", l)
			}
			if l.Event.Key() != want.Key() || l.Event.Type != e.Type || !l.Event.ReceivedAt.Equal(received) {
				t.Errorf("got event %+v", l.Event)
			}
			if headersOnly {
				continue
			}
			got, err := l.Decode()
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		}
	}
}

func TestWhatIsDiscardedIsGoneAndTheEventsAreNot(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	for _, body := range []string{"{first", "{second"} {
		must(t, c.PublishQuarantined(t.Context(), schema.Quarantined{Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: received, Body: []byte(body)}))
	}
	for range 2 { // and once more is no error
		must(t, stream.NewOperator(c).Discard(t.Context(), schema.QuarantineStream, 1))
	}
	if _, there, err := stream.NewOperator(c).Message(t.Context(), schema.QuarantineStream, 1); there || err != nil {
		t.Errorf("it is there: %t, %v", there, err)
	}
	m, there, err := stream.NewOperator(c).Message(t.Context(), schema.QuarantineStream, 2)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	want := stream.Unread{Number: 2, BodyBytes: len("{second"), Quarantined: schema.Quarantined{
		Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: received, Body: []byte("{second"),
	}}
	if diff := cmp.Diff(want, stream.ReadUnread(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	publish(t, c, paystubs("e-1", "a-1"))
	if err := stream.NewOperator(c).Discard(t.Context(), schema.EventsStream, 1); err == nil || look(t, s).state(schema.EventsStream).Msgs != 1 {
		t.Errorf("an event was discarded: %v", err)
	}
}

func TestCompletionsAreFoundByTheEventAlone(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	e, redriven, other := paystubs("e-1", "a-1"), paystubs("e-1", "a-1"), paystubs("e-2", "a-1")
	redriven.Redrive = 1
	income := schema.NewCompletion(e, schema.Income, schema.Succeeded, received)
	for _, of := range []struct {
		schema.Event
		schema.Completion
	}{{e, succeeded(e)}, {e, income}, {redriven, succeeded(redriven)}, {other, succeeded(other)}} {
		if stored, err := c.PublishCompletion(t.Context(), of.Event, of.Completion); err != nil || !stored {
			t.Fatal(stored, err)
		}
	}
	for _, test := range []struct {
		event schema.Event
		want  []string
	}{
		{schema.Event{Provider: schema.Pinwheel, ID: "e-1"}, []string{"pinwheel:e-1:paystubs", "pinwheel:e-1:income"}},
		{schema.Event{Provider: schema.Pinwheel, ID: "e-1", Redrive: 1}, []string{"pinwheel:e-1:r1:paystubs"}},
		{schema.Event{Provider: schema.Truv, ID: "e-1"}, nil},
	} {
		var got []string
		completions, err := stream.NewOperator(c).CompletionsOf(t.Context(), test.event)
		must(t, err)
		for _, c := range completions {
			got = append(got, c.ID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.event.Key(), diff)
		}
	}
}

func TestTheBrokersWordOfEndedDeliveriesIsRead(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	deliveriesMax(t, s, "pinwheel_paystubs", 1)
	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	j := next(t, "a delivery", jobs)
	must(t, j.Never(schema.ReasonPanic))
	j.release()
	j = next(t, "a delivery", jobs)
	must(t, j.Later(0))
	j.release()
	var got []stream.Ended
	eventually(t, "both are said", func() bool {
		got = nil
		must(t, stream.NewOperator(c).Endings(t.Context(), func(e stream.Ended) error { got = append(got, e); return nil }))
		return len(got) == 2
	})
	for i := range got {
		if got[i].At.IsZero() {
			t.Errorf("got %+v", got[i])
		}
		got[i].At = time.Time{}
	}
	want := []stream.Ended{
		{Queue: "pinwheel_paystubs", Sequence: 1, Deliveries: 1, Reason: "panic"},
		{Queue: "pinwheel_paystubs", Sequence: 2, Deliveries: 1, Exhausted: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheStatusIsWhatTheBrokerHas(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	statusOf := func() stream.QueueStatus {
		t.Helper()
		_, queues, err := stream.NewOperator(c).Status(t.Context())
		must(t, err)
		i := slices.IndexFunc(queues, func(q stream.QueueStatus) bool { return q.Name == "pinwheel_paystubs" })
		return queues[i]
	}
	streams, queues, err := stream.NewOperator(c).Status(t.Context())
	must(t, err)
	if len(streams) != 6 || len(queues) != len(schema.Queues()) {
		t.Errorf("%d streams and %d queues", len(streams), len(queues))
	}
	for _, s := range streams {
		if s.Messages != 0 || !s.Oldest.IsZero() || s.BytesMax != 64<<20 {
			t.Errorf("an empty stream: got %+v", s)
		}
	}
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"), link("e-3", "a-1", schema.ActionConnected), paystubs("e-4", "a-1"))
	messages := look(t, s).all(schema.EventsStream, ">")
	wants := func(promise string, want stream.QueueStatus) {
		t.Helper()
		want.Name = "pinwheel_paystubs"
		var got stream.QueueStatus
		eventually(t, promise, func() bool {
			got = statusOf()
			got.FreeHands = 0
			return cmp.Equal(want, got)
		})
	}
	wants("three wait", stream.QueueStatus{Waiting: 3, Oldest: messages[0].Time})
	if got, err := stream.NewOperator(c).Position(t.Context(), queueOf(schema.Paystubs)); err != nil || got != (stream.Position{}) {
		t.Errorf("position %+v, %v", got, err)
	}

	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	j := next(t, "a delivery", jobs)
	wants("one is in flight, and the oldest", stream.QueueStatus{Waiting: 2, InFlight: 1, Oldest: messages[0].Time})
	must(t, j.Later(time.Hour))
	j.release()
	j = next(t, "a delivery", jobs)
	must(t, j.Done())
	j.release()
	j = next(t, "a delivery", jobs)
	wants("the oldest is still the one that was given back", stream.QueueStatus{InFlight: 2, Oldest: messages[0].Time, Redelivered: 0})
	if got, err := stream.NewOperator(c).Position(t.Context(), queueOf(schema.Paystubs)); err != nil || got != (stream.Position{Settled: 0, Delivered: 4}) {
		t.Errorf("position %+v, %v", got, err)
	}
	j.release()
}

func TestAPausedQueueDeliversNothingUntilItIsResumed(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	until := time.Now().Add(time.Hour).UTC().Round(time.Second)
	must(t, stream.NewOperator(c).Pause(t.Context(), q, until))
	_, queues, err := stream.NewOperator(c).Status(t.Context())
	must(t, err)
	i := slices.IndexFunc(queues, func(s stream.QueueStatus) bool { return s.Name == q.Name })
	if !queues[i].PausedUntil.Equal(until) {
		t.Errorf("paused until %s, want %s", queues[i].PausedUntil, until)
	}
	publish(t, c, paystubs("e-1", "a-1"))
	jobs, _, _ := hold(t, c, q, 1)
	eventually(t, "a hand is free", func() bool {
		_, queues, err := stream.NewOperator(c).Status(t.Context())
		must(t, err)
		return queues[i].FreeHands == 1 && queues[i].Waiting == 1
	})
	none(t, "a paused queue delivered", jobs)
	if paused, err := stream.NewOperator(c).Resume(t.Context(), q); !paused || err != nil {
		t.Errorf("paused %t, %v", paused, err)
	}
	next(t, "a delivery", jobs).release()
	if paused, err := stream.NewOperator(c).Resume(t.Context(), q); paused || err != nil {
		t.Errorf("resumed twice: paused %t, %v", paused, err)
	}
}

func TestAQueueThatIsNotThereSaysWhatToRun(t *testing.T) {
	t.Parallel()
	s, err := streamtest.Start(streamtest.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(s.Stop)
	c, q := s.Connect(t), queueOf(schema.Paystubs)
	streams, queues, err := stream.NewOperator(c).Status(t.Context())
	if len(streams)+len(queues) > 0 || err != nil {
		t.Errorf("status: got %v, %v, %v", streams, queues, err)
	}
	_, resume := stream.NewOperator(c).Resume(t.Context(), q)
	_, position := stream.NewOperator(c).Position(t.Context(), q)
	_, _, message := stream.NewOperator(c).Message(t.Context(), schema.DeadLettersStream, 1)
	for what, err := range map[string]error{"pause": stream.NewOperator(c).Pause(t.Context(), q, time.Now().Add(time.Hour)), "resume": resume, "position": position, "message": message} {
		if !errors.Is(err, stream.ErrNoQueue) || !strings.Contains(err.Error(), "run: wagewire provision apply") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// deliveriesMax changes how often a queue delivers an event.
func deliveriesMax(t *testing.T, s *streamtest.Server, queue string, most int) {
	t.Helper()
	b := look(t, s)
	consumer, err := b.Consumer(t.Context(), schema.EventsStream, queue)
	must(t, err)
	config := consumer.CachedInfo().Config
	config.MaxDeliver = most
	_, err = b.UpdateConsumer(t.Context(), schema.EventsStream, config)
	must(t, err)
}

// advise stores an advisory as the broker does.
func advise(t *testing.T, s *streamtest.Server, queue string, sequence uint64, deliveries int) {
	t.Helper()
	said, err := json.Marshal(map[string]any{"stream": schema.EventsStream, "consumer": queue, "stream_seq": sequence, "deliveries": deliveries})
	must(t, err)
	_, err = look(t, s).Publish(t.Context(), schema.ExhaustedSubject(queue), said)
	must(t, err)
}
