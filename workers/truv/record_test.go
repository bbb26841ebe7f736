package truv_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/truv"
)

// call is a way to the records of a link.
type call struct {
	name string
	// path and query are what it asks for, of the link linkID.
	path, query string
	template    string
	// inList makes a body of an object.
	inList bool
	// cuts are the members that no record has.
	cuts []string
	// records returns copies of the records.
	records func(context.Context, *truv.Client) ([]api.Record, error)
}

// linkID and employmentID would be other paths and parameters without an escape.
const (
	linkID       = "l/../1 ?#%"
	employmentID = "e&page=9"
	linkPath     = "/v1/links/l%2F..%2F1%20%3F%23%25/"
	linkTemplate = "/v1/links/{link_id}/"
)

func calls() []call {
	both := []string{"access_token", "bank_accounts"}
	return []call{
		{"employments", linkPath + "employments/", "", linkTemplate + "employments/", true, both,
			func(ctx context.Context, c *truv.Client) ([]api.Record, error) {
				return collect(c.Employments(ctx, linkID))
			}},
		{"identity", linkPath + "identity/", "", linkTemplate + "identity/", false, both,
			func(ctx context.Context, c *truv.Client) ([]api.Record, error) {
				got, err := c.Identity(ctx, linkID)
				return one(got, err)
			}},
		{"statements of an employment", linkPath + "statements/",
			"employment_id=e%26page%3D9&page_size=100&return_all_statements=true",
			linkTemplate + "statements/", true, both,
			func(ctx context.Context, c *truv.Client) ([]api.Record, error) {
				return collect(c.Statements(ctx, linkID, employmentID))
			}},
		{"statements of the newest employment", linkPath + "statements/",
			"page_size=100&return_all_statements=true", linkTemplate + "statements/", true, both,
			func(ctx context.Context, c *truv.Client) ([]api.Record, error) {
				return collect(c.Statements(ctx, linkID, ""))
			}},
		{"shifts", linkPath + "shifts/", "page_size=100", linkTemplate + "shifts/", true, both,
			func(ctx context.Context, c *truv.Client) ([]api.Record, error) {
				return collect(c.Shifts(ctx, linkID))
			}},
		{"bank accounts", linkPath + "bank_accounts/", "", linkTemplate + "bank_accounts/", true,
			[]string{"access_token"},
			func(ctx context.Context, c *truv.Client) ([]api.Record, error) {
				return collect(c.BankAccounts(ctx, linkID))
			}},
		{"report of the income", linkPath + "income/report/", "", linkTemplate + "income/report/",
			false, both, reportOf(truv.ProductIncome)},
		{"report of the employment", linkPath + "employment/report/", "",
			linkTemplate + "employment/report/", false, both, reportOf(truv.ProductEmployment)},
		{"report of a product in another case", linkPath + "employment/report/", "",
			linkTemplate + "employment/report/", false, both, reportOf("Employment")},
		{"report of no product", linkPath + "income/report/", "",
			linkTemplate + "income/report/", false, both, reportOf("")},
		{"report of an unknown product", linkPath + "income/report/", "",
			linkTemplate + "income/report/", false, both, reportOf("../x?")},
	}
}

func reportOf(p truv.Product) func(context.Context, *truv.Client) ([]api.Record, error) {
	return func(ctx context.Context, c *truv.Client) ([]api.Record, error) {
		got, err := c.Report(ctx, linkID, p)
		return one(got.Snapshot, err)
	}
}

// one returns a copy of a snapshot's record, and releases the snapshot.
func one(s api.Snapshot, err error) ([]api.Record, error) {
	defer s.Answer.Release()
	s.JSON = bytes.Clone(s.JSON)
	return []api.Record{s.Record}, err
}

// collect returns copies of the records of a list. A page's bytes are lost after the page.
func collect(pages iter.Seq2[api.Page, error]) (all []api.Record, err error) {
	for page, err := range pages {
		if err != nil {
			return all, err
		}
		for _, r := range page.Records {
			r.JSON = bytes.Clone(r.JSON)
			all = append(all, r)
		}
	}
	return all, nil
}

// body is an answer with the object.
func (c call) body(object string) string {
	if c.inList {
		return `[` + object + `]`
	}
	return object
}

