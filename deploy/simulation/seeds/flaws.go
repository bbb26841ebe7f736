package seeds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
)

// SeedsOfAFlaw is how many seeds there are to find a flaw.
const SeedsOfAFlaw = 50

// finding is how a flaw was found.
type finding struct {
	name string
	// seed is the seed with a violation, and what the name of the violation. what is "" if no seed
	// has one.
	seed uint64
	what string
	took time.Duration
}

// RunFlaws builds the simulation with each of the flaws, one after the other, runs seeds from 1
// until one has a violation, and prints a table. It returns ErrMissed if a flaw was not found, and
// ErrViolated if a seed that has found a flaw has a violation also without the flaw. No process
// outlives RunFlaws.
func RunFlaws(ctx context.Context, c Config, names []string) error {
	if err := checkFlaws(names...); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "wagewire-simulate-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the directory for temporary files
	sound, err := c.build(ctx, dir, "")
	if err != nil {
		return err
	}
	var findings []finding
	for _, name := range names {
		f, err := c.find(ctx, name)
		if err == nil {
			err = f.check(ctx, sound.run)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if f.what != "" {
			c.print("found %s: seed %d has %s", name, f.seed, f.what)
		}
		findings = append(findings, f)
	}
	return c.printFindings(findings)
}

// check returns ErrViolated if the seed has a violation also without the flaw: a broken simulation
// would find every flaw.
func (f finding) check(ctx context.Context, sound runFunc) error {
	if f.what == "" {
		return nil
	}
	r, err := sound(ctx, f.seed, nil)
	if err != nil {
		return err
	}
	if len(r.Violations) > 0 {
		return fmt.Errorf("%w: seed %d has %s also without the flaw: make simulate SEED=%d",
			ErrViolated, f.seed, r.Violations[0].What, f.seed)
	}
	return nil
}

// find builds the simulation with a flaw, and runs seeds from 1 until one has a violation.
func (c Config) find(ctx context.Context, name string) (finding, error) {
	dir, err := os.MkdirTemp("", "wagewire-simulate-")
	if err != nil {
		return finding{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the directory for temporary files
	s, err := c.build(ctx, dir, name)
	if err != nil {
		return finding{}, err
	}
	began := time.Now()
	f, err := c.search(ctx, s.run, SeedsOfAFlaw)
	f.name = name
	f.took = time.Since(began)
	return f, err
}

// errFound ends the other runs.
var errFound = errors.New("a seed has a violation")

// search runs so many seeds from 1, and returns the first violation that comes.
func (c Config) search(ctx context.Context, run runFunc, seeds uint64) (f finding, err error) {
	var mu sync.Mutex
	next := uint64(1)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.Parallel)
	for next <= seeds {
		seed := next
		next++
		group.Go(func() error {
			r, err := run(ctx, seed, nil)
			if err != nil {
				return err
			}
			if len(r.Violations) == 0 {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if f.what == "" {
				f.seed = seed
				f.what = r.Violations[0].What
			}
			return errFound
		})
	}
	err = group.Wait()
	if errors.Is(err, errFound) {
		err = nil
	}
	return f, err
}

// printFindings prints the table. It returns ErrMissed if a flaw was not found.
func (c Config) printFindings(findings []finding) error {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\n  FLAW\tSEED\tVIOLATION\tTIME")
	var missed []string
	for _, f := range findings {
		seed := fmt.Sprint(f.seed)
		what := f.what
		if f.what == "" {
			missed = append(missed, f.name)
			seed = "-"
			what = "NOT FOUND"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%.0f s\n", f.name, seed, what, f.took.Seconds())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(missed) > 0 {
		return fmt.Errorf("%w: %s", ErrMissed, strings.Join(missed, ", "))
	}
	return nil
}
