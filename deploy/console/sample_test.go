package console

import (
	"slices"
	"testing"
	"time"
)

func TestAChartHasTheTimesOfItsSamples(t *testing.T) {
	for promise, row := range map[string]struct {
		seconds []int
		scale   string
		lines   []string
	}{
		"nothing": {nil, "the chart begins with the console", nil},
		"one":     {[]int{0}, "up to 1, the last 0s", []string{"0.0,1.0"}},
		"pauses that differ": {[]int{0, 10, 40}, "up to 1, the last 40s",
			[]string{"0.0,1.0 60.0,1.0 240.0,1.0"}},
		"a gap": {[]int{0, 30, 600}, "up to 1, the last 10m0s",
			[]string{"0.0,1.0 12.0,1.0", "240.0,1.0"}},
	} {
		t.Run(promise, func(t *testing.T) {
			var samples []sample
			for _, s := range row.seconds {
				at := stateAt.Add(time.Duration(s) * time.Second)
				samples = append(samples, sample{at: at, lag: map[string]time.Duration{"q": time.Second}})
			}
			c := lagChart("Lag", "", samples)
			if c.scale() != row.scale {
				t.Errorf("the scale is %q", c.scale())
			}
			if !slices.Equal(c.lines(), row.lines) {
				t.Errorf("the lines are %q", c.lines())
			}
		})
	}
}
