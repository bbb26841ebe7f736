package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
)

var noHealth health.Config

func timeAgo(d time.Duration) time.Time { return time.Now().Add(-d) }

func TestOnlyOurHost(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{URL: "https://wagewire.example.com", TokensFile: "…"})
	for host, status := range map[string]int{
		"localhost": 200, "127.0.0.1:8090": 200, "[::1]:8090": 200, "wagewire.example.com": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "wagewire.example.com.evil.example": 421,
		"10.0.0.1": 421, "localhost.evil.example:8090": 421,
	} {
		got := b.ask("GET", "/", ritaToken, nil, func(r *http.Request) { r.Host = host })
		if got.status != status {
			t.Errorf("Host %s: %d, want %d", host, got.status, status)
		}
	}
}

func TestAnotherSiteSendsNoForm(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	for header, value := range map[string]string{
		"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example",
	} {
		got := b.ask("POST", "/login", "", url.Values{"token": {annaToken}},
			func(r *http.Request) { r.Header.Set(header, value) })
		b.wants(got, http.StatusForbidden, "Another site sent this form")
		if got.Get("Set-Cookie") != "" {
			t.Errorf("%s: somebody is logged in", header)
		}
	}
}

func TestEveryAnswerKeepsToItself(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	for _, path := range []string{"/", "/login", "/nothing", "/findings/nothing"} {
		got := b.get(path, ritaToken)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		} {
			if !strings.Contains(got.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, got.Get(name))
			}
		}
		if csp := got.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy allows what is unsafe: %s", path, csp)
		}
	}
}

func TestALargeFormIsRefused(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	got := b.post("/login", "", url.Values{"token": {strings.Repeat("x", formBytesMax)}})
	if got.status != http.StatusRequestEntityTooLarge || got.Get("Set-Cookie") != "" {
		t.Errorf("a form of %d bytes: %d", formBytesMax, got.status)
	}
}
