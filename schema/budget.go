package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// The key-value bucket of the providers' budgets. Each provider has a key: its name.
const (
	BudgetsBucket = "WAGEWIRE_BUDGETS"
	// BudgetsStream is the stream of the bucket, as NATS names it (ADR-8).
	BudgetsStream = "KV_" + BudgetsBucket

	budgetSubjects       = "$KV." + BudgetsBucket + "."
	storedBudgetSubjects = root + "budgets."
)

// BudgetVersion is the version of the format of a Budget that this release reads and writes.
const BudgetVersion = 1

// Limits of a budget. With them, no second has more calls than the rate and its Burst, and no
// minute more than 60 times the rate: see Budget.Take.
const (
	// RateMin is the lowest rate, in calls a second: one call an hour.
	RateMin = 1.0 / 3600
	// BurstFor is how long a budget saves the turns that nobody takes. They may start at once.
	BurstFor = 250 * time.Millisecond
	// LapseAfter is how long after its time a turn may be used.
	LapseAfter = 200 * time.Millisecond
	// slower makes the turns a hundredth slower than the rate. Without it, a minute that begins
	// with a burst would have more than 60 times the rate.
	slower = 1.01
	// holdMax is longer than the longest hold of a worker, 15 minutes.
	holdMax = 20 * time.Minute
	// aheadMax is longer than the turns that hundreds of processes have taken.
	aheadMax = 2 * time.Minute
	// aheadTurns is the same for rates that are so low that each process has taken one turn.
	aheadTurns = 100
)

// Errors of ParseBudget.
var (
	ErrBudgetUnreadable = errors.New("the value is not a budget")
	// ErrBudgetNewer says what to do.
	ErrBudgetNewer = errors.New("a newer release of Wagewire wrote the value: run that release " +
		"here too, or begin anew: wagewire budget reset")
)

// Budget is what every process of an installation knows about the calls to a provider. Processes
// change it only by compare-and-set. All times are the broker's, so the clock of a process does not
// matter.
//
// The budget gives out turns. A turn is the right to start one call at a time or within LapseAfter.
type Budget struct {
	Version int `json:"version"`
	// RatePerS is the rate of the process that wrote the budget, in calls a second.
	RatePerS float64 `json:"rate_per_s"`
	// Next is the time of the first turn that is not taken. A time to come means that the turns
	// until then are taken.
	Next time.Time  `json:"next"`
	Hold BudgetHold `json:"hold,omitzero"`
	// Minute and LastMinute count the turns taken in the current minute and in the last one. They
	// are for people.
	Minute     BudgetMinute `json:"minute"`
	LastMinute BudgetMinute `json:"last_minute"`
}

// IsPlausible reports whether processes of this release could have written the budget at the given
// time of the broker. A budget that is not plausible would stop all calls for hours: somebody
// changed it by hand, or the broker's clock went back.
func (b Budget) IsPlausible(now time.Time) bool {
	if b.Hold.Until.After(now.Add(holdMax)) {
		return false
	}
	ahead := aheadMax
	if b.RatePerS >= RateMin {
		ahead = max(ahead, aheadTurns*Interval(b.RatePerS))
	}
	from := now
	if b.Hold.Until.After(now) {
		from = b.Hold.Until
	}
	return !b.Next.After(from.Add(ahead))
}

// BudgetHold is the time for which a provider that answered 429 gets no calls.
type BudgetHold struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Guesses counts the holds since the last success for which the provider gave no length.
	Guesses int `json:"guesses,omitempty"`
}

// BudgetMinute counts the turns taken in a minute.
type BudgetMinute struct {
	Began time.Time `json:"began"`
	Turns int       `json:"turns"`
	// Replays are the turns for replayed events, out of Turns.
	Replays int `json:"replays,omitempty"`
	// WaitedS is the longest wait of a call for its turn, in seconds.
	WaitedS float64 `json:"waited_s"`
}

// Taking is a wish for turns.
type Taking struct {
	// Now is the broker's time, or a little later: when the process will know of its turns.
	Now      time.Time
	RatePerS float64
	Turns    int
	// Replays is true if the turns are for replayed events.
	Replays bool
	// Waited is how long the longest waiting call has waited.
	Waited time.Duration
}

