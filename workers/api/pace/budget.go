package pace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// errRaced means that another process changed the budget at the same time.
var errRaced = errors.New("another process changed the budget")

// Learn returns when this process knows the budget, with a hold that another process began, or at
// the end of ctx.
func (p *Pacer) Learn(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case p.taking <- struct{}{}:
		case <-ctx.Done():
			return
		}
		pause := p.judge(ctx, func(ctx context.Context) error {
			_, _, err := p.read(ctx)
			return err
		})
		<-p.taking
		if pause == 0 {
			return
		}
		sleep(ctx, pause, nil)
	}
}

// read returns the budget. It asks the store only if this process does not know the budget.
func (p *Pacer) read(ctx context.Context) (b schema.Budget, revision uint64, err error) {
	if err := p.clock.sync(ctx, p.now); err != nil {
		return b, 0, err
	}
	b, before, stale := p.known()
	if !stale {
		return b, before, nil
	}
	p.config.OnRequest()
	b, revision, err = p.config.Store.Load(ctx)
	unreadable := errors.Is(err, schema.ErrBudgetUnreadable)
	if err != nil && !unreadable {
		return b, 0, err
	}
	now := p.clock.now()
	switch {
	case unreadable, !b.IsPlausible(now):
		p.noteFault(fmt.Errorf("the budget begins anew, with no turn in the next second: %w",
			schema.ErrBudgetUnreadable))
		return p.begin(ctx, b.Reset(now), revision)
	case b.Version == 0 && (revision > 0 || before > 0): // somebody deleted it
		return p.begin(ctx, b.Reset(now), revision)
	}
	b, revision = p.replace(b, revision, before)
	return b, revision, nil
}

// begin stores a new budget, and returns it.
func (p *Pacer) begin(
	ctx context.Context, anew schema.Budget, revision uint64,
) (b schema.Budget, next uint64, err error) {
	if err := p.swap(ctx, anew, revision); err != nil {
		return b, 0, err
	}
	b, next, _ = p.known()
	return b, next, nil
}

func (p *Pacer) known() (b schema.Budget, revision uint64, stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.budget, p.revision, p.stale
}

func (p *Pacer) now(ctx context.Context) (time.Time, error) {
	p.config.OnRequest()
	return p.config.Store.Now(ctx)
}

// swap stores the budget. The error is errRaced if another process was faster.
func (p *Pacer) swap(ctx context.Context, after schema.Budget, revision uint64) error {
	p.config.OnRequest()
	began := time.Now()
	next, swapped, err := p.config.Store.Swap(ctx, after, revision)
	p.took = [2]time.Duration{time.Since(began), p.took[0]}
	if err == nil && !swapped {
		err = errRaced
	}
	if err != nil {
		p.setStale(revision)
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if next > p.revision || p.stale {
		p.replaceLocked(after, next)
	}
	return nil
}

// hear learns of a budget that a process has stored.
func (p *Pacer) hear(b schema.Budget, revision uint64) {
	switch {
	case !p.clock.isSet(): // this process has not called yet, and will read the budget
	case b.Version == 0 || !b.IsPlausible(p.clock.now()):
		p.setStale(revision)
	default:
		p.adopt(b, revision)
	}
}

// adopt takes over a budget of the store, unless this process knows a later one.
func (p *Pacer) adopt(b schema.Budget, revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if revision > p.revision || revision == p.revision && p.stale {
		p.replaceLocked(b, revision)
	}
}

// replace takes over a budget that was read, unless this process has learned of another one since
// the revision before. The revision that was read may be an earlier one, if somebody has made the
// store anew. It returns what this process now knows.
func (p *Pacer) replace(
	b schema.Budget, revision, before uint64,
) (known schema.Budget, knownRevision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.revision == before {
		p.replaceLocked(b, revision)
	}
	return p.budget, p.revision
}

func (p *Pacer) replaceLocked(b schema.Budget, revision uint64) {
	p.budget = b
	p.revision = revision
	p.stale = false
	if !p.lastDue.IsZero() && b.Next.Before(p.lastDue) { // somebody began the budget anew
		p.voidLocked()
	}
	p.adoptHoldLocked(b.Hold)
	other := b.RatePerS
	if other > 0 && other != p.config.RatePerS && other != p.otherRate {
		p.otherRate = other
		p.config.OnRate(other)
	}
}

// setStale says that the store has, or may have, a later budget than that of the revision.
func (p *Pacer) setStale(revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.revision <= revision {
		p.stale = true
	}
}
