package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestAnAddressSaysWhichMethodsItHas(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	for _, test := range []struct {
		promise, method, path string
		status                int
		allow                 string
	}{
		{"a page is read", http.MethodPost, "/queues", http.StatusMethodNotAllowed, "GET, HEAD"},
		{
			"a form is sent", http.MethodGet, "/queues/truv_link/pause",
			http.StatusMethodNotAllowed, "POST",
		},
		{"a page with a form has both", http.MethodPut, "/login", http.StatusMethodNotAllowed, "GET, HEAD, POST"},
		{"there is no such page", http.MethodGet, "/nothing", http.StatusNotFound, ""},
		{"there is no such form", http.MethodPost, "/nothing", http.StatusNotFound, ""},
	} {
		t.Run(test.promise, func(t *testing.T) {
			got := b.ask(test.method, test.path, annaToken, nil)
			if got.status != test.status || got.Get("Allow") != test.allow {
				t.Errorf("%d, Allow %q", got.status, got.Get("Allow"))
			}
		})
	}
}

func TestWithoutTokensNobodyLogsIn(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{})
	b.wants(b.get("/login", ""), http.StatusNotFound, "read-only", "set CONSOLE_TOKENS_FILE")
	if got := b.get("/login", ""); strings.Contains(got.body, `name="token"`) {
		t.Errorf("there is a form: %s", short(got.body))
	}
	b.wants(b.post("/login", "", nil), http.StatusNotFound, "set CONSOLE_TOKENS_FILE")
}
