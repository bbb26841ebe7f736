package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// removals are the ways in which a message leaves its stream while the broker still knows the
// message's id.
var removals = map[string]func(broker, *stream.Conn, string, *jetstream.RawStreamMsg) error{
	"purged": func(b broker, _ *stream.Conn, name string, _ *jetstream.RawStreamMsg) error {
		return b.stream(name).Purge(b.t.Context())
	},
	"deleted between others": func(
		b broker, _ *stream.Conn, name string, m *jetstream.RawStreamMsg,
	) error {
		return b.stream(name).SecureDeleteMsg(b.t.Context(), m.Sequence)
	},
	"discarded by the operator": func(
		b broker, c *stream.Conn, name string, m *jetstream.RawStreamMsg,
	) error {
		return operator(c).Discard(b.t.Context(), name, m.Sequence)
	},
}

func TestAnEventWhoseCopyIsGoneIsStoredAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	for promise, remove := range removals {
		if promise == "discarded by the operator" {
			continue // an operator discards no events
		}
		t.Run(promise, func(t *testing.T) {
			e := paystubs(schema.Token(promise), schema.Token(promise))
			before := paystubs(e.ID+"-before", "other")
			after := paystubs(e.ID+"-after", "other")
			publish(t, c, before, e, after)
			for range 3 {
				m := b.all(schema.EventsStream, e.Subject())[0]
				must(t, remove(b, c, schema.EventsStream, m))
				requireEvent(t, b, c, e)
			}
		})
	}
}

// requireEvent publishes an event that is not on its stream, and checks all copies that follow.
func requireEvent(t *testing.T, b broker, c *stream.Conn, e schema.Event) {
	t.Helper()
	for _, wantDuplicate := range []bool{false, true, true} {
		duplicate, err := c.PublishEvent(t.Context(), e)
		if duplicate != wantDuplicate || err != nil {
			t.Errorf("PublishEvent = %v, %v; want %v", duplicate, err, wantDuplicate)
		}
		if n := len(b.all(schema.EventsStream, e.Subject())); n != 1 {
			t.Fatalf("%d copies are stored, want 1", n)
		}
	}
	e.Body = append(bytes.Clone(e.Body), ' ')
	_, err := c.PublishEvent(t.Context(), e)
	if !errors.Is(err, schema.ErrIDConflict) {
		t.Errorf("another body under the id: error %v, want a conflict", err)
	}
}

func TestAQuarantinedWebhookWhoseCopyIsGoneIsStoredAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	for promise, remove := range removals {
		t.Run(promise, func(t *testing.T) {
			put := func(body string) {
				t.Helper()
				must(t, c.PublishQuarantined(t.Context(), schema.Quarantined{
					Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: received,
					Body: []byte(body + promise),
				}))
			}
			put("before")
			put("the one")
			put("after")
			for range 2 {
				requireAgain(t, b, schema.QuarantineStream, "the one"+promise,
					func(m *jetstream.RawStreamMsg) {
						must(t, remove(b, c, schema.QuarantineStream, m))
					},
					func() { put("the one") })
			}
		})
	}
}

func TestADeadLetterThatIsGoneIsStoredAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	for promise, remove := range removals {
		t.Run(promise, func(t *testing.T) {
			put := func(id string) {
				t.Helper()
				must(t, c.PublishDeadLetter(t.Context(), schema.DeadLetter{
					Queue: "pinwheel_paystubs", Account: "account", Body: []byte(id + promise),
					Class: schema.ClassPermanent, Reason: schema.ReasonRejected, At: received,
				}))
			}
			put("before")
			put("the one")
			put("after")
			for range 2 {
				requireAgain(t, b, schema.DeadLettersStream, "the one"+promise,
					func(m *jetstream.RawStreamMsg) {
						must(t, remove(b, c, schema.DeadLettersStream, m))
					},
					func() { put("the one") })
			}
		})
	}
}

// requireAgain removes the message with the body and puts the message twice. It wants one copy.
func requireAgain(
	t *testing.T, b broker, name, body string, remove func(*jetstream.RawStreamMsg), put func(),
) {
	t.Helper()
	copies := func() (found []*jetstream.RawStreamMsg) {
		for _, m := range b.all(name, ">") {
			if string(m.Data) == body {
				found = append(found, m)
			}
		}
		return found
	}
	first := copies()
	if len(first) != 1 {
		t.Fatalf("%d copies are stored before the removal, want 1", len(first))
	}
	remove(first[0])
	for times := range 2 {
		put()
		if n := len(copies()); n != 1 {
			t.Errorf("put %d times after the removal, %d copies are stored, want 1", times+1, n)
		}
	}
}

func TestACompletionThatSomebodyPurgedIsStoredAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	e := paystubs("purged", "account")
	for round := range 3 {
		if !complete(t, c, e, succeeded(e)) {
			t.Errorf("round %d: not stored", round)
		}
		if complete(t, c, e, succeeded(e)) {
			t.Errorf("round %d: stored twice", round)
		}
		must(t, look(t, s).stream(schema.CompletionsStream).Purge(t.Context()))
	}
}

func TestAnEventLargerThanTheBrokerTakesIsErrTooLarge(t *testing.T) {
	t.Parallel()
	small := streamtest.Config{PayloadMax: 16 << 10}
	for promise, start := range map[string]func(*testing.T) *stream.Conn{
		"than max_payload": func(t *testing.T) *stream.Conn {
			c := streamtest.Run(t, small).Connect(t)
			streamtest.Provision(t, c, streamtest.Topology())
			return c
		},
		"than its stream's limit": func(t *testing.T) *stream.Conn {
			s, c := streamtest.New(t)
			b := look(t, s)
			for _, name := range []string{schema.EventsStream, schema.QuarantineStream} {
				config := b.stream(name).CachedInfo().Config
				config.MaxMsgSize = 16 << 10
				_, err := b.UpdateStream(t.Context(), config)
				must(t, err)
			}
			return c
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			e := paystubs("large", "account")
			e.Body = fmt.Appendf(nil, `{"text":"%s"}`, bytes.Repeat([]byte("x"), 32<<10))
			if _, err := c.PublishEvent(t.Context(), e); !errors.Is(err, schema.ErrTooLarge) {
				t.Errorf("PublishEvent: error %v", err)
			}
			err := c.PublishQuarantined(t.Context(), schema.Quarantined{
				Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: received,
				Body: e.Body,
			})
			if !errors.Is(err, schema.ErrTooLarge) {
				t.Errorf("PublishQuarantined: error %v", err)
			}
			publish(t, c, paystubs("small", "account"))
		})
	}
}
