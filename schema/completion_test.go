package schema_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

// completions returns a completion of each outcome, and one with its records in the object store.
func completions() map[string]schema.Completion {
	refreshed := time.Date(2026, 1, 12, 2, 36, 1, 431_000_000, time.UTC)
	employment := employmentAdded()
	paystubs := employmentAdded()
	paystubs.ID = "91c7d2f4-0b6e-4a83-95d1-e7f3a8c04b26"
	paystubs.Type = "paystubs.added"
	paystubs.Resource = schema.Paystubs
	return map[string]schema.Completion{
		"succeeded": newCompletion(employment, schema.Succeeded, func(d *schema.CompletionData) {
			d.RefreshedAt = &refreshed
			d.StoredAt = time.Date(2026, 1, 12, 2, 36, 1, 502_700_000, time.UTC)
			d.TakenAt = time.Date(2026, 1, 12, 2, 36, 1, 503_900_000, time.UTC)
			d.Scope = new(schema.Snapshot)
			d.Records = []json.RawMessage{json.RawMessage(
				`{"id":"2f6c8a10-74de-4b95-8c3f-a1e09d5b7246","employer_name":"Acme <&> Sons",` +
					`"status":null,"start_date":"2019-04-01"}`)}
		}),
		"pending": newCompletion(employment, schema.Pending, nil),
		"unavailable": newCompletion(paystubs, schema.Unavailable, func(d *schema.CompletionData) {
			d.Attempts = 5
			d.Missing = []string{"dbff9830-55ce-4aa5-82f1-e04f196da041"}
			d.Error = &schema.CompletionError{
				Class: string(schema.ClassNotReady), Code: "", Type: "RECORD_NOT_FOUND",
				Message: "404 after 5 attempts",
			}
		}),
		"failed": newCompletion(employment, schema.Failed, func(d *schema.CompletionData) {
			d.Error = &schema.CompletionError{
				Class: string(schema.ClassProvider), Code: "accountLocked",
				Type: "userActionRequired", Message: "the provider's job failed",
			}
		}),
		"disconnected": newCompletion(linkDisconnected(), schema.Disconnected,
			func(d *schema.CompletionData) {
				d.EndUserID = new("my_user_12345")
				d.Scope = new(schema.Snapshot)
				d.Records = []json.RawMessage{json.RawMessage(
					`{"id":"4bd7e1f06a9c4358b2e0c5f71d938a6e","status":"login_error"}`)}
			}),
		"deleted": newCompletion(linkDeleted(), schema.Deleted, nil),
		"of_employment": newCompletion(statementsCreated(), schema.Succeeded,
			func(d *schema.CompletionData) {
				d.EmploymentID = "a1c5e9f03b7d4286915f0e8c4a2d6b73"
				d.Scope = new(schema.Delta)
				d.Records = []json.RawMessage{json.RawMessage(
					`{"id":"e4f70a91c3d84b6596b2f1d05c8e7a3d","net_pay":"1131.470"}`)}
			}),
		"no_data": newCompletion(taskStatusUpdated(), schema.Unavailable,
			func(d *schema.CompletionData) {
				d.Supported = []schema.Resource{schema.VerificationReports}
				d.Error = &schema.CompletionError{
					Class: string(schema.ClassProvider), Code: "no_data",
					Message: "the provider does not have the data",
				}
			}),
		"redriven": newCompletion(redriven(paystubs), schema.Succeeded,
			func(d *schema.CompletionData) {
				d.RefreshedAt = &refreshed
				d.Scope = new(schema.Window)
				d.From = new("2026-01-05")
				d.To = new("2026-01-11")
			}),
		"account_of_person": newCompletion(reportsOf(employment.AccountID), schema.Succeeded,
			func(d *schema.CompletionData) {
				d.AccountID = &employment.AccountID
				d.RefreshedAt = &refreshed
				d.Scope = new(schema.Snapshot)
				d.Records = []json.RawMessage{json.RawMessage(
					`{"id":"6a8d1b5c-2f90-4e37-b1c4-8e5d70f3a926","report_type":"voe"}`)}
			}),
		"records_ref": newCompletion(paystubs, schema.Succeeded, func(d *schema.CompletionData) {
			d.RefreshedAt = &refreshed
			d.Scope = new(schema.Delta)
			d.Deleted = []string{"57043868-6fb3-47e8-a2b7-c993bd023f25"}
			d.Stale = true
			d.Records = nil
			d.RecordsRef = &schema.RecordsRef{
				Bucket: schema.RecordsBucket,
				Name:   paystubs.RecordsName(schema.Paystubs) + "/c0ffee0123456789",
				SHA256: strings.Repeat("c0ffee0123456789", 4), Bytes: 1_283_117, Count: 400,
				Subject: "$O.WAGEWIRE_RECORDS.C.pinwheel.paystubs." +
					paystubs.Account() + ".c0ffee0123456789",
				Chunks: 10,
			}
		}),
	}
}

