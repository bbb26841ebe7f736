package process

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// fine is the readiness of a process without faults.
func fine(context.Context) error { return nil }

func TestExemplarsAreServedToWhoeverAsksForOpenMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	seconds := prometheus.NewHistogram(
		prometheus.HistogramOpts{Name: "webhook_seconds", Help: "Time.", Buckets: []float64{1}})
	registry.MustRegister(seconds)
	seconds.(prometheus.ExemplarObserver).
		ObserveWithExemplar(0.5, prometheus.Labels{"trace_id": "4bf9"})
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	AdminHandler(fine, registry).ServeHTTP(recorder, request)
	want := `webhook_seconds_bucket{le="1.0"} 1 # {trace_id="4bf9"} 0.5`
	if body := recorder.Body.String(); !strings.Contains(body, want) {
		t.Errorf("%q is not in %q", want, body)
	}
}

func TestAnAdminAnswers(t *testing.T) {
	registry := prometheus.NewRegistry()
	webhooks := prometheus.NewCounter(
		prometheus.CounterOpts{Name: "webhooks_total", Help: "Webhooks."})
	registry.MustRegister(webhooks)
	webhooks.Add(3)
	notYet := func(context.Context) error {
		return errors.New("stream WAGEWIRE_EVENTS is not there: run: wagewire provision apply")
	}
	for promise, test := range map[string]struct {
		ready        func(context.Context) error
		method, path string
		status       int
		says         string
	}{
		"that it lives":                         {fine, "GET", "/livez", 200, "ok\n"},
		"that it lives, though it is not ready": {notYet, "GET", "/livez", 200, "ok\n"},
		"that it is ready":                      {fine, "GET", "/readyz", 200, "ok\n"},
		"why it is not ready": {
			notYet, "GET", "/readyz", 503,
			"stream WAGEWIRE_EVENTS is not there: run: wagewire provision apply\n",
		},
		"to HEAD as well": {notYet, "HEAD", "/readyz", 503, ""},
		"with metrics": {
			notYet, "GET", "/metrics", 200, "\nwebhooks_total 3\n",
		},
		"to nothing but GET": {fine, "POST", "/readyz", 405, ""},
		"nowhere else":       {fine, "GET", "/", 404, ""},
	} {
		t.Run(promise, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			request := httptest.NewRequest(test.method, test.path, nil)
			AdminHandler(test.ready, registry).ServeHTTP(recorder, request)
			body := recorder.Body.String()
			if recorder.Code != test.status || !strings.Contains(body, test.says) {
				t.Errorf("%s %s is answered %d %q, want %d and %q",
					test.method, test.path, recorder.Code, body, test.status, test.says)
			}
		})
	}
}

func TestReadinessThatHangsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/readyz", nil)
		began := time.Now()
		AdminHandler(hangs, prometheus.NewRegistry()).ServeHTTP(recorder, request)
		if recorder.Code != http.StatusServiceUnavailable || time.Since(began) != readyFor {
			t.Errorf("it is answered %d after %s, want 503 after %s",
				recorder.Code, time.Since(began), readyFor)
		}
	})
}

func TestAnAdminWithoutAddressServesNothingUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Admin(ctx, "", fine, prometheus.NewRegistry()) }()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAnAddressInUseIsAnErrorThatNamesTheVariable(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	err = Admin(t.Context(), taken.Addr().String(), fine, prometheus.NewRegistry())
	if err == nil || !strings.Contains(err.Error(), "ADMIN_ADDR: ") ||
		!strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("Admin on an address in use: %v", err)
	}
}

// served is a server of one request. The request ends when the test closes finish.
type served struct {
	begun, finish chan struct{}
	stopping      chan struct{}
	ended         chan error
	stop          context.CancelFunc
}

func serve(t *testing.T, listener net.Listener) *served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &served{
		begun: make(chan struct{}), finish: make(chan struct{}), stopping: make(chan struct{}),
		ended: make(chan error, 1), stop: stop,
	}
	server := &http.Server{
		ReadHeaderTimeout: adminReadFor,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(s.begun)
			<-s.finish
			_, _ = io.WriteString(w, "done")
		}),
	}
	server.RegisterOnShutdown(func() { close(s.stopping) })
	go func() { s.ended <- Serve(ctx, listener, server) }()
	return s
}

func TestARequestThatHasBegunIsAnsweredBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, listener := newPipeListener(t)
		s := serve(t, listener)
		sendRequest(t, client)
		<-s.begun
		s.stop()
		<-s.stopping
		synctest.Wait()
		select {
		case err := <-s.ended:
			t.Fatalf("Serve ended before the request did: %v", err)
		default:
		}
		close(s.finish)
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != "done" {
			t.Errorf("the request is answered %q, %v", body, err)
		}
		_ = response.Body.Close()
		if err := <-s.ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after the end = %v, want a closed listener", err)
		}
	})
}

func TestARequestWithoutEndIsCutOffAfterEightSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, listener := newPipeListener(t)
		s := serve(t, listener)
		sendRequest(t, client)
		<-s.begun
		began := time.Now()
		s.stop()
		err := <-s.ended
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != shutdownFor {
			t.Errorf("Serve = %v after %s, want a time-out after %s",
				err, time.Since(began), shutdownFor)
		}
		if _, err := bufio.NewReader(client).ReadByte(); err == nil {
			t.Error("the request is answered")
		}
		close(s.finish)
	})
}

// pipeListener accepts one connection in memory, for tests with virtual time.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

// newPipeListener returns a listener and the client's end of the connection.
func newPipeListener(t *testing.T) (client net.Conn, _ *pipeListener) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	l := &pipeListener{make(chan net.Conn, 1), make(chan struct{})}
	l.conns <- server
	return client, l
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func sendRequest(t *testing.T, client net.Conn) {
	t.Helper()
	if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

func TestAListenerThatBreaksIsAnError(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	err = Serve(t.Context(), listener, &http.Server{ReadHeaderTimeout: adminReadFor})
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "serve 127.0.0.1:") {
		t.Errorf("Serve = %v", err)
	}
}
