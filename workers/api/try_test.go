package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/workers/api"
)

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
	f := &fake{replies: []reply{
		replyBody(io.MultiReader(strings.NewReader("{}"),
			io.LimitReader(&spaces{}, api.BodyBytesMax-2)),
			-1),
		replyBody(endless, -1),
	}}
	c := client(t, f)
	answer, err := c.Get(t.Context(), things)
	if err != nil || len(answer.Body) != api.BodyBytesMax {
		t.Errorf("at the limit: %d bytes, %v", len(answer.Body), err)
	}
	if _, err := c.Get(t.Context(), things); kind(err) != "contract: over 16 MiB" {
		t.Errorf("over the limit: %v", err)
	}
	if most := api.BodyBytesMax + 256<<10; endless.read > most {
		t.Errorf("%d bytes of an endless body were read", endless.read)
	}
}

// pipes is a network in memory. Inside a bubble, its connections take no time.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	dialed   atomic.Int32
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.dialed.Add(1)
	ours, theirs := net.Pipe()
	select {
	case p.accepted <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept, Close and Addr make a net.Listener of pipes.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// serve starts an HTTP server in memory, and returns the network and a transport to the server.
func serve(t *testing.T, handler http.HandlerFunc) (*pipes, *http.Transport) {
	t.Helper()
	network := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(network) })
	transport := &http.Transport{DialContext: network.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
	})
	return network, transport
}

func TestTheClientHasATransportOfItsOwn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	c := client(t, nil, func(cfg *settings) { cfg.URL = server.URL })
	if answer, err := c.Get(t.Context(), things); err != nil || string(answer.Body) != "{}" {
		t.Errorf("got %s, error %v", answer.Body, err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		synctest.Test(t, func(t *testing.T) {
			_, transport := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "elsewhere.test" {
					t.Error("the credentials were sent on")
				}
				http.Redirect(w, r, "http://elsewhere.test", status)
			})
			c := client(t, transport, func(cfg *settings) { cfg.URL = "http://api.test" })
			_, err := c.Get(t.Context(), things)
			if want := fmt.Sprintf("status %d", status); kind(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

func TestAConnectionIsUsedAgainAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, transport := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = w.Write(make([]byte, 32<<10)) // more than the transport reads on its own
		})
		c := client(t, transport, func(cfg *settings) { cfg.URL = "http://api.test" })
		for range 3 {
			_, _ = c.Get(t.Context(), things)
		}
		if dialed := network.dialed.Load(); dialed != 1 {
			t.Errorf("%d connections", dialed)
		}
	})
}

func TestCallsThatAreUnderWayTogetherDialOnceEach(t *testing.T) {
	const hands, rounds = 150, 4
	var answering sync.WaitGroup
	var dialed atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			answering.Done()
			answering.Wait()
			_, _ = w.Write([]byte("{}"))
		}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialed.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := client(t, nil, func(cfg *settings) { cfg.URL = server.URL })
	for range rounds {
		answering.Add(hands)
		var all sync.WaitGroup
		for range hands {
			all.Go(func() {
				answer, err := c.Get(t.Context(), things)
				if err != nil {
					t.Error(err)
				}
				answer.Release()
			})
		}
		all.Wait()
	}
	if n := dialed.Load(); n != hands {
		t.Errorf("%d connections for %d hands", n, hands)
	}
}

func TestATryIsOneCallAlsoWhenKeptConnectionsBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const kept = 2
		var answering sync.WaitGroup
		var broken atomic.Bool
		var calls, tries atomic.Int32
		_, transport := serve(t, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			if broken.Load() {
				panic(http.ErrAbortHandler)
			}
			if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
				t.Errorf("a body of %d bytes was sent", r.ContentLength)
			}
			answering.Done()
			answering.Wait()
			_, _ = w.Write([]byte("{}"))
		})
		c := client(t, transport, func(cfg *settings) {
			cfg.URL = "http://api.test"
			cfg.OnCall = func(context.Context, api.Call) { tries.Add(1) }
		})
		for range 2 { // the first time, no connection is kept yet
			answering.Add(kept)
			var all sync.WaitGroup
			for range kept {
				all.Go(func() { _, _ = c.Get(t.Context(), things) })
			}
			all.Wait()
		}
		broken.Store(true)
		_, err := c.Get(t.Context(), things)
		if !strings.HasPrefix(kind(err), "network") || calls.Load() != tries.Load() {
			t.Errorf("%d calls for %d tries, error %v", calls.Load(), tries.Load(), err)
		}
	})
}

