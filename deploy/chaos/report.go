package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// violationsShown is how many violations of a name are printed. The others are counted.
const violationsShown = 10

// report prints the table and the violations.
func (r *run) report(c *ledger.Check, lasted, drained time.Duration) {
	w := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', 0)
	row := func(name, text string, args ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", name, fmt.Sprintf(text, args...))
	}
	n := c.Counts()
	killed, restarted, paused, peaks := r.histories()
	fmt.Fprintln(w)
	row("seed", "%d", r.Seed)
	row("time", "%.0f s of chaos, %.0f s until the queues were empty",
		lasted.Seconds(), drained.Seconds())
	row("webhooks", "%d sent: %d accepted, %d never answered 200, %d forged",
		r.ledger.Sent(), n.Accepted, n.Unanswered, n.Forged)
	row("events", "%d stored in %d copies, %.1f a second",
		n.Stored, n.Copies, float64(n.Copies)/lasted.Seconds())
	row("completions", "%d: %s", n.Completions, formatOutcomes(n.Outcomes))
	row("records",
		"%d as the providers served them; %d completions point to theirs; %d stale; %d missing",
		n.Records, n.Large, n.Stale, n.Missing)
	row("dead letters", "%d", n.DeadLetters)
	row("quarantine", "%d", n.Quarantined)
	row("erased", "%d accounts with %d events", n.Tombstones, n.Erased)
	row("forbidden", "%d events", n.Forbidden)
	row("floods", "%s", formatCounts(r.floods))
	row("unsigned", "%v", r.flooded)
	attempts, refused := r.load.calm.count()
	row("in calm", "%d attempts to send a signed webhook, %d not answered 200",
		attempts, refused)
	row("provider calls", "%d, of which %d went wrong: %s",
		r.gate.calls, r.gate.served.Failures(), formatCounts(r.faults))
	paces := r.gate.copyPaces()
	for _, provider := range schema.Providers() {
		p := paces[provider]
		row(string(provider), "%d calls in the busiest second, %d allowed; %d holds, %d judged, "+
			"the latest call %d ms after the answer",
			len(p.busiest), callsMax(provider), p.asked, p.judged, p.latest.Milliseconds())
	}
	row("stalls", "%d of this machine; the calls in the second after each are not judged",
		r.gate.pulse.Stalls())
	row("killed", "%s", formatCounts(killed))
	row("restarted", "%s", formatCounts(restarted))
	row("paused", "%s (%d acts left out: the victim was down)",
		formatCounts(paused), r.skipped.Load())
	row("peak memory", "%s", formatSizes(peaks))
	violations := c.Violations()
	row("violations", "%d", len(violations))
	_ = w.Flush()
	r.printViolations(violations)
}

// histories sums kills, restarts and pauses, and takes the highest peak memory, by command.
func (r *run) histories() (killed, restarted, paused map[string]int, peaks map[string]int64) {
	killed = map[string]int{}
	restarted = map[string]int{}
	paused = map[string]int{}
	peaks = map[string]int64{}
	for _, p := range r.processes {
		h := p.history()
		name := strings.TrimRight(p.name, "-0123456789")
		killed[name] += h.kills
		restarted[name] += h.restarts
		paused[name] += h.pauses
		peaks[name] = max(peaks[name], h.peak)
	}
	return killed, restarted, paused, peaks
}

func (r *run) printViolations(violations []ledger.Violation) {
	shown := map[string]int{}
	for _, v := range violations {
		shown[v.What]++
		if shown[v.What] <= violationsShown {
			fmt.Fprintf(r.Out, "  VIOLATION %-10s %s: %s\n", v.What, v.ID, v.Why)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(shown)) {
		if more := shown[what] - violationsShown; more > 0 {
			fmt.Fprintf(r.Out, "  VIOLATION %-10s and %d more\n", what, more)
		}
	}
}

func formatOutcomes(of map[schema.Outcome]int) string {
	counts := map[string]int{}
	for o, n := range of {
		counts[string(o)] = n
	}
	return formatCounts(counts)
}

// formatCounts returns "a 1, b 2" without zeros.
func formatCounts(of map[string]int) string {
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

// formatSizes returns "a (MiB) 12, b (MiB) 30" without unknown sizes.
func formatSizes(of map[string]int64) string {
	mib := map[string]int{}
	for name, bytes := range of {
		mib[name+" (MiB)"] = int(bytes >> 20)
	}
	return formatCounts(mib)
}
