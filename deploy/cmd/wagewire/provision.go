package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// planForMin is the least time for a plan. A longer --wait gives a plan more time, because a
// cluster may still choose leaders.
const planForMin = 5 * time.Second

func newProvisionCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "provision",
		GroupID: groupInstall,
		Short:   "Compare streams and queues with what they must be, and change them",
		Long: `wagewire provision compares the streams, the object store and the queues on NATS with
what they must be. Nothing else creates or changes a stream or a queue. All commands may run again
at any time.

A line with + is created and ~ is changed. A line with ! is refused, because the change would lose
stored data; apply then changes nothing and exits 1.

A new queue begins with the oldest stored event that it reads. The last lines say with how many, and
how to hold them.

A line with = is kept: the stream has more bytes, messages, age or copies than the flags, the
variables or the defaults say. Only --shrink takes something from a stream, and never what holds
stored data.

` + streamsHelp() + `
Completions must be kept 3 days longer than events, so that a late redelivery finds its event
completed. Records must be kept as long as the completions that point to them. Waiting events are
kept as long as events: their streams have no flag. A new age of completions counts for new
completions, when the workers have restarted.`,
		Example: `  Look at what a new broker would get, then create it:
    wagewire provision plan
    wagewire provision apply
  Provision a cluster of three with more room:
    wagewire provision apply --replicas 3 --max-bytes WAGEWIRE_EVENTS=20GiB
  Give the room back that is not needed any more:
    wagewire provision apply --max-bytes WAGEWIRE_EVENTS=4GiB --shrink WAGEWIRE_EVENTS
  Fail in CI if the broker is not what it must be:
    wagewire provision plan --exit-code`,
	}
	cmd.AddCommand(newPlanCommand(t), newApplyCommand(t), newAutoscalerCommand(t))
	return cmd
}

// streamsHelp is a table of the streams with their default limits.
func streamsHelp() string {
	var b strings.Builder
	b.WriteString("The streams and their default limits, of age, bytes and messages:\n\n")
	topology := schema.DefaultTopology()
	line := func(name string, age time.Duration, size, messages, why string) {
		kept := "-"
		if age > 0 {
			kept = plain.Age(age)
		}
		fmt.Fprintf(&b, "  %-21s  %3s  %7s  %8s  %s\n", name, kept, size, messages, why)
	}
	for _, s := range limitsOf(&topology) {
		size := "-"
		if s.MaxBytes > 0 {
			size = plain.Size(s.MaxBytes)
		}
		messages := "-"
		if s.MaxMessages > 0 {
			messages = fmt.Sprint(s.MaxMessages)
		}
		line(s.Name, s.MaxAge, size, messages, s.Why)
	}
	line(schema.EveryWaitingStream, topology.WaitingStreams()[0].MaxAge, "-", "-",
		"events that wait for their next try: a stream for each queue")
	return b.String()
}

func newPlanCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{Use: "plan", Short: "Print the difference and change nothing"}
	exitCode := cmd.Flags().Bool("exit-code", false, "exit 3, not 0, if something differs")
	return withPlan(t, cmd, func(_ context.Context, _ session, changes []stream.Change) error {
		if *exitCode && len(changes) > 0 {
			return command.Exit(exitDiffers, nil)
		}
		return nil
	})
}

func newApplyCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{Use: "apply", Short: "Print the difference, then change the broker"}
	return withPlan(t, cmd, applyChanges)
}

// withPlan completes a command that prints the difference between the broker and the topology, and
// goes on with the changes.
func withPlan(
	t terminal, cmd *cobra.Command, work func(context.Context, session, []stream.Change) error,
) *cobra.Command {
	var w wish
	w.addFlags(cmd)
	w.addEnvironment(cmd)
	var topology schema.Topology
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := command.NoArguments(cmd, args); err != nil {
			return err
		}
		var err error
		topology, err = w.topology(t.getenv)
		if err != nil {
			return err
		}
		return w.checkAges(topology)
	}
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		planning, cancel := context.WithTimeout(ctx, max(s.wait, planForMin))
		defer cancel()
		var kept []stream.Kept
		s.Keep = func(k stream.Kept) bool {
			if !w.keeps(k) {
				return false
			}
			kept = append(kept, k)
			return true
		}
		changes, err := s.Plan(planning, topology)
		if err != nil {
			return err
		}
		printKept(s.stdout, kept)
		if err := w.checkKept(s, topology, kept); err != nil {
			return err
		}
		printPlan(s.stdout, changes)
		if err := printBacklogs(planning, s, changes); err != nil {
			return err
		}
		return work(ctx, s, changes)
	})
}

