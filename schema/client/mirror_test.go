package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
)

// sheet is a completion with its records.
type sheet struct {
	schema.Completion

	records []json.RawMessage
}

// sheetOf returns a completion of a day of January 2026. A record is an id of a paystub, paid on
// the day of December in its name.
func sheetOf(day int, scope schema.Scope, ids ...string) sheet {
	when := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
	e := paystubsOf("a-1", fmt.Sprintf("%s-%d", scope, day))
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, when)
	c.Sequence = schema.Sequence(when, when, c.ID)
	c.Data.Scope = &scope
	s := sheet{Completion: c}
	for _, id := range ids {
		s.records = append(s.records,
			fmt.Appendf(nil, `{"id":%q,"pay_date":"2025-12-%s","day":%d}`, id, id[1:], day))
	}
	return s
}

func TestAMirrorIsTheSameInEveryOrder(t *testing.T) {
	t.Parallel()
	window := sheetOf(2, schema.Window, "p20", "p24")
	window.Data.From = new("2025-12-19")
	window.Data.To = new("2025-12-26")
	late := sheetOf(8, schema.Window, "p26")
	late.Data.From = new("2025-12-25")
	deletes := sheetOf(6, schema.Delta)
	deletes.Data.Deleted = []string{"p10"}
	undated := sheetOf(1, schema.Delta)
	undated.records = []json.RawMessage{[]byte(`{"id":"p00","pay_date":null,"day":1}`)}
	early := sheetOf(2, schema.Window)
	early.Data.To = new("2025-12-26")
	failed := sheetOf(9, schema.Delta)
	failed.Data.Scope = nil
	deletion := sheetOf(5, schema.Delta)
	deletion.Data.Outcome = schema.Deleted
	deletion.Data.Resource = schema.Link
	deletion.Data.Scope = nil
	ofEarlierRelease := sheetOf(3, schema.Delta, "p10")
	ofEarlierRelease.Sequence = ""
	ofEarlierRelease.Data.Event.OccurredAt = ofEarlierRelease.Time
	for _, row := range []struct {
		promise   string
		sheets    []sheet
		want      []string
		isDeleted bool
	}{
		{"a delta adds and replaces", []sheet{
			sheetOf(1, schema.Delta, "p10", "p20"), sheetOf(3, schema.Delta, "p20", "p30"),
		}, []string{"p10 of 1", "p20 of 3", "p30 of 3"}, false},
		{"a completion of an earlier release has its place too", []sheet{
			sheetOf(2, schema.Delta, "p10", "p20"), ofEarlierRelease, sheetOf(4, schema.Delta, "p20"),
		}, []string{"p10 of 3", "p20 of 4"}, false},
		{"a window replaces what it covers", []sheet{
			sheetOf(1, schema.Delta, "p18", "p22"), window,
		}, []string{"p18 of 1", "p20 of 2", "p24 of 2"}, false},
		{"a snapshot replaces everything older, and nothing newer", []sheet{
			sheetOf(1, schema.Delta, "p10", "p11"), window,
			sheetOf(4, schema.Snapshot, "p10", "p20"), sheetOf(5, schema.Delta, "p30"),
		}, []string{"p10 of 4", "p20 of 4", "p30 of 5"}, false},
		{"statements of one employment leave those of the other", []sheet{
			sheetOf(1, schema.Delta, "p10", "p24"), sheetOf(2, schema.Delta, "p11", "p25"),
			sheetOf(3, schema.Delta, "p10", "p24", "p31"),
		}, []string{"p10 of 3", "p11 of 2", "p24 of 3", "p25 of 2", "p31 of 3"}, false},
		{"a record without a date is in no window", []sheet{undated, early},
			[]string{"p00 of 1"}, false},
		{"what was deleted stays deleted, until a newer completion has it", []sheet{
			sheetOf(1, schema.Delta, "p10"), sheetOf(4, schema.Snapshot, "p10", "p20"), deletes,
			sheetOf(7, schema.Delta, "p31"), late, failed,
		}, []string{"p20 of 4", "p26 of 8"}, false},
		{"nothing is left of a deleted account, whatever comes later", []sheet{
			sheetOf(1, schema.Delta, "p10"), deletion, sheetOf(4, schema.Snapshot, "p10"),
			sheetOf(7, schema.Delta, "p31"),
		}, nil, true},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(1000) {
				random := rand.New(rand.NewPCG(seed, 17))
				order := slices.Concat(row.sheets, row.sheets) // each comes twice
				random.Shuffle(len(order), func(i, j int) {
					order[i], order[j] = order[j], order[i]
				})
				var mirror client.Mirror
				for _, s := range order {
					must(t, mirror.Apply(s.Completion, s.records))
				}
				got := idsAndDays(t, mirror.Records(schema.Pinwheel, "a-1", schema.Paystubs))
				if !slices.Equal(got, row.want) ||
					mirror.IsDeleted(schema.Pinwheel, "a-1") != row.isDeleted {
					t.Fatalf("order %d: %v, want %v", seed, got, row.want)
				}
			}
		})
	}
}

