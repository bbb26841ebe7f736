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

// readyz serves handler at addr and returns the address with the real port.
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

func TestAHealthcheckFindsTheProcessAtEveryAddress(t *testing.T) {
	for _, addr := range []string{
		":0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0", "[::1]:0", "localhost:0",
	} {
		t.Run(addr, func(t *testing.T) {
			served := readyz(t, addr, AdminHandler(fine, prometheus.NewRegistry()))
			if err := askReady(t.Context(), "ADMIN_ADDR", served); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAHealthcheckSaysInOneLine(t *testing.T) {
	at := func(addr string) func(*testing.T) string {
		return func(*testing.T) string { return addr }
	}
	responder := func(status int, body string) func(t *testing.T) string {
		handler := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, status) }
		return func(t *testing.T) string {
			return readyz(t, "127.0.0.1:0", http.HandlerFunc(handler))
		}
	}
	unready := func(t *testing.T) string {
		ready := func(context.Context) error {
			return errors.New("nats is not connected:\n refused")
		}
		return readyz(t, ":0", AdminHandler(ready, prometheus.NewRegistry()))
	}
	for promise, test := range map[string]struct {
		addr func(t *testing.T) string
		says string
	}{
		"why the process is not ready": {unready, "not ready: nats is not connected: refused"},
		"the status without a reason":  {responder(503, ""), "not ready: 503 Service Unavailable"},
		"that another process answers": {
			responder(404, "404 page not found"), "not ready: 404 page not found",
		},
		"that it follows no redirect": {responder(302, "over there"), "not ready: over there"},
		"that the address is not set": {at(""), "ADMIN_ADDR is not set: "},
		"that the address has no port": {
			at("localhost"), "ADMIN_ADDR: address localhost: missing port",
		},
		"that the address is invalid": {at("local host:80"), "ADMIN_ADDR: "},
		"that nobody listens, and the URL it asked": {
			at("127.0.0.1:1"), "ask http://127.0.0.1:1/readyz: ",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			err := askReady(t.Context(), "ADMIN_ADDR", test.addr(t))
			if err == nil || !strings.HasPrefix(err.Error(), test.says) {
				t.Errorf("askReady = %v, want %q", err, test.says)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("askReady = %q, want one line", err)
			}
		})
	}
}

func TestAHealthcheckWaitsLongerThanTheProcessForItsReason(t *testing.T) {
	if healthcheckFor <= readyFor {
		t.Errorf("the healthcheck ends after %s, and /readyz answers after %s",
			healthcheckFor, readyFor)
	}
}

func TestAHealthcheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hang := func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}
	addr := readyz(t, "127.0.0.1:0", http.HandlerFunc(hang))
	if err := Healthcheck(ctx, "ADMIN_ADDR", addr); !errors.Is(err, context.Canceled) {
		t.Errorf("Healthcheck = %v, want %v", err, context.Canceled)
	}
}
