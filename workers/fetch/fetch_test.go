package fetch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/api/pace/pacetest"
	"github.com/wagewire/wagewire/workers/fetch"
	"github.com/wagewire/wagewire/workers/pinwheel"
	"github.com/wagewire/wagewire/workers/truv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "7d1e0c52-9b3f-4f0e-8a46-2c5b1f90d3e7"
	endUser  = "applicant/20931 ?#%"
	link     = "4bd7e1f06a9c4358b2e0c5f71d938a6e"
	person   = "person-7"
	pageSize = 25

	// reportsPath is where the end user's reports are, and accountsPath the list of the accounts.
	reportsPath  = "/v1/end_users/applicant%2F20931%20%3F%23%25/verification_reports/"
	accountsPath = "/v1/end_users/applicant%2F20931%20%3F%23%25/accounts"
)

// announced is when the event's job ended.
var announced = time.Date(2026, 2, 3, 15, 19, 7, 0, time.UTC)

// stub is a paystub, or a shift, of the account.
type stub struct{ id, payDate string }

func (s stub) json() string {
	return fmt.Sprintf(`{"id":%q,"pay_date":%q,"net":1234567890123456789.10,"note":"<&>","new_field":{"b":1,"a":null}}`,
		s.id, s.payDate)
}

// provider speaks both APIs, as far as the workers ask.
type provider struct {
	*testing.T
	// paystubs and shifts, newest first.
	paystubs, shifts []stub
	// alone are paystubs that are in no list.
	alone []stub
	// accounts are the pages of the end user's accounts. Nil: the end user is not known.
	accounts [][]string
	// refreshedAt of lists, snapshots and reports; zero leaves it out.
	refreshedAt time.Time
	// statuses are answered to their paths instead of data.
	statuses map[string]int
	// busyEvery answers one call in so many with 429; 0 is never.
	busyEvery int
	// statusOf is the status of a call, 0 for data. Nil: every call gets data.
	statusOf func(path, cursor string) int
	// raw is the body of every answer, if not empty.
	raw string

	mu    sync.Mutex
	calls []string
	busy  int
	// account and platform are objects of Pinwheel.
	account, platform string
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.calls = append(p.calls, r.URL.RequestURI())
	busy := p.busyEvery > 0 && len(p.calls)%p.busyEvery == 0
	if busy {
		p.busy++
	}
	p.mu.Unlock()
	if busy {
		w.Header().Set("Retry-After", "3")
		http.Error(w,
			`{"error":{"type":"rate_limit_error","code":"rate_limited","message":"slow down"}}`,
			http.StatusTooManyRequests)
		return
	}
	if status := p.statuses[r.URL.Path]; status != 0 {
		http.Error(w, `{"error":{"type":"x","code":"said","message":"Canary"}}`, status)
		return
	}
	if p.statusOf != nil {
		if status := p.statusOf(r.URL.Path, r.URL.Query().Get("cursor")); status != 0 {
			http.Error(w, `{"error":{"type":"x","code":"said","message":"Canary"}}`, status)
			return
		}
	}
	if p.raw != "" {
		fmt.Fprint(w, p.raw)
		return
	}
	meta := ""
	if !p.refreshedAt.IsZero() {
		meta = `"refreshed_at":"` + p.refreshedAt.Format(time.RFC3339Nano) + `"`
	}
	one := func(body string) { fmt.Fprintf(w, `{"data":%s,"meta":{%s}}`, body, meta) }
	path, q := r.URL.EscapedPath(), r.URL.Query()
	of := "/v1/accounts/" + account + "/"
	switch {
	case path == of+"employment", path == of+"identity", path == of+"income":
		one(stub{strings.TrimPrefix(path, of), ""}.json())
	case path == of+"paystubs":
		// The bounds are exclusive here: the worst that Pinwheel's reference may mean.
		from := q.Get("from_pay_date")
		to := q.Get("to_pay_date")
		within := slices.DeleteFunc(slices.Clone(p.paystubs), func(s stub) bool {
			return from != "" && s.payDate <= from || to != "" && s.payDate >= to
		})
		p.page(w, meta, q.Get("cursor"), within)
	case path == of+"shifts":
		p.page(w, meta, q.Get("cursor"), p.shifts)
	case strings.HasPrefix(path, of+"paystubs/"):
		for _, s := range slices.Concat(p.paystubs, p.alone) {
			if path == of+"paystubs/"+s.id {
				one(s.json())
				return
			}
		}
		http.Error(w,
			`{"error":{"type":"invalid_request_error","code":"not_found","message":"Canary"}}`,
			http.StatusNotFound)
	case path == accountsPath:
		p.accountsPage(w, q.Get("cursor"))
	case path == reportsPath+"voe", path == reportsPath+"voie":
		comma := ""
		if meta != "" {
			comma = ","
		}
		fmt.Fprintf(w, `{"data":{"id":"%s"%s%s},"meta":{}}`, path[strings.LastIndex(path, "/")+1:],
			comma, meta)
	case path == "/v1/accounts/"+account:
		one(p.account)
	case path == "/v1/platforms/plat-1":
		one(p.platform)
	case path == "/v1/links/"+link+"/":
		fmt.Fprint(w,
			`{"id":"`+link+`","access_token":"sekret","accounts":[{"n":0.10,"access_token":"sekret"}],"status":"done","user_external_id":"`+person+`"}`)
	default:
		p.Errorf("asked for %s", r.URL)
		http.NotFound(w, r)
	}
}

