package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newReplayCommand(t terminal) *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:     "replay --queue NAME",
		GroupID: groupRepair,
		Short:   "Send past events through one queue again",
		Long: `wagewire replay sends past events through one queue again, oldest first: after a
worker was wrong, or a consumer lost its data.

A replayed event is a redrive with an id of its own, ID:r1, then ID:r2 and so on, and gets another
completion. Only the one queue gets the redrive, even if other queues read the type. Workers take
redrives after fresh events, so a replay of many events hardly delays them. Redrives are not
replayed in turn; events of erased accounts are left out. Two webhooks with one id and different
bodies are two events.

The events stream keeps 14 days. Replay reads the stream once to the end, asks, and then sends. If
replay is interrupted, the last line names the time to give as --since to go on.

At least one of --since, --until, --type and --account is needed.`,
		Example: `  See what a replay would send, then replay:
    wagewire replay --queue pinwheel_paystubs --since 2d --dry-run
    wagewire replay --queue pinwheel_paystubs --since 2d
  Replay the income of one account:
    wagewire replay --queue pinwheel_income --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --yes
  Replay one type of one afternoon:
    wagewire replay --queue pinwheel_shifts --type shifts.added \
      --since 2026-01-12T12:00:00Z --until 2026-01-12T18:00:00Z`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := command.NoArguments(cmd, args); err != nil {
				return err
			}
			return r.check(t, cmd.Flags().Changed("since"))
		},
	}
	addQueue(cmd, &r.queueName, "the queue that gets the events, such as "+queueNames()[0])
	r.span.addFlags(cmd, "received")
	cmd.Flags().StringArrayVar(&r.typeNames, "type", nil,
		"only those of a `type`, such as paystubs.added; repeatable")
	completeFrom(cmd, "type", typeNames())
	cmd.Flags().StringVar(&r.account, "account", "", accountHelp)
	r.consent.addFlags(cmd)
	addRate(cmd, &r.rate)
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return r.run(ctx, s)
	})
}

// replay is the choice of events to replay, and the queue to send them to.
type replay struct {
	queueName string
	typeNames []string
	account   string
	span
	consent
	rate int

	// check sets queue and types from the names.
	queue schema.Queue
	types []string
}

func (r *replay) check(t terminal, hasSince bool) error {
	if r.queueName == "" {
		return command.UsageError("say which queue gets the events: --queue NAME")
	}
	r.queue, _ = findQueue(r.queueName)
	for _, w := range schema.Catalogue() {
		if readsType(r.queue, w) {
			r.types = append(r.types, w.Name)
		}
	}
	for _, name := range r.typeNames {
		if !slices.Contains(r.types, name) {
			return command.UsageError("--type: queue %s does not read %q%s", r.queue.Name, name,
				command.Suggest(name, r.types))
		}
	}
	if !hasSince && r.until.IsZero() && len(r.typeNames) == 0 && r.account == "" {
		return command.UsageError("say which events: --since, --until, --type or --account; " +
			"--since all chooses every event")
	}
	if len(r.typeNames) > 0 {
		r.types = r.typeNames
	}
	if err := r.span.check(); err != nil {
		return err
	}
	return r.consent.check(t)
}

// run finds the chosen events, asks, and sends them.
func (r *replay) run(ctx context.Context, s session) error {
	past, chosen, err := r.find(ctx, s)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		fmt.Fprintln(s.stderr, "there is no such event")
		return nil
	}
	amount := plural(len(chosen), "event")
	first := chosen[0].Event.ReceivedAt
	last := chosen[len(chosen)-1].Event.ReceivedAt
	fmt.Fprintf(s.stderr, "%s of %s, received from %s to %s\n", amount, r.queue.Name,
		formatTime(first), formatTime(last))
	question := fmt.Sprintf("send %s through %s again?", amount, r.queue.Name)
	if err := r.ask(ctx, s.terminal, question); err != nil {
		return err
	}
	return r.sendAll(ctx, s, past, chosen)
}

// find reads the events stream to the end, because a redrive may lie behind all chosen events. Of
// the copies of a webhook, find chooses the first. The span holds when ingress received the
// webhook, not when a copy was sent.
func (r *replay) find(ctx context.Context, s session) (history, []stream.Heading, error) {
	selection := stream.Selection{Filters: r.queue.Subjects}
	if !r.since.IsZero() {
		selection.Since = r.since.Add(-clockSkewMax)
	}
	type original struct{ key, bodySHA256 string }
	past := newHistory(s.Operator)
	seen := map[original]bool{}
	var chosen []stream.Heading
	err := s.Headings(ctx, selection, func(heading stream.Heading) error {
		past.add(heading.Event, heading.BodySHA256)
		webhook := original{originalKey(heading.Event), heading.BodySHA256}
		if !seen[webhook] && r.matches(heading) {
			seen[webhook] = true
			chosen = append(chosen, heading)
		}
		return nil
	})
	return past, chosen, err
}

func (r *replay) matches(heading stream.Heading) bool {
	return r.contains(heading.Event.ReceivedAt) &&
		(r.account == "" || isAccount(heading.Account, r.account)) &&
		slices.Contains(r.types, heading.Event.Type)
}

func (r *replay) sendAll(
	ctx context.Context, s session, past history, chosen []stream.Heading,
) error {
	var sent, leftOut int
	var reached time.Time
	err := pace(ctx, s.terminal, len(chosen), r.rate, func(i int) error {
		original := chosen[i].Event
		reached = original.ReceivedAt
		key, obstacle, err := r.sendOne(ctx, s, past, chosen[i])
		switch {
		case err != nil:
			return fmt.Errorf("replay event %s: %w", original.Key(), err)
		case obstacle != "":
			leftOut++
			fmt.Fprintf(s.stdout, "%s  %s  left out: %s\n",
				plain(original.Key()), plain(original.Type), obstacle)
		default:
			sent++
			fmt.Fprintf(s.stdout, "%s  %s\n", plain(key), plain(original.Type))
		}
		return nil
	})
	verb := "sent"
	if r.dryRun {
		verb = "would send"
	}
	if err != nil {
		next := reached.UTC().Format(time.RFC3339Nano)
		return fmt.Errorf("%w; %s %d, to go on give --since %s", err, verb, sent, next)
	}
	fmt.Fprintf(s.stderr, "%s %d to %s, left out %d\n", verb, sent, r.queue.Name, leftOut)
	return nil
}

// sendOne sends an event again. It returns the key of the redrive, or why the event is left out.
func (r *replay) sendOne(
	ctx context.Context, s session, past history, heading stream.Heading,
) (key, obstacle string, err error) {
	m, exists, err := s.Message(ctx, schema.EventsStream, heading.Sequence)
	if err != nil {
		return "", "", err
	}
	if !exists {
		return "", "it is gone meanwhile", nil
	}
	e, err := stream.DecodeEvent(m)
	if err != nil {
		return "", "it cannot be decoded", nil //nolint:nilerr // the event has a dead letter
	}
	if erased, err := s.Erased(ctx, e.Provider, e.Account()); erased || err != nil {
		return "", accountErased, err
	}
	if r.dryRun {
		e.Redrive = past.nextNumber(e)
		return e.Key(), "", nil
	}
	e.Redrive, _, err = past.resend(ctx, e, r.queue.Name, false)
	return e.Key(), "", err
}
