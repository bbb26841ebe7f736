package api_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/workers/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an API in memory: it gives its answers in order, the last one for
// ever, and remembers when it was asked.
type fake struct {
	answers []answer

	mu    sync.Mutex
	calls []time.Time
}

type answer func(*http.Request) (*http.Response, error)

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.calls = append(f.calls, time.Now())
	answer := f.answers[min(len(f.calls), len(f.answers))-1]
	f.mu.Unlock()
	return answer(r)
}

func (f *fake) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// says answers with status and body; header is name, value, name, value.
func says(status int, body string, header ...string) answer {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for pair := range slices.Chunk(header, 2) {
			h.Set(pair[0], pair[1])
		}
		return &http.Response{StatusCode: status, Header: h, ContentLength: -1, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// reads answers 200 with a body of which length bytes are announced.
func reads(body io.Reader, length int64) answer {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: length, Body: io.NopCloser(body)}, nil
	}
}

func fails(err error) answer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// client makes a Client of f, fast enough not to matter unless set otherwise.
func client(t *testing.T, f http.RoundTripper, set ...func(*api.Config)) *api.Client {
	t.Helper()
	cfg := api.Config{
		URL:       "https://api.test",
		Header:    func() (http.Header, error) { return http.Header{"X-Secret": {"secret"}}, nil },
		RatePerS:  1e6,
		Transport: f,
	}
	for _, s := range set {
		s(&cfg)
	}
	c, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var things = api.Path("/v1/things/{id}", "an-id")

// kind names an error by what a caller can tell it by.
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
	for _, sentinel := range []error{api.ErrID, api.ErrCredentials, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, sentinel) {
			kinds = append(kinds, sentinel.Error())
		}
	}
	return strings.Join(kinds, ", ")
}

