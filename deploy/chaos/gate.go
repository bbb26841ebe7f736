package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// delayedFor is how late a delayed answer is. An erasure takes less.
const delayedFor = 1500 * time.Millisecond

// staleFor is less than the age of stale data, which is a day.
const staleFor = 12 * time.Hour

// gate is a handler in front of the fake providers. The gate makes outages, refuses calls, counts
// calls, and notes every record of a complete answer. The first part of a path is the name of the
// calling process.
type gate struct {
	next  http.Handler
	began time.Time
	// steadySince returns the time since which a process and the brokers run undisturbed.
	steadySince func(process string) (since time.Time, steady bool)

	mu    sync.Mutex
	paces map[schema.Provider]*pace
	pulse pulse
	down  map[string]outage // by resource, as written in the path
	// lagging are the targets that a refusal answered. Each gets one 404 after the refusal.
	lagging map[target]bool
	// refused is closed at the next answer of a refusal.
	refused chan struct{}
	// delayed are the accounts whose next answer is delayed. The channel is closed when the
	// answer is made.
	delayed map[string]chan struct{}
	served
}

// outage is a time without service of an endpoint.
type outage struct {
	until time.Time
	cut   bool // close the connection in place of the answer 503
	// refusal is the status 401 or 429 of a refusal, 0 for an outage. Each answer of a refusal
	// comes after delay, so that workers die with jobs in hand. retryAfter belongs to a 429.
	refusal    int
	delay      time.Duration
	retryAfter string
}

// target is what a call asks for.
type target struct{ account, resource string }

// answers counts the bad answers about a target.
type answers struct {
	// broken answers are 5xx, cut, late or no JSON.
	broken int
	// lagging answers are 404 and 409, and data older than the person.
	lagging int
	// forbidden answers are 403, gone answers 410.
	forbidden int
	gone      int
	// rejected answers have another status of 300 to 499, except 401 and 429: those are no failure
	// of the event.
	rejected int
}

// served is everything that the providers have answered.
type served struct {
	// records are hashes of resource, account and compact JSON.
	records map[[sha256.Size]byte]bool
	// payDates are the dates of paystubs, by id.
	payDates map[string]string
	// troubled are accounts with an answer other than a complete 200, or with records held back.
	troubled map[string]bool
	// aimed are accounts with a fault of their own: records held back, or a list without an end.
	aimed    map[string]bool
	answers  map[target]answers
	calls    int
	failures int
}

func newServed() served {
	return served{
		records:  map[[sha256.Size]byte]bool{},
		payDates: map[string]string{},
		troubled: map[string]bool{},
		aimed:    map[string]bool{},
		answers:  map[target]answers{},
	}
}

func newGate(
	next http.Handler, steadySince func(process string) (since time.Time, steady bool),
) *gate {
	paces := map[schema.Provider]*pace{}
	for p := range providers {
		paces[p] = &pace{}
	}
	return &gate{
		next:        next,
		began:       time.Now(),
		steadySince: steadySince,
		paces:       paces,
		down:        map[string]outage{},
		lagging:     map[target]bool{},
		refused:     make(chan struct{}),
		delayed:     map[string]chan struct{}{},
		served:      newServed(),
	}
}

// shut begins an outage or a refusal of a resource.
func (g *gate) shut(resource string, out outage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down[resource] = out
}

// nextRefusal returns a channel that is closed at the next answer of a refusal.
func (g *gate) nextRefusal() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

// delayNext makes the next answer with data of the account late: the answer is sent delayedFor
// after it was made. The returned channel is closed when the answer is made.
func (g *gate) delayNext(account string) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	made := make(chan struct{})
	g.delayed[account] = made
	return made
}

// delay delays an answer with data, if its account is in delayed.
func (g *gate) delay(account string) {
	g.mu.Lock()
	made, late := g.delayed[account]
	delete(g.delayed, account)
	g.mu.Unlock()
	if late {
		close(made)
		time.Sleep(delayedFor)
	}
}

// open ends all outages and refusals.
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
	g.aimed[account] = true
}

// ServeHTTP serves a call without the first part of its path.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	serve := func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, caller) }
	http.StripPrefix("/"+caller, http.HandlerFunc(serve)).ServeHTTP(w, r)
}

// serve passes a call on to the fake providers, except in an outage or a refusal, and once after a
// refusal.
func (g *gate) serve(w http.ResponseWriter, r *http.Request, caller string) {
	c := parseCall(r.URL.EscapedPath())
	c.caller = caller
	out := g.noteCall(c)
	switch {
	case time.Now().Before(out.until) && out.refusal > 0:
		g.refuse(w, r, c, out)
	case time.Now().Before(out.until):
		g.note(c, 0, nil)
		if out.cut {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "outage", http.StatusServiceUnavailable)
	case g.lagsOnce(c):
		g.fail(w, c, http.StatusNotFound, "")
	default:
		g.pass(w, r, c)
	}
}

// noteCall counts a call. It returns the outage or refusal of the resource, if there is one.
func (g *gate) noteCall(c call) outage {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls++
	p := g.paces[c.provider]
	if p == nil {
		return outage{}
	}
	now := time.Now()
	g.pulse.check(now)
	if g.pulse.isSteady(now) {
		p.addCall(now, c.caller)
	} else {
		p.forget()
	}
	return g.down[c.resource]
}

