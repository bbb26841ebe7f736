package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/usage"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// GrowthConfig is how to measure the growth of cost.
type GrowthConfig struct {
	// Bin is the directory of the binaries, nats-server too.
	Bin string
	// Completions, Durables and Waiting are the loads to measure: completions kept, durables of
	// teams on the stream of the completions, and events that wait for their next try. A load
	// without numbers is left out.
	Completions, Durables, Waiting []int
	// Rounds is how often each figure is measured, in turn with the baseline.
	Rounds int
	// Senders is how many requests are in flight, in the figure of the rate.
	Senders int
	// Events is how many small snapshots are completed for one figure of the rate.
	Events int
	// PerS is the constant rate of webhooks for the latency, and OpenFor how long they come.
	PerS    float64
	OpenFor time.Duration
	// SVG is the file for the plot. Empty: no plot.
	SVG string
	// Progress gets a line for each part of the run.
	Progress io.Writer
}

// baselineKept is how many completions the baseline keeps. It has no durable of a team and no
// waiting event.
const baselineKept = 1000

// load is something that a broker has more and more of.
type load struct {
	// key is part of the name of a directory, and name is the name in the tables.
	key, name string
	counts    []int
	// least is what the baseline has.
	least int
	// fill brings the filled line from one number to a greater one.
	fill func(f *filler, ctx context.Context, from, to int) error
}

// loads are the chosen loads.
func (c GrowthConfig) loads() []load {
	all := []load{
		{"completions", "completions kept", c.Completions, baselineKept, (*filler).keep},
		{"durables", "durables of teams", c.Durables, 0, (*filler).addDurables},
		{"waiting", "waiting events", c.Waiting, 0, (*filler).letWait},
	}
	return slices.DeleteFunc(all, func(l load) bool { return len(l.counts) == 0 })
}

// cost is what one line costs under a load.
type cost struct {
	// figures are of the rate, one for each round.
	figures []figure
	// p99s are of the constant rate, webhook to completion, one for each round.
	p99s []time.Duration
	// resident is the memory of the broker, and live what its garbage collector keeps of it.
	// stored are the bytes in all of its streams.
	resident, live, stored int64
}

// step is a load of one size, next to the baseline at the same time.
type step struct {
	n int
	// unreached says why there are no figures.
	unreached string
	grown     cost
	baseline  cost
}

// growth is what was measured of a load.
type growth struct {
	load  load
	steps []step
}

// RunGrowth measures how cost grows with each load, and prints a table. Next to the line with the
// load stands a second line with a broker of its own, which keeps the baseline all the time. Both
// are measured in turn, so the ratio holds although the speed of the machine changes.
func RunGrowth(ctx context.Context, c GrowthConfig, stdout io.Writer) (err error) {
	c.Progress = cmp.Or[io.Writer](c.Progress, io.Discard)
	config := Config{Bin: c.Bin, Rounds: c.Rounds, Senders: c.Senders, Events: c.Events}
	b, err := newBench(config, growthTopology(c.Completions))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, stdout); err != nil {
		return err
	}
	var measured []growth
	for _, l := range c.loads() {
		steps, err := b.grow(ctx, c, l)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		measured = append(measured, growth{l, steps})
	}
	reportGrowth(stdout, measured)
	if c.SVG == "" {
		return nil
	}
	return writeFile(c.SVG, func(w io.Writer) error { return plotGrowth(w, measured) })
}

// growthTopology is the default topology, with room for the numbers of completions.
func growthTopology(completions []int) schema.Topology {
	topology := schema.DefaultTopology()
	for i := range topology.Streams {
		if s := &topology.Streams[i]; s.Name == schema.CompletionsStream {
			s.MaxBytes = bytesFor(completions)
		}
	}
	return topology
}

// keptBytesMax is more than a filled completion takes of its stream.
const keptBytesMax = 2560

// bytesFor is the size of the stream of the completions.
func bytesFor(counts []int) int64 {
	return loadedBytesMax + keptBytesMax*int64(slices.Max(append(slices.Clone(counts), 0)))
}

// writeFile writes a file whole.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// filled is a line with a filler.
type filled struct {
	*line

	// profile is where the broker serves its profiles.
	profile string
	filler  *filler
}

// startFilled starts a line with a broker of its own, which has what the baseline has.
func (b *bench) startFilled(ctx context.Context, key string) (*filled, error) {
	one := settings[0]
	one.key = key
	configs, err := natsConfigs(ctx, filepath.Join(b.dir, key), one)
	if err != nil {
		return nil, err
	}
	profile, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	configs[0].extra = "prof_port: " + profile[strings.LastIndex(profile, ":")+1:] + "\n"
	on, err := b.startServers(ctx, one, configs, one.servers)
	if err != nil {
		return nil, err
	}
	filler, err := newFiller(on)
	if err != nil {
		return nil, err
	}
	b.undo = append(b.undo, func() error { filler.close(); return nil })
	// The sample of a waiting event is taken while no worker is there.
	if err := filler.sampleWaiting(ctx, b.worked[0][0]); err != nil {
		return nil, fmt.Errorf("sample of a waiting event: %w", err)
	}
	l, err := b.startOurs(ctx, on, workersOf(kinds[0].types))
	if err != nil {
		return nil, err
	}
	if _, err := b.complete(ctx, l, b.worked[0][:1], 1); err != nil {
		return nil, err
	}
	if err := filler.sampleCompletion(b.worked[0][0]); err != nil {
		return nil, fmt.Errorf("sample of a completion: %w", err)
	}
	return &filled{l, profile, filler}, filler.keep(ctx, 0, baselineKept)
}

