package pinwheel_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inMemory is an API without a socket.
type inMemory http.HandlerFunc

func (h inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h(w, r)
	return w.Result(), nil
}

func secretsOf(secrets ...string) func() ([]string, error) {
	return func() ([]string, error) { return secrets, nil }
}

// config is a whole Config of an API that answers with handler.
func config(handler http.HandlerFunc) pinwheel.Config {
	return pinwheel.Config{
		Config: api.Config{
			URL:       "https://api.test",
			Secrets:   secretsOf("the-secret"),
			Transport: inMemory(handler),
		},
		Version: "2025-07-08",
	}
}

// client makes a Client of an API that answers with handler.
func client(t *testing.T, handler http.HandlerFunc) *pinwheel.Client {
	t.Helper()
	c, err := pinwheel.New(config(handler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func respondWith(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

var refreshed = time.Date(2026, 1, 12, 2, 36, 2, 500000000, time.UTC)

func TestEachMethodAsksItsEndpoint(t *testing.T) {
	ctx := t.Context()
	drain := func(c *pinwheel.Client, q pinwheel.PaystubQuery) (err error) {
		for _, err = range c.Paystubs(ctx, "acc", q) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	tests := []struct {
		want string
		call func(*pinwheel.Client) error
	}{
		{"/v1/accounts/acc/employment",
			func(c *pinwheel.Client) error { _, err := c.Employment(ctx, "acc"); return err }},
		{"/v1/accounts/acc/identity",
			func(c *pinwheel.Client) error { _, err := c.Identity(ctx, "acc"); return err }},
		{"/v1/accounts/acc/income",
			func(c *pinwheel.Client) error { _, err := c.Income(ctx, "acc"); return err }},
		{"/v1/accounts/acc/paystubs/stub",
			func(c *pinwheel.Client) error { _, err := c.Paystub(ctx, "acc", "stub"); return err }},
		{"/v1/end_users/me%2Fyou/verification_reports/voe", func(c *pinwheel.Client) error {
			_, err := c.VerificationReport(ctx, "me/you", pinwheel.VOE)
			return err
		}},
		{"/v1/end_users/me/verification_reports/voie", func(c *pinwheel.Client) error {
			_, err := c.VerificationReport(ctx, "me", pinwheel.VOIE)
			return err
		}},
		{"/v1/end_users/me%2Fyou/accounts?limit=100", func(c *pinwheel.Client) error {
			for _, err := range c.Accounts(ctx, "me/you") {
				return err
			}
			return errors.New("no page")
		}},
		{"/v1/accounts/acc/paystubs?limit=100",
			func(c *pinwheel.Client) error { return drain(c, pinwheel.PaystubQuery{}) }},
		{"/v1/accounts/acc/paystubs?from_pay_date=2025-12-01&limit=100&to_pay_date=2025-12-31",
			func(c *pinwheel.Client) error {
				return drain(c,
					pinwheel.PaystubQuery{FromPayDate: "2025-12-01", ToPayDate: "2025-12-31"})
			}},
		{"/v1/accounts/acc/direct_deposit_allocations", func(c *pinwheel.Client) error {
			_, err := c.DirectDepositAllocations(ctx, "acc")
			return err
		}},
		{"/v1/accounts/acc/tax_forms?cursor=c&limit=100", func(c *pinwheel.Client) error {
			for _, err := range c.TaxForms(ctx, "acc", "c") {
				return err
			}
			return errors.New("no page")
		}},
		{"/v1/accounts/acc/shifts?limit=100", func(c *pinwheel.Client) error {
			for _, err := range c.Shifts(ctx, "acc", "") {
				return err
			}
			return errors.New("no page")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			var got *http.Request
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				if r.URL.Query().Has("limit") {
					respondWith(`{"data":[{"id":"1"}]}`)(w, r)
				} else {
					respondWith(`{"data":{"id":"1"}}`)(w, r)
				}
			})
			if err := tt.call(c); err != nil {
				t.Fatal(err)
			}
			if uri := got.URL.RequestURI(); got.Method != http.MethodGet || uri != tt.want {
				t.Errorf("asked %s %s", got.Method, uri)
			}
			for name, want := range map[string]string{
				"x-api-secret":     "the-secret",
				"Pinwheel-Version": "2025-07-08",
				"Accept":           "application/json",
			} {
				if got.Header.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
				}
			}
		})
	}
}

func TestSnapshot(t *testing.T) {
	const exact = `{ "id":"1",  "compensation_amount": 12345678901234567890.10, "rate":1e400, "unheard_of":{"b":[],"a":null}, "currency":"\u00a3" }`
	tests := []struct {
		promise, body string
		want          api.Snapshot
		why           string // of a ContractError
	}{
		{promise: "a record is what Pinwheel wrote, byte for byte",
			body: `{"data":` + exact + `,
				"meta":{"refreshed_at":"2026-01-12T02:36:02.500000+00:00"}}`,
			want: api.Snapshot{Record: api.Record{ID: "1", JSON: []byte(exact)},
				RefreshedAt: refreshed}},
		{promise: "a report says inside it when it was refreshed",
			body: `{"data":{"id":"1","refreshed_at":"2026-01-12 02:36:02.5Z"}}`,
			want: api.Snapshot{Record: api.Record{ID: "1",
				JSON: []byte(`{"id":"1","refreshed_at":"2026-01-12 02:36:02.5Z"}`)},
				RefreshedAt: refreshed}},
		{promise: "a paystub has its pay date",
			body: `{"data":{"id":"1","pay_date":"2026-01-09"}}`,
			want: api.Snapshot{Record: api.Record{ID: "1", PayDate: "2026-01-09",
				JSON: []byte(`{"id":"1","pay_date":"2026-01-09"}`)}}},
		{promise: "nulls are nothing", body: `{"data":{"id":"1","pay_date":null},"meta":null}`,
			want: api.Snapshot{Record: api.Record{ID: "1",
				JSON: []byte(`{"id":"1","pay_date":null}`)}}},
		{promise: "a time in an unknown format is no time",
			body: `{"data":{"id":"1"},"meta":{"refreshed_at":1768185362}}`,
			want: api.Snapshot{Record: api.Record{ID: "1", JSON: []byte(`{"id":"1"}`)}}},

		{promise: "no data", body: `{"meta":{}}`, why: "a record is not an object with an id"},
		{promise: "data null", body: `{"data":null}`, why: "a record is not an object with an id"},
		{promise: "data a list", body: `{"data":[{"id":"1"}]}`,
			why: "a record is not an object with an id"},
		{promise: "data without an id", body: `{"data":{}}`,
			why: "a record is not an object with an id"},
		{promise: "an id that is null", body: `{"data":{"id":null}}`,
			why: "a record is not an object with an id"},
		{promise: "an id that is a number", body: `{"data":{"id":1}}`,
			why: "a record is not an object with an id"},
		{promise: "null", body: `null`, why: "not an object with data and meta"},
		{promise: "a list", body: `[]`, why: "not an object with data and meta"},
		{promise: "HTML", body: `<html>`, why: "the body is not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			got, err := client(t, respondWith(tt.body)).Income(t.Context(), "acc")
			if c, _ := errors.AsType[*api.ContractError](err); tt.why != "" {
				if c == nil || c.Why != tt.why || c.Endpoint != "/v1/accounts/{account_id}/income" {
					t.Errorf("error is %v, want %s", err, tt.why)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreTypes(api.Answer{})); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// describe returns what a list yields, in short: the ids by page, and in brackets the error.
func describe(t *testing.T, c *pinwheel.Client) string {
	t.Helper()
	var b strings.Builder
	ended := false
	for page, err := range c.Shifts(t.Context(), "acc", "") {
		if ended {
			t.Error("something is yielded after an error")
		}
		if err != nil {
			ended = true
			why := err.Error()
			if c, ok := errors.AsType[*api.ContractError](err); ok {
				why = c.Why
			}
			fmt.Fprintf(&b, "(%s)", why)
			continue
		}
		for _, r := range page.Records {
			b.WriteString(r.ID)
		}
		b.WriteString("|")
	}
	return b.String()
}

func TestPages(t *testing.T) {
	// Each test's pages by cursor; the first has none.
	tests := []struct {
		promise string
		pages   map[string]string
		want    string
	}{
		{"a list ends when there is no cursor",
			map[string]string{"": `{"data":[{"id":"a"},{"id":"b"}],"meta":{}}`}, "ab|"},
		{"or no meta", map[string]string{"": `{"data":[{"id":"a"}]}`}, "a|"},
		{"or a null cursor",
			map[string]string{"": `{"data":[{"id":"a"}],"meta":{"next_cursor":null}}`}, "a|"},
		{"or an empty one",
			map[string]string{"": `{"data":[{"id":"a"}],"meta":{"next_cursor":""}}`}, "a|"},
		{"a list may be empty", map[string]string{"": `{"data":[]}`}, "|"},
		{"cursors are followed, whatever they hold", map[string]string{
			"":          `{"data":[{"id":"a"}],"meta":{"next_cursor":"x+/= &y"}}`,
			"x+/= &y":   `{"data":[{"id":"b"}],"meta":{"next_cursor":"gAAAAAB=="}}`,
			"gAAAAAB==": `{"data":[{"id":"c"}],"meta":{"next_cursor":null}}`,
		}, "a|b|c|"},
		{"an empty page need not be the last", map[string]string{
			"": `{"data":[],"meta":{"next_cursor":"1"}}`, "1": `{"data":[{"id":"a"}]}`,
		}, "|a|"},

		{"a cursor that comes again ends in an error", map[string]string{
			"":  `{"data":[{"id":"a"}],"meta":{"next_cursor":"1"}}`,
			"1": `{"data":[{"id":"b"}],"meta":{"next_cursor":"1"}}`,
		}, "a|b|(a cursor came twice)"},
		{"and so does a longer loop", map[string]string{
			"":  `{"data":[],"meta":{"next_cursor":"1"}}`,
			"1": `{"data":[],"meta":{"next_cursor":"2"}}`,
			"2": `{"data":[],"meta":{"next_cursor":"1"}}`,
		}, "|||(a cursor came twice)"},
		{"a cursor that is a number breaks the contract",
			map[string]string{"": `{"data":[],"meta":{"next_cursor":1}}`},
			"(not a list with data and meta)"},
		{"so does no data", map[string]string{"": `{"meta":{}}`},
			"(not a list with data and meta)"},
		{"and null", map[string]string{"": `{"data":null}`}, "(not a list with data and meta)"},
		{"and a single object", map[string]string{"": `{"data":{"id":"a"}}`},
			"(not a list with data and meta)"},
		{"and a null in the list", map[string]string{"": `{"data":[{"id":"a"},null]}`},
			"(a record is not an object with an id)"},
		{"and a string in the list", map[string]string{"": `{"data":["a"]}`},
			"(a record is not an object with an id)"},
		{"and a record without an id", map[string]string{"": `{"data":[{"account_id":"a"}]}`},
			"(a record is not an object with an id)"},
		{"an error on a later page ends the list",
			map[string]string{"": `{"data":[{"id":"a"}],"meta":{"next_cursor":"1"}}`},
			"a|(get /v1/accounts/{account_id}/shifts: status 404 RECORD_NOT_FOUND)"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				page, ok := tt.pages[r.URL.Query().Get("cursor")]
				if !ok {
					w.WriteHeader(404)
					page = `{"error":{"type":"RECORD_NOT_FOUND"}}`
				}
				respondWith(page)(w, r)
			})
			if got := describe(t, c); got != tt.want {
				t.Errorf("yields %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAListSaysWhenItWasRefreshed(t *testing.T) {
	c := client(t, respondWith(`{"data":[{"id":"a"}],
		"meta":{"refreshed_at":"2026-01-12T02:36:02.5Z"}}`))
	for page, err := range c.Paystubs(t.Context(), "acc", pinwheel.PaystubQuery{}) {
		if err != nil || !page.RefreshedAt.Equal(refreshed) {
			t.Error(page, err)
		}
	}
}

func TestErrors(t *testing.T) {
	const template = "/v1/accounts/{account_id}/income"
	tests := []struct {
		promise string
		status  int
		body    string
		want    api.StatusError
	}{
		{"the error object is read", 400,
			`{"error":{"type":"INVALID_REQUEST_PARAMETERS","code":"INVALID_ROUTING_NUMBER","message":"Validation error.","status_code":400,"fields":[]}}`,
			api.StatusError{
				Endpoint:  template,
				Status:    400,
				Type:      "INVALID_REQUEST_PARAMETERS",
				Code:      "INVALID_ROUTING_NUMBER",
				Message:   "Validation error.",
				RequestID: "req-1",
			}},
		{"nulls in it are nothing", 404,
			`{"error":{"type":"RECORD_NOT_FOUND","code":null,"message":null}}`,
			api.StatusError{
				Endpoint: template, Status: 404, Type: "RECORD_NOT_FOUND", RequestID: "req-1",
			}},
		{"what fits of it is kept", 404, `{"error":{"type":"RECORD_NOT_FOUND","code":7}}`,
			api.StatusError{
				Endpoint: template, Status: 404, Type: "RECORD_NOT_FOUND", RequestID: "req-1",
			}},
		{"words that Pinwheel does not document are hashed", 400,
			`{"error":{"type":"No account of Jane Doe","code":"jane.doe"}}`,
			api.StatusError{
				Endpoint:  template,
				Status:    400,
				Type:      "unknown_34bca322",
				Code:      "unknown_d48722fc",
				RequestID: "req-1",
			}},
		{"HTML is no reason", 403, `<html>`,
			api.StatusError{Endpoint: template, Status: 403, RequestID: "req-1"}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			_, err := client(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Pinwheel-Request-Id", "req-1")
				w.WriteHeader(tt.status)
				respondWith(tt.body)(w, r)
			}).Income(t.Context(), "acc")
			got, ok := errors.AsType[*api.StatusError](err)
			if !ok {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryDocumentedWordOfAnErrorIsKept(t *testing.T) {
	// docs.pinwheelapi.com/public/docs/api-errors
	for _, word := range []string{
		"INVALID_REQUEST_PARAMETERS", "RECORD_NOT_FOUND", "UNAUTHORIZED_REQUEST", "UNKNOWN_ERROR",
		"INVALID_ROUTING_NUMBER",
	} {
		_, err := client(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			respondWith(`{"error":{"type":"`+word+`","code":"`+word+`"}}`)(w, r)
		}).Income(t.Context(), "acc")
		s, ok := errors.AsType[*api.StatusError](err)
		if !ok || s.Code != word || s.Type != word {
			t.Errorf("error is %v, want %s as it is", err, word)
		}
	}
}

func TestTheBaseURLMayHaveTheVersionAndSlashes(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.test":         "https://api.test/v1/accounts/acc/income",
		"https://api.test/":        "https://api.test/v1/accounts/acc/income",
		"https://api.test/v1":      "https://api.test/v1/accounts/acc/income",
		"https://api.test//v1//":   "https://api.test/v1/accounts/acc/income",
		"https://api.test/x/v1/":   "https://api.test/x/v1/accounts/acc/income",
		"http://127.0.0.1:8081/x/": "http://127.0.0.1:8081/x/v1/accounts/acc/income",
	} {
		var got string
		cfg := config(func(w http.ResponseWriter, r *http.Request) {
			got = r.URL.String()
			respondWith(`{"data":{"id":"1"}}`)(w, r)
		})
		cfg.URL = base
		c, err := pinwheel.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Income(t.Context(), "acc"); err != nil || got != want {
			t.Errorf("%s calls %s, want %s (error %v)", base, got, want, err)
		}
	}
}

func TestARefusedSecretIsFollowedByTheNext(t *testing.T) {
	cfg := config(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("x-api-secret") != "new" {
			w.WriteHeader(401)
			return
		}
		respondWith(`{"data":{"id":"1"}}`)(w, r)
	})
	cfg.Secrets = secretsOf("old", "new")
	c, err := pinwheel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Income(t.Context(), "acc"); err != nil {
		t.Error(err)
	}
}

func TestErrorsKeepSecrets(t *testing.T) {
	const canary = "CANARY"
	for _, response := range []struct {
		status int
		body   string
	}{
		{200, `{"data":{"id":7,"full_name":"CANARY"}}`},
		{200, `{"data":[{"full_name":"CANARY"}],"meta":{"next_cursor":"CANARY"}}`},
		{200, `{"data":[],"meta":{"CANARY":1,"next_cursor":["CANARY"]}}`},
		{200, `CANARY`},
		{422, `{"error":{"type":"of CANARY","code":"for CANARY","message":"CANARY"}}`},
	} {
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(response.status)
			respondWith(response.body)(w, r)
		})
		_, one := c.Paystub(t.Context(), canary, canary)
		var list error
		query := pinwheel.PaystubQuery{FromPayDate: canary}
		for _, err := range c.Paystubs(t.Context(), canary, query) {
			list = err
		}
		for _, err := range []error{one, list} {
			if err == nil || strings.Contains(fmt.Sprintf("%+v", err), canary) {
				t.Errorf("%s: %+v", response.body, err)
			}
		}
	}
}

func TestNew(t *testing.T) {
	tests := []struct {
		promise string
		set     func(*pinwheel.Config)
		want    string
	}{
		{"a whole Config is enough", func(*pinwheel.Config) {}, "<nil>"},
		{"a version is needed", func(c *pinwheel.Config) { c.Version = "" }, "no pinwheel version"},
		{"a secret is needed", func(c *pinwheel.Config) { c.Secrets = nil }, "no credentials"},
		{"a URL is needed", func(c *pinwheel.Config) { c.URL = "" },
			"base url: must begin with http:// or https://"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			cfg := config(respondWith("{}"))
			tt.set(&cfg)
			if _, err := pinwheel.New(cfg); fmt.Sprint(err) != tt.want {
				t.Errorf("error is %v, want %s", err, tt.want)
			}
		})
	}
}

func TestWithoutASecretNothingIsSent(t *testing.T) {
	cfg := config(func(http.ResponseWriter, *http.Request) { t.Error("a call") })
	cfg.Secrets = secretsOf("")
	c, err := pinwheel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Income(t.Context(), "acc"); !errors.Is(err, api.ErrCredentials) {
		t.Error(err)
	}
}
