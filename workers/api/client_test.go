package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/api/pace/pacetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an API in memory. It gives its replies in order, the last reply again and again, and
// remembers the time of each call.
type fake struct {
	replies []reply

	mu    sync.Mutex
	calls []time.Time
}

type reply func(*http.Request) (*http.Response, error)

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.calls = append(f.calls, time.Now())
	reply := f.replies[min(len(f.calls), len(f.replies))-1]
	f.mu.Unlock()
	return reply(r)
}

func (f *fake) callCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// replyWith replies with status and body; header is name, value, name, value.
func replyWith(status int, body string, header ...string) reply {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for pair := range slices.Chunk(header, 2) {
			h.Set(pair[0], pair[1])
		}
		return &http.Response{
			StatusCode:    status,
			Header:        h,
			ContentLength: -1,
			Body:          io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// replyBody replies with 200 and a body whose announced length is length.
func replyBody(body io.Reader, length int64) reply {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode:    200,
			Header:        http.Header{},
			ContentLength: length,
			Body:          io.NopCloser(body),
		}, nil
	}
}

func failWith(err error) reply {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// settings are the arguments of api.New.
type settings struct {
	api.Config
	api.Dialect
}

// dialect shows the secret as X-Secret.
var dialect = api.Dialect{
	Header: func(secret string) http.Header { return http.Header{"X-Secret": {secret}} },
}

func secretsOf(secrets ...string) func() ([]string, error) {
	return func() ([]string, error) { return secrets, nil }
}

// paced is the pace of a single process.
func paced(t *testing.T, ratePerS float64) *pace.Pacer {
	t.Helper()
	p, err := pace.New(pace.Config{RatePerS: ratePerS, Store: &pacetest.Store{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// client makes a Client of f. Its rate does not delay a call unless a test sets another rate.
func client(t *testing.T, f http.RoundTripper, set ...func(*settings)) *api.Client {
	t.Helper()
	cfg := settings{
		Config: api.Config{
			URL:       "https://api.test",
			Secrets:   secretsOf("secret"),
			Pace:      paced(t, 1e6),
			Transport: f,
		},
		Dialect: dialect,
	}
	for _, s := range set {
		s(&cfg)
	}
	c, err := api.New(cfg.Config, cfg.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var things = api.Path("/v1/things/{id}", "an-id")

// kind names what a caller can tell about an error without its text.
func kind(err error) string {
	if err == nil {
		return ""
	}
	var kinds []string
	if s, ok := errors.AsType[*api.StatusError](err); ok {
		kinds = append(kinds, fmt.Sprintf("status %d", s.Status))
	}
	if _, ok := errors.AsType[*api.NetworkError](err); ok {
		kinds = append(kinds, "network")
	}
	if c, ok := errors.AsType[*api.ContractError](err); ok {
		kinds = append(kinds, "contract: "+c.Why)
	}
	for _, sentinel := range []error{
		api.ErrID, api.ErrCredentials, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, sentinel) {
			kinds = append(kinds, sentinel.Error())
		}
	}
	return strings.Join(kinds, ", ")
}

func TestGet(t *testing.T) {
	ok := replyWith(200, `{"ok":true}`)
	tests := []struct {
		promise string
		replies []reply
		want    string // kind of error
		calls   int
	}{
		{"an answer is returned", []reply{ok}, "", 1},
		{"500 is tried again", []reply{replyWith(500, ""), ok}, "", 2},
		{"503 is tried again, more than once",
			[]reply{replyWith(503, ""), replyWith(503, ""), replyWith(503, ""), ok}, "", 4},
		{"408 is tried again", []reply{replyWith(408, ""), ok}, "", 2},
		{"a network error is tried again",
			[]reply{failWith(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), ok}, "", 2},
		{"a connection closed without an answer is tried again", []reply{failWith(io.EOF), ok}, "",
			2},
		{"a body cut by the connection is tried again",
			[]reply{replyBody(io.MultiReader(strings.NewReader(`{"o`), broken{}), -1), ok}, "", 2},
		{"a body shorter than announced is tried again",
			[]reply{replyBody(strings.NewReader(`{}`), 3), ok}, "", 2},

		{"400 is final", []reply{replyWith(400, ""), ok}, "status 400", 1},
		{"401 is final", []reply{replyWith(401, ""), ok}, "status 401", 1},
		{"403 is final", []reply{replyWith(403, ""), ok}, "status 403", 1},
		{"404 is final", []reply{replyWith(404, ""), ok}, "status 404", 1},
		{"410 is final", []reply{replyWith(410, ""), ok}, "status 410", 1},
		{"422 is final", []reply{replyWith(422, ""), ok}, "status 422", 1},
		{"a redirect is final",
			[]reply{replyWith(302, "", "Location", "https://api.test/elsewhere"), ok},
			"status 302", 1},
		{"a redirect to nowhere is final", []reply{replyWith(301, "", "Location", "::"), ok},
			"status 301", 1},
		{"a failure that turns final is final", []reply{replyWith(500, ""), replyWith(404, ""), ok},
			"status 404", 2},

		{"HTML with 200 breaks the contract", []reply{replyWith(200, "<html>login</html>"), ok},
			"contract: the body is not JSON", 1},
		{"half of a document breaks the contract", []reply{replyWith(200, `{"data":[`), ok},
			"contract: the body is not JSON", 1},
		{"two documents break the contract", []reply{replyWith(200, `{}{}`), ok},
			"contract: the body is not JSON", 1},
		{"no body breaks the contract", []reply{replyWith(200, ""), ok},
			"contract: the body is not JSON", 1},
		{"bytes that are no UTF-8 break the contract", []reply{replyWith(200, "\"\xff\""), ok},
			"contract: the body is not JSON", 1},
		{"204 breaks the contract", []reply{replyWith(204, ""), ok},
			"contract: status 204 instead of 200", 1},
		{"a body announced as too large is not read",
			[]reply{replyBody(broken{}, api.BodyBytesMax+1), ok}, "contract: over 16 MiB", 1},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{replies: tt.replies}
				answer, err := client(t, f).Get(t.Context(), things)
				if got := kind(err); got != tt.want {
					t.Errorf("error is %q (%v), want %q", got, err, tt.want)
				}
				if err == nil && string(answer.Body) != `{"ok":true}` {
					t.Errorf("body is %s", answer.Body)
				}
				if len(f.calls) != tt.calls {
					t.Errorf("%d calls, want %d", len(f.calls), tt.calls)
				}
			})
		})
	}
}

// broken is a body whose connection is gone.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAnAPIThatStaysDown(t *testing.T) {
	// drips a byte a second, and never stops before the try does.
	drips := func(r *http.Request) (*http.Response, error) {
		body, w := io.Pipe()
		go func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-r.Context().Done():
					w.CloseWithError(r.Context().Err())
					return
				case <-tick.C:
					_, _ = w.Write([]byte(" "))
				}
			}
		}()
		return &http.Response{StatusCode: 200, ContentLength: -1, Body: body}, nil
	}
	hangs := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	canaryCertificate := &x509.Certificate{DNSNames: []string{"CANARY"}}
	tests := []struct {
		promise string
		reply   reply
		want    string // kind
		text    string
		most    time.Duration
	}{
		{"is given up within the time for retries, with its own error", replyWith(503, ""),
			"status 503", "get /v1/things/{id}: status 503", api.RetryFor},
		{"a refused connection is named",
			failWith(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}),
			"network", "get /v1/things/{id}: dial tcp: connection refused", api.RetryFor},
		{"an unknown host is named", failWith(&net.DNSError{Err: "no such host", Name: "api.test"}),
			"network", "get /v1/things/{id}: lookup api.test: no such host", api.RetryFor},
		{"a bad certificate is named, without a word from it",
			failWith(&tls.CertificateVerificationError{Err: errors.New("of CANARY")}),
			"network", "get /v1/things/{id}: tls: the certificate cannot be verified",
			api.RetryFor},
		{"a certificate of another host is named",
			failWith(&tls.CertificateVerificationError{
				Err: x509.HostnameError{Certificate: canaryCertificate, Host: "api.test"}}),
			"network", "get /v1/things/{id}: tls: the certificate is for another host",
			api.RetryFor},
		{"a certificate that nobody vouches for is named",
			failWith(&tls.CertificateVerificationError{
				Err: x509.UnknownAuthorityError{Cert: canaryCertificate}}),
			"network",
			"get /v1/things/{id}: tls: the certificate is signed by an unknown authority",
			api.RetryFor},
		{"an expired certificate is named",
			failWith(&tls.CertificateVerificationError{
				Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "CANARY"}}),
			"network",
			"get /v1/things/{id}: tls: the certificate has expired or is not yet valid",
			api.RetryFor},
		{"what is not HTTPS is named",
			failWith(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}),
			"network", "get /v1/things/{id}: tls: first record does not look like a TLS handshake",
			api.RetryFor},
		{"a dial that times out is no deadline of the caller's",
			failWith(&net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}),
			"network", "get /v1/things/{id}: dial tcp: context deadline exceeded", api.RetryFor},
		{"an answer that does not come ends with its try", hangs,
			"network", "get /v1/things/{id}: no whole answer within 15s",
			api.RetryFor + api.TryFor},
		{"a body that drips ends with its try", drips,
			"network", "get /v1/things/{id}: no whole answer within 15s",
			api.RetryFor + api.TryFor},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{replies: []reply{tt.reply}}
				began := time.Now()
				_, err := client(t, f).Get(t.Context(), things)
				if kind(err) != tt.want || err.Error() != tt.text {
					t.Errorf("error is %q, want %q", err, tt.text)
				}
				if took := time.Since(began); took > tt.most {
					t.Errorf("took %v, at most %v", took, tt.most)
				}
				if len(f.calls) < 2 {
					t.Errorf("%d calls", len(f.calls))
				}
			})
		})
	}
}

func TestPausesBetweenTriesAreShortAndGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{replies: []reply{replyWith(500, "")}}
		_, _ = client(t, f).Get(t.Context(), things)
		for i := range len(f.calls) - 1 {
			pause := f.calls[i+1].Sub(f.calls[i])
			most := min(4*time.Second, 250*time.Millisecond<<min(i, 10))
			if pause > most {
				t.Errorf("pause %d is %v, at most %v", i, pause, most)
			}
		}
	})
}

func TestTheCallerStops(t *testing.T) {
	reason := errors.New("the worker drains")
	hangs := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	tests := []struct {
		promise string
		replies []reply
		want    string
		text    string
	}{
		{"in a try", []reply{hangs}, "context canceled",
			"get /v1/things/{id}: context canceled: the worker drains"},
		{"in a retry: the last real error is kept", []reply{replyWith(503, ""), hangs},
			"status 503, context canceled",
			"get /v1/things/{id}: status 503; given up: context canceled: the worker drains"},
		{"in a pause: the last real error is kept", []reply{replyWith(503, "")},
			"status 503, context canceled",
			"get /v1/things/{id}: status 503; given up: context canceled: the worker drains"},
		{"in a hold: it says 429", []reply{replyWith(429, "", "Retry-After", "3")},
			"status 429, context canceled",
			"get /v1/things/{id}: status 429; given up: context canceled: the worker drains"},
		{"in a hold after a failure: it says 429",
			[]reply{replyWith(503, ""), replyWith(429, "", "Retry-After", "3")},
			"status 429, context canceled",
			"get /v1/things/{id}: status 429; given up: context canceled: the worker drains"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				// This is later than the pause before the second try, and sooner than RetryFor.
				time.AfterFunc(5*time.Second, func() { cancel(reason) })
				began := time.Now()
				_, err := client(t, &fake{replies: tt.replies}).Get(ctx, things)
				if kind(err) != tt.want || !errors.Is(err, reason) || err.Error() != tt.text {
					t.Errorf("error is %q, want %q", err, tt.text)
				}
				if took := time.Since(began); took != 5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}

	t.Run("before: nothing is sent", func(t *testing.T) {
		f := &fake{replies: []reply{replyWith(200, "{}")}}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client(t, f).Get(ctx, things)
		if kind(err) != "context canceled" || len(f.calls) != 0 {
			t.Errorf("%v after %d calls", err, len(f.calls))
		}
	})

	t.Run("in its turn: nothing is sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{replies: []reply{replyWith(200, "{}")}}
			c := client(t, f, func(cfg *settings) { cfg.Pace = paced(t, 0.1) })
			_, _ = c.Get(t.Context(), things)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.Get(ctx, things)
			if kind(err) != "context deadline exceeded" || len(f.calls) != 1 {
				t.Errorf("%v after %d calls", err, len(f.calls))
			}
		})
	})
}

