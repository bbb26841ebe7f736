package fake_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

// truvList is one page of pay statements or shifts.
type truvList struct {
	Count    int
	Next     *string
	Previous *string
	Results  []truvRecord
}

type truvRecord struct {
	ID      string
	PayDate string `json:"pay_date"`
	Start   string `json:"start_date"`
	Gross   string `json:"gross_pay"`
	Net     string `json:"net_pay"`
	Company struct{ Name string }
}

func idsOf(records []truvRecord) []string {
	ids := []string{}
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func (r rig) page(path string) truvList {
	r.t.Helper()
	return decode[truvList](r.t, r.get(path, http.StatusOK).body)
}

func TestTruvAndPinwheelKnowTheSamePerson(t *testing.T) {
	r := newRig(t, func(c *fake.Config) { c.PageMax = 100 })
	p := r.Person(fake.PersonOptions{})
	paystubs := decode[struct {
		Data []struct {
			PayDate string `json:"pay_date"`
			Gross   int    `json:"gross_pay_amount"`
			Net     int    `json:"net_pay_amount"`
		}
	}](t, r.get(account(p, "/paystubs?limit=100"), 200).body)
	dollars := func(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
	var want, got [][3]string
	for _, s := range paystubs.Data {
		want = append(want, [3]string{s.PayDate, dollars(s.Gross), dollars(s.Net)})
	}
	const all = "?page_size=100&return_all_statements=true"
	for _, s := range r.page(link(p) + "statements/" + all).Results {
		got = append(got, [3]string{s.PayDate, s.Gross, s.Net})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paystubs at Pinwheel, statements at Truv (-want +got):\n%s", diff)
	}

	job := decode[[]struct {
		Rate string `json:"pay_rate"`
	}](t, r.get(link(p)+"employments/", 200).body)[0]
	regular := decode[struct {
		Results []struct{ Regular string }
	}](t, r.get(link(p)+"statements/"+all, 200).body).Results[0].Regular
	if job.Rate != regular {
		t.Errorf("the pay of a cycle is %s at the employment, %s at a statement", job.Rate, regular)
	}

	var wantDays, gotDays []string
	for _, s := range r.list(account(p, "/shifts?limit=100")).Data {
		wantDays = append(wantDays, s.EndDate)
	}
	for _, s := range r.page(link(p) + "shifts/?page_size=100").Results {
		gotDays = append(gotDays, s.Start)
	}
	if diff := cmp.Diff(wantDays, gotDays); diff != "" {
		t.Errorf("days of shifts (-want +got):\n%s", diff)
	}

	identity := string(r.get(link(p)+"identity/", 200).body)
	employment := decode[struct {
		Data struct {
			Employer string `json:"employer_name"`
			Start    string `json:"start_date"`
		}
	}](t, r.get(account(p, "/employment"), 200).body)
	jobs := decode[[]truvRecord](t, r.get(link(p)+"employments/", 200).body)
	if len(jobs) != 2 || jobs[0].Company.Name != employment.Data.Employer ||
		jobs[0].Start != employment.Data.Start || jobs[1].Start >= jobs[0].Start ||
		jobs[1].Company.Name == jobs[0].Company.Name {
		t.Errorf("employment %+v, employments %+v", employment, jobs)
	}
	full := decode[struct {
		Data struct {
			Name    string `json:"full_name"`
			LastSSN string `json:"last_four_ssn"`
		}
	}](t, r.get(account(p, "/identity"), 200).body)
	ssn := regexp.MustCompile(`"ssn":"\d{5}` + full.Data.LastSSN + `"`)
	if !strings.Contains(identity, `"full_name":"`+full.Data.Name+`"`) || !ssn.MatchString(identity) {
		t.Errorf("identity %s", identity)
	}

	banks := decode[[]struct {
		Number string `json:"account_number"`
		Bank   string `json:"bank_name"`
	}](t, r.get(link(p)+"bank_accounts/", 200).body)
	allocations := decode[struct {
		Data struct {
			Allocations []struct {
				Number string `json:"masked_account_number"`
				Bank   string `json:"bank_name"`
			}
		}
	}](t, r.get(account(p, "/direct_deposit_allocations"), 200).body).Data.Allocations
	if len(banks) != 2 || len(allocations) != len(banks) {
		t.Fatalf("bank accounts %+v, allocations %+v", banks, allocations)
	}
	for i, a := range allocations {
		if len(banks[i].Number) != 20 || !strings.HasSuffix(banks[i].Number, a.Number) ||
			len(a.Number) != 4 || banks[i].Bank != a.Bank {
			t.Errorf("bank account %+v, allocation %+v", banks[i], a)
		}
	}
}

func TestTruvPages(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	newest, earlier := p.EmploymentIDs()[0], p.EmploymentIDs()[1]
	statements := p.StatementIDs(newest) // paid on 2026-03-09, 2026-02-09, 2026-01-12, …
	shifts := p.TruvShiftIDs()           // one a day, backwards from 2026-03-09
	address := func(list string, page int) string {
		return fmt.Sprintf("https://api.invalid/v1/link/%s/%s?page=%d", p.LinkID, list, page)
	}
	for _, test := range []struct {
		name           string
		path           string
		count          int
		want           []string
		next, previous string
	}{
		{"20 on a page", "shifts/", 90, shifts[:20], address("shifts", 2), ""},
		{"a page in the middle", "shifts/?page=2", 90, shifts[20:40], address("shifts", 3),
			address("shifts", 1)},
		{"the last page", "shifts/?page=5", 90, shifts[80:], "", address("shifts", 4)},
		{"a size that is asked for", "shifts/?page_size=50&page=2", 90, shifts[50:], "",
			address("shifts", 1)},
		{"the largest page", "shifts/?page_size=1000", 90, shifts, "", ""},
		{"a size that is none", "shifts/?page_size=x", 90, shifts[:20], address("shifts", 2), ""},
		{"both days of shifts are in", "shifts/?start_date_from=2026-03-07&start_date_to=2026-03-08",
			2, shifts[1:3], "", ""},
		{"the statements that the template lets through", "statements/?page_size=100", 24,
			statements[:24], "", ""},
		{"all statements", "statements/?page_size=100&return_all_statements=true", 31,
			statements, "", ""},
		{"both days of statements are in",
			"statements/?pay_date_from=2026-01-12&pay_date_to=2026-02-09", 2, statements[1:3], "", ""},
		{"the statements of the newest employment", "statements/?page_size=2&employment_id=" + newest,
			24, statements[:2], address("statements", 2), ""},
		{"the statements of another employment", "statements/?employment_id=" + earlier, 3,
			p.StatementIDs(earlier), "", ""},
		{"an empty list has a page", "shifts/?start_date_from=2026-03-10", 0, []string{}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := r.page(link(p) + test.path)
			if diff := cmp.Diff(test.want, idsOf(got.Results)); diff != "" || got.Count != test.count {
				t.Errorf("count %d, ids (-want +got):\n%s", got.Count, diff)
			}
			if diff := cmp.Diff([]string{test.next, test.previous},
				[]string{text(got.Next), text(got.Previous)}); diff != "" {
				t.Errorf("next and previous (-want +got):\n%s", diff)
			}
		})
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestTruvFindsNothing(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	const notFound, invalidPage = `{"detail":"Not Found."}`, `{"detail":"Invalid page."}`
	for _, test := range []struct {
		name, path string
		status     int
		body       string
	}{
		{"behind the last page", link(p) + "shifts/?page=6", 404, invalidPage},
		{"before the first page", link(p) + "statements/?page=0", 404, invalidPage},
		{"on a page that is none", link(p) + "statements/?page=x", 404, invalidPage},
		{"of another link", "/truv/v1/links/x/employments/", 404, notFound},
		{"of an end user", "/truv/v1/links/" + p.UserID + "/identity/", 404, notFound},
		{"of an unknown employment", link(p) + "statements/?employment_id=x", 404, notFound},
		{"of an unknown kind", link(p) + "moods/", 404, notFound},
		{"without the last slash", link(p) + "shifts?page=2", 301, ""},
		{"of a report without the last slash", link(p) + "income/report", 301, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(r.get(test.path, test.status).body); got != test.body {
				t.Errorf("body %s, want %s", got, test.body)
			}
		})
	}
}

func TestTruvReports(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	refresh := fake.EventOptions{Status: "login_error", Refresh: true}
	failed, err := r.Event(p, "task-status-updated", refresh)
	if err != nil {
		t.Fatal(err)
	}
	const done = `"status":"done","finished_at":"2026-03-10T12:00:00Z",` +
		`"completed_at":"2026-03-10 12:00:00+00:00","access_token":"fake-access-token-`
	const underway = `"status":"full_parse","finished_at":null,"completed_at":null,`
	for _, test := range []struct {
		name, path string
		before     func()
		want       []string
		without    []string
	}{
		{"of income", "income/report/", func() {},
			[]string{done, `"refresh_status":null`, `"income":"`, `"profile":{`, `"statements":[{`,
				`"bank_accounts":[{"account_number":"`, `"bank_accounts":[]`}, nil},
		{"of employment, without income", "employment/report/", func() {},
			[]string{done, `"profile":{`},
			[]string{"refresh_status", `"income":`, "statements", "account_number"}},
		{"that is not final", "income/report/",
			func() { r.control("POST", "faults", `{"path": "income_report", "stale": true}`, 201) },
			[]string{underway}, []string{done}},
		{"after a refresh that failed", "income/report/", func() {
			if _, err := r.Send(t.Context(), failed); err != nil {
				t.Fatal(err)
			}
		}, []string{done, `"refresh_status":"login_error"`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.before()
			defer r.ClearFaults()
			got := string(r.get(link(p)+test.path, 200).body)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s is not in %s", want, got)
				}
			}
			for _, without := range test.without {
				if strings.Contains(got, without) {
					t.Errorf("%s is in %s", without, got)
				}
			}
		})
	}
}

