package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newRetryCommand(t terminal) *cobra.Command {
	var r retry
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
	addClass(cmd, &r.class, waitingClasses())
	cmd.Flags().StringVar(&r.account, "account", "", accountHelp)
	r.addFlags(cmd)
	addRate(cmd, &r.rate)
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return r.run(ctx, s)
	})
}

// waitingClasses are the classes of failures after which an event waits.
func waitingClasses() []schema.Class {
	return []schema.Class{
		schema.ClassTransient, schema.ClassNotReady, schema.ClassThrottled,
		schema.ClassUnauthorized, schema.ClassForbidden, schema.ClassContract,
		schema.ClassNotStored,
	}
}

// retry is the choice of waiting events to try now.
type retry struct {
	class   schema.Class
	account string
	consent
	rate int

	// check sets queues and events from the arguments.
	queues []string
	events []eventName
}

func (r *retry) check(t terminal, names []string) error {
	if len(names) == 0 && r.class == "" && r.account == "" {
		return command.UsageError("say which events: QUEUE, EVENT, --class or --account; " +
			"wagewire status shows what waits")
	}
	for _, name := range names {
		if _, isQueue := schema.QueueNamed(name); isQueue {
			r.queues = append(r.queues, name)
			continue
		}
		// Any other word may be the id of an event. A word near to a queue's name hardly is.
		if advice := command.Suggest(name, queueNames()); advice != "" || name == "" {
			return command.UsageError("queue %q: not one of %s%s",
				name, join(queueNames()), advice)
		}
		r.events = append(r.events, parseEventName(name))
	}
	return r.consent.check(t)
}

func (r *retry) matches(w stream.Waiting) bool {
	isNamed := func(n eventName) bool { return n.matches(w.Event) }
	return (len(r.queues) == 0 || slices.Contains(r.queues, w.Queue)) &&
		(len(r.events) == 0 || slices.ContainsFunc(r.events, isNamed)) &&
		(r.class == "" || r.class == w.Class) &&
		(r.account == "" || shelf.IsAccount(w.Account, r.account))
}

// run finds the chosen events, shows how many there are, asks, and ends their wait.
func (r *retry) run(ctx context.Context, s session) error {
	chosen, err := r.find(ctx, s)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		fmt.Fprintln(s.stderr, "no such event waits: wagewire status shows what waits")
		return nil
	}
	counts := countWaits(chosen)
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

func (r *retry) find(ctx context.Context, s session) (chosen []stream.Waiting, err error) {
	queue := "*"
	if len(r.queues) == 1 {
		queue = r.queues[0]
	}
	err = s.Waiting(ctx, queue, "*", func(w stream.Waiting) error {
		if r.matches(w) {
			chosen = append(chosen, w)
		}
		return nil
	})
	return chosen, err
}

// endAll ends the waits in turn. An event may have been tried meanwhile, or erased.
func (r *retry) endAll(ctx context.Context, s session, chosen []stream.Waiting) error {
	retried := 0
	gone := 0
	err := pace(ctx, s.terminal, len(chosen), r.rate, func(i int) error {
		isRetried, err := s.RetryNow(ctx, chosen[i])
		switch {
		case err != nil:
			return err
		case isRetried:
			retried++
		default:
			gone++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w; %s tried now, give the same command again for the rest",
			err, plain.Count(retried, "event"))
	}
	fmt.Fprintf(s.stderr, "%s tried now, %d no longer waited\n", plain.Count(retried, "event"), gone)
	return nil
}

// queueWaits counts the waiting events of a queue and class.
type queueWaits struct {
	queue string
	stream.WaitingCount
}

// countWaits counts by queue and class, in the order of their names.
func countWaits(chosen []stream.Waiting) []queueWaits {
	var counts []queueWaits
	for _, w := range chosen {
		i := slices.IndexFunc(counts, func(c queueWaits) bool {
			return c.queue == w.Queue && c.Class == w.Class
		})
		if i < 0 {
			i = len(counts)
			counts = append(counts, queueWaits{queue: w.Queue})
		}
		counts[i].Add(w)
	}
	slices.SortFunc(counts, func(a, b queueWaits) int {
		return cmp.Or(strings.Compare(a.queue, b.queue), cmp.Compare(a.Class, b.Class))
	})
	return counts
}

func printWaits(w io.Writer, counts []queueWaits, now time.Time) error {
	table := newTable(w)
	fmt.Fprintln(table, "QUEUE\tCLASS\tCOUNT\tNEXT TRY\tLAST TRY")
	for _, c := range counts {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", plain.Word(c.queue), plain.Word(c.Class), c.Count,
			plain.In(c.Next, now), plain.In(c.Last, now))
	}
	return table.Flush()
}

// warnOfRest names the chosen queues that take no events.
func warnOfRest(ctx context.Context, s session, counts []queueWaits) error {
	refusals, err := readRefusals(ctx, s.Operator)
	if err != nil {
		return err
	}
	for i, c := range counts {
		q, exists := schema.QueueNamed(c.queue)
		if !exists || i > 0 && c.queue == counts[i-1].queue {
			continue
		}
		rest, err := readRest(ctx, s.Operator, q, refusals)
		if err != nil {
			return err
		}
		rest.warn(s.stderr, q, time.Now())
	}
	return nil
}

// warn says that the queue takes no events, and why.
func (r queueRest) warn(w io.Writer, q schema.Queue, now time.Time) {
	lines := r.lines(now)
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "%s takes no events now: what is tried stays ready until the pause ends\n",
		q.Name)
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", line)
	}
}
