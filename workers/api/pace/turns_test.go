package pace

import (
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
)

func TestATurnLapsesAfterItsTime(t *testing.T) {
	const interval = 100 * time.Millisecond
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for promise, test := range map[string]struct {
		first  time.Duration // of four turns that were taken at noon
		now    time.Duration
		lapsed int
	}{
		"turns to come are kept":             {interval, 0, 0},
		"a turn is kept until its end":       {0, schema.LapseAfter, 0},
		"and not for longer":                 {0, schema.LapseAfter + 1, 1},
		"the next turn has its own end":      {0, schema.LapseAfter + interval, 1},
		"all lapse in a stopped process":     {0, time.Hour, 4},
		"a saved turn lapses after its take": {-interval, schema.LapseAfter, 0},
		"and so do all that were saved":      {-interval, schema.LapseAfter + 1, 2},
	} {
		t.Run(promise, func(t *testing.T) {
			taken := turns{{next: noon.Add(test.first), earliest: noon, left: 4}}
			if got := taken.dropLapsed(noon.Add(test.now), interval); got != test.lapsed {
				t.Errorf("%d lapsed, want %d", got, test.lapsed)
			}
			if got := taken.count(); got != 4-test.lapsed {
				t.Errorf("%d are left", got)
			}
		})
	}
}
