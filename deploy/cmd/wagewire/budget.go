package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newBudgetCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "budget",
		GroupID: groupRepair,
		Short:   "Begin a provider's budget of calls anew",
		Long: `wagewire budget is about the budget of calls to a provider. All processes share it,
and wagewire status shows it. The rate is a variable of the workers, such as PINWHEEL_RATE_PER_S.`,
		Example: `  See the budgets:
    wagewire status`,
	}
	cmd.AddCommand(newBudgetResetCommand(t))
	return cmd
}

func newBudgetResetCommand(t terminal) *cobra.Command {
	var names []string
	for _, p := range schema.Providers() {
		names = append(names, string(p))
	}
	cmd := &cobra.Command{
		Use:   "reset PROVIDER",
		Short: "End the hold of a provider, and begin its budget anew",
		Long: `wagewire budget reset begins the budget of a provider anew: the next call is possible
after a second.

The command ends a hold early, after the provider has said that we may call again: a provider that
answers 429 gets no calls until the time that it asked for. Events that wait for the end of the hold
go on waiting: wagewire retry --class throttled tries them now.

The command also replaces a budget that a newer release wrote, after a return to an older one.`,
		Example: `  The provider has raised our limit in the middle of a hold:
    wagewire budget reset pinwheel
    wagewire retry --class throttled`,
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return command.UsageError("give one provider: %s", command.OneOf(names))
			}
			if !schema.Provider(args[0]).Known() {
				return command.UsageError("provider %q: %v", args[0], notAmong(args[0], names))
			}
			return nil
		},
	}
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		held, err := s.ResetBudget(ctx, schema.Provider(args[0]))
		if err != nil {
			return err
		}
		if held > 0 {
			fmt.Fprintf(s.stdout, "%s: a hold of %s more is ended\n", args[0],
				held.Round(time.Second))
		}
		fmt.Fprintf(s.stdout, "%s: the next call is possible in a second\n", args[0])
		return nil
	})
}

// writeBudgets writes a line for each provider that was called.
func writeBudgets(table io.Writer, budgets []stream.BudgetStatus) {
	if len(budgets) > 0 {
		fmt.Fprintln(table, "\nBUDGET\tRATE\tLAST MINUTE\tREPLAYS\tLONGEST WAIT\tHELD")
	}
	for _, b := range budgets {
		if b.Unreadable != "" {
			fmt.Fprintf(table, "%s\t-\t-\t-\t-\tnot readable, see below\n", b.Provider)
			continue
		}
		held := "-"
		if b.Hold.Until.After(b.At) {
			held = fmt.Sprintf("until %s (%s)", plain.Time(b.Hold.Until),
				plain.In(b.Hold.Until, b.At))
		}
		last := b.MinuteBefore(b.At)
		fmt.Fprintf(table, "%s\t%g/s\t%.1f/s\t%d\t%s\t%s\n", b.Provider, b.RatePerS,
			float64(last.Turns)/60, last.Replays, formatSeconds(last.WaitedS), held)
	}
}

// writeUnreadable writes why a budget cannot be read.
func writeUnreadable(w io.Writer, budgets []stream.BudgetStatus) {
	for _, b := range budgets {
		if b.Unreadable != "" {
			fmt.Fprintf(w, "\n%s\n", b.Unreadable)
		}
	}
}

func formatSeconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}
