package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// secrets are the texts of a person that Truv answers with. Each is unique to the person, and has a
// character that no id and no key has.
type secrets struct{ lastFour, account, token string }

func (c secrets) ssn() string { return "977-00-" + c.lastFour }

// quote is a text such as Truv could write into an error.
func (c secrets) quote() string {
	return fmt.Sprintf("person %s has account %s and token %s", c.ssn(), c.account, c.token)
}

func (c secrets) all() []string { return []string{c.lastFour, c.account, c.token} }

// secretsOf returns the texts of the nth person.
func secretsOf(n int) secrets {
	return secrets{
		lastFour: fmt.Sprintf("#%02d#", n),
		account:  fmt.Sprintf("00770077#%02d", n),
		token:    fmt.Sprintf("access-token#%02d", n),
	}
}

// records answers a call with the documented object, with the texts wherever Truv has them, and
// where it is known to repeat them.
func (c secrets) records(path string) string {
	account := fmt.Sprintf(`{"account_number":%q,"routing_number":"000000000"}`, c.account)
	accounts := `"bank_accounts":[` + account + `]`
	token := fmt.Sprintf(`"access_token":%q`, c.token)
	profile := fmt.Sprintf(`{"id":"object","ssn":%q}`, c.ssn())
	list := `{"count":1,"next":null,"previous":null,"results":[{"id":"a",` + accounts + `}]}`
	switch _, name, _ := strings.Cut(strings.TrimPrefix(path, "/v1/links/"), "/"); name {
	case "":
		return fmt.Sprintf(`{"id":%q,%s}`, strings.Trim(path, "/"), token)
	case "employments/":
		return `[{"id":"object","job_title":"Baker",` + accounts + `,` + token + `}]`
	case "identity/":
		return profile
	case "statements/", "shifts/":
		return list
	case "bank_accounts/":
		return `[` + account + `]`
	case "income/report/":
		return `{"id":"report","status":"done",` + token + `,"employments":[{"id":"object",` +
			`"profile":` + profile + `,"statements":[{"id":"a"}],` + accounts + `}]}`
	default:
		return `{}`
	}
}

// badAnswer is a way in which Truv may answer with what must not be told.
type badAnswer struct {
	promise string
	status  int
	header  func(secrets) (name, value string) // nil: none
	body    func(secrets) string
	// once: only the first call to a path is answered so. The next has the records.
	once bool
}

func badAnswers() []badAnswer {
	failure := func(c secrets) string {
		return fmt.Sprintf(`{"error":{"code":%q,"message":%q,"extra":{"invalid-params":[`+
			`{"field":%q,"message":%q}]}}}`, c.ssn(), c.quote(), c.account, c.token)
	}
	detail := func(c secrets) string { return fmt.Sprintf(`{"detail":%q}`, c.quote()) }
	text := func(c secrets) string { return "<h1>" + c.quote() + "</h1>" }
	return []badAnswer{
		{promise: "a call that is wrong", status: http.StatusBadRequest, body: failure},
		{promise: "a person who is forbidden", status: http.StatusForbidden, body: failure},
		{promise: "a person who is unknown", status: http.StatusNotFound, body: detail},
		{promise: "a person who is gone", status: http.StatusGone, body: failure},
		{promise: "refused credentials", status: http.StatusUnauthorized, body: failure, once: true},
		{
			promise: "too many calls", status: http.StatusTooManyRequests, once: true,
			body: func(c secrets) string {
				return fmt.Sprintf(`{"detail":"Request was throttled. Expected available in 1 seconds. %s"}`,
					c.quote())
			},
		},
		{promise: "a server that fails", status: http.StatusInternalServerError, body: text},
		{
			promise: "a redirect", status: http.StatusFound, body: text,
			header: func(c secrets) (string, string) {
				return "Location", "https://elsewhere.invalid/?ssn=" + c.lastFour
			},
		},
		{promise: "a page of HTML", status: http.StatusOK, body: text},
		{promise: "JSON that ends early", status: http.StatusOK, body: func(c secrets) string {
			return fmt.Sprintf(`{"results":[{"id":"a","ssn":%q,"account_number":%q`, c.ssn(), c.account)
		}},
		{promise: "JSON of another shape", status: http.StatusOK, body: func(c secrets) string {
			return fmt.Sprintf(`[%q,%q]`, c.quote(), c.token)
		}},
	}
}