func (p *provider) page(w http.ResponseWriter, meta, cursor string, all []stub) {
	begin := 0
	if cursor != "" {
		begin = slices.IndexFunc(all, func(s stub) bool { return "after-"+s.id == cursor }) + 1
	}
	end := min(begin+pageSize, len(all))
	var items []string
	for _, s := range all[begin:end] {
		items = append(items, s.json())
	}
	next := "null"
	if end < len(all) {
		next = `"after-` + all[end-1].id + `"`
	}
	if meta != "" {
		meta += ","
	}
	fmt.Fprintf(w, `{"data":[%s],"meta":{%s"next_cursor":%s}}`, strings.Join(items, ","), meta,
		next)
}

// accountsPage answers a page of the end user's accounts. A cursor is the number of a page.
func (p *provider) accountsPage(w http.ResponseWriter, cursor string) {
	n, _ := strconv.Atoi(cursor)
	if len(p.accounts) == 0 {
		http.Error(w, `{"error":{"type":"x","code":"said","message":"Canary"}}`, 404)
		return
	}
	var items []string
	for _, id := range p.accounts[n] {
		items = append(items, fmt.Sprintf(`{"id":%q,"connected":true}`, id))
	}
	next := "null"
	if n+1 < len(p.accounts) {
		next = strconv.Quote(strconv.Itoa(n + 1))
	}
	fmt.Fprintf(w, `{"data":[%s],"meta":{"count":%d,"next_cursor":%s}}`,
		strings.Join(items, ","), len(items), next)
}

func (p *provider) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := []string{}
	for _, c := range p.calls {
		c = strings.TrimPrefix(c, "/v1/accounts/"+account)
		asked = append(asked,
			strings.NewReplacer("?limit=100", "", "&limit=100", "", "limit=100&", "").Replace(c))
	}
	return asked
}

// RoundTrip calls the provider without a socket, so that a bubble's clock serves for the waits that
// the provider asks for.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// pace delays no call, except in a hold.
func (p *provider) pace() *pace.Pacer {
	p.Helper()
	pacer, err := pace.New(pace.Config{RatePerS: 1e6, Store: &pacetest.Store{}})
	if err != nil {
		p.Fatal(err)
	}
	return pacer
}

func (p *provider) config() api.Config {
	return api.Config{
		URL:       "https://api.example",
		Secrets:   func() ([]string, error) { return []string{"sekret"}, nil },
		Pace:      p.pace(),
		Transport: p,
	}
}

func (p *provider) pinwheel() *pinwheel.Client {
	p.Helper()
	c, err := pinwheel.New(pinwheel.Config{Config: p.config(), Version: "2025-07-08"})
	if err != nil {
		p.Fatal(err)
	}
	return c
}