// watchPulse looks for stalls of this machine until ctx ends.
func (g *gate) watchPulse(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		g.mu.Lock()
		now := time.Now()
		g.pulse.check(now)
		g.pulse.beat = now
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stalls returns how often this machine stalled.
func (g *gate) stalls() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pulse.stalls
}

// noteHold notes that an answer asked for a hold. Calls in the hold are violations if nothing
// disturbed the caller, the brokers and this machine for heldAfter. Otherwise nobody may know of
// the hold: a worker may have died with the answer.
func (g *gate) noteHold(r *http.Request, c call, retryAfter string) {
	seconds, err := strconv.Atoi(retryAfter)
	if err != nil || r.Context().Err() != nil {
		return
	}
	sent := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.paces[c.provider]
	h := p.addHold(sent, time.Duration(seconds)*time.Second)
	time.AfterFunc(heldAfter, func() {
		since, steady := g.steadySince(c.caller)
		if !steady || since.After(sent) {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.pulse.isSteady(time.Now()) {
			p.judge(h)
		}
	})
}

// copyPaces returns the paces of all providers.
func (g *gate) copyPaces() map[schema.Provider]pace {
	g.mu.Lock()
	defer g.mu.Unlock()
	paces := map[schema.Provider]pace{}
	for provider, p := range g.paces {
		paces[provider] = *p
	}
	return paces
}

// pass passes a call on, and notes the answer.
func (g *gate) pass(w http.ResponseWriter, r *http.Request, c call) {
	tee := &tee{
		ResponseWriter: w, status: http.StatusOK, delay: func() { g.delay(c.account) },
	}
	complete := false
	defer func() {
		if !complete { // the fake cuts an answer by a panic, which goes on after the note
			g.note(c, 0, nil)
		}
		if complete || tee.status != http.StatusOK { // the status alone may decide
			g.note(c, tee.status, tee.body.Bytes())
		}
		if complete && tee.status == http.StatusTooManyRequests {
			g.noteHold(r, c, w.Header().Get("Retry-After"))
		}
	}()
	g.next.ServeHTTP(tee, r)
	complete = true
}

// refuse answers a call with a 401 or 429 after a while.
func (g *gate) refuse(w http.ResponseWriter, r *http.Request, c call, out outage) {
	g.mu.Lock()
	g.lagging[c.target] = true
	g.mu.Unlock()
	select {
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-time.After(out.delay):
	}
	g.fail(w, c, out.refusal, out.retryAfter)
	_ = http.NewResponseController(w).Flush()
	g.noteHold(r, c, out.retryAfter) // a 401 has none
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.refused)
	g.refused = make(chan struct{})
}

// lagsOnce reports whether the call is the first about its target after a refusal.
func (g *gate) lagsOnce(c call) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	lags := g.lagging[c.target]
	delete(g.lagging, c.target)
	return lags
}

// fail answers as the provider does with the status.
func (g *gate) fail(w http.ResponseWriter, c call, status int, retryAfter string) {
	g.note(c, status, nil)
	if err := fake.WriteError(w, string(c.provider), status, retryAfter); err != nil {
		panic(err) // only a call to a provider has a resource
	}
}

// call is a call of an API.
type call struct {
	target

	provider schema.Provider
	// caller is the name of the calling process.
	caller string
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
	delay  func() // before an answer with data
}

func (t *tee) WriteHeader(status int) {
	t.status = status
	if status == http.StatusOK {
		t.delay()
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *tee) Write(b []byte) (int, error) {
	t.body.Write(b)
	return t.ResponseWriter.Write(b)
}

// Unwrap lets the fakes flush a part of an answer before a cut.
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// note stores the records of an answer, or counts a bad answer. Status 0 is no answer, or an
// incomplete answer.
func (g *gate) note(c call, status int, body []byte) {
	var records []json.RawMessage
	ok := false
	isStale := false
	if p, known := providers[c.provider]; known && status == http.StatusOK {
		records, ok = p.recordsIn(body)
		at := p.refreshedAt(body)
		isStale = ok && !at.IsZero() && at.Before(g.began.Add(-staleFor))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	bad := g.answers[c.target]
	switch {
	case isStale:
		bad.lagging++
	case !ok:
		g.failures++
		g.troubled[c.account] = true
		bad.count(status)
	}
	g.answers[c.target] = bad
	for _, record := range records {
		g.records[recordHash(c.resource, c.account, record)] = true
		if c.resource == string(schema.Paystubs) {
			g.notePayDate(record)
		}
	}
}

// count counts one more bad answer.
func (a *answers) count(status int) {
	switch {
	case status == http.StatusNotFound, status == http.StatusConflict:
		a.lagging++
	case status == http.StatusForbidden:
		a.forbidden++
	case status == http.StatusGone:
		a.gone++
	case status == http.StatusUnauthorized, status == http.StatusTooManyRequests:
	case status >= 300 && status < 500:
		a.rejected++
	default:
		a.broken++
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
