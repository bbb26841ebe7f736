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

// read returns the budget. It asks the store only if this process does not know the budget.
func (p *Pacer) read(ctx context.Context) (b schema.Budget, revision uint64, err error) {
	if err := p.clock.sync(ctx, p.now); err != nil {
		return b, 0, err
	}
	b, revision, stale := p.known()
	if !stale {
		return b, revision, nil
	}
	p.config.OnRequest()
	b, revision, err = p.config.Store.Load(ctx)
	unreadable := errors.Is(err, schema.ErrBudgetUnreadable)
	if err != nil && !unreadable {
		return b, 0, err
	}
	now := p.clock.now()
	if unreadable || !b.IsPlausible(now) {
		p.noteFault(fmt.Errorf("the budget is replaced, with no turn in the next second: %w",
			schema.ErrBudgetUnreadable))
		return schema.Budget{}.Reset(now), revision, nil
	}
	p.replace(b, revision)
	return b, revision, nil
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
	next, swapped, err := p.config.Store.Swap(ctx, after, revision)
	if err == nil && !swapped {
		err = errRaced
	}
	if err != nil {
		p.setStale(revision)
		return err
	}
	p.adopt(after, next)
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

// replace takes over a budget that was read: its revision may be an earlier one, if somebody has
// made the store anew.
func (p *Pacer) replace(b schema.Budget, revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replaceLocked(b, revision)
}

func (p *Pacer) replaceLocked(b schema.Budget, revision uint64) {
	p.budget = b
	p.revision = revision
	p.stale = false
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
