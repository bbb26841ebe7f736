package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

func newTraceCommand(t terminal) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:     "trace EVENT",
		GroupID: groupObserve,
		Short:   "Print the history of one event",
		Long: `wagewire trace prints the history of one event, as far as the streams have it.

EVENT is the event_id or webhook_id of the provider, or a key of Wagewire: pinwheel:ID, or
pinwheel:ID:r1 for the first redrive.

The history has when the webhook was received and stored, and each redrive. For each queue that
reads the type it has the state:
  ready      no worker has taken the event yet, or not again since its time to wait is over
  in hand    a worker has the event; after a crash, until the lease ends
  waiting    the event waits for its next try; wagewire retry EVENT tries it now
  completed  it has a completion; settled if the completion is kept no longer
  …          or it has a dead letter, its deliveries ran out, or its account is erased

The verification reports of a person have a completion for each account of the person.

Of an event that waits, the history has the last failure, the step of the ladder, the time of the
next try, and the number of failures by class. It says so if the queue takes no events: paused by an
operator, or because the provider refuses our credentials.

Of an event with a completion, the history has the number of ids that were announced and not there
(missing), and "stale" for data that is older, or less, than the webhook said.

The streams do not have everything. Duplicates of the webhook are answered and dropped. What each
attempt met before the last one is only in the workers' logs.

Events are kept 14 days, completions 21, dead letters 90. Of an erased account, only the completion
of the webhook that reported its deletion is kept.

An event without a completion that does not wait is looked for among the newest 50,000 events and
dead letters. Another webhook may have the same id, of the other provider or of another account.
Once trace knows an account with the id, it does not look for the others, and says so. With --all,
trace looks at all events and dead letters.

With CONSOLE_URL, each history ends with the address of its page in the console.`,
		Example: `  Print the history of a webhook:
    wagewire trace 5a141122-4235-4fa1-bd76-0628573880b0
  Print the history of a redrive alone:
    wagewire trace pinwheel:5a141122-4235-4fa1-bd76-0628573880b0:r1
  Print a history for another program:
    wagewire trace pinwheel:5a141122-4235-4fa1-bd76-0628573880b0 --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return command.UsageError("give one event id, not %d", len(args))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	cmd.Flags().BoolVar(&all, "all", false, "look at every event and dead letter")
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		newest := uint64(trace.Newest)
		if all {
			newest = 0
		}
		return printTrace(ctx, s, args[0], newest, asJSON)
	}, consoleVariables()...)
}

func printTrace(ctx context.Context, s session, name string, newest uint64, asJSON bool) error {
	console, err := readConsole(s.getenv)
	if err != nil {
		return err
	}
	lives, isPartial, err := trace.Event(ctx, s.Operator, name, newest)
	if err != nil {
		return err
	}
	if isPartial && len(lives) > 0 {
		fmt.Fprintln(s.stderr, "other accounts with this id are not looked for; "+
			"wagewire trace --all looks at all events")
	}
	if len(lives) == 0 {
		return explainNoTrace(ctx, s.Operator, name, newest)
	}
	if asJSON {
		return json.NewEncoder(s.stdout).Encode(map[string]any{
			"event": name, "lives": withPages(lives, console),
		})
	}
	now := time.Now()
	for i, l := range lives {
		if i > 0 {
			fmt.Fprintln(s.stdout)
		}
		printLife(s.stdout, l, now)
		if console != "" {
			fmt.Fprintf(s.stdout, "  page: %s\n", console.Event(l.Event))
		}
	}
	return nil
}

// pagedLife is a life with the address of its page, for another program.
type pagedLife struct {
	*trace.Life

	Console string `json:"console,omitempty"`
}

// withPages adds the address of its page to each life, if there is a console.
func withPages(lives []*trace.Life, console process.Console) []pagedLife {
	paged := []pagedLife{}
	for _, l := range lives {
		page := ""
		if console != "" {
			page = console.Event(l.Event)
		}
		paged = append(paged, pagedLife{l, page})
	}
	return paged
}

// explainNoTrace says why nothing of the event was found, and how to look at all.
func explainNoTrace(
	ctx context.Context, op *stream.Operator, name string, newest uint64,
) error {
	err := trace.Explain(ctx, op, name, newest)
	if missing, ok := errors.AsType[*trace.NotFoundError](err); ok && len(missing.Unread) > 0 {
		return fmt.Errorf("%w; wagewire trace --all looks at all", err)
	}
	return err
}
