package fake_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

// An envelope is a Pinwheel webhook.
type envelope struct {
	Event   string
	EventID string `json:"event_id"`
	Payload struct {
		ID, Timestamp, Outcome string
		AccountID              string `json:"account_id"`
		ErrorCode              string `json:"error_code"`
		ErrorType              string `json:"error_type"`
		Added, Deleted         []struct{ ID string }
		Params                 struct {
			From       string `json:"from_pay_date"`
			To         string `json:"to_pay_date"`
			Count      int
			SyncStatus string `json:"sync_status"`
		}
	}
}

// added are the ids that a webhook announces.
func (e envelope) added() []string {
	ids := []string{}
	for _, item := range e.Payload.Added {
		ids = append(ids, item.ID)
	}
	return ids
}

func TestTimelineIsTheRecordedOne(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	var got []string
	for _, w := range recordedTimeline(r, p) {
		line := w.Type
		if w.Provider == fake.Pinwheel {
			e := decode[envelope](t, w.Body)
			if e.Payload.Params.Count > 0 {
				line += fmt.Sprint(" ", e.Payload.Params.Count)
			}
			if e.Payload.Params.SyncStatus != "" {
				line += " " + e.Payload.Params.SyncStatus
			}
			if e.Event != w.Type || e.EventID != w.ID {
				t.Errorf("%s %s says it is %s %s", w.Type, w.ID, e.Event, e.EventID)
			}
		}
		if w.Provider == fake.Truv {
			e := decode[struct {
				Status string
				Count  int `json:"objects_count"`
			}](t, w.Body)
			if e.Status != "" {
				line += " " + e.Status
			}
			if e.Count > 0 {
				line += fmt.Sprint(" ", e.Count)
			}
		}
		got = append(got, line)
	}
	want := []string{
		"account.added",
		"identity.added",
		"income.added",
		"paystubs.added 1 in_progress", "paystubs.seven_days_synced 1",
		"shifts.added 7 in_progress", "shifts.seven_days_synced 7",
		"paystubs.added 1 in_progress", "paystubs.thirty_days_synced 1",
		"shifts.added 23 in_progress", "shifts.thirty_days_synced 23",
		"paystubs.added 2 in_progress", "paystubs.ninety_days_synced 2",
		"paystubs.added 27 complete", "paystubs.fully_synced 27",
		"shifts.added 60 complete", "shifts.ninety_days_synced 60", "shifts.fully_synced 60",
		"employment.added",
		"direct_deposit_allocations.added",
		"tax_forms.added",
		"paystubs.documents.added 1 complete",
		"verification_reports.refreshed",
		"account.monitoring_status.updated",
		"task-status-updated new", "task-status-updated login", "task-status-updated parse",
		"link-connected",
		"employment-created", "employment-created",
		"profile-created",
		"task-status-updated full_parse",
		"statements-created 31", "statements-created 3",
		"shifts-created 90",
		"bank-accounts-created 2",
		"task-status-updated done",
		"task-status-updated login_error",
		"link-disconnected", "link-deleted",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	types := map[string]bool{}
	for _, w := range recordedTimeline(r, p) {
		types[w.Type] = true
	}
	if len(types) != 28 {
		t.Errorf("%d types, want 28", len(types))
	}
}

// recordedTimeline is a person's timeline with the webhooks of the two providers that were
// recorded, without those of a provider that is added to the registry.
func recordedTimeline(r rig, p *fake.Person) []fake.Webhook {
	return slices.DeleteFunc(r.Timeline(p), func(w fake.Webhook) bool {
		return w.Provider != fake.Pinwheel && w.Provider != fake.Truv
	})
}

func TestTimelineSkipsThresholdsWithoutData(t *testing.T) {
	r := newRig(t)
	var got []string
	for _, w := range r.Timeline(r.Person(fake.PersonOptions{Paystubs: 1, Shifts: -1})) {
		if strings.HasPrefix(w.Type, "paystubs") || strings.HasPrefix(w.Type, "shifts") {
			got = append(got, w.Type)
		}
	}
	want := []string{
		"paystubs.added", "paystubs.seven_days_synced", "shifts.seven_days_synced",
		"paystubs.added", "paystubs.fully_synced", "shifts.added", "shifts.fully_synced",
		"paystubs.documents.added",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestChunks(t *testing.T) {
	r := newRig(t, func(c *fake.Config) { c.PageMax = 100 })
	p := r.Person(fake.PersonOptions{Paystubs: 60})
	var paystubs, shifts []string
	var last envelope
	all := r.list(account(p, "/paystubs?limit=100"))
	for _, w := range r.Timeline(p) {
		if w.Provider != fake.Pinwheel {
			continue
		}
		e := decode[envelope](t, w.Body)
		switch {
		case w.Type == "paystubs.added":
			paystubs = append(paystubs, e.added()...)
			within := []string{}
			for _, s := range all.Data {
				if e.Payload.Params.From <= s.PayDate && s.PayDate <= e.Payload.Params.To {
					within = append(within, s.ID)
				}
			}
			if diff := cmp.Diff(within, e.added()); diff != "" {
				t.Errorf("ids between the chunk's dates and in added (-want +got):\n%s", diff)
			}
		case w.Type == "shifts.added":
			shifts = append(shifts, e.added()...)
		case strings.HasSuffix(w.Type, "_synced"):
			got, want := e.Payload, last.Payload
			if got.ID != want.ID || got.Timestamp != want.Timestamp ||
				got.Params.Count != want.Params.Count || got.Params.From != want.Params.From {
				t.Errorf("%s is not of the job of its %s", w.Type, last.Event)
			}
			if e.EventID == last.EventID {
				t.Errorf("%s has the event id of %s", w.Type, last.Event)
			}
		}
		last = e
	}
	if diff := cmp.Diff(p.PaystubIDs(), paystubs); diff != "" {
		t.Errorf("all paystubs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(p.ShiftIDs(), shifts); diff != "" {
		t.Errorf("all shifts (-want +got):\n%s", diff)
	}
}

func TestSnapshotsAreStampedJustAfterTheirWebhook(t *testing.T) {
	now := noon
	r := newRig(t, func(c *fake.Config) { c.Now = func() time.Time { return now } })
	p := r.Person(fake.PersonOptions{})
	now = now.Add(time.Hour)
	for _, test := range []struct {
		name, typ, path string
		outcome         string
		want            string
	}{
		{
			"employment before any webhook",
			"", "/employment", "", `"refreshed_at":"2026-03-10T12:00:00.123456\+00:00"`,
		},
		{
			"employment that is pending",
			"employment.added", "/employment", "pending",
			`"refreshed_at":"2026-03-10T12:00:00.123456\+00:00"`,
		},
		{
			"employment",
			"employment.added", "/employment", "",
			`"refreshed_at":"2026-03-10T13:00:00.293456\+00:00"`,
		},
		{
			"paystubs",
			"paystubs.seven_days_synced", "/paystubs?limit=1", "",
			`"refreshed_at":"2026-03-10T13:00:00.293456\+00:00"`,
		},
		{
			"income changes when paystubs are complete, unstamped",
			"paystubs.fully_synced", "/income", "",
			`"updated_at":"2026-03-10T13:00:00.293456\+00:00".*` +
				`"refreshed_at":"2026-03-10T12:00:00.123456\+00:00"`,
		},
		{
			"the account",
			"identity.added", "", "",
			`"data_refreshed_at":\{"employment":"2026-03-10T13:00:00.293456\+00:00","identity":`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.typ != "" {
				_, err := r.Event(p, test.typ, fake.EventOptions{Outcome: test.outcome})
				if err != nil {
					t.Fatal(err)
				}
			}
			body := r.get(account(p, test.path), 200).body
			if !regexp.MustCompile(test.want).Match(body) {
				t.Errorf("got %s, want %s", body, test.want)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	job := `{"event_id": "[-0-9a-f]{36}", "event": "TYPE", "payload": {"id": "[-0-9a-f]{36}", ` +
		`"account_id": "` + p.AccountID +
		`", "end_user_id": "` + p.EndUserID + `", "link_token_id": "` + p.LinkTokenID +
		`", "name": "NAME", "timestamp": "2026-03-10T12:00:00.123456\+00:00", ` +
		`"outcome": "success", "error_code": null, "error_type": null, "params": `
	jobOf := func(typ, name string) string {
		return strings.NewReplacer("TYPE", typ, "NAME", name).Replace(job)
	}
	item := func(id string) string {
		return `{"id": "` + id + `", "document_type": null, "year": null, "pay_date": null}`
	}
	for _, test := range []struct {
		name    string
		typ     string
		opts    fake.EventOptions
		account string
		want    string // a regular expression for the whole body
	}{
		{"a job as recorded", "employment.added", fake.EventOptions{}, p.AccountID,
			jobOf("employment.added", "employment") + `{}}}`},
		{"added paystubs as recorded", "paystubs.added", fake.EventOptions{}, p.AccountID,
			jobOf("paystubs.added", "paystubs") +
				`{"from_pay_date": "2026-03-03", "to_pay_date": "2026-03-10", "count": 1, ` +
				`"sync_status": "complete"}, "added": \[` + item(p.PaystubIDs()[0]) +
				`\], "deleted": \[\]}}`},
		{
			"other ids where asked for", "shifts.added",
			fake.EventOptions{Added: []string{"a", "b"}, Deleted: []string{"c"}}, p.AccountID,
			jobOf("shifts.added", "shifts") +
				`{"count": 2, "sync_status": "complete"}, "added": \[` + item("a") + ", " +
				item("b") + `\], "deleted": \[` + item("c") + `\]}}`,
		},
		{"a threshold of paystubs", "paystubs.ninety_days_synced", fake.EventOptions{}, p.AccountID,
			jobOf("paystubs.ninety_days_synced", "paystubs") +
				`{"from_pay_date": "2025-12-10", "to_pay_date": "2026-02-07", "count": 2, ` +
				`"has_potential_paystubs_documents": true}}}`},
		{"a threshold of shifts", "shifts.fully_synced", fake.EventOptions{}, p.AccountID,
			jobOf("shifts.fully_synced", "shifts") + `{"count": 60}}}`},
		{
			"reports have no account", "verification_reports.refreshed",
			fake.EventOptions{ID: "my-id"}, p.EndUserID,
			`{"event_id": "my-id", "event": "verification_reports.refreshed", ` +
				`"payload": {"end_user_id": "` + p.EndUserID + `", ` +
				`"availability": {"voe": {"status": "available", "updated_at": "[^"]+", ` +
				`"refreshed_at": "[^"]+"}, "voie": {.*}}}}`,
		},
		{
			"an account has no outcome",
			"account.added", fake.EventOptions{}, p.AccountID,
			`.*"platform_name": "Fictional Payroll".*`,
		},
		{
			"documents have a name of their own",
			"paystubs.documents.added", fake.EventOptions{}, p.AccountID,
			`.*"name": "paystubs_documents".*`,
		},
		{
			"an unknown type is a job",
			"moon.landed", fake.EventOptions{}, p.AccountID, jobOf("moon.landed", "moon") + `{}}}`,
		},
		{
			"pending announces nothing",
			"paystubs.added", fake.EventOptions{Outcome: "pending"}, p.AccountID,
			`.*"outcome": "pending", "error_code": null, "error_type": null, "params": {}, ` +
				`"added": \[\], "deleted": \[\]}}`,
		},
		{
			"an error has a code and a type",
			"income.added", fake.EventOptions{Outcome: "error", ErrorCode: "accountLocked"},
			p.AccountID,
			`.*"outcome": "error", "error_code": "accountLocked", ` +
				`"error_type": "systemError", "params": {}}}`,
		},
		{"a link as documented", "link-connected", fake.EventOptions{}, p.LinkID,
			`{"webhook_id": "[0-9a-f]{32}", "event_type": "link-connected", ` +
				`"event_created_at": "2026-03-10T12:00:00.123456Z", ` +
				`"updated_at": "2026-03-10T12:00:00.123456\+00:00", "link_id": "` + p.LinkID +
				`", "product": "income", "data_source": "payroll", "tracking_info": null, ` +
				`"user_id": "` + p.UserID + `", "template_id": null}`},
		{
			"a task has a status",
			"task-status-updated", fake.EventOptions{}, p.LinkID,
			`.*"task_id": "[0-9a-f]{32}", "status": "done"}`,
		},
		{
			"a provider where asked for",
			"odd.type", fake.EventOptions{Provider: fake.Truv}, p.LinkID, `{"webhook_id": .*`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := r.Event(p, test.typ, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if w.Account != test.account || w.Type != test.typ {
				t.Errorf("type %s about %s, want about %s", w.Type, w.Account, test.account)
			}
			want := "^" + strings.ReplaceAll(test.want, "{}", `\{\}`) + "$"
			if !regexp.MustCompile(want).Match(w.Body) {
				t.Errorf("got  %s\nwant %s", w.Body, want)
			}
		})
	}
}

func TestEventsThatCannotBe(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	for _, test := range []struct {
		name string
		p    *fake.Person
		typ  string
		opts fake.EventOptions
	}{
		{"of nobody", nil, "income.added", fake.EventOptions{}},
		{"of no type", p, "", fake.EventOptions{}},
		{"of no provider", p, "income.added", fake.EventOptions{Provider: "nobody"}},
		{"of no outcome", p, "income.added", fake.EventOptions{Outcome: "maybe"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if w, err := r.Event(test.p, test.typ, test.opts); err == nil {
				t.Errorf("made %s", w.Body)
			}
		})
	}
}

func TestSignedAsTheProviderDoes(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	for _, test := range []struct {
		name, typ string
		opts      fake.SendOptions
		path      string
		header    map[string]string
	}{
		{"Pinwheel", "income.added", fake.SendOptions{}, "/webhooks/pinwheel",
			map[string]string{
				"X-Timestamp": "1773144000", "Pinwheel-Version": "2023-11-22",
				"User-Agent": "python-requests/2.31.0", "Content-Type": "application/json",
			}},
		{"Pinwheel an hour ago", "income.added",
			fake.SendOptions{Old: time.Hour}, "/webhooks/pinwheel",
			map[string]string{"X-Timestamp": "1773140400"}},
		{"Truv", "link-connected", fake.SendOptions{}, "/webhooks/truv",
			map[string]string{
				"User-Agent": "Truv-Webhook-Service/2.0", "Content-Type": "application/json",
				"X-Timestamp": "",
			}},
		{
			"a forger of Pinwheel",
			"income.added", fake.SendOptions{BadSignature: true}, "/webhooks/pinwheel", nil,
		},
		{
			"a forger of Truv",
			"link-deleted", fake.SendOptions{BadSignature: true}, "/webhooks/truv", nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := r.Event(p, test.typ, fake.EventOptions{})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := r.SendWith(t.Context(), w, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			accepted := fake.Answer{
				Status: 200, Body: []byte(`{"duplicate": false}`), RetryAfter: "3",
			}
			if diff := cmp.Diff(accepted, answer); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			got := r.inbox.all()[len(r.inbox.all())-1]
			if got.path != test.path || string(got.body) != string(w.Body) {
				t.Errorf("got %s at %s", got.body, got.path)
			}
			for name, want := range test.header {
				if got.header.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
				}
			}
			want := http.Header{}
			at := noon.Add(-test.opts.Old)
			err = fake.Sign(w.Provider, want, w.Provider+"-secret", at, got.body)
			if err != nil {
				t.Fatal(err)
			}
			good := true
			for name := range want {
				good = good && got.header.Get(name) == want.Get(name)
			}
			if good == test.opts.BadSignature {
				t.Errorf("the signature is good: %v", good)
			}
		})
	}
	r.get(link(p), http.StatusOK) // a forger deletes no link
}

func TestRedelivery(t *testing.T) {
	for _, test := range []struct {
		name, typ string
		opts      fake.SendOptions
		statuses  []int // 0: the connection breaks
		sent      []int
		fails     bool
	}{
		{
			"nothing is sent again unasked",
			"income.added", fake.SendOptions{}, []int{503}, []int{503}, false,
		},
		{
			"Pinwheel sends again after a 5xx and a broken connection",
			"income.added", fake.SendOptions{Retry: true}, []int{503, 0, 500},
			[]int{503, 0, 500, 200}, false,
		},
		{
			"Pinwheel does not send again after a 4xx",
			"income.added", fake.SendOptions{Retry: true}, []int{429}, []int{429}, false,
		},
		{
			"Pinwheel sends 6 times at most",
			"income.added", fake.SendOptions{Retry: true}, []int{0, 0, 0, 0, 0, 0, 0},
			[]int{0, 0, 0, 0, 0, 0}, true,
		},
		{
			"Truv sends again after anything but a 2xx",
			"link-connected", fake.SendOptions{Retry: true}, []int{400, 302, 202},
			[]int{400, 302, 202}, false,
		},
		{
			"Truv sends 4 times at most",
			"link-connected", fake.SendOptions{Retry: true}, []int{500, 500, 500, 500, 500},
			[]int{500, 500, 500, 500}, false,
		},
		{
			"copies are the same webhook",
			"income.added", fake.SendOptions{Copies: 3}, nil, []int{200, 200, 200}, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.inbox.statuses = test.statuses
			w, err := r.Event(r.Person(fake.PersonOptions{}), test.typ, fake.EventOptions{})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := r.SendWith(t.Context(), w, test.opts)
			if (err != nil) != test.fails {
				t.Errorf("answer %d, error %v", answer.Status, err)
			}
			var sent []int
			for _, s := range r.Sent() {
				sent = append(sent, s.Status)
				if s.ID != w.ID || s.Type != w.Type || s.Account != w.Account {
					t.Errorf("remembered %+v", s)
				}
			}
			if diff := cmp.Diff(test.sent, sent); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			if got := len(r.inbox.all()); got != len(test.sent) {
				t.Errorf("received %d times, sent %d times", got, len(test.sent))
			}
		})
	}
}

func TestLinkFollowsItsWebhooks(t *testing.T) {
	r := newRig(t)
	p := r.Person(fake.PersonOptions{})
	timeline := r.Timeline(p)
	at := func(typ string) fake.Webhook {
		i := slices.IndexFunc(timeline, func(w fake.Webhook) bool { return w.Type == typ })
		return timeline[i]
	}
	for _, step := range []struct {
		typ    string
		status int
		body   string
	}{
		{"link-connected", 200, `"status":"done"`},
		{"link-disconnected", 200, `"status":"login_error"`},
		{"link-deleted", 404, `{"detail":"Not Found."}`},
	} {
		if _, err := r.Send(t.Context(), at(step.typ)); err != nil {
			t.Fatal(err)
		}
		if body := string(r.get(link(p), step.status).body); !strings.Contains(body, step.body) {
			t.Errorf("after %s: %s", step.typ, body)
		}
	}
}