func TestGet(t *testing.T) {
	ok := says(200, `{"ok":true}`)
	tests := []struct {
		promise string
		answers []answer
		want    string // kind of error
		calls   int
	}{
		{"an answer is returned", []answer{ok}, "", 1},
		{"500 is tried again", []answer{says(500, ""), ok}, "", 2},
		{"503 is tried again, more than once", []answer{says(503, ""), says(503, ""), says(503, ""), ok}, "", 4},
		{"408 is tried again", []answer{says(408, ""), ok}, "", 2},
		{"a network error is tried again", []answer{fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), ok}, "", 2},
		{"a connection closed without an answer is tried again", []answer{fails(io.EOF), ok}, "", 2},
		{"a body cut by the connection is tried again",
			[]answer{reads(io.MultiReader(strings.NewReader(`{"o`), broken{}), -1), ok}, "", 2},
		{"a body shorter than announced is tried again", []answer{reads(strings.NewReader(`{}`), 3), ok}, "", 2},

		{"400 is final", []answer{says(400, ""), ok}, "status 400", 1},
		{"401 is final", []answer{says(401, ""), ok}, "status 401", 1},
		{"403 is final", []answer{says(403, ""), ok}, "status 403", 1},
		{"404 is final", []answer{says(404, ""), ok}, "status 404", 1},
		{"410 is final", []answer{says(410, ""), ok}, "status 410", 1},
		{"422 is final", []answer{says(422, ""), ok}, "status 422", 1},
		{"a redirect is final", []answer{says(302, "", "Location", "https://api.test/elsewhere"), ok}, "status 302", 1},
		{"a redirect to nowhere is final", []answer{says(301, "", "Location", "::"), ok}, "status 301", 1},
		{"a failure that turns final is final", []answer{says(500, ""), says(404, ""), ok}, "status 404", 2},

		{"HTML with 200 breaks the contract", []answer{says(200, "<html>login</html>"), ok}, "contract: the body is not JSON", 1},
		{"half of a document breaks the contract", []answer{says(200, `{"data":[`), ok}, "contract: the body is not JSON", 1},
		{"two documents break the contract", []answer{says(200, `{}{}`), ok}, "contract: the body is not JSON", 1},
		{"no body breaks the contract", []answer{says(200, ""), ok}, "contract: the body is not JSON", 1},
		{"bytes that are no UTF-8 break the contract", []answer{says(200, "\"\xff\""), ok}, "contract: the body is not JSON", 1},
		{"204 breaks the contract", []answer{says(204, ""), ok}, "contract: status 204 instead of 200", 1},
		{"a body announced as too large is not read", []answer{reads(broken{}, api.BodyBytesMax+1), ok}, "contract: over 16 MiB", 1},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: tt.answers}
				body, err := client(t, f).Get(t.Context(), things)
				if got := kind(err); got != tt.want {
					t.Errorf("error is %q (%v), want %q", got, err, tt.want)
				}
				if err == nil && string(body) != `{"ok":true}` {
					t.Errorf("body is %s", body)
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

// spaces is an endless body.
type spaces struct{ read int }

func (s *spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	s.read += len(p)
	return len(p), nil
}

func TestABodyMayBeAsLargeAsTheLimitAndNoLarger(t *testing.T) {
	endless := &spaces{}
	f := &fake{answers: []answer{
		reads(io.MultiReader(strings.NewReader("{}"), io.LimitReader(&spaces{}, api.BodyBytesMax-2)), -1),
		reads(endless, -1),
	}}
	c := client(t, f)
	if body, err := c.Get(t.Context(), things); err != nil || len(body) != api.BodyBytesMax {
		t.Errorf("at the limit: %d bytes, %v", len(body), err)
	}
	if _, err := c.Get(t.Context(), things); kind(err) != "contract: over 16 MiB" {
		t.Errorf("over the limit: %v", err)
	}
	if most := api.BodyBytesMax + 256<<10; endless.read > most {
		t.Errorf("%d bytes of an endless body were read", endless.read)
	}
}

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
	tests := []struct {
		promise string
		answer  answer
		want    string // kind
		text    string
		most    time.Duration
	}{
		{"is given up within the time for retries, with its own error", says(503, ""),
			"status 503", "get /v1/things/{id}: status 503", api.RetryFor},
		{"a refused connection is named", fails(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}),
			"network", "get /v1/things/{id}: dial tcp: connection refused", api.RetryFor},
		{"an unknown host is named", fails(&net.DNSError{Err: "no such host", Name: "api.test"}),
			"network", "get /v1/things/{id}: lookup api.test: no such host", api.RetryFor},
		{"a bad certificate is named", fails(&tls.CertificateVerificationError{Err: errors.New("expired")}),
			"network", "get /v1/things/{id}: tls: failed to verify certificate: expired", api.RetryFor},
		{"what is not HTTPS is named", fails(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}),
			"network", "get /v1/things/{id}: tls: first record does not look like a TLS handshake", api.RetryFor},
		{"a dial that times out is no deadline of the caller's", fails(&net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}),
			"network", "get /v1/things/{id}: dial tcp: context deadline exceeded", api.RetryFor},
		{"an answer that does not come ends with its try", hangs,
			"network", "get /v1/things/{id}: no whole answer within 15s", api.RetryFor + api.TryFor},
		{"a body that drips ends with its try", drips,
			"network", "get /v1/things/{id}: no whole answer within 15s", api.RetryFor + api.TryFor},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: []answer{tt.answer}}
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
		f := &fake{answers: []answer{says(500, "")}}
		_, _ = client(t, f).Get(t.Context(), things)
		for i := range len(f.calls) - 1 {
			pause, most := f.calls[i+1].Sub(f.calls[i]), min(4*time.Second, 250*time.Millisecond<<min(i, 10))
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
		answers []answer
		want    string
		text    string
	}{
		{"in a try", []answer{hangs}, "context canceled",
			"get /v1/things/{id}: context canceled: the worker drains"},
		{"in a retry: the last real error is kept", []answer{says(503, ""), hangs}, "status 503, context canceled",
			"get /v1/things/{id}: status 503; given up: context canceled: the worker drains"},
		{"in a pause: the last real error is kept", []answer{says(503, "")}, "status 503, context canceled",
			"get /v1/things/{id}: status 503; given up: context canceled: the worker drains"},
		{"in a hold: it says 429", []answer{says(429, "", "Retry-After", "600")}, "status 429, context canceled",
			"get /v1/things/{id}: status 429; given up: context canceled: the worker drains"},
		{"in a hold after a failure: it says 429", []answer{says(503, ""), says(429, "", "Retry-After", "600")}, "status 429, context canceled",
			"get /v1/things/{id}: status 429; given up: context canceled: the worker drains"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				// Later than a pause before the second try, sooner than the time for retries.
				time.AfterFunc(5*time.Second, func() { cancel(reason) })
				began := time.Now()
				_, err := client(t, &fake{answers: tt.answers}).Get(ctx, things)
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
		f := &fake{answers: []answer{says(200, "{}")}}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := client(t, f).Get(ctx, things); kind(err) != "context canceled" || len(f.calls) != 0 {
			t.Errorf("%v after %d calls", err, len(f.calls))
		}
	})

	t.Run("in its turn: nothing is sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{answers: []answer{says(200, "{}")}}
			c := client(t, f, func(cfg *api.Config) { cfg.RatePerS = 0.1 })
			_, _ = c.Get(t.Context(), things)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := c.Get(ctx, things); kind(err) != "context deadline exceeded" || len(f.calls) != 1 {
				t.Errorf("%v after %d calls", err, len(f.calls))
			}
		})
	})
}

