package workers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// paused is one job of the test, at the pause or through it.
type paused struct {
	through chan turn
	back    chan error

	turn      turn
	isThrough bool
	left      bool
	err       error
}

func enter(ctx context.Context, p *pause) *paused {
	j := &paused{through: make(chan turn, 1), back: make(chan error, 1)}
	go func() {
		turn, err := p.enter(ctx)
		if err != nil {
			j.back <- err
			return
		}
		j.through <- turn
	}()
	synctest.Wait()
	return j
}

// entered reports whether the job was let through by now.
func (j *paused) entered() bool {
	select {
	case j.turn = <-j.through:
		j.isThrough = true
	case j.err = <-j.back:
	default:
	}
	return j.isThrough
}

// inside are the jobs that were let through by now.
func inside(jobs []*paused) (n int) {
	for _, j := range jobs {
		if j.entered() {
			n++
		}
	}
	return n
}

// pass lets time pass in the bubble, and everything happen that is due by then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func shutPause(t *testing.T) *pause {
	t.Helper()
	p := newPause(PauseFor)
	first := enter(t.Context(), p)
	if !first.entered() || !first.turn.record(refused) {
		t.Fatal("the first refused call did not shut the pause")
	}
	return p
}

func TestPause(t *testing.T) {
	tests := []struct {
		promise string
		check   func(*testing.T)
	}{
		{"open, it holds nobody", func(t *testing.T) {
			p := newPause(PauseFor)
			for range 3 {
				if j := enter(t.Context(), p); !j.entered() || j.turn.record(accepted) {
					t.Error("a job was held, or changed something")
				}
			}
		}},
		{"the first refusal shuts it and says so once", func(t *testing.T) {
			p := newPause(PauseFor)
			a, b := enter(t.Context(), p), enter(t.Context(), p)
			if !a.entered() || !b.entered() || !a.turn.record(refused) || b.turn.record(refused) {
				t.Error("want a change by the first refusal only")
			}
		}},
		{"shut, one job at a time probes, each after a whole rest", func(t *testing.T) {
			p := shutPause(t)
			jobs := []*paused{enter(t.Context(), p), enter(t.Context(), p), enter(t.Context(), p)}
			for n := 1; n <= 3; n++ {
				pass(PauseFor - time.Nanosecond)
				if got := inside(jobs); got != n-1 {
					t.Fatalf("just before rest %d ends, %d probes were let through, want %d", n,
						got, n-1)
				}
				pass(time.Nanosecond)
				if got := inside(jobs); got != n {
					t.Fatalf("after rest %d, %d probes were let through, want %d", n, got, n)
				}
				pass(h) // a slow probe: nobody else may try meanwhile
				if got := inside(jobs); got != n {
					t.Fatalf("during probe %d another was let through", n)
				}
				for _, j := range jobs {
					if !j.left && j.entered() {
						j.left = true
						if j.turn.record(refused) {
							t.Error("a refused probe changed something")
						}
					}
				}
			}
		}},
		{"an accepted probe lets everybody through at once", func(t *testing.T) {
			p := shutPause(t)
			jobs := []*paused{enter(t.Context(), p), enter(t.Context(), p), enter(t.Context(), p)}
			pass(PauseFor)
			for _, j := range jobs {
				if j.entered() && !j.turn.record(accepted) {
					t.Error("the accepted probe did not open it")
				}
			}
			synctest.Wait()
			if got := inside(jobs); got != 3 {
				t.Errorf("%d of 3 jobs were let through", got)
			}
			if j := enter(t.Context(), p); !j.entered() {
				t.Error("a later job is held")
			}
		}},
		{"a probe that was not answered changes nothing: the next one probes after its rest",
			func(t *testing.T) {
				p := shutPause(t)
				jobs := []*paused{enter(t.Context(), p), enter(t.Context(), p)}
				pass(PauseFor)
				for _, j := range jobs {
					if j.entered() && j.turn.record(unseen) {
						t.Error("no answer changed something")
					}
				}
				synctest.Wait()
				if got := inside(jobs); got != 1 {
					t.Fatalf("%d jobs were let through, want 1", got)
				}
				pass(PauseFor)
				if got := inside(jobs); got != 2 {
					t.Errorf("%d jobs were let through, want 2", got)
				}
			}},
		{"a call that was under way when it shut cannot open it", func(t *testing.T) {
			p := newPause(PauseFor)
			slow, quick := enter(t.Context(), p), enter(t.Context(), p)
			if inside([]*paused{slow, quick}) != 2 {
				t.Fatal("an open pause held a job")
			}
			quick.turn.record(refused)
			if slow.turn.record(accepted) {
				t.Error("it opened without a probe")
			}
			if j := enter(t.Context(), p); j.entered() {
				t.Error("a job was let through")
			}
			pass(PauseFor) // lets the waiting job go
		}},
		{"it can shut again after it opened", func(t *testing.T) {
			p := shutPause(t)
			probe := enter(t.Context(), p)
			pass(PauseFor)
			if !probe.entered() || !probe.turn.record(accepted) {
				t.Fatal("the probe did not open it")
			}
			if j := enter(t.Context(), p); !j.entered() || !j.turn.record(refused) {
				t.Fatal("it did not shut again")
			}
			probe = enter(t.Context(), p)
			if probe.entered() {
				t.Error("the second time nobody was held")
			}
			pass(PauseFor)
			if !probe.entered() || !probe.turn.record(accepted) {
				t.Error("the second time a probe did not open it")
			}
		}},
		{"a stop gives every waiting job back at once", func(t *testing.T) {
			stopping := make(chan struct{})
			p := shutPause(t)
			p.stopping = stopping
			jobs := []*paused{enter(t.Context(), p), enter(t.Context(), p)}
			close(stopping)
			synctest.Wait()
			for _, j := range jobs {
				if j.entered() || !errors.Is(j.err, context.Canceled) {
					t.Errorf("error %v, want context.Canceled", j.err)
				}
			}
		}},
		{"a job whose own time is up leaves, and leaves the probe to the next", func(t *testing.T) {
			p := shutPause(t)
			ctx, cancel := context.WithCancel(t.Context())
			first := enter(ctx, p)
			second := enter(t.Context(), p)
			cancel()
			synctest.Wait()
			if first.entered() || !errors.Is(first.err, context.Canceled) {
				t.Errorf("error %v, want context.Canceled", first.err)
			}
			pass(PauseFor)
			if !second.entered() {
				t.Error("the next job does not probe")
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) { synctest.Test(t, test.check) })
	}
}
