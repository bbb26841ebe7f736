package cluster

import (
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// callsAt are calls that arrived so many milliseconds after start.
func callsAt(milliseconds ...int) (calls []fake.Arrival) {
	for _, ms := range milliseconds {
		at := start.Add(time.Duration(ms) * time.Millisecond)
		calls = append(calls, fake.Arrival{Provider: fake.Pinwheel, At: at})
	}
	return calls
}

func TestBusiestTime(t *testing.T) {
	never := func(time.Time, time.Time) bool { return false }
	stalled := func(_, to time.Time) bool { return to.Sub(start) > 2*time.Second }
	for promise, row := range map[string]struct {
		calls        []fake.Arrival
		wasLate      func(from, to time.Time) bool
		most, judged int
	}{
		"no call":                         {nil, never, 0, 0},
		"a second may begin anywhere":     {callsAt(0, 900, 1000, 1100, 2500), never, 3, 5},
		"a call may be late on its way":   {callsAt(0, 899, 1800), never, 2, 3},
		"a late call is not judged":       {callsAt(0, 2100, 2101, 2102), stalled, 1, 1},
		"the calls of a moment all count": {callsAt(5, 5, 5, 5), never, 4, 4},
	} {
		t.Run(promise, func(t *testing.T) {
			most, judged := busiest(row.calls, time.Second, row.wasLate)
			if most != row.most || judged != row.judged {
				t.Errorf("%d calls, %d judged; want %d and %d", most, judged, row.most, row.judged)
			}
		})
	}
}

func TestCallsBetween(t *testing.T) {
	calls := callsAt(0, 999, 1000, 1500, 2000)
	if n := callsBetween(calls, start.Add(time.Second), start.Add(2*time.Second)); n != 2 {
		t.Errorf("%d calls in the second second, want 2", n)
	}
}
