// Command bench measures ingress, the workers and nats-server, as processes on a single machine.
// make bench builds the binaries and runs the command. Package deploy/bench explains each figure.
package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wagewire/wagewire/deploy/bench"
	"github.com/wagewire/wagewire/deploy/bench/least"
	"github.com/wagewire/wagewire/deploy/command"
)

func main() {
	os.Exit(run(command.UntilInterrupted(), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command. The exit code of every error is 1.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var config bench.Config
	root := &cobra.Command{
		Use:   "bench",
		Short: "Measure ingress, the workers and nats-server, as processes on this machine",
		Long: `bench measures ingress, the workers and nats-server, as processes on this machine.
make bench builds the binaries and runs it.`,
		Example: "  make bench\n  make bench ARGS='--rounds 3'",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := check(config); err != nil {
				return err
			}
			return bench.Run(c.Context(), config, c.OutOrStdout())
		},
	}
	flags := root.Flags()
	addBin(flags, &config.Bin)
	addRounds(flags, &config.Rounds)
	flags.IntVar(&config.Senders, "senders", 64, "requests in flight")
	flags.DurationVar(&config.Slice, "slice", 500*time.Millisecond,
		"how long the rate of ingress is measured")
	flags.IntVar(&config.Events, "events", 1500,
		"small snapshots to complete for one figure; larger kinds have a fifth or a fiftieth")
	flags.DurationVar(&config.OpenFor, "open-for", 10*time.Second,
		"how long webhooks come at a constant rate, for the latency")
	flags.StringSliceVar(&config.Settings, "settings", nil,
		"the `settings` of the broker: "+strings.Join(bench.SettingKeys(), ", ")+" (all)")
	root.AddCommand(leastCommand(), capacityCommand(), growthCommand(), brokersCommand(),
		commandsCommand(), consoleCommand())
	return min(1, command.Run(ctx, root, args, stdout, stderr))
}

func addBin(flags *pflag.FlagSet, bin *string) {
	flags.StringVar(bin, "bin", "bin",
		"`directory` of the binaries, nats-server too; the streams are beside them during the run")
}

func addRounds(flags *pflag.FlagSet, rounds *int) {
	flags.IntVar(rounds, "rounds", 5,
		"how often each figure is measured, after one round that does not count")
}

func check(c bench.Config) error {
	if c.Rounds < 1 || c.Senders < 1 || c.Slice <= 0 || c.Events < 1 ||
		c.OpenFor <= 0 {
		return command.UsageError(
			"--rounds, --senders, --slice, --events and --open-for must be over 0")
	}
	return nil
}

// leastCommand runs a least program. bench starts processes of itself with the command.
func leastCommand() *cobra.Command {
	var config least.Config
	root := &cobra.Command{
		Use: bench.LeastCommand, Short: "Run a program to compare with", Hidden: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&config.NATSURL, "nats", "", "`URL` of the broker")
	flags.StringVar(&config.Addr, "addr", "", "`address` of the least ingress")
	flags.StringVar(&config.Secret, "secret", "", "`secret` of the provider")
	flags.StringVar(&config.Type, "type", "", "`type` of the webhooks of the least worker")
	flags.StringVar(&config.APIURL, "api", "", "`URL` of the provider")
	flags.IntVar(&config.Hands, "hands", 1, "events in work at the same time")
	programs := map[string]func(context.Context, least.Config) error{
		"ingress": least.Ingress, "worker": least.Worker,
	}
	for name, program := range programs {
		root.AddCommand(&cobra.Command{
			Use: name, Short: "Run the least " + name, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return program(cmd.Context(), config)
			},
		})
	}
	return root
}

// capacityCommand measures what one person takes of the broker.
func capacityCommand() *cobra.Command {
	var config bench.CapacityConfig
	cmd := &cobra.Command{
		Use:   "capacity",
		Short: "Measure what one person takes of the broker, and print a table",
		Long: `bench capacity lets people link their account at the fake Pinwheel, with real
processes and the default sizes of the streams, and prints what one person takes of the broker.
make capacity builds the binaries and runs it.`,
		Example: "  make capacity\n  make capacity ARGS='--people 1000'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config.People < 1 || config.Senders < 1 {
				return command.UsageError("--people and --senders must be over 0")
			}
			return bench.RunCapacity(cmd.Context(), config, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	addBin(flags, &config.Bin)
	flags.IntVar(&config.People, "people", 200, "people of each shape")
	flags.IntVar(&config.Senders, "senders", 8, "people who link at a time")
	return cmd
}

// commandsCommand measures the commands of operators beside many kept messages.
func commandsCommand() *cobra.Command {
	return filledCommand(&cobra.Command{
		Use:   "commands",
		Short: "Measure the commands of operators beside millions of kept messages",
		Long: `bench commands fills the streams of a broker of its own, runs the commands of
wagewire that look at streams, and prints the time and the memory of each. Three million completions
take a minute to store, and 6 GB of disk. make bench/commands builds the binaries and runs it.`,
		Example: "  make bench/commands\n" +
			"  make bench/commands ARGS='--completions 100000 --events 100000'",
	}, bench.RunCommands)
}

// consoleCommand measures the pages of the console beside many kept messages.
func consoleCommand() *cobra.Command {
	return filledCommand(&cobra.Command{
		Use:   "console",
		Short: "Measure the pages of the console beside millions of kept messages",
		Long: `bench console fills the streams of a broker of its own, runs wagewire console, and
prints the time and the size of its pages. It fails if the first page is too slow or too large.
Three million completions take a minute to store, and 6 GB of disk. make test/console builds the
binaries and runs it.`,
		Example: "  make test/console\n" +
			"  make test/console ARGS='--completions 100000 --events 100000'",
	}, bench.RunConsole)
}

// filledCommand adds the figures of the filled streams to a command, and runs it.
func filledCommand(
	cmd *cobra.Command, run func(context.Context, bench.CommandsConfig, io.Writer) error,
) *cobra.Command {
	var config bench.CommandsConfig
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c := config
		if c.Completions < 1 || c.Events < 1 || c.DeadLetters < 1 || c.Times < 1 ||
			c.Events > c.Completions || c.DeadLetters > c.Events {
			return command.UsageError("each figure must be over 0; there are at most as many " +
				"--events as --completions, and as many --dead-letters as --events")
		}
		return run(cmd.Context(), c, cmd.OutOrStdout())
	}
	flags := cmd.Flags()
	addBin(flags, &config.Bin)
	flags.IntVar(&config.Completions, "completions", 3_000_000, "completions that are kept")
	flags.IntVar(&config.Events, "events", 1_000_000, "events that are kept")
	flags.IntVar(&config.DeadLetters, "dead-letters", 100_000, "dead letters that are kept")
	flags.IntVar(&config.Times, "times", 3, "how often each command runs; the slowest counts")
	return cmd
}