func TestWhatIsSent(t *testing.T) {
	withQuery := api.Path("/v1/a")
	withQuery.Query = url.Values{"cursor": {"a b&c=d"}, "limit": {"100"}}
	tests := []struct {
		promise string
		prefix  string
		e       api.Endpoint
		want    string
	}{
		{"the path", "", api.Path("/v1/accounts"), "/v1/accounts"},
		{"an id in its place", "", api.Path("/v1/accounts/{account_id}/income", "449e7a5c-69d3"),
			"/v1/accounts/449e7a5c-69d3/income"},
		{"each id in its own", "", api.Path("/v1/a/{a}/b/{b}", "1", "2"), "/v1/a/1/b/2"},
		{"a trailing slash is kept", "", api.Path("/v1/links/{link_id}/", "d39d"),
			"/v1/links/d39d/"},
		{"a base with a path comes first", "/pinwheel", api.Path("/v1/a/{a}", "1"),
			"/pinwheel/v1/a/1"},
		{"a base may end in a slash", "/pinwheel/", api.Path("/v1/a/{a}", "1"), "/pinwheel/v1/a/1"},
		{"a slash stays in its id", "", api.Path("/v1/a/{a}/b", "x/y"), "/v1/a/x%2Fy/b"},
		{"dots lead nowhere", "", api.Path("/v1/a/{a}/b", "../../secrets"),
			"/v1/a/..%2F..%2Fsecrets/b"},
		{"a query stays in its id", "", api.Path("/v1/a/{a}/b", "x?y=z#w"), "/v1/a/x%3Fy=z%23w/b"},
		{"a percent sign stays itself", "", api.Path("/v1/a/{a}", "%2e%2e"), "/v1/a/%252e%252e"},
		{"letters of any script", "", api.Path("/v1/a/{a}", "żółw 工"),
			"/v1/a/%C5%BC%C3%B3%C5%82w%20%E5%B7%A5"},
		{"bytes that are no text", "", api.Path("/v1/a/{a}", "\xff\r\n\x00"), "/v1/a/%FF%0D%0A%00"},
		{"braces in an id are no place", "", api.Path("/v1/a/{a}/b/{b}", "{b}", "2"),
			"/v1/a/%7Bb%7D/b/2"},
		{"a query", "", withQuery, "/v1/a?cursor=a+b%26c%3Dd&limit=100"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got *http.Request
				_, transport := serve(t, func(w http.ResponseWriter, r *http.Request) {
					got = r
					_, _ = w.Write([]byte("{}"))
				})
				c := client(t, transport,
					func(cfg *settings) { cfg.URL = "http://api.test" + tt.prefix })
				if _, err := c.Get(t.Context(), tt.e); err != nil {
					t.Fatal(err)
				}
				if got.RequestURI != tt.want {
					t.Errorf("asked for %s, want %s", got.RequestURI, tt.want)
				}
				for name, want := range map[string]string{
					"X-Secret":   "secret",
					"Accept":     "application/json",
					"User-Agent": "wagewire",
				} {
					if got.Header.Get(name) != want {
						t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
					}
				}
			})
		})
	}
}

