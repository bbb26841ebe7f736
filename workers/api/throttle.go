package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// How long a hold lasts when the API does not say: full jitter, growing with
// every such hold until a call succeeds.
const (
	holdBase = time.Second
	holdMax  = time.Minute
)

// throttle is the hold that every call of a Client waits for after a 429.
type throttle struct {
	mu     sync.Mutex
	until  time.Time
	unsaid int // holds since the last success of which the API did not say how long
}

// left is how long the hold still lasts; not positive when there is none.
func (t *throttle) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.until)
}

// hold starts or extends the hold after a call, sent at the given time, was
// answered with 429; it never shortens it. It returns the hold's end and
// whether that moved.
func (t *throttle) hold(sent time.Time, said time.Duration) (until time.Time, moved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if said <= 0 {
		// Calls already under way when the hold began are no news.
		if !sent.Before(t.until) {
			t.unsaid++
		}
		said = fullJitter(holdBase, holdMax, max(0, t.unsaid-1))
	}
	if until := time.Now().Add(said); until.After(t.until) {
		t.until, moved = until, true
	}
	return t.until, moved
}

// clear is told of a success.
func (t *throttle) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsaid = 0
}

// retryAfter is the Retry-After of an answer, at most RetryAfterMax; 0 when it
// is absent, in the past, or neither seconds nor a date. A date is measured
// against the answer's own Date, so that our clock does not matter.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(s, uint64(RetryAfterMax/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(0, at.Sub(now)), RetryAfterMax)
}

// pauses are the waits between the tries of one Get. The package's own
// exponential backoff waits half to one and a half of each step; full jitter
// spreads callers better.
type pauses struct {
	left time.Duration // of RetryFor
	n    int
}

func (p *pauses) Reset() {}

func (p *pauses) NextBackOff() time.Duration {
	pause := fullJitter(pauseBase, pauseMax, p.n)
	p.n++
	p.left -= pause
	if p.left <= 0 {
		return backoff.Stop
	}
	return pause
}

// fullJitter is uniform between 0 and base·2ⁿ, at most limit.
func fullJitter(base, limit time.Duration, n int) time.Duration {
	return rand.N(min(limit, base<<min(n, 16)) + 1)
}

// sleep waits for d or for the end of ctx, whichever is first.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil || d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
