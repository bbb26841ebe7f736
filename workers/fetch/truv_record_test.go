package fetch_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/fetch"
	"github.com/wagewire/wagewire/workers/truv"
)

// truvAPI is Truv's API of one link, without a socket.
type truvAPI struct {
	// pages are the answers to page 1, 2, and so on of a path below the link. A page without an
	// answer is 404.
	pages map[string][]string
	// statuses are answered to their paths instead of data.
	statuses map[string]int

	mu    sync.Mutex
	calls []string
}

// RoundTrip answers the call.
func (a *truvAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	path, _ := strings.CutPrefix(r.URL.RequestURI(), "/v1/links/"+link+"/")
	a.mu.Lock()
	a.calls = append(a.calls, path)
	a.mu.Unlock()
	path, _, _ = strings.Cut(path, "?")
	number, _ := strconv.Atoi(r.URL.Query().Get("page"))
	status, body := http.StatusNotFound, `{"detail":"Not Found."}`
	if pages := a.pages[path]; max(number, 1) <= len(pages) {
		status, body = http.StatusOK, pages[max(number, 1)-1]
	}
	if refused := a.statuses[path]; refused != 0 {
		status, body = refused, `{"error":{"code":"said","message":"Canary"}}`
	}
	return &http.Response{
		StatusCode: status, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// asked returns the calls: what comes after the link in their addresses.
func (a *truvAPI) asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

func (a *truvAPI) client(t *testing.T) *truv.Client {
	t.Helper()
	config := (&provider{T: t}).config()
	config.Transport = a
	c, err := truv.New(truv.Config{Config: config, ClientID: "client"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// truvJob is a webhook of Truv's in a worker's hands. members are those that the type has beside
// the link's id.
func truvJob(t *testing.T, r schema.Resource, name, members string) workers.Job {
	t.Helper()
	row := schema.Lookup(schema.Truv, name)
	e := schema.Event{
		Provider: schema.Truv, ID: "e", Type: name, Resource: row.Resource, Action: row.Action,
		AccountID: link, Body: []byte(`{"link_id":"` + link + `"` + members + `}`),
	}
	payload, err := fetch.DecodeTruv(e)
	if err != nil {
		t.Fatal(err)
	}
	return workers.Job{Event: e, Payload: payload, Attempt: 1,
		Records: workers.NewRecords(nil, e, r, nil)}
}

// Paths below a link, with the parameters of a first page.
const (
	askEmployments = "employments/"
	askIdentity    = "identity/"
	askStatements  = "statements/?page_size=100&return_all_statements=true"
	askOfEmp1      = "statements/?employment_id=emp-1&page_size=100&return_all_statements=true"
	askOfEmp2      = "statements/?employment_id=emp-2&page_size=100&return_all_statements=true"
	askShifts      = "shifts/?page_size=100"
	askAccounts    = "bank_accounts/"
)

// attempted is when the attempt at a job of these tests began. Truv's data is as new, whatever the
// time of the event.
var attempted = announced.Add(time.Minute)

func TestTruvsRecords(t *testing.T) {
	const (
		ofEmp1 = `,"object_id":"emp-1"`
		gone   = http.StatusNotFound
	)
	snapshot := workers.Fetched{Scope: schema.Snapshot, DataAt: attempted}
	delta := workers.Fetched{Scope: schema.Delta, DataAt: attempted}
	staleSnapshot := workers.Fetched{Scope: schema.Snapshot, Stale: true, DataAt: attempted}
	staleDelta := workers.Fetched{Scope: schema.Delta, Stale: true, DataAt: attempted}
	lacks := func(id string) workers.Fetched {
		return workers.Fetched{
			Scope: schema.Snapshot, Missing: []string{id}, DataAt: attempted,
		}
	}
	for _, row := range []struct {
		promise  string
		resource schema.Resource
		name     string
		members  string
		pages    map[string][]string
		statuses map[string]int
		want     workers.Fetched
		records  []string
		asked    []string
		status   int
	}{
		{promise: "employments: all of the link, as Truv wrote them, without what is secret",
			resource: schema.Employment, name: "employment-created", members: ofEmp1,
			pages: map[string][]string{"employments/": {`[ {"id":"emp-2","access_token":"s"},
				{"id":"emp-1", "income":"70000.10","n":0.10,"bank_accounts":[{"a":"1"}]} ]`}},
			want:    snapshot,
			records: []string{`{"id":"emp-2"}`, `{"id":"emp-1", "income":"70000.10","n":0.10}`},
			asked:   []string{askEmployments}},
		{promise: "employments: an update needs nothing of the creation before it",
			resource: schema.Employment, name: "employment-updated", members: ofEmp1,
			pages: map[string][]string{"employments/": {`[{"id":"emp-1"}]`}},
			want:  snapshot, records: []string{`{"id":"emp-1"}`}, asked: []string{askEmployments}},
		{promise: "employments: one that is gone is missing, and the others stay",
			resource: schema.Employment, name: "employment-updated", members: ofEmp1,
			pages: map[string][]string{"employments/": {`[{"id":"emp-2"}]`}},
			want:  lacks("emp-1"), records: []string{`{"id":"emp-2"}`},
			asked: []string{askEmployments}},
		{promise: "employments: no employment at all is an empty snapshot",
			resource: schema.Employment, name: "employment-updated", members: ofEmp1,
			pages: map[string][]string{"employments/": {`[]`}},
			want:  lacks("emp-1"), asked: []string{askEmployments}},
		{promise: "employments: a webhook that names none misses none",
			resource: schema.Employment, name: "employment-created", members: `,"object_id":null`,
			pages: map[string][]string{"employments/": {`[{"id":"emp-2"},{"job_title":"x"}]`}},
			want:  snapshot, records: []string{`{"id":"emp-2"}`, `{"job_title":"x"}`},
			asked: []string{askEmployments}},
		{promise: "employments: pages in the place of the array, and a record on two pages once",
			resource: schema.Employment, name: "employment-created", members: ofEmp1,
			pages: map[string][]string{"employments/": {
				`{"count":3,"next":"https://elsewhere.invalid/","results":[{"id":"a"},{"id":"b"}]}`,
				`{"count":3,"next":null,"results":[{"id":"b"},{"id":"emp-1"}]}`,
			}},
			want: snapshot, records: []string{`{"id":"a"}`, `{"id":"b"}`, `{"id":"emp-1"}`},
			asked: []string{askEmployments, "employments/?page=2"}},
		{promise: "employments: fewer than the list counts are stale, and still all there is",
			resource: schema.Employment, name: "employment-created", members: ofEmp1,
			pages: map[string][]string{"employments/": {
				`{"count":2,"next":null,"results":[{"id":"emp-1"}]}`,
			}},
			want: staleSnapshot, records: []string{`{"id":"emp-1"}`},
			asked: []string{askEmployments}},
		{promise: "employments: a link that is gone is the provider's answer",
			resource: schema.Employment, name: "employment-created", members: ofEmp1,
			status: gone, asked: []string{askEmployments}},
		{promise: "income: the same records, because an employment has the income from it",
			resource: schema.Income, name: "employment-created", members: ofEmp1,
			pages: map[string][]string{"employments/": {`[{"id":"emp-1","income":"1.10"}]`}},
			want:  snapshot, records: []string{`{"id":"emp-1","income":"1.10"}`},
			asked: []string{askEmployments}},
		{promise: "income: a missing employment is missing here, too",
			resource: schema.Income, name: "employment-updated", members: ofEmp1,
			pages: map[string][]string{"employments/": {`[]`}},
			want:  lacks("emp-1"), asked: []string{askEmployments}},

		{promise: "identity: the profile of the link",
			resource: schema.Identity, name: "profile-created", members: `,"object_id":"p1"`,
			pages: map[string][]string{"identity/": {
				`{"id":"p1","ssn":"6789","access_token":"s"}`,
			}},
			want: snapshot, records: []string{`{"id":"p1","ssn":"6789"}`},
			asked: []string{askIdentity}},
		{promise: "identity: another profile than the named one misses the named one",
			resource: schema.Identity, name: "profile-updated", members: `,"object_id":"p1"`,
			pages: map[string][]string{"identity/": {`{"id":"p2"}`}},
			want:  lacks("p1"), records: []string{`{"id":"p2"}`}, asked: []string{askIdentity}},
		{promise: "identity: a profile without an id is the one",
			resource: schema.Identity, name: "profile-updated", members: `,"object_id":"p1"`,
			pages: map[string][]string{"identity/": {`{"full_name":"x"}`}},
			want:  snapshot, records: []string{`{"full_name":"x"}`}, asked: []string{askIdentity}},
		{promise: "identity: 403 for one link is the provider's answer",
			resource: schema.Identity, name: "profile-created",
			statuses: map[string]int{"identity/": 403}, status: 403, asked: []string{askIdentity}},

		{promise: "statements: those of one employment add to those of another",
			resource: schema.Paystubs, name: "statements-created",
			members: `,"employment_id":"emp-2","objects_count":2`,
			pages:   map[string][]string{"statements/": {`{"results":[{"id":"s1"},{"id":"s2"}]}`}},
			want:    delta, records: []string{`{"id":"s1"}`, `{"id":"s2"}`},
			asked: []string{askOfEmp2}},
		{promise: "statements: every page, and one that moved to the next page once",
			resource: schema.Paystubs, name: "statements-updated",
			members: `,"employment_id":"emp-1","objects_count":3`,
			pages: map[string][]string{"statements/": {
				`{"count":3,"next":"x","results":[{"id":"s1"},{"id":"s2"}]}`,
				`{"count":3,"next":null,"results":[{"id":"s2"},{"id":"s3"}]}`,
			}},
			want:    delta,
			records: []string{`{"id":"s1"}`, `{"id":"s2"}`, `{"id":"s3"}`},
			asked: []string{askOfEmp1,
				"statements/?employment_id=emp-1&page=2&page_size=100&return_all_statements=true"}},
		{promise: "statements: fewer than announced are stale",
			resource: schema.Paystubs, name: "statements-created",
			members: `,"employment_id":"emp-1","objects_count":3`,
			pages: map[string][]string{"statements/": {
				`{"count":3,"next":"x","results":[{"id":"s1"},{"id":"s2"}]}`, `{"results":[{"id":"s2"}]}`,
			}},
			want: staleDelta, records: []string{`{"id":"s1"}`, `{"id":"s2"}`},
			asked: []string{askOfEmp1,
				"statements/?employment_id=emp-1&page=2&page_size=100&return_all_statements=true"}},
		{promise: "statements: fewer than the list itself counts are stale",
			resource: schema.Paystubs, name: "statements-created",
			members: `,"employment_id":"emp-1"`,
			pages: map[string][]string{"statements/": {
				`{"count":2,"next":null,"results":[{"id":"s1"}]}`,
			}},
			want: staleDelta, records: []string{`{"id":"s1"}`}, asked: []string{askOfEmp1}},
		{promise: "statements: of the newest employment, if the webhook names none",
			resource: schema.Paystubs, name: "statements-created", members: `,"objects_count":1`,
			pages: map[string][]string{"statements/": {`[{"pay_date":"2018-05-15"}]`}},
			want:  delta, records: []string{`{"pay_date":"2018-05-15"}`},
			asked: []string{askStatements}},
		{promise: "statements: an employment that is gone is the provider's answer",
			resource: schema.Paystubs, name: "statements-created",
			members: `,"employment_id":"emp-1"`, status: gone, asked: []string{askOfEmp1}},

		{promise: "shifts: all of the link, of whatever employment",
			resource: schema.Shifts, name: "shifts-created",
			members: `,"employment_id":"emp-1","objects_count":1`,
			pages: map[string][]string{"shifts/": {
				`{"count":2,"next":"x","results":[{"id":"h1"}]}`, `{"results":[{"external_id":"h2"}]}`,
			}},
			want: snapshot, records: []string{`{"id":"h1"}`, `{"external_id":"h2"}`},
			asked: []string{askShifts, "shifts/?page=2&page_size=100"}},
		{promise: "shifts: none, as announced", resource: schema.Shifts, name: "shifts-updated",
			members: `,"objects_count":0`,
			pages:   map[string][]string{"shifts/": {`{"count":0,"next":null,"results":[]}`}},
			want:    snapshot, asked: []string{askShifts}},
		{promise: "shifts: none where there must be one are stale, and take nothing away",
			resource: schema.Shifts, name: "shifts-updated", members: `,"objects_count":1`,
			pages: map[string][]string{"shifts/": {`{"count":1,"next":null,"results":[]}`}},
			want:  staleDelta, asked: []string{askShifts}},
		{promise: "shifts: fewer than announced are stale, and take nothing away",
			resource: schema.Shifts, name: "shifts-updated", members: `,"objects_count":2`,
			pages: map[string][]string{"shifts/": {`[{"id":"h1"}]`}},
			want:  staleDelta, records: []string{`{"id":"h1"}`}, asked: []string{askShifts}},
		{promise: "shifts: fewer than the list itself counts are stale, and take nothing away",
			resource: schema.Shifts, name: "shifts-created", members: `,"objects_count":1`,
			pages: map[string][]string{"shifts/": {
				`{"count":250,"next":null,"results":[{"id":"h1"}]}`,
			}},
			want: staleDelta, records: []string{`{"id":"h1"}`}, asked: []string{askShifts}},
		{promise: "shifts: the newest count of the list is the one",
			resource: schema.Shifts, name: "shifts-created",
			pages: map[string][]string{"shifts/": {
				`{"count":9,"next":"x","results":[{"id":"h1"}]}`,
				`{"count":2,"next":null,"results":[{"id":"h2"}]}`,
			}},
			want: snapshot, records: []string{`{"id":"h1"}`, `{"id":"h2"}`},
			asked: []string{askShifts, "shifts/?page=2&page_size=100"}},
		{promise: "shifts: a page without a count leaves the count of the page before",
			resource: schema.Shifts, name: "shifts-created",
			pages: map[string][]string{"shifts/": {
				`{"count":9,"next":"x","results":[{"id":"h1"}]}`, `[{"id":"h2"}]`,
			}},
			want: staleDelta, records: []string{`{"id":"h1"}`, `{"id":"h2"}`},
			asked: []string{askShifts, "shifts/?page=2&page_size=100"}},
		{promise: "shifts: one on two pages counts once",
			resource: schema.Shifts, name: "shifts-created",
			pages: map[string][]string{"shifts/": {
				`{"count":3,"next":"x","results":[{"id":"h1"},{"id":"h2"}]}`,
				`{"count":3,"next":null,"results":[{"id":"h2"}]}`,
			}},
			want: staleDelta, records: []string{`{"id":"h1"}`, `{"id":"h2"}`},
			asked: []string{askShifts, "shifts/?page=2&page_size=100"}},
		{promise: "shifts: the last page again, after all of them, is the end",
			resource: schema.Shifts, name: "shifts-created", members: `,"objects_count":1`,
			pages: map[string][]string{"shifts/": {
				`{"count":1,"next":"x","results":[{"id":"h1"}]}`,
				`{"count":1,"next":"x","results":[{"id":"h1"}]}`,
			}},
			want: snapshot, records: []string{`{"id":"h1"}`},
			asked: []string{askShifts, "shifts/?page=2&page_size=100"}},
		{promise: "shifts: results that are null are none",
			resource: schema.Shifts, name: "shifts-created",
			pages: map[string][]string{"shifts/": {`{"count":0,"next":null,"results":null}`}},
			want:  snapshot, asked: []string{askShifts}},
		{promise: "shifts: a link that goes between two pages is the provider's answer",
			resource: schema.Shifts, name: "shifts-updated", members: `,"objects_count":2`,
			pages: map[string][]string{"shifts/": {
				`{"count":2,"next":"x","results":[{"id":"h1"}]}`,
			}},
			records: []string{`{"id":"h1"}`}, // a job that failed has no use for its records
			status:  gone, asked: []string{askShifts, "shifts/?page=2&page_size=100"}},

		{promise: "bank accounts: whole, without ids, and equal ones each",
			resource: schema.BankAccounts, name: "bank-accounts-created",
			members: `,"employment_id":"emp-1","objects_count":2`,
			pages: map[string][]string{"bank_accounts/": {
				`[{"account_number":"1234567890","access_token":"s"},{"account_number":"1234567890"}]`,
			}},
			want: snapshot,
			records: []string{`{"account_number":"1234567890"}`,
				`{"account_number":"1234567890"}`},
			asked: []string{askAccounts}},
		{promise: "bank accounts: fewer than announced are stale",
			resource: schema.BankAccounts, name: "bank-accounts-updated",
			members: `,"objects_count":2`,
			pages:   map[string][]string{"bank_accounts/": {`[{"account_number":"1"}]`}},
			want:    staleSnapshot, records: []string{`{"account_number":"1"}`},
			asked: []string{askAccounts}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			fake := &truvAPI{pages: row.pages, statuses: row.statuses}
			job := truvJob(t, row.resource, row.name, row.members)
			job.Event.OccurredAt = announced
			job.Started = attempted
			got, err := fetch.TruvHandlers[row.resource](fake.client(t)).Fetch(t.Context(), job)
			check(t, got, err, row.status)
			if row.status != 0 {
				row.want.DataAt = attempted
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.records, texts(job.Records.InMemory())); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.asked, fake.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func texts(records []json.RawMessage) (list []string) {
	for _, r := range records {
		list = append(list, string(r))
	}
	return list
}

func TestEveryRefusalOfTruvIsTheProvidersAnswer(t *testing.T) {
	for _, row := range []struct {
		resource schema.Resource
		name     string
		path     string
	}{
		{schema.Employment, "employment-created", "employments/"},
		{schema.Income, "employment-updated", "employments/"},
		{schema.Identity, "profile-created", "identity/"},
		{schema.Paystubs, "statements-created", "statements/"},
		{schema.Shifts, "shifts-created", "shifts/"},
		{schema.BankAccounts, "bank-accounts-created", "bank_accounts/"},
		{schema.VerificationReports, "task-status-updated", "income/report/"},
	} {
		for _, status := range []int{400, 401, 403, 404, 409, 410, 422} {
			fake := &truvAPI{statuses: map[string]int{row.path: status}}
			job := truvJob(t, row.resource, row.name, `,"product":"income","status":"done"`)
			_, err := fetch.TruvHandlers[row.resource](fake.client(t)).Fetch(t.Context(), job)
			check(t, workers.Fetched{}, err, status)
			if asked := fake.asked(); len(asked) != 1 {
				t.Errorf("%s, %d: asked %v, want one call", row.resource, status, asked)
			}
			if job.Records.Count() != 0 {
				t.Errorf("%s, %d: has records", row.resource, status)
			}
		}
	}
}

// A link with 20,000 shifts has room in a job even if Truv sends 25 a page: the records go to the
// object store, and the job holds about a page.
func TestALinkMayHaveTwentyThousandShifts(t *testing.T) {
	const count, onPage = 20_000, 25
	var pages []string
	for first := 0; first < count; first += onPage {
		var shifts []string
		for i := first; i < first+onPage; i++ {
			shifts = append(shifts, fmt.Sprintf(`{"id":"shift-%d","start_date":"2022-06-07",`+
				`"end_date":"2022-06-07","type":"shift","time_entries":[],"earnings":[]}`, i))
		}
		next := `"https://prod.truv.com/v1/link/1/shifts?page=7"`
		if first+onPage == count {
			next = "null"
		}
		pages = append(pages, fmt.Sprintf(`{"count":%d,"next":%s,"previous":null,"results":[%s]}`,
			count, next, strings.Join(shifts, ",")))
	}
	fake := &truvAPI{pages: map[string][]string{"shifts/": pages}}
	memory := api.NewMemory(api.MemoryMin)
	config := (&provider{T: t}).config()
	config.Transport = fake
	config.Answers = memory
	client, err := truv.New(truv.Config{Config: config, ClientID: "client"})
	if err != nil {
		t.Fatal(err)
	}
	_, conn := streamtest.New(t)
	job := truvJob(t, schema.Shifts, "shifts-created", fmt.Sprintf(`,"objects_count":%d`, count))
	job.Records = workers.NewRecords(conn, job.Event, schema.Shifts, nil)
	got, err := fetch.TruvHandlers[schema.Shifts](client).Fetch(t.Context(), job)
	check(t, got, err, 0)
	if diff := cmp.Diff(workers.Fetched{Scope: schema.Snapshot}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n, calls := job.Records.Count(), len(fake.asked()); n != count || calls != count/onPage {
		t.Errorf("%d records after %d calls", n, calls)
	}
	if len(job.Records.InMemory()) > 0 {
		t.Error("the records are in memory")
	}
	if now, peak := memory.Held(); now != 0 || peak > int64(2*len(pages[0])) {
		t.Errorf("holds %d bytes of answers, and held %d", now, peak)
	}
	if err := job.Records.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
