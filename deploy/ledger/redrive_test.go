package ledger

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	paystubsQueue = "pinwheel_paystubs"
	syncedType    = "paystubs.fully_synced" // read by paystubs and by income
)

// redrive is an event that was sent again, as a scene tells it.
type redrive struct {
	*scene

	of    Webhook
	body  string
	queue string
	n     int
}

func (r redrive) event() schema.Event {
	e := r.of.Event()
	e.Redrive = r.n
	e.Queue = r.queue
	return e
}

// tell adds the redrive to the ledger.
func (r redrive) tell() { r.ledger.AddRedrive(r.of.Key(), r.queue, r.n) }

// header is the header of the redrive, and of its dead letter.
func (r redrive) header() map[string][]string {
	return map[string][]string{
		"Nats-Msg-Id":      {r.event().Key()},
		"ce-id":            {schema.RedriveID(r.of.ID, r.n)},
		"Wagewire-Redrive": {strconv.Itoa(r.n)},
		"Wagewire-Queue":   {r.queue},
	}
}

func (r redrive) store() {
	r.events = append(r.events, Message{
		Subject: r.event().Subject(), Sequence: uint64(len(r.events) + 1),
		Header: r.header(), Data: bodyOf(r.of.ID, r.body),
	})
}

func (r redrive) complete(of schema.Resource, o schema.Outcome, with func(*schema.Completion)) {
	c := schema.NewCompletion(r.event(), of, o, time.Unix(0, 0))
	if with != nil {
		with(&c)
	}
	r.publish(r.event(), of, c)
}

func (r redrive) addDeadLetter() {
	r.deadLetters = append(r.deadLetters,
		Message{Header: r.header(), Data: bodyOf(r.of.ID, r.body)})
}

func poison(c *schema.Completion) {
	c.Data.Error = &schema.CompletionError{Class: string(schema.ClassPoison)}
}

// redriveScene is a good scene with an event of two workers that was sent again for one of them,
// and with an undecodable event that was sent again after its dead letter.
func redriveScene() (s *scene, synced, bad redrive) {
	s, _ = goodScene()
	w := s.send(Genuine, fake.Pinwheel, "s1", syncedType, account, `{}`, 200)
	s.store(w, `{}`)
	s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
	s.complete(w, schema.Income, schema.Succeeded, records(`{"id":"i"}`))
	synced = redrive{s, w, `{}`, paystubsQueue, 1}
	synced.tell()
	synced.store()
	synced.complete(schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))

	bad = redrive{s, s.ledger.entries["pinwheel:e2"].Webhook, `{"added":7}`, "pinwheel_income", 1}
	bad.tell()
	bad.store()
	bad.complete(schema.Income, schema.Failed, poison)
	bad.addDeadLetter()
	return s, synced, bad
}

