package pace_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/api/pace/pacetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// calls are the calls that a provider got.
type calls struct {
	mu sync.Mutex
	at []time.Time
	by []string
}

func (c *calls) add(by string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Now())
	c.by = append(c.by, by)
}

func (c *calls) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.at)
}

// most is the largest number of calls in a window.
func (c *calls) most(window time.Duration) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 0
	first := 0
	for i, at := range c.at {
		for at.Sub(c.at[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func (c *calls) of(by string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, b := range c.by {
		if b == by {
			n++
		}
	}
	return n
}

func newPacer(
	t *testing.T, s *pacetest.Store, ratePerS float64, set ...func(*pace.Config),
) *pace.Pacer {
	t.Helper()
	config := pace.Config{RatePerS: ratePerS, Store: s}
	for _, f := range set {
		f(&config)
	}
	p, err := pace.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// work calls without a pause, with many hands, until ctx ends.
func work(ctx context.Context, p *pace.Pacer, hands int, call func()) {
	var all sync.WaitGroup
	for range hands {
		all.Go(func() {
			for {
				held, err := p.Wait(ctx)
				switch {
				case err != nil:
					return
				case held > 0:
					select {
					case <-time.After(held):
					case <-ctx.Done():
					}
				default:
					call()
				}
			}
		})
	}
	all.Wait()
}

// checkSeconds checks the promise of every second.
func checkSeconds(t *testing.T, c *calls, ratePerS float64) {
	t.Helper()
	limit := int(ratePerS) + schema.Burst(ratePerS)
	if most := c.most(time.Second); most > limit {
		t.Errorf("%d calls in a second, want %d at most", most, limit)
	}
}

// checkBounds checks the promise of every second and every minute.
func checkBounds(t *testing.T, c *calls, ratePerS float64) {
	t.Helper()
	checkSeconds(t, c, ratePerS)
	if most := c.most(time.Minute); float64(most) > 60*ratePerS {
		t.Errorf("%d calls in a minute, want %v at most", most, 60*ratePerS)
	}
}

func TestAllProcessesTogetherKeepTheRateAndUseIt(t *testing.T) {
	tests := []struct {
		promise   string
		ratePerS  float64
		processes int
		hands     int
	}{
		{"one process gets all of it", 10, 1, 16},
		{"one hand gets all of it", 10, 1, 1},
		{"nine processes share it", 10, 9, 16},
		{"nine processes with one hand each share it", 10, 9, 1},
		{"a low rate", 1, 9, 4},
		{"an odd rate", 5, 3, 16},
		{"a high rate", 200, 9, 16},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const runFor = 3 * time.Minute
				s := &pacetest.Store{Ahead: 2 * time.Second, Takes: 4 * time.Millisecond}
				var all calls
				ctx, cancel := context.WithTimeout(t.Context(), runFor)
				defer cancel()
				var processes sync.WaitGroup
				for i := range tt.processes {
					p := newPacer(t, s, tt.ratePerS)
					processes.Go(func() {
						work(ctx, p, tt.hands, func() { all.add(string(rune('a' + i))) })
					})
				}
				processes.Wait()

				checkBounds(t, &all, tt.ratePerS)
				possible := tt.ratePerS * runFor.Seconds()
				if used := float64(all.count()) / possible; used < 0.97 {
					t.Errorf("used %.3f of the rate", used)
				}
				fair := all.count() / tt.processes
				for i := range tt.processes {
					if n := all.of(string(rune('a' + i))); n < fair/2 {
						t.Errorf("process %d got %d turns of %d", i, n, all.count())
					}
				}
				perCall := float64(s.Requests()) / float64(all.count())
				t.Logf("%d calls, %.2f requests a call, %d in a second at most", all.count(), perCall,
					all.most(time.Second))
			})
		})
	}
}

func TestAHoldHoldsEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hold = 30 * time.Second
		s := &pacetest.Store{Takes: 4 * time.Millisecond, Ahead: -2 * time.Second}
		var all calls
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var once sync.Once
		var began time.Time
		var processes sync.WaitGroup
		for range 9 {
			p := newPacer(t, s, 10)
			processes.Go(func() {
				work(ctx, p, 4, func() {
					all.add("")
					if all.count() >= 100 {
						once.Do(func() {
							began = time.Now()
							p.Hold(ctx, began, hold)
						})
					}
				})
			})
		}
		processes.Wait()
		late := 0
		for _, at := range all.at {
			since := at.Sub(began)
			if since > 10*time.Millisecond && since < hold-10*time.Millisecond {
				t.Fatalf("a call %v after the beginning of the hold", since)
			}
			if since > hold {
				late++
			}
		}
		if late < 780 {
			t.Errorf("%d calls after the hold", late)
		}
		checkBounds(t, &all, 10)
	})
}

