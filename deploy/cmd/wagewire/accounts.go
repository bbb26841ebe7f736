package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// rebuildLookEvery is the time between two looks at a rebuild.
	rebuildLookEvery = time.Second
	// rebuildStillFor is how long a rebuild may stand still before the command says what to check.
	rebuildStillFor = 15 * time.Second
)

func newAccountsCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "accounts",
		GroupID: groupRepair,
		Short:   "See the states of accounts, and make them anew",
		Long: `wagewire accounts is about the states of accounts: whether the data of an account is
complete. The worker accounts makes them of the completions.`,
		Example: `  See an account:
    wagewire accounts show 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65
  See how many accounts have each status:
    wagewire accounts list
  Read all stored completions again:
    wagewire accounts rebuild`,
	}
	cmd.AddCommand(newAccountsShowCommand(t), newAccountsListCommand(t), newRebuildCommand(t))
	return cmd
}

func newAccountsShowCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ACCOUNT",
		Short: "Print the state of an account",
		Long: `wagewire accounts show prints the state of an account as JSON. ACCOUNT is the
provider's id, or the token in subjects.`,
		Example: `  See which resources an account waits for:
    wagewire accounts show 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 | jq .data.waiting_for`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return command.UsageError("give one account: the provider's id, or its token")
			}
			return nil
		},
	}
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		return showAccount(ctx, s, args[0])
	})
}

// showAccount prints the states of the account: providers may share an id.
func showAccount(ctx context.Context, s session, name string) error {
	found := false
	for _, p := range schema.Providers() {
		for _, token := range find.AccountTokens(name) {
			state, err := s.State(ctx, p, token)
			if err != nil {
				return err
			}
			if !state.Exists() {
				continue
			}
			found = true
			state.Data.Basis = nil // for the worker, and long
			lines := json.NewEncoder(s.stdout)
			lines.SetIndent("", "  ")
			lines.SetEscapeHTML(false)
			if err := lines.Encode(state.Account); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("there is no state of account %s: "+
			"wagewire accounts list counts the states", plain.Word(name))
	}
	return nil
}

func newAccountsListCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Count the accounts by status, or list those of a status",
		Long: `wagewire accounts list counts the accounts of each status. With --status it lists the
accounts of the status, those whose state changed last at the end.`,
		Example: `  See which accounts lack data:
    wagewire accounts list --status incomplete`,
	}
	var status schema.AccountStatus
	addChoice(cmd, &status, "status", "list the accounts of a status: "+
		command.OneOf(schema.AccountStatuses()), schema.AccountStatuses())
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		counts := map[schema.AccountStatus]int{}
		err := s.States(ctx, func(a schema.Account) error {
			counts[a.Data.Status]++
			if a.Data.Status == status {
				fmt.Fprintf(s.stdout, "%s  %s  %s\n", plain.Time(a.Data.Since),
					plain.Word(a.Data.Provider), plain.Word(a.Subject))
			}
			return nil
		})
		if err != nil && !errors.Is(err, stream.ErrBadState) || status != "" {
			return err
		}
		for _, status := range schema.AccountStatuses() {
			fmt.Fprintf(s.stdout, "%-12s  %d\n", status, counts[status])
		}
		return err
	})
}

func newRebuildCommand(t terminal) *cobra.Command {
	var r rebuild
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Let the worker accounts read all stored completions again",
		Long: `wagewire accounts rebuild lets the worker accounts begin again with the first stored
completion, and waits until the last one is read. The states stay, and a completion that is part of
a state changes nothing. So a rebuild adds what a state lacks, such as completions that the worker
could not read, or another ACCOUNT_READY_WHEN. Ctrl-C ends the waiting, and not the rebuild.

With --from-scratch, the states are deleted first. A state can remember completions that are older
than their retention, such as those of the first day of an account. Such a state is then lost or
knows less, and an account that was ready may wait for ever; the command says how many.`,
		Example: `  Add what the states lack:
    wagewire accounts rebuild
  See what a new beginning would lose, then begin:
    wagewire accounts rebuild --from-scratch --dry-run
    wagewire accounts rebuild --from-scratch`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := command.NoArguments(cmd, args); err != nil {
				return err
			}
			if !r.fromScratch {
				return nil
			}
			return r.check(t)
		},
	}
	cmd.Flags().BoolVar(&r.fromScratch, "from-scratch", false, "delete the states first")
	r.addFlags(cmd)
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return r.run(ctx, s)
	})
}

// rebuild is the command line of wagewire accounts rebuild.
type rebuild struct {
	fromScratch bool
	consent
}

func (r *rebuild) run(ctx context.Context, s session) error {
	var between func(context.Context) error
	if r.fromScratch {
		states, poorer, err := countPoorer(ctx, s)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.stdout,
			"%s; %s completions that are no longer stored, and would forget them\n",
			plain.Count(states, "state"), remembers(poorer))
		question := fmt.Sprintf("delete %s, of which %d cannot be made anew as before?",
			plain.Count(states, "state"), poorer)
		if err := r.ask(ctx, s.terminal, question); err != nil {
			return err
		}
		between = s.PurgeStates
	}
	if r.dryRun {
		fmt.Fprintln(s.stderr, "nothing was done")
		return nil
	}
	if err := s.RestartAccounts(ctx, between); err != nil {
		return fmt.Errorf("%w: give the same command again", err)
	}
	return awaitRebuild(ctx, s)
}

func remembers(n int) string {
	if n == 1 {
		return "1 remembers"
	}
	return fmt.Sprintf("%d remember", n)
}

// countPoorer returns the number of states, and of those that remember a completion which is no
// longer stored. A state that cannot be read has nothing to lose.
func countPoorer(ctx context.Context, s session) (states, poorer int, err error) {
	stored, err := s.StoredCompletions(ctx)
	if err != nil {
		return 0, 0, err
	}
	isGone := func(p schema.CompletionPlace) bool { return !stored.Has(p.Subject) }
	err = s.States(ctx, func(a schema.Account) error {
		states++
		isKnown := stored.Has(schema.AccountSubject(a.Data.Provider, a.Subject))
		if !isKnown || slices.ContainsFunc(a.Remembered(), isGone) {
			poorer++
		}
		return nil
	})
	if errors.Is(err, stream.ErrBadState) {
		fmt.Fprintln(s.stderr, err)
		err = nil
	}
	return states, poorer, err
}

// awaitRebuild prints how many completions are left, until none is.
func awaitRebuild(ctx context.Context, s session) error {
	look := time.NewTicker(rebuildLookEvery)
	defer look.Stop()
	moved := time.Now()
	var last stream.AccountsProgress
	for {
		progress, err := s.AccountsProgress(ctx)
		if err != nil {
			return err
		}
		if progress.Left() == 0 {
			fmt.Fprintln(s.stdout, "every stored completion is read")
			return nil
		}
		if progress.Left() != last.Left() {
			fmt.Fprintf(s.stderr, "%d left\n", progress.Left())
			moved = time.Now()
			last = progress
		}
		if time.Since(moved) > rebuildStillFor {
			fmt.Fprintf(s.stderr, "%d left, and nothing moves: check that the worker accounts "+
				"runs and is ready (accounts healthcheck, /readyz), and see its log\n",
				progress.Left())
			moved = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}
