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

	"github.com/wagewire/wagewire/schema"
)

// gate is a handler in front of the fake providers. The gate makes outages and notes every record
// of a complete answer.
type gate struct {
	next http.Handler

	mu   sync.Mutex
	down map[string]outage // by resource, as written in the path
	served
}

// outage is a time without service of an endpoint. It is longer than the calls of one attempt.
type outage struct {
	until time.Time
	cut   bool // close the connection in place of the answer 503
}

// served is everything that the providers have answered.
type served struct {
	// records are hashes of resource, account and compact JSON.
	records map[[sha256.Size]byte]bool
	// payDates are the dates of paystubs, by id.
	payDates map[string]string
	// troubled are accounts with an answer other than a complete 200, or with records held back.
	troubled map[string]bool
	calls    int
	failures int
}

func newServed() served {
	return served{
		records:  map[[sha256.Size]byte]bool{},
		payDates: map[string]string{},
		troubled: map[string]bool{},
	}
}

func newGate(next http.Handler) *gate {
	return &gate{next: next, down: map[string]outage{}, served: newServed()}
}

// shut begins an outage.
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

// aim notes that a fault will hold back records of an account.
func (g *gate) aim(account string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.troubled[account] = true
}

// ServeHTTP passes a call on to the fake providers, except in an outage.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := parseCall(r.URL.EscapedPath())
	g.mu.Lock()
	g.calls++
	out := g.down[c.resource]
	g.mu.Unlock()
	if time.Now().Before(out.until) {
		g.note(c, 0, nil)
		if out.cut {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "outage", http.StatusServiceUnavailable)
		return
	}
	tee := &tee{ResponseWriter: w, status: http.StatusOK}
	complete := false
	defer func() {
		if !complete { // the fake cuts an answer by a panic, which goes on after the note
			tee.status = 0
		}
		g.note(c, tee.status, tee.body.Bytes())
	}()
	g.next.ServeHTTP(tee, r)
	complete = true
}

// call names the target of a call of an API.
type call struct {
	provider          schema.Provider
	account, resource string
}

// parseCall reads a path: /<provider>/v1/….
func parseCall(path string) call {
	const partsMin = 6
	parts := strings.Split(path, "/")
	for len(parts) < partsMin {
		parts = append(parts, "")
	}
	c := call{provider: schema.Provider(parts[1])}
	p, known := providers[c.provider]
	if !known {
		return c
	}
	c.account, c.resource = p.called(parts[3:])
	if account, err := url.PathUnescape(c.account); err == nil {
		c.account = account
	}
	return c
}

// tee keeps a copy of an answer.
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

// Unwrap lets the fakes flush a part of an answer before a cut.
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// note stores the records of an answer. Status 0 is no answer, or an incomplete answer.
func (g *gate) note(c call, status int, body []byte) {
	var records []json.RawMessage
	ok := false
	if p, known := providers[c.provider]; known && status == http.StatusOK {
		records, ok = p.recordsIn(body)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !ok {
		g.failures++
		g.troubled[c.account] = true
		return
	}
	for _, record := range records {
		g.records[recordHash(c.resource, c.account, record)] = true
		if c.resource == string(schema.Paystubs) {
			g.notePayDate(record)
		}
	}
}

func (g *gate) notePayDate(record []byte) {
	var paystub struct {
		ID      string `json:"id"`
		PayDate string `json:"pay_date"`
	}
	if json.Unmarshal(record, &paystub) == nil {
		g.payDates[paystub.ID] = paystub.PayDate
	}
}

// without returns the object without a member, compact and with the other members in order.
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
		quoted, _ := json.Marshal(key) // a key is a string
		b = append(b, quoted...)
		b = append(b, ':')
		b = append(b, compact(value)...)
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
