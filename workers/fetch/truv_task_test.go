package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/fetch"
	"github.com/wagewire/wagewire/workers/truv"
)

// reportAlone are the resources of a link whose task brought nothing else.
var reportAlone = []schema.Resource{schema.VerificationReports}

func TestATaskThatIsNotDoneHasAnOutcome(t *testing.T) {
	pending := workers.Payload{Product: "income", Outcome: schema.Pending}
	ended := func(o schema.Outcome, code string) workers.Payload {
		return workers.Payload{
			Product: "income", Outcome: o, ErrorCode: code, Supported: reportAlone,
		}
	}
	// of is what the webhook of a task of another product says.
	of := func(product string, o schema.Outcome, code string) workers.Payload {
		return workers.Payload{Product: product, Outcome: o, ErrorCode: code}
	}
	for _, row := range []struct {
		promise, product, status string
		want                     workers.Payload
	}{
		{"new is on the way", "income", "new", pending},
		{"login is on the way", "income", "login", pending},
		{"mfa is on the way", "income", "mfa", pending},
		{"parse is on the way", "income", "parse", pending},
		{"base_parse, of older tasks, is on the way", "income", "base_parse", pending},
		{"full_parse is on the way", "income", "full_parse", pending},
		{"switch_deposit is on the way", "income", "switch_deposit", pending},
		{"a status that nobody knows is on the way", "income", "reticulating", pending},
		{"no status is on the way", "income", "", pending},
		{"another case is another status", "income", "DONE", pending},

		{"done is data to fetch", "income", "done", workers.Payload{Product: "income"}},
		{"so is done of an employment", "employment", "done",
			workers.Payload{Product: "employment"}},

		{"no_data is no fault", "income", "no_data", ended(schema.Unavailable, "no_data")},
		{"nor is not_supported", "income", "not_supported",
			ended(schema.Unavailable, "not_supported")},
		{"login_error is a failure", "income", "login_error",
			ended(schema.Failed, "login_error")},
		{"mfa_error is a failure", "income", "mfa_error", ended(schema.Failed, "mfa_error")},
		{"config_error is a failure", "income", "config_error",
			ended(schema.Failed, "config_error")},
		{"account_locked is a failure", "income", "account_locked",
			ended(schema.Failed, "account_locked")},
		{"unable_to_reset is a failure", "income", "unable_to_reset",
			ended(schema.Failed, "unable_to_reset")},
		{"unavailable, the payroll system's own state, is a failure", "income", "unavailable",
			ended(schema.Failed, "unavailable")},
		{"error is a failure", "income", "error", ended(schema.Failed, "error")},

		{"a task for deposits has no report", "deposit_switch", "done",
			of("deposit_switch", schema.Unavailable, schema.CodeNoReport)},
		{"nor has one for loans", "pll", "done", of("pll", schema.Unavailable, schema.CodeNoReport)},
		{"nor has one that failed", "insurance", "login_error",
			of("insurance", schema.Unavailable, schema.CodeNoReport)},
		{"nor has one of a product that nobody knows", "admin", "done",
			of("admin", schema.Unavailable, schema.CodeNoReport)},
		{"one without a product counts as one of the income", "", "done", workers.Payload{}},
		{"and so if it failed", "", "login_error", workers.Payload{
			Outcome: schema.Failed, ErrorCode: "login_error", Supported: reportAlone,
		}},
		{"the case of a product says nothing", "Income", "done",
			workers.Payload{Product: "Income"}},
		{"that of an employment", "EMPLOYMENT", "done",
			workers.Payload{Product: "EMPLOYMENT"}},
		{"but on its way it is on its way", "pll", "parse", of("pll", schema.Pending, "")},
	} {
		t.Run(row.promise, func(t *testing.T) {
			members := `,"product":"` + row.product + `","status":"` + row.status + `"`
			job := truvJob(t, schema.VerificationReports, "task-status-updated", members)
			if diff := cmp.Diff(row.want, job.Payload); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWebhookOfTruvWithOddMembersIsRead(t *testing.T) {
	long := strings.Repeat("o", 257)
	for _, row := range []struct {
		promise, members string
		want             workers.Payload
	}{
		{"nothing but the link", ``, workers.Payload{}},
		{"nulls", `,"object_id":null,"employment_id":null,"objects_count":null,"status":null`,
			workers.Payload{}},
		{"ids of another type", `,"object_id":7,"employment_id":["emp-1"]`, workers.Payload{}},
		{"a count", `,"objects_count":14`, workers.Payload{ObjectsCount: 14}},
		{"a count of none", `,"objects_count":0`, workers.Payload{}},
		{"a count below none", `,"objects_count":-3`, workers.Payload{}},
		{"a count in a text", `,"objects_count":"14"`, workers.Payload{}},
		{"a count with a fraction", `,"objects_count":14.5`, workers.Payload{}},
		{"a count with an exponent", `,"objects_count":1e3`, workers.Payload{}},
		{"a count beyond every number", `,"objects_count":99999999999999999999`,
			workers.Payload{}},
		{"a count that is an object", `,"objects_count":{"total":14}`, workers.Payload{}},
		{"a bad member beside good ones",
			`,"objects_count":"many","object_id":"o1","employment_id":"emp-1"`,
			workers.Payload{ObjectID: "o1", EmploymentID: "emp-1"}},
		{"ids of 256 bytes",
			`,"object_id":"` + long[1:] + `","employment_id":"` + long[1:] + `"`,
			workers.Payload{ObjectID: long[1:], EmploymentID: long[1:]}},
		{"larger ids, which would make the completion too large",
			`,"object_id":"` + long + `","employment_id":"` + long + `","objects_count":14`,
			workers.Payload{ObjectsCount: 14}},
		{"a status and a product, which only a task has", `,"status":"error","product":"income"`,
			workers.Payload{}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			job := truvJob(t, schema.Shifts, "shifts-created", row.members)
			if diff := cmp.Diff(row.want, job.Payload); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestABodyOfTruvThatIsNoObjectIsUndecodableAndNotQuoted(t *testing.T) {
	for _, body := range []string{``, `"Canary"`, `["Canary"]`, `7`, `{"link_id":Canary`} {
		_, err := fetch.DecodeTruv(schema.Event{Type: "shifts-created", Body: []byte(body)})
		if !errors.Is(err, workers.ErrUndecodable) || strings.Contains(err.Error(), "Canary") ||
			!strings.Contains(err.Error(), "shifts-created") {
			t.Errorf("%s: error %v", body, err)
		}
	}
}

func FuzzAWebhookOfTruvIsReadOrRefused(f *testing.F) {
	for _, body := range []string{
		`{"link_id":"l","object_id":"o","product":"income","status":"done"}`,
		`{"link_id":"l","employment_id":"emp-1","objects_count":14}`,
		`{"objects_count":-1e9}`, `{"objects_count":"14","status":7}`, `[{"status":"done"}]`, `null`,
		`{"status":"login_error","product":"income","status":null}`, `{"object_id":"\ud800"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, action := range []string{schema.ActionCreated, schema.ActionStatusUpdated} {
			e := schema.Event{Type: "t", Action: action, Body: []byte(body)}
			got, err := fetch.DecodeTruv(e)
			switch {
			case err != nil && !errors.Is(err, workers.ErrUndecodable):
				t.Errorf("error %v", err)
			case got.ObjectsCount < 0:
				t.Errorf("a count of %d", got.ObjectsCount)
			case action == schema.ActionCreated && (got.Outcome != "" || got.Supported != nil):
				t.Errorf("data that was created has the outcome %q", got.Outcome)
			case len(got.ObjectID) > 256, len(got.EmploymentID) > 256:
				t.Errorf("an id of %d bytes", max(len(got.ObjectID), len(got.EmploymentID)))
			case len(got.ErrorCode) > len("unable_to_reset"):
				t.Errorf("%q is no word of ours", got.ErrorCode)
			}
		}
	})
}

// taskEnded is the time of the webhook about a task that is done. It is later than the time of the
// report.
var taskEnded = announced.Add(time.Hour)

// The paths of reports, and of the question for shifts.
const (
	incomeReport     = "income/report/"
	employmentReport = "employment/report/"
	askForOneShift   = "shifts/?page_size=1"
)

func TestTruvsReports(t *testing.T) {
	const (
		income     = `,"product":"income","status":"done"`
		employment = `,"product":"employment","status":"done"`
		oneShift   = `{"count":9,"next":"x","results":[{"id":"h1"}]}`
		noShift    = `{"count":0,"next":null,"results":[]}`
		whole      = `{"id":"r1","status":"done","refresh_status":"done","access_token":"s",` +
			`"finished_at":"2026-02-03T15:19:07.000000+00:00","employments":[{"income":"1.10",` +
			`"profile":{"ssn":"1"},"statements":[{}],"bank_accounts":[{"account_number":"1"}]}]}`
		wholeLeft = `{"id":"r1","status":"done","refresh_status":"done",` +
			`"finished_at":"2026-02-03T15:19:07.000000+00:00","employments":[{"income":"1.10",` +
			`"profile":{"ssn":"1"},"statements":[{}]}]}`
	)
	withAll := []schema.Resource{
		schema.VerificationReports, schema.Employment, schema.Income, schema.Identity,
		schema.Paystubs, schema.Shifts, schema.BankAccounts,
	}
	withoutShifts := []schema.Resource{
		schema.VerificationReports, schema.Employment, schema.Income, schema.Identity,
		schema.Paystubs, schema.BankAccounts,
	}
	fetched := func(at time.Time, supported []schema.Resource) workers.Fetched {
		return workers.Fetched{
			Scope: schema.Delta, RefreshedAt: at, DataAt: taskEnded, Supported: supported,
		}
	}
	stale := workers.Fetched{
		Scope: schema.Delta, DataAt: taskEnded, Stale: true, Supported: reportAlone,
	}
	both := []string{incomeReport, askForOneShift}
	for _, row := range []struct {
		promise, members string
		pages            map[string][]string
		statuses         map[string]int
		want             workers.Fetched
		records          []string
		asked            []string
		status           int
	}{
		{promise: "the report of the income, and what the link has", members: income,
			pages: map[string][]string{incomeReport: {whole}, "shifts/": {oneShift}},
			want:  fetched(announced, withAll), records: []string{wholeLeft}, asked: both},
		{promise: "the report of the employment", members: employment,
			pages: map[string][]string{
				employmentReport: {`{"id":"r1","employments":[{"id":"e"}],` +
					`"completed_at":"2026-02-03 15:19:07+00:00"}`},
				"shifts/": {noShift},
			},
			want: fetched(announced, []schema.Resource{
				schema.VerificationReports, schema.Employment, schema.Income,
			}),
			records: []string{`{"id":"r1","employments":[{"id":"e"}],` +
				`"completed_at":"2026-02-03 15:19:07+00:00"}`},
			asked: []string{employmentReport, askForOneShift}},
		{promise: "a report of nothing is the only resource", members: income,
			pages: map[string][]string{
				incomeReport: {`{"status":"done","employments":[]}`}, "shifts/": {noShift},
			},
			want:    fetched(time.Time{}, reportAlone),
			records: []string{`{"status":"done","employments":[]}`}, asked: both},
		{promise: "a link whose list of shifts is absent has none", members: income,
			pages: map[string][]string{incomeReport: {whole}},
			want:  fetched(announced, withoutShifts), records: []string{wholeLeft}, asked: both},
		{promise: "so has one whose list of shifts is not for us", members: income,
			pages:    map[string][]string{incomeReport: {whole}},
			statuses: map[string]int{"shifts/": 403},
			want:     fetched(announced, withoutShifts), records: []string{wholeLeft}, asked: both},
		{promise: "and one whose list of shifts is in conflict", members: income,
			pages:    map[string][]string{incomeReport: {whole}},
			statuses: map[string]int{"shifts/": 409},
			want:     fetched(announced, withoutShifts), records: []string{wholeLeft}, asked: both},
		{promise: "and one whose list of shifts breaks the contract", members: income,
			pages: map[string][]string{incomeReport: {whole}, "shifts/": {`{"results":7}`}},
			want:  fetched(announced, withoutShifts), records: []string{wholeLeft}, asked: both},
		{promise: "and one whose list of shifts is without results", members: income,
			pages: map[string][]string{incomeReport: {whole}, "shifts/": {`{"results":null}`}},
			want:  fetched(announced, withoutShifts), records: []string{wholeLeft}, asked: both},
		{promise: "the case of a product says nothing",
			members: `,"product":"Employment","status":"done"`,
			pages:   map[string][]string{employmentReport: {`{"id":"r1"}`}},
			want:    fetched(time.Time{}, reportAlone), records: []string{`{"id":"r1"}`},
			asked: []string{employmentReport, askForOneShift}},
		{promise: "a task without a product has the report of the income",
			members: `,"product":null,"status":"done"`,
			pages:   map[string][]string{incomeReport: {`{"id":"r1"}`}},
			want:    fetched(time.Time{}, reportAlone), records: []string{`{"id":"r1"}`},
			asked: both},
		{promise: "refused credentials are no answer about shifts", members: income,
			pages:    map[string][]string{incomeReport: {whole}},
			statuses: map[string]int{"shifts/": 401}, status: 401,
			want: fetched(announced, withoutShifts), records: []string{wholeLeft}, asked: both},
		{promise: "a report that is not there is the provider's answer, and nothing else is awaited",
			members: income, status: http.StatusNotFound,
			want: workers.Fetched{Supported: reportAlone}, asked: []string{incomeReport}},
		{promise: "a report whose task goes on is stale", members: income,
			pages: map[string][]string{incomeReport: {`{"status":"full_parse"}`}},
			want:  stale, records: []string{`{"status":"full_parse"}`}, asked: both},
		{promise: "so is one whose refresh goes on", members: income,
			pages: map[string][]string{
				incomeReport: {`{"status":"done","refresh_status":"login"}`},
			},
			want: stale, records: []string{`{"status":"done","refresh_status":"login"}`},
			asked: both},
		{promise: "a refresh that has not begun has changed nothing", members: income,
			pages: map[string][]string{
				incomeReport: {`{"status":"done","refresh_status":"new"}`},
			},
			want:    fetched(time.Time{}, reportAlone),
			records: []string{`{"status":"done","refresh_status":"new"}`}, asked: both},
		{promise: "and one of a status that nobody knows", members: income,
			pages: map[string][]string{incomeReport: {`{"status":"reticulating"}`}},
			want:  stale, records: []string{`{"status":"reticulating"}`}, asked: both},
		{promise: "one whose last refresh failed is as fresh as it can be", members: income,
			pages: map[string][]string{
				incomeReport: {`{"status":"done","refresh_status":"login_error"}`},
			},
			want:    fetched(time.Time{}, reportAlone),
			records: []string{`{"status":"done","refresh_status":"login_error"}`}, asked: both},
		{promise: "one without a status is fresh", members: income,
			pages:   map[string][]string{incomeReport: {`{"status":null,"employments":{}}`}},
			want:    fetched(time.Time{}, reportAlone),
			records: []string{`{"status":null,"employments":{}}`}, asked: both},
	} {
		t.Run(row.promise, func(t *testing.T) {
			fake := &truvAPI{pages: row.pages, statuses: row.statuses}
			job := truvJob(t, schema.VerificationReports, "task-status-updated", row.members)
			job.Event.OccurredAt = taskEnded
			newHandler := fetch.TruvHandlers[schema.VerificationReports]
			got, err := newHandler(fake.client(t)).Fetch(t.Context(), job)
			check(t, got, err, row.status)
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

func TestAReportThatBreaksTheContractAwaitsNothingElse(t *testing.T) {
	fake := &truvAPI{pages: map[string][]string{incomeReport: {`[{"id":"r1"}]`}}}
	job := truvJob(t, schema.VerificationReports, "task-status-updated",
		`,"product":"income","status":"done"`)
	newHandler := fetch.TruvHandlers[schema.VerificationReports]
	got, err := newHandler(fake.client(t)).Fetch(t.Context(), job)
	if _, ok := errors.AsType[*api.ContractError](err); !ok {
		t.Errorf("error %v, want a ContractError", err)
	}
	if diff := cmp.Diff(workers.Fetched{Supported: reportAlone}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// shiftsTransport is Truv's API of a link with a report, and with another answer about shifts.
type shiftsTransport struct {
	report http.RoundTripper
	shifts func(*http.Request) (*http.Response, error)
	asked  map[string]int
}

// RoundTrip answers the call.
func (s shiftsTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	path, _ := strings.CutPrefix(r.URL.Path, "/v1/links/"+link+"/")
	s.asked[path]++
	if path == "shifts/" {
		return s.shifts(r)
	}
	return s.report.RoundTrip(r)
}

// The report has been answered when the list of shifts is asked for, and Truv may never answer
// about shifts. So a failure of that question must not cost the report, nor ask for it again.
func TestNoAnswerAboutShiftsCostsTheReport(t *testing.T) {
	respond := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, ContentLength: int64(len(body)),
				Header: http.Header{"Retry-After": {"3600"}},
				Body:   io.NopCloser(strings.NewReader(body)),
			}, nil
		}
	}
	for _, row := range []struct {
		promise string
		shifts  func(*http.Request) (*http.Response, error)
	}{
		{"a redirection", respond(301, ``)},
		{"a bad request", respond(400, `{}`)},
		{"a payment that is due", respond(402, `{}`)},
		{"a method that is not allowed", respond(405, `{"detail":"Method not allowed."}`)},
		{"a form that is not acceptable", respond(406, `{}`)},
		{"a link that is gone", respond(410, `{}`)},
		{"a media type", respond(415, `{}`)},
		{"a hold that lasts", respond(429, `{}`)},
		{"an error of the server", respond(500, `<html>`)},
		{"an outage", respond(503, ``)},
		{"HTML", respond(200, `<html>`)},
		{"an object without results", respond(200, `{"id":"x"}`)},
		{"a connection that breaks", func(*http.Request) (*http.Response, error) {
			return nil, errors.New("reset")
		}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := shiftsTransport{
					report: &truvAPI{pages: map[string][]string{
						incomeReport: {`{"status":"done","employments":[{"id":"e"}]}`},
					}},
					shifts: row.shifts, asked: map[string]int{},
				}
				got, err := fetchReport(t.Context(), t, api)
				want := workers.Fetched{
					Scope: schema.Delta, DataAt: taskEnded,
					Supported: []schema.Resource{
						schema.VerificationReports, schema.Employment, schema.Income,
					},
				}
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("error %v (-want +got):\n%s", err, diff)
				}
				if api.asked[incomeReport] != 1 || api.asked["shifts/"] == 0 {
					t.Errorf("calls: %v", api.asked)
				}
			})
		})
	}
}

// fetchReport gets the report of a task about income that is done.
func fetchReport(
	ctx context.Context, t *testing.T, transport http.RoundTripper,
) (workers.Fetched, error) {
	t.Helper()
	config := (&provider{T: t}).config()
	config.Transport = transport
	client, err := truv.New(truv.Config{Config: config, ClientID: "client"})
	if err != nil {
		t.Fatal(err)
	}
	job := truvJob(t, schema.VerificationReports, "task-status-updated",
		`,"product":"income","status":"done"`)
	job.Event.OccurredAt = taskEnded
	return fetch.TruvHandlers[schema.VerificationReports](client).Fetch(ctx, job)
}

func TestAReportWhoseAttemptEndsWithinTheQuestionForShiftsIsNotComplete(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	api := shiftsTransport{
		report: &truvAPI{pages: map[string][]string{incomeReport: {`{"status":"done"}`}}},
		shifts: func(*http.Request) (*http.Response, error) {
			cancel()
			return nil, ctx.Err()
		},
		asked: map[string]int{},
	}
	if _, err := fetchReport(ctx, t, api); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the end of the attempt", err)
	}
}

func TestCredentialsThatGoWithinTheQuestionForShiftsAreAnError(t *testing.T) {
	fake := &truvAPI{pages: map[string][]string{incomeReport: {`{"status":"done"}`}}}
	config := (&provider{T: t}).config()
	config.Transport = fake
	config.Secrets = func() ([]string, error) {
		if len(fake.asked()) > 0 {
			return nil, nil
		}
		return []string{"sekret"}, nil
	}
	client, err := truv.New(truv.Config{Config: config, ClientID: "client"})
	if err != nil {
		t.Fatal(err)
	}
	job := truvJob(t, schema.VerificationReports, "task-status-updated",
		`,"product":"income","status":"done"`)
	_, err = fetch.TruvHandlers[schema.VerificationReports](client).Fetch(t.Context(), job)
	if !errors.Is(err, api.ErrCredentials) {
		t.Errorf("error %v, want ErrCredentials", err)
	}
}
