package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/chaos"
)

const usage = `chaos runs ingress, every worker and nats-server as processes, kills one of them every second or so, lets the fake
providers misbehave, and at the end compares what was answered at the door with what is on the streams.

Usage:
  chaos            run once; exit 0 if every promise held, 1 if one was broken, 2 if it could not run
  chaos --broken   run once for each build that is broken on purpose; exit 0 if each was found out
  chaos --help

It is run in the repository: make chaos, make chaos/broken.

Environment:
  CHAOS_FOR    how long webhooks are sent and things break (2m; 40s with --broken)
  CHAOS_SEED   a number: the schedule of a run that printed it (a new one)
  CHAOS_NODES  nats-servers: 1, or 3 for a cluster of which one at a time is killed (1)
  CHAOS_SYNC   always: nats-server writes through to the disk before it answers (its default, every 2 minutes)
  CHAOS_RATE   webhooks a second (60)
  CHAOS_BREAK  build with one flaw: %s (none)

Examples:
  CHAOS_FOR=1h make chaos
  CHAOS_SEED=4711 make chaos
  CHAOS_NODES=3 make chaos
  CHAOS_BREAK=ack-first CHAOS_FOR=30s make chaos
`

const (
	lengthDefault, lengthBroken = 2 * time.Minute, 40 * time.Second
	rateDefault, rateMax        = 60, 10_000
)

func run(ctx context.Context, args []string, getenv func(string) string, environ []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	broken := flags.Bool("broken", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, usage, strings.Join(chaos.Flaws(), ", "))
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "chaos: %v; see chaos --help\n", err)
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "chaos: unexpected argument %q; see chaos --help\n", flags.Arg(0))
		return 2
	}
	length := lengthDefault
	if *broken {
		length = lengthBroken
	}
	config, err := configFromEnv(getenv, length)
	if err != nil {
		fmt.Fprintf(stderr, "chaos: %v\n", err)
		return 2
	}
	config.Environ, config.Out = environ, stdout
	if *broken {
		return each(ctx, config, stderr)
	}
	switch err := chaos.Run(ctx, config); {
	case errors.Is(err, chaos.ErrViolated):
		fmt.Fprintf(stderr, "chaos: %v\n", err)
		return 1
	case err != nil:
		fmt.Fprintf(stderr, "chaos: %v\n", err)
		return 2
	}
	fmt.Fprintf(stdout, "chaos: every promise held\n")
	return 0
}

// each runs every broken build, and wants each found out.
func each(ctx context.Context, config chaos.Config, stderr io.Writer) int {
	var missed []string
	for _, config.Break = range chaos.Flaws() {
		switch err := chaos.Run(ctx, config); {
		case err == nil:
			missed = append(missed, config.Break)
		case errors.Is(err, chaos.ErrViolated):
			fmt.Fprintf(config.Out, "chaos: found out %s: %v\n\n", config.Break, err)
		default:
			fmt.Fprintf(stderr, "chaos: %s: %v\n", config.Break, err)
			return 2
		}
	}
	if len(missed) > 0 {
		fmt.Fprintf(stderr, "chaos: not found out: %s\n", strings.Join(missed, ", "))
		return 1
	}
	fmt.Fprintf(config.Out, "chaos: every broken build was found out\n")
	return 0
}

func configFromEnv(getenv func(string) string, length time.Duration) (c chaos.Config, err error) {
	c = chaos.Config{For: length, Seed: rand.Uint64N(1 << 32), Nodes: 1, PerS: rateDefault, Break: getenv("CHAOS_BREAK")}
	if c.Root, err = os.Getwd(); err != nil {
		return c, err
	}
	if s := getenv("CHAOS_FOR"); s != "" {
		if c.For, err = time.ParseDuration(s); err != nil || c.For <= 0 {
			return c, fmt.Errorf("CHAOS_FOR: %q is not a duration such as 2m", s)
		}
	}
	if s := getenv("CHAOS_SEED"); s != "" {
		if c.Seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			return c, fmt.Errorf("CHAOS_SEED: %q is not a number", s)
		}
	}
	switch s := getenv("CHAOS_NODES"); s {
	case "", "1":
	case "3":
		c.Nodes = 3
	default:
		return c, fmt.Errorf("CHAOS_NODES: %q is neither 1 nor 3", s)
	}
	switch s := getenv("CHAOS_SYNC"); s {
	case "":
	case "always":
		c.SyncAlways = true
	default:
		return c, fmt.Errorf("CHAOS_SYNC: %q is not always", s)
	}
	if s := getenv("CHAOS_RATE"); s != "" {
		if c.PerS, err = strconv.Atoi(s); err != nil || c.PerS < 1 || c.PerS > rateMax {
			return c, fmt.Errorf("CHAOS_RATE: %q is not a number from 1 to %d", s, rateMax)
		}
	}
	return c, nil
}