// idsAndDays says of each record its id, and the day of its completion.
func idsAndDays(t *testing.T, records []json.RawMessage) []string {
	t.Helper()
	var all []string
	for _, record := range records {
		var named struct {
			ID  string
			Day int
		}
		must(t, json.Unmarshal(record, &named))
		all = append(all, fmt.Sprintf("%s of %d", named.ID, named.Day))
	}
	return all
}

func TestAMirrorSaysWhoseAPaystubIs(t *testing.T) {
	t.Parallel()
	of := func(employment string, s sheet) sheet {
		s.Data.EmploymentID = employment
		return s
	}
	income := of("m-1", sheetOf(1, schema.Snapshot, "p10"))
	income.Data.Resource = schema.Income
	for promise, row := range map[string]struct {
		sheets   []sheet
		resource schema.Resource
		want     string
	}{
		"each paystub is of the employment of its completion": {[]sheet{
			of("m-1", sheetOf(1, schema.Delta, "p10", "p24")),
			of("m-2", sheetOf(2, schema.Delta, "p11")),
		}, schema.Paystubs, "p10 m-1, p11 m-2, p24 m-1, "},
		"the newest completion counts, whatever the order": {[]sheet{
			of("m-2", sheetOf(3, schema.Delta, "p10")), of("m-1", sheetOf(1, schema.Delta, "p10")),
		}, schema.Paystubs, "p10 m-2, "},
		"a completion may name none": {
			[]sheet{sheetOf(1, schema.Delta, "p10")}, schema.Paystubs, "p10 , "},
		"of other resources it is the webhook's alone": {
			[]sheet{income}, schema.Income, "p10 , "},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			var mirror client.Mirror
			for _, s := range slices.Concat(row.sheets, row.sheets) {
				must(t, mirror.Apply(s.Completion, s.records))
			}
			got := ""
			for _, entry := range mirror.Entries(schema.Pinwheel, "a-1", row.resource) {
				var named struct{ ID string }
				must(t, json.Unmarshal(entry.Record, &named))
				got += fmt.Sprintf("%s %s, ", named.ID, entry.EmploymentID)
			}
			if got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestAMirrorKeepsAccountsAndResourcesApart(t *testing.T) {
	t.Parallel()
	i := serve(t)
	const odd = "account with spaces"
	i.completeAll(t, "a-1", "e-1", `{"id":"p-1","n":12345678901234567890.10}`)
	i.completeAll(t, odd, "e-2", `{"id":"p-2"}`)
	i.completeAll(t, "l-1", "e-3", `{"id":"p-3"}`)
	i.erase(t, "l-1", "e-4")
	var mirror client.Mirror
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, &mirror))
	for account, want := range map[string][]string{
		"a-1": {`{"id":"p-1","n":12345678901234567890.10}`}, odd: {`{"id":"p-2"}`},
		"l-1": {`{"id":"p-3"}`}, "nobody": nil, // the other provider's l-1 was deleted
	} {
		var got []string
		for _, record := range mirror.Records(schema.Pinwheel, account, schema.Paystubs) {
			got = append(got, string(record))
		}
		if !slices.Equal(got, want) || mirror.IsDeleted(schema.Pinwheel, account) {
			t.Errorf("%s has %q", account, got)
		}
		if other := mirror.Records(schema.Pinwheel, account, schema.Income); other != nil {
			t.Errorf("%s has income %q", account, other)
		}
	}
	if !mirror.IsDeleted(schema.Truv, "l-1") {
		t.Error("the deletion is unknown")
	}
}

func TestRecordsWithoutIDsAreThoseOfTheNewestSnapshot(t *testing.T) {
	t.Parallel()
	for _, r := range []schema.Resource{schema.BankAccounts, schema.Identity, schema.Shifts} {
		t.Run(string(r), func(t *testing.T) {
			t.Parallel()
			testRecordsWithoutIDs(t, r)
		})
	}
}

