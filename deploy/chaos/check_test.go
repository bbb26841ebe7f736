package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/flood"
	"github.com/wagewire/wagewire/schema"
)

// scene is a small run. A row of the table changes the scene to break a promise.
type scene struct {
	ledger *ledger
	gate   *gate
	// objects is the record store.
	objects map[string][]byte
	// The messages of the streams, and the completions seen during the run.
	events, completions, deadLetters, quarantine, waiting, seen []message
	// drained is true if the queues were empty at the end.
	drained bool
	flooded flood.Tally
}

const (
	account, erasedAccount = "account-1", "link-1"
	paystubA               = `{"id":"a","pay_date":"2026-01-02","gross":90071992547409931}`
	paystubB               = `{"id":"b","pay_date":"2026-02-02","gross":80.0}`
)

// call lets a provider get n calls in a moment.
func (s *scene) call(provider string, n int) {
	for range n {
		s.gate.paces[schema.Provider(provider)].addCall(time.Unix(1, 0), "income-1")
	}
}

// send adds a webhook and its answer to the ledger.
func (s *scene) send(k kind, p, id, typ, about, payload string, status int) webhook {
	w := newWebhook(k, fake.Webhook{Provider: p, ID: id, Type: typ, Account: about,
		Body: fmt.Appendf(nil, `{"id":%q,"payload":%s}`, id, payload)})
	s.ledger.addWebhook(w)
	s.ledger.addAnswer(w, status)
	return w
}

