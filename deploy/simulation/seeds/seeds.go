package seeds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/flaw"
)

// Config is what to run.
type Config struct {
	// Root is the directory of the repository.
	Root string
	// Environ is the environment of the go command and of the simulations.
	Environ []string
	// First is the first seed. Each further seed is one more.
	First uint64
	// Seeds is the number of seeds, 0 without a limit. For is how long new seeds are started, 0
	// without a limit.
	Seeds int
	For   time.Duration
	// Without are the numbers of the faults to leave out of each schedule.
	Without []int
	// Parallel is how many simulations run at a time.
	Parallel int
	// Failures is the number of failing seeds after which no other seed is started.
	Failures int
	// Flaw is the name of a flaw to build in, "" for none.
	Flaw string
	Out  io.Writer
}

// Errors of runs that were possible.
var (
	// ErrViolated is the error of a run with violations.
	ErrViolated = errors.New("promises were broken")
	// ErrVain is the error of a run that could have had no violation.
	ErrVain = errors.New("a check that cannot fail")
	// ErrMissed is the error of a flaw that was not found.
	ErrMissed = errors.New("not found")
)

// reportEvery is the time between two lines of progress.
const reportEvery = 5 * time.Second

// Run builds the simulation, runs the seeds, and prints progress, failures and a table. It returns
// ErrViolated after a broken promise, and ErrVain if no run proved anything. No process outlives
// Run.
func Run(ctx context.Context, c Config) error {
	if err := checkFlaws(c.Flaw); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "wagewire-simulate-")
	if err != nil {
		return err
	}
	defer cleanUp(dir)
	s, err := c.build(ctx, dir, c.Flaw)
	if err != nil {
		return err
	}
	c.print("seeds from %d, %d at a time", c.First, c.Parallel)
	return newDrive(c, s.run).drive(ctx)
}

// checkFlaws returns an error for a name that is neither a flaw nor "".
func checkFlaws(names ...string) error {
	for _, name := range names {
		if _, ok := flaw.Lookup(name); !ok && name != "" {
			return fmt.Errorf("no flaw %q: there are %s", name, strings.Join(flaw.Names(), ", "))
		}
	}
	return nil
}

// cleanUp removes the directory of a build, except the outputs of runs with violations.
func cleanUp(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".log" {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir) // stays with an output inside
}

// drive is a run of many seeds.
type drive struct {
	Config

	run   runFunc
	began time.Time

	mu      sync.Mutex
	started int
	// shrinking is the number of schedules that are made shorter at the moment.
	shrinking int
	totals    totals
}

func newDrive(c Config, run runFunc) *drive {
	return &drive{Config: c, run: run, began: time.Now()}
}

// drive runs the seeds and prints the table.
func (d *drive) drive(ctx context.Context) error {
	err := d.runAll(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.totals.print(d.Out, time.Since(d.began))
	switch {
	case err != nil:
		return err
	case len(d.totals.failed) > 0:
		return fmt.Errorf("%w: by seeds %s", ErrViolated, formatSeeds(d.totals.failed))
	case d.totals.isVain() && len(d.Without) == 0:
		return fmt.Errorf("%w: in each run, no fault took effect or no event waited", ErrVain)
	default:
		return nil
	}
}

// runAll runs the seeds. It returns after the end of the last one.
func (d *drive) runAll(ctx context.Context) error {
	progress, end := context.WithCancel(ctx)
	var printer sync.WaitGroup
	printer.Go(func() { d.printProgress(progress) })
	defer printer.Wait()
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	for range d.Parallel {
		group.Go(func() error {
			for {
				seed, ok := d.next()
				if !ok {
					return nil
				}
				if err := d.runSeed(ctx, seed); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// next returns the next seed. ok is false if no seed may be started any more.
func (d *drive) next() (seed uint64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	isLate := d.For > 0 && time.Since(d.began) >= d.For
	isLast := d.Seeds > 0 && d.started >= d.Seeds
	if isLate || isLast || len(d.totals.failed) >= d.Failures {
		return 0, false
	}
	d.started++
	return d.First + uint64(d.started-1), true
}

// runSeed runs a seed. After a violation it looks for a shorter schedule.
func (d *drive) runSeed(ctx context.Context, seed uint64) error {
	r, err := d.run(ctx, seed, d.Without)
	if err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	d.mu.Lock()
	d.totals.add(r.Report)
	if len(r.Violations) > 0 {
		d.printFailure(r)
	}
	shrinks := len(r.Violations) > 0 && len(r.Steps) > 0 && len(d.totals.failed) <= d.Failures
	if shrinks {
		d.shrinking++
	}
	d.mu.Unlock()
	if !shrinks {
		return nil
	}
	s := newShrinker(d.run, r, d.Without)
	err = s.shrink(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shrinking--
	switch {
	case errors.Is(err, errGone):
		d.printGone(s)
	case err != nil:
		return fmt.Errorf("seed %d: %w", seed, err)
	default:
		d.printShortest(s, r.Steps)
	}
	return nil
}
