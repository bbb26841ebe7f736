package pinwheel_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wagewire/wagewire/workers/api"
)

// bodies are answers in which a fast reader and encoding/json could differ.
var bodies = []string{
	`{"data":[{"id":"a","pay_date":"2026-01-09"},{"id":"b"}],"meta":{"next_cursor":"c"}}`,
	`{"meta":{"refreshed_at":"2026-01-12T02:36:02Z"},"data":{"id":"a","refreshed_at":"2026-01-12 02:36:02Z"}}`,
	` { "data" : [ { "id" : "a" , "x" : [ { "id" : "b" } , "]" ] } ] , "meta" : null } `,
	`{"data":[{"ID":"a","Pay_Date":"d"},{"Id":"b","id":"c","iD":null}]}`,
	`{"data":[{"i\u0064":"\u0061\"\ud800","pay_date":null}],"d\u0061ta":[{"id":"z"}]}`,
	"{\"data\":{\"id\":\"a\",\"refre\u017fhed_at\":\"2026-01-12T02:36:02Z\"}}",
	`{"data":[{"id":1}],"data":[{"id":"a"}]}`, `{"data":[{"id":"a"}],"data":[{"id":1}]}`,
	`{"data":[{"id":"a"},7]}`, `{"data":[[]]}`, `{"data":[null]}`, `{"data":[{}]}`, `{"data":[]}`,
	`{"data":{"id":"a","pay_date":5}}`, `{"data":{"id":"a","id":null}}`, `{"data":"a"}`, `{}`,
	`{"Data":[{"id":"a"}]}`, `{"data":[{"id":"a"}],"meta":7}`, `{"data":[{"id":"a"}],"meta":{"next_cursor":7}}`,
	`{"data":[{"id":"a","x":"\\"},{"id":"\\\"b"}]}`, `[]`, `null`, `7`, `"data"`, `{"data":`, "\xff",
	"{\"data\":[{\"id\":\"\xff\"}]}",
}

// plainRecord reads a record as encoding/json does.
func plainRecord(raw json.RawMessage) (api.Snapshot, bool) {
	var known struct {
		ID          string
		PayDate     string    `json:"pay_date"`
		RefreshedAt api.Stamp `json:"refreshed_at"`
	}
	ok := json.Unmarshal(raw, &known) == nil && known.ID != ""
	return api.Snapshot{
		Record:      api.Record{ID: known.ID, PayDate: known.PayDate, JSON: raw},
		RefreshedAt: known.RefreshedAt.Time,
	}, ok
}

// plainEnvelope reads data, and the time in meta, as encoding/json does. Of two members with a name
// the last counts, and each meta must have the right shape.
func plainEnvelope(body []byte) (data json.RawMessage, refreshedAt time.Time, ok bool) {
	if !json.Valid(body) || !utf8.Valid(body) || bytes.TrimLeft(body, " \t\r\n")[0] != '{' {
		return nil, time.Time{}, false
	}
	var m struct {
		RefreshedAt api.Stamp `json:"refreshed_at"`
		NextCursor  string    `json:"next_cursor"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		_ = d.Decode(&value)
		switch name {
		case "data":
			data = value
		case "meta":
			if json.Unmarshal(value, &m) != nil {
				return nil, time.Time{}, false
			}
		}
	}
	return data, m.RefreshedAt.Time, true
}

func plainSnapshot(body []byte) (api.Snapshot, bool) {
	data, refreshedAt, ok := plainEnvelope(body)
	if !ok {
		return api.Snapshot{}, false
	}
	s, ok := plainRecord(data)
	if !refreshedAt.IsZero() {
		s.RefreshedAt = refreshedAt
	}
	return s, ok
}

func plainList(body []byte) (records []api.Record, ok bool) {
	data, _, ok := plainEnvelope(body)
	if !ok || len(data) == 0 || data[0] != '[' {
		return nil, false
	}
	var all []json.RawMessage
	if json.Unmarshal(data, &all) != nil {
		return nil, false
	}
	for _, raw := range all {
		s, ok := plainRecord(raw)
		if !ok {
			return nil, false
		}
		records = append(records, s.Record)
	}
	return records, true
}

func FuzzAnAnswerIsReadAsByTheStandardLibrary(f *testing.F) {
	for _, body := range bodies {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Count(body, "[")+strings.Count(body, "{") > api.DepthMax {
			return // another test is about the depth
		}
		c := client(t, respondWith(body))
		got, err := c.Income(t.Context(), "acc")
		want, ok := plainSnapshot([]byte(body))
		if ok != (err == nil) {
			t.Fatalf("a snapshot: the error is %v, and encoding/json reads it: %t", err, ok)
		}
		ignored := cmpopts.IgnoreTypes(api.Answer{})
		if diff := cmp.Diff(want, got, ignored); ok && diff != "" {
			t.Errorf("a snapshot (-want +got):\n%s", diff)
		}
		for page, err := range c.Shifts(t.Context(), "acc", "") {
			want, ok := plainList([]byte(body))
			if ok != (err == nil) {
				t.Fatalf("a list: the error is %v, and encoding/json reads it: %t", err, ok)
			}
			if diff := cmp.Diff(want, page.Records); ok && diff != "" {
				t.Errorf("a list (-want +got):\n%s", diff)
			}
			break
		}
	})
}