func (p *provider) truv() *truv.Client {
	p.Helper()
	c, err := truv.New(truv.Config{Config: p.config(), ClientID: "client"})
	if err != nil {
		p.Fatal(err)
	}
	return c
}

// fetchPinwheel works on the job with the handler of one of Pinwheel's resources.
func (p *provider) fetchPinwheel(r schema.Resource, job workers.Job) (workers.Fetched, error) {
	p.Helper()
	return fetch.PinwheelHandlers[r](p.pinwheel()).Fetch(p.Context(), job)
}

// job is an event of the account in a worker's hands.
func job(r schema.Resource, action string, payload workers.Payload) workers.Job {
	e := schema.Event{Provider: schema.Pinwheel, ID: "e", Type: string(r) + "." + action,
		Resource: r, Action: action, AccountID: account}
	if r == schema.VerificationReports {
		e.AccountID = endUser
	}
	if r == schema.Link {
		e.Provider, e.Type, e.AccountID = schema.Truv, "link-"+action, link
	}
	return workers.Job{Event: e, Payload: payload, Attempt: 1,
		Records: workers.NewRecords(nil, e, r, nil)}
}

// days are n paystubs, one a day, newest first, the first on that date.
func days(prefix, newest string, n int) (stubs []stub) {
	d, err := time.Parse(time.DateOnly, newest)
	if err != nil {
		panic(err)
	}
	for i := range n {
		stubs = append(stubs,
			stub{fmt.Sprintf("%s-%d", prefix, i), d.AddDate(0, 0, -i).Format(time.DateOnly)})
	}
	return stubs
}

func ids(stubs []stub) []string {
	list := []string{}
	for _, s := range stubs {
		list = append(list, s.id)
	}
	return list
}

// idsOf are the ids of a job's records, each of which must be what the provider wrote.
func idsOf(t *testing.T, job workers.Job, all ...stub) []string {
	t.Helper()
	list := []string{}
	for _, r := range job.Records.InMemory() {
		id := idOf(t, r)
		list = append(list, id)
		i := slices.IndexFunc(all, func(s stub) bool { return s.id == id })
		if i >= 0 && string(r) != all[i].json() {
			t.Errorf("record %s, want %s", r, all[i].json())
		}
	}
	return list
}

func idOf(t *testing.T, record json.RawMessage) string {
	t.Helper()
	var known struct{ ID string }
	if err := json.Unmarshal(record, &known); err != nil {
		t.Fatal(err)
	}
	return known.ID
}

