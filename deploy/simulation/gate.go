package simulation

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wagewire/wagewire/deploy/arrival"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

const (
	// slowFor is longer than a call may take.
	slowFor = 20 * time.Second
	// lagFor is shorter.
	lagFor = 3 * time.Second
)

// garbage is an answer that breaks off.
const garbage = `{"data": {"id": 7, `

// gate is a handler in front of the fake providers. It lets faults answer, notes each answer, and
// counts the calls.
type gate struct {
	world *world

	mu     sync.Mutex
	faults []Fault
	fired  map[string]bool // faults by description
	calls  map[schema.Provider][]time.Time
	bad    map[ledger.Target][]badAnswer
	// holds are the times for which a provider asked for no calls.
	holds map[schema.Provider][]holding
}

// badAnswer is an answer that is a failure of the event, by its class.
type badAnswer struct {
	at    time.Time
	class schema.Class
}

// holding is a hold that a provider asked for.
type holding struct{ sent, until time.Time }

func newGate(w *world) *gate {
	return &gate{
		world: w, fired: map[string]bool{}, calls: map[schema.Provider][]time.Time{},
		bad: map[ledger.Target][]badAnswer{}, holds: map[schema.Provider][]holding{},
	}
}

func (g *gate) begin(f Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, f)
}

func (g *gate) end(f Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.faults, f); i >= 0 {
		g.faults = slices.Delete(g.faults, i, i+1)
	}
}

// ServeHTTP serves a call of a worker.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := ledger.ParseCall(r.URL.EscapedPath())
	f, isFaulty := g.noteCall(c)
	if !isFaulty {
		g.pass(w, r, c)
		return
	}
	switch f.Kind {
	case Cut:
		g.note(c, 0, nil)
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // closes the connection
	case Slow:
		g.note(c, 0, nil)
		g.world.sleep(r.Context(), slowFor)
		panic(http.ErrAbortHandler)
	case Lag:
		g.pass(w, r, c)
		g.world.sleep(r.Context(), lagFor) // the server sends a short answer at the end
	case Garbled:
		g.note(c, http.StatusOK, []byte(garbage))
		_, _ = w.Write([]byte(garbage))
	default:
		g.note(c, f.Status, nil)
		if f.Status == http.StatusTooManyRequests {
			g.noteHold(c.Provider, f.RetryAfter)
		}
		if err := fake.WriteError(w, string(c.Provider), f.Status, f.RetryAfter); err != nil {
			panic(err) // only a call to a provider has a fault
		}
	}
}

// noteCall counts a call, and returns the first fault that concerns it.
func (g *gate) noteCall(c ledger.Call) (f Fault, isFaulty bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.calls[c.Provider] = append(g.calls[c.Provider], now)
	for _, h := range g.holds[c.Provider] {
		if now.After(h.sent.Add(heldAfter)) && now.Before(h.until) {
			g.world.violate("fast", string(c.Provider), "a call %v after an answer 429, and %v "+
				"before the end of the hold", now.Sub(h.sent), h.until.Sub(now))
		}
	}
	for _, f := range g.faults {
		if g.concerns(f, c) {
			g.fired[f.String()] = true
			return f, true
		}
	}
	return Fault{}, false
}

// heldAfter is how long after a 429 other calls may still arrive: until every process has heard of
// the hold.
const heldAfter = time.Second

func (g *gate) concerns(f Fault, c ledger.Call) bool {
	switch {
	case f.Provider != "" && f.Provider != c.Provider:
		return false
	case f.Resource != "" && string(f.Resource) != c.Resource:
		return false
	case f.Person > 0:
		return g.world.isAbout(c.Account, f.Person)
	default:
		return true
	}
}

// noteHold notes for how long a provider asks for no calls. A provider that names no time may be
// called again when the worker likes.
func (g *gate) noteHold(p schema.Provider, retryAfter string) {
	asked, err := time.ParseDuration(retryAfter + "s")
	if err != nil {
		return
	}
	const longest = 15 * time.Minute // a worker waits no longer
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds[p] = append(g.holds[p], holding{now, now.Add(min(asked, longest))})
}

// forgetHolds is called when an operator or a fault may have let the line forget the holds.
func (g *gate) forgetHolds() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.holds)
}

// pass lets the fake providers answer, and notes the answer.
func (g *gate) pass(w http.ResponseWriter, r *http.Request, c ledger.Call) {
	tee := ledger.NewTee(w, func(int) {})
	status := 0
	defer func() { // the fake cuts an answer by a panic
		g.world.served.NoteTee(c, tee, status > 0)
		g.noteClass(c, status, nil)
	}()
	g.world.fake.ServeHTTP(tee, r)
	status = tee.Status()
}

// note notes an answer. Status 0 is no whole answer.
func (g *gate) note(c ledger.Call, status int, body []byte) {
	g.world.served.Note(c, status, body)
	g.noteClass(c, status, body)
}

// noteClass notes an answer if it is a failure.
func (g *gate) noteClass(c ledger.Call, status int, body []byte) {
	class := g.classOf(c, status, body)
	if class == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.bad[c.Target] = append(g.bad[c.Target], badAnswer{now, class})
	if status == http.StatusGone { // one of several records of the event may be gone
		g.bad[c.Target] = append(g.bad[c.Target], badAnswer{now, schema.ClassNotReady})
	}
}

// classOf returns the class of failures that an answer is, "" if it is none.
func (g *gate) classOf(c ledger.Call, status int, body []byte) schema.Class {
	switch {
	case status == http.StatusOK && string(body) == garbage:
		return schema.ClassTransient
	case status == http.StatusOK && g.world.isStale(c.Account):
		return schema.ClassNotReady
	case status == http.StatusOK:
		return ""
	default:
		return ledger.ClassOf(status)
	}
}

// had reports whether the provider gave a bad answer of the class about the target in a time.
func (g *gate) had(t ledger.Target, class schema.Class, from, to time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.bad[t], func(b badAnswer) bool {
		return b.class == class && !b.at.Before(from) && !b.at.After(to)
	})
}

// checkRates checks that no provider got more calls than its rate allows, in any window of these
// lengths.
func (g *gate) checkRates() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p, calls := range g.calls {
		rate := g.world.schedule.Rates[p]
		for window, most := range map[time.Duration]float64{
			time.Second: max(1, rate) + float64(schema.Burst(rate)),
			time.Minute: 60 * rate,
			time.Hour:   3600 * rate,
		} {
			// No call is late in virtual time, so the whole window counts.
			n, _ := arrival.Busiest(calls, window+arrival.LateMax, neverLate)
			if float64(n) > most {
				g.world.violate("fast", string(p), "%d calls in %v, and at most %v are allowed",
					n, window, most)
			}
		}
	}
}

func neverLate(_, _ time.Time) bool { return false }

func describe(t ledger.Target) string { return fmt.Sprintf("%s of %s", t.Resource, t.Account) }