func TestAnAnswerThatComesAsTheCallerStopsIsTheAnswer(t *testing.T) {
	for _, status := range []int{200, 404} {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{answers: []answer{func(r *http.Request) (*http.Response, error) {
			cancel()
			return says(status, "{}")(r)
		}}}
		_, err := client(t, f).Get(ctx, things)
		if want := map[int]string{200: "", 404: "status 404"}[status]; kind(err) != want {
			t.Errorf("%d is %v", status, err)
		}
	}
}

func TestACallerWhoStopsAfterAHoldStillSays429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []answer{says(429, "", "Retry-After", "1")}}
		c := client(t, f, func(cfg *api.Config) { cfg.RatePerS = 0.1 })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // the hold is over, its turn has not come
		defer cancel()
		if _, err := c.Get(ctx, things); kind(err) != "status 429, context deadline exceeded" {
			t.Error(err)
		}
	})
}

func TestACallerWhoStopsGivesItsTurnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []answer{says(200, "{}")}}
		c := client(t, f, func(cfg *api.Config) { cfg.RatePerS = 0.1 })
		began := time.Now()
		_, _ = c.Get(t.Context(), things)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = c.Get(ctx, things)
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Error(err)
		}
		if took := time.Since(began).Round(time.Microsecond); took != 10*time.Second {
			t.Errorf("the next turn came after %v", took)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 12 Jan 2026 02:36:00 GMT"
	tests := []struct {
		promise string
		header  []string
		least   time.Duration
		most    time.Duration
	}{
		{"seconds are waited for", []string{"Retry-After", "17"}, 17 * time.Second, 17 * time.Second},
		{"spaces do not matter", []string{"Retry-After", " 17 "}, 17 * time.Second, 17 * time.Second},
		{"a date is measured by the API's clock", []string{"Retry-After", "Mon, 12 Jan 2026 02:36:40 GMT", "Date", date}, 40 * time.Second, 40 * time.Second},
		// A bubble's clock starts at midnight, 2000-01-01.
		{"a date alone is measured by ours", []string{"Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"}, time.Minute, time.Minute},
		{"2099 is cut", []string{"Retry-After", "Thu, 01 Jan 2099 00:00:00 GMT", "Date", date}, api.RetryAfterMax, api.RetryAfterMax},
		{"a year of seconds is cut", []string{"Retry-After", "31536000"}, api.RetryAfterMax, api.RetryAfterMax},
		{"more seconds than an integer holds are cut", []string{"Retry-After", "99999999999999999999999"}, api.RetryAfterMax, api.RetryAfterMax},
		{"nothing is a short hold", nil, 0, time.Second},
		{"zero is a short hold", []string{"Retry-After", "0"}, 0, time.Second},
		{"negative is a short hold", []string{"Retry-After", "-5"}, 0, time.Second},
		{"garbage is a short hold", []string{"Retry-After", "soon"}, 0, time.Second},
		{"a fraction is a short hold", []string{"Retry-After", "1.5"}, 0, time.Second},
		{"a date that has passed is a short hold", []string{"Retry-After", "Mon, 12 Jan 2026 02:35:00 GMT", "Date", date}, 0, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: []answer{says(429, "", tt.header...), says(200, "{}")}}
				var until time.Time
				_, err := client(t, f, func(cfg *api.Config) { cfg.OnHold = func(u time.Time) { until = u } }).Get(t.Context(), things)
				if err != nil || len(f.calls) != 2 {
					t.Fatalf("%v after %d calls", err, len(f.calls))
				}
				if held := f.calls[1].Sub(f.calls[0]); held < tt.least || held > tt.most {
					t.Errorf("held for %v, want %v to %v", held, tt.least, tt.most)
				}
				if f.calls[1].Before(until) {
					t.Error("OnHold was told another time")
				}
			})
		})
	}
}

func TestThrottlingIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttled := says(429, "", "Retry-After", "60")
		f := &fake{answers: []answer{throttled, throttled, says(500, ""), throttled, throttled, says(500, ""), says(200, "{}")}}
		if _, err := client(t, f).Get(t.Context(), things); err != nil || len(f.calls) != 7 {
			t.Errorf("%v after %d calls", err, len(f.calls))
		}
	})
}

func TestHoldsOfUnknownLengthGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := append(slices.Repeat([]answer{says(429, "")}, 60), says(200, "{}"), says(429, ""), says(200, "{}"))
		f := &fake{answers: answers}
		var holds []time.Duration
		c := client(t, f, func(cfg *api.Config) {
			cfg.OnHold = func(until time.Time) { holds = append(holds, time.Until(until)) }
		})
		for range 2 {
			if _, err := c.Get(t.Context(), things); err != nil {
				t.Fatal(err)
			}
		}
		for i, hold := range holds[:60] {
			if most := min(time.Minute, time.Second<<min(i, 10)); hold > most {
				t.Errorf("hold %d is %v, at most %v", i, hold, most)
			}
		}
		if slices.Max(holds[:60]) < 10*time.Second {
			t.Errorf("the longest hold is %v", slices.Max(holds))
		}
		if last := holds[60]; last > time.Second {
			t.Errorf("the first hold after a success is %v", last)
		}
	})
}

func TestAHoldHoldsEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers, rate = 40, 10
		f := &fake{answers: append(slices.Repeat([]answer{says(200, "{}")}, 9),
			says(429, "", "Retry-After", "30"), says(200, "{}"))}
		var until time.Time
		c := client(t, f, func(cfg *api.Config) {
			cfg.RatePerS = rate
			cfg.OnHold = func(u time.Time) { until = u }
		})

		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				if _, err := c.Get(t.Context(), things); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()

		if len(f.calls) != callers+1 {
			t.Fatalf("%d calls, want %d", len(f.calls), callers+1)
		}
		for _, at := range f.calls[10:] {
			if at.Before(until) {
				t.Errorf("a call %v before the end of the hold", until.Sub(at))
			}
		}
		// What waited comes out at the rate, not in one moment.
		for i := range f.calls[10:] {
			first, last := 10+i, 10+i+rate
			if last < len(f.calls) && f.calls[last].Sub(f.calls[first]) < time.Second/2 {
				t.Errorf("%d calls within %v after the hold", rate, f.calls[last].Sub(f.calls[first]))
			}
		}
	})
}

func TestAHoldIsNotShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Both calls are under way before either is answered.
		later := func(d time.Duration, a answer) answer {
			return func(r *http.Request) (*http.Response, error) {
				time.Sleep(d) //nolint:forbidigo // moves the bubble's clock
				return a(r)
			}
		}
		f := &fake{answers: []answer{
			later(time.Second, says(429, "", "Retry-After", "60")),
			later(2*time.Second, says(429, "", "Retry-After", "1")),
			says(200, "{}"),
		}}
		began := time.Now()
		holds := 0
		c := client(t, f, func(cfg *api.Config) { cfg.OnHold = func(time.Time) { holds++ } })
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { _, _ = c.Get(t.Context(), things) })
		}
		all.Wait()
		if took := time.Since(began); took != 61*time.Second || holds != 1 {
			t.Errorf("took %v with %d holds", took, holds)
		}
	})
}

func TestManyCallsThrottledAtOnceAreOneHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 20
		slowly := func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second) //nolint:forbidigo // moves the bubble's clock
			return says(429, "")(r)
		}
		f := &fake{answers: append(slices.Repeat([]answer{slowly}, callers), says(200, "{}"))}
		began := time.Now()
		c := client(t, f)
		var all sync.WaitGroup
		for range callers {
			all.Go(func() { _, _ = c.Get(t.Context(), things) })
		}
		all.Wait()
		// A try of a second, and a first hold of at most one.
		if took := time.Since(began); took > 2*time.Second+time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestACallerStopsInAHoldThatAnotherBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []answer{says(429, "", "Retry-After", "600"), says(200, "{}")}}
		c := client(t, f)
		var first sync.WaitGroup
		first.Go(func() { _, _ = c.Get(t.Context(), things) })
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.Get(ctx, api.Path("/v1/others"))
		s, _ := errors.AsType[*api.StatusError](err)
		if want := (&api.StatusError{Endpoint: "/v1/others", Status: 429, RetryAfter: 9 * time.Minute}); !cmp.Equal(s, want) {
			t.Error(cmp.Diff(want, s))
		}
		if !errors.Is(err, context.DeadlineExceeded) || f.asked() != 1 {
			t.Errorf("%v after %d calls", err, f.asked())
		}
		first.Wait()
	})
}

func TestCallsKeepTheRate(t *testing.T) {
	tests := []struct {
		promise  string
		perS     float64
		calls    int
		want     time.Duration
		inBursts int
	}{
		{"ten a second, five at once", 10, 105, 10 * time.Second, 5},
		{"five a second, three at once", 5, 53, 10 * time.Second, 3},
		{"one in two seconds", 0.5, 6, 10 * time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: []answer{says(200, "{}")}}
				c := client(t, f, func(cfg *api.Config) { cfg.RatePerS = tt.perS })
				began := time.Now()
				var all sync.WaitGroup
				for range tt.calls {
					all.Go(func() { _, _ = c.Get(t.Context(), things) })
				}
				all.Wait()
				// A limiter counts in floats: a microsecond is no breach.
				if took := time.Since(began).Round(time.Microsecond); took != tt.want {
					t.Errorf("%d calls took %v, want %v", tt.calls, took, tt.want)
				}
				atOnce := slices.IndexFunc(f.calls, func(at time.Time) bool { return at.After(began) })
				if atOnce != tt.inBursts {
					t.Errorf("%d calls at once, want %d", atOnce, tt.inBursts)
				}
			})
		})
	}
}

func TestWaitingForATurnTakesNoTimeFromRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []answer{says(500, ""), says(500, ""), says(200, "{}")}}
		c := client(t, f, func(cfg *api.Config) { cfg.RatePerS = 1.0 / 60 })
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Error(err)
		}
	})
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the credentials were sent on")
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		_, err := client(t, nil, func(cfg *api.Config) { cfg.URL = server.URL }).Get(t.Context(), things)
		if want := fmt.Sprintf("status %d", status); kind(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
		server.Close()
	}
}