func TestPaystubs(t *testing.T) {
	// 60 paystubs: 31 January 2026 back to 3 December 2025; index 1 is 30 January.
	stubs := days("stub", "2026-01-31", 60)
	tests := []struct {
		promise  string
		action   string
		payload  workers.Payload
		alone    []stub
		statuses map[string]int
		want     []string
		missing  []string
		deleted  []string
		asked    []string
		status   int
	}{
		{promise: "added: widens the dates a day on each side, keeps only what was added, passes on what was deleted",
			action: schema.ActionAdded,
			payload: workers.Payload{FromPayDate: "2026-01-20", ToPayDate: "2026-01-22",
				Added: []string{"stub-11", "stub-9"}, Deleted: []string{"old-1", "old-2"}},
			want: []string{"stub-9", "stub-11"}, deleted: []string{"old-1", "old-2"},
			asked: []string{"/paystubs?from_pay_date=2026-01-19&to_pay_date=2026-01-23"}},
		{promise: "added: the dates step over the ends of months and years",
			action: schema.ActionAdded,
			payload: workers.Payload{FromPayDate: "2026-01-01", ToPayDate: "2026-02-28",
				Added: []string{"stub-30"}},
			want: []string{"stub-30"},
			asked: []string{"/paystubs?from_pay_date=2025-12-31&to_pay_date=2026-03-01",
				"/paystubs?cursor=after-stub-24&from_pay_date=2025-12-31&to_pay_date=2026-03-01"}},
		{promise: "added: stops at the page that has the last of them", action: schema.ActionAdded,
			payload: workers.Payload{Added: []string{"stub-0", "stub-30"}},
			want:    []string{"stub-0", "stub-30"},
			asked:   []string{"/paystubs", "/paystubs?cursor=after-stub-24"}},
		{promise: "added: dates that cannot be read are no bounds", action: schema.ActionAdded,
			payload: workers.Payload{FromPayDate: "soon", ToPayDate: "2026-13-01",
				Added: []string{"stub-0"}},
			want: []string{"stub-0"}, asked: []string{"/paystubs"}},
		{promise: "added: what is not listed is fetched alone", action: schema.ActionAdded,
			alone: []stub{{"alone-1", "2019-01-01"}, {"alone-2", "2019-01-02"}},
			payload: workers.Payload{FromPayDate: "2026-01-30", ToPayDate: "2026-01-31",
				Added: []string{"alone-1", "stub-1", "alone-2"}},
			want: []string{"stub-1", "alone-1", "alone-2"},
			asked: []string{"/paystubs?from_pay_date=2026-01-29&to_pay_date=2026-02-01",
				"/paystubs/alone-1", "/paystubs/alone-2"}},
		{promise: "added: what cannot be had alone either is missing", action: schema.ActionAdded,
			statuses: map[string]int{"/v1/accounts/" + account + "/paystubs/gone": 410,
				"/v1/accounts/" + account + "/paystubs/busy": 409},
			payload: workers.Payload{FromPayDate: "2026-01-31", ToPayDate: "2026-01-31",
				Added: []string{"nowhere", "stub-0", "gone", "busy"}},
			want: []string{"stub-0"}, missing: []string{"nowhere", "gone", "busy"},
			asked: []string{"/paystubs?from_pay_date=2026-01-30&to_pay_date=2026-02-01",
				"/paystubs/nowhere", "/paystubs/gone", "/paystubs/busy"}},
		{promise: "added: an id announced twice is fetched once", action: schema.ActionAdded,
			payload: workers.Payload{Added: []string{"stub-1", "stub-1", "nowhere", "nowhere"},
				FromPayDate: "2026-01-30", ToPayDate: "2026-01-30"},
			want: []string{"stub-1"}, missing: []string{"nowhere"},
			asked: []string{"/paystubs?from_pay_date=2026-01-29&to_pay_date=2026-01-31",
				"/paystubs/nowhere"}},
		{promise: "added: an id that would be another path is sent as one segment",
			action:   schema.ActionAdded,
			statuses: map[string]int{"/v1/accounts/" + account + "/paystubs/../../x": 404},
			payload: workers.Payload{FromPayDate: "2026-03-01", ToPayDate: "2026-03-01",
				Added: []string{"../../x"}},
			missing: []string{"../../x"},
			asked: []string{"/paystubs?from_pay_date=2026-02-28&to_pay_date=2026-03-02",
				"/paystubs/..%2F..%2Fx"}},
		{promise: "added: an outage while fetching one alone fails all", action: schema.ActionAdded,
			statuses: map[string]int{"/v1/accounts/" + account + "/paystubs/alone": 422},
			payload: workers.Payload{FromPayDate: "2026-01-31", ToPayDate: "2026-01-31",
				Added: []string{"stub-0", "alone"}},
			status: 422,
			asked: []string{"/paystubs?from_pay_date=2026-01-30&to_pay_date=2026-02-01",
				"/paystubs/alone"}},
		{promise: "added: nothing added is no call, and what was deleted is passed on",
			action: schema.ActionAdded, payload: workers.Payload{Deleted: []string{"old-1"}},
			deleted: []string{"old-1"}},

		{promise: "chunk: keeps what was paid within the dates, both ends included",
			action:  schema.ActionSevenDaysSynced,
			payload: workers.Payload{FromPayDate: "2026-01-24", ToPayDate: "2026-01-30"},
			want:    ids(stubs[1:8]),
			asked:   []string{"/paystubs?from_pay_date=2026-01-23&to_pay_date=2026-01-31"}},
		{promise: "chunk: of one day", action: schema.ActionSevenDaysSynced,
			payload: workers.Payload{FromPayDate: "2026-01-30", ToPayDate: "2026-01-30"},
			want:    []string{"stub-1"},
			asked:   []string{"/paystubs?from_pay_date=2026-01-29&to_pay_date=2026-01-31"}},
		{promise: "chunk: over several pages", action: schema.ActionThirtyDaysSynced,
			payload: workers.Payload{FromPayDate: "2026-01-01", ToPayDate: "2026-01-30"},
			want:    ids(stubs[1:31]),
			asked: []string{"/paystubs?from_pay_date=2025-12-31&to_pay_date=2026-01-31",
				"/paystubs?cursor=after-stub-25&from_pay_date=2025-12-31&to_pay_date=2026-01-31"}},
		{promise: "chunk: of days on which nobody was paid", action: schema.ActionNinetyDaysSynced,
			payload: workers.Payload{FromPayDate: "2020-01-01", ToPayDate: "2020-03-01"},
			asked:   []string{"/paystubs?from_pay_date=2019-12-31&to_pay_date=2020-03-02"}},
		{promise: "chunk: without an end keeps all from its beginning",
			action:  schema.ActionNinetyDaysSynced,
			payload: workers.Payload{FromPayDate: "2026-01-30"}, want: ids(stubs[:2]),
			asked: []string{"/paystubs?from_pay_date=2026-01-29"}},

		{promise: "fully synced: every page, whatever the dates say",
			action:  schema.ActionFullySynced,
			payload: workers.Payload{FromPayDate: "2024-08-02", ToPayDate: "2025-10-31"},
			want:    ids(stubs),
			asked: []string{"/paystubs", "/paystubs?cursor=after-stub-24",
				"/paystubs?cursor=after-stub-49"}},
		{promise: "fully synced: an error on any page fails all", action: schema.ActionFullySynced,
			statuses: map[string]int{"/v1/accounts/" + account + "/paystubs": 404}, status: 404,
			asked: []string{"/paystubs"}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			p := &provider{T: t, paystubs: stubs, alone: test.alone, statuses: test.statuses,
				refreshedAt: announced}
			test.payload.Timestamp = announced
			job := job(schema.Paystubs, test.action, test.payload)
			got, err := p.fetchPinwheel(schema.Paystubs, job)
			check(t, got, err, test.status)
			gotIDs := idsOf(t, job, slices.Concat(stubs, test.alone)...)
			if err != nil {
				gotIDs = []string{} // a job that failed has no use for its records
			}
			if diff := cmp.Diff(append([]string{}, test.want...), gotIDs); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if err == nil {
				checkScope(t, test.action, test.payload, got)
			}
			if !slices.Equal(got.Missing, test.missing) ||
				!slices.Equal(got.Deleted, test.deleted) || got.Outcome != "" || got.Stale {
				t.Errorf("missing %v, deleted %v, outcome %q, stale %v, want missing %v and %v",
					got.Missing, got.Deleted, got.Outcome, got.Stale, test.missing, test.deleted)
			}
			if diff := cmp.Diff(append([]string{}, test.asked...), p.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// checkScope fails the test unless the records of paystubs are said to be what the action makes
// them.
func checkScope(t *testing.T, action string, p workers.Payload, got workers.Fetched) {
	t.Helper()
	want := workers.Fetched{Scope: schema.Window, From: p.FromPayDate, To: p.ToPayDate}
	switch action {
	case schema.ActionAdded:
		want = workers.Fetched{Scope: schema.Delta}
	case schema.ActionFullySynced:
		want = workers.Fetched{Scope: schema.Snapshot}
	}
	if got.Scope != want.Scope || got.From != want.From || got.To != want.To {
		t.Errorf("scope %s from %q to %q, want %s from %q to %q",
			got.Scope, got.From, got.To, want.Scope, want.From, want.To)
	}
}

// check fails the test if a fetch did not end with the status; 0 is no error. A failed fetch brings
// nothing.
func check(t *testing.T, got workers.Fetched, err error, status int) {
	t.Helper()
	s, _ := errors.AsType[*api.StatusError](err)
	switch {
	case status == 0 && err != nil:
		t.Fatal(err)
	case status != 0 && (s == nil || s.Status != status):
		t.Fatalf("error %v, want status %d", err, status)
	case err != nil && len(got.Missing)+len(got.Deleted) > 0:
		t.Errorf("a failed fetch brought %+v", got)
	}
}

func TestShifts(t *testing.T) {
	all := days("shift", "2026-01-31", 90)
	pages := []string{"/shifts", "/shifts?cursor=after-shift-24", "/shifts?cursor=after-shift-49",
		"/shifts?cursor=after-shift-74"}
	tests := []struct {
		promise, action string
		payload         workers.Payload
		want, missing   []string
		deleted, asked  []string
	}{
		{promise: "added: stops when all are found", action: schema.ActionAdded,
			payload: workers.Payload{Added: []string{"shift-3", "shift-0"},
				Deleted: []string{"old"}},
			want: []string{"shift-0", "shift-3"}, deleted: []string{"old"}, asked: pages[:1]},
		{promise: "added: goes on to the page that has the last", action: schema.ActionAdded,
			payload: workers.Payload{Added: []string{"shift-60"}}, want: []string{"shift-60"},
			asked: pages[:3]},
		{promise: "added: what no page has is missing", action: schema.ActionAdded,
			payload: workers.Payload{Added: []string{"nowhere", "shift-1"}},
			want:    []string{"shift-1"}, missing: []string{"nowhere"}, asked: pages},
		{promise: "added: nothing added is no call", action: schema.ActionAdded,
			payload: workers.Payload{Deleted: []string{"old"}}, deleted: []string{"old"}},
		{promise: "seven days synced: every page", action: schema.ActionSevenDaysSynced,
			want: ids(all), asked: pages},
		{promise: "thirty days synced: every page", action: schema.ActionThirtyDaysSynced,
			want: ids(all), asked: pages},
		{promise: "ninety days synced: every page", action: schema.ActionNinetyDaysSynced,
			want: ids(all), asked: pages},
		{promise: "fully synced: every page", action: schema.ActionFullySynced, want: ids(all),
			asked: pages},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			p := &provider{T: t, shifts: all, refreshedAt: announced}
			job := job(schema.Shifts, test.action, test.payload)
			got, err := p.fetchPinwheel(schema.Shifts, job)
			check(t, got, err, 0)
			gotIDs := idsOf(t, job, all...)
			if diff := cmp.Diff(append([]string{}, test.want...), gotIDs); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			scope := schema.Snapshot // a chunk of shifts is the whole list, too
			if test.action == schema.ActionAdded {
				scope = schema.Delta
			}
			if got.Scope != scope {
				t.Errorf("scope %s, want %s", got.Scope, scope)
			}
			if !slices.Equal(got.Missing, test.missing) ||
				!slices.Equal(got.Deleted, test.deleted) {
				t.Errorf("missing %v, deleted %v", got.Missing, got.Deleted)
			}
			if diff := cmp.Diff(append([]string{}, test.asked...), p.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSnapshots(t *testing.T) {
	for _, row := range []struct {
		promise  string
		resource schema.Resource
		event    schema.Resource
		action   string
		want     string
	}{
		{"employment", schema.Employment, schema.Employment, schema.ActionAdded, "employment"},
		{"identity", schema.Identity, schema.Identity, schema.ActionAdded, "identity"},
		{"income", schema.Income, schema.Income, schema.ActionAdded, "income"},
		{"income, when the paystubs are fully synced", schema.Income, schema.Paystubs,
			schema.ActionFullySynced, "income"},
	} {
		t.Run(row.promise+" is fetched as the provider wrote it", func(t *testing.T) {
			p := &provider{T: t, refreshedAt: announced.Add(time.Millisecond)}
			job := job(row.event, row.action, workers.Payload{Timestamp: announced})
			got, err := p.fetchPinwheel(row.resource, job)
			check(t, got, err, 0)
			want := workers.Fetched{Scope: schema.Snapshot, RefreshedAt: p.refreshedAt}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			record := []json.RawMessage{[]byte(stub{row.want, ""}.json())}
			if diff := cmp.Diff(record, job.Records.InMemory()); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if asked := p.asked(); !slices.Equal(asked, []string{"/" + row.want}) {
				t.Errorf("asked %v", asked)
			}
		})
		t.Run(row.promise+" that is not there is the provider's answer", func(t *testing.T) {
			statuses := map[string]int{"/v1/accounts/" + account + "/" + row.want: 404}
			p := &provider{T: t, statuses: statuses}
			job := job(row.event, row.action, workers.Payload{})
			got, err := p.fetchPinwheel(row.resource, job)
			check(t, got, err, 404)
		})
	}
}

func TestDataIsStaleIfItIsOlderThanItsEvent(t *testing.T) {
	before := announced.Add(-time.Nanosecond)
	after := announced.Add(time.Nanosecond)
	reports := func(at time.Time) workers.Payload {
		return workers.Payload{VOE: workers.Availability{Status: "available", RefreshedAt: at}}
	}
	fetches := []struct {
		what     string
		resource schema.Resource
		job      func(time.Time) workers.Job
	}{
		{"employment", schema.Employment, func(at time.Time) workers.Job {
			return job(schema.Employment, schema.ActionAdded, workers.Payload{Timestamp: at})
		}},
		{"paystubs added", schema.Paystubs, func(at time.Time) workers.Job {
			return job(schema.Paystubs, schema.ActionAdded,
				workers.Payload{Timestamp: at, Added: []string{"stub-40"}})
		}},
		{"paystubs of a chunk", schema.Paystubs, func(at time.Time) workers.Job {
			return job(schema.Paystubs, schema.ActionSevenDaysSynced,
				workers.Payload{Timestamp: at})
		}},
		{"shifts", schema.Shifts, func(at time.Time) workers.Job {
			return job(schema.Shifts, schema.ActionFullySynced, workers.Payload{Timestamp: at})
		}},
		{"a report, by its own time", schema.VerificationReports, func(at time.Time) workers.Job {
			j := job(schema.VerificationReports, schema.ActionRefreshed, reports(at))
			j.Payload.Timestamp = after.Add(time.Hour)
			return j
		}},
	}
	for _, f := range fetches {
		for _, test := range []struct {
			promise                string
			refreshedAt, announced time.Time
			want                   bool
		}{
			{"is stale if it was refreshed before the event", before, announced, true},
			{"is fresh if both are one moment", announced, announced, false},
			{"is fresh if it was refreshed after the event", after, announced, false},
			{"is fresh if the provider does not say when", time.Time{}, announced, false},
			{"is fresh if the event does not say when", before, time.Time{}, false},
		} {
			t.Run(f.what+" "+test.promise, func(t *testing.T) {
				p := &provider{
					T:           t,
					refreshedAt: test.refreshedAt,
					paystubs:    days("stub", "2026-01-31", 50),
					shifts:      days("shift", "2026-01-31", 50),
				}
				job := f.job(test.announced)
				got, err := p.fetchPinwheel(f.resource, job)
				check(t, got, err, 0)
				if got.Stale != test.want || !got.RefreshedAt.Equal(test.refreshedAt) ||
					job.Records.Count() == 0 {
					t.Errorf("stale %v, refreshed at %v, %d records; want stale %v", got.Stale,
						got.RefreshedAt, job.Records.Count(), test.want)
				}
			})
		}
	}
	t.Run("income keeps its time while paystubs finish", func(t *testing.T) {
		p := &provider{T: t, refreshedAt: before}
		payload := workers.Payload{Timestamp: announced}
		job := job(schema.Paystubs, schema.ActionFullySynced, payload)
		got, err := p.fetchPinwheel(schema.Income, job)
		check(t, got, err, 0)
		if got.Stale {
			t.Error("it is stale")
		}
	})
}

func TestVerificationReports(t *testing.T) {
	yes := workers.Availability{Status: "available", RefreshedAt: announced}
	no := workers.Availability{Status: "unavailable"}
	const path = "/v1/end_users/" + endUser + "/verification_reports/"
	const asked = reportsPath
	tests := []struct {
		promise       string
		voe, voie     workers.Availability
		statuses      map[string]int
		outcome       schema.Outcome
		want, missing []string
		asked         []string
		status        int
	}{
		{promise: "both available: both", voe: yes, voie: yes, outcome: schema.Succeeded,
			want: []string{"voe", "voie"}, asked: []string{asked + "voe", asked + "voie"}},
		{promise: "one available: it alone", voe: yes, voie: no, outcome: schema.Succeeded,
			want: []string{"voe"}, asked: []string{asked + "voe"}},
		{promise: "the other available: it alone", voe: no, voie: yes, outcome: schema.Succeeded,
			want: []string{"voie"}, asked: []string{asked + "voie"}},
		{promise: "none available: unavailable, without a call for them", voe: no, voie: no,
			outcome: schema.Unavailable},
		{promise: "nothing said of either: unavailable, without a call for them",
			outcome: schema.Unavailable},
		{promise: "404 on one: the other, and that one missing", voe: yes, voie: yes,
			statuses: map[string]int{path + "voie": 404}, outcome: schema.Succeeded,
			want: []string{"voe"}, missing: []string{"voie"},
			asked: []string{asked + "voe", asked + "voie"}},
		{promise: "409 on one: the other, and that one missing", voe: yes, voie: yes,
			statuses: map[string]int{path + "voe": 409}, outcome: schema.Succeeded,
			want: []string{"voie"}, missing: []string{"voe"},
			asked: []string{asked + "voe", asked + "voie"}},
		{promise: "404 on both: the provider's answer", voe: yes, voie: yes,
			statuses: map[string]int{path + "voe": 404, path + "voie": 404}, status: 404,
			asked: []string{asked + "voe", asked + "voie"}},
		{promise: "404 on the only one available: the provider's answer", voe: no, voie: yes,
			statuses: map[string]int{path + "voie": 404}, status: 404,
			asked: []string{asked + "voie"}},
		{promise: "another error on one: fails both", voe: yes, voie: yes,
			statuses: map[string]int{path + "voie": 422}, status: 422,
			asked: []string{asked + "voe", asked + "voie"}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			p := &provider{T: t, statuses: test.statuses, refreshedAt: announced}
			payload := workers.Payload{VOE: test.voe, VOIE: test.voie}
			job := job(schema.VerificationReports, schema.ActionRefreshed, payload)
			got, err := p.fetchPinwheel(schema.VerificationReports, job)
			check(t, got, err, test.status)
			gotIDs := idsOf(t, job)
			if err != nil {
				gotIDs = nil
			}
			if got.Outcome != test.outcome || !slices.Equal(gotIDs, test.want) ||
				!slices.Equal(got.Missing, test.missing) || got.Stale {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(append([]string{accountsPath}, test.asked...), p.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	whole := []json.RawMessage{
		[]byte(`{"id":"` + link + `","accounts":[{"n":0.10}],"status":"done","user_external_id":"` + person + `"}`),
	}
	tests := []struct {
		promise, action string
		statuses        map[string]int
		outcome         schema.Outcome
		want            []json.RawMessage
		asked           []string
		status          int
	}{
		{promise: "connected: the link without its access tokens, else byte for byte",
			action: schema.ActionConnected, want: whole,
			asked: []string{"/v1/links/" + link + "/"}},
		{promise: "disconnected: the same, and the outcome says so",
			action: schema.ActionDisconnected, outcome: schema.Disconnected, want: whole, asked: []string{"/v1/links/" + link + "/"}},
		{promise: "deleted: no call", action: schema.ActionDeleted,
			outcome: schema.Deleted, asked: []string{}},
		{promise: "a link that is not there is the provider's answer",
			action:   schema.ActionConnected,
			statuses: map[string]int{"/v1/links/" + link + "/": 404},
			status:   404, asked: []string{"/v1/links/" + link + "/"}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			p := &provider{T: t, statuses: test.statuses}
			job := job(schema.Link, test.action, workers.Payload{})
			got, err := fetch.TruvHandlers[schema.Link](p.truv()).Fetch(t.Context(), job)
			check(t, got, err, test.status)
			if got.Outcome != test.outcome {
				t.Errorf("outcome %q, want %q", got.Outcome, test.outcome)
			}
			if len(test.want) > 0 && (got.Scope != schema.Snapshot || got.EndUserID != person) {
				t.Errorf("scope %s of person %q, want a snapshot of %s", got.Scope, got.EndUserID,
					person)
			}
			if diff := cmp.Diff(test.want, job.Records.InMemory()); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.asked, p.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