func TestEveryCallAsksItsEndpoint(t *testing.T) {
	for _, call := range calls() {
		t.Run(call.name, func(t *testing.T) {
			var got *http.Request
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				respondWith(200, call.body(`{"id":"r1"}`))(w, r)
			})
			records, err := call.records(t.Context(), c)
			if err != nil || len(records) != 1 || records[0].ID != "r1" {
				t.Fatalf("%d records, error %v", len(records), err)
			}
			if got.Method != http.MethodGet || got.URL.Host != "truv.test" ||
				got.URL.EscapedPath() != call.path || got.URL.RawQuery != call.query {
				t.Errorf("asked %s %s", got.Method, got.URL)
			}
			for name, want := range map[string]string{
				"X-Access-Client-Id": "the-client",
				"X-Access-Secret":    "sandbox-secret",
				"Accept":             "application/json",
			} {
				if got.Header.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
				}
			}
		})
	}
}

func TestHasShiftsAsksForOne(t *testing.T) {
	for body, want := range map[string]bool{
		`{"count":9,"next":"x","results":[{"id":"s1"}]}`: true,
		`{"count":9,"next":null,"results":[]}`:           false,
		`[{"external_id":"s1"}]`:                         true,
		`[]`:                                             false,
		`{"count":0,"next":"x","results":[{"id":1},{"a":2}]}`: true,
	} {
		asked := 0
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			if r.URL.EscapedPath() != linkPath+"shifts/" || r.URL.RawQuery != "page_size=1" {
				t.Errorf("asked %s", r.URL)
			}
			respondWith(200, body)(w, r)
		})
		got, err := c.HasShifts(t.Context(), linkID)
		if err != nil || got != want || asked != 1 {
			t.Errorf("%s: %v after %d calls, want %v (error %v)", body, got, asked, want, err)
		}
	}
}

func TestAnIDThatIsNoSegmentOfAPathIsNotSent(t *testing.T) {
	c := client(t, func(http.ResponseWriter, *http.Request) { t.Error("a call") })
	for _, id := range []string{"", ".", ".."} {
		_, identity := c.Identity(t.Context(), id)
		_, report := c.Report(t.Context(), id, truv.ProductIncome)
		_, hasShifts := c.HasShifts(t.Context(), id)
		_, shifts := collect(c.Shifts(t.Context(), id))
		for _, err := range []error{identity, report, hasShifts, shifts} {
			if !errors.Is(err, api.ErrID) {
				t.Errorf("%q: error is %v", id, err)
			}
		}
	}
}

func TestARecordIsWhatTruvWroteWithoutWhatIsCutOut(t *testing.T) {
	const before = `{ "id":"r1",  "n":12345678901234567890.10, "e":1e400, "s":"\u00e9", "x":`
	for _, call := range calls() {
		for _, name := range []string{"access_token", "bank_accounts"} {
			for _, tt := range cuts {
				t.Run(call.name+", "+name+" "+tt.promise, func(t *testing.T) {
					inside, left := named(tt.before, name), named(tt.after, name)
					isCut := strings.Contains(strings.Join(call.cuts, " "), name)
					if !isCut {
						left = inside
					}
					c := client(t, respondWith(200, call.body(before+inside+"\n}")))
					got, err := call.records(t.Context(), c)
					if err != nil {
						t.Fatal(err)
					}
					if want := before + left + "\n}"; string(got[0].JSON) != want {
						t.Errorf("left is\n%s, want\n%s", got[0].JSON, want)
					}
				})
			}
		}
	}
}

// named returns a document of cuts with another name in the place of access_token, in every
// spelling.
func named(doc, name string) string {
	if name == "access_token" {
		return doc
	}
	return strings.NewReplacer("access_token", "bank_accounts", "Access_Token", "Bank_Accounts",
		`access\u005ftoken`, `bank\u005faccounts`, `ACCE\u017fS_TOKEN`, `BANK_ACCOUNT\u017f`,
	).Replace(doc)
}

