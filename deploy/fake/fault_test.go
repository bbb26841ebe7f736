package fake_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

func TestFaultsThatReplaceTheAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  string
		truv   bool
		status int
		body   string
		header map[string]string
	}{
		{
			"429 of Pinwheel",
			`{"status": 429, "retry_after": "2"}`, false, 429, `"status_code":429`,
			map[string]string{"Retry-After": "2", "Content-Type": "application/json"},
		},
		{
			"429 of Truv",
			`{"status": 429, "retry_after": "9"}`, true, 429,
			`{"detail":"Request was throttled. Expected available in 9 seconds."}`,
			map[string]string{"Retry-After": "9"},
		},
		{
			"429 until a date",
			`{"status": 429, "retry_after": "Tue, 10 Mar 2026 12:00:05 GMT"}`, true, 429,
			`in 17 seconds.`, map[string]string{"Retry-After": "Tue, 10 Mar 2026 12:00:05 GMT"},
		},
		{"404 of Truv", `{"status": 404}`, true, 404, `{"detail":"Not Found."}`, nil},
		{"403 of Truv", `{"status": 403}`, true, 403, `"code":"not_authenticated"`, nil},
		{"400 of Truv", `{"status": 400}`, true, 400, `"code":"incorrect_parameters"`, nil},
		{"410 of Truv", `{"status": 410}`, true, 410, `"code":"expired_token"`, nil},
		{
			"500 of Truv",
			`{"status": 500}`, true, 500, `<h1>Server Error (500)</h1>`,
			map[string]string{"Content-Type": "text/html"},
		},
		{"401 of Pinwheel", `{"status": 401}`, false, 401, `"type":"UNAUTHORIZED_REQUEST"`, nil},
		{"404 of Pinwheel", `{"status": 404}`, false, 404, `"type":"RECORD_NOT_FOUND"`, nil},
		{"503 of Pinwheel", `{"status": 503}`, false, 503, `"type":"UNKNOWN_ERROR"`, nil},
		{
			"a body with 200",
			`{"body": "<h1>Maintenance</h1>"}`, false, 200, `<h1>Maintenance</h1>`,
			map[string]string{"Content-Type": "text/html"},
		},
		{
			"a body with a status and headers",
			`{"status": 502, "body": "{", "headers": {"Via": "1.1 proxy"}}`, true, 502, `{`,
			map[string]string{"Via": "1.1 proxy", "Content-Type": "application/json"},
		},
		{
			"a redirect",
			`{"redirect": "http://elsewhere.invalid/"}`, false, 302, ``,
			map[string]string{"Location": "http://elsewhere.invalid/"},
		},
		{
			"another redirect",
			`{"redirect": "/x", "status": 308}`, true, 308, ``, map[string]string{"Location": "/x"},
		},
		{
			"headers alone",
			`{"headers": {"X-A": "1"}}`, false, 200, `"data":`, map[string]string{"X-A": "1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			p := r.Person(fake.PersonOptions{})
			r.control("POST", "faults", test.fault, 201)
			path := account(p, "/income")
			if test.truv {
				path = link(p)
			}
			answer := r.get(path, test.status)
			if !strings.Contains(string(answer.body), test.body) {
				t.Errorf("body %s, want %s", answer.body, test.body)
			}
			for name, want := range test.header {
				if got := answer.header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestWhichCallsAFaultConcerns(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault fake.Fault
		want  []int // income, paystubs, one paystub, link; twice
	}{
		{"all", fake.Fault{}, []int{500, 500, 500, 500, 500, 500, 500, 500}},
		{
			"one provider's",
			fake.Fault{Provider: "truv"}, []int{200, 200, 200, 500, 200, 200, 200, 500},
		},
		{
			"an endpoint's",
			fake.Fault{Path: "paystubs"}, []int{200, 500, 200, 200, 200, 500, 200, 200},
		},
		{
			"another endpoint's",
			fake.Fault{Path: "paystub"}, []int{200, 200, 500, 200, 200, 200, 500, 200},
		},
		{
			"those with a part of a path",
			fake.Fault{Path: "/paystubs"}, []int{200, 500, 500, 200, 200, 500, 500, 200},
		},
		{"so many", fake.Fault{Times: 3}, []int{500, 500, 500, 200, 200, 200, 200, 200}},
		{"each n-th", fake.Fault{Every: 3}, []int{200, 200, 500, 200, 200, 500, 200, 200}},
		{
			"so many of each n-th",
			fake.Fault{Every: 2, Times: 1, Provider: "pinwheel"},
			[]int{200, 500, 200, 200, 200, 200, 200, 200},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			p := r.Person(fake.PersonOptions{})
			test.fault.Status = 500
			if _, err := r.AddFault(test.fault); err != nil {
				t.Fatal(err)
			}
			var got []int
			fired := 0
			paths := []string{
				account(p, "/income"), account(p, "/paystubs"),
				account(p, "/paystubs/"+p.PaystubIDs()[0]), link(p),
			}
			for range 2 {
				for _, path := range paths {
					answer, err := r.call(path, nil)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, answer.status)
					if answer.status == 500 {
						fired++
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			states := decode[[]fake.FaultState](t, r.control("GET", "faults", "", 200))
			if len(states) != 1 || states[0].Fired != fired {
				t.Errorf("fired %d times, listed %+v", fired, states)
			}
			r.control("DELETE", "faults", "", 204)
			r.get(link(p), 200)
		})
	}
}

func TestFaultsOfData(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	first := p.PaystubIDs()[0]
	if _, err := r.Event(p, "paystubs.added", fake.EventOptions{}); err != nil { // announces first
		t.Fatal(err)
	}
	const missingInLists = `{"path": "paystubs", "missing": true}`
	const staleAndFailing = `{"path": "income", "stale": true, "status": 503, "headers": {"X-A": "1"}}`
	named := `{"missing": ["` + p.PaystubIDs()[1] + `", "` + p.ShiftIDs()[0] + `"]}`
	for _, test := range []struct {
		name  string
		fault string
		check func(t *testing.T)
	}{
		{"stale is a day before the webhook", `{"stale": true}`, func(t *testing.T) {
			got := r.list(account(p, "/paystubs")).Meta.RefreshedAt
			if got != "2026-03-09T12:00:00.293456+00:00" {
				t.Errorf("refreshed_at %s", got)
			}
			voe := "/pinwheel/v1/end_users/" + p.EndUserID + "/verification_reports/voe"
			report := string(r.get(voe, 200).body)
			if !strings.Contains(report, `"refreshed_at":"2026-03-09T12:00:00.123456+00:00"`) {
				t.Errorf("report %s", report)
			}
		}},
		{"announced ids are missing", `{"missing": true}`, func(t *testing.T) {
			got := r.list(account(p, "/paystubs")).ids()
			if diff := cmp.Diff(p.PaystubIDs()[1:26], got); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			r.get(account(p, "/paystubs/"+first), 404)
		}},
		{"an announced id is missing from lists alone", missingInLists, func(t *testing.T) {
			if got := r.list(account(p, "/paystubs")).ids()[0]; got == first {
				t.Error("the list has it")
			}
			r.get(account(p, "/paystubs/"+first), 200)
		}},
		{"named ids are missing", named, func(t *testing.T) {
			if got := r.list(account(p, "/paystubs")).ids()[1]; got != p.PaystubIDs()[2] {
				t.Errorf("the second paystub is %s", got)
			}
			if got := r.list(account(p, "/shifts")).ids()[0]; got != p.ShiftIDs()[1] {
				t.Errorf("the first shift is %s", got)
			}
		}},
		{"the cursor repeats", `{"repeat_cursor": true}`, func(t *testing.T) {
			one := r.list(account(p, "/shifts"))
			two := r.list(account(p, "/shifts?cursor="+*one.Meta.NextCursor))
			if *one.Meta.NextCursor != *two.Meta.NextCursor {
				t.Error("the cursors differ")
			}
			if diff := cmp.Diff(one.ids(), two.ids()); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		}},
		{"a cut answer breaks off", `{"cut": 120}`, func(t *testing.T) {
			answer, err := r.call(account(p, "/paystubs"), nil)
			if err == nil || len(answer.body) != 120 {
				t.Errorf("read %d bytes, error %v", len(answer.body), err)
			}
		}},
		{"faults add up", staleAndFailing, func(t *testing.T) {
			const second = `{"path": "income", "status": 500, "headers": {"X-A": "2", "X-B": "2"}}`
			r.control("POST", "faults", second, 201)
			answer := r.get(account(p, "/income"), 503)
			if answer.header.Get("X-A") != "1" || answer.header.Get("X-B") != "2" {
				t.Errorf("headers %v", answer.header)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.control("POST", "faults", test.fault, 201)
			defer r.ClearFaults()
			test.check(t)
		})
	}
}

func TestSlowAnswerComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := fake.New(fake.Config{})
		defer fakes.Close()
		p := fakes.Person(fake.PersonOptions{})
		for range 2 {
			_, err := fakes.AddFault(fake.Fault{Delay: fake.Duration(3 * time.Second)})
			if err != nil {
				t.Fatal(err)
			}
		}
		path := account(p, "/income")
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		request.Header.Set("x-api-secret", fake.Secret(fake.Pinwheel))
		request.Header.Set("Pinwheel-Version", "2025-07-08")
		start := time.Now()
		w := httptest.NewRecorder()
		fakes.ServeHTTP(w, request)
		if took := time.Since(start); took != 6*time.Second || w.Code != 200 {
			t.Errorf("status %d after %v", w.Code, took)
		}
	})
}

func TestSlowAnswerEndsEarly(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*fake.Providers, context.CancelFunc)
	}{
		{
			"when the caller goes away",
			func(_ *fake.Providers, cancel context.CancelFunc) { cancel() },
		},
		{"when the provider closes", func(f *fake.Providers, _ context.CancelFunc) { f.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			fakes := fake.New(fake.Config{})
			defer fakes.Close()
			if _, err := fakes.AddFault(fake.Fault{Delay: fake.Duration(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			entered, left := make(chan struct{}), make(chan struct{})
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(left)
				close(entered)
				fakes.ServeHTTP(w, r)
			})
			server := httptest.NewServer(handler)
			defer server.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			url := server.URL + "/truv/v1/links/x/"
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Access-Client-Id", fake.TruvClientID)
			request.Header.Set("X-Access-Secret", fake.Secret(fake.Truv))
			go func() {
				<-entered
				test.end(fakes, cancel)
			}()
			answer, err := server.Client().Do(request)
			if err == nil {
				answer.Body.Close()
				t.Errorf("answered %d", answer.StatusCode)
			}
			<-left
		})
	}
}

func TestClosingEndsTheWaitForARedelivery(t *testing.T) {
	r := newRig(t, func(c *fake.Config) { c.RetryWait = time.Hour })
	r.inbox.statuses = []int{503}
	w, err := r.Event(r.Person(fake.PersonOptions{}), "income.added", fake.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := r.SendWithRetries(t.Context(), w); err == nil {
		t.Error("no error")
	}
}

func TestFaultsSurviveJSON(t *testing.T) {
	want := fake.Fault{
		Provider: "truv", Path: "link", Times: 1, Every: 2, Status: 429, RetryAfter: "1",
		Body: "b", Redirect: "r", Headers: map[string]string{"A": "b"},
		Delay: fake.Duration(90 * time.Second), Cut: 3, Stale: true,
		Missing: fake.Missing{IDs: []string{"a"}}, RepeatCursor: true,
	}
	for _, missing := range []fake.Missing{{}, {IDs: []string{"a"}}, {Announced: true}} {
		want.Missing = missing
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, decode[fake.Fault](t, text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
