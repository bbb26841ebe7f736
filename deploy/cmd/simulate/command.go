package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/flaw"
	"github.com/wagewire/wagewire/deploy/simulation/seeds"
)

// Exit codes besides 0.
const (
	exitBroken = 1
	exitFailed = 2
)

const exitCodes = `  0  every promise was kept; with --broken: every broken build was found
  1  a promise was broken, or no run could break one; with --broken: a broken build was not found
  2  the run was not possible`

const (
	forDefault      = 2 * time.Minute
	failuresDefault = 3
)

const long = `simulate runs the line in virtual time: ingress, the workers, nats-server and the fake
providers in a process, for weeks that pass in seconds. The seed decides the schedule of the faults.
Each seed has a process of its own. After a violation, simulate looks for the shortest schedule that
has it. Run it in the repository: make simulate, make simulate/broken.`

const examples = `  make simulate FOR=1h
  make simulate SEED=1 SEEDS=1000
  make simulate SEED=4711 WITHOUT=2,5,7
  bin/simulate --broken float own-holds`

// options are the flags of the command.
type options struct {
	seeds.Config

	broken bool
}

// run runs the command and returns the exit code.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var o options
	root := &cobra.Command{
		Use:     "simulate [--broken [FLAW ...]]",
		Short:   "Count lost and repeated events in virtual time",
		Long:    long,
		Example: examples,
		Args: func(c *cobra.Command, args []string) error {
			if o.broken {
				return nil
			}
			return command.NoArguments(c, args)
		},
		RunE: func(c *cobra.Command, names []string) error {
			if err := o.complete(c.Flags().Changed, names); err != nil {
				return err
			}
			directory, err := os.Getwd()
			if err != nil {
				return command.Exit(exitFailed, err)
			}
			o.Root = directory
			o.Environ = environ
			o.Out = c.OutOrStdout()
			if o.broken {
				return exit(seeds.RunFlaws(c.Context(), o.Config, flawsOf(names)), o.Out,
					"every broken build was found")
			}
			return exit(seeds.Run(c.Context(), o.Config), o.Out, "every promise was kept")
		},
	}
	flags := root.Flags()
	flags.Uint64Var(&o.First, "seed", 0, "`SEED` of the first schedule (a new number)")
	flags.IntVar(&o.Seeds, "seeds", 0,
		"`NUMBER` of schedules, 0 without a limit (1 with --seed, otherwise 0)")
	flags.DurationVar(&o.For, "for", 0,
		"`DURATION` for which schedules are started, 0 without a limit "+
			"(2m without --seed and --seeds)")
	flags.IntSliceVar(&o.Without, "without", nil,
		"`NUMBERS` of faults to leave out of the schedule of one seed")
	flags.IntVar(&o.Parallel, "parallel", runtime.GOMAXPROCS(0),
		"`NUMBER` of schedules at a time")
	flags.IntVar(&o.Failures, "failures", failuresDefault,
		"`NUMBER` of failing seeds after which no other is started")
	flags.StringVar(&o.Flaw, "flaw", "", "`FLAW` to build in, listed below (none)")
	flags.BoolVar(&o.broken, "broken", false, fmt.Sprintf(
		"build each flaw, or those named, and want a seed from 1 to %d to find it",
		seeds.SeedsOfAFlaw))
	command.AddSection(root, "Flaws", listFlaws())
	command.AddSection(root, "Exit codes", exitCodes)
	return command.Run(ctx, root, args, stdout, stderr)
}

// complete sets what no flag says, and returns an error that names the flag to change. isGiven
// reports whether a flag was given.
func (o *options) complete(isGiven func(flag string) bool, names []string) error {
	if o.broken {
		for _, name := range []string{"seed", "seeds", "for", "without", "failures", "flaw"} {
			if isGiven(name) {
				return command.UsageError(
					"--%s: not with --broken, which runs seeds 1 to %d", name, seeds.SeedsOfAFlaw)
			}
		}
	}
	for _, name := range slices.Concat(names, []string{o.Flaw}) {
		if _, ok := flaw.Lookup(name); !ok && name != "" {
			return command.UsageError("no flaw %q%s", name, command.Suggest(name, flaw.Names()))
		}
	}
	if !isGiven("seeds") && !isGiven("for") {
		if isGiven("seed") {
			o.Seeds = 1
		} else {
			o.For = forDefault
		}
	}
	if !isGiven("seed") {
		o.First = rand.Uint64N(1 << 32)
	}
	return o.check()
}

// check returns an error that names the flag to change.
func (o *options) check() error {
	switch {
	case o.Seeds < 0:
		return command.UsageError("--seeds: %d is under 0", o.Seeds)
	case o.For < 0:
		return command.UsageError("--for: %s is under 0", o.For)
	case o.Seeds == 0 && o.For == 0:
		return command.UsageError("--seeds, --for: both are 0, so the run would have no end")
	case o.Parallel < 1:
		return command.UsageError("--parallel: %d is not over 0", o.Parallel)
	case o.Failures < 1:
		return command.UsageError("--failures: %d is not over 0", o.Failures)
	case len(o.Without) > 0 && o.Seeds != 1:
		return command.UsageError("--without: the numbers are those of one seed: give --seed alone")
	case len(o.Without) > 0 && slices.Min(o.Without) < 0:
		return command.UsageError("--without: %d is under 0", slices.Min(o.Without))
	default:
		return nil
	}
}

// listFlaws returns a line for each flaw that the simulation must find.
func listFlaws() string {
	var lines strings.Builder
	for _, name := range flaw.OfSimulation() {
		f, _ := flaw.Lookup(name)
		fmt.Fprintf(&lines, "  %-22s  %s\n", f.Name, f.Does)
	}
	return lines.String()
}

// flawsOf returns the named flaws, or all that the simulation must find.
func flawsOf(names []string) []string {
	if len(names) > 0 {
		return names
	}
	return flaw.OfSimulation()
}

// exit prints the text if err is nil, and gives every other error its exit code.
func exit(err error, out io.Writer, text string) error {
	switch {
	case err == nil:
		fmt.Fprintln(out, "simulate: "+text)
		return nil
	case errors.Is(err, seeds.ErrViolated), errors.Is(err, seeds.ErrVain),
		errors.Is(err, seeds.ErrMissed):
		return command.Exit(exitBroken, err)
	default:
		return command.Exit(exitFailed, err)
	}
}