func TestTruvWebhooks(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{Shifts: 7})
	employments := p.EmploymentIDs()
	data := func(typ, rest string) string {
		return `{"webhook_id": "[0-9a-f]{32}", "event_type": "` + typ + `", ` +
			`"event_created_at": "2026-03-10T12:00:00.123456Z", "link_id": "` + p.LinkID +
			`", "product": "income", "data_source": "payroll", "tracking_info": null, ` +
			`"user_id": "` + p.UserID + `", "task_id": "[0-9a-f]{32}", ` + rest + `}`
	}
	of := func(employment string, count int) string {
		return fmt.Sprintf(`"employment_id": "%s", "objects_count": %d`, employment, count)
	}
	for _, test := range []struct {
		name, typ string
		opts      fake.EventOptions
		want      string // a regular expression for the whole body
	}{
		{"the newest employment", "employment-created", fake.EventOptions{},
			data("employment-created", `"object_id": "`+employments[0]+`"`)},
		{"an object where asked for", "employment-updated", fake.EventOptions{ObjectID: "other"},
			data("employment-updated", `"object_id": "other"`)},
		{"the profile", "profile-created", fake.EventOptions{},
			data("profile-created", `"object_id": "`+p.ProfileID()+`"`)},
		{"the statements of the newest employment", "statements-created", fake.EventOptions{},
			data("statements-created", of(employments[0], 31))},
		{"the statements of another", "statements-updated",
			fake.EventOptions{EmploymentID: employments[1]},
			data("statements-updated", of(employments[1], 3))},
		{"the statements of none", "statements-created", fake.EventOptions{EmploymentID: "x"},
			data("statements-created", of("x", 0))},
		{"shifts", "shifts-created", fake.EventOptions{},
			data("shifts-created", of(employments[0], 7))},
		{"bank accounts", "bank-accounts-updated", fake.EventOptions{},
			data("bank-accounts-updated", of(employments[0], 2))},
		{"a count where asked for", "shifts-created", fake.EventOptions{ObjectsCount: 99},
			data("shifts-created", of(employments[0], 99))},
		{"a count of none where asked for", "shifts-created", fake.EventOptions{ObjectsCount: -1},
			data("shifts-created", of(employments[0], 0))},
		{"a task, which has an update and no user", "task-status-updated", fake.EventOptions{},
			`.*"updated_at": "2026-03-10T12:00:00.123456\+00:00", .*"user_id": null, ` +
				`"template_id": null, "task_id": "[0-9a-f]{32}", "status": "done"}`},
		{"a task of a status and product where asked for", "task-status-updated",
			fake.EventOptions{Status: "mfa_error", Product: "pll"},
			`.*"product": "pll", .*"status": "mfa_error"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := r.Event(p, test.typ, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile("^" + test.want + "$").Match(w.Body) {
				t.Errorf("got  %s\nwant %s", w.Body, test.want)
			}
		})
	}
}

func TestTasksOfTruv(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	task := func(typ string, opts fake.EventOptions) string {
		w, err := r.Event(p, typ, opts)
		if err != nil {
			t.Fatal(err)
		}
		return decode[struct {
			ID string `json:"task_id"`
		}](t, w.Body).ID
	}
	first := task("task-status-updated", fake.EventOptions{})
	if got := task("shifts-created", fake.EventOptions{}); got != first {
		t.Errorf("shifts are of task %s and not of %s", got, first)
	}
	refresh := task("task-status-updated", fake.EventOptions{Refresh: true})
	if got := task("shifts-updated", fake.EventOptions{}); got != refresh || got == first {
		t.Errorf("a refresh is task %s, its shifts are of %s, the first task is %s",
			refresh, got, first)
	}
}

func TestControlInstructsTruv(t *testing.T) {
	r := newRig(t)
	p := decode[struct {
		Newest   string `json:"employment_id"`
		Earlier  string `json:"earlier_employment_id"`
		Profile  string `json:"profile_id"`
		Paystubs int    `json:"earlier_paystubs"`
	}](t, r.control("POST", "people", `{"earlier_paystubs": 5}`, 201))
	if p.Paystubs != 5 || p.Newest == "" || p.Earlier == "" || p.Profile == "" {
		t.Errorf("made %+v", p)
	}
	for _, test := range []struct{ name, instruction, want string }{
		{"status and product",
			`{"type": "task-status-updated", "status": "parse", "product": "employment"}`,
			`"product": "employment", .*"status": "parse"}`},
		{"an object", `{"type": "profile-created", "object_id": "x"}`, `"object_id": "x"}`},
		{"an employment", `{"type": "statements-created", "employment_id": "` + p.Earlier + `"}`,
			`"employment_id": "` + p.Earlier + `", "objects_count": 5}`},
		{"a count", `{"type": "shifts-created", "objects_count": 1000}`, `"objects_count": 1000}`},
		{"no object", `{"type": "shifts-created", "objects_count": 0}`, `"objects_count": 0}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.control("POST", "webhooks", test.instruction, 200)
			got := r.inbox.all()[len(r.inbox.all())-1].body
			if !regexp.MustCompile(test.want).Match(got) {
				t.Errorf("received %s, want %s", got, test.want)
			}
		})
	}
	without := r.control("POST", "people", `{"earlier_paystubs": 0}`, 201)
	if strings.Contains(string(without), "earlier_employment_id") {
		t.Errorf("made %s", without)
	}
}

