package fake_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

func TestControlRefuses(t *testing.T) {
	for _, test := range []struct {
		name         string
		method, path string
		body         string
		status       int
		message      string
	}{
		{
			"a fault with an unknown field",
			"POST", "faults", `{"statuss": 500}`, 400, `unknown field \"statuss\"`,
		},
		{
			"a fault of no provider",
			"POST", "faults", `{"provider": "nobody", "status": 500}`, 400,
			`no provider \"nobody\"`,
		},
		{"a fault that does nothing", "POST", "faults", `{"path": "income"}`, 400, "does nothing"},
		{"an empty fault", "POST", "faults", ``, 400, "does nothing"},
		{
			"a status that is none",
			"POST", "faults", `{"status": 99}`, 400, "not between 200 and 599",
		},
		{"a success without a body", "POST", "faults", `{"status": 204}`, 400, "needs a body"},
		{"a delay that is none", "POST", "faults", `{"delay": "soon"}`, 400, "soon"},
		{"a delay into the past", "POST", "faults", `{"delay": "-1s"}`, 400, "negative"},
		{"times below zero", "POST", "faults", `{"status": 500, "times": -1}`, 400, "negative"},
		{
			"missing that is neither true nor a list",
			"POST", "faults", `{"missing": "all"}`, 400, "neither true nor a list",
		},
		{"two instructions in one", "POST", "faults", `{"status": 500} {}`, 400, "more than one"},
		{"what is not JSON", "POST", "faults", `status=500`, 400, "invalid character"},
		{
			"a person with an unknown field",
			"POST", "people", `{"paystub": 3}`, 400, `unknown field \"paystub\"`,
		},
		{
			"too many paystubs",
			"POST", "people", `{"paystubs": 20001}`, 400, "not between 0 and 20000",
		},
		{
			"fewer shifts than none",
			"POST", "people", `{"shifts": -1}`, 400, "not between 0 and 20000",
		},
		{"to play nobody", "POST", "people/x/play", ``, 404, "nobody has the id x"},
		{"to show nobody", "GET", "people/x", ``, 404, "nobody has the id x"},
		{
			"a webhook about nobody",
			"POST", "webhooks", `{"type": "income.added"}`, 400, "there is no person yet",
		},
		{"a webhook of no type", "POST", "webhooks", `{"account": "x"}`, 400, "no type"},
		{
			"a webhook with an unknown field",
			"POST", "webhooks", `{"kind": "x"}`, 400, `unknown field \"kind\"`,
		},
		{
			"a raw webhook of no provider",
			"POST", "webhooks", `{"raw": "x", "provider": "nobody"}`, 400, `no provider \"nobody\"`,
		},
		{
			"an outcome that is none",
			"POST", "webhooks", `{"type": "income.added", "account": "x", "outcome": "maybe"}`, 400,
			"none of success",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			got := string(r.control(test.method, test.path, test.body, test.status))
			if !strings.HasPrefix(got, `{"error":"`) || !strings.Contains(got, test.message) {
				t.Errorf("got %s, want %s", got, test.message)
			}
		})
	}
}

// view is what control says of a person.
type view struct {
	ID        string
	EndUserID string `json:"end_user_id"`
	LinkID    string `json:"link_id"`
	Paystubs  int
	Shifts    int
}

