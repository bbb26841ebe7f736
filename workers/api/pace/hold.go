package pace

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// The limits of a hold for which the provider gave no length: at most holdBase the first time, each
// later time at most twice as long as the time before, never over holdMax, until a call succeeds.
const (
	holdBase = time.Second
	holdMax  = time.Minute
)

// Held returns how long the hold still lasts, as far as this process knows. The result is not
// positive without a hold.
func (p *Pacer) Held() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hold.Until.Sub(p.clock.now())
}

// Succeeded makes the next hold without a length a short one.
func (p *Pacer) Succeeded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.succeeded = true
}

func (p *Pacer) hasSucceeded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.succeeded
}

// Hold begins or extends the hold after a 429, for every process, and never shortens it. sent is
// when the call started. retryAfter is how long the provider asks to wait, 0 if it does not say.
// This process holds at once. Hold returns after the store has the hold, at the end of the hold, or
// at the end of ctx. The end of the hold is in the store's time.
func (p *Pacer) Hold(ctx context.Context, sent time.Time, retryAfter time.Duration) {
	until, guesses, moved := p.beginHold(sent, retryAfter)
	if !moved {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, until.Sub(p.clock.now()))
	defer cancel()
	for ctx.Err() == nil {
		select {
		case p.taking <- struct{}{}:
		case <-ctx.Done():
			return
		}
		pause, stored := p.shareOnce(ctx, until, guesses)
		<-p.taking
		if stored {
			p.noteShared(until)
			return
		}
		sleep(ctx, pause, nil)
	}
}

// noteShared says that the store has the hold.
func (p *Pacer) noteShared(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.unshared.After(until) {
		p.unshared = time.Time{}
	}
}

// beginHold holds the calls of this process.
func (p *Pacer) beginHold(
	sent time.Time, retryAfter time.Duration,
) (until time.Time, guesses int, moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	guesses = p.hold.Guesses
	if p.succeeded {
		guesses = 0
	}
	if retryAfter <= 0 {
		// A call started before the end of the hold does not make the next hold longer.
		if !now.Add(-time.Since(sent)).Before(p.hold.Until) {
			guesses++
		}
		retryAfter = rand.N(min(holdMax, holdBase<<min(max(0, guesses-1), 16)) + 1)
	}
	until = p.clock.latest().Add(retryAfter)
	if !until.After(p.hold.Until) {
		return until, guesses, false
	}
	p.unshared = until
	p.holdLocked(schema.BudgetHold{Since: now, Until: until, Guesses: guesses})
	return until, guesses, true
}

// shareOnce stores the hold, unless the store has a longer one. It returns the pause before another
// try.
func (p *Pacer) shareOnce(
	ctx context.Context, until time.Time, guesses int,
) (pause time.Duration, stored bool) {
	inTime, cancel := context.WithTimeout(ctx, requestFor)
	defer cancel()
	err := p.share(inTime, until, guesses)
	switch {
	case err == nil:
		p.noteFault(nil)
		return 0, true
	case errors.Is(err, errRaced), ctx.Err() != nil:
		return 0, false
	default:
		p.noteFault(err)
		return pauseFirst, false
	}
}

func (p *Pacer) share(ctx context.Context, until time.Time, guesses int) error {
	budget, revision, err := p.read(ctx)
	if err != nil || !until.After(budget.Hold.Until) {
		return err
	}
	now := p.clock.now()
	after := budget.WithHold(p.config.RatePerS, now, until, guesses)
	return p.swap(ctx, after, revision)
}

// adoptHoldLocked takes over the hold of the store, also an earlier end, unless the store does not
// have the hold of this process yet.
func (p *Pacer) adoptHoldLocked(h schema.BudgetHold) {
	if !p.unshared.After(p.clock.now()) || h.Until.After(p.hold.Until) {
		p.holdLocked(h)
	}
}

// holdLocked sets the hold. The turns of this process are lost: otherwise they would all be used at
// the end of the hold.
func (p *Pacer) holdLocked(h schema.BudgetHold) {
	before := p.hold.Until
	p.hold = h
	if h.Until.Equal(before) {
		return
	}
	now := p.clock.now()
	switch {
	case h.Until.After(now):
		p.voidLocked()
		p.succeeded = p.succeeded && before.After(h.Until)
	case before.After(now):
		p.announceLocked()
	default: // both are over
		return
	}
	for _, call := range p.onHold {
		call(max(0, h.Until.Sub(now)))
	}
}
