package stream

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestHandsStartNoMoreGoroutinesThanWorkAtTheSameTime(t *testing.T) {
	for promise, row := range map[string]struct{ hands, atOnce, started int }{
		"one for work after work":       {4, 1, 1},
		"one for each work at once":     {4, 3, 3},
		"one for each hand at most":     {4, 4, 4},
		"one, if there is one hand":     {1, 1, 1},
		"not one for each of the hands": {100, 2, 2},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHands(row.hands)
				var done atomic.Int32
				const rounds = 10
				for range rounds {
					release := make(chan struct{})
					for range row.atOnce {
						h.begin(func() {
							<-release
							done.Add(1)
						})
					}
					close(release)
					synctest.Wait()
				}
				if h.started != row.started {
					t.Errorf("%d goroutines, want %d", h.started, row.started)
				}
				h.wait()
				if n := int(done.Load()); n != rounds*row.atOnce {
					t.Errorf("%d of %d were done", n, rounds*row.atOnce)
				}
			})
		})
	}
}

func TestHandsWaitForTheWorkInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHands(2)
		release := make(chan struct{})
		var done, waited atomic.Bool
		h.begin(func() {
			<-release
			done.Store(true)
		})
		go func() {
			h.wait()
			waited.Store(true)
		}()
		synctest.Wait()
		if waited.Load() {
			t.Error("wait returned before the work")
		}
		close(release)
		synctest.Wait()
		if !waited.Load() || !done.Load() {
			t.Errorf("waited %v, done %v", waited.Load(), done.Load())
		}
	})
}