func TestAConnectionIsUsedAgainAfterAnError(t *testing.T) {
	var mu sync.Mutex
	connections := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		_, _ = w.Write(make([]byte, 32<<10)) // more than the transport reads on its own
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			connections++
			mu.Unlock()
		}
	}
	server.Start()
	defer server.Close()
	c := client(t, nil, func(cfg *api.Config) { cfg.URL = server.URL })
	defer c.Close()
	for range 3 {
		_, _ = c.Get(t.Context(), things)
	}
	mu.Lock()
	defer mu.Unlock()
	if connections != 1 {
		t.Errorf("%d connections", connections)
	}
}

func TestWhatIsSent(t *testing.T) {
	query := url.Values{"cursor": {"a b&c=d"}, "limit": {"100"}}
	tests := []struct {
		promise string
		prefix  string
		e       api.Endpoint
		want    string
	}{
		{"the path", "", api.Path("/v1/accounts"), "/v1/accounts"},
		{"an id in its place", "", api.Path("/v1/accounts/{account_id}/income", "449e7a5c-69d3"), "/v1/accounts/449e7a5c-69d3/income"},
		{"each id in its own", "", api.Path("/v1/a/{a}/b/{b}", "1", "2"), "/v1/a/1/b/2"},
		{"a trailing slash is kept", "", api.Path("/v1/links/{link_id}/", "d39d"), "/v1/links/d39d/"},
		{"a base with a path comes first", "/pinwheel", api.Path("/v1/a/{a}", "1"), "/pinwheel/v1/a/1"},
		{"a base may end in a slash", "/pinwheel/", api.Path("/v1/a/{a}", "1"), "/pinwheel/v1/a/1"},
		{"a slash stays in its id", "", api.Path("/v1/a/{a}/b", "x/y"), "/v1/a/x%2Fy/b"},
		{"dots lead nowhere", "", api.Path("/v1/a/{a}/b", "../../secrets"), "/v1/a/..%2F..%2Fsecrets/b"},
		{"a query stays in its id", "", api.Path("/v1/a/{a}/b", "x?y=z#w"), "/v1/a/x%3Fy=z%23w/b"},
		{"a percent sign stays itself", "", api.Path("/v1/a/{a}", "%2e%2e"), "/v1/a/%252e%252e"},
		{"letters of any script", "", api.Path("/v1/a/{a}", "żółw 工"), "/v1/a/%C5%BC%C3%B3%C5%82w%20%E5%B7%A5"},
		{"bytes that are no text", "", api.Path("/v1/a/{a}", "\xff\r\n\x00"), "/v1/a/%FF%0D%0A%00"},
		{"braces in an id are no place", "", api.Path("/v1/a/{a}/b/{b}", "{b}", "2"), "/v1/a/%7Bb%7D/b/2"},
		{"a query", "", func() api.Endpoint { e := api.Path("/v1/a"); e.Query = query; return e }(), "/v1/a?cursor=a+b%26c%3Dd&limit=100"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			var got string
			var header http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, header = r.RequestURI, r.Header
				_, _ = w.Write([]byte("{}"))
			}))
			defer server.Close()
			c := client(t, nil, func(cfg *api.Config) { cfg.URL = server.URL + tt.prefix })
			defer c.Close()
			if _, err := c.Get(t.Context(), tt.e); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("asked for %s, want %s", got, tt.want)
			}
			for name, want := range map[string]string{"X-Secret": "secret", "Accept": "application/json", "User-Agent": "wagewire"} {
				if header.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, header.Get(name), want)
				}
			}
		})
	}
}