// grow measures a load, with two lines that end afterwards.
func (b *bench) grow(
	ctx context.Context, c GrowthConfig, l load,
) (steps []step, err error) {
	before := len(b.undo)
	defer func() { err = errors.Join(err, b.stopTo(before)) }()
	baseline, err := b.startFilled(ctx, l.key+"-baseline")
	if err != nil {
		return nil, err
	}
	grown, err := b.startFilled(ctx, l.key)
	if err != nil {
		return nil, err
	}
	grown.filler.progress = func(done, all int) {
		fmt.Fprintf(c.Progress, "%s: %s of %s\n", l.name, grouped(done), grouped(all))
	}
	has := l.least
	for _, n := range slices.Compact(slices.Sorted(slices.Values(l.counts))) {
		s := step{n: n}
		if n > has {
			if err := l.fill(grown.filler, ctx, has, n); err != nil {
				s.unreached = err.Error()
				fmt.Fprintf(c.Progress, "%s: %s, not reached: %v\n", l.name, grouped(n), err)
				return append(steps, s), ctx.Err()
			}
			has = n
		}
		fmt.Fprintf(c.Progress, "%s: %s, measured\n", l.name, grouped(n))
		if err := b.measureStep(ctx, c, grown, baseline, &s); err != nil {
			s.unreached = err.Error()
			fmt.Fprintf(c.Progress, "%s: %s, not measured: %v\n", l.name, grouped(n), err)
		}
		steps = append(steps, s)
		if ctx.Err() != nil {
			return steps, ctx.Err()
		}
	}
	return steps, nil
}

// measureStep measures the rate and the latency of both lines in turn, and then their memory. A
// round before does not count.
func (b *bench) measureStep(
	ctx context.Context, c GrowthConfig, grown, baseline *filled, s *step,
) error {
	both := pair[*filled]{grown, baseline}
	costs := pair[*cost]{&s.grown, &s.baseline}
	for n := range c.Rounds + 1 {
		first, second := both.ours, both.least
		into, next := costs.ours, costs.least
		if n%2 == 1 {
			first, second = second, first
			into, next = next, into
		}
		if err := b.measureCost(ctx, c, first, into, n > 0); err != nil {
			return err
		}
		if err := b.measureCost(ctx, c, second, next, n > 0); err != nil {
			return err
		}
	}
	return errors.Join(grown.measureMemory(ctx, &s.grown), baseline.measureMemory(ctx, &s.baseline))
}

// measureCost adds one round to the cost of a line, unless the round does not count. The
// completions of the round go afterwards, so that the line keeps what the step says.
func (b *bench) measureCost(
	ctx context.Context, c GrowthConfig, f *filled, into *cost, counts bool,
) (err error) {
	defer func() { err = errors.Join(err, f.filler.forget(ctx, b.worked[0][0])) }()
	figure, err := b.complete(ctx, f.line, b.onePerson(), c.Events)
	if err != nil || !counts {
		return err
	}
	into.figures = append(into.figures, figure)
	p99, err := b.timeCompletions(ctx, c, f.line)
	into.p99s = append(into.p99s, p99)
	return err
}

// onePerson is the small snapshots of one person, so that their completions can be removed.
func (b *bench) onePerson() []fake.Webhook { return b.worked[0][:len(kinds[0].types)] }

// timeCompletions returns the time from webhook to completion, at the constant rate, which 99 of
// 100 webhooks did not exceed. If a stall of the machine keeps a line from the rate,
// timeCompletions begins anew.
func (b *bench) timeCompletions(
	ctx context.Context, c GrowthConfig, l *line,
) (p99 time.Duration, unreached error) {
	for range attemptsMax {
		before, err := l.completions.Info(ctx)
		if err != nil {
			return 0, err
		}
		requests := signCopies(max(1, int(c.PerS*c.OpenFor.Seconds())), b.onePerson()...)
		got, err := b.timeAll(ctx, l, requests, c.PerS, true)
		if err != nil {
			return 0, err
		}
		if got.unreached == "" {
			return got.parts[1].times.quantile(0.99), nil
		}
		unreached = errors.New(got.unreached)
		fmt.Fprintf(c.Progress, "once more: %v\n", unreached)
		late, cancel := context.WithTimeout(ctx, completionsFor)
		_, err = l.awaitCompletions(late, before.State.Msgs, len(requests))
		cancel()
		if err != nil {
			return 0, err
		}
	}
	return 0, unreached
}

// attemptsMax is how often a constant rate is tried.
const attemptsMax = 4

// measureMemory notes the memory of the line's broker, and the bytes in its streams.
func (f *filled) measureMemory(ctx context.Context, into *cost) (err error) {
	into.resident, err = memoryOf(usage.Memory, f.servers[0])
	if err != nil {
		return err
	}
	into.live, err = liveHeap(ctx, f.profile)
	if err != nil {
		return err
	}
	levels, _, err := stream.NewOperator(f.filler.conn).Status(ctx)
	for _, l := range levels {
		into.stored += int64(l.Bytes)
	}
	return err
}

// liveHeap asks a process for the bytes of its heap after a garbage collection.
func liveHeap(ctx context.Context, addr string) (int64, error) {
	url := "http://" + addr + "/debug/pprof/heap?gc=1&debug=1"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); found {
			return strconv.ParseInt(text, 10, 64)
		}
	}
	return 0, fmt.Errorf("read %s: no HeapAlloc", url)
}