func TestControlPlaysAPerson(t *testing.T) {
	r := newRig(t)
	const instruction = `{"paystubs": 400, "shifts": 0, "end_user_id": "me"}`
	p := decode[view](t, r.control("POST", "people", instruction, 201))
	if p.Paystubs != 400 || p.Shifts != 0 || p.EndUserID != "me" {
		t.Errorf("made %+v", p)
	}
	people := decode[[]view](t, r.control("GET", "people", "", 200))
	if diff := cmp.Diff([]view{p}, people); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
	for _, id := range []string{p.ID, p.EndUserID, p.LinkID} {
		if got := decode[view](t, r.control("GET", "people/"+id, "", 200)); got != p {
			t.Errorf("%s is %+v, want %+v", id, got, p)
		}
	}
	played := decode[[]fake.Sent](t, r.control("POST", "people/"+p.ID+"/play", "", 200))
	if len(played) == 0 {
		t.Fatal("nothing was played")
	}
	first := played[0]
	if first.Type != "account.added" || first.Status != 200 || first.Account != p.ID {
		t.Errorf("played %+v", played)
	}
	sent := decode[[]fake.Sent](t, r.control("GET", "webhooks", "", 200))
	if diff := cmp.Diff(played, sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	r.control("POST", "people/"+p.LinkID+"/play", `{"times": 2, "retry": true}`, 200)
	if got, want := len(r.inbox.all()), 3*len(played); got != want {
		t.Errorf("received %d, want %d", got, want)
	}
}

func TestControlPlaysAPersonWhoseDataStays(t *testing.T) {
	r := newRig(t)
	p := decode[view](t, r.control("POST", "people", "", 201))
	var want []string
	for _, w := range r.Timeline(r.Person(fake.PersonOptions{})) {
		want = append(want, w.Type)
	}
	end := []string{"task-status-updated", "link-disconnected", "link-deleted"}
	arrived := len(want) - len(end)
	if diff := cmp.Diff(end, want[arrived:]); diff != "" {
		t.Fatalf("the end of a link (-want +got):\n%s", diff)
	}
	played := decode[[]fake.Sent](t,
		r.control("POST", "people/"+p.LinkID+"/play", `{"keep": true}`, 200))
	var got []string
	for _, sent := range played {
		got = append(got, sent.Type)
	}
	if diff := cmp.Diff(want[:arrived], got); diff != "" {
		t.Errorf("played (-want +got):\n%s", diff)
	}
	link := string(r.get("/truv/v1/links/"+p.LinkID+"/", http.StatusOK).body)
	if !strings.Contains(link, `"status":"done"`) {
		t.Errorf("the link is %s", link)
	}
}

func TestControlMakesAForbiddenPerson(t *testing.T) {
	r := newRig(t)
	p := decode[view](t, r.control("POST", "people", `{"forbidden": true}`, 201))
	r.get("/pinwheel/v1/accounts/"+p.ID+"/income", http.StatusForbidden)
}

func TestControlSendsWebhooks(t *testing.T) {
	r := newRig(t)
	old := r.Person(fake.PersonOptions{})
	newest := r.Person(fake.PersonOptions{})
	for _, test := range []struct {
		name     string
		body     string
		account  string
		received int
		want     string // in the body
	}{
		{
			"about the newest person",
			`{"type": "employment.added"}`, newest.AccountID, 1, `"outcome": "success"`,
		},
		{
			"about an account",
			`{"type": "employment.added", "account": "` + old.AccountID + `"}`, old.AccountID, 1,
			old.LinkTokenID,
		},
		{
			"about a stranger",
			`{"type": "link-connected", "account": "stranger"}`, "stranger", 1,
			`"link_id": "stranger"`,
		},
		{
			"pending",
			`{"type": "employment.added", "outcome": "pending"}`, newest.AccountID, 1,
			`"outcome": "pending"`,
		},
		{
			"failed",
			`{"type": "employment.added", "outcome": "error", ` +
				`"error_code": "accountLocked", "error_type": "userActionRequired"}`,
			newest.AccountID, 1,
			`"error_code": "accountLocked", "error_type": "userActionRequired"`,
		},
		{
			"more than once",
			`{"type": "identity.added", "id": "same", "times": 3}`, newest.AccountID, 3,
			`"event_id": "same"`,
		},
		{"raw", `{"raw": "{not json", "provider": "truv"}`, "", 1, `{not json`},
		{"raw of a type", `{"raw": "{}", "type": "link-connected"}`, newest.LinkID, 1, `{}`},
		{
			"announcing ids",
			`{"type": "paystubs.added", "added": ["a"], "deleted": ["d"]}`, newest.AccountID, 1,
			`"added": [{"id": "a"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(r.inbox.all())
			got := decode[struct {
				fake.Sent
				Answer struct{ Duplicate *bool }
			}](t, r.control("POST", "webhooks", test.body, 200))
			if got.Status != 200 || got.Account != test.account || got.Answer.Duplicate == nil {
				t.Errorf("answered %+v", got)
			}
			received := r.inbox.all()[before:]
			if len(received) != test.received {
				t.Fatalf("received %d times, want %d", len(received), test.received)
			}
			for _, w := range received {
				if !strings.Contains(string(w.body), test.want) {
					t.Errorf("received %s, want %s", w.body, test.want)
				}
			}
		})
	}
}