func testRecordsWithoutIDs(t *testing.T, r schema.Resource) {
	t.Helper()
	numbers := func(day int, scope schema.Scope, numbers ...string) sheet {
		s := sheetOf(day, scope)
		s.Data.Resource = r
		for _, number := range numbers {
			s.records = append(s.records, fmt.Appendf(nil, `{"account_number":%q}`, number))
		}
		return s
	}
	first := numbers(1, schema.Snapshot, "01", "02", "02")
	second := numbers(2, schema.Snapshot, "03", "01")
	none := numbers(3, schema.Snapshot)
	for promise, row := range map[string]struct {
		sheets []sheet
		want   string
	}{
		"two accounts may look alike":  {[]sheet{first}, "01 02 02 "},
		"fewer accounts replace more":  {[]sheet{first, second}, "03 01 "},
		"an older snapshot is nothing": {[]sheet{second, first}, "03 01 "},
		"no accounts replace all":      {[]sheet{none, second, first}, ""},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			var mirror client.Mirror
			for _, s := range slices.Concat(row.sheets, row.sheets) {
				must(t, mirror.Apply(s.Completion, s.records))
			}
			got := ""
			for _, record := range mirror.Records(schema.Pinwheel, "a-1", r) {
				var named struct {
					Number string `json:"account_number"`
				}
				must(t, json.Unmarshal(record, &named))
				got += named.Number + " "
			}
			if got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
	var mirror client.Mirror
	partial := numbers(4, schema.Delta, "04")
	if err := mirror.Apply(partial.Completion, partial.records); err == nil {
		t.Error("a record without an id is taken from a part of the list")
	}
}

func TestANoticeIsKeptUnderTheIDOfItsCompletion(t *testing.T) {
	t.Parallel()
	var mirror client.Mirror
	for day := range 2 {
		s := sheetOf(day+1, schema.Delta)
		s.Data.Resource = schema.Notices
		must(t, mirror.Apply(s.Completion, []json.RawMessage{[]byte(`{"id":"same"}`)}))
	}
	if got := mirror.Records(schema.Pinwheel, "a-1", schema.Notices); len(got) != 2 {
		t.Errorf("got %q", got)
	}
}

func TestAMirrorReadsTheMembersOfTheContractAlone(t *testing.T) {
	t.Parallel()
	for promise, row := range map[string]struct {
		records []string
		want    []string
	}{
		"a member ID is not the id": {
			[]string{`{"id":"p-1","ID":"same"}`, `{"Id":"same","id":"p-2"}`},
			[]string{`{"id":"p-1","ID":"same"}`, `{"Id":"same","id":"p-2"}`}},
		"a member Pay_Date is no date": {
			[]string{`{"id":"p-1","Pay_Date":"2025-12-24"}`, `{"id":"p-2","PAY_DATE":7}`},
			[]string{`{"id":"p-1","Pay_Date":"2025-12-24"}`, `{"id":"p-2","PAY_DATE":7}`}},
		"a date that is no text, or empty, counts as none": {
			[]string{`{"id":"p-1","pay_date":20251224}`, `{"id":"p-2","pay_date":""}`},
			[]string{`{"id":"p-1","pay_date":20251224}`, `{"id":"p-2","pay_date":""}`}},
		"the window removes a record with a date": {
			[]string{`{"id":"p-1","pay_date":"2025-12-24"}`}, nil},
		"of two records with an id the last one stays": {
			[]string{`{"id":"p-1","n":1}`, `{"id":"p-1","n":2}`}, []string{`{"id":"p-1","n":2}`}},
		"an id may be escaped": {
			[]string{`{"\u0069d":"p-1"}`, `{"id":"p\u002d1"}`}, []string{`{"id":"p\u002d1"}`}},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			first := sheetOf(1, schema.Snapshot)
			for _, record := range row.records {
				first.records = append(first.records, json.RawMessage(record))
			}
			everything := sheetOf(2, schema.Window) // without bounds, and without records
			var mirror client.Mirror
			must(t, mirror.Apply(first.Completion, first.records))
			must(t, mirror.Apply(everything.Completion, nil))
			var got []string
			for _, record := range mirror.Records(schema.Pinwheel, "a-1", schema.Paystubs) {
				got = append(got, string(record))
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestARecordWithoutAnIDChangesNothing(t *testing.T) {
	t.Parallel()
	i := serve(t)
	for event, bad := range map[string]string{"e-1": `{"id":7}`, "e-2": `{}`} {
		e := paystubsOf("a-1", event)
		c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, at)
		c.Data.Scope = new(schema.Delta)
		i.store(t, e, c, []string{`{"id":"p-1"}`, bad})
	}
	var mirror client.Mirror
	var aside shelf
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{Aside: aside.keep}, &mirror))
	if got := mirror.Records(schema.Pinwheel, "a-1", schema.Paystubs); got != nil {
		t.Errorf("got %q", got)
	}
	if got := aside.reasons(); !slices.Equal(got, slices.Repeat([]string{"a record has no id"}, 2)) {
		t.Errorf("reasons %q", got)
	}
}

func TestAMirrorTakesNothingOfRecordsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	var mirror client.Mirror
	c := client.NewStored(schema.RecordsRef{Subject: "s", Chunks: 1, Bytes: 9},
		func(context.Context, string) ([]byte, error) { return nil, errDatabase })
	if err := mirror.Store(t.Context(), c); !errors.Is(err, errDatabase) {
		t.Errorf("got %v", err)
	}
}