// newCompletion returns the event's completion after one attempt, with a change.
func newCompletion(
	e schema.Event, o schema.Outcome, change func(*schema.CompletionData),
) schema.Completion {
	c := schema.NewCompletion(e, e.Resource, o, time.Date(2026, 1, 12, 2, 36, 2, 0, time.UTC))
	c.Data.AccountID = &e.AccountID
	c.Data.Attempts = 1
	if e.Provider == schema.Pinwheel {
		c.Data.EndUserID = new("my_user_12345")
	}
	if change != nil {
		change(&c.Data)
	}
	if c.Data.RefreshedAt != nil {
		c.Sequence = schema.Sequence(*c.Data.RefreshedAt, c.Time, c.ID)
	}
	return c
}

// reportsOf returns the event of a person with reports, for an account of the person.
func reportsOf(account string) schema.Event {
	e := employmentAdded()
	e.ID = "c1f0e9d8-b7a6-4958-8473-625140f3e2d1"
	e.Type = "verification_reports.refreshed"
	e.Resource = schema.VerificationReports
	e.Action = schema.ActionRefreshed
	e.AccountID = "my_user_12345"
	e.Of = account
	return e
}

// redriven returns the event as an operator sends it again.
func redriven(e schema.Event) schema.Event {
	e.Redrive = 1
	return e
}

func linkDisconnected() schema.Event {
	e := linkDeleted()
	e.ID = "0d1c2b3a49586776859403a2b1c0dfee"
	e.Type = "link-disconnected"
	e.Action = schema.ActionDisconnected
	return e
}

func statementsCreated() schema.Event {
	e := linkDeleted()
	e.ID = "3c9e7d5b1f0a48624d6b8e0c2a4f6173"
	e.Type = "statements-created"
	e.Resource = schema.Paystubs
	e.Action = schema.ActionCreated
	return e
}

func taskStatusUpdated() schema.Event {
	e := linkDeleted()
	e.ID = "7f1d3b5a9c8e4d60b2a4c6e8f0123457"
	e.Type = "task-status-updated"
	e.Resource = schema.VerificationReports
	e.Action = schema.ActionStatusUpdated
	return e
}

func linkDeleted() schema.Event {
	e := employmentAdded()
	return schema.Event{
		Provider: schema.Truv, ID: "5a0f9c73e1d84b62907e4db3f8a6c215", Type: "link-deleted",
		Resource: schema.Link, Action: schema.ActionDeleted,
		AccountID:  "4bd7e1f06a9c4358b2e0c5f71d938a6e",
		OccurredAt: e.OccurredAt, ReceivedAt: e.ReceivedAt,
	}
}

func TestTheCompletionOfEachOutcomeIsFrozen(t *testing.T) {
	for name, c := range completions() {
		t.Run(name, func(t *testing.T) {
			got, err := c.Encode()
			if err != nil {
				t.Fatal(err)
			}
			jsonschematest.Completion(t, got)
			golden(t, "completion."+name, got)
		})
	}
}

func TestACompletionOfTheReleaseBeforeIsStillOfTheContract(t *testing.T) {
	files, err := filepath.Glob("testdata/former/completion.*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no file in testdata/former: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			jsonschematest.Validate(t, jsonschema.Completion(), doc)
			var c schema.Completion
			if err := json.Unmarshal(doc, &c); err != nil {
				t.Fatal(err)
			}
			data := c.Data.Event.OccurredAt
			if c.Data.RefreshedAt != nil {
				data = *c.Data.RefreshedAt
			}
			compare(t, "order", schema.Sequence(data, c.Time, c.ID), c.Order())
		})
	}
}

func TestSequencesOrderAsText(t *testing.T) {
	at := time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC)
	newer := at.Add(time.Nanosecond)
	west := time.FixedZone("", -5*60*60)
	for _, row := range []struct {
		promise      string
		older, newer string
	}{
		{"by the time of the data", schema.Sequence(at, newer, "z"), schema.Sequence(newer, at, "a")},
		{"in whatever zone it was written", schema.Sequence(at, at, "a"),
			schema.Sequence(newer.In(west), at, "a")},
		{"with and without a fraction", schema.Sequence(at, at, "a"),
			schema.Sequence(at.Add(100*time.Millisecond), at, "a")},
		{"then by the time of the fetch: a redrive has the time of its webhook",
			schema.Sequence(at, at, "z"), schema.Sequence(at, newer, "a")},
		{"then by the id, so that no two are equal", schema.Sequence(at, at, "a"),
			schema.Sequence(at, at, "b")},
		{"from before the year 0, which only an offset makes",
			schema.Sequence(time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), at, "a"),
			schema.Sequence(at, at, "a")},
	} {
		t.Run(row.promise, func(t *testing.T) {
			if row.older >= row.newer {
				t.Errorf("%q is not before %q", row.older, row.newer)
			}
		})
	}
}

