package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// withRecords returns a completion of an event with records.
func withRecords(
	p schema.Provider, kind, id string, r schema.Resource, records ...string,
) completion {
	c := completed(p, kind, id, "a-"+id, r, schema.Succeeded)
	for _, record := range records {
		c.Data.Records = append(c.Data.Records, json.RawMessage(record))
	}
	return c
}

func later(c completion, by time.Duration) completion {
	c.Time = c.Time.Add(by)
	return c
}

// manySpaces are those between two columns.
var manySpaces = regexp.MustCompile(" {2,}")

func TestDriftIsATable(t *testing.T) {
	const known = `{"id":"r-1","status":"employed","title":"Canary Baker"}`
	for promise, test := range map[string]struct {
		completions []completion
		flags       []string
		want        result
	}{
		"nothing stored is no drift": {nil, nil, result{0, "no drift\n",
			"read 0 records of 0 completions\n"}},
		"records as documented are no drift": {
			[]completion{
				withRecords("pinwheel", "employment.added", "e-1", schema.Employment, known),
			},
			nil, result{0, "no drift\n", "read 1 record of 1 completion\n"},
		},
		"differences are counted, with first and last": {
			[]completion{
				withRecords("pinwheel", "employment.added", "e-1", schema.Employment,
					`{"id":"r-1","desk":"Canary"}`),
				later(withRecords("pinwheel", "employment.added", "e-2", schema.Employment,
					`{"id":"r-1","desk":{},"status":"on_leave"}`,
					`{"id":"r-2","status":"Canary left"}`), time.Hour),
				withRecords("truv", "link-connected", "e-3", schema.Link,
					`{"id":"l-1","allowed_products":["lottery"],"is_suspicious":"no"}`),
			},
			nil,
			result{0, `PROVIDER RECORD KIND FIELD EXAMPLE RECORDS FIRST LAST
pinwheel employment unknown_field desk object,string 2 2026-01-12T12:00:01Z 2026-01-12T13:00:01Z
pinwheel employment unknown_value status on_leave 2 2026-01-12T13:00:01Z 2026-01-12T13:00:01Z
truv link other_type is_suspicious string 1 2026-01-12T12:00:01Z 2026-01-12T12:00:01Z
truv link unknown_value allowed_products[] lottery 1 2026-01-12T12:00:01Z 2026-01-12T12:00:01Z
`, "read 4 records of 3 completions\n"},
		},
		"a record with two examples of one difference counts once": {
			[]completion{withRecords("truv", "link-connected", "e-1", schema.Link,
				`{"allowed_products":["lottery","bingo","income"]}`)},
			nil,
			result{0, `PROVIDER RECORD KIND FIELD EXAMPLE RECORDS FIRST LAST
truv link unknown_value allowed_products[] bingo,lottery 1 2026-01-12T12:00:01Z 2026-01-12T12:00:01Z
`, "read 1 record of 1 completion\n"},
		},
		"only the provider and the resource asked for are read": {
			[]completion{
				withRecords("pinwheel", "employment.added", "e-1", schema.Employment, `{"x":1}`),
				withRecords("pinwheel", "income.added", "e-2", schema.Income, `{"y":1}`),
				withRecords("truv", "link-connected", "e-3", schema.Link, `{"z":1}`),
			},
			[]string{"--provider", "pinwheel", "--resource", "income"},
			result{0, `PROVIDER RECORD KIND FIELD EXAMPLE RECORDS FIRST LAST
pinwheel income unknown_field y integer 1 2026-01-12T12:00:01Z 2026-01-12T12:00:01Z
`, "read 1 record of 1 completion\n"},
		},
		"what was stored before --since is not read": {
			[]completion{
				withRecords("pinwheel", "income.added", "e-2", schema.Income, `{"y":1}`),
			},
			[]string{"--since", "2999-01-01T00:00:00Z"},
			result{0, "no drift\n", "read 0 records of 0 completions\n"},
		},
		"a provider without the resource is a mistake": {
			nil, []string{"--provider", "truv", "--resource", "tax_forms"},
			result{2, "", "wagewire drift: --provider truv has no completions " +
				"of --resource tax_forms\nsee: wagewire drift --help\n"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			s, conn := streamtest.New(t)
			publishCompletions(t, conn, test.completions...)
			got := wagewire(t, s.Getenv(), append([]string{"drift"}, test.flags...)...)
			got.stdout = manySpaces.ReplaceAllString(got.stdout, " ")
			if diff := diffResults(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(got.stdout+got.stderr, "Canary") {
				t.Error("a value of a record is shown")
			}
		})
	}
}

func TestDriftAsJSONSaysTheSame(t *testing.T) {
	s, conn := streamtest.New(t)
	publishCompletions(t, conn, withRecords("truv", "link-connected", "e-1", schema.Link,
		`{"id":"l-1","data_source":"crystal_ball"}`))
	got := wagewire(t, s.Getenv(), "drift", "--json")
	want := `{"completions":1,"records":1,"gone":0,"drift":[{"provider":"truv","resource":"link",` +
		`"record":"link","kind":"unknown_value","field":"data_source",` +
		`"examples":["crystal_ball"],"records":1,"first":"2026-01-12T12:00:01Z",` +
		`"last":"2026-01-12T12:00:01Z"}],"left":0}` + "\n"
	if diff := diffResults(result{0, want, ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDriftReadsLargeRecordsByTheirReference(t *testing.T) {
	s, conn := streamtest.New(t)
	var records []string
	for i := range 400 {
		records = append(records,
			fmt.Sprintf(`{"id":"p-%d","pad":%q}`, i, strings.Repeat("x", 2000)))
	}
	publishCompletions(t, conn,
		withRecords("pinwheel", "paystubs.fully_synced", "e-1", schema.Paystubs, records...))
	got := wagewire(t, s.Getenv(), "drift")
	if got.code != 0 || !strings.Contains(got.stdout, "pad    string   400 ") ||
		got.stderr != "read 400 records of 1 completion\n" {
		t.Errorf("got %+v", got)
	}
}

func TestDriftGoesOnWithoutRecordsThatAreGone(t *testing.T) {
	s, conn := streamtest.New(t)
	large := withRecords("pinwheel", "paystubs.fully_synced", "e-1", schema.Paystubs,
		`{"pad":"`+strings.Repeat("x", schema.CompletionBytesMax)+`"}`)
	publishCompletions(t, conn, large,
		withRecords("truv", "link-connected", "e-2", schema.Link, `{"id":"l-1","z":1}`))
	if err := conn.EraseRecords(t.Context(), "pinwheel", large.event.Account()); err != nil {
		t.Fatal(err)
	}
	got := wagewire(t, s.Getenv(), "drift")
	want := "read 1 record of 2 completions\n1 completion had records that are stored no longer\n"
	if got.code != 0 || !strings.Contains(got.stdout, "unknown_field") {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(want, got.stderr); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

func TestDriftSaysHowFarItIs(t *testing.T) {
	s, conn := streamtest.New(t)
	var all []completion
	for i := range driftProgressEvery + 1 {
		all = append(all, withRecords("truv", "link-connected", fmt.Sprint("e-", i), schema.Link,
			`{"id":"l-1"}`))
	}
	publishCompletions(t, conn, all...)
	got := wagewire(t, s.Getenv(), "drift")
	want := fmt.Sprintf("read %d completions, the last of 2026-01-12T12:00:01Z\n"+
		"read %d records of %d completions\n", driftProgressEvery, len(all), len(all))
	if diff := diffResults(result{0, "no drift\n", want}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDriftHoldsALimitedNumberOfFindings(t *testing.T) {
	s, conn := streamtest.New(t)
	var records []string
	for i := range driftLinesMax/50 + 1 {
		var fields []string
		for j := range 50 {
			fields = append(fields, fmt.Sprintf(`"f%d-%d":1`, i, j))
		}
		records = append(records, "{"+strings.Join(fields, ",")+"}")
	}
	publishCompletions(t, conn,
		withRecords("truv", "link-connected", "e-1", schema.Link, records...))
	got := wagewire(t, s.Getenv(), "drift")
	if got.code != 0 || strings.Count(got.stdout, "\n") != driftLinesMax+1 ||
		!strings.HasSuffix(got.stderr, "\n50 findings more are not in the table\n") {
		t.Errorf("exit code %d, stderr %q, %d lines", got.code, got.stderr,
			strings.Count(got.stdout, "\n"))
	}
}