func bodyOf(id, payload string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"payload":%s}`, id, payload)
}

// store adds the event to its stream.
func (s *scene) store(w webhook, payload string) {
	s.events = append(s.events, message{
		subject: w.event().Subject(), sequence: uint64(len(s.events) + 1),
		data:   bodyOf(w.id, payload),
		header: map[string][]string{"Nats-Msg-Id": {w.key()}},
	})
}

// complete adds the completion of the event. with changes the completion first.
func (s *scene) complete(w webhook, r schema.Resource, o schema.Outcome,
	with func(*schema.Completion)) {
	c := schema.NewCompletion(w.event(), r, o, time.Unix(0, 0))
	if with != nil {
		with(&c)
	}
	s.publish(w, r, c)
}

func (s *scene) publish(w webhook, r schema.Resource, c schema.Completion) {
	text, err := c.Encode()
	if err != nil {
		panic(err)
	}
	m := message{
		subject: w.event().CompletionSubject(r), sequence: uint64(100 + len(s.completions)),
		data: text,
		header: map[string][]string{"Nats-Msg-Id": {c.ID},
			"Wagewire-Outcome": {string(c.Data.Outcome)}},
	}
	s.completions = append(s.completions, m)
	s.seen = append(s.seen, m)
}

func (s *scene) addDeadLetter(w webhook, r schema.Resource, payload string) {
	s.deadLetters = append(s.deadLetters,
		message{data: bodyOf(w.id, payload), header: map[string][]string{
			"Wagewire-Queue": {schema.QueueName(w.provider, r)}, "ce-id": {w.id},
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
func (s *scene) violations() []violation {
	c := newCheck(s.ledger, &s.gate.served, func(ref schema.RecordsRef) ([]byte, error) {
		if body, ok := s.objects[ref.Name]; ok {
			return body, nil
		}
		return nil, errors.New("no such object")
	})
	for _, stream := range []struct {
		messages []message
		take     func(message)
	}{
		{s.seen, c.addVersion},
		{s.events, c.addEvent},
		{s.completions, c.addCompletion},
		{s.deadLetters, c.addDeadLetter},
		{s.quarantine, c.addQuarantined},
		{s.waiting, c.addWaiting},
	} {
		for _, m := range stream.messages {
			stream.take(m)
		}
	}
	c.drained = s.drained
	c.finish()
	c.checkCalm()
	c.checkFloods(s.flooded)
	c.checkPaces(s.gate.copyPaces())
	return c.violations
}

const addedPayload = `{"outcome":"success","added":[{"id":"a"},{"id":"b"}]}`

// goodScene is a run without a violation: an event completed with records, an event given up, an
// event deleted with its account, a webhook in quarantine, a forged webhook, and a webhook without
// an answer.
func goodScene() (s *scene, added webhook) {
	s = &scene{
		ledger: newLedger(), gate: newGate(nil, neverSteady), objects: map[string][]byte{},
	}
	s.ledger.addPerson(account, person{paystubs: []string{"a", "b"}})
	s.gate.note(call{target: target{account, "paystubs"}, provider: schema.Pinwheel}, 200,
		[]byte(`{"data":[`+paystubA+`, `+paystubB+`]}`))
	income := call{target: target{account, "income"}, provider: schema.Pinwheel}
	s.gate.note(income, 200, []byte(`{"data":{"id":"i"}}`))

	added = s.send(genuine, fake.Pinwheel, "e1", "paystubs.added", account, addedPayload, 200)
	s.store(added, addedPayload)
	s.store(added, addedPayload) // a second copy, after the window for duplicates
	s.complete(added, schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))

	bad := s.send(undecodable, fake.Pinwheel, "e2", "income.added", "", `{"added":7}`, 200)
	s.store(bad, `{"added":7}`)
	s.addDeadLetter(bad, schema.Income, `{"added":7}`)
	s.complete(bad, schema.Income, schema.Failed, func(c *schema.Completion) {
		c.Data.Error = &schema.CompletionError{Class: string(schema.ClassPoison)}
	})

	connected := s.send(genuine, fake.Truv, "l1", "link-connected", erasedAccount, `{}`, 200)
	link := call{target: target{erasedAccount, "link"}, provider: schema.Truv}
	s.gate.note(link, 200, []byte(`{"id":"link-1"}`))
	s.complete(connected, schema.Link, schema.Succeeded, records(`{"id":"link-1"}`))
	s.completions = s.completions[:len(s.completions)-1] // erased after it was seen
	deletion := s.send(genuine, fake.Truv, "l2", "link-deleted", erasedAccount, `{}`, 200)
	s.complete(deletion, schema.Link, schema.Deleted, nil)
	s.completions = append(s.completions,
		message{subject: schema.TombstoneSubject(schema.Truv, erasedAccount)})

	s.send(unreadable, fake.Pinwheel, "q1", "", "", `7`, 200)
	s.quarantine = []message{{data: bodyOf("q1", `7`)}}
	s.send(forged, fake.Pinwheel, "f1", "income.added", account, `{}`, 401)
	s.send(genuine, fake.Pinwheel, "u1", "income.added", account, `{}`, 0)
	return s, added
}

func TestCheckFinds(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(s *scene, added webhook)
		want []string
	}{
		{"nothing when every promise was kept", func(*scene, webhook) {}, nil},
		{"an event answered 200 and not stored", func(s *scene, _ webhook) {
			s.send(genuine, fake.Pinwheel, "x", "bill.added", account, `{}`, 200)
		}, []string{lost}},
		{"an unreadable webhook answered 200 and not in quarantine", func(s *scene, _ webhook) {
			s.quarantine = nil
		}, []string{lost}},
		{"a completion that disappeared",
			func(s *scene, _ webhook) { s.completions = s.completions[1:] }, []string{lost,
				unfinished}},
		{"an event without a completion", func(s *scene, _ webhook) { s.removeFirst() },
			[]string{unfinished}},
		{"an event without a completion that no queue has", func(s *scene, _ webhook) {
			s.removeFirst()
			s.drained = true
		}, []string{lost}},
		{"an event without an answer, stored and not completed", func(s *scene, _ webhook) {
			s.store(s.ledger.entries["pinwheel:u1"].webhook, `{}`)
		}, []string{unfinished}},
		{"an erasure that left the webhook about it", func(s *scene, _ webhook) {
			s.store(s.ledger.entries["truv:l2"].webhook, `{}`)
		}, []string{erased}},
		{"a missing completion of the second worker", func(s *scene, _ webhook) {
			w := s.send(genuine, fake.Pinwheel, "x", "paystubs.fully_synced", account, `{}`, 200)
			s.store(w, `{}`)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
		}, []string{unfinished}},
		{"two completions of one event", func(s *scene, added webhook) {
			s.complete(added, schema.Paystubs, schema.Succeeded, records(paystubA, paystubB))
		}, []string{twice}},
		{"a completion that replaced another", func(s *scene, _ webhook) {
			s.seen = append([]message{{sequence: 7, header: s.seen[0].header, data: []byte("{}")}},
				s.seen...)
		}, []string{twice}},
		{"a record that is twice in a completion", func(s *scene, added webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded,
				records(paystubA, paystubA, paystubB))
		}, []string{twice}},
		{"an event whose bytes were changed", func(s *scene, _ webhook) {
			s.events[0].data = []byte("{}")
		}, []string{changed}},
		{"an event at another subject", func(s *scene, _ webhook) {
			s.events[0].subject = "wagewire.events.x"
		}, []string{changed}},
		{"a digit that was changed", func(s *scene, added webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded,
				records(`{"id":"a","pay_date":"2026-01-02","gross":90071992547409930}`, paystubB))
		}, []string{changed}},
		{"a number in another spelling", func(s *scene, added webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded,
				records(paystubA, `{"id":"b","pay_date":"2026-02-02","gross":80}`))
		}, []string{changed}},
		{"a header with another outcome", func(s *scene, _ webhook) {
			s.completions[0].header["Wagewire-Outcome"] = []string{"failed"}
		}, []string{changed}},
		{"an object without the records of records_ref", func(s *scene, added webhook) {
			s.removeFirst()
			s.objects["o"] = []byte(`[]`)
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				c.Data.Records = nil
				c.Data.RecordsRef = &schema.RecordsRef{Name: "o", SHA256: "0", Bytes: 2, Count: 2}
			})
		}, []string{changed}},
		{"a missing object", func(s *scene, added webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				c.Data.Records = nil
				c.Data.RecordsRef = &schema.RecordsRef{Name: "o"}
			})
		}, []string{lost}},
		{"nothing when an object has the records", func(s *scene, added webhook) {
			s.removeFirst()
			s.objects["o"] = []byte(`[` + paystubA + `,` + paystubB + `]`)
			sum := sha256.Sum256(s.objects["o"])
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				c.Data.Records = nil
				c.Data.RecordsRef = &schema.RecordsRef{Name: "o",
					SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(s.objects["o"])), Count: 2}
			})
		}, nil},
		{"an announced id that is in no list", func(s *scene, added webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, []string{incomplete}},
		{"a missing id although the provider held nothing back", func(s *scene, added webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				records(paystubA)(c)
				c.Data.Missing = []string{"b"}
			})
		}, []string{incomplete}},
		{"nothing when the provider held back the missing id", func(s *scene, added webhook) {
			s.gate.aim(account)
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Succeeded, func(c *schema.Completion) {
				records(paystubA)(c)
				c.Data.Missing = []string{"b"}
			})
		}, nil},
		{"a list that lacks a record", func(s *scene, _ webhook) {
			payload := `{"params":{"from_pay_date":"2026-01-01","to_pay_date":"2026-02-02"}}`
			w := s.send(genuine, fake.Pinwheel, "x", "paystubs.thirty_days_synced", account,
				payload, 200)
			s.store(w, payload)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, []string{incomplete}},
		{"nothing when a list lacks a record outside its dates", func(s *scene, _ webhook) {
			payload := `{"params":{"from_pay_date":"2026-01-01","to_pay_date":"2026-02-01"}}`
			w := s.send(genuine, fake.Pinwheel, "x", "paystubs.thirty_days_synced", account,
				payload, 200)
			s.store(w, payload)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, nil},
		{"a deleted id that the completion does not have", func(s *scene, _ webhook) {
			payload := `{"added":[{"id":"a"}],"deleted":[{"id":"z"}]}`
			w := s.send(genuine, fake.Pinwheel, "x", "paystubs.added", account, payload, 200)
			s.store(w, payload)
			s.complete(w, schema.Paystubs, schema.Succeeded, records(paystubA))
		}, []string{incomplete}},
		{"a pending job that is completed with data", func(s *scene, _ webhook) {
			w := s.send(genuine, fake.Pinwheel, "x", "income.added", account,
				`{"outcome":"pending"}`, 200)
			s.store(w, `{"outcome":"pending"}`)
			s.complete(w, schema.Income, schema.Succeeded, records(`{"id":"i"}`))
		}, []string{outcome}},
		{"data that is unavailable although the provider has it", func(s *scene, added webhook) {
			s.removeFirst()
			s.complete(added, schema.Paystubs, schema.Unavailable, nil)
		}, []string{outcome}},
		{"an event given up without a dead letter", func(s *scene, _ webhook) {
			s.deadLetters = nil
		}, []string{hidden}},
		{"a dead letter without a completion", func(s *scene, _ webhook) {
			s.completions = slices.Delete(s.completions, 1, 2)
			s.seen = slices.Delete(s.seen, 1, 2)
		}, []string{hidden}},
		{"a dead letter although nothing went wrong",
			func(s *scene, added webhook) {
				s.addDeadLetter(added, schema.Paystubs,
					addedPayload)
			}, []string{outcome}},
		{"an event that was never sent", func(s *scene, _ webhook) {
			s.events = append(s.events,
				message{header: map[string][]string{"Nats-Msg-Id": {"pinwheel:z"}}})
		}, []string{invented}},
		{"a forged event that is stored",
			func(s *scene, _ webhook) {
				s.store(s.ledger.entries["pinwheel:f1"].webhook,
					`{}`)
			}, []string{invented}},
		{"a forged event that is completed", func(s *scene, _ webhook) {
			s.complete(s.ledger.entries["pinwheel:f1"].webhook, schema.Income, schema.Succeeded,
				records(`{"id":"i"}`))
		}, []string{invented}},
		{"a completion of a resource whose worker does not read the type",
			func(s *scene, added webhook) {
				s.complete(added, schema.Shifts, schema.Succeeded, nil)
			}, []string{invented}},
		{"a dead letter that was never sent", func(s *scene, added webhook) {
			added.id = "z"
			s.addDeadLetter(added, schema.Paystubs, addedPayload)
		}, []string{invented}},
		{"a body in quarantine that was never sent", func(s *scene, _ webhook) {
			s.quarantine = append(s.quarantine, message{data: []byte("x")})
		}, []string{invented}},
		{"a completion of an erased account", func(s *scene, _ webhook) {
			s.completions = append(s.completions, s.seen[2])
		}, []string{erased}},
		{"a completion that was stored again after its erasure", func(s *scene, _ webhook) {
			late := s.seen[2]
			late.sequence = 999
			s.seen = append(s.seen, late)
		}, []string{twice}},
		{"a webhook of an erased account", func(s *scene, _ webhook) {
			s.store(s.ledger.entries["truv:l1"].webhook, `{}`)
		}, []string{erased}},
		{"a dead letter of an erased account", func(s *scene, _ webhook) {
			s.addDeadLetter(s.ledger.entries["truv:l1"].webhook, schema.Link, `{}`)
		}, []string{erased}},
		{"the webhook of an erasure", func(s *scene, _ webhook) {
			s.store(s.ledger.entries["truv:l2"].webhook, `{}`)
		}, []string{erased}},
		{"a retry of an erased account", func(s *scene, _ webhook) {
			s.waiting = append(s.waiting, message{
				subject: schema.RetriesSubject("truv_link", erasedAccount),
				header: map[string][]string{
					"ce-source": {"urn:wagewire:provider:truv"}, "ce-subject": {erasedAccount},
				},
			})
		}, []string{erased}},
		{"nothing when an erasure without an answer was done", func(s *scene, _ webhook) {
			w := s.send(genuine, fake.Truv, "x", "link-deleted", "link-2", `{}`, 0)
			s.complete(w, schema.Link, schema.Deleted, nil)
			s.completions = append(s.completions,
				message{subject: schema.TombstoneSubject(schema.Truv, "link-2")})
		}, nil},
		{"a tombstone of an account that nobody deleted", func(s *scene, _ webhook) {
			s.completions = append(s.completions,
				message{subject: schema.TombstoneSubject(schema.Truv, "link-2")})
		}, []string{invented}},
		{"an erased account without a tombstone", func(s *scene, _ webhook) {
			s.completions = s.completions[:len(s.completions)-1]
		}, []string{erased}},
		{"an erasure without a completion", func(s *scene, _ webhook) {
			s.completions = slices.Delete(s.completions, 2, 3)
			s.seen = s.seen[:3]
		}, []string{unfinished}},
		{"a signed webhook that is refused for good", func(s *scene, _ webhook) {
			s.send(genuine, fake.Pinwheel, "x", "bill.added", account, `{}`, 400)
		}, []string{custody}},
		{"nothing when two of few attempts in calm failed", func(s *scene, _ webhook) {
			for _, status := range []int{200, 503, 0} {
				s.ledger.addCalmAttempt(status)
			}
		}, nil},
		{"signed webhooks that a flood crowds out", func(s *scene, _ webhook) {
			for range 96 {
				s.ledger.addCalmAttempt(200)
			}
			for _, status := range []int{503, 503, 0, 0} {
				s.ledger.addCalmAttempt(status)
			}
		}, []string{crowded}},
		{"nothing when a flood is refused", func(s *scene, _ webhook) {
			s.flooded.Add(flood.Tally{Answers: map[int]int{401: 7, 429: 8, 405: 1}})
		}, nil},
		{"an unsigned request that is answered 503", func(s *scene, _ webhook) {
			s.flooded.Add(flood.Tally{Answers: map[int]int{401: 7, 503: 1}})
		}, []string{custody}},
		{"nothing when a second had all calls of rate and burst", func(s *scene, _ webhook) {
			s.call(fake.Truv, callsMax(schema.Truv))
		}, nil},
		{"a second with a call more than rate and burst", func(s *scene, _ webhook) {
			s.call(fake.Truv, callsMax(schema.Truv)+1)
		}, []string{fast}},
		{"a call in a hold", func(s *scene, _ webhook) {
			p := s.gate.paces[schema.Pinwheel]
			p.judge(p.addHold(time.Unix(0, 0), time.Minute))
			s.call(fake.Pinwheel, 1)
		}, []string{fast}},
		{"a forged webhook that is answered 200", func(s *scene, _ webhook) {
			s.send(forged, fake.Pinwheel, "x", "bill.added", account, `{}`, 200)
		}, []string{custody}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, added := goodScene()
			row.do(s, added)
			var got []string
			for _, v := range s.violations() {
				got = append(got, v.what)
				t.Logf("%s %s: %s", v.what, v.id, v.why)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("violations: %v, want %v", got, row.want)
			}
		})
	}
}
