package stream_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// webhookBytesMax is the size of the largest webhook that ingress takes.
const webhookBytesMax = 896 << 10

// largest is the largest webhook with the largest headers: every byte of its id takes three bytes
// in a header.
func largest() schema.Event {
	e := paystubs(strings.Repeat("\x01", schema.IDBytesMax), strings.Repeat("a", schema.IDBytesMax))
	e.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	e.Body = append(e.Body, bytes.Repeat([]byte(" "), webhookBytesMax-len(e.Body))...)
	return e
}

// expectEvent compares events, and prints no body.
func expectEvent(t *testing.T, what string, want, got schema.Event) {
	t.Helper()
	if !bytes.Equal(want.Body, got.Body) {
		t.Errorf("%s: the body has changed", what)
	}
	want.Body = nil
	got.Body = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTheLargestEventGoesTheWholeWay(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := queueOf(schema.Paystubs)
	e := largest()
	jobs, _, _ := holdTaking(t, c, q, stream.Taking{Hands: 1, RetryHands: 1, ReplayHands: 1})
	expect := func(what string, want schema.Event) job {
		j := next(t, what, jobs)
		must(t, j.Err)
		expectEvent(t, what, want, j.Event)
		return j
	}

	publish(t, c, e)
	j := expect("the event", e)
	must(t, j.Wait(outage(1, time.Hour)))
	j.release()
	for _, w := range waiting(t, c, q.Name) {
		_, err := operator(c).RetryNow(t.Context(), w)
		must(t, err)
	}
	j = expect("the event after a wait", e)
	letter := j.DeadLetter(schema.ClassTransient, schema.ReasonLadderEnded, received)
	must(t, c.PublishDeadLetter(t.Context(), letter))
	must(t, j.Never(schema.ReasonLadderEnded))
	j.release()

	m, exists, err := operator(c).Message(t.Context(), schema.DeadLettersStream, 1)
	if !exists {
		t.Fatalf("there is no dead letter: %v", err)
	}
	got, err := stream.ReadLetter(m).Decode()
	must(t, err)
	expectEvent(t, "the dead letter", e, got)
	_, err = operator(c).Redrive(t.Context(), got, q.Name, 1)
	must(t, err)
	e.Redrive = 1
	e.Queue = q.Name
	j = expect("the redrive", e)
	must(t, j.Done())
	j.release()
}

func TestTheLargestEventOfAnUnknownTypeIsStored(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	e := largest()
	e.Type = strings.Repeat("\x01", schema.TypeBytesMax)
	e.Resource = schema.Other
	e.Action = schema.Token(e.Type)
	must(t, e.Validate())
	publish(t, c, e)
	stored := look(t, s).all(schema.EventsStream, e.Subject())
	if len(stored) != 1 || !bytes.Equal(stored[0].Data, e.Body) {
		t.Errorf("%d events are stored, want this one", len(stored))
	}
}

func TestTheLargestWebhookIsKeptInQuarantine(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	q := schema.Quarantined{
		Provider: schema.Pinwheel, Reason: schema.QuarantineDuplicateKey, ReceivedAt: received,
		Body: bytes.Repeat([]byte("x"), webhookBytesMax),
	}
	must(t, c.PublishQuarantined(t.Context(), q))
	m, exists, err := operator(c).Message(t.Context(), schema.QuarantineStream, 1)
	if err != nil || !exists {
		t.Fatalf("it is not there: %v", err)
	}
	if got := stream.ReadUnread(m).Quarantined; !bytes.Equal(got.Body, q.Body) {
		t.Errorf("%d bytes are kept, want the %d bytes of the webhook", len(got.Body), len(q.Body))
	}
}
