package fake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// FixtureVersion is the version of the fixtures that the fakes can play.
const FixtureVersion = "wagewire.fixture.v1"

// fixtureBytesMax is the size of the largest fixture.
const fixtureBytesMax = 64 << 20

// Fixture is a recorded webhook with the answers of the API, without private values.
type Fixture struct {
	Version  string          `json:"version"`
	Provider string          `json:"provider"`
	Type     string          `json:"type"`
	Account  string          `json:"account"`
	Webhook  json.RawMessage `json:"webhook"`
	Calls    []FixtureCall   `json:"calls"`
}

// FixtureCall is a GET of the API and its answer.
type FixtureCall struct {
	Path    string            `json:"path"`
	Query   string            `json:"query,omitempty"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Text    string            `json:"text,omitempty"` // in place of a body that is not JSON
}

func (c FixtureCall) reply() reply {
	response := reply{status: c.Status, header: c.Headers, body: c.Body}
	if c.Body == nil {
		response.body = []byte(c.Text)
	}
	return response
}

// key tells the calls to a provider apart.
func (c FixtureCall) key(provider string) (string, error) {
	u, err := url.Parse(c.Path)
	if err != nil || !strings.HasPrefix(c.Path, "/") {
		return "", errors.New("a path of its calls is none")
	}
	query, err := url.ParseQuery(c.Query)
	if err != nil {
		return "", errors.New("a query of its calls is none")
	}
	return recordingKey(provider, u.EscapedPath(), query), nil
}

func recordingKey(provider, path string, query url.Values) string {
	return provider + " " + path + "?" + query.Encode()
}

// recording is the answers to one call, in order.
type recording struct {
	replies []reply
	next    int
}

// take returns the next answer. The last answer is given again and again.
func (r *recording) take() reply {
	answer := r.replies[r.next]
	r.next = min(r.next+1, len(r.replies)-1)
	return answer
}

// AddFixture lets the API give the answers of the fixture to the calls of the fixture, from the
// first on, whatever people the fakes have. AddFixture fails if the fixture has another version, no
// provider or no webhook.
func (f *Providers) AddFixture(fixture Fixture) error {
	if err := f.addFixture(fixture); err != nil {
		return fmt.Errorf("add fixture: %w", err)
	}
	return nil
}

func (f *Providers) addFixture(fixture Fixture) error {
	if fixture.Version != FixtureVersion {
		return fmt.Errorf("version %q is not %s", fixture.Version, FixtureVersion)
	}
	if _, err := lookup(fixture.Provider); err != nil {
		return err
	}
	if fixture.Type == "" || len(fixture.Webhook) == 0 {
		return errors.New("it has no webhook with a type")
	}
	recordings := map[string]*recording{}
	for _, call := range fixture.Calls {
		if call.Status < 200 || call.Status > 599 {
			return fmt.Errorf("status %d of a call is not between 200 and 599", call.Status)
		}
		key, err := call.key(fixture.Provider)
		if err != nil {
			return err
		}
		if recordings[key] == nil {
			recordings[key] = &recording{}
		}
		recordings[key].replies = append(recordings[key].replies, call.reply())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, r := range recordings {
		f.recordings[key] = r
	}
	return nil
}

// PlayFixture adds the fixture, and sends its webhook with a signature. The webhook has a new id
// unless it is played for the first time. Without a response, Sent has the error.
func (f *Providers) PlayFixture(
	ctx context.Context, fixture Fixture, opts SendOptions,
) (Sent, Answer, error) {
	if err := f.AddFixture(fixture); err != nil {
		return Sent{}, Answer{}, err
	}
	w, err := f.fixtureWebhook(fixture)
	if err != nil {
		return Sent{}, Answer{}, fmt.Errorf("play fixture: %w", err)
	}
	answer, err := f.SendWith(ctx, w, opts)
	return sentOf(w, answer, err), answer, nil
}

// fixtureWebhook returns the webhook of a fixture.
func (f *Providers) fixtureWebhook(fixture Fixture) (Webhook, error) {
	provider, err := lookup(fixture.Provider)
	if err != nil {
		return Webhook{}, err
	}
	w := Webhook{
		Provider: fixture.Provider, Type: fixture.Type, Account: fixture.Account,
		Body: fixture.Webhook,
	}
	newID := provider.newID()
	body, id, ok := replaceText(fixture.Webhook, provider.idPath, newID)
	if !ok {
		return Webhook{}, fmt.Errorf("the webhook has no %s", strings.Join(provider.idPath, "."))
	}
	w.ID = id
	if !f.isFirst(provider.name + " " + id) {
		w.ID = newID
		w.Body = body
	}
	return w, nil
}

// replaceText replaces the text at a path in a JSON body, and returns the text from before. ok is
// false if there is none.
func replaceText(
	body json.RawMessage, path []string, text string,
) (replaced json.RawMessage, before string, ok bool) {
	if len(path) == 0 {
		err := json.Unmarshal(body, &before)
		return encode(text), before, err == nil && before != ""
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		return nil, "", false
	}
	members[path[0]], before, ok = replaceText(members[path[0]], path[1:], text)
	return encode(members), before, ok
}

// isFirst reports whether the webhook of a fixture was never played before.
func (f *Providers) isFirst(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	played := f.played[id]
	f.played[id] = true
	return !played
}

// recorded returns the next answer of a fixture to a call. ok is false if no fixture has the call.
func (f *Providers) recorded(provider string, r *http.Request) (answer reply, ok bool) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/"+provider)
	key := recordingKey(provider, path, r.URL.Query())
	f.mu.Lock()
	defer f.mu.Unlock()
	recording, ok := f.recordings[key]
	if !ok || r.Method != http.MethodGet {
		return reply{}, false
	}
	return recording.take(), true
}

// postFixture plays a fixture.
func (f *Providers) postFixture(r *http.Request) (int, any) {
	var fixture Fixture
	if err := readInstruction(r, &fixture); err != nil {
		return http.StatusBadRequest, err
	}
	sent, answer, err := f.PlayFixture(r.Context(), fixture, SendOptions{})
	if err != nil {
		return http.StatusBadRequest, err
	}
	return http.StatusOK, answered{Sent: sent, Answer: readable(answer.Body)}
}