func FuzzNoRecordHasWhatIsCutOut(f *testing.F) {
	for _, tt := range cuts {
		f.Add(tt.before)
		f.Add(named(tt.before, "bank_accounts"))
		f.Add(`{"results":[` + tt.before + `,{"id":"r","x":` + tt.before + `}]}`)
	}
	f.Fuzz(func(t *testing.T, body string) {
		c := client(t, respondWith(200, body))
		for _, call := range calls() {
			records, err := call.records(t.Context(), c)
			if err != nil {
				continue
			}
			for _, r := range records {
				var left any
				d := json.NewDecoder(bytes.NewReader(r.JSON))
				d.UseNumber()
				if err := d.Decode(&left); err != nil {
					t.Fatalf("%s: %v", r.JSON, err)
				}
				for _, name := range call.cuts {
					if holds(left, name) {
						t.Errorf("%s: %s is left in %s", call.name, name, r.JSON)
					}
				}
			}
		}
	})
}

// describe returns what a list yields, in short: the ids by page, and in brackets the error.
func describe(t *testing.T, pages iter.Seq2[api.Page, error]) string {
	t.Helper()
	var b strings.Builder
	ended := false
	for page, err := range pages {
		if ended {
			t.Error("something is yielded after an error")
		}
		if err != nil {
			ended = true
			why := err.Error()
			if c, ok := errors.AsType[*api.ContractError](err); ok {
				why = c.Why
			}
			fmt.Fprintf(&b, "(%s)", why)
			continue
		}
		for _, r := range page.Records {
			b.WriteString(r.ID + ".")
		}
		b.WriteString("|")
	}
	return b.String()
}

