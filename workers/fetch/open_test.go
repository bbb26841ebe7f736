package fetch_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

// resources are those that have a worker command.
func resources() []schema.Resource {
	var all []schema.Resource
	for _, q := range schema.Queues() {
		all = append(all, q.Resource)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// secretFile writes a file with the lines.
func secretFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAClientThatCannotBeMadeNamesTheVariable(t *testing.T) {
	good := secretFile(t, "a-secret-of-some-length")
	both := map[string]string{"PINWHEEL_API_SECRET_FILE": good, "TRUV_CLIENT_ID": "client", "TRUV_ACCESS_SECRET_FILE": good}
	tests := []struct {
		promise           string
		pinwheel, truv    string // the variable
		value, mustNotSay string
	}{
		{"a secret file that is not set", "PINWHEEL_API_SECRET_FILE", "TRUV_ACCESS_SECRET_FILE", "", ""},
		{"a secret file that is not there", "PINWHEEL_API_SECRET_FILE", "TRUV_ACCESS_SECRET_FILE", filepath.Join(t.TempDir(), "nothing"), ""},
		{"a secret file that is empty", "PINWHEEL_API_SECRET_FILE", "TRUV_ACCESS_SECRET_FILE", secretFile(t, "", " "), ""},
		{"a secret that is short", "PINWHEEL_API_SECRET_FILE", "TRUV_ACCESS_SECRET_FILE", secretFile(t, "sekret"), "sekret"},
		{"a client id that is not set", "", "TRUV_CLIENT_ID", "", ""},
		{"a URL that is none", "PINWHEEL_URL", "TRUV_URL", "api.getpinwheel.com", ""},
		{"a URL with a password", "PINWHEEL_URL", "TRUV_URL", "https://me:sekret@api.example", "sekret"},
		{"a rate that is no number", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "fast", ""},
		{"a rate of nothing", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "0", ""},
		{"a rate below nothing", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "-1", ""},
		{"a rate that is not a number by name", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "NaN", ""},
		{"a rate without end", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "+Inf", ""},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			for _, resource := range resources() {
				variable := test.pinwheel
				if resource == schema.Link {
					variable = test.truv
				}
				if variable == "" {
					continue
				}
				env := maps.Clone(both)
				env[variable] = test.value
				_, err := fetch.Open(resource, func(key string) string { return env[key] }, prometheus.NewRegistry())
				if err == nil || !strings.HasPrefix(err.Error(), variable) || test.mustNotSay != "" && strings.Contains(err.Error(), test.mustNotSay) {
					t.Errorf("%s: error %v, want one that begins with %s", resource, err, variable)
				}
			}
		})
	}
}

func TestEveryResourceWithAWorkerHasAHandler(t *testing.T) {
	secret := secretFile(t, "a-secret-of-some-length")
	want := resources()
	for _, row := range []struct {
		promise string
		env     map[string]string
		n       int
		names   []string
	}{
		{"with both providers", map[string]string{"PINWHEEL_API_SECRET_FILE": secret, "TRUV_CLIENT_ID": "c", "TRUV_ACCESS_SECRET_FILE": secret}, len(want), nil},
		{"with Pinwheel alone, its own", map[string]string{"PINWHEEL_API_SECRET_FILE": secret}, len(want) - 1, nil},
		{"with Truv alone, its own", map[string]string{"TRUV_CLIENT_ID": "c", "TRUV_ACCESS_SECRET_FILE": secret}, 1, nil},
		{"without any, an error that names both variables", nil, 0, []string{"PINWHEEL_API_SECRET_FILE", "TRUV_ACCESS_SECRET_FILE"}},
		{"with half of Truv, an error that names the other half", map[string]string{"TRUV_ACCESS_SECRET_FILE": secret}, 0, []string{"TRUV_CLIENT_ID"}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			handlers, err := fetch.OpenAll(func(key string) string { return row.env[key] }, prometheus.NewRegistry())
			if len(handlers) != row.n || (err != nil) != (row.names != nil) {
				t.Errorf("%d handlers, error %v, want %d", len(handlers), err, row.n)
			}
			for _, name := range row.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("error %v does not name %s", err, name)
				}
			}
			if got := slices.Sorted(maps.Keys(handlers)); row.n == len(want) && !slices.Equal(got, want) {
				t.Errorf("handlers of %v, want %v", got, want)
			}
		})
	}
}

func TestTheEnvironmentReachesTheProvider(t *testing.T) {
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		_, _ = w.Write([]byte(`{"id":"x","data":{"id":"x"},"meta":{}}`))
	}))
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	secret := secretFile(t, "the-first-secret-is-sent", "the-second-is-not")
	env := map[string]string{
		"PINWHEEL_URL": server.URL, "PINWHEEL_API_SECRET_FILE": secret, "TRUV_URL": server.URL, "TRUV_CLIENT_ID": "client", "TRUV_ACCESS_SECRET_FILE": secret,
	}
	registry := prometheus.NewRegistry()
	handlers, err := fetch.OpenAll(func(key string) string { return env[key] }, registry)
	if err != nil {
		t.Fatal(err)
	}
	asks := func(p schema.Provider, r schema.Resource, action string, want map[string]string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := handlers[r][p].Handler.Fetch(ctx, job(r, action, workers.Payload{})); err != nil {
			t.Fatal(err)
		}
		for name, value := range want {
			if got := header.Get(name); got != value {
				t.Errorf("%s: header %s is %q, want %q", r, name, got, value)
			}
		}
	}
	asks(schema.Pinwheel, schema.Income, schema.ActionAdded, map[string]string{"x-api-secret": "the-first-secret-is-sent", "Pinwheel-Version": "2025-07-08"})
	asks(schema.Truv, schema.Link, schema.ActionConnected, map[string]string{"X-Access-Client-Id": "client", "X-Access-Secret": "the-first-secret-is-sent"})

	if err := os.WriteFile(secret, []byte("a-secret-rotated-on-disk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asks(schema.Pinwheel, schema.Income, schema.ActionAdded, map[string]string{"x-api-secret": "a-secret-rotated-on-disk"})
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	asks(schema.Pinwheel, schema.Income, schema.ActionAdded, map[string]string{"x-api-secret": "a-secret-rotated-on-disk"})

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "wagewire_api_call_seconds" && l.GetName() == "provider" {
					calls[l.GetValue()] += m.GetHistogram().GetSampleCount()
				}
			}
		}
	}
	if calls["pinwheel"] != 3 || calls["truv"] != 1 {
		t.Errorf("calls counted: %v, want 3 and 1", calls)
	}
}
