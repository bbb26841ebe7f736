package seeds

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wagewire/wagewire/deploy/simulation/report"
)

const (
	// violationsShown is how many violations of a seed are printed.
	violationsShown = 10
	// seedsShown is how many seeds a list names.
	seedsShown   = 10
	hoursOfAYear = 365 * 24
)

// print prints a line.
func (c Config) print(format string, args ...any) {
	fmt.Fprintf(c.Out, "simulate: "+format+"\n", args...)
}

// totals are the sums of all runs.
type totals struct {
	runs, webhooks, events, completions     int
	faults, fired, kills, waits, violations int
	hours                                   float64
	// failed are the seeds with violations. In the others, the numbers of runs without a fault in
	// the schedule, without a fault that took effect, and without an event that waited.
	failed   []uint64
	without  []uint64
	unfired  []uint64
	unwaited []uint64
	// vain is the number of runs in unfired, in unwaited, or in both.
	vain int
}

// add adds a run.
func (t *totals) add(r report.Report) {
	t.runs++
	t.hours += r.Hours
	t.webhooks += r.Webhooks
	t.events += r.Events
	t.completions += r.Completions
	t.faults += r.Faults
	t.fired += r.Fired
	t.kills += r.Kills
	t.waits += r.Waits
	t.violations += len(r.Violations)
	if len(r.Violations) > 0 {
		t.failed = append(t.failed, r.Seed)
		return
	}
	if r.Faults == 0 {
		t.without = append(t.without, r.Seed)
	}
	if r.Fired == 0 {
		t.unfired = append(t.unfired, r.Seed)
	}
	if r.Waits == 0 {
		t.unwaited = append(t.unwaited, r.Seed)
	}
	if r.Fired == 0 || r.Waits == 0 {
		t.vain++
	}
}

// isVain reports whether no run could have had a violation.
func (t *totals) isVain() bool { return t.vain == t.runs }

// print prints the table and the warnings.
func (t *totals) print(out io.Writer, lasted time.Duration) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, text string, args ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", name, fmt.Sprintf(text, args...))
	}
	fmt.Fprintln(w)
	row("seeds", "%d: %d without a violation", t.runs, t.runs-len(t.failed))
	row("virtual time", "%.0f hours, %.1f years", t.hours, t.hours/hoursOfAYear)
	row("webhooks", "%d", t.webhooks)
	row("events", "%d", t.events)
	row("completions", "%d", t.completions)
	row("faults", "%d, of which %d took effect", t.faults, t.fired)
	row("kills", "%d", t.kills)
	row("waits", "%d", t.waits)
	row("time", "%.0f s; virtual time is %.0f times as fast",
		lasted.Seconds(), t.hours*3600/max(lasted.Seconds(), 1))
	row("violations", "%d", t.violations)
	_ = w.Flush()
	for _, warning := range []struct {
		what string
		of   []uint64
	}{
		{"the schedule had no fault", t.without},
		{"no fault took effect", t.unfired},
		{"no event waited", t.unwaited},
	} {
		if len(warning.of) > 0 {
			fmt.Fprintf(out, "  WARNING in %d of %d runs %s: seeds %s\n",
				len(warning.of), t.runs, warning.what, formatSeeds(warning.of))
		}
	}
}

// formatSeeds returns the smallest seeds of a list, and how many more there are.
func formatSeeds(seeds []uint64) string {
	seeds = slices.Sorted(slices.Values(seeds)) // they ended in another order
	var texts []string
	for _, seed := range seeds[:min(seedsShown, len(seeds))] {
		texts = append(texts, strconv.FormatUint(seed, 10))
	}
	text := strings.Join(texts, ", ")
	if more := len(seeds) - seedsShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// printProgress prints a line every few seconds, until ctx ends.
func (d *drive) printProgress(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.mu.Lock()
			d.print("%s", d.progress(time.Since(d.began)))
			d.mu.Unlock()
		}
	}
}

// progress is the line of progress after so much time. The caller holds the lock.
func (d *drive) progress(lasted time.Duration) string {
	t := d.totals
	line := fmt.Sprintf("%4.0fs  %d seeds, %.0f virtual hours, %d events, %d violations, "+
		"%.1f seeds a minute", lasted.Seconds(), t.runs, t.hours, t.events, t.violations,
		float64(t.runs)/lasted.Minutes())
	left, known := d.left(lasted)
	switch {
	case d.shrinking > 0:
		line += ", looking for a shorter schedule"
	case known:
		line += fmt.Sprintf(", %.0fs left", left.Seconds())
	}
	return line
}

// left estimates the time until the end. The caller holds the lock.
func (d *drive) left(lasted time.Duration) (left time.Duration, known bool) {
	if d.For > 0 {
		left = max(0, d.For-lasted)
		known = true
	}
	if d.Seeds > 0 && d.totals.runs > 0 {
		each := lasted / time.Duration(d.totals.runs)
		byCount := each * time.Duration(d.Seeds-d.totals.runs)
		if !known || byCount < left {
			left = byCount
		}
		known = true
	}
	return left, known
}

// printFailure prints the violations and the schedule of a run. The caller holds the lock.
func (d *drive) printFailure(r result) {
	d.print("violations with seed %d: %d", r.Seed, len(r.Violations))
	for _, v := range r.Violations[:min(violationsShown, len(r.Violations))] {
		why := strings.ReplaceAll(v.Why, "\n", "\n    ")
		fmt.Fprintf(d.Out, "  VIOLATION %-10s %s: %s\n", v.What, v.ID, why)
	}
	if more := len(r.Violations) - violationsShown; more > 0 {
		fmt.Fprintf(d.Out, "  VIOLATION and %d more\n", more)
	}
	if r.output != "" {
		fmt.Fprintf(d.Out, "  the output is in %s\n", r.output)
	}
	if len(r.Steps) == 0 {
		fmt.Fprintf(d.Out, "  no schedule is known: no fault can be left out\n  again: %s\n",
			d.again(r.Seed, d.Without))
		return
	}
	fmt.Fprintln(d.Out, "  the schedule:")
	for n, step := range r.Steps {
		fmt.Fprintf(d.Out, "  %4d  %s\n", n, step)
	}
}

// printShortest prints the shortest schedule that was found. The caller holds the lock.
func (d *drive) printShortest(s *shrinker, steps []string) {
	d.print("seed %d has %s also with %d of %d faults, after %d runs",
		s.seed, s.what, len(s.kept), s.faults, s.runs)
	for _, n := range s.kept {
		fmt.Fprintf(d.Out, "  %4d  %s\n", n, steps[n])
	}
	if s.isExhausted() {
		fmt.Fprintln(d.Out, "  a shorter schedule may exist: the runs are used up")
	}
	fmt.Fprintf(d.Out, "  again: %s\n", d.again(s.seed, s.without(s.kept)))
}

// printGone says that the violation did not come again. The caller holds the lock.
func (d *drive) printGone(s *shrinker) {
	d.print("seed %d did not have %s again in %d runs of the same schedule: the seed does not "+
		"decide the order of goroutines", s.seed, s.what, s.runs)
	fmt.Fprintf(d.Out, "  again: %s\n", d.again(s.seed, d.Without))
}

// again is the command that runs a schedule again.
func (d *drive) again(seed uint64, without []int) string {
	line := fmt.Sprintf("make simulate SEED=%d", seed)
	if len(without) > 0 {
		line += " WITHOUT=" + formatNumbers(without)
	}
	if d.Flaw != "" {
		line += fmt.Sprintf(" ARGS='--flaw %s'", d.Flaw)
	}
	return line
}
