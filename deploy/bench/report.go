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

	"github.com/wagewire/wagewire/deploy/usage"
)

// results are all figures of a setting.
type results struct {
	setting setting
	rounds  []round
	memory  []memory
	latency []latency
}

// round is every figure of both lines, measured once.
type round struct {
	ingress pair[figure]
	// kinds has a pair for each of the kinds.
	kinds []pair[figure]
	// spent belongs to all kinds together, and to our workers.
	spent spending
}

// figure is a number of calls and their total time.
type figure struct {
	n    int
	took time.Duration
	cpu  cpu
}

func (f figure) perS() float64 { return float64(f.n) / f.took.Seconds() }

// micros is a time for one call, in microseconds.
func (f figure) micros(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond) / float64(f.n)
}

// memory is the memory of a process of ours, in bytes: at rest before the first load, and the peak.
type memory struct {
	name       string
	rest, peak int64
	of         *process
}

// spread summarizes a figure over all rounds.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func (s spread) format(verb string) string {
	return fmt.Sprintf(verb+" ("+verb+" – "+verb+")", s.median, s.least, s.most)
}

// measureRest notes the memory of our processes before any load.
func (r *results) measureRest(lines pair[*line]) error {
	processes := slices.Concat([]*process{lines.ours.ingress}, lines.ours.workers,
		lines.ours.servers)
	for _, p := range processes {
		rest, err := memoryOf(usage.Memory, p)
		if err != nil {
			return err
		}
		r.memory = append(r.memory, memory{name: p.name, rest: rest, of: p})
	}
	return nil
}

// measurePeak notes the peak memory of the same processes.
func (r *results) measurePeak() (err error) {
	for i := range r.memory {
		m := &r.memory[i]
		m.peak, err = memoryOf(usage.MemoryPeak, m.of)
		if err != nil {
			return err
		}
	}
	return nil
}

// print prints the tables of a setting: for each figure the median of all rounds, and of the ratio
// also the least and the most.
func (r results) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s, a second\tours\tleast\tratio\twanted\n", r.setting.name)
	r.rates(t, "webhooks stored", wantedOfIngress,
		func(n round) pair[figure] { return n.ingress })
	for i, k := range kinds {
		r.rates(t, k.name, k.wanted, func(n round) pair[figure] { return n.kinds[i] })
	}
	budget := r.spread(func(n round) float64 { return n.spent.perCall() })
	fmt.Fprintf(t, "broker requests of the budget, for a call\t%s\t\t\t≤ 1\n",
		budget.format("%.2f"))
	// A system without a count of memory has no count of processor time either.
	if r.memory[0].peak > 0 {
		r.processorTime(t)
		r.printMemory(t)
	}
	r.printLatency(t)
	_ = t.Flush()
}

// spread summarizes a figure of each round.
func (r results) spread(of func(round) float64) spread {
	var values []float64
	for _, n := range r.rounds {
		values = append(values, of(n))
	}
	return spreadOf(values)
}

// rates prints the rates of both lines, and the ratio, which is taken in each round.
func (r results) rates(w io.Writer, name string, wanted float64, of func(round) pair[figure]) {
	ours := r.spread(func(n round) float64 { return of(n).ours.perS() })
	minimal := r.spread(func(n round) float64 { return of(n).least.perS() })
	ratio := r.spread(func(n round) float64 { return of(n).ours.perS() / of(n).least.perS() })
	fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%s\t≥ %.2f\n",
		name, ours.median, minimal.median, ratio.format("%.2f"), wanted)
}

func (r results) processorTime(w io.Writer) {
	fmt.Fprint(w, "\nprocessor time for one, µs (ours / least)\t",
		"sender, API\tingress\tworkers\tbroker\n")
	row := func(name string, of func(round) pair[figure]) {
		fmt.Fprint(w, name)
		for _, part := range []func(cpu) time.Duration{
			func(c cpu) time.Duration { return c.bench },
			func(c cpu) time.Duration { return c.ingress },
			func(c cpu) time.Duration { return c.workers },
			func(c cpu) time.Duration { return c.broker },
		} {
			ours := r.spread(func(n round) float64 {
				return of(n).ours.micros(part(of(n).ours.cpu))
			})
			minimal := r.spread(func(n round) float64 {
				return of(n).least.micros(part(of(n).least.cpu))
			})
			fmt.Fprintf(w, "\t%.0f / %.0f", ours.median, minimal.median)
		}
		fmt.Fprintln(w)
	}
	row("webhooks stored", func(n round) pair[figure] { return n.ingress })
	for i, k := range kinds {
		row(k.name, func(n round) pair[figure] { return n.kinds[i] })
	}
}

func (r results) printMemory(w io.Writer) {
	fmt.Fprintln(w, "\nmemory, MiB\tat rest\tpeak")
	for _, m := range r.memory {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\n",
			m.name, float64(m.rest)/(1<<20), float64(m.peak)/(1<<20))
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
