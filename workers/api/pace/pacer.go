package pace

import (
	"context"
	"crypto/rand"
	"errors"
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
	// Watch calls changed with each budget that a process has stored, until stop is called. Some may
	// be missing or late. The zero Budget says that there is a value that cannot be read.
	Watch(changed func(b schema.Budget, revision uint64)) (stop func(), err error)
}

// Config is how a process paces its calls to one provider.
type Config struct {
	// RatePerS is the installation's rate, in calls a second, over 0.
	RatePerS float64
	Store    Store

	// OnTurn, if not nil, is called when a call gets its turn, with the time that it waited.
	OnTurn func(replay bool, waited time.Duration)
	// OnLapse, if not nil, is called with the number of turns that were taken and not used.
	OnLapse func(turns int)
	// OnRequest, if not nil, is called for each request to the store.
	OnRequest func()
	// OnFault, if not nil, is called when the store begins to fail, and with nil when it answers
	// again.
	OnFault func(error)
	// OnRates, if not nil, is called when another process has another rate.
	OnRates func(other float64)
}

const (
	// batchFor is how much of the rate a process takes at once for calls that wait.
	batchFor = 400 * time.Millisecond
	// demandFor is how much of the rate a process takes for calls to come, while its calls use up
	// what it takes.
	demandFor = 100 * time.Millisecond
	// requestFor limits one take from the store.
	requestFor = 5 * time.Second
	// aheadFor is how long before its last turn a process takes more.
	aheadFor = 50 * time.Millisecond
	// racedFor is the longest pause after another process was faster.
	racedFor = 10 * time.Millisecond
	// pauseFirst is the pause after a fault of the store. Each further pause is twice as long, up
	// to pauseMax.
	pauseFirst = 50 * time.Millisecond
	pauseMax   = time.Second
)

// Pacer gives the calls of a process to one provider their turns. It is safe for concurrent use.
type Pacer struct {
	config Config
	// by is the random name of this process.
	by       string
	interval time.Duration
	clock    clock
	stop     func()

	// taking has room for one value. Whoever puts it there may use the fields below it.
	taking chan struct{}
	// lastTake is when this process took its last turns, and lastTurns how many.
	lastTake  time.Time
	lastTurns int
	pause     time.Duration
	faulty    bool
	rates     float64

	mu    sync.Mutex
	turns turns
	// lastDue is the time of the last turn that this process has taken.
	lastDue time.Time
	// waiting are the calls of each lane without a turn, oldest first.
	waiting [lanes][]*waiter
	hold    schema.BudgetHold
	// unshared is the end of a hold that the store does not have yet, zero without one.
	unshared time.Time
	// budget and revision are the last that this process knows. stale is true if they must be read.
	budget   schema.Budget
	revision uint64
	stale    bool
	// succeeded is true if a call succeeded since the last hold.
	succeeded bool
	// changed is closed when there are turns, or another hold.
	changed chan struct{}
	onHold  []func(left time.Duration)
}

// New returns a Pacer. It asks nothing of the store before the first call waits.
func New(config Config) (*Pacer, error) {
	if !(config.RatePerS > 0) || math.IsInf(config.RatePerS, 0) {
		return nil, errors.New("calls a second: must be above 0")
	}
	p := &Pacer{
		config:   config,
		by:       rand.Text(),
		interval: schema.Interval(config.RatePerS),
		taking:   make(chan struct{}, 1),
		stale:    true,
		rates:    config.RatePerS,
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
		due, changed, left := p.pop(w)
		switch {
		case left > 0:
			return left, nil
		case due.IsZero():
			p.getTurns(ctx, w.lane, changed)
		case p.await(ctx, due):
			if p.config.OnTurn != nil {
				p.config.OnTurn(w.lane == replay, time.Since(w.began))
			}
			return 0, nil
		default:
			p.enter(w)
		}
	}
	return 0, context.Cause(ctx)
}

// pop returns the time of a turn for the call, which then no longer waits for one, or the time that
// is left of a hold. Without both, changed is closed when it makes sense to ask again.
func (p *Pacer) pop(w *waiter) (due time.Time, changed <-chan struct{}, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	if left := p.hold.Until.Sub(now); left > 0 {
		return time.Time{}, p.changed, left
	}
	p.countLapsed(p.turns.dropLapsed(now, p.interval))
	if p.placeLocked(w) >= p.turns.count() {
		return time.Time{}, p.changed, 0
	}
	p.leaveLocked(w)
	return p.turns.pop(p.interval), nil, 0
}

func (p *Pacer) countLapsed(turns int) {
	if turns > 0 && p.config.OnLapse != nil {
		p.config.OnLapse(turns)
	}
}