func TestNothingIsSent(t *testing.T) {
	withSecrets := func(secrets []string, err error) func(*settings) {
		return func(cfg *settings) {
			cfg.Secrets = func() ([]string, error) { return secrets, err }
		}
	}
	none := func(*settings) {}
	tests := []struct {
		promise string
		e       api.Endpoint
		set     func(*settings)
		want    string
	}{
		{"to an empty id", api.Path("/v1/a/{a_id}/b", ""), none,
			`get /v1/a/{a_id}/b: {a_id}: empty, "." or ".." is no id`},
		{"to the id .", api.Path("/v1/a/{a_id}/b", "."), none,
			`get /v1/a/{a_id}/b: {a_id}: empty, "." or ".." is no id`},
		{"to the id ..", api.Path("/v1/a/{a_id}/b/{b_id}", "1", ".."), none,
			`get /v1/a/{a_id}/b/{b_id}: {b_id}: empty, "." or ".." is no id`},
		{"without an id", api.Path("/v1/a/{a_id}/b"), none,
			"get /v1/a/{a_id}/b: no id given for {a_id}"},
		{"with an id too many", api.Path("/v1/a", "1"), none,
			"get /v1/a: more ids given than it has places"},
		{"without credentials", things, withSecrets(nil, errors.New("secrets file: empty")),
			"get /v1/things/{id}: no credentials: secrets file: empty"},
		{"without a secret", things, withSecrets(nil, nil),
			"get /v1/things/{id}: no credentials: no secret is active"},
		{"with an empty secret", things, withSecrets([]string{"good", ""}, nil),
			"get /v1/things/{id}: no credentials: the secret is empty"},
		{"with a secret that no header can hold", things, withSecrets([]string{"a\nb"}, nil),
			"get /v1/things/{id}: no credentials: a control character in header X-Secret"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			f := &fake{replies: []reply{replyWith(200, "{}")}}
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

func TestEachTryShowsTheSecretOfItsMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		remember := func(status int) reply {
			return func(r *http.Request) (*http.Response, error) {
				sent = append(sent, r.Header.Get("X-Secret"))
				return replyWith(status, "{}")(r)
			}
		}
		secrets := []string{"old", "new", "newer"}
		f := &fake{replies: []reply{remember(500), remember(429), remember(200)}}
		c := client(t, f, func(cfg *settings) {
			cfg.Secrets = func() ([]string, error) { return secrets[len(sent):][:1], nil }
		})
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(secrets, sent); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOnCallIsCalledAfterEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type call struct {
			Template string
			Status   int
			Took     time.Duration
			Resent   int
			Host     string
			Port     int
		}
		slowly := func(r *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second) //nolint:forbidigo // moves the bubble's clock
			return replyWith(200, "{}")(r)
		}
		var got []call
		f := &fake{replies: []reply{
			replyWith(500, ""), failWith(io.EOF), replyWith(429, ""), slowly,
		}}
		c := client(t, f, func(cfg *settings) {
			cfg.OnCall = func(_ context.Context, c api.Call) {
				got = append(got, call{c.Template, c.Status, c.Took, c.Resent, c.Host, c.Port})
			}
		})
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Fatal(err)
		}
		const template = "/v1/things/{id}"
		const host = "api.test"
		want := []call{{template, 500, 0, 0, host, 443}, {template, 0, 0, 1, host, 443},
			{template, 429, 0, 2, host, 443}, {template, 200, 3 * time.Second, 3, host, 443}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOnGetTellsTheTimeOfTheAPIAlone(t *testing.T) {
	later := func(d time.Duration, then reply) reply {
		return func(r *http.Request) (*http.Response, error) {
			<-time.After(d)
			return then(r)
		}
	}
	late := later(3*time.Second, replyWith(200, "{}"))
	for _, row := range []struct {
		promise string
		replies []reply
		prepare func(*testing.T, *settings)
		want    time.Duration
	}{
		{"an answer counts", []reply{late}, nil, 3 * time.Second},
		{"a last refusal counts", []reply{later(time.Second, replyWith(404, "{}"))}, nil,
			time.Second},
		{"a hold in hand counts", []reply{replyWith(429, "{}", "Retry-After", "4"), late}, nil,
			7 * time.Second},
		{"the wait for a turn does not", []reply{late}, func(t *testing.T, s *settings) {
			pacer := paced(t, 0.1)
			s.Pace = pacer
			for range 2 {
				if _, err := pacer.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}, 3 * time.Second},
		{"the wait for room does not", []reply{late}, func(t *testing.T, s *settings) {
			s.Answers = api.NewMemory(api.MemoryMin)
			full := client(t, &fake{replies: []reply{
				spread(api.BodyBytesMax, api.BodyBytesMax),
			}}, func(other *settings) { other.Answers = s.Answers })
			for range api.MemoryMin / api.BodyBytesMax {
				answer, err := full.Get(t.Context(), things)
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Hour, answer.Release)
			}
		}, 3 * time.Second},
	} {
		t.Run(row.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []time.Duration
				c := client(t, &fake{replies: row.replies}, func(s *settings) {
					s.OnGet = func(_ context.Context, took time.Duration) {
						got = append(got, took)
					}
					if row.prepare != nil {
						row.prepare(t, s)
					}
				})
				answer, _ := c.Get(t.Context(), things)
				answer.Release()
				if diff := cmp.Diff([]time.Duration{row.want}, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAStatusErrorHoldsTheAPIsWords(t *testing.T) {
	f := &fake{replies: []reply{
		replyWith(404, "the body", "X-Request", "req-1", "Retry-After", "7"),
	}}
	_, err := client(t, f, func(cfg *settings) {
		cfg.Codes = []string{"CODE", "TYPE"}
		cfg.RequestIDHeader = "X-Request"
		cfg.ErrorOf = func(body []byte, e *api.StatusError) {
			e.Code, e.Type, e.Message = "CODE", "TYPE", string(body)
		}
	}).Get(t.Context(), things)
	got, _ := errors.AsType[*api.StatusError](err)
	want := &api.StatusError{
		Endpoint:   "/v1/things/{id}",
		Status:     404,
		Code:       "CODE",
		Type:       "TYPE",
		Message:    "the body",
		RetryAfter: 7 * time.Second,
		RequestID:  "req-1",
	}
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
		return &http.Response{StatusCode: 404, ContentLength: -1,
			Body: io.NopCloser(&spaces{})}, nil
	}
	_, err := client(t, &fake{replies: []reply{endless}}, func(cfg *settings) {
		cfg.ErrorOf = func(body []byte, e *api.StatusError) {
			seen, e.RetryAfter = len(body),
				48*time.Hour
		}
	}).Get(t.Context(), things)
	s, ok := errors.AsType[*api.StatusError](err)
	if !ok || s.RetryAfter != api.RetryAfterMax || seen != 64<<10 {
		t.Errorf("%#v after %d bytes", s, seen)
	}
}

// TestErrorsKeepSecrets puts the same word wherever something private can be, and looks for the
// word in every error.
func TestErrorsKeepSecrets(t *testing.T) {
	const canary = "CANARY"
	private := api.Path("/v1/things/{id}", canary+"/id")
	private.Query = url.Values{"cursor": {canary}}

	malformed := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, canary+" is not HTTP\r\n\r\n")
		_ = conn.Close()
	}
	cutShort := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"name":"`+canary)
	}
	quoting := &url.Error{
		Op:  "Get",
		URL: "https://api.test/" + canary,
		Err: errors.New("malformed: " + canary),
	}
	const stopped = "; given up: context canceled"
	tests := []struct {
		from    string
		reply   reply
		handler http.HandlerFunc
		want    string
	}{
		{"a status", replyWith(400, canary), nil,
			"get /v1/things/{id}: status 400 unknown_8646d32c unknown_fe0344af"},
		{"a redirect", replyWith(302, canary, "Location", canary), nil,
			"get /v1/things/{id}: status 302 unknown_8646d32c unknown_fe0344af"},
		{"a transport that quotes", failWith(quoting), nil,
			"get /v1/things/{id}: connection broken" + stopped},
		{"HTML", replyWith(200, "<p>"+canary), nil, "get /v1/things/{id}: the body is not JSON"},
		{"bytes that are not HTTP", nil, malformed,
			"get /v1/things/{id}: connection broken" + stopped},
		{"a cut body", nil, cutShort, "get /v1/things/{id}: connection cut" + stopped},
	}
	for _, tt := range tests {
		t.Run(tt.from, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var transport http.RoundTripper = &fake{replies: []reply{tt.reply}}
				if tt.handler != nil {
					_, transport = serve(t, tt.handler)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := client(t, transport, func(cfg *settings) {
					cfg.URL = "http://api.test"
					cfg.Secrets = secretsOf(canary)
					cfg.ErrorOf = func(body []byte, e *api.StatusError) {
						e.Message = string(body)
						e.Code = "account of " + canary
						e.Type = canary
					}
					cfg.OnCall = func(_ context.Context, c api.Call) {
						if c.Status == 0 {
							cancel() // one try is enough
						}
					}
				})
				_, err := c.Get(ctx, private)
				if err == nil || err.Error() != tt.want {
					t.Errorf("error is %q, want %q", err, tt.want)
				}
				if text := fmt.Sprintf("%+v", err); strings.Contains(text, canary) {
					t.Errorf("%q", text)
				}
			})
		})
	}
}