func TestHoldsOfUnknownLengthGrowOverAllProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{}
		processes := []*pace.Pacer{newPacer(t, s, 10), newPacer(t, s, 10)}
		for _, p := range processes {
			p.Succeeded() // before the first hold
		}
		longest := func(rounds int) (longest time.Duration) {
			for i := range rounds {
				p := processes[i%2]
				for {
					held, err := p.Wait(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if held == 0 {
						break
					}
					time.Sleep(held) //nolint:forbidigo // moves the bubble's clock
				}
				p.Hold(t.Context(), time.Now(), 0)
				synctest.Wait()
				longest = max(longest, p.Held())
			}
			return longest
		}
		if first := longest(1); first > time.Second {
			t.Errorf("the first hold is %v", first)
		}
		if got := longest(40); got < 10*time.Second || got > time.Minute {
			t.Errorf("the longest of many holds is %v", got)
		}
		// The success of one process makes the next hold of the other a short one.
		processes[0].Succeeded()
		time.Sleep(2 * time.Minute) //nolint:forbidigo // moves the bubble's clock
		if _, err := processes[0].Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := processes[1].Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		processes[1].Hold(t.Context(), time.Now(), 0)
		if got := processes[1].Held(); got > time.Second {
			t.Errorf("the first hold after a success is %v", got)
		}
	})
}

func TestFreshCallsComeBeforeReplaysInEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{Takes: 4 * time.Millisecond}
		var all calls
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var processes sync.WaitGroup
		for range 4 {
			p := newPacer(t, s, 10)
			processes.Go(func() {
				work(pace.AsReplay(ctx), p, 8, func() { all.add("replay") })
			})
		}
		var longest time.Duration
		other := newPacer(t, s, 10)
		for range 50 {
			time.Sleep(2 * time.Second) //nolint:forbidigo // moves the bubble's clock
			asked := time.Now()
			if _, err := other.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, time.Since(asked))
			all.add("fresh")
		}
		processes.Wait()
		// A batch of replays that is taken comes before the fresh call, and nothing else.
		if limit := 600 * time.Millisecond; longest > limit {
			t.Errorf("a fresh call waited for %v behind replays, want %v at most", longest, limit)
		}
		if used := float64(all.count()) / 1200; used < 0.97 {
			t.Errorf("used %.3f of the rate", used)
		}
		checkBounds(t, &all, 10)
		perCall := float64(s.Requests()) / float64(all.count())
		t.Logf("%.2f requests a call, longest %v", perCall, longest)
	})
}

func TestFreshCallsLeaveNothingToReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{Takes: 4 * time.Millisecond}
		var all calls
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p := newPacer(t, s, 10)
		var group sync.WaitGroup
		group.Go(func() { work(ctx, p, 16, func() { all.add("fresh") }) })
		group.Go(func() { work(pace.AsReplay(ctx), p, 4, func() { all.add("replay") }) })
		group.Wait()
		if n := all.of("replay"); n > all.count()/20 {
			t.Errorf("%d replays of %d calls while fresh calls wait", n, all.count())
		}
	})
}

func TestAProcessThatDiesTakesAtMostItsBatchAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{Takes: time.Millisecond}
		for range 30 { // each takes turns and uses one of them
			p := newPacer(t, s, 10)
			ctx, die := context.WithCancel(t.Context())
			var hands sync.WaitGroup
			once := make(chan struct{}, 16)
			for range 16 {
				hands.Go(func() {
					if _, err := p.Wait(ctx); err == nil {
						once <- struct{}{}
					}
				})
			}
			<-once
			die()
			hands.Wait()
		}
		began := time.Now()
		if _, err := newPacer(t, s, 10).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The others wait for the rest of the last batch, not for the calls of all who died.
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("the next call waited for %v", took)
		}
	})
}

