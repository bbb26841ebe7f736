package bench

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// round is every figure, measured once.
type round [settings]figures

// figures are the figures of a setting of the broker.
type figures struct {
	raw, null, ingress, completions, completionsSlow figure
	// spent belongs to completions and completionsSlow together.
	spent spending
}

// figure is a number of calls and their total time.
type figure struct {
	n    int
	took time.Duration
	// cpu is processor time: of the bench, of the first and of the second process, and the sum of
	// all other processes.
	cpu []time.Duration
}

func (f figure) perS() float64 { return float64(f.n) / f.took.Seconds() }

// cpuEach is the processor time of the process at index i for a call. Unknown is 0.
func (f figure) cpuEach(i int) time.Duration { return f.cpu[i] / time.Duration(f.n) }

// combined is the rate of a program with calls of a and b in turn.
func combined(a, b float64) float64 { return 1 / (1/a + 1/b) }

func (f figures) combined() float64 { return combined(f.raw.perS(), f.null.perS()) }
func (f figures) ratio() float64    { return f.ingress.perS() / f.combined() }

// peak is the peak memory of a process, for each setting.
type peak struct {
	name  string
	bytes [settings]int64
}

// spread summarizes a figure over all rounds.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func (s spread) format(verb string) string {
	return fmt.Sprintf(verb+"\t("+verb+" – "+verb+")", s.median, s.least, s.most)
}

// report prints the table: for each figure the median of all rounds, the least and the most.
func report(w io.Writer, rounds []round, memory []peak) {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), rounds}
	perS := func(of func(figures) figure) func(figures) float64 {
		return func(f figures) float64 { return of(f).perS() }
	}
	fmt.Fprintln(t, "\na second\tfsync later\t\tfsync always")
	t.line("a  JetStream publishes", "%.0f", perS(rawOf))
	t.line("b  null handler's requests", "%.0f", perS(nullOf))
	t.line("   combined, 1/(1/a+1/b)", "%.0f", figures.combined)
	t.line("c  ingress's webhooks, stored", "%.0f", perS(ingressOf))
	t.line("   ratio, c/combined", "%.2f", figures.ratio)
	t.line("d  completions, API at once", "%.0f", perS(completionsOf))
	t.line("   completions, API after "+apiDelay.String(), "%.0f", perS(completionsSlowOf))
	fmt.Fprintln(t, "\nfor a call of an API\tfsync later\t\tfsync always")
	t.line("d  broker requests of the budget", "%.2f",
		func(f figures) float64 { return f.spent.perCall() })
	// A system without a count of memory has no count of processor time either.
	if memory != nil {
		t.processorTime()
		t.memory(memory)
	}
	_ = t.Flush()
}

func rawOf(f figures) figure             { return f.raw }
func nullOf(f figures) figure            { return f.null }
func ingressOf(f figures) figure         { return f.ingress }
func completionsOf(f figures) figure     { return f.completions }
func completionsSlowOf(f figures) figure { return f.completionsSlow }

// table prints lines of figures from all rounds.
type table struct {
	*tabwriter.Writer

	rounds []round
}

// line prints a figure for each setting.
func (t table) line(name, verb string, of func(figures) float64) {
	fmt.Fprint(t, name)
	for setting := range settings {
		var values []float64
		for _, r := range t.rounds {
			values = append(values, of(r[setting]))
		}
		fmt.Fprintf(t, "\t%s", spreadOf(values).format(verb))
	}
	fmt.Fprintln(t)
}

func (t table) processorTime() {
	micros := func(of func(figures) figure, i int) func(figures) float64 {
		return func(f figures) float64 {
			return float64(of(f).cpuEach(i)) / float64(time.Microsecond)
		}
	}
	fmt.Fprintln(t, "\nprocessor time for one, µs\tfsync later\t\tfsync always")
	t.line("a  publisher", "%.0f", micros(rawOf, 0))
	t.line("   nats-server", "%.0f", micros(rawOf, 1))
	t.line("b  sender", "%.0f", micros(nullOf, 0))
	t.line("   null handler", "%.0f", micros(nullOf, 1))
	t.line("c  sender", "%.0f", micros(ingressOf, 0))
	t.line("   ingress", "%.0f", micros(ingressOf, 1))
	t.line("   nats-server", "%.0f", micros(ingressOf, 2))
	t.line("d  sender, fake API", "%.0f", micros(completionsOf, 0))
	t.line("   ingress", "%.0f", micros(completionsOf, 1))
	t.line("   nats-server", "%.0f", micros(completionsOf, 2))
	t.line("   all workers", "%.0f", micros(completionsOf, workersAt))
}

func (t table) memory(peaks []peak) {
	fmt.Fprintln(t, "\npeak memory, MiB\tfsync later\t\tfsync always")
	for _, p := range peaks {
		fmt.Fprint(t, p.name)
		for _, n := range p.bytes {
			fmt.Fprintf(t, "\t%.0f\t", float64(n)/(1<<20))
		}
		fmt.Fprintln(t)
	}
}

// machineOf describes the machine and the versions.
func machineOf(c Config, dir string) (string, error) {
	broker, err := buildinfo.ReadFile(filepath.Join(c.Bin, "nats-server"))
	if err != nil {
		return "", err
	}
	synced, err := fsyncTook(dir)
	if err != nil {
		return "", err
	}
	machine := fmt.Sprintf("%d cores, %s/%s, %s, nats-server %s, an fsync takes %s here",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), broker.Main.Version,
		synced.Round(10*time.Microsecond))
	method := fmt.Sprintf("%d senders; %d rounds, every figure once in each: median (least – most)",
		c.Senders, c.Rounds)
	return machine + "\n" + method, nil
}

// fsyncTook is the median time of a synced write of 1 KiB to the disk of the streams.
func fsyncTook(dir string) (_ time.Duration, err error) {
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	var took []float64
	for range 100 {
		began := time.Now()
		if _, err := file.Write(make([]byte, 1<<10)); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began)))
	}
	return time.Duration(spreadOf(took).median), nil
}
