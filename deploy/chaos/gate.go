package chaos

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// gate stands before the fake providers. It makes outages, and notes every record that is served whole.
type gate struct {
	next http.Handler

	mu   sync.Mutex
	down map[string]outage // by resource, as it stands in the path
	served
}

// outage is an endpoint that does not work at all for a while: longer than a worker tries inside one attempt.
type outage struct {
	until time.Time
	cut   bool // the connection is closed, else the answer is 503
}

// served is what the providers have told.
type served struct {
	// records are hashes of resource, account and compact JSON.
	records map[[sha256.Size]byte]bool
	// payDates are those of paystubs, by id.
	payDates map[string]string
	// troubled are the accounts about which something else than a good 200 was answered, or about which records were kept back.
	troubled map[string]bool
	calls    int
	failures int
}

func newServed() served {
	return served{records: map[[sha256.Size]byte]bool{}, payDates: map[string]string{}, troubled: map[string]bool{}}
}

func newGate(next http.Handler) *gate {
	return &gate{next: next, down: map[string]outage{}, served: newServed()}
}

// shut makes an outage.
func (g *gate) shut(resource string, until time.Time, cut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down[resource] = outage{until, cut}
}

// open ends all outages.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = map[string]outage{}
}

// aim notes that a fault is about to keep things of one account back.
func (g *gate) aim(account string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.troubled[account] = true
}

// ServeHTTP lets a call through to the fakes, or not.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	account, resource := called(r.URL.EscapedPath())
	g.mu.Lock()
	g.calls++
	out := g.down[resource]
	g.mu.Unlock()
	if time.Now().Before(out.until) {
		g.note(account, resource, 0, nil)
		if out.cut {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "outage", http.StatusServiceUnavailable)
		return
	}
	tee := &tee{ResponseWriter: w, status: http.StatusOK}
	whole := false
	defer func() {
		if !whole { // the answer was cut: it aborts, and we only look on
			tee.status = 0
		}
		g.note(account, resource, tee.status, tee.body.Bytes())
	}()
	g.next.ServeHTTP(tee, r)
	whole = true
}

// called takes the account and the resource out of a path of either API:
// /pinwheel/v1/accounts/{account}/{resource}…, /pinwheel/v1/end_users/{account}/verification_reports/…, /truv/v1/links/{account}/.
func called(path string) (account, resource string) {
	parts := append(strings.Split(path, "/"), "", "", "", "", "", "")
	account, err := url.PathUnescape(parts[4])
	if err != nil {
		account = parts[4]
	}
	if parts[1] == "truv" {
		return account, "link"
	}
	return account, parts[5]
}

// tee keeps what is written.
type tee struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *tee) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *tee) Write(b []byte) (int, error) {
	t.body.Write(b)
	return t.ResponseWriter.Write(b)
}

// Unwrap lets the fakes flush a part of an answer before they cut it.
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// note keeps the records of an answer; status 0 is none, or a part of one.
func (g *gate) note(account, resource string, status int, body []byte) {
	records, ok := recordsIn(resource, body)
	g.mu.Lock()
	defer g.mu.Unlock()
	if status != http.StatusOK || !ok {
		g.failures++
		g.troubled[account] = true
		return
	}
	for _, record := range records {
		g.records[recordHash(resource, account, record)] = true
		if resource == "paystubs" {
			var paystub struct {
				ID      string `json:"id"`
				PayDate string `json:"pay_date"`
			}
			if json.Unmarshal(record, &paystub) == nil {
				g.payDates[paystub.ID] = paystub.PayDate
			}
		}
	}
}

// recordsIn are the records of an answer, compact; of a link, all but its access token.
func recordsIn(resource string, body []byte) ([]json.RawMessage, bool) {
	if resource == "link" {
		link, ok := without(body, "access_token")
		return []json.RawMessage{link}, ok
	}
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Data) == 0 {
		return nil, false
	}
	var records []json.RawMessage
	if answer.Data[0] != '[' {
		records = []json.RawMessage{answer.Data}
	} else if json.Unmarshal(answer.Data, &records) != nil {
		return nil, false
	}
	for i := range records {
		records[i] = compact(records[i])
	}
	return records, true
}

// without returns the object, compact and in its order, without one of its members.
func without(object []byte, name string) (json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	b := []byte{'{'}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		if key == name {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		quoted, _ := json.Marshal(key) // the fakes' names are plain
		b = append(append(append(b, quoted...), ':'), compact(value)...)
	}
	_, err := d.Token()
	return append(b, '}'), err == nil
}

func compact(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}

func recordHash(resource, account string, record []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(resource+"\x00"+account+"\x00"), record...))
}
