package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/wagewire/wagewire/deploy/arrival"
	"github.com/wagewire/wagewire/schema"
)

// heldAfter is how long after a 429 the processes may still call. In this time the caller reads the
// answer and stores the hold, and the other processes hear of the hold.
const heldAfter = time.Second

// lateMax is how long a call may be on its way from the turn of its worker to the gate. For as long
// a process may be wrong about the time of the broker.
const lateMax = arrival.LateMax

// judgedFor is how long calls are counted together. They were sent within a second: the first
// lateMax before its arrival, the last at its arrival.
const judgedFor = time.Second - lateMax

// callsMax returns how many calls a provider may get in a second from all processes together.
func callsMax(p schema.Provider) int {
	rate := ratesPerS[p]
	return rate + schema.Burst(float64(rate))
}

// pace is how fast all processes together call a provider.
type pace struct {
	// recent are the arrivals of the last judgedFor, oldest first. most is the highest number of
	// arrivals in such a time.
	recent []time.Time
	most   int
	// holds are the holds that last. asked is the number of all holds, judged the number of holds
	// that were judged.
	holds         []*hold
	asked, judged int
	// latest is the longest time from the answer of a judged hold to a call within heldAfter.
	latest time.Duration
	// inside is the number of calls in judged holds. firstInside describes the first.
	inside      int
	firstInside string
}

// hold is a time in which a provider wants no calls.
type hold struct {
	// sent is when the answer 429 was sent, until the time from which on calls are no violation.
	// last is the last call since.
	sent, until, last time.Time
	// judged is true if every further call in the hold is a violation.
	judged bool
}

// forget begins the count of calls anew.
func (p *pace) forget() { p.recent = nil }

// addCall notes a call at its arrival.
func (p *pace) addCall(now time.Time, caller string) {
	p.recent = append(p.recent, now)
	for !p.recent[0].After(now.Add(-judgedFor)) {
		p.recent = p.recent[1:]
	}
	p.most = max(p.most, len(p.recent))
	p.holds = slices.DeleteFunc(p.holds, func(h *hold) bool { return !now.Before(h.until) })
	for _, h := range p.holds {
		h.last = now
	}
	if i := slices.IndexFunc(p.holds, func(h *hold) bool { return h.judged }); i >= 0 {
		p.addInside(p.holds[i], caller)
	}
}

// addInside notes the last call as a violation of the hold.
func (p *pace) addInside(h *hold, caller string) {
	p.inside++
	if p.inside == 1 {
		p.firstInside = fmt.Sprintf("%s called %v after an answer that asked to wait for %v",
			caller, h.last.Sub(h.sent).Round(time.Millisecond), h.until.Add(lateMax).Sub(h.sent))
	}
}

// addHold notes an answer 429.
func (p *pace) addHold(sent time.Time, length time.Duration) *hold {
	h := &hold{sent: sent, until: sent.Add(length - lateMax), last: sent}
	p.holds = append(p.holds, h)
	p.asked++
	return h
}

// judge makes every further call in the hold a violation.
func (p *pace) judge(h *hold) {
	h.judged = true
	p.judged++
	p.latest = max(p.latest, h.last.Sub(h.sent))
}

// pulse notices when this machine had no processor or disk for the harness. The calls of that time
// arrive late and close together, so they say nothing about the workers.
type pulse struct {
	// beat is the time of the last beat, zero without a heart.
	beat time.Time
	// stalled is the end of the last stall.
	stalled time.Time
	stalls  int
}

const (
	beatEvery = 10 * time.Millisecond
	// recoverFor is how long after a stall calls may still arrive late.
	recoverFor = arrival.RecoverFor
)

// check looks for a stall since the last beat.
func (p *pulse) check(now time.Time) {
	if p.beat.IsZero() || now.Sub(p.beat) <= lateMax {
		return
	}
	p.stalled = now
	p.stalls++
	p.beat = now
}

// isSteady reports whether calls arrive in time.
func (p *pulse) isSteady(now time.Time) bool {
	return p.stalled.IsZero() || now.Sub(p.stalled) > recoverFor
}