// printBacklogs says how many stored events each new queue begins with. Workers get them like fresh
// events, and call the provider for each.
func printBacklogs(ctx context.Context, s session, changes []stream.Change) error {
	var begins []string
	for _, q := range schema.Queues() {
		isNew := func(c stream.Change) bool { return c.Create && c.What == "queue "+q.Name }
		if !slices.ContainsFunc(changes, isNew) {
			continue
		}
		events, err := s.Backlog(ctx, q)
		if err != nil {
			return err
		}
		if events > 0 {
			begins = append(begins, q.Name)
			fmt.Fprintf(s.stdout, "queue %s begins with %s%s\n", q.Name,
				plain.Count(events, "stored event"), timeOfBacklog(ctx, s, q.Provider, events))
		}
	}
	if len(begins) > 0 {
		fmt.Fprintf(s.stdout, "workers get stored events like fresh ones; to hold them, after "+
			"apply and before the workers start: wagewire pause %s\n", strings.Join(begins, " "))
	}
	return nil
}

// timeOfBacklog says how long one call for each event takes at the provider's rate. It says nothing
// before a worker has told the broker the rate, and below a second.
func timeOfBacklog(ctx context.Context, s session, p schema.Provider, events uint64) string {
	budget, revision, err := s.Budget(p).Load(ctx)
	if err != nil || revision == 0 || budget.RatePerS <= 0 {
		return "" // the plan is as good without the time
	}
	seconds := float64(events) / budget.RatePerS
	if seconds < 1 {
		return ""
	}
	takes := time.Duration(math.Ceil(seconds)) * time.Second
	return fmt.Sprintf(": with one call each, %s at %g calls a second", takes, budget.RatePerS)
}

func printPlan(w io.Writer, changes []stream.Change) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "nothing to change")
		return
	}
	for _, c := range changes {
		fmt.Fprintln(w, c)
	}
	creations, updates, refusals := countChanges(changes)
	fmt.Fprintf(w, "%d to create, %d to change, %d refused\n", creations, updates, refusals)
}

func countChanges(changes []stream.Change) (creations, updates, refusals int) {
	for _, c := range changes {
		switch {
		case c.Refused != "":
			refusals++
		case c.Create:
			creations++
		default:
			updates++
		}
	}
	return creations, updates, refusals
}

func applyChanges(ctx context.Context, s session, changes []stream.Change) error {
	creations, updates, refusals := countChanges(changes)
	if refusals > 0 {
		for _, c := range changes {
			if c.Refused != "" {
				fmt.Fprintln(s.stderr, adviceOnRefusal(c))
			}
		}
		return fmt.Errorf("refused %d of %d changes, nothing was applied", refusals, len(changes))
	}
	s.OnMove = func(moved, total int) { printProgress(s.stderr, moved, total) }
	if err := s.Apply(ctx, changes); err != nil {
		return fmt.Errorf("%w (the changes above it are applied, and may be applied again)", err)
	}
	if len(changes) > 0 {
		fmt.Fprintf(s.stdout, "applied: %d created, %d changed\n", creations, updates)
	}
	return nil
}

// adviceOnRefusal is the advice for an operator about a refused change.
func adviceOnRefusal(c stream.Change) string {
	name := c.What[strings.LastIndex(c.What, " ")+1:]
	if schema.IsWaitingStream(name) {
		name = schema.EventsStream // the flag for both
	}
	var keep []string
	for _, f := range c.Fields {
		switch {
		case f.Name == "max_bytes" && f.Have == "-1":
			keep = append(keep, fmt.Sprintf("--max-bytes %s=SIZE with more than it holds", name))
		case f.Name == "max_bytes":
			keep = append(keep, fmt.Sprintf("--max-bytes %s=%s", name, f.Have))
		case f.Name == "max_msgs":
			keep = append(keep, fmt.Sprintf("--max-messages %s=N with more than it holds", name))
		case f.Name == "max_age":
			keep = append(keep, fmt.Sprintf("--max-age %s=%s", name, f.Have))
		}
	}
	if len(keep) > 0 {
		return fmt.Sprintf("%s: to keep the stored data, run it with %s",
			c.What, strings.Join(keep, " and "))
	}
	if c.Does != "" {
		return c.What + ": let the workers of the former release finish these events, " +
			"or delete them with the nats command, then apply again"
	}
	return c.What + ": save the stored data, " +
		"change or delete it with the nats command, then apply again"
}
