package ledger

import (
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

const paystubC = `{"id":"c","pay_date":"2026-03-02","gross":1}`

// TestAListGrows has a webhook before and a webhook after the person's list of paystubs grows from
// a and b to a, b and c.
func TestAListGrows(t *testing.T) {
	const year = `{"params":{"from_pay_date":"2026-01-01","to_pay_date":"2026-12-31"}}`
	const winter = `{"params":{"from_pay_date":"2026-01-01","to_pay_date":"2026-02-28"}}`
	for _, row := range []struct {
		name, typ, payload string
		late               bool // the webhook came after the growth
		redriven           bool // the webhook came before the growth, and its redrive after
		troubled           bool
		have               []string
		want               []string
	}{
		{name: "a completion of before may lack the new record",
			typ: syncedType, payload: `{}`, have: []string{paystubA, paystubB}},
		{name: "a completion of before may have the new record",
			typ: syncedType, payload: `{}`, have: []string{paystubA, paystubB, paystubC}},
		{name: "a completion of before may not lack a record of before",
			typ: syncedType, payload: `{}`, have: []string{paystubA, paystubC},
			want: []string{Incomplete}},
		{name: "a completion of after must have the new record",
			typ: syncedType, payload: `{}`, late: true, have: []string{paystubA, paystubB},
			want: []string{Incomplete}},
		{name: "a completion of after has all records",
			typ: syncedType, payload: `{}`, late: true,
			have: []string{paystubA, paystubB, paystubC}},
		{name: "a redrive of after must have the new record",
			typ: syncedType, payload: `{}`, redriven: true, have: []string{paystubA, paystubB},
			want: []string{Incomplete}},
		{name: "a redrive of after has all records",
			typ: syncedType, payload: `{}`, redriven: true,
			have: []string{paystubA, paystubB, paystubC}},
		{name: "no completion may have a record that no list has",
			typ: syncedType, payload: `{}`,
			have: []string{paystubA, paystubB, `{"id":"d","pay_date":"2026-01-05"}`},
			want: []string{Changed, Incomplete}},
		{name: "a chunk of before may have the new record",
			typ: "paystubs.thirty_days_synced", payload: year,
			have: []string{paystubA, paystubB, paystubC}},
		{name: "a chunk may not have a new record outside its dates",
			typ: "paystubs.thirty_days_synced", payload: winter,
			have: []string{paystubA, paystubB, paystubC}, want: []string{Incomplete}},
		{name: "in trouble a completion of after may lack the new record",
			typ: syncedType, payload: `{}`, late: true, troubled: true,
			have: []string{paystubA, paystubB}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, _ := goodScene()
			grow := func() {
				s.ledger.AddPerson(account, Person{Paystubs: []string{"a", "b", "c"}})
			}
			if row.late {
				grow()
			}
			w := s.send(Genuine, fake.Pinwheel, "x", row.typ, account, row.payload, 200)
			s.store(w, row.payload)
			if !row.late {
				grow()
			}
			about := Call{Target: Target{account, "paystubs"}, Provider: schema.Pinwheel}
			s.served.Note(about, 200, []byte(`{"data":[`+paystubA+`,`+paystubB+`,`+paystubC+`]}`))
			if row.troubled {
				s.served.Note(about, 503, nil)
			}
			first := row.have
			if row.redriven {
				first = []string{paystubA, paystubB}
				again := redrive{s, w, row.payload, paystubsQueue, 1}
				again.tell()
				again.store()
				again.complete(schema.Paystubs, schema.Succeeded, records(row.have...))
			}
			s.complete(w, schema.Paystubs, schema.Succeeded, records(first...))
			if row.typ == syncedType {
				s.complete(w, schema.Income, schema.Succeeded, records(`{"id":"i"}`))
			}
			wantViolations(t, s, row.want)
		})
	}
}