func TestEveryWebhookOfATimelineTellsTheTruth(t *testing.T) {
	r := newRig(t, func(c *fake.Config) { c.PageMax = 100 })
	p := r.Person(fake.PersonOptions{Paystubs: 3, Shifts: 4, EarlierPaystubs: 2})
	for _, w := range r.Timeline(p) {
		if w.Provider != fake.Truv {
			continue
		}
		e := decode[struct {
			Object     string `json:"object_id"`
			Employment string `json:"employment_id"`
			Count      int    `json:"objects_count"`
		}](t, w.Body)
		kind, _, _ := strings.Cut(w.Type, "-")
		var ids []string
		count := e.Count
		switch kind {
		case "employment":
			jobs := decode[[]truvRecord](t, r.get(link(p)+"employments/", 200).body)
			ids = idsOf(jobs)
		case "profile":
			ids = []string{decode[truvRecord](t, r.get(link(p)+"identity/", 200).body).ID}
		case "statements":
			count = r.page(link(p) + "statements/?employment_id=" + e.Employment).Count
		case "shifts":
			count = r.page(link(p) + "shifts/").Count
		case "bank":
			count = len(decode[[]any](t, r.get(link(p)+"bank_accounts/", 200).body))
		}
		if e.Object != "" && !strings.Contains(strings.Join(ids, " "), e.Object) {
			t.Errorf("%s names %s, and there are %v", w.Type, e.Object, ids)
		}
		if count != e.Count {
			t.Errorf("%s counts %d, and there are %d", w.Type, e.Count, count)
		}
	}
}

