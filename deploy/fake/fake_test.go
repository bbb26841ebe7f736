package fake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 123456000, time.UTC)

// A rig is a Providers behind a real server, with a receiver for its webhooks.
type rig struct {
	*fake.Providers
	t      *testing.T
	url    string
	client *http.Client
	inbox  *inbox
}

func newRig(t *testing.T, change ...func(*fake.Config)) rig {
	t.Helper()
	in := &inbox{}
	receiver := httptest.NewServer(in)
	t.Cleanup(receiver.Close)
	config := fake.Config{
		Secrets: map[string]string{
			fake.Pinwheel: "pinwheel-secret", fake.Truv: "truv-secret",
		},
		WebhookURL: receiver.URL + "/webhooks",
		RetryWait:  time.Microsecond,
		Now:        func() time.Time { return noon },
	}
	for _, c := range change {
		c(&config)
	}
	fakes := fake.New(config)
	server := httptest.NewServer(fakes)
	t.Cleanup(server.Close)
	t.Cleanup(fakes.Close)
	client := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return rig{fakes, t, server.URL, client, in}
}

// An inbox receives webhooks. It answers with the statuses in turn, then 200.
type inbox struct {
	mu       sync.Mutex
	statuses []int
	received []received
}

type received struct {
	path   string
	header http.Header
	body   []byte
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.received = append(in.received, received{r.URL.Path, r.Header.Clone(), body})
	status := http.StatusOK
	if len(in.statuses) > 0 {
		status, in.statuses = in.statuses[0], in.statuses[1:]
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Retry-After", "3")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"duplicate": false}`))
}

func (in *inbox) all() []received {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.received
}

type response struct {
	status int
	header http.Header
	body   []byte
}

// call makes a call with the right credentials unless header says otherwise.
func (r rig) call(path string, header map[string]string) (response, error) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]string{
		"x-api-secret":       "pinwheel-secret",
		"Pinwheel-Version":   "2025-07-08",
		"X-Access-Client-Id": fake.TruvClientID,
		"X-Access-Secret":    "truv-secret",
	}
	for name, value := range header {
		all[name] = value
	}
	for name, value := range all {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return response{answer.StatusCode, answer.Header, body}, err
}

// get is a call that must be answered with a status.
func (r rig) get(path string, status int) response {
	r.t.Helper()
	answer, err := r.call(path, nil)
	if err != nil {
		r.t.Fatalf("get %s: %v", path, err)
	}
	if answer.status != status {
		r.t.Fatalf("get %s: status %d, want %d: %s", path, answer.status, status, answer.body)
	}
	return answer
}

// control sends an instruction, which must be answered with a status.
func (r rig) control(method, path, body string, status int) []byte {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+"/control/"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if answer.StatusCode != status {
		r.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, answer.StatusCode, status, text)
	}
	return text
}

// A list is one page of paystubs or shifts.
type list struct {
	Data []struct {
		ID      string
		PayDate string `json:"pay_date"`
		EndDate string `json:"end_date"`
	}
	Meta struct {
		RefreshedAt string `json:"refreshed_at"`
		Count       int
		NextCursor  *string `json:"next_cursor"`
	}
}

func (l list) ids() []string {
	ids := []string{}
	for _, r := range l.Data {
		ids = append(ids, r.ID)
	}
	return ids
}

func (r rig) list(path string) list {
	r.t.Helper()
	answer := r.get(path, http.StatusOK)
	if !bytes.Contains(answer.body, []byte(`"next_cursor":`)) {
		r.t.Fatalf("get %s: no next_cursor: %s", path, answer.body)
	}
	return decode[list](r.t, answer.body)
}

func decode[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return v
}

// account is the path of p's account at Pinwheel, with more behind it.
func account(p *fake.Person, more string) string {
	return "/pinwheel/v1/accounts/" + p.AccountID + more
}

func link(p *fake.Person) string { return "/truv/v1/links/" + p.LinkID + "/" }
