package main

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

// round is every figure, taken once.
type round [settings]figures

// figures are those of one setting of the broker.
type figures struct{ raw, null, ingress, completions, completionsSlow figure }

// figure is how many there were and how long they took.
type figure struct {
	n    int
	took time.Duration
	// cpu is what this process, the first and the second behind it, and all the others together have used meanwhile.
	cpu []time.Duration
}

func (f figure) perS() float64 { return float64(f.n) / f.took.Seconds() }

// cpuEach is the processor time for one, of the process at i; 0 where it is not known.
func (f figure) cpuEach(i int) time.Duration { return f.cpu[i] / time.Duration(f.n) }

// combined is what doing one after the other comes to.
func combined(a, b float64) float64 { return 1 / (1/a + 1/b) }

func (f figures) combined() float64 { return combined(f.raw.perS(), f.null.perS()) }
func (f figures) ratio() float64    { return f.ingress.perS() / f.combined() }

// peak is the most memory that a process has had, for each setting.
type peak struct {
	name  string
	bytes [settings]int64
}

// spread is what a figure was in all rounds.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func (s spread) format(verb string) string {
	return fmt.Sprintf(verb+"\t("+verb+" – "+verb+")", s.median, s.least, s.most)
}

// report prints what the rounds have in common.
func report(w io.Writer, rounds []round, memory []peak) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, verb string, of func(figures) float64) {
		fmt.Fprint(t, name)
		for setting := range settings {
			var values []float64
			for _, r := range rounds {
				values = append(values, of(r[setting]))
			}
			fmt.Fprintf(t, "\t%s", spreadOf(values).format(verb))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintln(t, "\na second\tfsync later\t\tfsync always")
	line("a  JetStream publishes", "%.0f", func(f figures) float64 { return f.raw.perS() })
	line("b  null handler's requests", "%.0f", func(f figures) float64 { return f.null.perS() })
	line("   combined, 1/(1/a+1/b)", "%.0f", figures.combined)
	line("c  ingress's webhooks, stored", "%.0f", func(f figures) float64 { return f.ingress.perS() })
	line("   ratio, c/combined", "%.2f", figures.ratio)
	line("d  completions, API at once", "%.0f", func(f figures) float64 { return f.completions.perS() })
	line("   completions, API after "+apiDelay.String(), "%.0f", func(f figures) float64 { return f.completionsSlow.perS() })
	if memory != nil { // as good as the processor time, which the same systems tell
		fmt.Fprintln(t, "\nprocessor time for one, µs\tfsync later\t\tfsync always")
		micros := func(of func(figures) figure, i int) func(figures) float64 {
			return func(f figures) float64 { return float64(of(f).cpuEach(i)) / float64(time.Microsecond) }
		}
		raw := func(f figures) figure { return f.raw }
		null := func(f figures) figure { return f.null }
		ingress := func(f figures) figure { return f.ingress }
		completions := func(f figures) figure { return f.completions }
		line("a  publisher", "%.0f", micros(raw, 0))
		line("   nats-server", "%.0f", micros(raw, 1))
		line("b  sender", "%.0f", micros(null, 0))
		line("   null handler", "%.0f", micros(null, 1))
		line("c  sender", "%.0f", micros(ingress, 0))
		line("   ingress", "%.0f", micros(ingress, 1))
		line("   nats-server", "%.0f", micros(ingress, 2))
		line("d  sender, fake API", "%.0f", micros(completions, 0))
		line("   ingress", "%.0f", micros(completions, 1))
		line("   nats-server", "%.0f", micros(completions, 2))
		line("   all workers", "%.0f", micros(completions, 3))
		fmt.Fprintln(t, "\npeak memory, MiB\tfsync later\t\tfsync always")
		for _, p := range memory {
			fmt.Fprint(t, p.name)
			for _, n := range p.bytes {
				fmt.Fprintf(t, "\t%.0f\t", float64(n)/(1<<20))
			}
			fmt.Fprintln(t)
		}
	}
	_ = t.Flush()
}

// machineOf says what the figures were taken on and with.
func machineOf(c config, dir string) (string, error) {
	broker, err := buildinfo.ReadFile(filepath.Join(c.bin, "nats-server"))
	if err != nil {
		return "", err
	}
	synced, err := fsyncTook(dir)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d cores, %s/%s, %s, nats-server %s, an fsync takes %s here\n%d senders; %d rounds, every figure once in each: median (least – most)",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), broker.Main.Version, synced.Round(10*time.Microsecond), c.senders, c.rounds), nil
}

// fsyncTook is the median of some writes of 1 KiB to the disk that the streams are on.
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