// Interval is the time between two turns at the rate, in calls a second.
func Interval(ratePerS float64) time.Duration {
	return time.Duration(math.Ceil(slower * float64(time.Second) / ratePerS))
}

// Burst is how many calls more than the rate a provider may see in a second: half the rate, rounded
// up.
func Burst(ratePerS float64) int { return int(math.Ceil(ratePerS / 2)) }

// Take takes turns. It returns the budget afterwards, and the time of the first turn: the others
// follow at each Interval. It is the generic cell rate algorithm: Next is the theoretical arrival
// time, and BurstFor the tolerance.
//
// The calls of any second belong to turns of 1 s + BurstFor + LapseAfter. So there are at most
// 1.45 · rate / 1.01 + 1 of them, rounded down. For every whole rate, that is no more than the rate
// and its Burst; for others, than the rate rounded up and its Burst. In the same way, a minute has
// at most 60.45 · rate / 1.01 + 1 calls, rounded down: no more than 60 times the rate, if that is
// whole. A test tries both for many rates.
func (b Budget) Take(t Taking) (after Budget, first time.Time) {
	first = b.Next
	if saved := t.Now.Add(-BurstFor); first.Before(saved) {
		first = saved
	}
	after = b.written(t.RatePerS, t.Now)
	after.Next = first.Add(time.Duration(t.Turns) * Interval(t.RatePerS))
	after.Minute.Turns += t.Turns
	if t.Replays {
		after.Minute.Replays += t.Turns
	}
	waited := t.Waited + max(0, first.Sub(t.Now))
	after.Minute.WaitedS = max(after.Minute.WaitedS, waited.Round(time.Millisecond).Seconds())
	return after, first
}

// WithHold returns the budget with a hold until the given time, and without turns before.
func (b Budget) WithHold(ratePerS float64, now, until time.Time, guesses int) Budget {
	after := b.written(ratePerS, now)
	if !b.Hold.Until.After(now) {
		after.Hold.Since = now
	}
	after.Hold.Until = until
	after.Hold.Guesses = guesses
	if after.Next.Before(until) {
		after.Next = until
	}
	return after
}

// Reset returns a new budget without a hold, that gives its first turn in a second. By then, each
// process has heard that its turns of the old budget are void. Reset keeps the counts.
func (b Budget) Reset(now time.Time) Budget {
	after := b.written(b.RatePerS, now)
	after.Hold = BudgetHold{}
	after.Next = now.Add(time.Second)
	return after
}

// written returns the budget as a process writes it now, in the minute of now.
func (b Budget) written(ratePerS float64, now time.Time) Budget {
	b.Version = BudgetVersion
	b.RatePerS = ratePerS
	if minute := now.Truncate(time.Minute); minute.After(b.Minute.Began) {
		b.LastMinute = b.Minute
		b.Minute = BudgetMinute{Began: minute}
	}
	return b
}

// MinuteBefore returns the counts of the whole minute before now.
func (b Budget) MinuteBefore(now time.Time) BudgetMinute {
	before := now.Truncate(time.Minute).Add(-time.Minute)
	for _, m := range []BudgetMinute{b.Minute, b.LastMinute} {
		if m.Began.Equal(before) {
			return m
		}
	}
	return BudgetMinute{Began: before}
}

// ParseBudget reads the value of a key. The error is ErrBudgetNewer or ErrBudgetUnreadable.
func ParseBudget(value []byte) (Budget, error) {
	var format struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(value, &format); err != nil || format.Version < 1 {
		return Budget{}, ErrBudgetUnreadable
	}
	if format.Version > BudgetVersion {
		return Budget{}, fmt.Errorf("version %d of the format: %w", format.Version, ErrBudgetNewer)
	}
	var b Budget
	if err := json.Unmarshal(value, &b); err != nil {
		return Budget{}, ErrBudgetUnreadable
	}
	return b, nil
}

// BudgetSubject is the subject of a provider's key in the bucket.
func BudgetSubject(p Provider) string { return budgetSubjects + string(p) }

// StoredBudgetSubject is the subject on which the broker publishes the value of a provider's key
// again, after it has stored the value.
func StoredBudgetSubject(p Provider) string { return storedBudgetSubjects + string(p) }
