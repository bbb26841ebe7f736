package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/bench"
	"github.com/wagewire/wagewire/deploy/command"
)

// growthCommand measures how cost grows with what the broker has.
func growthCommand() *cobra.Command {
	var config bench.GrowthConfig
	var loads []string
	cmd := &cobra.Command{
		Use:   "growth",
		Short: "Measure how cost grows with completions kept, durables and waiting events",
		Long: `bench growth measures the rate, the latency and the memory of the broker with
more and more completions kept, durables of teams, and events that wait. Beside the load stands a
second line, which keeps the baseline, and both are measured in turn. make bench/growth builds the
binaries and runs it. The whole run takes about a quarter of an hour and 10 GB of disk.`,
		Example: "  make bench/growth ARGS='--svg growth.svg'\n" +
			"  make bench/growth ARGS='--loads completions --completions 1000,10000'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkGrowth(config); err != nil {
				return err
			}
			if err := chooseLoads(&config, loads); err != nil {
				return err
			}
			config.Progress = cmd.ErrOrStderr()
			return bench.RunGrowth(cmd.Context(), config, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	addBin(flags, &config.Bin)
	flags.IntSliceVar(&config.Completions, "completions", []int{1000, 10_000, 100_000, 3_000_000},
		"`numbers` of completions kept")
	// A stream has at most 1,000 consumers by default, and the bench needs some of them for itself.
	flags.IntSliceVar(&config.Durables, "durables", []int{1, 10, 100, 900},
		"`numbers` of durables of teams")
	flags.IntSliceVar(&config.Waiting, "waiting", []int{0, 1000, 10_000, 100_000},
		"`numbers` of waiting events")
	flags.StringSliceVar(&loads, "loads", loadKeys, "the `loads` to measure")
	addRounds(flags, &config.Rounds)
	flags.IntVar(&config.Senders, "senders", 64, "requests in flight, for the rate")
	flags.IntVar(&config.Events, "events", 1500, "small snapshots to complete for one rate")
	flags.Float64Var(&config.PerS, "per-s", 200, "webhooks a second, for the latency")
	flags.DurationVar(&config.OpenFor, "open-for", 3*time.Second,
		"how long the webhooks of the latency come, in each round")
	flags.StringVar(&config.SVG, "svg", "", "`file` for a plot, such as growth.svg (no plot)")
	return cmd
}

// loadKeys are the names of the loads for --loads.
var loadKeys = []string{"completions", "durables", "waiting"}

// chooseLoads leaves out the loads that are not named.
func chooseLoads(config *bench.GrowthConfig, names []string) error {
	for _, name := range names {
		if !slices.Contains(loadKeys, name) {
			return command.UsageError("--loads: %q is none of %s", name,
				strings.Join(loadKeys, ", "))
		}
	}
	for i, counts := range []*[]int{&config.Completions, &config.Durables, &config.Waiting} {
		if !slices.Contains(names, loadKeys[i]) {
			*counts = nil
		}
	}
	return nil
}

func checkGrowth(c bench.GrowthConfig) error {
	if c.Rounds < 1 || c.Senders < 1 || c.Events < 1 || c.PerS <= 0 || c.OpenFor <= 0 {
		return command.UsageError(
			"--rounds, --senders, --events, --per-s and --open-for must be over 0")
	}
	numbers := slices.Concat(c.Completions, c.Durables, c.Waiting)
	if len(numbers) == 0 || slices.Min(numbers) < 0 {
		return command.UsageError(
			"--completions, --durables and --waiting: give at least one number, and none below 0")
	}
	return nil
}

// brokersCommand measures what lies past one broker.
func brokersCommand() *cobra.Command {
	var config bench.BrokersConfig
	cmd := &cobra.Command{
		Use:   "brokers",
		Short: "Measure partitions of the events, and streams on different servers",
		Long: `bench brokers measures how fast events are stored if a mapping divides them among
streams by their account, and how fast the line is if a cluster leads the streams on different
servers. make bench/brokers builds the binaries and runs it. One machine runs all servers, so look
at the processor time of the busiest server: with a machine for each, it is what binds.`,
		Example: "  make bench/brokers\n  make bench/brokers ARGS='--partitions 2,8'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config.Rounds < 1 || config.Senders < 1 || config.Events < 1 || config.Slice <= 0 {
				return command.UsageError(
					"--rounds, --senders, --events and --slice must be over 0")
			}
			if len(config.Partitions) == 0 || slices.Min(config.Partitions) < 1 {
				return command.UsageError("--partitions: give numbers over 0")
			}
			return bench.RunBrokers(cmd.Context(), config, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	addBin(flags, &config.Bin)
	flags.IntSliceVar(&config.Partitions, "partitions", []int{1, 2, 4},
		"`numbers` of streams to divide the events among")
	addRounds(flags, &config.Rounds)
	flags.IntVar(&config.Senders, "senders", 64, "requests in flight")
	flags.DurationVar(&config.Slice, "slice", time.Second,
		"how long events are published for one figure")
	flags.IntVar(&config.Events, "events", 1500, "small snapshots to complete for one figure")
	return cmd
}
