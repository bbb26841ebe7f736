package pace

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// Store keeps a provider's budget for all processes of an installation.
type Store interface {
	// Load reads the budget. The error wraps schema.ErrBudgetUnreadable if the value cannot be
	// read: the revision is then right, and Swap may replace the value.
	Load(ctx context.Context) (b schema.Budget, revision uint64, err error)
	// Swap stores the budget unless the value was changed since the revision.
	Swap(ctx context.Context, b schema.Budget, revision uint64) (next uint64, swapped bool,
		err error)
	// Now returns the time of the store. It is never later than the store's clock at the return.
	Now(ctx context.Context) (time.Time, error)
	// Watch calls changed with each budget that a process has stored, until stop is called. Some
	// may be missing or late. The zero Budget says that there is a value that cannot be read.
	Watch(changed func(b schema.Budget, revision uint64)) (stop func(), err error)
}

// Config is how a process paces its calls to one provider.
type Config struct {
	// RatePerS is the installation's rate, in calls a second, over 0.
	RatePerS float64
	Store    Store

	// The functions may be nil, and must not wait.

	// OnTurn is called when a call gets its turn, with the time that the call waited.
	OnTurn func(replay bool, waited time.Duration)
	// OnLapse is called with the number of turns that were taken and not used.
	OnLapse func(turns int)
	// OnRequest is called for each request to the store.
	OnRequest func()
	// OnFault is called when the store begins to fail, and with nil when it answers again.
	OnFault func(error)
	// OnRate is called when another process has another rate, once for each rate.
	OnRate func(other float64)
}

// withHooks returns c with a function in the place of each nil.
func (c Config) withHooks() Config {
	if c.OnTurn == nil {
		c.OnTurn = func(bool, time.Duration) {}
	}
	if c.OnLapse == nil {
		c.OnLapse = func(int) {}
	}
	if c.OnRequest == nil {
		c.OnRequest = func() {}
	}
	if c.OnFault == nil {
		c.OnFault = func(error) {}
	}
	if c.OnRate == nil {
		c.OnRate = func(float64) {}
	}
	return c
}

// Pacer gives the calls of a process to one provider their turns. It is safe for concurrent use.
type Pacer struct {
	config   Config
	interval time.Duration
	clock    clock
	stop     func()

	// taking has room for one value. Whoever puts it there may use the fields below it.
	taking chan struct{}
	// lastTake is when this process took its last turns, and lastTurns how many.
	lastTake  time.Time
	lastTurns int
	// took is how long the last two changes of the store took.
	took [2]time.Duration
	// pause is the last pause after a fault.
	pause  time.Duration
	faulty bool

	mu    sync.Mutex
	turns turns
	// lastDue is the time of the last turn that this process has taken, zero if none is valid.
	lastDue time.Time
	// voided counts how often the turns of this process became void.
	voided int
	// resting ends the pause after a fault or a race.
	resting time.Time
	// waiting are the calls of each lane without a turn, oldest first.
	waiting [lanes][]*waiter
	hold    schema.BudgetHold
	// unshared is the end of a hold that the store does not have yet, zero without one.
	unshared time.Time
	// budget and revision are the last that this process knows. stale is true if they must be read.
	budget   schema.Budget
	revision uint64
	stale    bool
	// otherRate is the last rate of another process that was told.
	otherRate float64
	// succeeded is true if a call succeeded since the last hold.
	succeeded bool
	// changed is closed when there are turns, or another hold.
	changed chan struct{}
	onHold  []func(left time.Duration)
}

// New returns a Pacer. It asks nothing of the store before the first call waits.
func New(config Config) (*Pacer, error) {
	if !(config.RatePerS >= schema.RateMin) || math.IsInf(config.RatePerS, 0) {
		return nil, fmt.Errorf("%v calls a second: must be one call an hour at least",
			config.RatePerS)
	}
	p := &Pacer{
		config:   config.withHooks(),
		interval: schema.Interval(config.RatePerS),
		taking:   make(chan struct{}, 1),
		stale:    true,
		changed:  make(chan struct{}),
	}
	var err error
	p.stop, err = config.Store.Watch(p.hear)
	return p, err
}

