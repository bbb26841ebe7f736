package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
)

func newPauseCommand(t terminal) *cobra.Command {
	lasts := trace.PauseForever
	cmd := &cobra.Command{
		Use:     "pause QUEUE...",
		GroupID: groupRepair,
		Short:   "Stop the deliveries of a queue for a while",
		Long: `wagewire pause stops the deliveries of a queue for all of its workers. Workers finish
the events that they have. New events stay in the queue, and so do waiting events whose time has
come.

The pause lasts until wagewire resume, or as long as --for says. The broker keeps the pause, also
if processes restart. An autoscaler adds no workers for a paused queue.

A queue also pauses by itself if its provider refuses our credentials: wagewire status shows such a
pause. It ends by itself when the provider accepts the credentials again.`,
		Example: `  The provider has announced maintenance:
    wagewire pause pinwheel_paystubs pinwheel_shifts --for 2h
  Until somebody has looked at a problem:
    wagewire pause truv_link`,
		Args: func(_ *cobra.Command, names []string) error {
			if lasts == 0 {
				return command.UsageError("--for: a pause needs more than no time")
			}
			return checkQueues(names)
		},
	}
	addDuration(cmd.Flags(), &lasts, "for", "",
		"how long the pause lasts: 90m, 1h, 2d (default until resumed)")
	return onQueues(t, cmd, func(ctx context.Context, s session, q schema.Queue) error {
		return pauseQueue(ctx, s, q, lasts)
	})
}

func newResumeCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "resume QUEUE...",
		GroupID: groupRepair,
		Short:   "End the pause of a queue",
		Long: `wagewire resume ends the pause of a queue. Its workers get events again.

A queue that pauses because its provider refuses our credentials is not resumed: the queue goes on
when the provider accepts the credentials again.`,
		Example: `  Resume one queue:
    wagewire resume truv_link
  See which queues are paused:
    wagewire status`,
		Args: func(_ *cobra.Command, names []string) error { return checkQueues(names) },
	}
	return onQueues(t, cmd, resumeQueue)
}

func checkQueues(names []string) error {
	if len(names) == 0 {
		return command.UsageError("give a queue, such as %s: wagewire status lists the queues",
			queueNames()[0])
	}
	for _, name := range names {
		if _, ok := schema.QueueNamed(name); !ok {
			return command.UsageError("queue %q: %v", name, notAmong(name, queueNames()))
		}
	}
	return nil
}

// onQueues completes a command that works on each queue of the arguments.
func onQueues(
	t terminal, cmd *cobra.Command, work func(context.Context, session, schema.Queue) error,
) *cobra.Command {
	cmd.ValidArgs = queueNames()
	return onNATS(t, cmd, func(ctx context.Context, s session, names []string) error {
		for _, name := range names {
			q, _ := schema.QueueNamed(name)
			if err := work(ctx, s, q); err != nil {
				return err
			}
		}
		return nil
	})
}

func pauseQueue(ctx context.Context, s session, q schema.Queue, lasts time.Duration) error {
	now := time.Now()
	until := now.Add(lasts)
	if err := s.Pause(ctx, q, until); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "%s: paused %s\n", q.Name, trace.PauseEnd(until, now))
	return nil
}

func resumeQueue(ctx context.Context, s session, q schema.Queue) error {
	wasPaused, err := s.Resume(ctx, q)
	switch {
	case err != nil:
		return err
	case wasPaused:
		fmt.Fprintf(s.stdout, "%s: resumed\n", q.Name)
	default:
		fmt.Fprintf(s.stdout, "%s: was not paused\n", q.Name)
	}
	return nil
}

// formatPauseShort is trace.PauseEnd for a table, which has no room for a time.
func formatPauseShort(until, now time.Time) string {
	if trace.IsEndless(until, now) {
		return trace.PauseEnd(until, now)
	}
	return "ends " + plain.In(until, now)
}
