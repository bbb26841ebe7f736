package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// recent are the calls of the last judgedFor, oldest first. busiest are the most calls in such
	// a time.
	recent, busiest []arrived
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

// arrived is the arrival of a call, with the name of its caller.
type arrived struct {
	at     time.Time
	caller string
}

// hold is a time in which a provider wants no calls.
type hold struct {
	// sent is before the answer 429 was sent, until the time from which on calls are no violation.
	// last is the last call since.
	sent, until, last time.Time
	// judged is true if every further call in the hold is a violation.
	judged bool
}

// forget begins the count of calls anew.
func (p *pace) forget() { p.recent = nil }

// addCall notes a call at its arrival.
func (p *pace) addCall(now time.Time, caller string) {
	p.recent = append(p.recent, arrived{now, caller})
	for !p.recent[0].at.After(now.Add(-judgedFor)) {
		p.recent = p.recent[1:]
	}
	if len(p.recent) > len(p.busiest) {
		p.busiest = slices.Clone(p.recent)
	}
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

// describeBusiest says whose the calls of the busiest second were, and when they arrived.
func (p *pace) describeBusiest() string {
	type share struct {
		calls       int
		first, last time.Duration
	}
	shares := map[string]share{}
	for _, c := range p.busiest {
		after := c.at.Sub(p.busiest[0].at).Round(time.Millisecond)
		s, known := shares[c.caller]
		if !known {
			s.first = after
		}
		shares[c.caller] = share{s.calls + 1, s.first, after}
	}
	var parts []string
	for _, caller := range slices.Sorted(maps.Keys(shares)) {
		s := shares[caller]
		parts = append(parts, fmt.Sprintf("%s %d from %v to %v", caller, s.calls, s.first, s.last))
	}
	return strings.Join(parts, ", ")
}

// addHold notes an answer 429, which the caller has got after sent.
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