func TestAnAnswerThatComesAsTheCallerStopsIsTheAnswer(t *testing.T) {
	for _, status := range []int{200, 404} {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
			cancel()
			return replyWith(status, "{}")(r)
		}}}
		_, err := client(t, f).Get(ctx, things)
		if want := map[int]string{200: "", 404: "status 404"}[status]; kind(err) != want {
			t.Errorf("%d is %v", status, err)
		}
	}
}

func TestACallerWhoStopsAfterAHoldStillSays429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{replies: []reply{replyWith(429, "", "Retry-After", "1")}}
		c := client(t, f, func(cfg *settings) { cfg.Pace = paced(t, 0.1) })
		// After 5 s the hold is over, and the call still waits for its turn.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := c.Get(ctx, things); kind(err) != "status 429, context deadline exceeded" {
			t.Error(err)
		}
	})
}

func TestACallerWhoStopsGivesItsTurnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{replies: []reply{replyWith(200, "{}")}}
		c := client(t, f, func(cfg *settings) { cfg.Pace = paced(t, 0.1) })
		began := time.Now()
		_, _ = c.Get(t.Context(), things)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = c.Get(ctx, things)
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Error(err)
		}
		want := schema.Interval(0.1) - schema.BurstFor
		if took := time.Since(began); took != want {
			t.Errorf("the next turn came after %v, want %v", took, want)
		}
	})
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	tests := []struct {
		url, want string
	}{
		{"https://api.test", ""},
		{"http://127.0.0.1:8081/pinwheel/", ""},
		{"", "base url: must begin with http:// or https://"},
		{"api.test", "base url: must begin with http:// or https://"},
		{"ftp://api.test", "base url: must begin with http:// or https://"},
		{"https://", "base url: has no host"},
		{"https:api.test", "base url: has no host"},
		{"https://:443", "base url: has no host"},
		{"https://user:CANARY@api.test", "base url: must not hold credentials"},
		{"https://api.test?key=CANARY", "base url: must not have a query or a fragment"},
		{"https://api.test/?", "base url: must not have a query or a fragment"},
		{"https://api.test/#CANARY", "base url: must not have a query or a fragment"},
		{"https://user:CANARY%zz@api.test", "base url: cannot be read"},
		{"https://api.test\n", "base url: cannot be read"},
		{"https://api.test/v1 ", "base url: must not have a space"},
		{"v1", "base url: must begin with http:// or https://"},
		{"https:///v1", "base url: has no host"},
		{"https://api.test/v1?key=CANARY", "base url: must not have a query or a fragment"},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			config := api.Config{URL: tt.url, Secrets: secretsOf("s")}
			_, err := api.New(config, dialect)
			if text := fmt.Sprint(err); strings.TrimPrefix(text, "<nil>") != tt.want {
				t.Errorf("error is %s, want %s", text, tt.want)
			}
		})
	}
	_, err := api.New(api.Config{URL: "https://api.test"}, dialect)
	if !errors.Is(err, api.ErrCredentials) {
		t.Errorf("without credentials: %v", err)
	}
}