func TestPages(t *testing.T) {
	const (
		elsewhere = `"https://elsewhere.invalid/v1/link/0000000000/shifts?page=7"`
		gone      = "get /v1/links/{link_id}/shifts/: status 404"
	)
	tests := []struct {
		promise string
		// pages are the answers to page 1, 2, and so on. Any other page is answered 404.
		pages []string
		want  string
		calls int
	}{
		{"a list ends without a next page",
			[]string{`{"count":2,"next":null,"previous":null,"results":[{"id":"a"},{"id":"b"}]}`},
			"a.b.|", 1},
		{"or without a word of it", []string{`{"results":[{"id":"a"}]}`}, "a.|", 1},
		{"or with an empty one", []string{`{"next":"","results":[{"id":"a"}]}`}, "a.|", 1},
		{"or with false", []string{`{"next":false,"results":[{"id":"a"}]}`}, "a.|", 1},
		{"a list may be empty", []string{`{"count":0,"next":null,"results":[]}`}, "|", 1},
		{"a bare array is a list of one page", []string{` [{"id":"a"},{"id":"b"}] `}, "a.b.|", 1},
		{"and may be empty", []string{`[]`}, "|", 1},
		{"results that are null are none", []string{`{"count":0,"next":null,"results":null}`},
			"|", 1},
		{"the address of the next page is not followed: the next number is asked for",
			[]string{
				`{"count":3,"next":` + elsewhere + `,"results":[{"id":"a"}]}`,
				`{"count":3,"next":` + elsewhere + `,"results":[{"id":"b"}]}`,
				`{"count":3,"next":null,"results":[{"id":"c"}]}`,
			}, "a.|b.|c.|", 3},
		{"a next page of another type is a next page",
			[]string{`{"next":2,"results":[{"id":"a"}]}`, `{"results":[{"id":"b"}]}`},
			"a.|b.|", 2},
		{"the members come in any order",
			[]string{`{"results":[{"id":"a"}],"next":"x"}`, `{"results":[{"id":"b"}]}`},
			"a.|b.|", 2},
		{"a count that lies is no end",
			[]string{`{"count":0,"next":"x","results":[{"id":"a"}]}`, `{"results":[{"id":"b"}]}`},
			"a.|b.|", 2},
		{"nor is one that is less than nothing",
			[]string{`{"count":-9,"next":"x","results":[{"id":"a"}]}`, `{"results":[{"id":"b"}]}`},
			"a.|b.|", 2},
		{"and no more pages", []string{`{"count":999,"next":null,"results":[{"id":"a"}]}`},
			"a.|", 1},
		{"and may be of another type", []string{`{"count":"many","results":[{"id":"a"}]}`},
			"a.|", 1},
		{"a page behind the last is the end, if nothing is missing",
			[]string{`{"count":1,"next":"x","results":[{"id":"a"}]}`}, "a.||", 2},
		{"or if the count is not known", []string{`{"next":"x","results":[{"id":"a"}]}`},
			"a.||", 2},
		{"a list that became shorter between two calls is not whole",
			[]string{`{"count":2,"next":"x","results":[{"id":"a"}]}`}, "a.|(" + gone + ")", 2},
		{"a link that is not there is no empty list", nil, "(" + gone + ")", 1},
		{"records need no ids", []string{`[{"external_id":"x"},{"id":null},{"id":7},{}]`},
			"....|", 1},

		{"the same page for every number ends in an error",
			[]string{
				`{"count":9,"next":"x","results":[{"id":"a","file":"signed-1"}]}`,
				`{"count":9,"next":"x","results":[{"id":"a","file":"signed-2"}]}`,
			}, "a.|(a page came twice)", 2},
		{"so do the same records without ids",
			[]string{
				`{"next":"x","results":[{"n":"1"},{"n":"2"}]}`,
				`{"next":"x","results":[{"n":"1"},{"n":"2"}]}`,
			}, "..|(a page came twice)", 2},
		{"and empty pages without an end",
			[]string{`{"next":"x","results":[]}`, `{"next":"x","results":[]}`},
			"|(a page came twice)", 2},
		{"the same page after every record is the end, because the number was beyond it",
			[]string{
				`{"count":2,"next":"x","results":[{"id":"a"},{"id":"b"}]}`,
				`{"count":2,"next":"x","results":[{"id":"a"},{"id":"b"}]}`,
			}, "a.b.||", 2},
		{"also if only the first page had the count",
			[]string{
				`{"count":1,"next":"x","results":[{"id":"a"}]}`,
				`{"next":"x","results":[{"id":"a"}]}`,
			}, "a.||", 2},
		{"but not if the list has grown meanwhile",
			[]string{
				`{"count":1,"next":"x","results":[{"id":"a"}]}`,
				`{"count":2,"next":"x","results":[{"id":"a"}]}`,
			}, "a.|(a page came twice)", 2},
		{"a record that moved to the next page is none",
			[]string{
				`{"next":"x","results":[{"id":"a"},{"id":"b"}]}`,
				`{"results":[{"id":"b"},{"id":"c"}]}`,
			}, "a.b.|b.c.|", 2},
		{"an array as a later page is the last page",
			[]string{`{"next":"x","results":[{"id":"a"}]}`, `[{"id":"b"}]`}, "a.|b.|", 2},

		{"null breaks the contract", []string{`null`}, "(not a list with results)", 1},
		{"so does a number", []string{`7`}, "(not a list with results)", 1},
		{"and an object without results", []string{`{"id":"a"}`}, "(not a list with results)", 1},
		{"and results that are an object", []string{`{"results":{"id":"a"}}`},
			"(not a list with results)", 1},
		{"and a null in the list", []string{`[{"id":"a"},null]`}, "(a record is no object)", 1},
		{"and a text in the results", []string{`{"results":["a",{"id":"b"}],"next":"x"}`},
			"(a record is no object)", 1},
		{"and a list in the list", []string{`[[{"id":"a"}]]`}, "(a record is no object)", 1},
		{"and HTML", []string{`<html>CANARY`}, "(the body is not JSON)", 1},
		{"a later page breaks it as well",
			[]string{`{"next":"x","results":[{"id":"a"}]}`, `{}`},
			"a.|(not a list with results)", 2},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			asked := 0
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				if r.URL.Host != "truv.test" || r.URL.EscapedPath() != linkPath+"shifts/" ||
					r.URL.Query().Get("page_size") != "100" {
					t.Errorf("asked %s", r.URL)
				}
				number := 1
				if r.URL.Query().Has("page") {
					number, _ = strconv.Atoi(r.URL.Query().Get("page"))
				}
				if number > len(tt.pages) {
					respondWith(404, `{"detail":"Invalid page."}`)(w, r)
					return
				}
				respondWith(200, tt.pages[number-1])(w, r)
			})
			got := describe(t, c.Shifts(t.Context(), linkID))
			if got != tt.want || asked != tt.calls {
				t.Errorf("yields %s after %d calls, want %s after %d", got, asked, tt.want, tt.calls)
			}
		})
	}
}

