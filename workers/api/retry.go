package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// The limits of the pauses between the tries of a Get: the first at most pauseBase, then at most
// twice as long each time, never over pauseMax.
const (
	pauseBase = 250 * time.Millisecond
	pauseMax  = 4 * time.Second
)

// retries are the pauses between the tries of one Get, and what the tries left behind.
type retries struct {
	*backoff.ExponentialBackOff
	left    time.Duration // the rest of RetryFor
	sent    int           // tries so far
	ours    time.Duration // spent on waits for a turn and for room in the Memory
	lastErr error         // of the last try not answered 401; nil if there was none
	refused []string      // the secrets that were answered 401
	refusal error         // the last 401; nil if there was none
}

func newRetries() *retries {
	// A factor of 1 makes each pause random between 0 and twice the interval. Full jitter spreads
	// callers better than the library's default, half to one and a half of the interval.
	return &retries{left: RetryFor, ExponentialBackOff: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(pauseBase/2),
		backoff.WithMaxInterval(pauseMax/2),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxElapsedTime(0), // no limit: retries has one
	)}
}

// NextBackOff returns the pause before the next try, or backoff.Stop if no time is left. The
// library's own limit would count holds and waits for a turn too.
func (r *retries) NextBackOff() time.Duration {
	pause := r.ExponentialBackOff.NextBackOff()
	r.left -= pause
	if r.left <= 0 {
		return backoff.Stop
	}
	return pause
}

// retryAfter returns the Retry-After of an answer, at most RetryAfterMax. The result is 0 if the
// header is absent, in the past, or neither a number of seconds nor a date. A date is compared
// with the answer's own Date, because our clock may be wrong.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	seconds, err := strconv.ParseUint(text, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(RetryAfterMax/time.Second))) * time.Second
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

// sleep waits for d or for the end of ctx. The error is the cause of ctx's end.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil || d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