// canaryTruv answers about a person as the person's row says. The person without a row has the
// documented records.
type canaryTruv struct {
	mu      sync.Mutex
	answers []badAnswer
	called  map[string]int // by path
}

// canaryPerson returns the link of the nth row. The person after the last row has good answers.
func canaryPerson(n int) string { return fmt.Sprintf("canary-link-%02d", n) }

func (a *canaryTruv) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n int
	_, err := fmt.Sscanf(r.URL.Path, "/v1/links/canary-link-%02d/", &n)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	a.mu.Lock()
	a.called[r.URL.Path]++
	isFirst := a.called[r.URL.Path] == 1
	a.mu.Unlock()
	c := secretsOf(n)
	w.Header().Set("Content-Type", "application/json")
	if n >= len(a.answers) || a.answers[n].once && !isFirst {
		_, _ = io.WriteString(w, c.records(r.URL.Path))
		return
	}
	bad := a.answers[n]
	if bad.header != nil {
		name, value := bad.header(c)
		w.Header().Set(name, value)
	}
	w.WriteHeader(bad.status)
	_, _ = io.WriteString(w, bad.body(c))
}

// calls returns how many calls were about a person.
func (a *canaryTruv) calls(link string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for path, times := range a.called {
		if strings.Contains(path, link) {
			n += times
		}
	}
	return n
}

// startBesideTruv returns a starter of a stack with the console, whose Truv is api.
func startBesideTruv(t *testing.T, api http.Handler, spans *tracetest.SpanRecorder) starter {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	change := func(url, secret string) (string, string) {
		if strings.HasSuffix(url, "/"+fake.Truv) {
			return server.URL, secret
		}
		return url, secret
	}
	return startOutsideWith(t, change, sandbox.Config{
		ConsolePort: streamtest.FreePort(t),
		Tracing:     sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)),
	})
}

