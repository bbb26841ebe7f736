package process

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// readyz serves handler at addr and returns the address with the port it got.
func readyz(t *testing.T, addr string, handler http.Handler) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(host, port)
}

func TestAHealthcheckFindsTheProcessWhereverItListens(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0", "[::1]:0", "localhost:0"} {
		t.Run(addr, func(t *testing.T) {
			if err := Healthcheck(t.Context(), "ADMIN_ADDR", readyz(t, addr, AdminHandler(fine, prometheus.NewRegistry()))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAHealthcheckSaysInOneLine(t *testing.T) {
	answer := func(status int, body string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return readyz(
				t,
				"127.0.0.1:0",
				http.HandlerFunc(
					func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, status) }),
			)
		}
	}
	for promise, test := range map[string]struct {
		addr func(t *testing.T) string
		says string
	}{
		"why the process is not ready": {func(t *testing.T) string {
			return readyz(t, ":0", AdminHandler(func(context.Context) error { return errors.New("nats is not connected:\n refused") }, prometheus.NewRegistry()))
		}, "not ready: nats is not connected: refused"},
		"the status where there is no reason": {
			answer(503, ""), "not ready: 503 Service Unavailable",
		},
		"that somebody else answers": {
			answer(404, "404 page not found"), "not ready: 404 page not found",
		},
		"that it is not led elsewhere": {
			answer(302, "over there"), "not ready: over there",
		},
		"that there is nowhere to ask": {
			func(*testing.T) string { return "" }, "ADMIN_ADDR is not set: ",
		},
		"that the address has no port": {
			func(*testing.T) string { return "localhost" },
			"ADMIN_ADDR: address localhost: missing port",
		},
		"that the address is none": {
			func(*testing.T) string { return "local host:80" }, "ADMIN_ADDR: ",
		},
		"that nobody listens, and where it looked": {
			func(*testing.T) string { return "127.0.0.1:1" }, "ask http://127.0.0.1:1/readyz: ",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			err := Healthcheck(t.Context(), "ADMIN_ADDR", test.addr(t))
			if err == nil || !strings.HasPrefix(err.Error(), test.says) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("it says %q, want %q", err, test.says)
			}
		})
	}
}

func TestAHealthcheckWaitsForTheReasonButNotForEver(t *testing.T) {
	if healthcheckFor <= readyFor {
		t.Errorf("it ends after %s, before a process that is late says why, after %s",
			healthcheckFor, readyFor)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hangs := readyz(
		t,
		"127.0.0.1:0",
		http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }),
	)
	if err := Healthcheck(ctx, "ADMIN_ADDR", hangs); !errors.Is(err, context.Canceled) {
		t.Errorf("of a process that hangs it says %v", err)
	}
}
