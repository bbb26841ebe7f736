package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// scene is a small run. A row of the table changes the scene to break a promise.
type scene struct {
	ledger *Ledger
	served *Served
	// objects is the record store.
	objects map[string][]byte
	// The messages of the streams, and the completions seen during the run.
	events, completions, deadLetters, quarantine, waiting, seen []Message
	// drained is true if the queues were empty at the end.
	drained bool
}

// steps are the ladders of the scenes.
var steps = Steps{NotReady: 2, Retry: 80}

const (
	account, erasedAccount = "account-1", "link-1"
	paystubA               = `{"id":"a","pay_date":"2026-01-02","gross":90071992547409931}`
	paystubB               = `{"id":"b","pay_date":"2026-02-02","gross":80.0}`
)

// send adds a webhook and its answer to the ledger.
func (s *scene) send(k Kind, p, id, typ, about, payload string, status int) Webhook {
	w := NewWebhook(k, fake.Webhook{Provider: p, ID: id, Type: typ, Account: about,
		Body: fmt.Appendf(nil, `{"id":%q,"payload":%s}`, id, payload)})
	s.ledger.AddWebhook(w)
	s.ledger.AddAnswer(w, status)
	return w
}

func bodyOf(id, payload string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"payload":%s}`, id, payload)
}

// store adds the event to its stream.
func (s *scene) store(w Webhook, payload string) {
	s.events = append(s.events, Message{
		Subject: w.Event().Subject(), Sequence: uint64(len(s.events) + 1),
		Data:   bodyOf(w.ID, payload),
		Header: map[string][]string{"Nats-Msg-Id": {w.Key()}},
	})
}

// complete adds the completion of the event. with changes the completion first.
func (s *scene) complete(w Webhook, r schema.Resource, o schema.Outcome,
	with func(*schema.Completion)) {
	c := schema.NewCompletion(w.Event(), r, o, time.Unix(0, 0))
	if with != nil {
		with(&c)
	}
	s.publish(w.Event(), r, c)
}

func (s *scene) publish(e schema.Event, r schema.Resource, c schema.Completion) {
	text, err := c.Encode()
	if err != nil {
		panic(err)
	}
	m := Message{
		Subject: e.CompletionSubject(r), Sequence: uint64(100 + len(s.completions)),
		Data: text,
		Header: map[string][]string{"Nats-Msg-Id": {c.ID},
			"Wagewire-Outcome": {string(c.Data.Outcome)}},
	}
	s.completions = append(s.completions, m)
	s.seen = append(s.seen, m)
}

func (s *scene) addDeadLetter(w Webhook, r schema.Resource, payload string) {
	s.deadLetters = append(s.deadLetters,
		Message{Data: bodyOf(w.ID, payload), Header: map[string][]string{
			"Wagewire-Queue": {schema.QueueName(w.Provider, r)}, "ce-id": {w.ID},
		}})
}

// removeFirst removes the first completion, as if it had never been stored.
func (s *scene) removeFirst() {
	s.completions = s.completions[1:]
	s.seen = s.seen[1:]
}

func records(list ...string) func(*schema.Completion) {
	return func(c *schema.Completion) {
		c.Data.Records = nil
		for _, text := range list {
			c.Data.Records = append(c.Data.Records, json.RawMessage(text))
		}
	}
}

// violations checks the scene and returns the violations.
func (s *scene) violations() []Violation {
	c := NewCheck(s.ledger, s.served, steps, func(ref schema.RecordsRef) ([]byte, error) {
		if body, ok := s.objects[ref.Name]; ok {
			return body, nil
		}
		return nil, errors.New("no such object")
	})
	for _, stream := range []struct {
		messages []Message
		take     func(Message)
	}{
		{s.seen, c.AddVersion},
		{s.events, c.AddEvent},
		{s.completions, c.AddCompletion},
		{s.deadLetters, c.AddDeadLetter},
		{s.quarantine, c.AddQuarantined},
		{s.waiting, c.AddWaiting},
	} {
		for _, m := range stream.messages {
			stream.take(m)
		}
	}
	if s.drained {
		c.SetDrained()
	}
	c.Finish()
	return c.Violations()
}

const addedPayload = `{"outcome":"success","added":[{"id":"a"},{"id":"b"}]}`

// goodScene is a run without a violation: an event completed with records, an event given up, an
// event deleted with its account, a webhook in quarantine, a forged webhook, and a webhook without
// an answer.
func goodScene() (s *scene, added Webhook) {
	s = &scene{
		ledger: New(), served: NewServed(), objects: map[string][]byte{},
	}
	s.ledger.AddPerson(account, Person{Paystubs: []string{"a", "b"}})
	s.served.Note(Call{Target: Target{account, "paystubs"}, Provider: schema.Pinwheel}, 200,
		[]byte(`{"data":[`+paystubA+`, `+paystubB+`]}`))
	income := Call{Target: Target{account, "income"}, Provider: schema.Pinwheel}
	s.served.Note(income, 200, []byte(`{"data":{"id":"i"}}`))

	added = s.send(Genuine, fake.Pinwheel, "e1", "paystubs.added", account, addedPayload, 200)
	s.store(added, addedPayload)
	s.store(added, addedPayload) // a second copy, after the window for duplicates
	s.complete(added, schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))

	bad := s.send(Undecodable, fake.Pinwheel, "e2", "income.added", "", `{"added":7}`, 200)
	s.store(bad, `{"added":7}`)
	s.addDeadLetter(bad, schema.Income, `{"added":7}`)
	s.complete(bad, schema.Income, schema.Failed, func(c *schema.Completion) {
		c.Data.Error = &schema.CompletionError{Class: string(schema.ClassPoison)}
	})

	connected := s.send(Genuine, fake.Truv, "l1", "link-connected", erasedAccount, `{}`, 200)
	link := Call{Target: Target{erasedAccount, "link"}, Provider: schema.Truv}
	s.served.Note(link, 200, []byte(`{"id":"link-1"}`))
	s.complete(connected, schema.Link, schema.Succeeded, records(`{"id":"link-1"}`))
	s.completions = s.completions[:len(s.completions)-1] // erased after it was seen
	deletion := s.send(Genuine, fake.Truv, "l2", "link-deleted", erasedAccount, `{}`, 200)
	s.complete(deletion, schema.Link, schema.Deleted, nil)
	s.completions = append(s.completions,
		Message{Subject: schema.TombstoneSubject(schema.Truv, erasedAccount)})

	s.send(Unreadable, fake.Pinwheel, "q1", "", "", `7`, 200)
	s.quarantine = []Message{{Data: bodyOf("q1", `7`)}}
	s.send(Forged, fake.Pinwheel, "f1", "income.added", account, `{}`, 401)
	s.send(Genuine, fake.Pinwheel, "u1", "income.added", account, `{}`, 0)
	return s, added
}

func TestCheckFinds(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(s *scene, added Webhook)
		want []string
	}{
		{"nothing when every promise was kept", func(*scene, Webhook) {}, nil},
		{"an event answered 200 and not stored", func(s *scene, _ Webhook) {
			s.send(Genuine, fake.Pinwheel, "x", "bill.added", account, `{}`, 200)
		}, []string{Lost}},
		{"an unreadable webhook answered 200 and not in quarantine", func(s *scene, _ Webhook) {
			s.quarantine = nil
		}, []string{Lost}},
		{"a completion that disappeared",
			func(s *scene, _ Webhook) { s.completions = s.completions[1:] }, []string{
				Lost, Unfinished,
			}},
		{"an event without a completion", func(s *scene, _ Webhook) { s.removeFirst() },
			[]string{Unfinished}},
		{"an event without a completion that no queue has", func(s *scene, _ Webhook) {
			s.removeFirst()
			s.drained = true
		}, []string{Lost}},
		{"an event without an answer, stored and not completed", func(s *scene, _ Webhook) {
			s.store(s.ledger.entries["pinwheel:u1"].Webhook, `{}`)
		}, []string{Unfinished}},
		{"an erasure that left the webhook about it", func(s *scene, _ Webhook) {
			s.store(s.ledger.entries["truv:l2"].Webhook, `{}`)
		}, []string{Erased}},
		{"a missing completion of the second worker", func(s *scene, _ Webhook) {
			w := s.send(Genuine, fake.Pinwheel, "x", "paystubs.fully_synced", account, `{}`, 200)
			s.store(w, `{}`)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
		}, []string{Unfinished}},
		{"two completions of one event", func(s *scene, added Webhook) {
			s.complete(added, schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
		}, []string{Twice}},
		{"a completion that replaced another", func(s *scene, _ Webhook) {
			s.seen = append([]Message{{Sequence: 7, Header: s.seen[0].Header, Data: []byte("{}")}},
				s.seen...)
		}, []string{Twice}},
		{"a record that is twice in a completion", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded,
				records(paystubA, paystubA, paystubB))
		}, []string{Twice}},
		{"an event whose bytes were changed", func(s *scene, _ Webhook) {
			s.events[0].Data = []byte("{}")
		}, []string{Changed}},
		{"an event at another subject", func(s *scene, _ Webhook) {
			s.events[0].Subject = "wagewire.events.x"
		}, []string{Changed}},
		{"a digit that was changed", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded,
				records(`{"id":"a","pay_date":"2026-01-02","gross":90071992547409930}`, paystubB))
		}, []string{Changed}},
		{"a number in another spelling", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded,
				records(paystubA, `{"id":"b","pay_date":"2026-02-02","gross":80}`))
		}, []string{Changed}},
		{"a notice whose record is not the payload of its webhook", func(s *scene, _ Webhook) {
			w := s.send(Genuine, fake.Pinwheel, "x", "documents.added", account, `{"n": 1}`, 200)
			s.store(w, `{"n": 1}`)
			s.complete(w, schema.Notices, schema.Succeeded, records(`{"n":2}`))
		}, []string{Changed}},
		{"nothing when a notice has the payload", func(s *scene, _ Webhook) {
			w := s.send(Genuine, fake.Pinwheel, "x", "documents.added", account, `{"n": 1}`, 200)
			s.store(w, `{"n": 1}`)
			s.complete(w, schema.Notices, schema.Succeeded, records(`{"n":1}`))
		}, nil},
		{"a notice of a failed job without a completion", func(s *scene, _ Webhook) {
			const payload = `{"outcome":"error"}`
			w := s.send(Genuine, fake.Pinwheel, "x", "documents.added", account, payload, 200)
			s.store(w, payload)
		}, []string{Unfinished}},
		{"a header with another outcome", func(s *scene, _ Webhook) {
			s.completions[0].Header["Wagewire-Outcome"] = []string{"failed"}
		}, []string{Changed}},
		{"an object without the records of records_ref", func(s *scene, added Webhook) {
			s.removeFirst()
			s.objects["o"] = []byte(`[]`)
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				c.Data.Records = nil
				c.Data.RecordsRef = &schema.RecordsRef{
					Bucket: "b", Name: "o", SHA256: strings.Repeat("0", 64), Bytes: 2, Count: 2,
				}
			})
		}, []string{Changed}},
		{"a completion that breaks the published schema", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				records(paystubA, paystubB)(c)
				c.Data.Attempts = 0
			})
		}, []string{Invalid}},
		{"a missing object", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				c.Data.Records = nil
				c.Data.RecordsRef = &schema.RecordsRef{
					Bucket: "b", Name: "o", SHA256: strings.Repeat("0", 64), Bytes: 2, Count: 1,
				}
			})
		}, []string{Lost}},
		{"nothing when an object has the records", func(s *scene, added Webhook) {
			s.removeFirst()
			s.objects["o"] = []byte(`[` + paystubA + `,` + paystubB + `]`)
			sum := sha256.Sum256(s.objects["o"])
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				c.Data.Records = nil
				c.Data.RecordsRef = &schema.RecordsRef{Bucket: "b", Name: "o",
					SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(s.objects["o"])), Count: 2}
			})
		}, nil},
		{"an announced id that is in no list", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, []string{Incomplete}},
		{"a missing id although the provider held nothing back", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				records(paystubA)(c)
				c.Data.Missing = []string{"b"}
			})
		}, []string{Incomplete}},
		{"nothing when the provider held back the missing id", func(s *scene, added Webhook) {
			s.served.Aim(account)
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				records(paystubA)(c)
				c.Data.Missing = []string{"b"}
			})
		}, nil},
		{"a list that lacks a record", func(s *scene, _ Webhook) {
			payload := `{"params":{"from_pay_date":"2026-01-01","to_pay_date":"2026-02-02"}}`
			w := s.send(Genuine, fake.Pinwheel, "x", "paystubs.thirty_days_synced", account,
				payload, 200)
			s.store(w, payload)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, []string{Incomplete}},
		{"nothing when a list lacks a record outside its dates", func(s *scene, _ Webhook) {
			payload := `{"params":{"from_pay_date":"2026-01-01","to_pay_date":"2026-02-01"}}`
			w := s.send(Genuine, fake.Pinwheel, "x", "paystubs.thirty_days_synced", account,
				payload, 200)
			s.store(w, payload)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, nil},
		{"a deleted id that the completion does not have", func(s *scene, _ Webhook) {
			payload := `{"added":[{"id":"a"}],"deleted":[{"id":"z"}]}`
			w := s.send(Genuine, fake.Pinwheel, "x", "paystubs.added", account, payload, 200)
			s.store(w, payload)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, []string{Incomplete}},
		{"a pending job that is completed with data", func(s *scene, _ Webhook) {
			w := s.send(Genuine, fake.Pinwheel, "x", "income.added", account,
				`{"outcome":"pending"}`, 200)
			s.store(w, `{"outcome":"pending"}`)
			s.complete(w, schema.Income, schema.Succeeded, records(`{"id":"i"}`))
		}, []string{Outcome}},
		{"data that is unavailable although the provider has it", func(s *scene, added Webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Unavailable, nil)
		}, []string{Outcome}},
		{"an event given up without a dead letter", func(s *scene, _ Webhook) {
			s.deadLetters = nil
		}, []string{Hidden}},
		{"a dead letter without a completion", func(s *scene, _ Webhook) {
			s.completions = slices.Delete(s.completions, 1, 2)
			s.seen = slices.Delete(s.seen, 1, 2)
		}, []string{Hidden}},
		{"a dead letter although nothing went wrong",
			func(s *scene, added Webhook) {
				s.addDeadLetter(added, schema.Paystubs,
					addedPayload)
			}, []string{Outcome}},
		{"an event that was never sent", func(s *scene, _ Webhook) {
			s.events = append(s.events,
				Message{Header: map[string][]string{"Nats-Msg-Id": {"pinwheel:z"}}})
		}, []string{Invented}},
		{"a forged event that is stored",
			func(s *scene, _ Webhook) {
				s.store(s.ledger.entries["pinwheel:f1"].Webhook,
					`{}`)
			}, []string{Invented}},
		{"a forged event that is completed", func(s *scene, _ Webhook) {
			s.complete(s.ledger.entries["pinwheel:f1"].Webhook, schema.Income, schema.Succeeded,
				records(`{"id":"i"}`))
		}, []string{Invented}},
		{"a completion of a resource whose worker does not read the type",
			func(s *scene, added Webhook) {
				s.complete(added, schema.Shifts, schema.Succeeded, nil)
			}, []string{Invented}},
		{"a dead letter that was never sent", func(s *scene, added Webhook) {
			added.ID = "z"
			s.addDeadLetter(added, schema.Paystubs, addedPayload)
		}, []string{Invented}},
		{"a body in quarantine that was never sent", func(s *scene, _ Webhook) {
			s.quarantine = append(s.quarantine, Message{Data: []byte("x")})
		}, []string{Invented}},
		{"a completion of an erased account", func(s *scene, _ Webhook) {
			s.completions = append(s.completions, s.seen[2])
		}, []string{Erased}},
		{"a completion that was stored again after its erasure", func(s *scene, _ Webhook) {
			late := s.seen[2]
			late.Sequence = 999
			s.seen = append(s.seen, late)
		}, []string{Twice}},
		{"a webhook of an erased account", func(s *scene, _ Webhook) {
			s.store(s.ledger.entries["truv:l1"].Webhook, `{}`)
		}, []string{Erased}},
		{"a dead letter of an erased account", func(s *scene, _ Webhook) {
			s.addDeadLetter(s.ledger.entries["truv:l1"].Webhook, schema.Link, `{}`)
		}, []string{Erased}},
		{"the webhook of an erasure", func(s *scene, _ Webhook) {
			s.store(s.ledger.entries["truv:l2"].Webhook, `{}`)
		}, []string{Erased}},
		{"a retry of an erased account", func(s *scene, _ Webhook) {
			s.waiting = append(s.waiting, Message{
				Subject: schema.RetriesSubject("truv_link", erasedAccount),
				Header: map[string][]string{
					"ce-source": {"urn:wagewire:provider:truv"}, "ce-subject": {erasedAccount},
				},
			})
		}, []string{Erased}},
		{"nothing when an erasure without an answer was done", func(s *scene, _ Webhook) {
			w := s.send(Genuine, fake.Truv, "x", "link-deleted", "link-2", `{}`, 0)
			s.complete(w, schema.Link, schema.Deleted, nil)
			s.completions = append(s.completions,
				Message{Subject: schema.TombstoneSubject(schema.Truv, "link-2")})
		}, nil},
		{"a tombstone of an account that nobody deleted", func(s *scene, _ Webhook) {
			s.completions = append(s.completions,
				Message{Subject: schema.TombstoneSubject(schema.Truv, "link-2")})
		}, []string{Invented}},
		{"an erased account without a tombstone", func(s *scene, _ Webhook) {
			s.completions = s.completions[:len(s.completions)-1]
		}, []string{Erased}},
		{"an erasure without a completion", func(s *scene, _ Webhook) {
			s.completions = slices.Delete(s.completions, 2, 3)
			s.seen = s.seen[:3]
		}, []string{Unfinished}},
		{"a signed webhook that is refused for good", func(s *scene, _ Webhook) {
			s.send(Genuine, fake.Pinwheel, "x", "bill.added", account, `{}`, 400)
		}, []string{Custody}},
		{"a forged webhook that is answered 200", func(s *scene, _ Webhook) {
			s.send(Forged, fake.Pinwheel, "x", "bill.added", account, `{}`, 200)
		}, []string{Custody}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, added := goodScene()
			row.do(s, added)
			wantViolations(t, s, row.want)
		})
	}
}

// wantViolations fails the test unless the scene has just the violations with these names.
func wantViolations(t *testing.T, s *scene, want []string) {
	t.Helper()
	var got []string
	for _, v := range s.violations() {
		got = append(got, v.What)
		t.Logf("%s %s: %s", v.What, v.ID, v.Why)
	}
	if !slices.Equal(got, want) {
		t.Errorf("violations: %v, want %v", got, want)
	}
}
