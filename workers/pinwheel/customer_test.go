package pinwheel_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/workers/pinwheel"
)

func TestJobsAreReadPageByPage(t *testing.T) {
	var asked []string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery)
		body := `{"data":[{"id":"2","name":"income","outcome":"error","error_code":"x",
			"timestamp":null,"account_id":null}],"meta":{"next_cursor":null}}`
		if len(asked) == 1 {
			body = `{"data":[{"id":"1","name":"paystubs","account_id":"a","outcome":"success",
				"link_token_id":"l","timestamp":"2026-01-12 02:36:02.5+00:00","error_code":null,
				"params":{"count":3}}],"meta":{"next_cursor":"next"}}`
		}
		respondWith(body)(w, r)
	})
	var got []pinwheel.Job
	query := pinwheel.JobQuery{Since: refreshed, AccountID: "a"}
	for job, err := range c.Jobs(t.Context(), query) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, job)
	}
	want := []pinwheel.Job{
		{
			ID: "1", Name: "paystubs", AccountID: "a", LinkTokenID: "l", Outcome: "success",
			Timestamp: refreshed, Params: json.RawMessage(`{"count":3}`),
		},
		{ID: "2", Name: "income", Outcome: "error", ErrorCode: "x"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const first = "/v1/jobs?account_id=a&from_timestamp=2026-01-12T02%3A36%3A02Z&limit=100"
	wantAsked := []string{
		first, "/v1/jobs?account_id=a&cursor=next&from_timestamp=2026-01-12T02%3A36%3A02Z&limit=100",
	}
	if diff := cmp.Diff(wantAsked, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestConnectedAccountsSayWhenTheirDataChanged(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.String(); got != "https://api.test/v1/accounts?connected=true&limit=100" {
			t.Errorf("asked %s", got)
		}
		respondWith(`{"data":[{"id":"a","connected":true,"created_at":"2026-01-12T02:36:02.5Z",
			"link_token_id":"l","data_updated_at":{"income":"2026-01-12T02:36:02.5Z","shifts":null,
			"paystubs":7}}],"meta":{}}`)(w, r)
	})
	n := 0
	for account, err := range c.ConnectedAccounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if account.ID != "a" || !account.CreatedAt.Equal(refreshed) || account.LinkTokenID != "l" ||
			len(account.UpdatedAt) != 1 || !account.UpdatedAt["income"].Equal(refreshed) {
			t.Errorf("got %+v", account)
		}
	}
	if n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func TestARegistrationIsMadeAndMadeActive(t *testing.T) {
	for _, test := range []struct {
		promise, method, path string
		call                  func(c *pinwheel.Client) error
		want                  map[string]any
	}{
		{"a new one has the version of the client", "POST", "/v1/webhooks",
			func(c *pinwheel.Client) error {
				return c.CreateWebhook(t.Context(), "https://x", []string{"income.added"})
			}, map[string]any{
				"url": "https://x", "status": "active", "version": "2025-07-08",
				"enabled_events": []any{"income.added"},
			}},
		{"an old one keeps its URL", "PUT", "/v1/webhooks/w%2F1", func(c *pinwheel.Client) error {
			w := pinwheel.Webhook{ID: "w/1", URL: "https://x"}
			return c.ActivateWebhook(t.Context(), w, []string{"a", "b"})
		}, map[string]any{
			"url": "https://x", "status": "active", "enabled_events": []any{"a", "b"},
		}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				text, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				var got map[string]any
				if err := json.Unmarshal(text, &got); err != nil {
					t.Error(err)
				}
				if r.Method != test.method || r.URL.EscapedPath() != test.path {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				respondWith(`{"data":{"id":"w"}}`)(w, r)
			})
			if err := test.call(c); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRegistrationsAreListed(t *testing.T) {
	c := client(t, respondWith(`{"data":[{"id":"w","url":"https://x","status":"paused",
		"enabled_events":["a"]},{"id":"v","url":null,"enabled_events":null}],"meta":{"count":2}}`))
	got, err := c.Webhooks(t.Context())
	want := []pinwheel.Webhook{
		{ID: "w", URL: "https://x", Status: pinwheel.WebhookPaused, Events: []string{"a"}}, {ID: "v"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAListThatFailsEndsWithItsError(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	})
	errs := 0
	for _, err := range c.Jobs(t.Context(), pinwheel.JobQuery{Since: time.Time{}}) {
		if err == nil {
			t.Error("a job came")
		}
		errs++
	}
	for _, err := range c.ConnectedAccounts(t.Context()) {
		if err == nil {
			t.Error("an account came")
		}
		errs++
	}
	if errs != 2 {
		t.Errorf("%d errors, want 2", errs)
	}
}
