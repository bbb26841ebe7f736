package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// heldAfter is how long after a 429 the processes may still call. In this time the caller reads the
// answer and stores the hold, and the other processes hear of the hold.
const heldAfter = time.Second

// callsMax returns how many calls a provider may get in a second from all processes together: the
// rate, and half of the rate as a burst.
func callsMax(p schema.Provider) int {
	rate := providers[p].ratePerS
	return rate + (rate+1)/2
}

// pace is how fast all processes together call a provider.
type pace struct {
	// recent are the arrivals of the last second, oldest first. most is the highest number of
	// arrivals in a second.
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
	// sent is when the answer 429 was sent. last is the last call since.
	sent, until, last time.Time
	// judged is true if every further call in the hold is a violation.
	judged bool
}

// addCall notes a call at its arrival.
func (p *pace) addCall(now time.Time, caller string) {
	p.recent = append(p.recent, now)
	for !p.recent[0].After(now.Add(-time.Second)) {
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
			caller, h.last.Sub(h.sent).Round(time.Millisecond), h.until.Sub(h.sent))
	}
}

// addHold notes an answer 429.
func (p *pace) addHold(sent time.Time, length time.Duration) *hold {
	h := &hold{sent: sent, until: sent.Add(length), last: sent}
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
