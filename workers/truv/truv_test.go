package truv_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/truv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inMemory is an API without a socket: a bubble cannot wait for a socket.
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
func config(handler http.HandlerFunc) truv.Config {
	return truv.Config{
		Config: api.Config{
			URL:       "https://truv.test",
			Secrets:   secretsOf("sandbox-secret"),
			Transport: inMemory(handler),
		},
		ClientID: "the-client",
	}
}

// client makes a Client of an API that answers with handler.
func client(t *testing.T, handler http.HandlerFunc) *truv.Client {
	t.Helper()
	c, err := truv.New(config(handler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func respondWith(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if len(header) == 2 {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestLinkAsksItsEndpoint(t *testing.T) {
	var got *http.Request
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		respondWith(200, `{"id":"d39d"}`)(w, r)
	})
	if _, err := c.Link(t.Context(), "d39d/../x"); err != nil {
		t.Fatal(err)
	}
	const want = "https://truv.test/v1/links/d39d%2F..%2Fx/"
	if got.Method != http.MethodGet || got.URL.String() != want {
		t.Errorf("asked %s %s", got.Method, got.URL)
	}
	for name, want := range map[string]string{
		"X-Access-Client-Id": "the-client",
		"X-Access-Secret":    "sandbox-secret",
		"Accept":             "application/json",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

func TestLink(t *testing.T) {
	at := time.Date(2022, 6, 30, 15, 0, 0, 0, time.UTC)
	tests := []struct {
		promise, body string
		want          truv.Link
	}{
		{"a link is what Truv wrote, byte for byte",
			`{ "id":"l1",  "n":12345678901234567890.10, "e":1e400, "z":{"b":[ ],"a":null}, "s":"\u00e9" }` + "\n",
			truv.Link{ID: "l1", JSON: []byte(`{ "id":"l1",  "n":12345678901234567890.10, "e":1e400, "z":{"b":[ ],"a":null}, "s":"\u00e9" }` + "\n")}},
		{"its times are read",
			`{"id":"l1","updated_at":"2022-06-30T15:00:00Z","deleted_at":"2022-06-30T15:00:00.000000+00:00"}`,
			truv.Link{ID: "l1", UpdatedAt: at, DeletedAt: at, JSON: []byte(`{"id":"l1","updated_at":"2022-06-30T15:00:00Z","deleted_at":"2022-06-30T15:00:00.000000+00:00"}`)}},
		{"null and impossible dates are no time",
			`{"id":"l1","updated_at":"2022-06-31T15:00:00Z","deleted_at":null}`,
			truv.Link{
				ID:   "l1",
				JSON: []byte(`{"id":"l1","updated_at":"2022-06-31T15:00:00Z","deleted_at":null}`),
			}},
		{"its access token is cut out",
			`{"id":"l1","access_token":"CANARY","provider_id":"adp"}`,
			truv.Link{ID: "l1", JSON: []byte(`{"id":"l1","provider_id":"adp"}`)}},
		{"and bank accounts, which are a resource of their own",
			`{"id":"l1","bank_accounts":[{"account_number":"CANARY"}],"provider_id":"adp"}`,
			truv.Link{ID: "l1", JSON: []byte(`{"id":"l1","provider_id":"adp"}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			got, err := client(t, respondWith(200, tt.body)).Link(t.Context(), "l1")
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreTypes(api.Answer{})); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestWhatIsNoLink(t *testing.T) {
	tests := []struct{ promise, body, why string }{
		{"null", `null`, "not an object with an id"},
		{"a list", `[]`, "not an object with an id"},
		{"no id", `{"access_token":"CANARY"}`, "not an object with an id"},
		{"an id that is a number", `{"id":1}`, "not an object with an id"},
		{"HTML", `<html>CANARY`, "the body is not JSON"},
		{"half a link", `{"id":"l1","access_token":"CANA`, "the body is not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			_, err := client(t, respondWith(200, tt.body)).Link(t.Context(), "l1")
			c, ok := errors.AsType[*api.ContractError](err)
			if !ok || c.Why != tt.why || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("error is %v, want %s", err, tt.why)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	const template = "/v1/links/{link_id}/"
	tests := []struct {
		promise string
		status  int
		body    string
		want    api.StatusError
	}{
		{"an error object is read", 401,
			`{"error":{"code":"authentication_failed","message":"No such token"}}`,
			api.StatusError{
				Endpoint: template,
				Status:   401,
				Code:     "authentication_failed",
				Message:  "No such token",
			}},
		{"a detail is read", 404, `{"detail":"Not Found."}`,
			api.StatusError{Endpoint: template, Status: 404, Message: "Not Found."}},
		{"what fits is kept", 400, `{"error":"CANARY","detail":"Bad."}`,
			api.StatusError{Endpoint: template, Status: 400, Message: "Bad."}},
		{"a code that Truv does not document is hashed", 400,
			`{"error":{"code":"CANARY","message":"Bad."}}`,
			api.StatusError{
				Endpoint: template,
				Status:   400,
				Code:     "unknown_fe0344af",
				Message:  "Bad.",
			}},
		{"HTML is no reason", 403, `<html>`, api.StatusError{Endpoint: template, Status: 403}},
		{"prose is no wait but in a 429", 400, `{"detail":"Expected available in 17 seconds."}`,
			api.StatusError{
				Endpoint: template,
				Status:   400,
				Message:  "Expected available in 17 seconds.",
			}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			_, err := client(t, respondWith(tt.status, tt.body)).Link(t.Context(), "CANARY")
			got, ok := errors.AsType[*api.StatusError](err)
			if !ok {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
			if text := fmt.Sprintf("%+v", err); strings.Contains(text, "CANARY") {
				t.Error(text)
			}
		})
	}
}

func TestEveryDocumentedCodeIsKept(t *testing.T) {
	// docs.truv.com/api-reference/errors. TestThrottledCallsWaitAsLongAsTruvSays has 429.
	for code, status := range map[string]int{
		"incorrect_parameters":  400,
		"authentication_failed": 401,
		"not_authenticated":     403,
		"expired_token":         410,
		"throttled":             400,
	} {
		c := client(t, respondWith(status, `{"error":{"code":"`+code+`"}}`))
		_, err := c.Link(t.Context(), "l1")
		s, ok := errors.AsType[*api.StatusError](err)
		if !ok || s.Code != code {
			t.Errorf("error is %v, want %s as it is", err, code)
		}
	}
}

func TestTheBaseURLMayHaveTheVersionAndSlashes(t *testing.T) {
	for base, want := range map[string]string{
		"https://truv.test":        "https://truv.test/v1/links/l1/",
		"https://truv.test/":       "https://truv.test/v1/links/l1/",
		"https://truv.test/v1":     "https://truv.test/v1/links/l1/",
		"https://truv.test//v1//":  "https://truv.test/v1/links/l1/",
		"https://truv.test/x/v1/":  "https://truv.test/x/v1/links/l1/",
		"http://127.0.0.1:8081/x/": "http://127.0.0.1:8081/x/v1/links/l1/",
	} {
		var got string
		cfg := config(func(w http.ResponseWriter, r *http.Request) {
			got = r.URL.String()
			respondWith(200, `{"id":"l1"}`)(w, r)
		})
		cfg.URL = base
		c, err := truv.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Link(t.Context(), "l1"); err != nil || got != want {
			t.Errorf("%s calls %s, want %s (error %v)", base, got, want, err)
		}
	}
}

func TestARefusedSecretIsFollowedByTheNext(t *testing.T) {
	cfg := config(func(w http.ResponseWriter, r *http.Request) {
		response := respondWith(401, `{"error":{"code":"authentication_failed"}}`)
		if r.Header.Get("X-Access-Secret") == "new" {
			response = respondWith(200, `{"id":"l1"}`)
		}
		response(w, r)
	})
	cfg.Secrets = secretsOf("old", "new")
	c, err := truv.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Link(t.Context(), "l1"); err != nil {
		t.Error(err)
	}
}

// linkOf gets a link as a worker does: during a long hold, the event waits elsewhere.
func linkOf(t *testing.T, c *truv.Client) error {
	t.Helper()
	_, err := c.Link(t.Context(), "l1")
	if s, ok := errors.AsType[*api.StatusError](err); ok && s.Status == 429 {
		time.Sleep(s.RetryAfter) //nolint:forbidigo // moves the bubble's clock
		_, err = c.Link(t.Context(), "l1")
	}
	return err
}

func TestThrottledCallsWaitAsLongAsTruvSays(t *testing.T) {
	const for17s = `{"detail":"Request was throttled. Expected available in 17 seconds."}`
	const for24h = `{"detail":"Request was throttled. Expected available in 86400 seconds."}`
	tests := []struct {
		promise  string
		response http.HandlerFunc
		least    time.Duration
		most     time.Duration
	}{
		{"in a detail", respondWith(429, for17s), 17 * time.Second, 17 * time.Second},
		{"in an error object",
			respondWith(429,
				`{"error":{"code":"throttled","message":"Request was throttled. Expected available in 17 seconds."}}`),
			17 * time.Second, 17 * time.Second},
		{"in a detail beside an error object",
			respondWith(429, `{"error":{"code":"throttled","message":"Slow down."},`+for17s[1:]),
			17 * time.Second, 17 * time.Second},
		{"one second",
			respondWith(429, `{"detail":"Request was throttled. Expected available in 1 second."}`),
			time.Second, time.Second},
		{"the header comes first", respondWith(429, for17s, "Retry-After", "9"),
			9 * time.Second, 9 * time.Second},
		{"unless it is garbage", respondWith(429, for17s, "Retry-After", "soon"),
			17 * time.Second, 17 * time.Second},
		{"at most a quarter of an hour", respondWith(429, for24h),
			api.RetryAfterMax, api.RetryAfterMax},
		{"nothing said is a short hold", respondWith(429, `{"detail":"Request was throttled."}`), 0,
			time.Second},
		{"and so is a number beyond reason",
			respondWith(429, `{"detail":"Expected available in 99999999999999999999 seconds."}`), 0,
			time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var once sync.Once
				c := client(t, func(w http.ResponseWriter, r *http.Request) {
					response := respondWith(200, `{"id":"l1"}`)
					once.Do(func() { response = tt.response })
					response(w, r)
				})
				began := time.Now()
				if err := linkOf(t, c); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
			})
		})
	}
}

func TestNew(t *testing.T) {
	tests := []struct {
		promise string
		set     func(*truv.Config)
		want    string
	}{
		{"a whole Config is enough", func(*truv.Config) {}, "<nil>"},
		{"a client id is needed", func(c *truv.Config) { c.ClientID = "" }, "no truv client id"},
		{"a secret is needed", func(c *truv.Config) { c.Secrets = nil }, "no credentials"},
		{"a URL is needed", func(c *truv.Config) { c.URL = "" },
			"base url: must begin with http:// or https://"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			cfg := config(respondWith(200, "{}"))
			tt.set(&cfg)
			if _, err := truv.New(cfg); fmt.Sprint(err) != tt.want {
				t.Errorf("error is %v, want %s", err, tt.want)
			}
		})
	}
}

func TestWithoutASecretNothingIsSent(t *testing.T) {
	cfg := config(func(http.ResponseWriter, *http.Request) { t.Error("a call") })
	cfg.Secrets = secretsOf("")
	c, err := truv.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Link(t.Context(), "l1"); !errors.Is(err, api.ErrCredentials) {
		t.Error(err)
	}
}
