package api

import (
	"sync"
	"time"
)

// The limits of a hold for which the API gave no length: at most holdBase the first time, each
// later time at most twice as long as the time before, never over holdMax, until a call succeeds.
const (
	holdBase = time.Second
	holdMax  = time.Minute
)

// throttle is the hold after a 429. Every call of a Client waits until the hold ends.
type throttle struct {
	mu    sync.Mutex
	until time.Time
	// guesses counts the holds since the last success for which the API gave no length.
	guesses int
}

// left returns how long the hold still lasts. The result is not positive if there is no hold.
func (t *throttle) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.until)
}

// hold starts or extends the hold after a 429; it never shortens the hold. sent is when the call
// started. retryAfter is how long the API asks to wait, 0 if it does not say. hold returns the
// end of the hold and whether the end moved.
func (t *throttle) hold(sent time.Time, retryAfter time.Duration) (until time.Time, moved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if retryAfter <= 0 {
		// A call started before the end of the hold does not make the next hold longer.
		if !sent.Before(t.until) {
			t.guesses++
		}
		retryAfter = fullJitter(holdBase, holdMax, max(0, t.guesses-1))
	}
	until = time.Now().Add(retryAfter)
	if !until.After(t.until) {
		return t.until, false
	}
	t.until = until
	return until, true
}

// clear makes the next hold without a length a short one. It is called after a success.
func (t *throttle) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.guesses = 0
}