func TestAPageSaysTheNewestTotalOfItsList(t *testing.T) {
	for _, row := range []struct {
		promise string
		pages   []string
		want    []int
	}{
		{"as the page itself", []string{`{"count":3,"results":[]}`}, []int{3}},
		{"as each page in its turn",
			[]string{`{"count":3,"next":"x","results":[{"id":"a"}]}`, `{"count":2,"results":[]}`},
			[]int{3, 2}},
		{"as the page before, if the page does not say it",
			[]string{`{"count":3,"next":"x","results":[{"id":"a"}]}`, `[]`}, []int{3, 3}},
		{"unknown in an array", []string{`[{"id":"a"}]`}, []int{0}},
		{"unknown for a number of another type", []string{`{"count":"3","results":[]}`}, []int{0}},
		{"behind the last page, as before",
			[]string{`{"count":1,"next":"x","results":[{"id":"a"}]}`}, []int{1, 1}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				number := 1
				if r.URL.Query().Has("page") {
					number, _ = strconv.Atoi(r.URL.Query().Get("page"))
				}
				if number > len(row.pages) {
					respondWith(404, `{"detail":"Invalid page."}`)(w, r)
					return
				}
				respondWith(200, row.pages[number-1])(w, r)
			})
			var got []int
			for page, err := range c.Shifts(t.Context(), linkID) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Total)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAListThatIsDocumentedWithoutPagesMayHavePages(t *testing.T) {
	var asked []string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		body := `{"count":2,"next":"x","results":[{"id":"a"}]}`
		if r.URL.Query().Get("page") == "2" {
			body = `{"count":2,"next":null,"results":[{"id":"b"}]}`
		}
		respondWith(200, body)(w, r)
	})
	if got := describe(t, c.Employments(t.Context(), "l1")); got != "a.|b.|" {
		t.Errorf("yields %s", got)
	}
	want := []string{"/v1/links/l1/employments/", "/v1/links/l1/employments/?page=2"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAListHasAThousandPagesAndNoMore(t *testing.T) {
	for _, length := range []int{1000, 1001} {
		calls := 0
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			calls++
			next := `"x"`
			if calls == length {
				next = "null"
			}
			respondWith(200, fmt.Sprintf(`{"next":%s,"results":[{"id":"%d"}]}`, next, calls))(w, r)
		})
		records, err := collect(c.Shifts(t.Context(), "l1"))
		why := ""
		if broken, ok := errors.AsType[*api.ContractError](err); ok {
			why = broken.Why
		}
		want := ""
		if length > 1000 {
			want = "over 1000 pages"
		}
		if calls != 1000 || len(records) != 1000 || why != want {
			t.Errorf("a list of %d pages: %d calls, %d records, error %v", length, calls,
				len(records), err)
		}
	}
}

func TestAListCanBeReadAgain(t *testing.T) {
	c := client(t, respondWith(200, `{"next":null,"results":[{"id":"a"}]}`))
	pages := c.Shifts(t.Context(), "l1")
	for range 2 {
		if got := describe(t, pages); got != "a.|" {
			t.Errorf("yields %s", got)
		}
	}
}

