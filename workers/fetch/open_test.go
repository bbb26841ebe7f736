package fetch_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/api/pace/pacetest"
	"github.com/wagewire/wagewire/workers/fetch"
)

// secretFile writes a file with the lines.
func secretFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// environment has what each provider needs, with one secret file for all.
func environment(secret string) map[string]string {
	env := map[string]string{"TRUV_CLIENT_ID": "client"}
	for _, p := range schema.Providers() {
		env[fetch.SecretVariable(p)] = secret
	}
	return env
}

// around are the surroundings with the environment, and a budget of their own.
func around(env map[string]string) workers.Surroundings {
	return workers.Surroundings{
		Getenv:   func(name string) string { return env[name] },
		Registry: prometheus.NewRegistry(),
		Log:      zap.NewNop(),
		Budget:   func(schema.Provider) pace.Store { return &pacetest.Store{} },
	}
}

func TestEveryQueueIsCovered(t *testing.T) {
	for _, q := range schema.Queues() {
		if err := fetch.Covers(q); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryHandlerHasAQueue(t *testing.T) {
	handled := map[schema.Provider][]schema.Resource{
		schema.Pinwheel: slices.AppendSeq(slices.Collect(maps.Keys(fetch.PinwheelHandlers)),
			maps.Keys(fetch.PinwheelWithoutCalls)),
		schema.Truv: slices.Collect(maps.Keys(fetch.TruvHandlers)),
	}
	for p, resources := range handled {
		for _, r := range resources {
			isOurs := func(q schema.Queue) bool { return q.Provider == p }
			if !slices.ContainsFunc(schema.QueuesOf(r), isOurs) {
				t.Errorf("no queue brings events to the handler of %s %s", p, r)
			}
		}
	}
}

func TestAQueueThatIsNotCoveredNamesTheFilesToChange(t *testing.T) {
	for _, test := range []struct {
		promise string
		queue   schema.Queue
		want    string
	}{
		{"the provider is unknown",
			schema.Queue{Name: "argyle_paystubs", Provider: "argyle", Resource: schema.Paystubs},
			"queue argyle_paystubs: the workers do not know provider argyle: " +
				"write workers/fetch/argyle.go, and add its row to providers in workers/fetch/open.go"},
		{"the provider has no handler",
			schema.Queue{Name: "truv_tax_forms", Provider: schema.Truv, Resource: schema.TaxForms},
			"queue truv_tax_forms has no handler: add tax_forms to the handlers in workers/fetch/truv.go"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			if err := fetch.Covers(test.queue); err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestVariablesHaveTheSecretsVariable(t *testing.T) {
	for _, p := range schema.Providers() {
		secret := fetch.SecretVariable(p)
		isSecret := func(v process.Variable) bool { return v.Name == secret }
		if !slices.ContainsFunc(fetch.Variables(p), isSecret) {
			t.Errorf("%s: %q is not among the variables %v", p, secret, fetch.Variables(p))
		}
	}
	if got := fetch.Variables("argyle"); got != nil {
		t.Errorf("an unknown provider has the variables %v", got)
	}
	if got := fetch.SecretVariable("argyle"); got != "" {
		t.Errorf("an unknown provider has the secret's variable %s", got)
	}
}

func TestAnErrorOfOpenBeginsWithTheVariableToChange(t *testing.T) {
	const (
		pinwheelSecret = "PINWHEEL_API_SECRET_FILE"
		truvSecret     = "TRUV_ACCESS_SECRET_FILE"
	)
	nowhere := filepath.Join(t.TempDir(), "nothing")
	good := secretFile(t, "a-secret-of-some-length")
	empty := secretFile(t, "", " ")
	short := secretFile(t, "sekret")
	demo := secretFile(t, "sandbox-truv-secret")
	tests := []struct {
		promise           string
		pinwheel, truv    string // the variable
		value, mustNotSay string
	}{
		{"a secret file that is not set", pinwheelSecret, truvSecret, "", ""},
		{"a secret file that is not there", pinwheelSecret, truvSecret, nowhere, ""},
		{"a secret file that is empty", pinwheelSecret, truvSecret, empty, ""},
		{"a secret that is short", pinwheelSecret, truvSecret, short, "sekret"},
		{"a secret of the demonstration", pinwheelSecret, truvSecret, demo, "sandbox"},
		{"a client id of the demonstration", "", "TRUV_CLIENT_ID", "sandbox-truv-client", "sandbox"},
		{"a client id with a line end", "", "TRUV_CLIENT_ID", "sekret\r", "sekret"},
		{"a key of the demonstration for the broker", "NATS_CREDS_FILE", "NATS_CREDS_FILE", demo,
			"sandbox"},
		{"a version in quotes", "PINWHEEL_VERSION", "", "'sekret'", "sekret"},
		{"a URL without TLS", "PINWHEEL_URL", "TRUV_URL", "http://api.example/sekret", "sekret"},
		{"a client id that is not set", "", "TRUV_CLIENT_ID", "", ""},
		{"a URL that is none", "PINWHEEL_URL", "TRUV_URL", "api.getpinwheel.com", ""},
		{"a URL with a password", "PINWHEEL_URL", "TRUV_URL", "https://me:sekret@api.example",
			"sekret"},
		{"a rate that is no number", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "fast", ""},
		{"a rate of 0", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "0", ""},
		{"a rate below 0", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "-1", ""},
		{"a rate of NaN", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "NaN", ""},
		{"a rate below one call an hour", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "1e-10", ""},
		{"an infinite rate", "PINWHEEL_RATE_PER_S", "TRUV_RATE_PER_S", "+Inf", ""},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			variables := map[schema.Provider]string{
				schema.Pinwheel: test.pinwheel,
				schema.Truv:     test.truv,
			}
			for _, q := range schema.Queues() {
				variable := variables[q.Provider]
				if variable == "" || q.Resource == schema.Notices {
					continue
				}
				env := environment(good)
				env[variable] = test.value
				if test.value == "" && strings.HasSuffix(variable, "_SECRET_FILE") {
					if len(schema.QueuesOf(q.Resource)) > 1 {
						continue // another provider may serve the resource
					}
				}
				_, err := fetch.Open(q.Resource, around(env))
				if err == nil || !strings.HasPrefix(err.Error(), variable) {
					t.Errorf("%s: error %v, want one that begins with %s", q.Name, err, variable)
				} else if test.mustNotSay != "" && strings.Contains(err.Error(), test.mustNotSay) {
					t.Errorf("%s: error %v says %s", q.Name, err, test.mustNotSay)
				}
			}
		})
	}
}

func TestAURLWithoutTLSIsAllowedByAVariable(t *testing.T) {
	env := environment(secretFile(t, "a-secret-of-some-length"))
	for _, p := range schema.Providers() {
		env[p.Variable("URL")] = "http://api.example"
	}
	env["ALLOW_HTTP"] = "1"
	if _, err := fetch.OpenAll(around(env)); err != nil {
		t.Error(err)
	}
}

func TestTheDemonstrationsKeysAreTakenForFakes(t *testing.T) {
	server := startProviders(t)
	env := server.environment(secretFile(t, "sandbox-truv-secret"))
	env["TRUV_CLIENT_ID"] = "sandbox-truv-client"
	env["NATS_CREDS_FILE"] = env["TRUV_ACCESS_SECRET_FILE"]
	if _, err := fetch.OpenAll(around(env)); err != nil {
		t.Error(err)
	}
}

// sourcesOf lists sources as "resource of provider".
func sourcesOf(all map[schema.Resource]map[schema.Provider]workers.Source) []string {
	list := []string{}
	for r, byProvider := range all {
		for p, source := range byProvider {
			if source.Handler == nil || source.Decode == nil {
				list = append(list, "half a source:")
			}
			list = append(list, fmt.Sprintf("%s of %s", r, p))
		}
	}
	slices.Sort(list)
	return list
}

// queuesOf lists the queues of the providers as "resource of provider".
func queuesOf(providers ...schema.Provider) []string {
	list := []string{}
	for _, q := range schema.Queues() {
		if slices.Contains(providers, q.Provider) {
			list = append(list, fmt.Sprintf("%s of %s", q.Resource, q.Provider))
		}
	}
	slices.Sort(list)
	return slices.Compact(list) // a resource may have a second queue, for erasures
}

func TestOpenAllOpensASourceForEachQueue(t *testing.T) {
	secret := secretFile(t, "a-secret-of-some-length")
	all := environment(secret)
	for _, test := range []struct {
		promise string
		env     map[string]string
		want    []string
		names   []string // what an error names
	}{
		{"of every provider", all, queuesOf(schema.Providers()...), nil},
		{"of Pinwheel alone if only its secret is set",
			map[string]string{"PINWHEEL_API_SECRET_FILE": secret}, queuesOf(schema.Pinwheel), nil},
		{"of Truv alone if only its secret is set",
			map[string]string{"TRUV_CLIENT_ID": "c", "TRUV_ACCESS_SECRET_FILE": secret},
			queuesOf(schema.Truv), nil},
		{"and without any secret fails, and names every secret's variable",
			nil, queuesOf(), []string{"PINWHEEL_API_SECRET_FILE", "TRUV_ACCESS_SECRET_FILE"}},
		{"and with half of Truv fails, and names the other half",
			map[string]string{"TRUV_ACCESS_SECRET_FILE": secret}, queuesOf(),
			[]string{"TRUV_CLIENT_ID"}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			opened, err := fetch.OpenAll(around(test.env))
			if (err != nil) != (test.names != nil) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, sourcesOf(opened)); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
			for _, name := range test.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("error %v does not name %s", err, name)
				}
			}
		})
	}
}

