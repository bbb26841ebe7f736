package fake_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

func TestCredentials(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	pinwheel, truv := account(p, "/income"), link(p)
	for _, test := range []struct {
		name   string
		path   string
		header map[string]string
		status int
		body   string
	}{
		{"Pinwheel answers its secret", pinwheel, nil, 200, `"compensation_unit":"hourly"`},
		{
			"Pinwheel refuses no secret",
			pinwheel, map[string]string{"x-api-secret": ""}, 401, `"type":"UNAUTHORIZED_REQUEST"`,
		},
		{
			"Pinwheel refuses another secret",
			pinwheel, map[string]string{"x-api-secret": "truv-secret"}, 401, `"status_code":401`,
		},
		{
			"Pinwheel wants a version",
			pinwheel, map[string]string{"Pinwheel-Version": ""}, 400,
			`"type":"INVALID_REQUEST_PARAMETERS"`,
		},
		{"Truv answers both credentials", truv, nil, 200, `"id":"` + p.LinkID},
		{
			"Truv refuses another client",
			truv, map[string]string{"X-Access-Client-Id": "x"}, 401,
			`{"error":{"code":"authentication_failed","message":"No such token"}}`,
		},
		{
			"Truv refuses no secret",
			truv, map[string]string{"X-Access-Secret": ""}, 401, "authentication_failed",
		},
		{
			"an unknown path of Pinwheel is not found",
			"/pinwheel/v2/x", nil, 404, "RECORD_NOT_FOUND",
		},
		{
			"an unknown path of Truv is not found",
			"/truv/v1/users/", nil, 404, `{"detail":"Not Found."}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := r.call(test.path, test.header)
			if err != nil {
				t.Fatal(err)
			}
			if answer.status != test.status || !strings.Contains(string(answer.body), test.body) {
				t.Errorf("got %d %s, want %d %s",
					answer.status, answer.body, test.status, test.body)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{EndUserID: "user/1 é"})
	reports := "/pinwheel/v1/end_users/user%2F1%20%C3%A9/verification_reports"
	for _, test := range []struct {
		name   string
		path   string
		status int
		want   string // a regular expression
	}{
		{
			"an account says what it has",
			account(p, ""), 200, `"monitoring_status":"active","data_updated_at":\{`,
		},
		{
			"employment has nulls",
			account(p, "/employment"), 200,
			`"termination_date":null.*` +
				`"meta":\{"refreshed_at":"2026-03-10T12:00:00.123456\+00:00"\}`,
		},
		{
			"text is not escaped for HTML",
			account(p, "/employment"), 200, `"employer_name":"Fictional & Sons"`,
		},
		{
			"the end of a social security number keeps its zero",
			account(p, "/identity"), 200, `"last_four_ssn":"0\d{3}"`,
		},
		{
			"fields come that nobody documented",
			account(p, "/identity"), 200, `"ssn_on_file":"9\d\d-00-0\d{3}"`,
		},
		{"income is in cents", account(p, "/income"), 200, `"compensation_amount":\d+,`},
		{
			"hours keep their zero",
			account(p, "/paystubs/"+p.PaystubIDs()[0]), 200, `"hours":160\.0,?`,
		},
		{
			"hours keep their digits",
			account(p, "/paystubs/"+p.PaystubIDs()[0]), 200, `"hours":37\.33333333333333333\}`,
		},
		{
			"a paystub alone has no meta",
			account(p, "/paystubs/"+p.PaystubIDs()[3]), 200,
			`^\{"data":\{"id":"[^{]*.*"pay_group":\{"code":"FOUR-WEEKLY"\}\}\}$`,
		},
		{
			"amounts are too big for a float64",
			account(p, "/paystubs"), 200, `"gross_pay_ytd":90071992547409931,`,
		},
		{"overtime is a fraction", account(p, "/shifts"), 200, `"hours":0\.35,`},
		{
			"a shift's time has a space",
			account(p, "/shifts"), 200, `"created_at":"2026-03-10 12:00:00`,
		},
		{
			"a voe report has no income",
			reports + "/voe", 200,
			`"report_type":"voe","employments":\[\{[^\]]*"most_recent_pay_date":"2026-03-09"\}\]`,
		},
		{"a voie report has income", reports + "/voie", 200, `"income":\{.*"year":"2026"`},
		{
			"a link shows its whole access token",
			link(p), 200, `"access_token":"fake-access-token-[0-9a-f]{32}"`,
		},
		{"a link names the end user", link(p), 200, `"user_external_id":"user/1 é"`},
		{
			"an unknown account is not found",
			"/pinwheel/v1/accounts/x/identity", 404, `RECORD_NOT_FOUND`,
		},
		{"a link is no account", "/pinwheel/v1/accounts/" + p.LinkID, 404, `RECORD_NOT_FOUND`},
		{"an unknown paystub is not found", account(p, "/paystubs/x"), 404, `RECORD_NOT_FOUND`},
		{
			"an unknown end user is not found",
			"/pinwheel/v1/end_users/x/verification_reports/voe", 404, `RECORD_NOT_FOUND`,
		},
		{"an unknown link is not found", "/truv/v1/links/x/", 404, `^\{"detail":"Not Found."\}$`},
		{"a limit over 100 is refused", account(p, "/paystubs?limit=101"), 400, `"name":"limit"`},
		{"a limit of nothing is refused", account(p, "/shifts?limit=0"), 400, `"name":"limit"`},
		{"a foreign cursor is refused", account(p, "/shifts?cursor=zzz"), 400, `"name":"cursor"`},
		{
			"a date that is none is refused",
			account(p, "/shifts?from_end_date=soon"), 400, `"name":"from_end_date"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := r.get(test.path, test.status)
			if !regexp.MustCompile(test.want).Match(answer.body) {
				t.Errorf("got %s, want %s", answer.body, test.want)
			}
			if !json.Valid(answer.body) {
				t.Error("the answer is not JSON")
			}
		})
	}
}

func TestTruvRedirectsToTheSlash(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	answer := r.get(strings.TrimSuffix(link(p), "/")+"?a=1", http.StatusMovedPermanently)
	if got, want := answer.header.Get("Location"), link(p)+"?a=1"; got != want {
		t.Errorf("location %q, want %q", got, want)
	}
}

func TestPages(t *testing.T) {
	for _, test := range []struct {
		name    string
		pageMax int
		query   string
		pages   []int
	}{
		{"25 unless asked", 0, "", []int{25, 25, 25, 15}},
		{"as many as asked, up to 100", 0, "limit=90", []int{90}},
		{"fewer where asked", 0, "limit=40", []int{40, 40, 10}},
		{"never more than the server's own limit", 25, "limit=100", []int{25, 25, 25, 15}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, func(c *fake.Config) { c.PageMax = test.pageMax })
			p := r.Person(fake.PersonOptions{})
			var pages []int
			var ids []string
			newest := "9999"
			for cursor := ""; ; {
				page := r.list(account(p, "/shifts?"+test.query+"&cursor="+cursor))
				if page.Meta.Count != len(page.Data) {
					t.Errorf("count %d of %d", page.Meta.Count, len(page.Data))
				}
				for _, s := range page.Data {
					if s.EndDate > newest {
						t.Errorf("%s follows %s", s.EndDate, newest)
					}
					newest = s.EndDate
				}
				pages, ids = append(pages, len(page.Data)), append(ids, page.ids()...)
				if page.Meta.NextCursor == nil {
					break
				}
				cursor = *page.Meta.NextCursor
			}
			if diff := cmp.Diff(test.pages, pages); diff != "" {
				t.Errorf("sizes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(p.ShiftIDs(), ids); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDateFilters(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	paystubs := p.PaystubIDs() // paid on 2026-03-09, 2026-02-09, 2026-01-12, 2025-12-15, …
	shifts := p.ShiftIDs()     // one a day, backwards from 2026-03-09
	for _, test := range []struct {
		name string
		path string
		want []string
	}{
		{"from_pay_date itself is left out", "/paystubs?from_pay_date=2026-02-09", paystubs[:1]},
		{"the day before it brings it in", "/paystubs?from_pay_date=2026-02-08", paystubs[:2]},
		{
			"to_pay_date itself is in",
			"/paystubs?from_pay_date=2026-01-01&to_pay_date=2026-02-09", paystubs[1:3],
		},
		{
			"nothing within the dates is an empty list",
			"/paystubs?from_pay_date=2026-03-09", []string{},
		},
		{
			"both bounds of shifts are in",
			"/shifts?from_end_date=2026-03-07&to_end_date=2026-03-08", shifts[1:3],
		},
		{
			"starts and ends both count",
			"/shifts?from_start_date=2026-03-07&to_end_date=2026-03-07", shifts[2:3],
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := r.list(account(p, test.path))
			if diff := cmp.Diff(test.want, page.ids()); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPeople(t *testing.T) {
	r := newRig(t)
	for _, test := range []struct {
		name             string
		opts             fake.PersonOptions
		paystubs, shifts int
	}{
		{"has 31 paystubs and 90 shifts", fake.PersonOptions{}, 31, 90},
		{"has as many as asked for", fake.PersonOptions{Paystubs: 400, Shifts: 200}, 400, 200},
		{"has none where asked for", fake.PersonOptions{Paystubs: -1, Shifts: -1}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := r.Person(test.opts)
			if len(p.PaystubIDs()) != test.paystubs || len(p.ShiftIDs()) != test.shifts {
				t.Errorf("got %d and %d", len(p.PaystubIDs()), len(p.ShiftIDs()))
			}
			r.get("/pinwheel/v1/end_users/"+p.EndUserID+"/verification_reports/voie", http.StatusOK)
			if got := len(r.Timeline(p)); got < 13 {
				t.Errorf("a timeline of %d webhooks", got)
			}
		})
	}
	t.Run("is the same for the same seed", func(t *testing.T) {
		a, b := r.Person(fake.PersonOptions{Seed: 7}), r.Person(fake.PersonOptions{Seed: 7})
		if a.AccountID != b.AccountID || cmp.Diff(a.PaystubIDs(), b.PaystubIDs()) != "" {
			t.Error("two people of one seed differ")
		}
	})
	t.Run("is answered with 403 if forbidden, whatever the faults", func(t *testing.T) {
		p := r.Person(fake.PersonOptions{Forbidden: true})
		if _, err := r.AddFault(fake.Fault{Status: http.StatusBadGateway}); err != nil {
			t.Fatal(err)
		}
		defer r.ClearFaults()
		r.get(account(p, "/paystubs?limit=100"), http.StatusForbidden)
		r.get("/pinwheel/v1/end_users/"+p.EndUserID+"/verification_reports/voe",
			http.StatusForbidden)
		r.get(link(p), http.StatusForbidden)
	})
	t.Run("has canaries in what the API answers", func(t *testing.T) {
		p := r.Person(fake.PersonOptions{})
		var all strings.Builder
		for _, path := range []string{
			account(p, "/identity"), account(p, "/paystubs?limit=100"), link(p),
			link(p) + "identity/", link(p) + "bank_accounts/",
			link(p) + "statements/?page_size=100&return_all_statements=true",
			link(p) + "statements/?employment_id=" + p.EmploymentIDs()[1],
		} {
			all.Write(r.get(path, http.StatusOK).body)
		}
		for i, canary := range p.Canaries() {
			if len(canary) < 8 || !strings.Contains(all.String(), canary) {
				t.Errorf("canary %d, %q, is short or nowhere", i, canary)
			}
		}
	})
}

func TestCallsAreCounted(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	for range 3 {
		r.get(account(p, "/paystubs"), 200)
	}
	r.get("/pinwheel/v1/accounts/x", 404)
	r.get("/pinwheel/nothing", 404)
	r.get(link(p), 200)
	want := fake.Calls{
		Total: 6,
		Calls: map[string]int{
			"pinwheel GET /v1/accounts/{account_id}/paystubs": 3,
			"pinwheel GET /v1/accounts/{account_id}":          1,
			"pinwheel GET other":                              1,
			"truv GET /v1/links/{link_id}/":                   1,
		},
		Statuses: map[string]int{"200": 4, "404": 2},
	}
	if diff := cmp.Diff(want, r.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	listed := decode[fake.Calls](t, r.control("GET", "calls", "", 200))
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("calls by HTTP (-want +got):\n%s", diff)
	}
	r.control("DELETE", "calls", "", 204)
	if got := r.Calls().Total; got != 0 {
		t.Errorf("%d calls after the reset", got)
	}
}

func TestArrivalsOfCallsAreListedInOrder(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	began := time.Now()
	r.get(account(p, "/income"), 200)
	r.get(link(p), 200)
	r.get("/pinwheel/nothing", 404)
	ended := time.Now()
	var providers []string
	last := began.Round(0) // JSON has no monotonic time
	for _, a := range decode[[]fake.Arrival](t, r.control("GET", "arrivals", "", 200)) {
		providers = append(providers, a.Provider)
		if a.At.Before(last) || a.At.After(ended) {
			t.Errorf("%s arrived at %v, not between %v and %v", a.Provider, a.At, last, ended)
		}
		last = a.At
	}
	if diff := cmp.Diff([]string{"pinwheel", "truv", "pinwheel"}, providers); diff != "" {
		t.Errorf("arrivals (-want +got):\n%s", diff)
	}
	r.control("DELETE", "calls", "", 204)
	if got := r.Arrivals(); len(got) != 0 {
		t.Errorf("%d arrivals after the reset", len(got))
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRig(t)
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rig{r.Providers, t, r.url, r.client, r.inbox}
			p := r.Person(fake.PersonOptions{})
			if _, err := r.AddFault(fake.Fault{Path: p.AccountID, Stale: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Play(t.Context(), p, fake.SendOptions{}); err != nil {
				t.Fatal(err)
			}
			r.list(account(p, "/paystubs"))
			r.get(link(p), 404)
			r.Calls()
			r.Sent()
			r.Faults()
		})
	}
}
