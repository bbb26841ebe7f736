package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/process"
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

func TestAHostHasManyForms(t *testing.T) {
	for url, hosts := range map[string]map[string]int{
		"https://Wagewire.example.com": {
			"WAGEWIRE.example.com": 200, "wagewire.example.com.": 200,
			"wagewire.example.com.:443": 200, "wagewire.example.com..": 421,
			"LOCALHOST.": 200, "[::1]": 200, "[0:0:0:0:0:0:0:1]:8090": 200, "[::ffff:127.0.0.1]": 200,
			"localhost:1:2": 421,
		},
		"https://[2001:DB8:0::1]": {
			"[2001:db8::1]": 200, "[2001:DB8::1]:443": 200, "[2001:db8:0:0::1]": 200,
			"[2001:db8::2]": 421,
		},
	} {
		b := newBenchWithoutBroker(t, Config{URL: process.Console(url)})
		for host, status := range hosts {
			got := b.ask("GET", "/", "", nil, func(r *http.Request) { r.Host = host })
			if got.status != status {
				t.Errorf("Host %s of %s: %d, want %d", host, url, got.status, status)
			}
		}
	}
}

func TestAnotherSiteAsksForNoPage(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{})
	for promise, test := range map[string]struct {
		site, mode, dest string
		status           int
	}{
		"a program":                            {"", "", "", 200},
		"a person types the address":           {"none", "navigate", "document", 200},
		"a person follows a link of an alert":  {"cross-site", "navigate", "document", 200},
		"a page of ours loads its part again":  {"same-origin", "cors", "empty", 200},
		"not as a picture of another site":     {"cross-site", "no-cors", "image", 403},
		"not for a script of another site":     {"cross-site", "cors", "empty", 403},
		"not in a frame of another site":       {"cross-site", "navigate", "iframe", 403},
		"nor for a site with a name like ours": {"same-site", "no-cors", "image", 403},
	} {
		got := b.ask("GET", "/", "", nil, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", test.site)
			r.Header.Set("Sec-Fetch-Mode", test.mode)
			r.Header.Set("Sec-Fetch-Dest", test.dest)
		})
		if got.status != test.status {
			t.Errorf("%s: %d, want %d", promise, got.status, test.status)
		}
	}
}

func TestOnlyOurPagesAskForAll(t *testing.T) {
	for site, want := range map[string]bool{
		"": true, "none": true, "same-origin": true, "same-site": false, "cross-site": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/events/e-1?all=1", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		if got := asksForAll(r); got != want {
			t.Errorf("Sec-Fetch-Site %q asks for all: %t", site, got)
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