func TestOpenOpensTheSourcesOfItsResource(t *testing.T) {
	env := environment(secretFile(t, "a-secret-of-some-length"))
	for _, q := range schema.Queues() {
		opened, err := fetch.Open(q.Resource, around(env))
		if err != nil {
			t.Fatal(err)
		}
		var want []schema.Provider
		for _, of := range schema.QueuesOf(q.Resource) {
			want = append(want, of.Provider)
		}
		slices.Sort(want)
		want = slices.Compact(want) // a provider may have a second queue, for erasures
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(opened))); diff != "" {
			t.Errorf("%s: providers (-want +got):\n%s", q.Resource, diff)
		}
	}
}

func TestAResourceWithoutCallsNeedsNothingOfTheEnvironment(t *testing.T) {
	of := around(nil)
	of.Budget = func(p schema.Provider) pace.Store {
		t.Errorf("the budget of %s is opened", p)
		return nil
	}
	opened, err := fetch.Open(schema.Notices, of)
	if err != nil {
		t.Fatal(err)
	}
	source := opened[schema.Pinwheel]
	if source.Handler == nil || source.Decode == nil || source.Pace != nil {
		t.Errorf("the source of notices is %+v", source)
	}
}

// providersServer is every provider's API, each under a path of its name. It remembers the headers
// of the calls to each provider.
type providersServer struct {
	url string

	mu      sync.Mutex
	calls   map[schema.Provider][]http.Header
	refused string // a secret that is answered 401
}

