package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/workers/api"
)

// getParked gets things as a worker does: during a long hold, the event waits elsewhere.
func getParked(t *testing.T, c *api.Client) error {
	t.Helper()
	for {
		_, err := c.Get(t.Context(), things)
		s, ok := errors.AsType[*api.StatusError](err)
		if !ok || s.Status != http.StatusTooManyRequests {
			return err
		}
		if s.RetryAfter <= api.HoldInHandMax || s.RetryAfter > api.RetryAfterMax {
			t.Errorf("told to wait for %v", s.RetryAfter)
		}
		time.Sleep(s.RetryAfter) //nolint:forbidigo // moves the bubble's clock
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 12 Jan 2026 02:36:00 GMT"
	tests := []struct {
		promise string
		header  []string
		least   time.Duration
		most    time.Duration
	}{
		{"seconds are waited for", []string{"Retry-After", "17"}, 17 * time.Second,
			17 * time.Second},
		{"spaces do not matter", []string{"Retry-After", " 17 "}, 17 * time.Second,
			17 * time.Second},
		{"a date is measured by the API's clock",
			[]string{"Retry-After", "Mon, 12 Jan 2026 02:36:40 GMT", "Date", date},
			40 * time.Second, 40 * time.Second},
		// A bubble's clock starts at midnight, 2000-01-01.
		{"a date alone is measured by ours",
			[]string{"Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"}, time.Minute, time.Minute},
		{"2099 is cut", []string{"Retry-After", "Thu, 01 Jan 2099 00:00:00 GMT", "Date", date},
			api.RetryAfterMax, api.RetryAfterMax},
		{"a year of seconds is cut", []string{"Retry-After", "31536000"}, api.RetryAfterMax,
			api.RetryAfterMax},
		{"more seconds than an integer holds are cut",
			[]string{"Retry-After", "99999999999999999999999"}, api.RetryAfterMax,
			api.RetryAfterMax},
		{"nothing is a short hold", nil, 0, time.Second},
		{"zero is a short hold", []string{"Retry-After", "0"}, 0, time.Second},
		{"negative is a short hold", []string{"Retry-After", "-5"}, 0, time.Second},
		{"garbage is a short hold", []string{"Retry-After", "soon"}, 0, time.Second},
		{"a fraction is a short hold", []string{"Retry-After", "1.5"}, 0, time.Second},
		{"a date that has passed is a short hold",
			[]string{"Retry-After", "Mon, 12 Jan 2026 02:35:00 GMT", "Date", date}, 0, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{replies: []reply{replyWith(429, "", tt.header...), replyWith(200, "{}")}}
				var until time.Time
				p := paced(t, 1e6)
				p.OnHold(func(left time.Duration) { until = time.Now().Add(left) })
				c := client(t, f, func(cfg *settings) { cfg.Pace = p })
				err := getParked(t, c)
				if err != nil || len(f.calls) != 2 {
					t.Fatalf("%v after %d calls", err, len(f.calls))
				}
				if held := f.calls[1].Sub(f.calls[0]); held < tt.least || held > tt.most {
					t.Errorf("held for %v, want %v to %v", held, tt.least, tt.most)
				}
				if f.calls[1].Before(until) {
					t.Error("OnHold was told another time")
				}
			})
		})
	}
}

func TestThrottlingIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttled := replyWith(429, "", "Retry-After", "5")
		f := &fake{replies: []reply{throttled, throttled, replyWith(500, ""), throttled, throttled,
			replyWith(500, ""), replyWith(200, "{}")}}
		if _, err := client(t, f).Get(t.Context(), things); err != nil || len(f.calls) != 7 {
			t.Errorf("%v after %d calls", err, len(f.calls))
		}
	})
}

func TestHoldsOfUnknownLengthGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replies := append(slices.Repeat([]reply{replyWith(429, "")}, 60), replyWith(200, "{}"),
			replyWith(429, ""), replyWith(200, "{}"))
		f := &fake{replies: replies}
		var holds []time.Duration
		p := paced(t, 1e6)
		p.OnHold(func(left time.Duration) { holds = append(holds, left) })
		c := client(t, f, func(cfg *settings) { cfg.Pace = p })
		for range 2 {
			if err := getParked(t, c); err != nil {
				t.Fatal(err)
			}
		}
		for i, hold := range holds[:60] {
			if most := min(time.Minute, time.Second<<min(i, 10)); hold > most {
				t.Errorf("hold %d is %v, at most %v", i, hold, most)
			}
		}
		if slices.Max(holds[:60]) < 10*time.Second {
			t.Errorf("the longest hold is %v", slices.Max(holds))
		}
		if last := holds[60]; last > time.Second {
			t.Errorf("the first hold after a success is %v", last)
		}
	})
}

func TestAHoldHoldsEveryone(t *testing.T) {
	for promise, seconds := range map[string]string{
		"a short hold, in hand":    "4",
		"a long hold, with errors": "30",
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { holdEveryone(t, seconds) })
		})
	}
}

// holdEveryone makes many calls at once, of which the tenth is answered 429 with the Retry-After.
func holdEveryone(t *testing.T, seconds string) {
	const callers, rate = 40, 10
	f := &fake{replies: append(slices.Repeat([]reply{replyWith(200, "{}")}, 9),
		replyWith(429, "", "Retry-After", seconds), replyWith(200, "{}"))}
	var until time.Time
	p := paced(t, rate)
	p.OnHold(func(left time.Duration) { until = time.Now().Add(left) })
	c := client(t, f, func(cfg *settings) { cfg.Pace = p })

	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			if err := getParked(t, c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()

	if len(f.calls) != callers+1 {
		t.Fatalf("%d calls, want %d", len(f.calls), callers+1)
	}
	for _, at := range f.calls[10:] {
		if at.Before(until) {
			t.Errorf("a call %v before the end of the hold", until.Sub(at))
		}
	}
	// What waited comes out at the rate, not in one moment.
	for i := range f.calls[10:] {
		first := 10 + i
		last := first + rate
		if last < len(f.calls) && f.calls[last].Sub(f.calls[first]) < time.Second/2 {
			t.Errorf("%d calls within %v after the hold", rate, f.calls[last].Sub(f.calls[first]))
		}
	}
}

func TestACallerWaitsInHandForAShortRestOfAHoldOnly(t *testing.T) {
	const limit = api.HoldInHandMax
	tests := []struct {
		promise string
		hold    time.Duration // as the API asks
		late    time.Duration // after which another caller comes
		want    time.Duration // the other caller's RetryAfter; 0 if the caller waits
	}{
		{"a short hold is waited for", limit, 0, 0},
		{"a hold a second longer is not", limit + time.Second, 0, limit + time.Second},
		{"the longest hold is not", api.RetryAfterMax, time.Minute,
			api.RetryAfterMax - time.Minute},
		{"the short rest of a long hold is waited for", time.Minute, time.Minute - limit, 0},
		{"a rest a second longer is not", time.Minute, time.Minute - limit - time.Second,
			limit + time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seconds := fmt.Sprint(tt.hold.Seconds())
				f := &fake{replies: []reply{
					replyWith(429, "", "Retry-After", seconds), replyWith(200, "{}")}}
				c := client(t, f)
				began := time.Now()
				var first sync.WaitGroup
				first.Go(func() { _, _ = c.Get(t.Context(), things) })
				synctest.Wait()     // the hold has begun
				time.Sleep(tt.late) //nolint:forbidigo // moves the bubble's clock

				_, err := c.Get(t.Context(), api.Path("/v1/others"))
				took := time.Since(began).Round(time.Millisecond) // the two calls start apart
				if tt.want == 0 {
					if err != nil || took != tt.hold {
						t.Errorf("%v after %v, want an answer after %v", err, took, tt.hold)
					}
					return
				}
				got, _ := errors.AsType[*api.StatusError](err)
				want := &api.StatusError{
					Endpoint: "/v1/others", Status: 429, RetryAfter: tt.want,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
				if took != tt.late || f.callCount() != 1 {
					t.Errorf("returned after %v and %d calls, want %v and 1", took,
						f.callCount(), tt.late)
				}
			})
		})
	}
}