func TestACompletionHasTheFieldsOfTheContractInItsOrder(t *testing.T) {
	const (
		envelope = "specversion id source type subject time sequence datacontenttype dataschema data "
		event    = "data.event data.event.id data.event.type data.event.occurred_at " +
			"data.event.received_at "
		before = envelope + "data.provider data.resource data.action data.outcome " + event +
			"data.account_id data.end_user_id data.redrive data.refreshed_at data.attempts " +
			"data.scope data.from data.to "
		after      = " data.deleted data.missing data.stale data.error"
		recordsRef = "data.records_ref data.records_ref.bucket data.records_ref.name " +
			"data.records_ref.sha256 data.records_ref.bytes data.records_ref.count " +
			"data.records_ref.subject data.records_ref.chunks"
		failure = " data.error.class data.error.code data.error.type data.error.message"
	)
	for name, want := range map[string]string{
		"pending":     before + "data.records" + after,
		"records_ref": before + recordsRef + after,
		"failed":      before + "data.records" + after + failure,
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := completions()[name].Encode()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "fields", strings.Fields(want), keys(t, doc))
		})
	}
}

// keys returns the path of every field of a document of objects, in the order in which they stand.
func keys(t *testing.T, doc []byte) (paths []string) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(doc))
	var object func(prefix string)
	object = func(prefix string) {
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				t.Fatal(err)
			}
			path := prefix + key.(string)
			paths = append(paths, path)
			value, err := decoder.Token()
			if err != nil {
				t.Fatal(err)
			}
			switch value {
			case json.Delim('{'):
				object(path + ".")
			case json.Delim('['):
				for decoder.More() {
					if _, err := decoder.Token(); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := decoder.Token(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	object("")
	if _, err := decoder.Token(); err != io.EOF {
		t.Fatalf("there is more than one document in %s", doc)
	}
	return paths
}

func TestARecordKeeps(t *testing.T) {
	for promise, record := range map[string]string{
		"every digit":               `{"a":12345678901234567890.123456789012345678901234567890}`,
		"trailing zeros":            `{"a":7350.10,"b":0.0,"c":100.000}`,
		"its way to write a number": `{"a":1E+2,"b":1e400,"c":-0,"d":0.1e-7}`,
		"numbers beyond 2^53":       `{"a":9007199254740993}`,
		"markup":                    `{"a":"<b>Acme & Sons</b>"}`,
		"line separators":           "{\"a\":\"x\u2028y\u2029z\"}",
		"its escapes":               `{"a":"\u003c\u2028\/\ud83d\ude00"}`,
		"other scripts":             `{"a":"Łódź 日本 😀"}`,
		"the order of fields":       `{"z":1,"a":2,"m":{"y":1,"b":2}}`,
		"a field that stands twice": `{"a":1,"a":2}`,
		"nulls and empty things":    `{"a":null,"b":[],"c":{},"d":""}`,
		"white space in text":       `{"a":" x  y "}`,
	} {
		t.Run(promise, func(t *testing.T) {
			c := completions()["succeeded"]
			c.Data.Records = []json.RawMessage{json.RawMessage(record), json.RawMessage(record)}
			doc, err := c.Encode()
			if err != nil {
				t.Fatal(err)
			}
			want := `"records":[` + record + "," + record + `]`
			if !bytes.Contains(doc, []byte(want)) {
				t.Errorf("Encode lost something of %s:\n%s", record, doc)
			}
			got, err := schema.EncodeRecords(c.Data.Records)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("["+record+","+record+"]", string(got)); diff != "" {
				t.Errorf("EncodeRecords (-want +got):\n%s", diff)
			}
			var decoded schema.Completion
			if err := json.Unmarshal(doc, &decoded); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(record, string(decoded.Data.Records[0])); diff != "" {
				t.Errorf("record after the wire (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzACompletionIsEncodedAsByTheStandardLibrary(f *testing.F) {
	for _, record := range []string{
		`{"id":"1","net":0.10}`, " {\n\t\"a\" : [ 1 , \"b c\" ] }\r\n", "\"<&>\u2028\"", `"\"records\":[]"`,
		`"\\"`, `{"a":1,"a":2}`, `{`, `01`, `1 2`, ``, "\"\xff\"", `"\ud800"`,
	} {
		f.Add(record, `"records":[]`)
	}
	f.Fuzz(func(t *testing.T, record, text string) {
		c := completions()["succeeded"]
		c.Data.EndUserID = &text
		c.Data.Records = []json.RawMessage{json.RawMessage(record), json.RawMessage(record)}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		wrong := encoder.Encode(c)
		got, err := c.Encode()
		if (wrong == nil) != (err == nil) {
			t.Fatalf("Encode returns %v, encoding/json %v", err, wrong)
		}
		if diff := cmp.Diff(want.String(), string(got)+"\n"); err == nil && diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestARecordLosesOnlyWhiteSpaceBetweenTokens(t *testing.T) {
	record := json.RawMessage("{ \"a\" : [ 1.0 ,\n\t2 ] }")
	got, err := schema.EncodeRecords([]json.RawMessage{record})
	if err != nil || string(got) != `[{"a":[1.0,2]}]` {
		t.Errorf("EncodeRecords = %s, %v", got, err)
	}
}

func TestWhatIsNoJSONIsNotEncoded(t *testing.T) {
	for _, record := range []string{`{`, `{"a":01}`, `{"a":1}{"b":2}`, "\xff", `NaN`} {
		c := completions()["succeeded"]
		c.Data.Records = []json.RawMessage{json.RawMessage(record)}
		if doc, err := c.Encode(); err == nil || !strings.Contains(err.Error(), c.ID) {
			t.Errorf("Encode takes the record %q: %s, %v; want an error that names the completion",
				record, doc, err)
		}
		if doc, err := schema.EncodeRecords(c.Data.Records); err == nil {
			t.Errorf("EncodeRecords takes the record %q: %s", record, doc)
		}
	}
}

func TestNoRecordsAreAnEmptyList(t *testing.T) {
	for promise, test := range map[string]struct {
		change func(*schema.CompletionData)
		want   []string
		not    string
	}{
		"by default": {
			func(*schema.CompletionData) {},
			[]string{`"records":[]`, `"deleted":[]`, `"missing":[]`, `"error":null`},
			"records_ref",
		},
		"if there are no ids": {
			func(d *schema.CompletionData) {
				d.AccountID = nil
				d.EndUserID = nil
				d.RefreshedAt = nil
			},
			[]string{`"account_id":null`, `"end_user_id":null`, `"refreshed_at":null`},
			"records_ref",
		},
		"but not if they are in the object store": {
			func(d *schema.CompletionData) {
				d.Records = nil
				d.RecordsRef = &schema.RecordsRef{}
			},
			[]string{`"records_ref":{`},
			`"records":`,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			c := completions()["pending"]
			test.change(&c.Data)
			doc, err := c.Encode()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !bytes.Contains(doc, []byte(want)) {
					t.Errorf("there is no %s in %s", want, doc)
				}
			}
			if bytes.Contains(doc, []byte(test.not)) {
				t.Errorf("there is %s in %s", test.not, doc)
			}
		})
	}
}

func TestACompletionsTimesAreInUTC(t *testing.T) {
	zone := time.FixedZone("", -5*60*60)
	e := employmentAdded()
	e.OccurredAt = e.OccurredAt.In(zone)
	e.ReceivedAt = e.ReceivedAt.In(zone)
	c := schema.NewCompletion(e, schema.Employment, schema.Pending, e.ReceivedAt)
	for name, at := range map[string]time.Time{
		"time":        c.Time,
		"occurred_at": c.Data.Event.OccurredAt,
		"received_at": c.Data.Event.ReceivedAt,
	} {
		if at.Location() != time.UTC {
			t.Errorf("%s is %s", name, at)
		}
	}
}

func TestTheSubjectOfAPersonsCompletionHidesTheirID(t *testing.T) {
	e := schema.Event{
		Provider: schema.Pinwheel, ID: "e-1", Type: "verification_reports.refreshed",
		AccountID: "ann@example.com",
		Resource:  schema.VerificationReports, Action: schema.ActionRefreshed,
	}
	c := schema.NewCompletion(e, schema.VerificationReports, schema.Succeeded, time.Time{})
	if c.Subject != schema.HashToken("ann@example.com") {
		t.Errorf("subject = %s", c.Subject)
	}
}

func TestACompletionOfALaterVersionIsRead(t *testing.T) {
	for name, want := range completions() {
		t.Run(name, func(t *testing.T) {
			text, err := want.Encode()
			if err != nil {
				t.Fatal(err)
			}
			later := bytes.ReplaceAll(text, []byte(`":{"`), []byte(`":{"later":{"x":[1.50]},"`))
			later = append([]byte(`{"later":null,`), later[1:]...)
			var got schema.Completion
			if err := json.Unmarshal(later, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