func startProviders(t *testing.T) *providersServer {
	t.Helper()
	s := &providersServer{calls: map[schema.Provider][]http.Header{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		s.mu.Lock()
		s.calls[schema.Provider(name)] = append(s.calls[schema.Provider(name)], r.Header)
		refused := s.refused
		s.mu.Unlock()
		w.Header().Set("Connection", "close") // no test waits for an idle connection
		if refused != "" && slices.Contains(secretsIn(r.Header), refused) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Query().Has("limit") {
			fmt.Fprint(w, `{"data":[],"meta":{}}`)
			return
		}
		fmt.Fprint(w, `{"id":"x","data":{"id":"x"},"meta":{},"results":[]}`)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// environment sends each provider's calls to its path.
func (s *providersServer) environment(secret string) map[string]string {
	env := environment(secret)
	for _, p := range schema.Providers() {
		env[p.Variable("URL")] = s.url + "/" + string(p)
	}
	return env
}

// takeCalls returns the calls since the last takeCalls.
func (s *providersServer) takeCalls() map[schema.Provider][]http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = map[schema.Provider][]http.Header{}
	return calls
}

func TestAnEventReachesItsOwnProviderAlone(t *testing.T) {
	server := startProviders(t)
	env := server.environment(secretFile(t, "a-secret-of-some-length"))
	opened, err := fetch.OpenAll(around(env))
	if err != nil {
		t.Fatal(err)
	}
	available := workers.Availability{Status: "available"}
	payload := workers.Payload{Added: []string{"id"}, VOE: available, VOIE: available}
	for _, row := range schema.Catalogue() {
		for _, r := range row.Workers {
			t.Run(fmt.Sprintf("%s of %s for %s", r, row.Provider, row.Name), func(t *testing.T) {
				event := schema.Event{
					Provider:  row.Provider,
					Type:      row.Name,
					Resource:  row.Resource,
					Action:    row.Action,
					AccountID: "account",
					Body:      []byte(`{"payload":{"account_id":"account"}}`),
				}
				source := opened[r][row.Provider]
				job := workers.Job{Event: event, Payload: payload, Attempt: 1,
					Records: workers.NewRecords(nil, event, r, nil)}
				if _, err := source.Handler.Fetch(t.Context(), job); err != nil {
					t.Fatal(err)
				}
				calls := server.takeCalls()
				if row.Erases || r == schema.Notices {
					if len(calls) != 0 {
						t.Errorf("calls %v, want none", calls)
					}
					return
				}
				if len(calls) != 1 || len(calls[row.Provider]) == 0 {
					t.Errorf("calls %v, want those of %s alone", calls, row.Provider)
				}
			})
		}
	}
}

func TestTheEnvironmentReachesTheProvider(t *testing.T) {
	server := startProviders(t)
	secret := secretFile(t, "the-first-secret-is-sent", "the-second-waits-for-a-401")
	core, log := observer.New(zap.ErrorLevel)
	of := around(server.environment(secret))
	of.Log = zap.New(core)
	registry := of.Registry.(*prometheus.Registry)
	opened, err := fetch.OpenAll(of)
	if err != nil {
		t.Fatal(err)
	}
	type headers map[string]string
	wantHeaders := func(p schema.Provider, r schema.Resource, action string, want headers) {
		t.Helper()
		job := job(r, action, workers.Payload{})
		if _, err := opened[r][p].Handler.Fetch(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		calls := server.takeCalls()[p]
		if len(calls) == 0 {
			t.Errorf("%s: no call reached %s", r, p)
		}
		for _, header := range calls {
			for name, value := range want {
				if got := header.Get(name); got != value {
					t.Errorf("%s: header %s is %q, want %q", r, name, got, value)
				}
			}
		}
	}
	wantHeaders(schema.Pinwheel, schema.Income, schema.ActionAdded, headers{
		"x-api-secret":     "the-first-secret-is-sent",
		"Pinwheel-Version": "2025-07-08",
	})
	wantHeaders(schema.Truv, schema.Link, schema.ActionConnected, headers{
		"X-Access-Client-Id": "client",
		"X-Access-Secret":    "the-first-secret-is-sent",
	})

	// A new secret is sent at once. A bad change leaves the secret before it in use.
	rotated := headers{"x-api-secret": "a-secret-rotated-on-disk"}
	for _, text := range []string{"a-secret-rotated-on-disk\n", ""} {
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		wantHeaders(schema.Pinwheel, schema.Income, schema.ActionAdded, rotated)
	}

	if lines := log.FilterMessage("secrets not taken").All(); len(lines) != 1 {
		t.Errorf("the bad change is logged in %d lines, want 1: %v", len(lines), lines)
	}

	want := map[string]uint64{"pinwheel": 3, "truv": 1}
	if got := callsCounted(t, registry); !maps.Equal(got, want) {
		t.Errorf("calls counted: %v, want %v", got, want)
	}
}

// secretsIn returns the secrets of a call to any provider.
func secretsIn(h http.Header) []string {
	return slices.Concat(h.Values("x-api-secret"), h.Values("X-Access-Secret"))
}

func TestEverySecretOfTheFileIsTried(t *testing.T) {
	const old, fresh = "the-secret-of-last-year", "the-secret-of-this-year"
	server := startProviders(t)
	server.refused = old
	env := server.environment(secretFile(t, old, fresh))
	opened, err := fetch.OpenAll(around(env))
	if err != nil {
		t.Fatal(err)
	}
	for p, job := range map[schema.Provider]workers.Job{
		schema.Pinwheel: job(schema.Income, schema.ActionAdded, workers.Payload{}),
		schema.Truv:     job(schema.Link, schema.ActionConnected, workers.Payload{}),
	} {
		for _, want := range [][]string{{old, fresh}, {fresh}} { // the second job knows better
			if _, err := opened[job.Event.Resource][p].Handler.Fetch(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			var sent []string
			for _, header := range server.takeCalls()[p] {
				sent = append(sent, secretsIn(header)...)
			}
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("%s: secrets sent (-want +got):\n%s", p, diff)
			}
		}
	}
}

// callsCounted returns the calls that were answered with 200, by provider, as the metrics count
// them.
func callsCounted(t *testing.T, registry *prometheus.Registry) map[string]uint64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]uint64{}
	for _, f := range families {
		if f.GetName() != "wagewire_api_call_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["status"] == "200" {
				calls[labels["provider"]] += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return calls
}

func TestARateAboveTheKnownLimitOfARealProviderIsWarnedOf(t *testing.T) {
	for promise, test := range map[string]struct {
		url, rate string
		warns     bool
	}{
		"the limit itself is right":           {"https://prod.truv.com", "5", false},
		"a rate above the limit is warned of": {"https://prod.truv.com", "5.1", true},
		"a fake has no limit":                 {"http://127.0.0.1:8081/truv", "1000", false},
	} {
		t.Run(promise, func(t *testing.T) {
			env := environment(secretFile(t, "a-secret-of-some-length"))
			env["TRUV_URL"] = test.url
			env["TRUV_RATE_PER_S"] = test.rate
			core, log := observer.New(zap.WarnLevel)
			of := around(env)
			of.Log = zap.New(core)
			if _, err := fetch.Open(schema.Link, of); err != nil {
				t.Fatal(err)
			}
			var warned []any
			for _, line := range log.All() {
				warned = append(warned, line.ContextMap()["variable"])
			}
			if want := []any{"TRUV_RATE_PER_S"}; test.warns != cmp.Equal(want, warned) {
				t.Errorf("warned of %v", warned)
			}
		})
	}
}
