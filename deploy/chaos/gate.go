package chaos

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wagewire/wagewire/deploy/arrival"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// delayedFor is how late a delayed answer is. An erasure takes less.
const delayedFor = 1500 * time.Millisecond

// gate is a handler in front of the fake providers. The gate makes outages, refuses calls, counts
// calls, and notes every record of a complete answer. The first part of a path is the caller: see
// callerName.
type gate struct {
	next   http.Handler
	served *ledger.Served
	// steadySince returns the time since which a caller and the brokers run undisturbed. A caller
	// whose process was started again is not steady.
	steadySince func(caller string) (since time.Time, steady bool)
	// pulse says when calls arrive late because of this machine.
	pulse *arrival.Pulse

	mu    sync.Mutex
	calls int
	paces map[schema.Provider]*pace
	down  map[string]outage // by resource, as written in the path
	// lagging are the targets that a refusal answered. Each gets one 404 after the refusal.
	lagging map[ledger.Target]bool
	// refused is closed at the next answer of a refusal.
	refused chan struct{}
	// delayed are the accounts whose next answer is delayed. The channel is closed when the
	// answer is made.
	delayed map[string]chan struct{}
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

func newGate(
	next http.Handler, steadySince func(caller string) (since time.Time, steady bool),
) *gate {
	paces := map[schema.Provider]*pace{}
	for p := range ratesPerS {
		paces[p] = &pace{}
	}
	return &gate{
		next:        next,
		served:      ledger.NewServed(),
		steadySince: steadySince,
		pulse:       &arrival.Pulse{},
		paces:       paces,
		down:        map[string]outage{},
		lagging:     map[ledger.Target]bool{},
		refused:     make(chan struct{}),
		delayed:     map[string]chan struct{}{},
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

// ServeHTTP serves a call without the first part of its path.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	serve := func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, caller) }
	http.StripPrefix("/"+caller, http.HandlerFunc(serve)).ServeHTTP(w, r)
}

// serve passes a call on to the fake providers, except in an outage or a refusal, and once after a
// refusal.
func (g *gate) serve(w http.ResponseWriter, r *http.Request, caller string) {
	c := call{ledger.ParseCall(r.URL.EscapedPath()), caller}
	out := g.noteCall(c)
	switch {
	case time.Now().Before(out.until) && out.refusal > 0:
		g.refuse(w, r, c, out)
	case time.Now().Before(out.until):
		g.served.Note(c.Call, 0, nil)
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
	p := g.paces[c.Provider]
	if p == nil {
		return outage{}
	}
	now := time.Now()
	if g.pulse.WasLate(now, now) {
		p.forget()
	} else {
		p.addCall(now, c.caller)
	}
	return g.down[c.Resource]
}

// noteHold notes that an answer asked for a hold. sent is a time just before the answer was sent.
// Calls in the hold are violations if nothing disturbed the caller, the brokers and this machine
// for heldAfter. Otherwise nobody may know of the hold: a worker may have died with the answer.
func (g *gate) noteHold(r *http.Request, c call, retryAfter string, sent time.Time) {
	seconds, err := strconv.Atoi(retryAfter)
	if err != nil || r.Context().Err() != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.paces[c.Provider]
	h := p.addHold(sent, time.Duration(seconds)*time.Second)
	time.AfterFunc(heldAfter, func() {
		since, steady := g.steadySince(c.caller)
		if !steady || since.After(sent) {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if now := time.Now(); !g.pulse.WasLate(now, now) {
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
	var sent time.Time
	tee := ledger.NewTee(w, func(status int) {
		if status == http.StatusOK {
			g.delay(c.Account)
		}
		sent = time.Now()
	})
	complete := false
	defer func() { // the fake cuts an answer by a panic, which goes on after the note
		g.served.NoteTee(c.Call, tee, complete)
		if complete && tee.Status() == http.StatusTooManyRequests {
			g.noteHold(r, c, w.Header().Get("Retry-After"), sent)
		}
	}()
	g.next.ServeHTTP(tee, r)
	complete = true
}

// refuse answers a call with a 401 or 429 after a while.
func (g *gate) refuse(w http.ResponseWriter, r *http.Request, c call, out outage) {
	g.mu.Lock()
	g.lagging[c.Target] = true
	g.mu.Unlock()
	select {
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-time.After(out.delay):
	}
	sent := time.Now()
	g.fail(w, c, out.refusal, out.retryAfter)
	_ = http.NewResponseController(w).Flush()
	g.noteHold(r, c, out.retryAfter, sent) // a 401 has none
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.refused)
	g.refused = make(chan struct{})
}

// lagsOnce reports whether the call is the first about its target after a refusal.
func (g *gate) lagsOnce(c call) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	lags := g.lagging[c.Target]
	delete(g.lagging, c.Target)
	return lags
}

// fail answers as the provider does with the status.
func (g *gate) fail(w http.ResponseWriter, c call, status int, retryAfter string) {
	g.served.Note(c.Call, status, nil)
	if err := fake.WriteError(w, string(c.Provider), status, retryAfter); err != nil {
		panic(err) // only a call to a provider has a resource
	}
}

// call is a call of an API.
type call struct {
	ledger.Call

	caller string
}

// callerName is the name of a caller: of a process, and how often it was started. What a killed
// process has asked for may be answered after its next start, and nobody gets that answer.
func callerName(process string, start int) string { return fmt.Sprintf("%s.%d", process, start) }

// parseCaller returns the parts of a caller's name.
func parseCaller(name string) (process string, start int) {
	process, number, _ := strings.Cut(name, ".")
	start, _ = strconv.Atoi(number) // 0, which no start has
	return process, start
}
