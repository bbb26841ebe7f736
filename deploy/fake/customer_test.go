package fake_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
)

// change makes a call with a body and the right credentials, and returns the status and the body.
func (r rig) change(method, path, body string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(
		r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("x-api-secret", "pinwheel-secret")
	request.Header.Set("Pinwheel-Version", "2025-07-08")
	request.Header.Set("X-Access-Client-Id", fake.TruvClientID)
	request.Header.Set("X-Access-Secret", "truv-secret")
	response, err := r.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, text.String()
}

func TestRegistrationsAreRefusedAsTheProvidersDo(t *testing.T) {
	r := newRig(t)
	const pinwheel = `{"url": "https://x", "status": "active", "enabled_events": ["income.added"],
		"version": "2025-07-08"}`
	const truv = `{"name": "x", "webhook_url": "https://x", "env_type": "prod", "events": []}`
	for _, test := range []struct {
		promise, method, path, body string
		status                      int
	}{
		{"Pinwheel registers", "POST", "/pinwheel/v1/webhooks", pinwheel, 200},
		{"Pinwheel wants https", "POST", "/pinwheel/v1/webhooks",
			strings.Replace(pinwheel, "https", "http", 1), 400},
		{"Pinwheel wants a version", "POST", "/pinwheel/v1/webhooks",
			strings.Replace(pinwheel, "version", "x", 1), 400},
		{"Pinwheel knows its statuses", "POST", "/pinwheel/v1/webhooks",
			strings.Replace(pinwheel, "active", "ACTIVE", 1), 400},
		{"Pinwheel knows its types", "POST", "/pinwheel/v1/webhooks",
			strings.Replace(pinwheel, "income.added", "account.removed", 1), 400},
		{"Pinwheel changes no other registration", "PUT", "/pinwheel/v1/webhooks/x", pinwheel, 404},
		{"Truv registers", "POST", "/truv/v1/webhooks/", truv, 201},
		{"Truv registers an address once", "POST", "/truv/v1/webhooks/", truv, 400},
		{"Truv knows its environments", "POST", "/truv/v1/webhooks/",
			strings.Replace(truv, "prod", "production", 1), 400},
		{"Truv changes no other registration", "PATCH", "/truv/v1/webhooks/x/", `{}`, 404},
	} {
		t.Run(test.promise, func(t *testing.T) {
			status, body := r.change(test.method, test.path, test.body)
			if status != test.status {
				t.Errorf("answered %d, want %d: %s", status, test.status, body)
			}
		})
	}
	for range 9 {
		r.change("POST", "/pinwheel/v1/webhooks", pinwheel)
	}
	if status, _ := r.change("POST", "/pinwheel/v1/webhooks", pinwheel); status != 400 {
		t.Errorf("an eleventh registration at Pinwheel is answered %d", status)
	}
}

func TestControlKnowsRegistrations(t *testing.T) {
	r := newRig(t)
	s := decode[fake.Subscription](t, r.control("POST", "subscriptions",
		`{"provider": "truv", "url": "https://x", "environment": "sandbox"}`, 201))
	r.control("POST", "subscriptions/"+s.ID+"/pause", "", 200)
	all := decode[[]fake.Subscription](t, r.control("GET", "subscriptions", "", 200))
	if len(all) != 1 || !all[0].Paused || all[0].URL != "https://x" {
		t.Errorf("got %+v", all)
	}
	r.control("POST", "subscriptions/x/pause", "", 404)
	r.control("POST", "subscriptions", `{"provider": "nobody"}`, 400)
}

func TestALostWebhookReachesNobodyAndIsInTheLog(t *testing.T) {
	r := newRig(t)
	r.Person(fake.PersonOptions{})
	r.control("POST", "webhooks", `{"type": "link-connected", "id": "lost", "lost": true}`, 200)
	if n := len(r.inbox.all()); n != 0 {
		t.Errorf("%d webhooks came", n)
	}
	answer, err := r.call("/truv/v1/webhook-requests/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"webhook_id":"lost"`, `"status_code":null`, `"error_message":"connection failed"`,
		`/webhooks/truv"`,
	} {
		if !strings.Contains(string(answer.body), want) {
			t.Errorf("no %s in %s", want, answer.body)
		}
	}
}

func TestARefreshIsNoJob(t *testing.T) {
	r := newRig(t)
	r.Person(fake.PersonOptions{})
	r.control("POST", "webhooks", `{"type": "income.added", "refresh": true, "lost": true}`, 200)
	r.control("POST", "webhooks", `{"type": "identity.added", "lost": true}`, 200)
	answer, err := r.call("/pinwheel/v1/jobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	body := string(answer.body)
	if strings.Contains(body, `"name":"income"`) || !strings.Contains(body, `"name":"identity"`) {
		t.Errorf("got %s", body)
	}
}