func TestFaultsOfTruvsData(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	newest, earlier := p.EmploymentIDs()[0], p.EmploymentIDs()[1]
	for _, typ := range []string{
		"employment-created", "profile-created", "statements-created", "shifts-created",
		"bank-accounts-created", "task-status-updated",
	} {
		if _, err := r.Event(p, typ, fake.EventOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	gone := `{"missing": ["` + earlier + `", "` + p.TruvShiftIDs()[0] + `"]}`
	for _, test := range []struct {
		name, fault string
		check       func(t *testing.T)
	}{
		{"announced records are missing", `{"missing": true}`, func(t *testing.T) {
			jobs := decode[[]truvRecord](t, r.get(link(p)+"employments/", 200).body)
			if diff := cmp.Diff([]string{earlier}, idsOf(jobs)); diff != "" {
				t.Errorf("employments (-want +got):\n%s", diff)
			}
			for _, list := range []string{"statements/", "shifts/"} {
				if got := r.page(link(p) + list); got.Count != 0 || len(got.Results) != 0 {
					t.Errorf("%s has %d", list, got.Count)
				}
			}
			if got := r.page(link(p) + "statements/?employment_id=" + earlier); got.Count != 3 {
				t.Errorf("statements that were not announced: %d", got.Count)
			}
			if got := string(r.get(link(p)+"bank_accounts/", 200).body); got != "[]" {
				t.Errorf("bank accounts %s", got)
			}
			r.get(link(p)+"identity/", 404)
			r.get(link(p)+"income/report/", 404)
		}},
		{"so often as asked for", `{"path": "truv_shifts", "missing": true, "times": 1}`,
			func(t *testing.T) {
				if r.page(link(p)+"statements/").Count == 0 || r.page(link(p)+"shifts/").Count != 0 ||
					r.page(link(p)+"shifts/").Count != 90 {
					t.Error("the fault is not of the first call for shifts alone")
				}
			}},
		{"named records are missing", gone, func(t *testing.T) {
			jobs := decode[[]truvRecord](t, r.get(link(p)+"employments/", 200).body)
			if diff := cmp.Diff([]string{newest}, idsOf(jobs)); diff != "" {
				t.Errorf("employments (-want +got):\n%s", diff)
			}
			r.get(link(p)+"statements/?employment_id="+earlier, 404)
			if got := r.page(link(p) + "shifts/"); got.Count != 89 {
				t.Errorf("%d shifts", got.Count)
			}
		}},
		{"every page is the first", `{"repeat_cursor": true}`, func(t *testing.T) {
			first := r.page(link(p) + "shifts/")
			later := r.page(link(p) + "shifts/?page=77")
			if diff := cmp.Diff(idsOf(first.Results), idsOf(later.Results)); diff != "" ||
				!strings.HasSuffix(text(later.Next), "?page=78") {
				t.Errorf("next %s, ids (-want +got):\n%s", text(later.Next), diff)
			}
		}},
		{"the list of Pinwheel's shifts is another endpoint", `{"path": "shifts", "status": 503}`,
			func(*testing.T) { r.get(link(p)+"shifts/", 200) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.control("POST", "faults", test.fault, 201)
			defer r.ClearFaults()
			test.check(t)
		})
	}
}

func TestADeletedLinkHasNoData(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	w, err := r.Event(p, "link-deleted", fake.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lists := []string{
		"employments/", "identity/", "statements/", "shifts/", "bank_accounts/", "income/report/",
		"employment/report/",
	}
	for _, list := range lists {
		r.get(link(p)+list, 200)
	}
	if _, err := r.Send(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		r.get(link(p)+list, 404)
	}
}

func TestDocumentsAndFormsOfPinwheel(t *testing.T) {
	now := noon
	r := newRig(t, func(c *fake.Config) { c.Now = func() time.Time { return now } })
	p := r.Person(fake.PersonOptions{})
	now = now.Add(time.Hour)
	send := func(typ string) fake.Webhook {
		w, err := r.Event(p, typ, fake.EventOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Send(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		return w
	}
	newest := account(p, "/paystubs/"+p.PaystubIDs()[0])
	if body := string(r.get(newest, 200).body); !strings.Contains(body, `"document":null`) {
		t.Errorf("before its document: %s", body)
	}
	send("paystubs.documents.added")
	const document = `"document":{"id":"`
	for _, path := range []string{newest, account(p, "/paystubs?limit=1")} {
		if body := string(r.get(path, 200).body); !strings.Contains(body, document) {
			t.Errorf("after its document: %s", body)
		}
	}

	added := decode[struct {
		Payload struct {
			Added []struct {
				ID   string
				Type string `json:"document_type"`
				Year int
			}
		}
	}](t, send("tax_forms.added").Body).Payload.Added
	forms := decode[struct {
		Data []struct {
			ID, Year string
			Type     string `json:"form_type"`
		}
		Meta struct {
			RefreshedAt string `json:"refreshed_at"`
		}
	}](t, r.get(account(p, "/tax_forms"), 200).body)
	if len(added) != 3 || len(forms.Data) != 3 ||
		forms.Meta.RefreshedAt != "2026-03-10T13:00:00.293456+00:00" {
		t.Fatalf("announced %+v, listed %+v", added, forms)
	}
	for i, form := range forms.Data {
		if want := fmt.Sprint(2025 - i); form.Year != want || form.Type != "W-2" ||
			form.ID != added[i].ID || fmt.Sprint(added[i].Year) != want || added[i].Type != "w2" {
			t.Errorf("announced %+v, listed %+v", added[i], form)
		}
	}
	part := r.list(account(p, "/tax_forms?from_year=2023&to_year=2024"))
	if diff := cmp.Diff(p.TaxFormIDs()[1:], part.ids()); diff != "" {
		t.Errorf("forms of 2023 and 2024 (-want +got):\n%s", diff)
	}
	page := r.list(account(p, "/tax_forms?limit=2"))
	if rest := r.list(account(p, "/tax_forms?cursor="+*page.Meta.NextCursor)); len(page.Data) != 2 ||
		cmp.Diff(p.TaxFormIDs()[2:], rest.ids()) != "" {
		t.Errorf("pages %v and %v of %v", page.ids(), rest.ids(), p.TaxFormIDs())
	}

	send("direct_deposit_allocations.added")
	const refreshed = `"meta":{"refreshed_at":"2026-03-10T13:00:00.293456+00:00"}`
	body := string(r.get(account(p, "/direct_deposit_allocations"), 200).body)
	if !strings.Contains(body, refreshed) {
		t.Errorf("allocations %s", body)
	}
}
