package pace

import (
	"context"
	"errors"
	"time"

	"github.com/wagewire/wagewire/schema"
)

const (
	// batchFor is how much of the rate a process takes at once for calls that wait.
	batchFor = 400 * time.Millisecond
	// demandFor is how much of the rate a process takes for calls to come, while its calls use up
	// what it takes.
	demandFor = 100 * time.Millisecond
	// requestFor limits one take from the store.
	requestFor = 5 * time.Second
	// aheadFor is how long before its last turn a process takes more.
	aheadFor = 100 * time.Millisecond
	// slowMax is how late the turns are at most that a process takes from a slow store.
	slowMax = 2 * time.Second
	// racedFor is the longest pause after another process was faster.
	racedFor = 10 * time.Millisecond
	// pauseFirst is the pause after a fault of the store. Each further pause is twice as long, up
	// to pauseMax.
	pauseFirst = 50 * time.Millisecond
	pauseMax   = time.Second
)

// getTurns takes turns for the lane, unless another call of this process does. It returns when the
// call should look again: after a change, a fault, or the time that the lane must let pass.
func (p *Pacer) getTurns(ctx context.Context, lane lane, changed <-chan struct{}) {
	if early := p.tooEarly(lane); early > 0 {
		sleep(ctx, early, changed)
		return
	}
	select {
	case p.taking <- struct{}{}:
	case <-changed:
		return
	case <-ctx.Done():
		return
	}
	defer func() { <-p.taking }()
	if p.untaken(lane) > 0 && p.tooEarly(lane) <= 0 { // no other call was faster
		p.rest(p.takeOnce(ctx, lane))
	}
}

// rest lets this process ask the store for nothing until the pause is over.
func (p *Pacer) rest(pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = time.Now().Add(pause)
}

// tooEarly returns how long a lane must wait before it takes turns. No process takes more turns
// before its last one has come near, nor in the pause after a fault. Replays take turns only if
// none is taken for a time to come.
func (p *Pacer) tooEarly(lane lane) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	early := max(p.lastDue.Add(-aheadFor).Sub(now), time.Until(p.resting))
	if ahead := p.budget.Next.Sub(now); lane == replay && ahead > 0 {
		early = max(early, ahead+jitter(p.interval))
	}
	return early
}

// takeOnce takes turns once, and returns the pause before another try.
func (p *Pacer) takeOnce(ctx context.Context, lane lane) (pause time.Duration) {
	return p.judge(ctx, func(ctx context.Context) error { return p.take(ctx, lane) })
}

// judge asks the store, and returns the pause before another try, 0 after a success.
func (p *Pacer) judge(
	ctx context.Context, ask func(context.Context) error,
) (pause time.Duration) {
	inTime, cancel := context.WithTimeout(ctx, requestFor)
	defer cancel()
	err := ask(inTime)
	switch {
	case err == nil:
		p.noteFault(nil)
		return 0
	case errors.Is(err, errRaced): // the other process was faster, and the store answers
		p.noteFault(nil)
		return jitter(racedFor)
	case ctx.Err() != nil: // the call has ended, and the store is not at fault
		return racedFor
	default:
		p.noteFault(err)
		p.pause = min(max(2*p.pause, pauseFirst), pauseMax)
		return p.pause
	}
}

// noteFault tells of the first fault in a row, and of its end.
func (p *Pacer) noteFault(err error) {
	if err == nil {
		p.pause = 0
	}
	if (err != nil) == p.faulty {
		return
	}
	p.faulty = err != nil
	p.config.OnFault(err)
}

// take takes turns of the budget for the calls that wait.
func (p *Pacer) take(ctx context.Context, lane lane) error {
	budget, revision, err := p.read(ctx)
	if err != nil {
		return err
	}
	now := p.clock.now()
	if budget.Hold.Until.After(now) || lane == replay && budget.Next.After(now) {
		return nil
	}
	known := now.Add(p.slow())
	wish := schema.Taking{
		Now: known, RatePerS: p.config.RatePerS, Turns: p.wanted(lane),
		Replays: lane == replay, Waited: p.longestWait(),
	}
	after, first := budget.Take(wish)
	if p.hasSucceeded() {
		after.Hold.Guesses = 0
	}
	if err := p.swap(ctx, after, revision); err != nil {
		return err
	}
	p.addTurns(first, known, wish.Turns)
	return nil
}

// slow is how much later than now this process will know of its turns, if the store was slow twice.
// Turns that have lapsed when the store answers would be of no use.
func (p *Pacer) slow() time.Duration {
	return min(p.took[0], p.took[1], slowMax)
}

// wanted is how many turns to take: one for each call that waits, within batchFor of the rate.
// While the calls use up what this process takes, it takes twice as many as before, within
// demandFor.
func (p *Pacer) wanted(lane lane) int {
	inTime := func(d time.Duration) int { return int(p.config.RatePerS * d.Seconds()) }
	n := min(p.untaken(lane), max(1, inTime(batchFor)))
	if time.Since(p.lastTake) < demandFor {
		n = max(n, min(2*p.lastTurns, inTime(demandFor)))
	}
	p.lastTake = time.Now()
	p.lastTurns = n
	return n
}

// addTurns adds turns. Those that the budget has saved may be used from the time of the take.
func (p *Pacer) addTurns(first, taken time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns = append(p.turns, batch{next: first, earliest: taken, left: n})
	p.lastDue = first.Add(time.Duration(n-1) * p.interval)
	p.announceLocked()
}