func TestNoCallStartsWithoutTheStore(t *testing.T) {
	away := errors.New("away")
	for name, fault := range map[string]error{
		"the store is away": away, "a newer release wrote the value": schema.ErrBudgetNewer,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &pacetest.Store{}
				s.Fail(fault)
				var faults []error
				p := newPacer(t, s, 10, func(c *pace.Config) {
					c.OnFault = func(err error) { faults = append(faults, err) }
				})
				const calls = 16
				got := make(chan error, calls)
				for range calls {
					go func() {
						_, err := p.Wait(t.Context())
						got <- err
					}()
				}
				time.Sleep(time.Hour) //nolint:forbidigo // moves the bubble's clock
				synctest.Wait()
				if len(got) != 0 {
					t.Fatal("a call starts")
				}
				if most := 3700; s.Requests() > most { // one a second, whatever the number of calls
					t.Errorf("%d requests in an hour, want %d at most", s.Requests(), most)
				}
				if len(faults) != 1 || !errors.Is(faults[0], fault) {
					t.Errorf("told of the faults %v, want one", faults)
				}
				s.Fail(nil)
				for range calls {
					if err := <-got; err != nil {
						t.Error(err)
					}
				}
				if len(faults) != 2 || faults[1] != nil {
					t.Errorf("told of the faults %v, want the end too", faults)
				}
			})
		})
	}
}

func TestAnUnreadableBudgetIsReplacedAndCostsASecond(t *testing.T) {
	const year = 2099
	tests := map[string]func(*pacetest.Store){
		"garbage": func(s *pacetest.Store) { s.Fail(schema.ErrBudgetUnreadable) },
		"a time in the far future": func(s *pacetest.Store) {
			s.Put(schema.Budget{Version: 1, RatePerS: 10,
				Next: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)})
		},
		"a hold for years": func(s *pacetest.Store) {
			s.Put(schema.Budget{Version: 1, RatePerS: 10, Hold: schema.BudgetHold{
				Until: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}})
		},
	}
	for name, spoil := range tests {
		for lane, isReplay := range map[string]bool{"a fresh call": false, "a replay": true} {
			t.Run(name+", "+lane, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &pacetest.Store{Takes: time.Millisecond}
					spoil(s)
					told := 0
					p := newPacer(t, s, 10, func(c *pace.Config) {
						c.OnFault = func(err error) {
							if errors.Is(err, schema.ErrBudgetUnreadable) {
								told++
							}
						}
					})
					ctx := t.Context()
					if isReplay {
						ctx = pace.AsReplay(ctx)
					}
					began := time.Now()
					held, err := p.Wait(ctx)
					took := time.Since(began).Round(500 * time.Millisecond)
					if err != nil || held != 0 || took != time.Second {
						t.Errorf("held %v, %v after %v, want a turn after a second", held, err,
							took)
					}
					if told != 1 || s.Budget().Version != schema.BudgetVersion {
						t.Errorf("told %d times, stored %+v", told, s.Budget())
					}
					if s.Requests() > 10 {
						t.Errorf("%d requests", s.Requests())
					}
				})
			})
		}
	}
}

// A time that a broker's clock has left behind, or a value changed by hand, stops no calls.
func TestABudgetFarAheadWithoutAHoldBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{}
		s.Put(schema.Budget{Version: 1, RatePerS: 10, Next: time.Now().Add(20 * time.Minute)})
		began := time.Now()
		if _, err := newPacer(t, s, 10).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a turn after %v", took)
		}
	})
}

// The turns of nine busy processes reach seconds into the time to come.
func TestANewBudgetGivesNoTurnTwice(t *testing.T) {
	for promise, renew := range map[string]func(*pacetest.Store){
		"after a reset": func(s *pacetest.Store) {
			b, revision, err := s.Load(context.Background())
			if err != nil {
				panic(err)
			}
			if _, swapped, _ := s.Swap(context.Background(), b.Reset(time.Now()),
				revision); !swapped {
				panic("not reset")
			}
		},
		"after a value that cannot be read": func(s *pacetest.Store) {
			s.Put(schema.Budget{})
			s.Fail(schema.ErrBudgetUnreadable)
		},
		"after somebody deleted it": func(s *pacetest.Store) { s.Put(schema.Budget{}) },
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &pacetest.Store{}
				var all calls
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var processes sync.WaitGroup
				for range 9 {
					p := newPacer(t, s, 10)
					processes.Go(func() { work(ctx, p, 16, func() { all.add("") }) })
				}
				time.Sleep(20 * time.Second) //nolint:forbidigo // moves the bubble's clock
				renew(s)
				processes.Wait()
				checkSeconds(t, &all, 10)
				if all.count() < 550 {
					t.Errorf("%d calls", all.count())
				}
			})
		})
	}
}