func TestCheckOfRedrivesFinds(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(s *scene, synced, bad redrive)
		want []string
	}{
		{"nothing when every redrive ended", func(*scene, redrive, redrive) {}, nil},
		{"nothing when a redrive for all queues ended in each",
			func(_ *scene, synced, _ redrive) {
				synced.queue = ""
				synced.n = 2
				synced.tell()
				synced.store()
				synced.complete(schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
				synced.complete(schema.Income, schema.Succeeded, records(`{"id":"i"}`))
			}, nil},
		{"a redrive for all queues that ended in one", func(_ *scene, synced, _ redrive) {
			synced.queue = ""
			synced.n = 2
			synced.tell()
			synced.store()
			synced.complete(schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
		}, []string{Unfinished}},
		{"a redrive that nobody told", func(_ *scene, synced, _ redrive) {
			synced.n = 2
			synced.store()
		}, []string{Invented}},
		{"a completion of a redrive that nobody told", func(_ *scene, synced, _ redrive) {
			synced.n = 2
			synced.complete(schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
		}, []string{Invented}},
		{"a dead letter of a redrive that nobody told", func(_ *scene, _, bad redrive) {
			bad.n = 2
			bad.addDeadLetter()
		}, []string{Invented}},
		{"a redrive that is not stored", func(_ *scene, synced, _ redrive) {
			synced.n = 2
			synced.tell()
		}, []string{Lost}},
		{"a redrive without a completion", func(_ *scene, synced, _ redrive) {
			synced.n = 2
			synced.tell()
			synced.store()
		}, []string{Unfinished}},
		{"a redrive without a completion that no queue has", func(s *scene, synced, _ redrive) {
			synced.n = 2
			synced.tell()
			synced.store()
			s.drained = true
		}, []string{Lost}},
		{"a redrive that is completed twice", func(_ *scene, synced, _ redrive) {
			synced.complete(schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
		}, []string{Twice}},
		{"a redrive that is completed by another queue", func(_ *scene, synced, _ redrive) {
			synced.complete(schema.Income, schema.Succeeded, records(`{"id":"i"}`))
		}, []string{Invented}},
		{"a redrive with a dead letter of another queue", func(_ *scene, synced, _ redrive) {
			synced.queue = "pinwheel_income"
			synced.addDeadLetter()
		}, []string{Invented}},
		{"a completion of a redrive that disappeared", func(s *scene, synced, _ redrive) {
			s.completions = slices.DeleteFunc(s.completions, func(m Message) bool {
				return m.get("Nats-Msg-Id") == synced.event().CompletionKey(schema.Paystubs)
			})
		}, []string{Lost, Unfinished}},
		{"a redrive that was stored for another queue", func(s *scene, _, _ redrive) {
			s.events[len(s.events)-1].Header["Wagewire-Queue"] = []string{paystubsQueue}
		}, []string{Changed}},
		{"a redrive that lost its number", func(s *scene, _, _ redrive) {
			delete(s.events[len(s.events)-1].Header, "Wagewire-Redrive")
		}, []string{Changed}},
		{"a redrive with another body", func(s *scene, _, _ redrive) {
			s.events[len(s.events)-1].Data = []byte(`{}`)
		}, []string{Changed}},
		{"a dead letter of a redrive with the id of the webhook", func(s *scene, _, _ redrive) {
			s.deadLetters[len(s.deadLetters)-1].Header["ce-id"] = []string{"e2"}
		}, []string{Changed}},
		{"a completion of a redrive under the id of the webhook",
			func(_ *scene, synced, _ redrive) {
				synced.n = 0
				synced.complete(schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
			}, []string{Twice}},
		{"a redrive that is completed without what the provider has",
			func(_ *scene, synced, _ redrive) {
				synced.n = 2
				synced.tell()
				synced.store()
				synced.complete(schema.Paystubs, schema.Succeeded, records(paystubA))
			}, []string{Incomplete}},
		{"a redrive given up without a dead letter", func(s *scene, _, _ redrive) {
			s.deadLetters = s.deadLetters[:len(s.deadLetters)-1]
		}, []string{Hidden}},
		{"a dead letter of the webhook that is gone although nobody discarded it",
			func(s *scene, _, _ redrive) { s.deadLetters = s.deadLetters[1:] }, []string{Hidden}},
		{"nothing when the dead letter of the webhook was discarded",
			func(s *scene, _, bad redrive) {
				s.ledger.AddDiscard(bad.of.Key(), bad.queue)
				s.deadLetters = s.deadLetters[1:]
			}, nil},
		{"a missing dead letter of the redrive when the webhook's was discarded",
			func(s *scene, _, bad redrive) {
				s.ledger.AddDiscard(bad.of.Key(), bad.queue)
				s.deadLetters = nil
			}, []string{Hidden}},
		{"a missing dead letter of another queue than the discarded one",
			func(s *scene, _, bad redrive) {
				s.ledger.AddDiscard(bad.of.Key(), paystubsQueue)
				s.deadLetters = s.deadLetters[1:]
			}, []string{Hidden}},
		{"nothing when the redrive of an erasure is completed", func(s *scene, _, _ redrive) {
			again := s.redriveOf("truv:l2", schema.ErasuresName(schema.Truv))
			again.tell()
			again.complete(schema.Link, schema.Deleted, nil)
		}, nil},
		{"the redrive of an erasure without a completion", func(s *scene, _, _ redrive) {
			again := s.redriveOf("truv:l2", schema.ErasuresName(schema.Truv))
			again.tell()
		}, []string{Unfinished}},
		{"nothing when the redrive of an erased account left nothing",
			func(s *scene, _, _ redrive) {
				again := s.redriveOf("truv:l1", "truv_link")
				again.tell()
			}, nil},
		{"the redrive of an erased account", func(s *scene, _, _ redrive) {
			again := s.redriveOf("truv:l1", "truv_link")
			again.tell()
			again.store()
			again.complete(schema.Link, schema.Succeeded, records(`{"id":"link-1"}`))
		}, []string{Erased, Erased}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, synced, bad := redriveScene()
			row.do(s, synced, bad)
			wantViolations(t, s, row.want)
		})
	}
}

// redriveOf is the first redrive of a webhook of the ledger with the body {}.
func (s *scene) redriveOf(key, queue string) redrive {
	return redrive{s, s.ledger.entries[key].Webhook, `{}`, queue, 1}
}

// TestRedrivesOnRealStreams publishes with package stream, so that this package and the line agree
// about the look of a redrive.
func TestRedrivesOnRealStreams(t *testing.T) {
	_, conn := streamtest.New(t)
	operator := stream.NewOperator(conn)
	ctx := t.Context()
	s := &scene{ledger: New(), served: NewServed()}
	w := s.send(Undecodable, fake.Pinwheel, "odd.id *", "income.added", account, `{"added":7}`, 200)
	e := w.Event()
	e.OccurredAt = time.Unix(1, 0)
	e.ReceivedAt = time.Unix(1, 0)
	e.Body = bodyOf(w.ID, `{"added":7}`)
	if _, err := conn.PublishEvent(ctx, e); err != nil {
		t.Fatal(err)
	}
	s.ledger.AddRedrive(w.Key(), "pinwheel_income", 1)
	if stored, err := operator.Redrive(ctx, e, "pinwheel_income", 1); !stored || err != nil {
		t.Fatal(stored, err)
	}
	for _, m := range scan(t, operator, schema.EventsStream) {
		s.events = append(s.events, m)
		e.Redrive = len(s.events) - 1
		completion := schema.NewCompletion(e, schema.Income, schema.Failed, time.Unix(2, 0))
		poison(&completion)
		if stored, err := conn.PublishCompletion(ctx, e, completion); !stored || err != nil {
			t.Fatal(stored, err)
		}
		if err := conn.PublishDeadLetter(ctx, schema.DeadLetter{
			Queue: "pinwheel_income", Account: e.Account(), Class: schema.ClassPoison,
			Reason: schema.ReasonUndecodable, Headers: m.Header, Body: m.Data,
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.completions = scan(t, operator, schema.CompletionsStream)
	s.deadLetters = scan(t, operator, schema.DeadLettersStream)
	if len(s.events) != 2 || len(s.completions) != 2 || len(s.deadLetters) != 2 {
		t.Errorf("%d events, %d completions, %d dead letters: want 2 of each",
			len(s.events), len(s.completions), len(s.deadLetters))
	}
	wantViolations(t, s, nil)
}

func scan(t *testing.T, o *stream.Operator, name string) (list []Message) {
	t.Helper()
	err := o.Scan(t.Context(), name, stream.Selection{}, func(m stream.Stored) error {
		list = append(list, Message{m.Subject, m.Header, m.Sequence, m.Body})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestALedgerTakesARedriveOnlyOfAKnownWebhook(t *testing.T) {
	l := New()
	l.AddRedrive("pinwheel:nobody", "", 1)
	c := NewCheck(l, NewServed(), steps, func(schema.RecordsRef) ([]byte, error) {
		return nil, errors.New("no such object")
	})
	c.AddEvent(Message{Header: map[string][]string{"Nats-Msg-Id": {"pinwheel:nobody:r1"}}})
	c.Finish()
	if got := c.Violations(); len(got) != 1 || got[0].What != Invented {
		t.Errorf("violations %v, want one %s", got, Invented)
	}
}