// Close ends the watch of the store.
func (p *Pacer) Close() { p.stop() }

// OnHold registers a function that is called when a hold begins or gets another end, whichever
// process the provider answered 429, with the time that is left. 0 means that an operator has ended
// the hold. The function must not wait.
func (p *Pacer) OnHold(call func(left time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onHold = append(p.onHold, call)
}

// Wait returns when a call may start. During a hold Wait returns at once, with the time that is
// left: no call may start. The error is the cause of ctx's end. While the store does not answer, or
// its value is from a newer release, Wait goes on waiting.
func (p *Pacer) Wait(ctx context.Context) (held time.Duration, err error) {
	w := &waiter{lane: laneOf(ctx), began: time.Now()}
	p.enter(w)
	defer p.leave(w)
	for ctx.Err() == nil {
		mine, changed, left := p.pop(w)
		switch {
		case left > 0:
			return left, nil
		case mine == turn{}:
			p.getTurns(ctx, w.lane, changed)
		case p.await(ctx, mine):
			p.config.OnTurn(w.lane == replay, time.Since(w.began))
			return 0, nil
		default:
			p.enter(w)
		}
	}
	return 0, context.Cause(ctx)
}

// turn is a turn that a call has got.
type turn struct {
	due time.Time
	// voided is Pacer.voided of the time when the turn was valid.
	voided int
}

// pop returns a turn for the call, which then no longer waits for one, or the time that is left of
// a hold. Without both, changed is closed when it makes sense to ask again.
func (p *Pacer) pop(w *waiter) (mine turn, changed <-chan struct{}, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	if left := p.hold.Until.Sub(now); left > 0 {
		return turn{}, p.changed, left
	}
	p.countLapsed(p.turns.dropLapsed(now, p.interval))
	if p.placeLocked(w) >= p.turns.count() {
		return turn{}, p.changed, 0
	}
	p.leaveLocked(w)
	return turn{p.turns.pop(p.interval), p.voided}, nil, 0
}

func (p *Pacer) countLapsed(turns int) {
	if turns > 0 {
		p.config.OnLapse(turns)
	}
}

// await waits for the time of a turn, and reports whether a call may start now. It may not if the
// turn became void or has lapsed: the turn is then lost. If ctx ended, another call of this process
// may use the turn.
func (p *Pacer) await(ctx context.Context, t turn) bool {
	for {
		changed, left := p.check(t)
		if left > 0 && ctx.Err() == nil {
			sleep(ctx, left, changed)
			continue
		}
		return p.use(ctx, t)
	}
}

// check returns how long it is until the turn, 0 if its time has come or if it became void. The
// channel is closed when the turn may have become void.
func (p *Pacer) check(t turn) (changed <-chan struct{}, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.voided != p.voided {
		return p.changed, 0
	}
	return p.changed, t.due.Sub(p.clock.now())
}

// use reports whether a call may start now with the turn.
func (p *Pacer) use(ctx context.Context, t turn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	switch {
	case t.voided != p.voided, p.hold.Until.After(now), isLapsed(t.due, now):
		p.countLapsed(1)
		return false
	case ctx.Err() != nil:
		p.turns = slices.Insert(p.turns, 0, batch{next: t.due, earliest: t.due, left: 1})
		p.announceLocked()
		return false
	default:
		return true
	}
}

// voidLocked makes all turns of this process void.
func (p *Pacer) voidLocked() {
	p.countLapsed(p.turns.count())
	p.turns = nil
	p.lastDue = time.Time{}
	p.voided++
	p.announceLocked()
}

// announceLocked tells the calls that wait to look again.
func (p *Pacer) announceLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}