// await waits for the time of a turn, and reports whether a call may start now. It may not if a
// hold began meanwhile or if the turn has lapsed: the turn is then lost. If ctx ended, another call
// of this process may use the turn.
func (p *Pacer) await(ctx context.Context, due time.Time) bool {
	inTime := sleep(ctx, due.Sub(p.clock.now()), nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	switch {
	case p.hold.Until.After(now), isLapsed(due, now):
		p.countLapsed(1)
		return false
	case !inTime:
		p.turns = slices.Insert(p.turns, 0, batch{next: due, earliest: due, left: 1})
		p.announceLocked()
		return false
	default:
		return true
	}
}

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
	pause := p.takeOnce(ctx, lane)
	<-p.taking
	sleep(ctx, pause, changed)
}

// tooEarly returns how long a lane must wait before it takes turns. No process takes more turns
// before its last one has come near. Replays take turns only if none is taken for a time to come.
func (p *Pacer) tooEarly(lane lane) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	early := p.lastDue.Add(-aheadFor).Sub(now)
	if ahead := p.budget.Next.Sub(now); lane == replay && ahead > 0 {
		early = max(early, ahead+jitter(p.interval))
	}
	return early
}

// takeOnce takes turns once, and returns the pause before another try.
func (p *Pacer) takeOnce(ctx context.Context, lane lane) (pause time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, requestFor)
	defer cancel()
	err := p.take(ctx, lane)
	switch {
	case err == nil:
		p.noteFault(nil)
		return 0
	case errors.Is(err, errRaced): // the other process was faster, and the store answers
		p.noteFault(nil)
		return jitter(racedFor)
	case ctx.Err() != nil && context.Cause(ctx) == context.Canceled:
		return 0
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
	if p.config.OnFault != nil {
		p.config.OnFault(err)
	}
}

// errRaced means that another process changed the budget at the same time.
var errRaced = errors.New("another process changed the budget")

// take takes turns of the budget for the calls that wait.
func (p *Pacer) take(ctx context.Context, lane lane) error {
	if p.untaken(lane) == 0 || p.tooEarly(lane) > 0 { // another call has just taken turns
		return nil
	}
	budget, revision, err := p.read(ctx)
	if err != nil {
		return err
	}
	now := p.clock.now()
	if budget.Hold.Until.After(now) || lane == replay && budget.Next.After(now) {
		return nil
	}
	wish := schema.Taking{
		By: p.by, Now: now, RatePerS: p.config.RatePerS, Turns: p.batch(lane),
		Replays: lane == replay, Waited: p.longestWait(),
	}
	after, first := budget.Take(wish)
	if p.hasSucceeded() {
		after.Hold.Guesses = 0
	}
	if err := p.swap(ctx, after, revision); err != nil {
		return err
	}
	p.addTurns(first, now, wish.Turns)
	return nil
}

// read returns the budget. It asks the store only if this process does not know the budget.
func (p *Pacer) read(ctx context.Context) (b schema.Budget, revision uint64, err error) {
	if err := p.clock.sync(ctx, p.now); err != nil {
		return b, 0, err
	}
	b, revision, stale := p.known()
	if !stale {
		return b, revision, nil
	}
	p.request()
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
	p.noteRate(b.RatePerS)
	p.replace(b, revision)
	return b, revision, nil
}

func (p *Pacer) known() (b schema.Budget, revision uint64, stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.budget, p.revision, p.stale
}

func (p *Pacer) now(ctx context.Context) (time.Time, error) {
	p.request()
	return p.config.Store.Now(ctx)
}

func (p *Pacer) request() {
	if p.config.OnRequest != nil {
		p.config.OnRequest()
	}
}

// noteRate tells of another process with another rate, once for each rate.
func (p *Pacer) noteRate(other float64) {
	if other <= 0 || other == p.rates {
		return
	}
	p.rates = other
	if other != p.config.RatePerS && p.config.OnRates != nil {
		p.config.OnRates(other)
	}
}

// swap stores the budget. The error is errRaced if another process was faster.
func (p *Pacer) swap(ctx context.Context, after schema.Budget, revision uint64) error {
	p.request()
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

// batch is how many turns to take: one for each call that waits, within batchFor of the rate. While
// the calls use up what this process takes, it takes twice as many as before, within demandFor.
func (p *Pacer) batch(lane lane) int {
	inTime := func(d time.Duration) int { return int(p.config.RatePerS * d.Seconds()) }
	n := min(p.untaken(lane), max(1, inTime(batchFor)))
	if time.Since(p.lastTake) < demandFor {
		n = max(n, min(2*p.lastTurns, inTime(demandFor)))
	}
	p.lastTake = time.Now()
	p.lastTurns = n
	return n
}

// addTurns adds turns that were taken at the time now.
func (p *Pacer) addTurns(first, now time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns = append(p.turns, batch{next: first, earliest: now, left: n})
	p.lastDue = first.Add(time.Duration(n-1) * p.interval)
	p.announceLocked()
}

// announceLocked tells the calls that wait to look again.
func (p *Pacer) announceLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
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
}

// setStale says that the store has, or may have, a later budget than that of the revision.
func (p *Pacer) setStale(revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.revision <= revision {
		p.stale = true
	}
}
