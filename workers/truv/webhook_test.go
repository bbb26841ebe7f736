package truv_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/workers/truv"
)

func TestRegistrationsAreListedPageByPage(t *testing.T) {
	for _, test := range []struct {
		promise string
		pages   []string
		want    []truv.Webhook
	}{
		{"of two pages", []string{
			`{"count":2,"next":"https://elsewhere.invalid/?page=7","results":[{"id":"a",
				"webhook_url":"https://x","env_type":"sandbox","events":["link-deleted"]}]}`,
			`{"count":2,"next":null,"results":[{"id":"b","events":null,"enabled":false}]}`,
		}, []truv.Webhook{
			{
				ID: "a", URL: "https://x", Environment: "sandbox", Events: []string{"link-deleted"},
				Enabled: true,
			},
			{ID: "b"},
		}},
		{"of a bare array", []string{`[{"id":"a","enabled":true}]`},
			[]truv.Webhook{{ID: "a", Enabled: true}}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			asked := 0
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				if want := []string{"", "1", "2"}[asked]; r.URL.Query().Get("page") != want ||
					r.URL.Host != "truv.test" {
					t.Errorf("asked %s", r.URL)
				}
				respondWith(200, test.pages[asked-1])(w, r)
			})
			got, err := c.Webhooks(t.Context())
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAListOfRegistrationsThatNeverEndsIsAnError(t *testing.T) {
	c := client(t, respondWith(200, `{"next":"x","results":[]}`))
	if _, err := c.Webhooks(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestTheSecretSaysTheEnvironment(t *testing.T) {
	for secret, want := range map[string]string{
		"sandbox-1": "sandbox", "dev-1": "dev", "prod-1": "prod", "1": "prod",
	} {
		conf := config(respondWith(200, `{}`))
		conf.Secrets = secretsOf(secret)
		c, err := truv.New(conf)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Environment(); got != want || err != nil {
			t.Errorf("%s: got %s, %v", secret, got, err)
		}
	}
}

func TestARegistrationIsMadeAndEnabled(t *testing.T) {
	for _, test := range []struct {
		promise, method, path string
		call                  func(c *truv.Client) error
		want                  map[string]any
	}{
		{"a new one is of the environment of the secret", "POST", "/v1/webhooks/",
			func(c *truv.Client) error {
				return c.CreateWebhook(t.Context(), "ours", "https://x", []string{"a"})
			}, map[string]any{
				"name": "ours", "webhook_url": "https://x", "env_type": "sandbox",
				"events": []any{"a"},
			}},
		{"an old one keeps its URL", "PATCH", "/v1/webhooks/w/", func(c *truv.Client) error {
			return c.EnableWebhook(t.Context(), "w", []string{"a", "b"})
		}, map[string]any{"enabled": true, "events": []any{"a", "b"}}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			conf := config(func(w http.ResponseWriter, r *http.Request) {
				text, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				var got map[string]any
				if err := json.Unmarshal(text, &got); err != nil {
					t.Error(err)
				}
				if r.Method != test.method || r.URL.Path != test.path {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				respondWith(201, `{}`)(w, r)
			})
			conf.Secrets = secretsOf("sandbox-secret")
			c, err := truv.New(conf)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.call(c); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheLogHasTheWebhooksThatWereSent(t *testing.T) {
	since := time.Date(2026, 1, 12, 2, 36, 2, 0, time.UTC)
	asked := 0
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		query := r.URL.Query()
		want := []string{"", "", "c 1"}[asked]
		if query.Get("created_at__gte") != "2026-01-12T02:36:02Z" || query.Get("cursor") != want ||
			r.URL.Host != "truv.test" || r.URL.Path != "/v1/webhook-requests/" {
			t.Errorf("asked %s", r.URL)
		}
		body := `{"next":"https://elsewhere.invalid/v1/?cursor=c+1","results":[{"webhook_id":"r",
			"status_code":503,"webhook_url":"https://x","webhook_payload":{"a":1.0}}]}`
		if asked == 2 {
			body = `{"next":null,"results":[{"status_code":null,"webhook_payload":"{\"b\":2}"}]}`
		}
		respondWith(200, body)(w, r)
	})
	var got []truv.Sending
	for sending, err := range c.Sendings(t.Context(), since) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, sending)
	}
	want := []truv.Sending{
		{URL: "https://x", Status: 503, Body: json.RawMessage(`{"a":1.0}`)},
		{Body: json.RawMessage(`{"b":2}`)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestALogOfAnotherShapeBreaksTheContract(t *testing.T) {
	for _, body := range []string{`[]`, `{}`, `{"results":null}`} {
		c := client(t, respondWith(200, body))
		n := 0
		for _, err := range c.Sendings(t.Context(), time.Now()) {
			n++
			if err == nil {
				t.Errorf("%s: no error", body)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d answers", body, n)
		}
	}
}