// sendTruv sends a webhook of Truv's about so many objects of a link, and returns its id.
func (s *script) sendTruv(t *testing.T, webhookType, link string, count int) (id string) {
	t.Helper()
	id = link + "-" + webhookType
	body := fmt.Appendf(nil, `{"webhook_id":%q,"event_type":%q,"link_id":%q,"product":"income",`+
		`"event_created_at":"2026-02-03T15:19:11.058437Z","task_id":"task","status":"done",`+
		`"object_id":"object","employment_id":"object","objects_count":%d}`, id, webhookType, link,
		count)
	err := s.waitFor("ingress to store "+id, func(context.Context) (bool, error) {
		status, _, err := s.post(fake.Truv, body)
		return status == http.StatusOK, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// truvTypes are the types that workers of Truv complete with data.
func truvTypes() (types []schema.WebhookType) {
	for _, w := range schema.Catalogue() {
		if w.Provider == schema.Truv && len(w.Workers) > 0 && !w.Erases {
			types = append(types, w)
		}
	}
	return types
}

// Truv answers with social security numbers, whole account numbers and access tokens, in records
// and in errors. They are in the completions that must have them, and nowhere else.
func TestWhatTruvAnswersIsToldToNobodyElse(t *testing.T) {
	t.Parallel()
	api := &canaryTruv{answers: badAnswers(), called: map[string]int{}}
	spans := tracetest.NewSpanRecorder()
	s := upInProcess(t, startBesideTruv(t, api, spans), map[string]string{
		"NOT_READY_LADDER": "10ms", "RETRY_LADDER": "10ms", "TRUV_RATE_PER_S": "1000",
	})
	for n := range len(api.answers) + 1 {
		for _, w := range truvTypes() {
			s.sendTruv(t, w.Name, canaryPerson(n), 1)
		}
	}
	if err := s.settled(); err != nil {
		t.Fatal(err)
	}
	places := s.placesOfCanaries(t, spans)
	for n := range len(api.answers) + 1 {
		link := canaryPerson(n)
		promise := "the documented records"
		if n < len(api.answers) {
			promise = api.answers[n].promise
		}
		t.Run(promise, func(t *testing.T) {
			if api.calls(link) < len(truvTypes()) {
				t.Errorf("Truv was called only %d times", api.calls(link))
			}
			hasRecords := n == len(api.answers) || api.answers[n].once
			s.checkCompletions(t, link, secretsOf(n), hasRecords)
			for place, text := range places {
				for _, canary := range secretsOf(n).all() {
					if strings.Contains(text, canary) {
						t.Errorf("%s has %q", place, canary)
					}
				}
			}
		})
	}
}

// checkCompletions fails the test unless every webhook about the link has a completion of each
// resource, and only the completions that must have a secret have it.
func (s *script) checkCompletions(t *testing.T, link string, c secrets, hasRecords bool) {
	t.Helper()
	withSSN := []schema.Resource{schema.Identity, schema.VerificationReports}
	for _, w := range truvTypes() {
		for _, r := range w.Workers {
			of, found, err := s.completionOf(t.Context(), link+"-"+w.Name, r)
			if err != nil || !found {
				t.Fatalf("%s: completion of %s found: %t, %v", w.Name, r, found, err)
			}
			text := string(of.raw)
			for secret, mayHave := range map[string]bool{
				c.lastFour: slices.Contains(withSSN, r),
				c.account:  r == schema.BankAccounts,
				c.token:    false,
			} {
				if strings.Contains(text, secret) != (mayHave && hasRecords) {
					t.Errorf("%s: the completion of %s has %q: %t", w.Name, r, secret,
						strings.Contains(text, secret))
				}
			}
		}
	}
}

// placesOfCanaries are the texts in which no secret of anybody may be, by their names.
func (s *script) placesOfCanaries(t *testing.T, spans *tracetest.SpanRecorder) map[string]string {
	t.Helper()
	logs, err := s.stack.Logs()
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := s.stack.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(tracetest.SpanStubsFromReadOnlySpans(spans.Ended()))
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{
		"the log": string(logs), "the metrics": string(metrics), "the spans": string(told),
	}
	for place, work := range map[string]string{
		"the log": `"job"`, "the metrics": "wagewire_worker_jobs_total", "the spans": "process wagewire",
	} {
		if !strings.Contains(places[place], work) {
			t.Fatalf("%s has nothing of the work: no %s", place, work)
		}
	}
	letters := 0
	for _, stream := range schema.DefaultTopology().AllStreams() {
		messages, err := s.readAll(t.Context(), stream.Name, ">")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			text := fmt.Sprint(m.Subject, m.Header)
			if stream.Name != schema.CompletionsStream {
				text += string(m.Data)
			}
			places[fmt.Sprintf("%s %s", stream.Name, m.Subject)] += text
		}
		if stream.Name == schema.DeadLettersStream {
			letters = len(messages)
		}
	}
	if letters == 0 {
		t.Fatal("there is no dead letter")
	}
	for _, path := range s.consolePaths(t) {
		places["console page "+path] = s.page200(t, path)
	}
	operators := newTool(t)
	commands := [][]string{{"dead", "list"}, {"accounts", "list"}, {"drift"}}
	for n := range len(badAnswers()) + 1 {
		link := canaryPerson(n)
		commands = append(commands, []string{"find", link}, []string{"accounts", "show", link})
	}
	for _, args := range commands {
		places["wagewire "+strings.Join(args, " ")] = operators.prints(t, s, args...)
	}
	return places
}

// consolePaths are the pages of the console about all that was sent.
func (s *script) consolePaths(t *testing.T) []string {
	t.Helper()
	paths := []string{"/", "/feed", "/queues", "/providers", "/teams", "/dead", "/quarantine"}
	for _, q := range schema.Queues() {
		paths = append(paths, "/queues/"+q.Name)
	}
	for n := range len(badAnswers()) + 1 {
		link := canaryPerson(n)
		paths = append(paths, "/search?q="+link, "/accounts/truv/"+link)
		for _, w := range truvTypes() {
			paths = append(paths, "/events/truv:"+link+"-"+w.Name)
		}
	}
	letters, err := s.readAll(t.Context(), schema.DeadLettersStream, ">")
	if err != nil {
		t.Fatal(err)
	}
	for _, letter := range letters {
		paths = append(paths, fmt.Sprintf("/dead/%d", letter.Sequence))
	}
	return paths
}

// page200 gets a page of the console.
func (s *script) page200(t *testing.T, path string) string {
	t.Helper()
	url := s.stack.(*outside).ConsoleURL + path
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, body, err := s.do(request)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, status, err)
	}
	return string(body)
}
