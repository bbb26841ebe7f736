package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/fetch"
)

// gate is an ingress that answers every webhook with a status.
type gate struct {
	mu     sync.Mutex
	status int
}

func (g *gate) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.WriteHeader(g.status)
}

func (g *gate) answers(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status = status
}

// ward is a bench with the fake providers of an hour ago, and an ingress.
type ward struct {
	*bench
	fakes *fake.Providers
	gate  *gate
	// address is that of ingress, without the provider.
	address string
	env     map[string]string
}

func newWard(t *testing.T) *ward {
	t.Helper()
	b := newBench(t)
	g := &gate{status: http.StatusUnauthorized}
	ingress := httptest.NewServer(g)
	t.Cleanup(ingress.Close)
	fakes := fake.New(fake.Config{
		WebhookURL: ingress.URL + "/webhooks",
		Now:        func() time.Time { return time.Now().Add(-time.Hour) },
	})
	api := httptest.NewServer(fakes)
	t.Cleanup(api.Close)
	t.Cleanup(fakes.Close)
	w := &ward{
		bench: b, fakes: fakes, gate: g, address: ingress.URL + "/webhooks",
		env: map[string]string{"WEBHOOK_URL": ingress.URL},
	}
	for _, p := range schema.Providers() {
		for name, value := range fake.Environment(string(p), api.URL) {
			w.env[p.Variable(name)] = value
		}
		w.secret(p.Variable("SECRETS_FILE"), fake.Secret(string(p)))
		w.secret(fetch.SecretVariable(p), fake.Secret(string(p)))
	}
	return w
}

// secret writes a file for the variable.
func (w *ward) secret(variable, text string) {
	w.Helper()
	path := filepath.Join(w.TempDir(), "secret")
	w.must(os.WriteFile(path, []byte(text), 0o600))
	w.env[variable] = path
}

func (w *ward) getenv(name string) string {
	if value, ok := w.env[name]; ok {
		return value
	}
	return w.server.Getenv()(name)
}

// does runs the command, which must exit with the code.
func (w *ward) does(code int, args ...string) result {
	w.Helper()
	got := wagewire(w.T, w.getenv, args...)
	if got.code != code {
		w.Fatalf("wagewire %v: exit code %d, want %d\n%s%s",
			args, got.code, code, got.stdout, got.stderr)
	}
	return got
}

// doctor are the arguments of a doctor on the bench's small streams.
func doctorOf(args ...string) []string {
	return append(append([]string{"doctor"}, small()...), args...)
}

// registered registers at each provider, for every type with a worker.
func (w *ward) registered() {
	w.Helper()
	w.does(0, doctorOf("--fix", "--yes")...)
}
