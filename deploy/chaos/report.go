package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// violationsShown of one kind; the rest is counted.
const violationsShown = 10

// report prints the table, and every violation.
func (r *run) report(c *check, lasted, drained time.Duration) {
	w := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', 0)
	row := func(name, text string, args ...any) { fmt.Fprintf(w, "  %s\t%s\n", name, fmt.Sprintf(text, args...)) }
	n := c.counts
	fmt.Fprintln(w)
	row("seed", "%d", r.Seed)
	row("time", "%.0f s of chaos, %.0f s until the queues were empty", lasted.Seconds(), drained.Seconds())
	row("webhooks", "%d sent: %d accepted, %d never answered 200, %d forged", r.ledger.sent, n.accepted, n.unanswered, n.forged)
	row("events", "%d stored in %d copies, %.1f a second", n.stored, n.copies, float64(n.copies)/lasted.Seconds())
	row("completions", "%d: %s", n.completions, outcomes(n.outcomes))
	row("records", "%d as the providers served them; %d completions point to theirs; %d stale; %d missing", n.records, n.large, n.stale, n.missing)
	row("dead letters", "%d", n.deadLetters)
	row("quarantine", "%d", n.quarantined)
	row("erased", "%d accounts with %d events", n.tombstones, n.erased)
	row("provider calls", "%d, of which %d went wrong: %s", r.gate.calls, r.gate.failures, counted(r.faults))
	killed, paused, peaks := map[string]int{}, map[string]int{}, map[string]int64{}
	for _, p := range r.processes {
		kills, pauses, peak, _ := p.report()
		name := strings.TrimRight(p.name, "-0123456789")
		killed[name] += kills
		paused[name] += pauses
		peaks[name] = max(peaks[name], peak)
	}
	row("killed", "%s", counted(killed))
	row("paused", "%s (%d acts left out: the victim was down)", counted(paused), r.skipped.Load())
	row("peak memory", "%s", sizes(peaks))
	row("violations", "%d", len(c.violations))
	_ = w.Flush()
	shown := map[string]int{}
	for _, v := range c.violations {
		if shown[v.what]++; shown[v.what] <= violationsShown {
			fmt.Fprintf(r.Out, "  VIOLATION %-10s %s: %s\n", v.what, v.id, v.why)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(shown)) {
		if more := shown[what] - violationsShown; more > 0 {
			fmt.Fprintf(r.Out, "  VIOLATION %-10s and %d more\n", what, more)
		}
	}
}

func outcomes(of map[schema.Outcome]int) string {
	plain := map[string]int{}
	for o, n := range of {
		plain[string(o)] = n
	}
	return counted(plain)
}

// counted is "a 1, b 2" without what is 0.
func counted(of map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if of[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, of[name]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// sizes is "a 12 MiB, b 30 MiB", of those known: a process that never ended has no peak yet.
func sizes(of map[string]int64) string {
	mib := map[string]int{}
	for name, bytes := range of {
		mib[name+" (MiB)"] = int(bytes >> 20)
	}
	return counted(mib)
}