func TestNothingIsSent(t *testing.T) {
	asks := func(header http.Header, err error) func(*api.Config) {
		return func(cfg *api.Config) { cfg.Header = func() (http.Header, error) { return header, err } }
	}
	none := func(*api.Config) {}
	tests := []struct {
		promise string
		e       api.Endpoint
		set     func(*api.Config)
		want    string
	}{
		{"to an empty id", api.Path("/v1/a/{a_id}/b", ""), none, `get /v1/a/{a_id}/b: {a_id}: empty, "." or ".." is no id`},
		{"to the id .", api.Path("/v1/a/{a_id}/b", "."), none, `get /v1/a/{a_id}/b: {a_id}: empty, "." or ".." is no id`},
		{"to the id ..", api.Path("/v1/a/{a_id}/b/{b_id}", "1", ".."), none, `get /v1/a/{a_id}/b/{b_id}: {b_id}: empty, "." or ".." is no id`},
		{"without an id", api.Path("/v1/a/{a_id}/b"), none, "get /v1/a/{a_id}/b: no id given for {a_id}"},
		{"with an id too many", api.Path("/v1/a", "1"), none, "get /v1/a: more ids given than it has places"},
		{"without credentials", things, asks(nil, errors.New("secrets file: empty")), "get /v1/things/{id}: no credentials: secrets file: empty"},
		{"with credentials no header can hold", things, asks(http.Header{"X-Secret": {"a\nb"}}, nil), "get /v1/things/{id}: no credentials: a control character in header X-Secret"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			f := &fake{answers: []answer{says(200, "{}")}}
			_, err := client(t, f, tt.set).Get(t.Context(), tt.e)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error is %v, want %s", err, tt.want)
			}
			if len(f.calls) != 0 {
				t.Errorf("%d calls", len(f.calls))
			}
		})
	}
}

func TestCredentialsAreAskedForEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		remember := func(status int) answer {
			return func(r *http.Request) (*http.Response, error) {
				sent = append(sent, r.Header.Get("X-Secret"))
				return says(status, "{}")(r)
			}
		}
		secrets := []string{"old", "new", "newer"}
		c := client(t, &fake{answers: []answer{remember(500), remember(429), remember(200)}}, func(cfg *api.Config) {
			cfg.Header = func() (http.Header, error) {
				return http.Header{"X-Secret": {secrets[len(sent)]}}, nil
			}
		})
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(secrets, sent); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOnCallIsToldOfEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type call struct {
			Template string
			Status   int
			Took     time.Duration
		}
		slowly := func(r *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second) //nolint:forbidigo // moves the bubble's clock
			return says(200, "{}")(r)
		}
		var got []call
		c := client(t, &fake{answers: []answer{says(500, ""), fails(io.EOF), says(429, ""), slowly}}, func(cfg *api.Config) {
			cfg.OnCall = func(template string, status int, took time.Duration) {
				got = append(got, call{template, status, took})
			}
		})
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Fatal(err)
		}
		const template = "/v1/things/{id}"
		want := []call{{template, 500, 0}, {template, 0, 0}, {template, 429, 0}, {template, 200, 3 * time.Second}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAStatusErrorHoldsWhatTheAPISaid(t *testing.T) {
	f := &fake{answers: []answer{says(404, "the body", "X-Request", "req-1", "Retry-After", "7")}}
	_, err := client(t, f, func(cfg *api.Config) {
		cfg.RequestIDHeader = "X-Request"
		cfg.ErrorOf = func(body []byte, e *api.StatusError) {
			e.Code, e.Type, e.Message = "CODE", "TYPE", string(body)
		}
	}).Get(t.Context(), things)
	got, _ := errors.AsType[*api.StatusError](err)
	want := &api.StatusError{Endpoint: "/v1/things/{id}", Status: 404, Code: "CODE", Type: "TYPE", Message: "the body",
		RetryAfter: 7 * time.Second, RequestID: "req-1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := err.Error(); text != "get /v1/things/{id}: status 404 CODE TYPE" {
		t.Error(text)
	}
}

func TestErrorOfSees64KiBAndItsWaitIsCut(t *testing.T) {
	var seen int
	endless := func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 404, ContentLength: -1, Body: io.NopCloser(&spaces{})}, nil
	}
	_, err := client(t, &fake{answers: []answer{endless}}, func(cfg *api.Config) {
		cfg.ErrorOf = func(body []byte, e *api.StatusError) { seen, e.RetryAfter = len(body), 48*time.Hour }
	}).Get(t.Context(), things)
	if s, ok := errors.AsType[*api.StatusError](err); !ok || s.RetryAfter != api.RetryAfterMax || seen != 64<<10 {
		t.Errorf("%#v after %d bytes", s, seen)
	}
}