func TestACallerIsLetGoWhenAShortHoldBecomesALongOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowly := func(r *http.Request) (*http.Response, error) {
			time.Sleep(2 * time.Second) //nolint:forbidigo // moves the bubble's clock
			return replyWith(429, "", "Retry-After", "600")(r)
		}
		// The first call is answered in the middle of the hold that the second call begins.
		f := &fake{replies: []reply{
			slowly, replyWith(429, "", "Retry-After", "4"), replyWith(200, "{}")}}
		c := client(t, f)
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.Get(t.Context(), things) })
		synctest.Wait()
		_, err := c.Get(t.Context(), things)
		s, _ := errors.AsType[*api.StatusError](err)
		if s == nil || s.RetryAfter != 598*time.Second {
			t.Errorf("error is %#v, want a 429 for the rest of the long hold", err)
		}
		if took := time.Since(began); took != 4*time.Second || f.callCount() != 2 {
			t.Errorf("returned after %v and %d calls", took, f.callCount())
		}
		all.Wait()
	})
}

func TestAHoldIsNotShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Both calls are under way before either is answered.
		later := func(d time.Duration, a reply) reply {
			return func(r *http.Request) (*http.Response, error) {
				time.Sleep(d) //nolint:forbidigo // moves the bubble's clock
				return a(r)
			}
		}
		f := &fake{replies: []reply{
			later(time.Second, replyWith(429, "", "Retry-After", "60")),
			later(2*time.Second, replyWith(429, "", "Retry-After", "1")),
			replyWith(200, "{}"),
		}}
		began := time.Now()
		holds := 0
		p := paced(t, 1e6)
		p.OnHold(func(time.Duration) { holds++ })
		c := client(t, f, func(cfg *settings) { cfg.Pace = p })
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { _ = getParked(t, c) })
		}
		all.Wait()
		took := time.Since(began).Round(time.Millisecond) // the two calls start apart
		if took != 61*time.Second || holds != 1 {
			t.Errorf("took %v with %d holds", took, holds)
		}
	})
}

func TestManyCallsThrottledAtOnceAreOneHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 20
		slowly := func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second) //nolint:forbidigo // moves the bubble's clock
			return replyWith(429, "")(r)
		}
		f := &fake{replies: append(slices.Repeat([]reply{slowly}, callers), replyWith(200, "{}"))}
		began := time.Now()
		c := client(t, f)
		var all sync.WaitGroup
		for range callers {
			all.Go(func() { _, _ = c.Get(t.Context(), things) })
		}
		all.Wait()
		// A try of a second, and a first hold of at most one.
		if took := time.Since(began); took > 2*time.Second+time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestACallerStopsInAHoldThatAnotherBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{replies: []reply{replyWith(429, "", "Retry-After", "5"), replyWith(200, "{}")}}
		c := client(t, f)
		var first sync.WaitGroup
		first.Go(func() { _, _ = c.Get(t.Context(), things) })
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Get(ctx, api.Path("/v1/others"))
		s, _ := errors.AsType[*api.StatusError](err)
		want := &api.StatusError{Endpoint: "/v1/others", Status: 429, RetryAfter: 4 * time.Second}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
		if !errors.Is(err, context.DeadlineExceeded) || f.callCount() != 1 {
			t.Errorf("%v after %d calls", err, f.callCount())
		}
		first.Wait()
	})
}

func TestWaitingForATurnTakesNoTimeFromRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{replies: []reply{replyWith(500, ""), replyWith(500, ""), replyWith(200, "{}")}}
		c := client(t, f, func(cfg *settings) { cfg.Pace = paced(t, 1.0/60) })
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Error(err)
		}
	})
}
