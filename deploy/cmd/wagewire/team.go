package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newTeamCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "team",
		GroupID: groupInstall,
		Short:   "Add, list and remove the teams that subscribe to completions",
		Long: `wagewire team works on the teams that subscribe to completions. A team has a key, an
account on the broker, and one or more durable consumers. A durable keeps the team's position among
the completions. A team reads from its own durables only, and cannot make, change or delete one.

The broker keeps the teams, with the durables. teams.conf is the part of the broker's configuration
with the teams' accounts: add and remove write the file.`,
		Example: `  A new team that reads paystubs and income:
    wagewire team add lending --resources paystubs,income --dir ./secrets
  See which team is behind:
    wagewire team list`,
	}
	cmd.AddCommand(newTeamAddCommand(t), newTeamListCommand(t), newTeamRemoveCommand(t))
	return cmd
}

const teamDirHelp = "directory with teams.conf, which is written anew"

// parseTeam reads the arguments of a command for one team.
func parseTeam(args []string) (name string, err error) {
	if len(args) != 1 {
		return "", command.UsageError("give one team, not %d", len(args))
	}
	if err := stream.CheckTeamName(args[0]); err != nil {
		return "", command.UsageError("team: %v", err)
	}
	return args[0], nil
}

// parseResources reads the names of resources, separated by commas. It returns the resources in the
// order of the catalogue, so another order on the command line is no change.
func parseResources(text string) ([]schema.Resource, error) {
	known := schema.WorkerResources()
	var named []schema.Resource
	for name := range strings.SplitSeq(text, ",") {
		r := schema.Resource(strings.TrimSpace(name))
		if !slices.Contains(known, r) {
			return nil, notAmong(string(r), known)
		}
		named = append(named, r)
	}
	isUnnamed := func(r schema.Resource) bool { return !slices.Contains(named, r) }
	return slices.DeleteFunc(known, isUnnamed), nil
}

// parseGrant reads the names of resources for a team. No other word grants a resource, so that a
// team has bank accounts only if somebody wrote so.
func parseGrant(text string) ([]schema.Resource, error) {
	for word := range strings.SplitSeq(text, ",") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "", "*", ">", "all", "any", "every":
			return nil, fmt.Errorf("name each resource, because %s has full account numbers of "+
				"persons and is granted by its name only: write some of %s", schema.BankAccounts,
				plain.List(schema.WorkerResources()))
		}
	}
	return parseResources(text)
}

// writeTeams writes teams.conf in the directory, with the teams of the broker.
func writeTeams(ctx context.Context, s session, dir string) (changed bool, err error) {
	durables, err := s.Durables(ctx)
	if err != nil {
		return false, err
	}
	teams := stream.TeamsOf(durables)
	changed, err = nats.WriteTeams(dir, teams)
	if err != nil {
		return false, fmt.Errorf("write the accounts of the teams: %w: "+
			"the broker is changed; give the same command again", err)
	}
	if changed {
		fmt.Fprintf(s.stdout, "wrote %s with %s\n", filepath.Join(dir, nats.TeamsFile),
			plain.Count(len(teams), "team"))
	}
	return changed, nil
}

// nextForBroker says how the broker learns of the new teams.conf. nats-server 2.15 makes a new
// account in a first reload, and lets the account's requests through after a second.
func nextForBroker(s session, dir string) {
	if dir == "" {
		fmt.Fprintf(s.stdout, "next: give the same command with --dir: it writes %s\n",
			nats.TeamsFile)
		return
	}
	fmt.Fprintf(s.stdout, "next: put %s beside the broker's %s, and reload the broker twice, "+
		"a few seconds apart: docker compose kill -s HUP nats, or nats-server --signal reload\n",
		filepath.Join(dir, nats.TeamsFile), nats.AccountsFile)
}
