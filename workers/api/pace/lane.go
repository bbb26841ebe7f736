package pace

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// lane is an order of calls: those of replayed events come after those of fresh events.
type lane int

const (
	fresh lane = iota
	replay
	lanes
)

type replayKey struct{}

// AsReplay returns a ctx whose calls come after the calls of fresh events, in every process.
func AsReplay(ctx context.Context) context.Context {
	return context.WithValue(ctx, replayKey{}, true)
}

func laneOf(ctx context.Context) lane {
	if ctx.Value(replayKey{}) != nil {
		return replay
	}
	return fresh
}

// waiter is a call that waits for a turn.
type waiter struct {
	lane  lane
	began time.Time
}

// enter lets a call wait for a turn. Older calls of the lane come first.
func (p *Pacer) enter(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.waiting[w.lane]
	i := len(waiting)
	for i > 0 && w.began.Before(waiting[i-1].began) {
		i--
	}
	p.waiting[w.lane] = slices.Insert(waiting, i, w)
}

// leave ends the wait of a call, if it still waits.
func (p *Pacer) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(w)
}

func (p *Pacer) leaveLocked(w *waiter) {
	if i := slices.Index(p.waiting[w.lane], w); i >= 0 {
		p.waiting[w.lane] = slices.Delete(p.waiting[w.lane], i, i+1)
	}
}

// placeLocked is how many calls come before the call.
func (p *Pacer) placeLocked(w *waiter) int {
	place := slices.Index(p.waiting[w.lane], w)
	if w.lane == replay {
		place += len(p.waiting[fresh])
	}
	return place
}

// untaken is how many calls wait without a turn of this process: of the lane, and of those that
// come before it.
func (p *Pacer) untaken(lane lane) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := -p.turns.count()
	for l := range lane + 1 {
		n += len(p.waiting[l])
	}
	return max(0, n)
}

// longestWait is how long the oldest call waits.
func (p *Pacer) longestWait() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	longest := time.Duration(0)
	for _, waiting := range p.waiting {
		if len(waiting) > 0 {
			longest = max(longest, time.Since(waiting[0].began))
		}
	}
	return longest
}

// sleep waits for d, for the end of ctx, or for changed.
func sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
	}
}

// jitter is a random time below d, so that processes that waited for the same moment do not act at
// the same time.
func jitter(d time.Duration) time.Duration { return rand.N(d + 1) }
