package stream_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestADeadLetterIsReadWithAndWithoutItsBody(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	e := paystubs("e-1", "a.1")
	publish(t, c, e)
	if _, err := operator(c).Redrive(t.Context(), e, "pinwheel_paystubs", 1); err != nil {
		t.Fatal(err)
	}
	failed := received.Add(time.Hour)
	jobs, end, back := holdTaking(t, c, queueOf(schema.Paystubs),
		stream.Taking{Hands: 1, ReplayHands: 1})
	for range 2 {
		j := next(t, "a delivery", jobs)
		letter := j.DeadLetter(schema.ClassTransient, schema.ReasonLadderEnded, failed)
		must(t, c.PublishDeadLetter(t.Context(), letter))
		must(t, j.Never(schema.ReasonLadderEnded))
		j.release()
	}
	end()
	next(t, "the end of Consume", back)
	for _, headersOnly := range []bool{true, false} {
		var letters []stream.Letter
		which := stream.Selection{HeadersOnly: headersOnly}
		read := func(m stream.Stored) error {
			letters = append(letters, stream.ReadLetter(m))
			return nil
		}
		must(t, operator(c).Scan(t.Context(), schema.DeadLettersStream, which, read))
		if len(letters) != 2 {
			t.Fatalf("got %+v", letters)
		}
		for i, l := range letters {
			want := e
			if want.Redrive = i; i > 0 {
				want.Queue = "pinwheel_paystubs"
			}
			if l.Queue != "pinwheel_paystubs" || l.Account != e.Account() ||
				l.Class != schema.ClassTransient || l.Reason != schema.ReasonLadderEnded ||
				l.Attempts != 1 || l.Sequence != uint64(i+1) || !l.At.Equal(failed) ||
				l.Number != uint64(i+1) || l.BodyBytes != len(e.Body) {
				t.Errorf("got %+v", l)
			}
			if l.Event.Key() != want.Key() || l.Event.Type != e.Type ||
				!l.Event.ReceivedAt.Equal(received) {
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

func TestDiscardDeletesLettersAndQuarantineButNoEvents(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	for _, body := range []string{"{first", "{second"} {
		must(t, c.PublishQuarantined(t.Context(), schema.Quarantined{
			Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: received,
			Body: []byte(body),
		}))
	}
	for range 2 { // and once more is no error
		must(t, operator(c).Discard(t.Context(), schema.QuarantineStream, 1))
	}
	_, there, err := operator(c).Message(t.Context(), schema.QuarantineStream, 1)
	if there || err != nil {
		t.Errorf("it is there: %t, %v", there, err)
	}
	m, there, err := operator(c).Message(t.Context(), schema.QuarantineStream, 2)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	want := stream.Unread{Number: 2, BodyBytes: len("{second"), Quarantined: schema.Quarantined{
		Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: received,
		Body: []byte("{second"),
	}}
	if diff := cmp.Diff(want, stream.ReadUnread(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	publish(t, c, paystubs("e-1", "a-1"))
	err = operator(c).Discard(t.Context(), schema.EventsStream, 1)
	if err == nil || look(t, s).state(schema.EventsStream).Msgs != 1 {
		t.Errorf("an event was discarded: %v", err)
	}
}
