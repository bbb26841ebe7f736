package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/retry"
	"github.com/wagewire/wagewire/deploy/shelf"
)

const (
	// runMostDefault is how many messages a run takes unless the person says another number, and
	// runMostMax how many at most.
	runMostDefault = 1_000
	runMostMax     = 10_000
	// runRateDefault and runRateMax are how many messages a second a run takes.
	runRateDefault = 20
	runRateMax     = 1_000
	// planFor is how long a plan may be made, and plannedFor how long it can be started.
	planFor    = 10 * time.Minute
	plannedFor = 15 * time.Minute
	// stepFor is the limit for a message. A message in hand is finished after every end of a run,
	// unless that takes longer than actFor: it may then be half done.
	stepFor = time.Minute
	// failedMax is how many messages may fail in turn until the run stops.
	failedMax = 5
	// askEvery is after how many messages a plan asks whether the planner may still act.
	askEvery = 1_000
	// keptMax and sentMax are how many kept messages and sent events a report lists, and reasonsMax
	// how many reasons.
	keptMax    = 100
	sentMax    = 100
	reasonsMax = 50
)

// runState is how far a run has come:
//
//	planning ──▶ planned ──▶ running ──▶ done
//	    │           │ └ after 15 minutes ─▶ expired
//	    └───────────┴───────────┴─▶ cancelled, or stopped by an error or a lost role
type runState string

const (
	runPlanning  runState = "planning"
	runPlanned   runState = "planned"
	runExpired   runState = "expired"
	runRunning   runState = "running"
	runDone      runState = "done"
	runCancelled runState = "cancelled"
	runStopped   runState = "stopped"
)

// isOver reports whether nothing happens any more.
func (s runState) isOver() bool {
	return s != runPlanning && s != runPlanned && s != runRunning
}

// task is the wish of a person about messages of a shelf.
type task struct {
	board
	// action is the verb of the command: redrive, release or discard.
	action string
	// flags choose the messages, as flags or numbers of the command.
	flags []string
	// isFiltered: a filter chooses the messages, and not a number.
	isFiltered bool
	most       int
	rate       int
}

// report is the present knowledge about a run.
type report struct {
	State runState
	// Why says why the run was stopped or cancelled.
	Why string
	// Planner has planned the run, and Starter has started it, "" if nobody has.
	Planner, Starter                  string
	PlannedAt, ReadyAt, StartedAt, At time.Time // At is the end
	// Stored is the number of messages on the shelf, and Looked the number looked at.
	Stored uint64
	Looked int
	// Matched counts the messages of the filter, and Chosen the messages of the run.
	Matched, Chosen int
	Groups          []group
	Rests           []retry.Rest
	// Preview has the results of the first Checked messages, and Result the results of the run.
	Checked int
	Preview tally
	Result  tally
	// Done counts the messages with a result, and Failed those with an error, which stay.
	Done, Failed int
}

// group counts the chosen messages of two words: queue and class, or provider and reason.
type group struct {
	words [2]string
	count int
}

// tally counts results.
type tally struct {
	counts map[shelf.Result]int
	// reasons counts the kept messages by reason, and kept has the first messages.
	reasons map[string]int
	kept    []keptMessage
	// sent are the keys of the first events that were sent.
	sent []string
}

// failed is the result of a message with an error. It stays on the shelf.
const failed shelf.Result = "failed"

type keptMessage struct {
	number uint64
	reason string
}

// otherReasons stands for the reasons beyond reasonsMax.
const otherReasons = "other reasons"

func newTally() tally {
	return tally{counts: map[shelf.Result]int{}, reasons: map[string]int{}}
}

func (t *tally) add(number uint64, o shelf.Outcome) {
	t.counts[o.Result]++
	if o.Result == shelf.Sent && o.Key != "" && len(t.sent) < sentMax {
		t.sent = append(t.sent, o.Key)
	}
	if o.Result != shelf.Kept && o.Result != failed {
		return
	}
	reason := o.Obstacle
	if _, isCounted := t.reasons[reason]; !isCounted && len(t.reasons) >= reasonsMax {
		reason = otherReasons
	}
	t.reasons[reason]++
	if len(t.kept) < keptMax {
		t.kept = append(t.kept, keptMessage{number, o.Obstacle})
	}
}

func (t *tally) clone() tally {
	return tally{maps.Clone(t.counts), maps.Clone(t.reasons), slices.Clone(t.kept),
		slices.Clone(t.sent)}
}

// run is a task under way: first a plan, and if somebody starts the plan, exactly the planned
// messages. It is safe for concurrent use.
type run struct {
	id   string
	task task
	work work
	// hands has a place for the run with a message of the shelf in hand.
	hands chan struct{}
	// readers has a place for the plan that reads a history.
	readers chan struct{}
	// may returns nil if a person may act at this moment.
	may func(context.Context, person) error
	// connected returns an error while the broker is away.
	connected func() error
	// audit logs the end of an action.
	audit func(who actor, action string, fields ...zap.Field)
	// tell is called after each change of the report.
	tell func()

	mu     sync.Mutex
	now    report
	actor  actor // the planner, and then the starter
	cancel context.CancelCauseFunc
}

