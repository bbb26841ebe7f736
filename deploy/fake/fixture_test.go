package fake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

const recordedIncome = `{
  "version": "wagewire.fixture.v1", "provider": "pinwheel", "type": "income.added",
  "account": "acc/1",
  "webhook": {"event": "income.added", "event_id": "e-1", "payload": {"n": 1.50}},
  "calls": [
    {"path": "/v1/accounts/acc%2F1/income", "status": 429, "headers": {"Retry-After": "1"}},
    {"path": "/v1/accounts/acc%2F1/income", "status": 200, "body": {"data": {"id": "i"}}},
    {"path": "/v1/accounts/acc%2F1/paystubs", "query": "cursor=a%3D&limit=100", "status": 200,
     "body": {"data": [12345678901234567890.10]}},
    {"path": "/v1/accounts/acc%2F1/shifts", "query": "limit=100", "status": 500, "text": "not JSON"}
  ]
}`

// stage is the fakes with a receiver of their webhooks.
type stage struct {
	*fake.Providers
	url string

	mu sync.Mutex
	// bodies are those that came with a signature.
	bodies []string
}

func (s *stage) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.Header.Get("x-pinwheel-signature") != "" {
			s.bodies = append(s.bodies, readBody(t, r.Body))
		}
	}))
	t.Cleanup(receiver.Close)
	s.Providers = fake.New(fake.Config{WebhookURL: receiver.URL})
	t.Cleanup(s.Close)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// call returns "<status> <body>" of a call to the API.
func (s *stage) call(t *testing.T, path, secret string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/pinwheel"+path,
		nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-secret", secret)
	request.Header.Set("Pinwheel-Version", "2025-07-08")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return strings.TrimSpace(response.Status[:3] + " " + readBody(t, response.Body))
}

func readBody(t *testing.T, body io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func fixtureOf(t *testing.T, text string) fake.Fixture {
	t.Helper()
	var f fake.Fixture
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFixtureIsPlayed(t *testing.T) {
	s := newStage(t)
	for _, wantID := range []string{"e-1", ""} {
		sent, answer, err := s.PlayFixture(t.Context(), fixtureOf(t, recordedIncome),
			fake.SendOptions{})
		if err != nil || answer.Status != 200 || wantID != "" && sent.ID != wantID {
			t.Fatalf("sent %+v, answered %d, %v", sent, answer.Status, err)
		}
		received := s.received()
		body := received[len(received)-1]
		if !strings.Contains(body, `"`+sent.ID+`"`) || !strings.Contains(body, "1.50") {
			t.Errorf("the webhook is %s", body)
		}
		secret := fake.Secret(fake.Pinwheel)
		const income = "/v1/accounts/acc%2F1/income"
		got := []string{
			s.call(t, income, secret), s.call(t, income, secret), s.call(t, income, secret),
			s.call(t, "/v1/accounts/acc%2F1/paystubs?limit=100&cursor=a%3D", secret),
			s.call(t, "/v1/accounts/acc%2F1/shifts?limit=100", secret),
		}
		want := []string{
			"429", `200 {"data": {"id": "i"}}`, `200 {"data": {"id": "i"}}`,
			`200 {"data": [12345678901234567890.10]}`, "500 not JSON",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		for _, other := range []string{
			s.call(t, "/v1/accounts/acc%2F1/paystubs?limit=100", secret),
			s.call(t, "/v1/accounts/acc%2F2/income", secret),
		} {
			if !strings.HasPrefix(other, "404") {
				t.Errorf("a call that the fixture has not is answered %s", other)
			}
		}
		if refused := s.call(t, income, "another"); !strings.HasPrefix(refused, "401") {
			t.Errorf("a wrong secret is answered %s", refused)
		}
	}
	if received := s.received(); len(received) != 2 || received[0] == received[1] {
		t.Errorf("received %q", received)
	}
}

func TestFaultsConcernRecordedAnswers(t *testing.T) {
	s := newStage(t)
	if err := s.AddFixture(fixtureOf(t, recordedIncome)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddFault(fake.Fault{Path: "shifts", Status: 503}); err != nil {
		t.Fatal(err)
	}
	got := s.call(t, "/v1/accounts/acc%2F1/shifts?limit=100", fake.Secret(fake.Pinwheel))
	if !strings.HasPrefix(got, "503") {
		t.Errorf("answered %s", got)
	}
	if received := s.received(); len(received) != 0 {
		t.Errorf("a fixture that is only added was sent: %q", received)
	}
}

func TestFixturesThatCannotBePlayed(t *testing.T) {
	for promise, row := range map[string]struct {
		change, to string
		want       string
	}{
		"another version": {"fixture.v1", "fixture.v2", `"wagewire.fixture.v2" is not`},
		"of no provider":  {`"pinwheel"`, `"nobody"`, `no provider "nobody"`},
		"without a type":  {`"income.added"`, `""`, "no webhook with a type"},
		"without an id":   {`"event_id"`, `"other_id"`, "no event_id"},
		"an id that is no text": {
			`"e-1"`, `{"e": 1}`, "no event_id",
		},
		"a webhook that is no object": {
			`{"event": "income.added", "event_id": "e-1", "payload": {"n": 1.50}}`, `null`,
			"no event_id",
		},
		"a status that is none":  {`"status": 500`, `"status": 99`, "not between 200 and 599"},
		"a path that is none":    {`"/v1/accounts/acc%2F1/shifts"`, `"v1"`, "a path of its calls"},
		"an escape that is none": {"acc%2F1/shifts", "acc%ZZ/shifts", "a path of its calls"},
		"a query that is none":   {"cursor=a%3D", "cursor=%ZZ", "a query of its calls"},
	} {
		t.Run(promise, func(t *testing.T) {
			s := newStage(t)
			text := strings.Replace(recordedIncome, row.change, row.to, 1)
			_, _, err := s.PlayFixture(t.Context(), fixtureOf(t, text), fake.SendOptions{})
			if err == nil || !strings.Contains(err.Error(), row.want) || len(s.received()) > 0 {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestFixturesHaveAPlaceInTheControlTree(t *testing.T) {
	s := newStage(t)
	post := func(text string) (status int, body string) {
		response, err := http.Post(s.url+"/control/fixtures", "application/json",
			strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode, readBody(t, response.Body)
	}
	large := strings.Repeat(" ", 2<<20) + recordedIncome // larger than other instructions may be
	if status, body := post(large); status != 200 || !strings.Contains(body, `"status":200`) {
		t.Errorf("answered %d %s", status, body)
	}
	for promise, text := range map[string]string{
		"another version":  strings.Replace(recordedIncome, "v1", "v9", 1),
		"an unknown field": `{"versions": 1}`,
	} {
		if status, body := post(text); status != 400 || !strings.Contains(body, `"error"`) {
			t.Errorf("%s: answered %d %s", promise, status, body)
		}
	}
	types := []string{}
	for _, sent := range s.Sent() {
		types = append(types, sent.Type)
	}
	if !slices.Equal(types, []string{"income.added"}) {
		t.Errorf("sent %q", types)
	}
}