func TestASlowStoreCostsNoTurn(t *testing.T) {
	const ms = time.Millisecond
	for _, takes := range []time.Duration{150 * ms, 250 * ms, 400 * ms, 900 * ms} {
		t.Run(takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &pacetest.Store{AlwaysTakes: takes}
				lapsed := 0
				p := newPacer(t, s, 10, func(c *pace.Config) {
					c.OnLapse = func(turns int) { lapsed += turns }
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				calls := 0
				work(ctx, p, 1, func() { calls++ })
				if calls < 40 || lapsed > 5 {
					t.Errorf("%d calls in a minute, %d turns lapsed", calls, lapsed)
				}
			})
		})
	}
}

func TestAHoldThatTheStoreDoesNotHaveHoldsItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{}
		p := newPacer(t, s, 10)
		other := newPacer(t, s, 10)
		for _, p := range []*pace.Pacer{p, other} {
			if _, err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.Fail(errors.New("away"))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		p.Hold(ctx, time.Now(), time.Minute)
		s.Fail(nil)
		if _, err := other.Wait(t.Context()); err != nil { // the store has another budget now
			t.Fatal(err)
		}
		if held := p.Held(); held < 50*time.Second {
			t.Errorf("held for %v more", held)
		}
	})
}

func TestALearnerKnowsTheHoldOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{}
		first := newPacer(t, s, 10)
		if _, err := first.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Hold(t.Context(), time.Now(), 10*time.Minute)
		second := newPacer(t, s, 10)
		told := time.Duration(0)
		second.OnHold(func(left time.Duration) { told = left })
		second.Learn(t.Context())
		if told != 10*time.Minute || second.Held() != told {
			t.Errorf("told of a hold of %v", told)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s.Fail(errors.New("away"))
		newPacer(t, s, 10).Learn(ctx) // ends with ctx
	})
}

func TestAnotherRateIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{}
		var others []float64
		slow := newPacer(t, s, 5)
		fast := newPacer(t, s, 50, func(c *pace.Config) {
			c.OnRate = func(other float64) { others = append(others, other) }
		})
		for range 3 {
			for _, p := range []*pace.Pacer{slow, fast} {
				if _, err := p.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !slices.Equal(others, []float64{5}) {
			t.Errorf("told of the rates %v, want 5 once", others)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{}
		p := newPacer(t, s, 1.0/60)
		if _, err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		if _, err := p.Wait(ctx); !errors.Is(err, why) {
			t.Errorf("%v, want the cause", err)
		}
	})
}

func TestARateIsACallAnHourAtLeast(t *testing.T) {
	for _, perS := range []float64{0, -1, 1e-10, math.Inf(1), math.Inf(-1), math.NaN()} {
		if _, err := pace.New(pace.Config{RatePerS: perS, Store: &pacetest.Store{}}); err == nil {
			t.Errorf("%v calls a second are accepted", perS)
		}
	}
}

func TestAnOperatorEndsAHoldForEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacetest.Store{}
		first := newPacer(t, s, 10)
		second := newPacer(t, s, 10)
		for _, p := range []*pace.Pacer{first, second} {
			if _, err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var told []time.Duration
		second.OnHold(func(left time.Duration) { told = append(told, left) })
		first.Hold(t.Context(), time.Now(), 10*time.Minute)
		b, revision, err := s.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, swapped, err := s.Swap(t.Context(), b.Reset(time.Now()), revision); !swapped {
			t.Fatal("not reset: ", err)
		}
		for _, p := range []*pace.Pacer{first, second} {
			held, err := p.Wait(t.Context())
			if held != 0 || err != nil {
				t.Errorf("held for %v, %v", held, err)
			}
		}
		if want := []time.Duration{10 * time.Minute, 0}; !slices.Equal(told, want) {
			t.Errorf("told of the holds %v, want %v", told, want)
		}
	})
}
