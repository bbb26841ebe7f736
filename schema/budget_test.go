package schema_test

import (
	"math"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestTheTurnsOfABudgetKeepTheRateAndItsBurst(t *testing.T) {
	rates := []float64{0.1, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 9, 10, 11, 25, 50, 100, 1000, 1e6}
	for _, rate := range rates {
		interval := schema.Interval(rate)
		// A window sees the turns of its own time, and those before that may be used late.
		in := func(window time.Duration) int {
			seen := window + schema.BurstFor + schema.LapseAfter
			return int(math.Floor(float64(seen)/float64(interval))) + 1
		}
		if most := math.Ceil(rate) + float64(schema.Burst(rate)); float64(in(time.Second)) > most {
			t.Errorf("%v a second: %d calls in a second, want %v at most", rate, in(time.Second), most)
		}
		// A minute of whole calls, or one call where the rate is below one in a minute.
		if most := max(1, math.Floor(60*rate)); float64(in(time.Minute)) > most {
			t.Errorf("%v a second: %d calls in a minute, want %v at most", rate, in(time.Minute), most)
		}
		if used := float64(time.Second) / float64(interval) / rate; used < 0.98 {
			t.Errorf("%v a second: the turns are %.3f of the rate", rate, used)
		}
	}
}

func TestTake(t *testing.T) {
	interval := schema.Interval(10)
	tests := []struct {
		promise string
		next    time.Duration // before the take, from now
		turns   int
		first   time.Duration
		after   time.Duration
	}{
		{"a budget in use gives the next turn", 3 * interval, 1, 3 * interval, 4 * interval},
		{"turns follow each other", 3 * interval, 4, 3 * interval, 7 * interval},
		{"a turn that nobody took is saved for a while", -interval, 1, -interval, 0},
		{"and not for longer", -time.Hour, 1, -schema.BurstFor, interval - schema.BurstFor},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			b := schema.Budget{Version: 1, Next: noon.Add(tt.next)}
			after, first := b.Take(schema.Taking{
				Now: noon, RatePerS: 10, Turns: tt.turns,
			})
			if first.Sub(noon) != tt.first || after.Next.Sub(noon) != tt.after {
				t.Errorf("first %v, next %v; want %v, %v", first.Sub(noon), after.Next.Sub(noon),
					tt.first, tt.after)
			}
			if after.RatePerS != 10 || after.Version != schema.BudgetVersion {
				t.Errorf("written as %+v", after)
			}
		})
	}
}

func TestABudgetCountsItsMinutes(t *testing.T) {
	var b schema.Budget
	take := func(now time.Time, turns int, replays bool, waited time.Duration) {
		b, _ = b.Take(schema.Taking{
			Now: now, RatePerS: 10, Turns: turns, Replays: replays, Waited: waited,
		})
	}
	take(noon.Add(10*time.Second), 2, false, time.Second)
	take(noon.Add(50*time.Second), 3, true, 1500*time.Millisecond)
	take(noon.Add(61*time.Second), 5, false, 0)
	want := schema.BudgetMinute{Began: noon, Turns: 5, Replays: 3, WaitedS: 1.5}
	if got := b.MinuteBefore(noon.Add(62 * time.Second)); got != want {
		t.Errorf("the last minute is %+v, want %+v", got, want)
	}
	if got := b.MinuteBefore(noon.Add(2 * time.Minute)); got.Turns != 5 {
		t.Errorf("a minute later the last minute is %+v", got)
	}
	if got := b.MinuteBefore(noon.Add(10 * time.Minute)); got.Turns != 0 {
		t.Errorf("after ten minutes without a call, the last minute is %+v", got)
	}
}

func TestAHoldEndsTheTurnsBeforeItsEnd(t *testing.T) {
	until := noon.Add(30 * time.Second)
	held := schema.Budget{Next: noon.Add(time.Second)}.WithHold(10, noon, until, 2)
	if !held.Next.Equal(until) || !held.Hold.Until.Equal(until) || !held.Hold.Since.Equal(noon) ||
		held.Hold.Guesses != 2 {
		t.Errorf("held %+v", held)
	}
	later := until.Add(time.Minute)
	longer := held.WithHold(10, noon.Add(time.Second), later, 2)
	if !longer.Hold.Since.Equal(noon) || !longer.Hold.Until.Equal(later) {
		t.Errorf("a longer hold: %+v", longer.Hold)
	}
}

func TestABudgetOfHoursIsNotPlausible(t *testing.T) {
	held := schema.Budget{}.WithHold(10, noon, noon.Add(15*time.Minute), 0)
	for name, test := range map[string]struct {
		budget schema.Budget
		want   bool
	}{
		"a new one":                  {schema.Budget{}, true},
		"the longest hold":           {held, true},
		"turns in an hour":           {schema.Budget{RatePerS: 10, Next: noon.Add(time.Hour)}, false},
		"a hold of hours":            {held.WithHold(10, noon, noon.Add(9*time.Hour), 0), false},
		"turns in an hour, one each": {schema.Budget{RatePerS: 0.001, Next: noon.Add(time.Hour)}, true},
	} {
		if got := test.budget.IsPlausible(noon); got != test.want {
			t.Errorf("%s: plausible %t", name, got)
		}
	}
}