// actor is a person, and the address from which the request of the person came.
type actor struct {
	person

	peer string
}

// The causes of the end of a run.
var (
	errConsoleStops = errors.New("the console was stopped")
	errFault        = errors.New("the console has a fault: see the log")
	errSlow         = fmt.Errorf("the plan was not made within %s: choose fewer messages", planFor)
)

// cancelledError says who has cancelled a run.
type cancelledError struct{ by string }

// Error says who.
func (e *cancelledError) Error() string { return "cancelled by " + e.by }

// wrongStateError says that the state of a run does not allow an action.
type wrongStateError struct{ state runState }

// Error names the state.
func (e *wrongStateError) Error() string {
	switch e.state {
	case runExpired:
		return "The plan is older than 15 minutes. Make another: the messages may have changed."
	case runPlanning:
		return "The plan is not ready yet."
	default:
		return fmt.Sprintf("The run is %s: it was started or ended before.", e.state)
	}
}

// get returns the report.
func (r *run) get(now time.Time) report {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	current := r.now
	current.Groups = slices.Clone(current.Groups)
	current.Preview = current.Preview.clone()
	current.Result = current.Result.clone()
	return current
}

// expire ends an old plan without a start. The caller holds the lock.
func (r *run) expire(now time.Time) {
	if r.now.State == runPlanned && now.Sub(r.now.ReadyAt) > plannedFor {
		r.now.State = runExpired
		r.now.At = r.now.ReadyAt.Add(plannedFor)
		r.work.drop()
		r.logEnd()
	}
}

func (r *run) update(change func(*report)) {
	defer r.tell()
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.now)
}

// survive ends the run if a function panics. The log has the place, and no value: a value may be of
// a message.
func (r *run) survive(ctx context.Context) {
	if fault := recover(); fault != nil {
		r.audit(r.actor, r.task.action+" failed", zap.String("run", r.id),
			zap.String("error", fmt.Sprintf("panic: %T", fault)), zap.Stack("stack"))
		r.end(ctx, runDone, errFault)
	}
}

// plan finds the messages, and checks the first ones. The broker is not changed.
func (r *run) plan(ctx context.Context) {
	defer r.survive(ctx)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, planFor, errSlow)
	defer cancel()
	err := r.find(ctx, stop)
	if err == nil {
		err = r.preview(ctx)
	}
	r.end(ctx, runPlanned, err)
}

func (r *run) find(ctx context.Context, stop context.CancelCauseFunc) error {
	stored, err := r.work.stored(ctx)
	if err != nil {
		return err
	}
	r.update(func(now *report) { now.Stored = stored })
	looked := func(n int) {
		if n%askEvery == 0 {
			if err := r.may(ctx, r.actor.person); err != nil {
				stop(err)
			}
		}
		r.update(func(now *report) { now.Looked = n })
	}
	found, err := r.work.find(ctx, r.task.most, looked)
	if err != nil {
		return err
	}
	r.update(func(now *report) {
		now.Matched = found.matched
		now.Chosen = r.work.count()
		now.Groups = found.groups
		now.Rests = found.rests
	})
	return nil
}

func (r *run) preview(ctx context.Context) error {
	work, canPreview := r.work.(previewer)
	if !canPreview {
		return nil
	}
	if err := r.open(ctx, work); err != nil {
		return err
	}
	inTurn := 0
	for i := range min(r.work.count(), shelf.PreviewMax) {
		err := context.Cause(ctx)
		if err == nil {
			err = r.may(ctx, r.actor.person)
		}
		if err != nil {
			return err
		}
		number, outcome, err := check(ctx, work, i)
		if err == nil {
			inTurn = 0
		} else {
			inTurn++
			if r.stopsRun(inTurn) || ctx.Err() != nil {
				return fmt.Errorf("check %s %d: %w", r.task.noun, number, err)
			}
			outcome = failure(err)
		}
		r.update(func(now *report) {
			now.Checked++
			now.Preview.add(number, outcome)
		})
	}
	return nil
}

