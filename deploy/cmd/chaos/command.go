package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/chaos"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/flaw"
	"github.com/wagewire/wagewire/schema/process"
)

// Exit codes besides 0.
const (
	exitBroken = 1
	exitFailed = 2
)

const exitCodes = `  0  every promise was kept; with --broken: every broken build was found
  1  a promise was broken; with --broken: a broken build was not found
  2  the run was not possible`

const (
	lengthDefault       = 2 * time.Minute
	lengthBrokenDefault = 40 * time.Second
	rateMax             = 10_000
	// seedsMax is how many schedules a broken build gets.
	seedsMax = 5
)

const long = `chaos runs ingress, every worker and nats-server as processes. Every second or so it
kills one of them, and the fake providers misbehave. At the end it compares the answers of ingress
with the streams. Run it in the repository: make chaos, make chaos/broken.`

const examples = `  CHAOS_FOR=1h make chaos
  CHAOS_SEED=4711 make chaos
  CHAOS_NODES=3 make chaos
  CHAOS_BREAK=ack-first CHAOS_FOR=30s make chaos`

// environment holds the variables of the command.
type environment struct {
	For   time.Duration `env:"CHAOS_FOR" help:"how long webhooks are sent and processes are killed (2m; 40s with --broken)"`
	Seed  seed          `env:"CHAOS_SEED" help:"a number, to repeat the schedule of the run that printed it (a new number)"`
	Nodes int           `env:"CHAOS_NODES" envDefault:"1" help:"nats-servers: 1, or 3 for a cluster; one of the three is killed at a time"`
	Sync  string        `env:"CHAOS_SYNC" help:"always: nats-server writes to the disk before it answers (every 2 minutes, its default)"`
	PerS  int           `env:"CHAOS_RATE" envDefault:"60" help:"webhooks a second"`
	Break string        `env:"CHAOS_BREAK" help:"a flaw to build in, listed below (none)"`
}

// seed is the seed of a schedule.
type seed uint64

// UnmarshalText reads a seed from an environment variable.
func (s *seed) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", text)
	}
	*s = seed(n)
	return nil
}

// run runs the command and returns the exit code.
func run(
	ctx context.Context, args []string, getenv func(string) string, environ []string,
	stdout, stderr io.Writer,
) int {
	broken := false
	root := &cobra.Command{
		Use:     "chaos",
		Short:   "Count lost and repeated events while processes are killed",
		Long:    long,
		Example: examples,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := readConfig(getenv, broken)
			if err != nil {
				return command.Exit(exitFailed, err)
			}
			config.Environ = environ
			config.Out = c.OutOrStdout()
			if broken {
				return runFlaws(c.Context(), config)
			}
			return runOnce(c.Context(), config)
		},
	}
	root.Flags().BoolVar(&broken, "broken", false,
		"run every build that is broken on purpose, and want each of them found")
	root.AddCommand(floodCommand())
	command.AddEnvironment(root, process.Variables(environment{}))
	command.AddSection(root, "Flaws", "  "+strings.Join(flaw.OfStorm(), ", "))
	command.AddSection(root, "Exit codes", exitCodes)
	return command.Run(ctx, root, args, stdout, stderr)
}

// runOnce runs once.
func runOnce(ctx context.Context, config chaos.Config) error {
	err := chaos.Run(ctx, config)
	switch {
	case err == nil:
		fmt.Fprintln(config.Out, "chaos: every promise was kept")
		return nil
	case errors.Is(err, chaos.ErrViolated):
		return command.Exit(exitBroken, err)
	default:
		return command.Exit(exitFailed, err)
	}
}

// runFlaws runs every broken build, with seed after seed. A run must find a violation.
func runFlaws(ctx context.Context, config chaos.Config) error {
	var missed []string
	for _, name := range flaw.OfStorm() {
		config.Break = name
		found, err := findFlaw(ctx, config)
		if err != nil {
			return command.Exit(exitFailed, fmt.Errorf("%s: %w", name, err))
		}
		if !found {
			missed = append(missed, name)
		}
	}
	if len(missed) > 0 {
		return command.Exit(exitBroken, fmt.Errorf("not found: %s", strings.Join(missed, ", ")))
	}
	fmt.Fprintln(config.Out, "chaos: every broken build was found")
	return nil
}

// findFlaw runs a broken build until a run finds a violation, with seedsMax seeds at most: a flaw
// may show only when two faults meet, which not every schedule has.
func findFlaw(ctx context.Context, config chaos.Config) (found bool, err error) {
	for range seedsMax {
		err := chaos.Run(ctx, config)
		if errors.Is(err, chaos.ErrViolated) {
			fmt.Fprintf(config.Out, "chaos: found %s: %v\n\n", config.Break, err)
			return true, nil
		}
		if err != nil {
			return false, err
		}
		fmt.Fprintf(config.Out, "chaos: seed %d does not find %s\n\n", config.Seed, config.Break)
		config.Seed++
	}
	return false, nil
}

// readConfig reads the environment. Errors name the variable to change.
func readConfig(getenv func(string) string, broken bool) (c chaos.Config, err error) {
	env := environment{For: lengthDefault, Seed: seed(rand.Uint64N(1 << 32))}
	if broken {
		env.For = lengthBrokenDefault
	}
	if err := process.ReadConfig(getenv, &env); err != nil {
		return c, err
	}
	switch {
	case env.For <= 0:
		return c, fmt.Errorf("CHAOS_FOR: %s is not over 0", env.For)
	case env.Nodes != 1 && env.Nodes != 3:
		return c, fmt.Errorf("CHAOS_NODES: %d is neither 1 nor 3", env.Nodes)
	case env.Sync != "" && env.Sync != "always":
		return c, fmt.Errorf("CHAOS_SYNC: %q is not always", env.Sync)
	case env.PerS < 1 || env.PerS > rateMax:
		return c, fmt.Errorf("CHAOS_RATE: %d is not from 1 to %d", env.PerS, rateMax)
	}
	root, err := os.Getwd()
	if err != nil {
		return c, err
	}
	return chaos.Config{
		Root:       root,
		For:        env.For,
		Seed:       uint64(env.Seed),
		Nodes:      env.Nodes,
		SyncAlways: env.Sync == "always",
		PerS:       env.PerS,
		Break:      env.Break,
	}, nil
}