func TestARecordHasItsIDAndPayDate(t *testing.T) {
	c := client(t, respondWith(200, `[{"id":"s1","pay_date":"2018-05-15","x":{"id":"other"}},
		{"pay_date":20180515}]`))
	got, err := collect(c.Statements(t.Context(), "l1", "e1"))
	want := []api.Record{
		{ID: "s1", PayDate: "2018-05-15",
			JSON: []byte(`{"id":"s1","pay_date":"2018-05-15","x":{"id":"other"}}`)},
		{JSON: []byte(`{"pay_date":20180515}`)},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestWhatIsNoObjectBreaksTheContract(t *testing.T) {
	for _, call := range calls() {
		if call.inList {
			continue
		}
		for body, why := range map[string]string{
			`[{"id":"CANARY"}]`: "a record is no object",
			`null`:              "a record is no object",
			`"CANARY"`:          "a record is no object",
			`<html>CANARY`:      "the body is not JSON",
			`{"ssn":"CANARY`:    "the body is not JSON",
		} {
			_, err := call.records(t.Context(), client(t, respondWith(200, body)))
			broken, ok := errors.AsType[*api.ContractError](err)
			if !ok || broken.Why != why || broken.Endpoint != call.template ||
				strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s, %s: error is %v, want %s", call.name, body, err, why)
			}
		}
	}
}

func TestEveryCallReturnsTheStatusOfARefusalWithoutItsText(t *testing.T) {
	const quoting = `{"error":{"code":"CANARY","message":"CANARY 123-45-6789"},"detail":"CANARY"}`
	for _, call := range calls() {
		for _, status := range []int{400, 403, 404, 409, 410, 422, 429} {
			for _, body := range []string{quoting, `<html>CANARY</html>`} {
				c := client(t, respondWith(status, body))
				_, err := call.records(t.Context(), c)
				got, ok := errors.AsType[*api.StatusError](err)
				if !ok || got.Status != status || got.Endpoint != call.template {
					t.Errorf("%s, %d: error is %v", call.name, status, err)
					continue
				}
				text := fmt.Sprint(err) + got.Code + got.Type
				if strings.Contains(text, "CANARY") || strings.Contains(text, "6789") {
					t.Errorf("%s, %d: the error says %s", call.name, status, text)
				}
			}
		}
	}
}

func TestEveryCallGivesItsMemoryBack(t *testing.T) {
	for _, call := range calls() {
		for _, body := range []string{
			call.body(`{"id":"r1"}`), call.body(`7`), `{"next":"x","results":[{"id":"a"}]}`,
		} {
			memory := api.NewMemory(api.MemoryMin)
			config := config(respondWith(200, body))
			config.Answers = memory
			c, err := truv.New(config)
			if err != nil {
				t.Fatal(err)
			}
			_, err = call.records(t.Context(), c)
			if now, peak := memory.Held(); now != 0 || peak == 0 {
				t.Errorf("%s, %s: holds %d of %d bytes (error %v)", call.name, body, now, peak, err)
			}
		}
	}
}

// shiftsOf is a page with so many shifts, without a next page.
func shiftsOf(count int) []byte {
	var page bytes.Buffer
	page.WriteString(`{"count":1,"next":null,"previous":null,"results":[`)
	for i := range count {
		if i > 0 {
			page.WriteByte(',')
		}
		fmt.Fprintf(&page, `{"id":"shift-%d","external_id":"x-%d","start_date":"2022-06-07",`+
			`"end_date":"2022-06-07","type":"shift","time_entries":[{"external_id":"t-%d",`+
			`"entry_date":"2022-06-07","start":"2022-06-07T08:00:00Z",`+
			`"end":"2022-06-07T16:00:00Z"}],"earnings":[{"name":"Regular","amount":"1935.77",`+
			`"category":"regular","rate":null,"units":null}]}`, i, i, i)
	}
	page.WriteString(`]}`)
	return page.Bytes()
}

// A list is cut and read without a value for each field. What is left is the id of each record.
func TestARecordOfAListCostsFewAllocations(t *testing.T) {
	read := func(count int) float64 {
		body := shiftsOf(count)
		c := client(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
		return testing.AllocsPerRun(20, func() {
			for page, err := range c.Shifts(t.Context(), "l1") {
				if err != nil || len(page.Records) != count {
					t.Fatalf("%d records: %v", len(page.Records), err)
				}
			}
		})
	}
	const most = 2
	if each := (read(1000) - read(1)) / 999; each > most {
		t.Errorf("%.1f allocations for each shift, want %d at most", each, most)
	}
}

// BenchmarkShifts reads a page of 16 MiB, beside what the standard library takes to check it.
func BenchmarkShifts(b *testing.B) {
	body := shiftsOf(40_000)
	b.Run("ours", func(b *testing.B) {
		c, err := truv.New(config(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(body)
		}))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			for _, err := range c.Shifts(b.Context(), "l1") {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("valid", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if !json.Valid(body) {
				b.Fatal("not JSON")
			}
		}
	})
}
