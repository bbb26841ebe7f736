package sandbox_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// post posts JSON to a control tree and returns the status of the answer.
func post(t *testing.T, address, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address,
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// logIn logs in with a token and returns the status of the answer: 303 leads to the pages.
func logIn(t *testing.T, s *sandbox.Sandbox, token string) int {
	t.Helper()
	form := url.Values{"token": {token}}.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ConsoleURL+"/login",
		strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Close = true
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestTheConsoleOfASandbox(t *testing.T) {
	dir := t.TempDir()
	first := up(t, sandbox.Config{Dir: dir})
	former := first.ConsoleToken
	if status, body := get(t, first.ConsoleURL+"/"); status != 200 || !strings.Contains(body, "Wagewire") {
		t.Errorf("everybody reads: answered %d %s", status, body)
	}
	if status := logIn(t, first, former); status != 303 {
		t.Errorf("the token is somebody's: answered %d", status)
	}
	closed(t, first)

	second := up(t, sandbox.Config{Dir: dir})
	defer closed(t, second)
	if status := logIn(t, second, former); status != 403 || former == second.ConsoleToken {
		t.Errorf("the token of a former sandbox is nobody's: answered %d", status)
	}
}

func TestTheLogOfEveryPartLinksToTheConsole(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	s, err := sandbox.Up(t.Context(), sandbox.Config{Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	s.Fake.Person(fake.PersonOptions{})
	for _, ask := range []struct{ path, body string }{
		{"/control/faults", `{"path":"employment","status":400}`},
		{"/control/webhooks", `{"type":"employment.added"}`},
	} {
		if status := post(t, s.ProvidersURL+ask.path, ask.body); status/100 != 2 {
			t.Fatalf("%s answered %d", ask.path, status)
		}
	}
	streamtest.Eventually(t, "the log links to the page of a dead letter's event", func() bool {
		for _, line := range logs.FilterMessage("job").All() {
			page, _ := line.ContextMap()["console"].(string)
			if strings.HasPrefix(page, s.ConsoleURL+"/events/") {
				return true
			}
		}
		return false
	})
}

func TestTheConsoleHasThePeopleOfTheEnvironment(t *testing.T) {
	const token = "token-for-tests-only"
	file := filepath.Join(t.TempDir(), "console.tokens")
	if err := os.WriteFile(file, []byte("anna read "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := up(t, sandbox.Config{Getenv: func(name string) string {
		return map[string]string{"CONSOLE_TOKENS_FILE": file}[name]
	}})
	defer closed(t, s)
	if status := logIn(t, s, token); status != 303 || s.ConsoleToken != "" {
		t.Errorf("anna logs in: answered %d, and a token of the sandbox: %t", status,
			s.ConsoleToken != "")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ConsoleURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if to := response.Header.Get("Location"); !strings.HasPrefix(to, "/login") {
		t.Errorf("a stranger gets %d, and is led to %q", response.StatusCode, to)
	}
}