// open reads what was stored of the messages: only one plan does at a time.
func (r *run) open(ctx context.Context, work previewer) error {
	select {
	case r.readers <- struct{}{}:
		defer func() { <-r.readers }()
		return work.open(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stopsRun reports whether so many errors in turn are more than those of single messages.
func (r *run) stopsRun(inTurn int) bool { return inTurn >= failedMax || r.connected() != nil }

func failure(err error) shelf.Outcome {
	return shelf.Outcome{Result: failed, Obstacle: advice.OnBroker(err).Error()}
}

func check(
	ctx context.Context, work previewer, i int,
) (number uint64, outcome shelf.Outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepFor)
	defer cancel()
	return work.preview(ctx, i)
}

// start lets exactly one person start a plan.
func (r *run) start(who actor, cancel context.CancelCauseFunc) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.expire(now)
	if r.now.State != runPlanned {
		return &wrongStateError{r.now.State}
	}
	r.now.State = runRunning
	r.now.Starter = who.name
	r.now.StartedAt = now
	r.actor = who
	r.cancel = cancel
	return nil
}

// stop cancels a run that is not over. A message in hand is finished.
func (r *run) stop(p person) error {
	why := &cancelledError{p.name}
	r.mu.Lock()
	now := time.Now()
	r.expire(now)
	state := r.now.State
	switch {
	case state.isOver():
	case state == runPlanned:
		r.cancelPlan(why, now)
	default:
		r.cancel(why)
	}
	r.mu.Unlock()
	r.tell()
	if state.isOver() {
		return &wrongStateError{state}
	}
	return nil
}

// replace cancels a plan that nobody has started, because its planner makes others.
func (r *run) replace() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.State == runPlanned {
		r.cancelPlan(&cancelledError{"newer plans of " + r.now.Planner}, time.Now())
	}
}

// cancelPlan cancels a plan that nobody has started. The caller holds the lock.
func (r *run) cancelPlan(why *cancelledError, now time.Time) {
	r.now.State = runCancelled
	r.now.Why = why.Error()
	r.now.At = now
	r.work.drop()
	r.logEnd()
}

// do takes the planned messages in order, at the rate, until an error of more than one message.
func (r *run) do(ctx context.Context) {
	defer r.survive(ctx)
	pace := time.NewTicker(time.Second / time.Duration(r.task.rate))
	defer pace.Stop()
	inTurn := 0
	for i := range r.work.count() {
		if i > 0 {
			select {
			case <-ctx.Done():
			case <-pace.C:
			}
		}
		hasFailed, err := r.step(ctx, i)
		if !hasFailed {
			inTurn = 0
		} else {
			inTurn++
		}
		if err != nil && (!hasFailed || ctx.Err() != nil || r.stopsRun(inTurn)) {
			r.end(ctx, runDone, err)
			return
		}
	}
	r.end(ctx, runDone, nil)
}

// step takes a message, if the person may still act. Two runs never have messages of a shelf in
// hand at the same time, so both reports are exact. hasFailed: the error is of the message.
func (r *run) step(ctx context.Context, i int) (hasFailed bool, err error) {
	select {
	case r.hands <- struct{}{}:
		defer func() { <-r.hands }()
	case <-ctx.Done():
	}
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	if err := r.may(ctx, r.actor.person); err != nil {
		return false, err
	}
	hand, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepFor)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(actFor, cancel) })()
	number, outcome, err := r.work.send(hand, i)
	if err != nil {
		r.update(func(now *report) {
			now.Failed++
			now.Result.add(number, failure(err))
		})
		return true, fmt.Errorf("%s %s %d: %w", r.task.action, r.task.noun, number, err)
	}
	r.update(func(now *report) {
		now.Done++
		now.Result.add(number, outcome)
	})
	return false, nil
}

// end ends the plan or the run. Without an error the next state is runPlanned or runDone. A cancel
// that was accepted counts, unless every message was taken.
func (r *run) end(ctx context.Context, next runState, err error) {
	r.update(func(now *report) {
		now.At = time.Now()
		now.State = next
		isCancelled := false
		reason := err
		if cause := context.Cause(ctx); cause != nil && (err != nil || next == runPlanned) {
			_, isCancelled = errors.AsType[*cancelledError](cause)
			reason = both(cause, err, ctx.Err())
		}
		switch {
		case isCancelled:
			now.State = runCancelled
			now.Why = reason.Error()
		case reason != nil:
			now.State = runStopped
			now.Why = advice.OnBroker(reason).Error()
		case now.Chosen == 0: // there is nothing to start
			now.State = runDone
		}
		if now.State == runPlanned {
			now.ReadyAt = now.At
			time.AfterFunc(plannedFor+time.Second, func() { r.get(time.Now()) })
			return
		}
		r.work.drop()
		r.logEnd()
	})
}

// both joins the cause of an end with an error that is not only its consequence.
func both(cause, err, consequence error) error {
	if err == nil || errors.Is(err, cause) || errors.Is(err, consequence) {
		return cause
	}
	return fmt.Errorf("%w; %w", cause, err)
}

// logEnd logs how the plan or the run ended. The caller holds the lock.
func (r *run) logEnd() {
	last := &r.now
	counts := last.Result.counts
	action := r.task.action + " ended"
	if last.Starter == "" {
		action = "plan ended"
	}
	r.audit(r.actor, action, zap.String("run", r.id), zap.String("result", string(last.State)),
		zap.String("why", plain.Text(last.Why)), zap.Int("messages", last.Chosen),
		zap.Int("sent", counts[shelf.Sent]), zap.Int("sent_before", counts[shelf.SentBefore]),
		zap.Int("discarded", counts[shelf.Discarded]), zap.Int("gone", counts[shelf.Gone]),
		zap.Int("kept", counts[shelf.Kept]), zap.Int("failed", last.Failed))
}
