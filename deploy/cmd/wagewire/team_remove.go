package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/stream"
)

func newTeamRemoveCommand(t terminal) *cobra.Command {
	var r teamRemove
	cmd := &cobra.Command{
		Use:   "remove [TEAM]",
		Short: "Delete a team, or a durable",
		Long: `wagewire team remove deletes the durables of a team, and writes teams.conf without
the team. With --durable it deletes one durable of the team. Without a TEAM, it deletes a durable
that has no team.

A durable is the team's position: it cannot be made again with the same position. The completions
stay on their stream. The seed of the team stays in DIR; the broker refuses the key after its
reload, so the file may be deleted then.`,
		Example: `  A team that reads no more:
    wagewire team remove lending --dir ./secrets
  One of its durables:
    wagewire team remove lending --durable lending_reports --dir ./secrets
  A durable that somebody made by hand and left:
    wagewire team remove --durable test-7`,
		Args: func(_ *cobra.Command, args []string) error { return r.check(t, args) },
	}
	cmd.Flags().StringVar(&r.durable, "durable", "",
		"`name` of the only durable to delete, as wagewire team list shows it")
	cmd.Flags().StringVar(&r.dir, "dir", "", teamDirHelp)
	r.addFlags(cmd)
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return r.run(ctx, s)
	})
}

// teamRemove is the command line of wagewire team remove.
type teamRemove struct {
	// team is empty for a durable without a team.
	team    string
	durable string
	dir     string
	consent
}

func (r *teamRemove) check(t terminal, args []string) (err error) {
	if len(args) == 0 && r.durable == "" {
		return command.UsageError("say what to delete: TEAM, or --durable for one without a team")
	}
	if len(args) > 0 {
		r.team, err = parseTeam(args)
		if err != nil {
			return err
		}
	}
	return r.consent.check(t)
}

// run shows the durables, asks, deletes them, and writes teams.conf.
func (r *teamRemove) run(ctx context.Context, s session) error {
	durables, err := s.Durables(ctx)
	if err != nil {
		return err
	}
	chosen, err := r.choose(durables)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return r.writeTeams(ctx, s)
	}
	return r.delete(ctx, s, chosen)
}

func (r *teamRemove) delete(ctx context.Context, s session, chosen []stream.Durable) error {
	if err := listDurables(s.terminal, chosen, false, time.Now()); err != nil {
		return err
	}
	amount := plain.Count(len(chosen), "durable")
	if r.dryRun {
		fmt.Fprintf(s.stderr, "would delete %s\n", amount)
		return nil
	}
	if err := r.ask(ctx, s.terminal, fmt.Sprintf("delete %s for good?", amount)); err != nil {
		return err
	}
	for _, d := range chosen {
		if err := s.DeleteDurable(ctx, d.Name); err != nil {
			return err
		}
	}
	if r.team != "" && r.durable == "" {
		if err := s.DeleteTeamAccounts(ctx, r.team); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.stderr, "deleted %s\n", amount)
	if r.team == "" {
		return nil
	}
	return r.writeTeams(ctx, s)
}

// choose returns the durables to delete. It returns none if the team is gone already and teams.conf
// may still have it: an earlier command had no --dir, or was interrupted.
func (r *teamRemove) choose(durables []stream.Durable) ([]stream.Durable, error) {
	var chosen []stream.Durable
	for _, d := range durables {
		isNamed := d.Name == r.durable || d.Name == stream.TeamDurable(r.team, r.durable)
		if d.Team == r.team && (r.durable == "" || isNamed) {
			chosen = append(chosen, d)
		}
		if d.Team != r.team && d.Name == r.durable {
			return nil, fmt.Errorf("durable %s is of team %s: %s", d.Name, cmp.Or(d.Team, "-"),
				"name the team, or none for a durable without a team")
		}
	}
	switch {
	case len(chosen) > 0, r.durable == "" && r.dir != "":
		return chosen, nil
	case r.durable == "":
		return nil, fmt.Errorf("there is no team %s: wagewire team list shows the teams", r.team)
	default:
		return nil, fmt.Errorf("there is no durable %s: wagewire team list shows the durables",
			r.durable)
	}
}

// writeTeams writes teams.conf without the team, and says what is left to do.
func (r *teamRemove) writeTeams(ctx context.Context, s session) error {
	if r.dir == "" {
		nextForBroker(s, r.dir)
		return nil
	}
	changed, err := writeTeams(ctx, s, r.dir)
	if err != nil {
		return err
	}
	if !changed {
		fmt.Fprintln(s.stdout, "nothing to change")
		return nil
	}
	nextForBroker(s, r.dir)
	seed := filepath.Join(r.dir, nats.TeamSeedFile(r.team))
	if _, err := os.Lstat(seed); err == nil {
		fmt.Fprintf(s.stdout, "kept %s: the broker refuses its key after the reload\n", seed)
	}
	return nil
}
