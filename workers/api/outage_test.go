package api_test

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// In the worst case, everything that an outage left undone is redelivered in the moment in which
// the outage ends.
func TestAfterAnOutageTheFirstMinutesCallsKeepTheRate(t *testing.T) {
	const rate, burst, callers, each = 10, 5, 100, 10
	for promise, outage := range map[string]reply{
		"of 503":           replyWith(503, ""),
		"of the network":   failWith(syscall.ECONNREFUSED),
		"that is a 429":    replyWith(429, "", "Retry-After", "600"),
		"of unsaid length": replyWith(429, ""),
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ends := time.Now().Add(10 * time.Minute)
				over := make(chan struct{})
				time.AfterFunc(time.Until(ends), func() { close(over) })
				f := &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
					if time.Now().Before(ends) {
						return outage(r)
					}
					return replyWith(200, "{}")(r)
				}}}
				c := client(t, f, func(cfg *settings) { cfg.Pace = paced(t, rate) })
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for got := 0; got < each; {
							if getParked(t, c) == nil {
								got++
							} else {
								<-over
							}
						}
					})
				}
				all.Wait()
				var first time.Time
				calls := 0
				for _, at := range f.calls {
					if at.Before(ends) {
						continue
					}
					if first.IsZero() {
						first = at
					}
					if at.Before(first.Add(time.Minute)) {
						calls++
					}
				}
				if most := rate*60 + burst; calls > most || calls < most-2*rate {
					t.Errorf("%d calls in the first minute, want %d at most and few less", calls,
						most)
				}
			})
		})
	}
}