// TestErrorsKeepSecrets puts the same word wherever something private can be,
// and looks for it in every error.
func TestErrorsKeepSecrets(t *testing.T) {
	const canary = "CANARY"
	private := api.Path("/v1/things/{id}", canary+"/id")
	private.Query = url.Values{"cursor": {canary}}

	malformed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, canary+" is not HTTP\r\n\r\n")
		_ = conn.Close()
	}))
	defer malformed.Close()
	cutShort := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"name":"`+canary)
	}))
	defer cutShort.Close()

	quoting := &url.Error{Op: "Get", URL: "https://api.test/" + canary, Err: errors.New("malformed: " + canary)}
	tests := []struct {
		from   string
		url    string
		answer answer
		want   string
	}{
		{"a status", "", says(400, canary), "get /v1/things/{id}: status 400"},
		{"a redirect", "", says(302, canary, "Location", canary), "get /v1/things/{id}: status 302"},
		{"a transport that quotes", "", fails(quoting), "get /v1/things/{id}: connection broken; given up: context canceled"},
		{"HTML", "", says(200, "<p>"+canary), "get /v1/things/{id}: the body is not JSON"},
		{"what is not HTTP", malformed.URL, nil, "get /v1/things/{id}: connection broken; given up: context canceled"},
		{"a cut body", cutShort.URL, nil, "get /v1/things/{id}: connection cut; given up: context canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.from, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := client(t, nil, func(cfg *api.Config) {
				cfg.Header = func() (http.Header, error) { return http.Header{"X-Secret": {canary}}, nil }
				cfg.ErrorOf = func(body []byte, e *api.StatusError) {
					e.Message = string(body)
					e.Code, e.Type = "account of "+canary, "{"+canary+"}" // prose, not a code
				}
				if tt.answer != nil {
					cfg.Transport = &fake{answers: []answer{tt.answer}}
				} else {
					cfg.URL = tt.url
				}
				cfg.OnCall = func(_ string, status int, _ time.Duration) {
					if status == 0 {
						cancel() // one try is enough
					}
				}
			})
			defer c.Close()
			_, err := c.Get(ctx, private)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error is %q, want %q", err, tt.want)
			}
			if text := fmt.Sprintf("%+v", err); strings.Contains(text, canary) {
				t.Errorf("%q", text)
			}
		})
	}
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
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			_, err := api.New(api.Config{URL: tt.url, RatePerS: 1, Header: func() (http.Header, error) { return nil, nil }})
			if text := fmt.Sprint(err); strings.TrimPrefix(text, "<nil>") != tt.want {
				t.Errorf("error is %s, want %s", text, tt.want)
			}
		})
	}
	for _, perS := range []float64{0, -1, math.Inf(1), math.Inf(-1), math.NaN()} {
		_, err := api.New(api.Config{URL: "https://api.test", RatePerS: perS, Header: func() (http.Header, error) { return nil, nil }})
		if err == nil {
			t.Errorf("%v calls a second are accepted", perS)
		}
	}
	if _, err := api.New(api.Config{URL: "https://api.test", RatePerS: 1}); !errors.Is(err, api.ErrCredentials) {
		t.Errorf("without credentials: %v", err)
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2021, 1, 29, 22, 6, 6, 920124000, time.UTC)
	for _, text := range []string{
		"2021-01-29T22:06:06.920124+00:00", "2021-01-29T22:06:06.920124Z",
		"2021-01-29 22:06:06.920124+00:00", "2021-01-29T18:06:06.920124-04:00",
	} {
		if got, err := api.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	if got, err := api.ParseTime("2021-01-21T20:16:28+00:00"); err != nil || got.Nanosecond() != 0 {
		t.Errorf("without a fraction: %v, %v", got, err)
	}
	for _, text := range []string{"", "CANARY", "2021-01-29", "2022-06-31T00:00:00Z", "1750802674"} {
		if _, err := api.ParseTime(text); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
