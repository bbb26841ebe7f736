package stream

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
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
						h.begin(func(*hand) {
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
	for promise, begins := range map[string]func(*hand){
		"that has its hand":     func(*hand) {},
		"that freed it already": (*hand).freeEarly,
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHands(2)
				release := make(chan struct{})
				var done, waited atomic.Bool
				h.begin(func(own *hand) {
					begins(own)
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
		})
	}
}

func TestAHandIsFreedBeforeTheWorkReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2
		h := newHands(n)
		confirmed := make(chan struct{})
		settle := func(own *hand) {
			own.freeEarly()
			own.freeEarly() // without effect
			<-confirmed
		}
		wantFree := func(promise string, want int) {
			t.Helper()
			synctest.Wait()
			if free := len(h.free); free != want {
				t.Errorf("%s: %d hands are free, want %d", promise, free, want)
			}
		}
		for range n {
			h.begin(settle)
		}
		wantFree("both freed theirs", n)
		h.begin(settle)
		wantFree("no more may free theirs", n-1)
		h.begin(func(*hand) { <-confirmed })
		wantFree("another is in work", n-2)
		if h.started != 2*n {
			t.Errorf("%d goroutines, want %d", h.started, 2*n)
		}
		close(confirmed)
		wantFree("all have returned", n)
		for range n {
			h.begin(settle)
		}
		h.wait()
		wantFree("after the end", n)
	})
}

func TestATakerGathersHandsWhileMostAreAtWork(t *testing.T) {
	for promise, row := range map[string]struct {
		hands, busy, freed int
		took               time.Duration
	}{
		"not at all if a quarter is free":        {16, 12, 0, 0},
		"not at all if all are free":             {16, 0, 0, 0},
		"not at all if none is free":             {16, 16, 0, 0},
		"not at all if there are few hands":      {4, 3, 0, 0},
		"until a quarter is free":                {16, 15, 3, gatherFor / 2},
		"for a moment if too few become free":    {16, 15, 2, gatherFor},
		"for a moment if no more become free":    {16, 14, 0, gatherFor},
		"for a moment, however many there are":   {1000, 800, 0, gatherFor},
		"until a quarter of many hands are free": {1000, 800, 50, gatherFor / 2},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				taker := &taker{hands: newHands(row.hands)}
				release := make(chan struct{})
				for range row.busy {
					taker.hands.begin(func(*hand) { <-release })
				}
				time.AfterFunc(gatherFor/2, func() {
					for range row.freed {
						release <- struct{}{}
					}
				})
				began := time.Now()
				taker.gatherHands(t.Context())
				if took := time.Since(began); took != row.took {
					t.Errorf("gathered for %v, want %v", took, row.took)
				}
				synctest.Wait()
				time.Sleep(gatherFor) //nolint:forbidigo // virtual time: the last are released
				close(release)
				taker.hands.wait()
			})
		})
	}
}
