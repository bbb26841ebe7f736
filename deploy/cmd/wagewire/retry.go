package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/retry"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newRetryCommand(t terminal) *cobra.Command {
	var r retryOptions
	cmd := &cobra.Command{
		Use:     "retry [QUEUE|EVENT...]",
		GroupID: groupRepair,
		Short:   "Try waiting events now instead of later",
		Long: `wagewire retry ends the wait of events: they are ready at once. Use it when a
provider has healed before the time of the next try.

Choose by queue, by event, by --class or by --account. With several of these, an event must match
each. Several queues are alternatives, and so are several events. An EVENT is the provider's id or a
key, as in wagewire trace; an id stands for the redrives of the event, too.

The attempt counts as any other. If it fails, the event waits for the next step of its ladder.

If a queue is paused, by an operator or because the provider refuses our credentials, its events are
ready at once too, but are taken only when the pause ends.

The command prints how many events it chooses of each queue and class. It asks before a change, and
needs --yes if nobody can answer.`,
		Example: `  A provider has healed: see what waits for it, then try all of that now:
    wagewire retry pinwheel_income pinwheel_paystubs --class transient --dry-run
    wagewire retry pinwheel_income pinwheel_paystubs --class transient
  One event:
    wagewire retry 5a141122-4235-4fa1-bd76-0628573880b0
  Everything of one account, without a question:
    wagewire retry --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --yes`,
		ValidArgs: queueNames(),
		Args:      func(_ *cobra.Command, names []string) error { return r.check(t, names) },
	}
	addClass(cmd, &r.Class, retry.Classes())
	cmd.Flags().StringVar(&r.Account, "account", "", accountHelp)
	r.addFlags(cmd)
	addRate(cmd, &r.rate)
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return r.run(ctx, s)
	})
}

// retryOptions is the command line of wagewire retry.
type retryOptions struct {
	// check sets the queues and the events from the arguments.
	retry.Choice
	consent
	rate int
}

func (r *retryOptions) check(t terminal, names []string) error {
	if len(names) == 0 && r.Class == "" && r.Account == "" {
		return command.UsageError("say which events: QUEUE, EVENT, --class or --account; " +
			"wagewire status shows what waits")
	}
	for _, name := range names {
		if _, isQueue := schema.QueueNamed(name); isQueue {
			r.Queues = append(r.Queues, name)
			continue
		}
		// Any other word may be the id of an event. A word near to a queue's name hardly is.
		if advice := command.Suggest(name, queueNames()); advice != "" || name == "" {
			return command.UsageError("queue %q: not one of %s%s",
				name, plain.List(queueNames()), advice)
		}
		r.Events = append(r.Events, trace.ParseName(name))
	}
	return r.consent.check(t)
}

// run finds the chosen events, shows how many there are, asks, and ends their wait.
func (r *retryOptions) run(ctx context.Context, s session) error {
	chosen, err := retry.Find(ctx, s.Operator, r.Choice)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		fmt.Fprintln(s.stderr, "no such event waits: wagewire status shows what waits")
		return nil
	}
	counts := retry.Counts(chosen)
	if err := printWaits(s.stdout, counts, time.Now()); err != nil {
		return err
	}
	if err := warnOfRest(ctx, s, counts); err != nil {
		return err
	}
	amount := plain.Count(len(chosen), "event")
	if r.dryRun {
		fmt.Fprintf(s.stderr, "would try %s now\n", amount)
		return nil
	}
	if err := r.ask(ctx, s.terminal, fmt.Sprintf("try %s now?", amount)); err != nil {
		return err
	}
	return r.endAll(ctx, s, chosen)
}

// endAll ends the waits in turn. An event may have been tried meanwhile, or erased.
func (r *retryOptions) endAll(ctx context.Context, s session, chosen []stream.Waiting) error {
	var report retry.Report
	err := pace(ctx, s.terminal, len(chosen), r.rate, func(i int) error {
		return report.Try(ctx, s.Operator, chosen[i])
	})
	if err != nil {
		return fmt.Errorf("%w; %s tried now, give the same command again for the rest",
			err, plain.Count(report.Tried, "event"))
	}
	fmt.Fprintln(s.stderr, report.String())
	return nil
}

func printWaits(w io.Writer, counts []retry.Count, now time.Time) error {
	table := newTable(w)
	fmt.Fprintln(table, "QUEUE\tCLASS\tCOUNT\tNEXT TRY\tLAST TRY")
	for _, c := range counts {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n",
			plain.Word(c.Queue), plain.Word(c.Class), c.Count,
			plain.In(c.Next, now), plain.In(c.Last, now))
	}
	return table.Flush()
}

// warnOfRest names the chosen queues that take no events, and says why.
func warnOfRest(ctx context.Context, s session, counts []retry.Count) error {
	rests, err := retry.Rests(ctx, s.Operator, counts)
	for _, rest := range rests {
		fmt.Fprintf(s.stderr,
			"%s takes no events now: what is tried stays ready until the pause ends\n",
			rest.Queue.Name)
		for _, line := range rest.Lines(time.Now()) {
			fmt.Fprintf(s.stderr, "  %s\n", line)
		}
	}
	return err
}
