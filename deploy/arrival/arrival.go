// Package arrival judges how fast calls arrived at a provider's API, on a machine that may stall.
// The calls of a stall arrive late and close together, so they say nothing about the workers.
package arrival

import (
	"context"
	"sync"
	"time"
)

const (
	// LateMax is how long a call may be on its way from the turn of its worker to the API.
	LateMax = 100 * time.Millisecond
	// RecoverFor is how long after a stall calls may still arrive late.
	RecoverFor = time.Second

	beatEvery = 10 * time.Millisecond
)

// Busiest returns the largest number of calls within a time, wherever the time begins: the first
// call may arrive LateMax after its turn, and the last one at once. It leaves out the times in
// which calls may have been later, and returns how many calls were the last of a time that counts.
// The arrivals are in their order.
func Busiest(
	arrivals []time.Time, within time.Duration, wasLate func(from, to time.Time) bool,
) (most, judged int) {
	window := within - LateMax
	first := 0
	for i, at := range arrivals {
		for at.Sub(arrivals[first]) >= window {
			first++
		}
		if !wasLate(at.Add(-window), at) {
			most = max(most, i-first+1)
			judged++
		}
	}
	return most, judged
}

// Pulse notices when this process gets no processor. Its zero value is ready to Run.
type Pulse struct {
	mu     sync.Mutex
	beat   time.Time
	stalls []Gap
}

// Gap is a time in which something was away.
type Gap struct{ From, To time.Time }

// Overlap returns how much of the gap is between two times.
func (g Gap) Overlap(from, to time.Time) time.Duration {
	if g.From.After(from) {
		from = g.From
	}
	if g.To.Before(to) {
		to = g.To
	}
	return max(0, to.Sub(from))
}

// Run notes stalls until ctx ends.
func (p *Pulse) Run(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		p.note(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *Pulse) note(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.beat.IsZero() && now.Sub(p.beat) > LateMax {
		p.stalls = append(p.stalls, Gap{p.beat, now})
	}
	p.beat = now
}

// WasLate reports whether the process stalled between two times, or so lately before that calls may
// have arrived late.
func (p *Pulse) WasLate(from, to time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	from = from.Add(-RecoverFor)
	for _, g := range p.stalls {
		if g.Overlap(from, to) > 0 {
			return true
		}
	}
	return false
}
