package fetch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/api/pace/pacetest"
	"github.com/wagewire/wagewire/workers/fetch"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// listed answers every call with a page of a list that was made before.
type listed map[string][]byte

// RoundTrip answers without a socket.
func (l listed) RoundTrip(r *http.Request) (*http.Response, error) {
	body := l[r.URL.Query().Get("cursor")]
	return &http.Response{
		StatusCode:    http.StatusOK,
		ProtoMajor:    1,
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
		Request:       r,
	}, nil
}

// ofSample matches the id of a sample, and of the objects in it.
var ofSample = regexp.MustCompile(`"id":"[^"]*"`)

// listOf returns count records of a kind of Pinwheel's, a hundred on a page, as Pinwheel writes
// them: the published sample, each with an id of its own.
func listOf(t testing.TB, kind string, count int) listed {
	t.Helper()
	sample, ok := jsonschema.RecordSample(schema.Pinwheel, kind)
	if !ok {
		t.Fatalf("no sample of a %s", kind)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, sample); err != nil {
		t.Fatal(err)
	}
	pages := listed{}
	cursor := ""
	for at := 0; at < count; at += 100 {
		var page bytes.Buffer
		page.WriteString(`{"data":[`)
		for i := at; i < min(at+100, count); i++ {
			if i > at {
				page.WriteByte(',')
			}
			id := fmt.Appendf(nil, `"id":"record-%d"`, i)
			page.Write(ofSample.ReplaceAll(compact.Bytes(), id))
		}
		next := fmt.Sprintf("after-%d", at)
		if at+100 >= count {
			next = ""
		}
		fmt.Fprintf(&page, `],"meta":{"count":100,"next_cursor":%q}}`, next)
		pages[cursor] = page.Bytes()
		cursor = next
	}
	return pages
}

// BenchmarkList compares a list's way from the answer to the text of the completion with the least
// program that could decode the list.
func BenchmarkList(b *testing.B) {
	for _, row := range []struct {
		name     string
		kind     string
		count    int
		resource schema.Resource
	}{
		{"90 shifts", "shift", 90, schema.Shifts},
		{"31 paystubs", "paystub", 31, schema.Paystubs},
		{"250 paystubs", "paystub", 250, schema.Paystubs},
	} {
		pages := listOf(b, row.kind, row.count)
		b.Run(row.name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			handler := fetch.PinwheelHandlers[row.resource](pages.client(b))
			for b.Loop() {
				completeList(b, handler, row.resource, row.count)
			}
		})
		b.Run(row.name+"/least", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := leastList(pages); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A worker reads a list without a copy of a page and without a value for each field. What is left
// is the copy of each record, its id and its date, and the call itself.
func TestARecordOfAListCostsFewAllocations(t *testing.T) {
	for _, row := range []struct {
		kind     string
		count    int
		resource schema.Resource
	}{
		{"shift", 90, schema.Shifts},
		{"paystub", 90, schema.Paystubs},
	} {
		t.Run(row.kind, func(t *testing.T) {
			newHandler := fetch.PinwheelHandlers[row.resource]
			handler := newHandler(listOf(t, row.kind, row.count).client(t))
			one := newHandler(listOf(t, row.kind, 1).client(t))
			all := testing.AllocsPerRun(20, func() {
				completeList(t, handler, row.resource, row.count)
			})
			call := testing.AllocsPerRun(20, func() { completeList(t, one, row.resource, 1) })
			const most = 4
			if each := (all - call) / float64(row.count-1); each > most {
				t.Errorf("%.1f allocations for each %s, want %d at most", each, row.kind, most)
			}
		})
	}
}

// client returns a client of the provider.
func (l listed) client(t testing.TB) *pinwheel.Client {
	t.Helper()
	pacer, err := pace.New(pace.Config{RatePerS: 1e9, Store: &pacetest.Store{}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := pinwheel.New(pinwheel.Config{Version: "2025-07-08", Config: api.Config{
		URL:       "https://api.example",
		Secrets:   func() ([]string, error) { return []string{"sekret"}, nil },
		Pace:      pacer,
		Transport: l,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// completeList fetches a list, and makes the text of its completion.
func completeList(t testing.TB, handler workers.Handler, r schema.Resource, count int) {
	t.Helper()
	job := job(r, schema.ActionFullySynced, workers.Payload{})
	if _, err := handler.Fetch(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	c := schema.NewCompletion(job.Event, r, schema.Succeeded, time.Now())
	c.Data.Records = job.Records.InMemory()
	if _, err := c.Encode(); err != nil || len(c.Data.Records) != count {
		t.Fatalf("%d records, want %d: %v", len(c.Data.Records), count, err)
	}
}

// leastList reads all pages, knows each record by its id, and puts the records into one text.
func leastList(pages listed) error {
	var all []json.RawMessage
	known := map[string]bool{}
	for cursor, more := "", true; more; more = cursor != "" {
		u := &url.URL{RawQuery: "cursor=" + cursor}
		resp, err := pages.RoundTrip(&http.Request{URL: u})
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		var page struct {
			Data []json.RawMessage
			Meta struct {
				NextCursor string `json:"next_cursor"`
			}
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return err
		}
		for _, record := range page.Data {
			var named struct{ ID string }
			if err := json.Unmarshal(record, &named); err != nil {
				return err
			}
			if !known[named.ID] {
				known[named.ID] = true
				all = append(all, record)
			}
		}
		cursor = page.Meta.NextCursor
	}
	_, err := json.Marshal(map[string]any{"records": all})
	return err
}
