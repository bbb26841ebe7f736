package bench

import (
	"fmt"
	"io"
	"math"
	"time"
)

// measure is a figure of a cost, for the table and the plot.
type measure struct {
	name, unit string
	// verb formats the figure.
	verb string
	of   func(cost) float64
}

// The measures of a cost.
var (
	rateMeasure = measure{"rate", "completions a second", "%.0f",
		func(c cost) float64 { return c.spread(figure.perS).median }}
	brokerMeasure = measure{"broker's processor time", "µs for one", "%.0f",
		func(c cost) float64 { return c.spread(brokerMicros).median }}
	latencyMeasure = measure{"webhook to completion, p99", "ms", "%.1f",
		func(c cost) float64 {
			var values []float64
			for _, p99 := range c.p99s {
				values = append(values, float64(p99)/float64(time.Millisecond))
			}
			return spreadOf(values).median
		}}
	residentMeasure = measure{"broker's memory", "MiB", "%.0f",
		func(c cost) float64 { return float64(c.resident) / (1 << 20) }}
	liveMeasure = measure{"live heap", "MiB", "%.1f",
		func(c cost) float64 { return float64(c.live) / (1 << 20) }}
	storedMeasure = measure{"stored", "MiB", "%.0f",
		func(c cost) float64 { return float64(c.stored) / (1 << 20) }}
)

// tableMeasures are the columns of the table that have the baseline beside the figure.
var tableMeasures = []measure{
	rateMeasure, brokerMeasure, latencyMeasure, residentMeasure, liveMeasure,
}

func (c cost) spread(of func(figure) float64) spread {
	var values []float64
	for _, f := range c.figures {
		values = append(values, of(f))
	}
	return spreadOf(values)
}

// ratio is the ratio of a figure to the baseline, taken in each round.
func (s step) ratio(of func(figure) float64) string {
	var values []float64
	for i, f := range s.grown.figures {
		values = append(values, of(f)/of(s.baseline.figures[i]))
	}
	return spreadOf(values).asRatio()
}

// asRatio is the median, and in brackets the least and the most.
func (s spread) asRatio() string {
	return fmt.Sprintf("%.2f (%.2f – %.2f)", s.median, s.least, s.most)
}

// brokerMicros is the broker's processor time for one completion, in microseconds.
func brokerMicros(f figure) float64 { return f.micros(f.cpu.broker) }

// reportGrowth prints a table for each load, as Markdown.
func reportGrowth(w io.Writer, measured []growth) {
	for _, g := range measured {
		fmt.Fprintf(w, "\n| %s |", g.load.name)
		for _, m := range tableMeasures {
			fmt.Fprintf(w, " %s, %s |", m.name, m.unit)
		}
		fmt.Fprintf(w, " rate to baseline | processor time to baseline | stored, MiB |\n|")
		for range len(tableMeasures) + 4 {
			fmt.Fprint(w, " ---: |")
		}
		fmt.Fprintln(w)
		for _, s := range g.steps {
			s.print(w)
		}
		g.printBaseline(w)
		g.printVerdict(w)
	}
}

// print prints the row of a step. In brackets is the baseline at the same time.
func (s step) print(w io.Writer) {
	if s.unreached != "" {
		fmt.Fprintf(w, "| %s | not measured: %s |\n", grouped(s.n), s.unreached)
		return
	}
	fmt.Fprintf(w, "| %s |", grouped(s.n))
	for _, m := range tableMeasures {
		fmt.Fprintf(w, " "+m.verb+" ("+m.verb+") |", m.of(s.grown), m.of(s.baseline))
	}
	fmt.Fprintf(w, " %s | %s | "+storedMeasure.verb+" |\n",
		s.ratio(figure.perS), s.ratio(brokerMicros), storedMeasure.of(s.grown))
}

// reached are the steps with figures.
func (g growth) reached() (steps []step) {
	for _, s := range g.steps {
		if s.unreached == "" {
			steps = append(steps, s)
		}
	}
	return steps
}

// printBaseline says how far the baseline itself moved between the first and the last step: the
// noise of the machine.
func (g growth) printBaseline(w io.Writer) {
	steps := g.reached()
	if len(steps) < 2 {
		return
	}
	first, last := steps[0].baseline, steps[len(steps)-1].baseline
	fmt.Fprintf(w, "\nThe baseline at the first and at the last step: %.0f and %.0f a second, "+
		"p99 %.1f and %.1f ms.\n", rateMeasure.of(first), rateMeasure.of(last),
		latencyMeasure.of(first), latencyMeasure.of(last))
}

// printVerdict says how steep each cost grows at most between two steps. A cost of n to the power
// of 1 is linear, 0 is a cost that does not grow.
func (g growth) printVerdict(w io.Writer) {
	steps := g.reached()
	if len(steps) < 2 {
		return
	}
	costs := []measure{
		{name: "time for one", of: func(c cost) float64 { return 1 / rateMeasure.of(c) }},
		brokerMeasure, latencyMeasure, residentMeasure, liveMeasure,
	}
	var worse []string
	fmt.Fprint(w, "Steepest growth between two steps, as a power of n:")
	for i, m := range costs {
		power := steepest(steps, m.of)
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, " %s %.2f", m.name, power)
		if power > linearMax {
			worse = append(worse, m.name)
		}
	}
	if len(worse) == 0 {
		fmt.Fprintln(w, ". Nothing is worse than linear.")
		return
	}
	fmt.Fprintf(w, ". Worse than linear: %v.\n", worse)
}

// linearMax is the power of n up to which growth counts as linear. The rest is noise.
const linearMax = 1.05

// steepest returns the greatest power of n with which a cost grows from a step to the next: the
// slope in a plot with logarithmic axes. It is 0 if the cost never grows. The ratio to the baseline
// at the same time is taken, so that a slower machine is no growth.
func steepest(steps []step, of func(cost) float64) (power float64) {
	for i := 1; i < len(steps); i++ {
		before, after := steps[i-1], steps[i]
		if before.n == 0 {
			continue
		}
		ratio := func(s step) float64 { return of(s.grown) / of(s.baseline) }
		rise := math.Log(ratio(after) / ratio(before))
		power = max(power, rise/math.Log(float64(after.n)/float64(before.n)))
	}
	return power
}
