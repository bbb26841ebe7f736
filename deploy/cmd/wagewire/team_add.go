package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newTeamAddCommand(t terminal) *cobra.Command {
	var a teamAdd
	cmd := &cobra.Command{
		Use:   "add TEAM",
		Short: "Make or change the durables and the key of a team",
		Long: `wagewire team add makes the durables of a team and its key, and writes teams.conf
with the accounts of all teams. The same command again changes nothing. With other flags, add shows
the difference and asks; a flag that is not given keeps the present value.

The team reads the completions of --resources. Completions that report a deletion come besides: a
team must know what to delete. There is no word for every resource: bank_accounts has the full
account numbers of persons, so a team reads them only if it is named. Truv's identity and
verification_reports have whole social security numbers.

The first durable has the name of the team. Each --durable makes a further one, TEAM_NAME, with a
position of its own. --adopt takes over a durable that the team made itself in an earlier release:
the durable keeps its name and its position.

Add also makes the durable TEAM of the states of accounts, on the stream WAGEWIRE_ACCOUNTS. A team
of an earlier release gets it by the same command again.

The key: with --dir, its seed is in DIR, in nats_team_<team>.nk. Add makes the file if the team has
no key yet. The team gets the file, and nobody else. --key takes the public key of a key that the
team made itself.

A new resource begins with the completions after the change. For earlier ones, make a further
durable.`,
		Example: `  A new team:
    wagewire team add lending --resources paystubs,income --dir ./secrets
  A second program of the team, which begins with now:
    wagewire team add lending --durable reports --since now --dir ./secrets
  The upgrade of a team whose program made its durable itself:
    wagewire team add lending --resources paystubs --adopt lending-prod --dir ./secrets
  Another key, because the seed was seen by others:
    wagewire team add lending --new-key --dir ./secrets`,
		Args: func(_ *cobra.Command, args []string) error { return a.check(args) },
	}
	a.addFlags(cmd)
	a.consent.addFlags(cmd)
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return a.run(ctx, s)
	})
}

// teamAdd is the command line of wagewire team add.
type teamAdd struct {
	name      string
	resources []schema.Resource
	// durables are the names after the team's name.
	durables []string
	adopt    string
	dir      string
	key      string
	newKey   bool
	since    time.Time
	consent
}

func (a *teamAdd) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	addParsed(flags, &a.resources, "resources", "names", "",
		"what the team reads, separated by commas: "+command.OneOf(schema.WorkerResources()),
		parseGrant)
	completeFrom(cmd, "resources", toStrings(schema.WorkerResources()))
	flags.StringArrayVar(&a.durables, "durable", nil,
		"`name` of a further durable, after the team's name; repeatable")
	addSince(cmd, &a.since, "all", "a new durable begins with the completions since")
	flags.StringVar(&a.dir, "dir", "", teamDirHelp+", and with the team's seed")
	flags.StringVar(&a.key, "key", "", "public `key` of the team, made elsewhere")
	flags.BoolVar(&a.newKey, "new-key", false, "make a new key in place of the present one")
	flags.StringVar(&a.adopt, "adopt", "",
		"`durable` without a team that becomes one of the team's")
}

func (a *teamAdd) check(args []string) (err error) {
	a.name, err = parseTeam(args)
	if err != nil {
		return err
	}
	for _, name := range a.durables {
		if err := stream.CheckTeamName(name); err != nil {
			return command.UsageError("--durable: %v", err)
		}
	}
	switch {
	case a.key != "" && !nkeys.IsValidPublicUserKey(a.key):
		return command.UsageError("--key: write the public key of a user, which begins with U")
	case a.key != "" && a.newKey:
		return command.UsageError("give --key or --new-key")
	case a.newKey && a.dir == "":
		return command.UsageError("--new-key: say with --dir where the seed goes")
	}
	return nil
}

// run shows what changes, asks before a change of what is there, and makes the change.
func (a *teamAdd) run(ctx context.Context, s session) error {
	durables, err := s.Durables(ctx)
	if err != nil {
		return err
	}
	team, err := a.merge(durables)
	if err != nil {
		return err
	}
	seed, err := a.chooseKey(&team)
	if err != nil {
		return err
	}
	changes, err := s.PlanTeam(ctx, team, stream.Reading{Since: a.since, Adopt: a.adopt})
	if err != nil {
		return err
	}
	states, err := s.PlanTeamAccounts(ctx, team)
	if err != nil {
		return err
	}
	changes = append(changes, states...)
	printPlan(s.stdout, changes)
	if len(changes) > 0 {
		sayGrant(s.stdout, team, durables)
	}
	if a.dryRun {
		return nil
	}
	if err := a.agree(ctx, s, changes); err != nil {
		return err
	}
	return a.apply(ctx, s, team, seed, changes)
}

// sayGrant says which resources the team gets and loses, because the lists of filters are long, and
// which numbers of persons it reads.
func sayGrant(w io.Writer, team stream.Team, durables []stream.Durable) {
	for _, before := range stream.TeamsOf(durables) {
		if before.Name == team.Name {
			sayResources(w, "+", team.Resources, before.Resources)
			sayResources(w, "-", before.Resources, team.Resources)
		}
	}
	for _, of := range []struct {
		numbers   string
		resources []schema.Resource
	}{
		{"full account numbers", []schema.Resource{schema.BankAccounts}},
		{"Truv's have whole social security numbers",
			[]schema.Resource{schema.Identity, schema.VerificationReports}},
	} {
		read := slices.DeleteFunc(of.resources, func(r schema.Resource) bool {
			return !slices.Contains(team.Resources, r)
		})
		if len(read) > 0 {
			fmt.Fprintf(w, "team %s reads %s: %s of persons\n", team.Name, plain.List(read),
				of.numbers)
		}
	}
}

// sayResources prints the resources that are in a list and not in the other, with a sign.
func sayResources(w io.Writer, sign string, list, other []schema.Resource) {
	for _, r := range list {
		if !slices.Contains(other, r) {
			fmt.Fprintf(w, "%s %s\n", sign, r)
		}
	}
}

// merge returns the team as it must be: what the broker has, changed by the command line.
func (a *teamAdd) merge(durables []stream.Durable) (stream.Team, error) {
	team := stream.Team{Name: a.name, Resources: a.resources}
	for _, t := range stream.TeamsOf(durables) {
		if t.Name == a.name {
			team = t
		}
	}
	if len(a.resources) > 0 {
		team.Resources = a.resources
	}
	if len(team.Resources) == 0 {
		return team, command.UsageError("team %s is new: say with --resources what it reads",
			a.name)
	}
	isAdopted := func(d stream.Durable) bool { return d.Name == a.adopt }
	if a.adopt != "" && !slices.ContainsFunc(durables, isAdopted) {
		return team, fmt.Errorf("there is no durable %s to adopt: "+
			"wagewire team list shows the durables", a.adopt)
	}
	team.Durables = a.mergeDurables(team.Durables)
	if n := len(team.Durables); n > stream.TeamDurablesMax {
		return team, fmt.Errorf("team %s would have %d durables, more than %d",
			a.name, n, stream.TeamDurablesMax)
	}
	return team, nil
}

// mergeDurables adds the durables of the command line to those that the team has. A team without
// any gets the first, with its own name.
func (a *teamAdd) mergeDurables(have []string) []string {
	merged := have
	if a.adopt != "" {
		merged = appendNew(merged, a.adopt)
	}
	if len(merged) == 0 {
		merged = []string{a.name}
	}
	for _, name := range a.durables {
		merged = appendNew(merged, stream.TeamDurable(a.name, name))
	}
	return merged
}

// appendNew appends a name unless it is there.
func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// chooseKey sets the public key of the team. It returns the seed of a new key, and "" if the team
// keeps or brings its key.
func (a *teamAdd) chooseKey(team *stream.Team) (seed string, err error) {
	if a.key != "" {
		team.Key = a.key
		return "", nil
	}
	if a.dir != "" && !a.newKey {
		public, err := nats.TeamKey(a.dir, a.name)
		if err != nil {
			return "", err
		}
		if public != "" {
			team.Key = public
			return "", nil
		}
	}
	if team.Key != "" && !a.newKey {
		return "", nil
	}
	if a.dir == "" {
		return "", command.UsageError("team %s has no key: --dir DIR makes one there, "+
			"--key takes the public key of one made elsewhere", a.name)
	}
	if err := nats.CheckPrivate(a.dir); err != nil {
		return "", fmt.Errorf("write the key of team %s: %w", a.name, err)
	}
	seed, team.Key, err = nats.NewKey()
	return seed, err
}

// agree refuses a plan that cannot be carried out, and asks before a change of a durable that is
// there.
func (a *teamAdd) agree(ctx context.Context, s session, changes []stream.Change) error {
	_, updates, refusals := countChanges(changes)
	if refusals > 0 {
		return fmt.Errorf("refused %d of %d changes, nothing was done", refusals, len(changes))
	}
	if updates == 0 {
		return nil
	}
	if err := a.consent.check(s.terminal); err != nil {
		return err
	}
	return a.ask(ctx, s.terminal, fmt.Sprintf("change team %s?", a.name))
}

func (a *teamAdd) apply(
	ctx context.Context, s session, team stream.Team, seed string, changes []stream.Change,
) error {
	if seed != "" {
		if err := nats.WriteTeamSeed(a.dir, a.name, seed); err != nil {
			return fmt.Errorf("write the key of team %s: %w", a.name, err)
		}
		fmt.Fprintf(s.stdout, "wrote %s\n", filepath.Join(a.dir, nats.TeamSeedFile(a.name)))
	}
	if err := s.Apply(ctx, changes); err != nil {
		return fmt.Errorf("%w (the changes above it are made; give the same command again)", err)
	}
	written := false
	if a.dir != "" {
		var err error
		written, err = writeTeams(ctx, s, a.dir)
		if err != nil {
			return err
		}
	}
	if len(changes) > 0 || written {
		nextForBroker(s, a.dir)
		a.nextForTeam(s, team)
	}
	return nil
}

// nextForTeam says what the team gets and how its program connects.
func (a *teamAdd) nextForTeam(s session, team stream.Team) {
	if a.dir != "" && a.key == "" {
		fmt.Fprintf(s.stdout, "next: give %s to the team, a secret, as the credentials of its "+
			"program\n", filepath.Join(a.dir, nats.TeamSeedFile(a.name)))
	}
	fmt.Fprintf(s.stdout, "next: the program connects with the seed, uses the JetStream domain "+
		"%s, and binds to the durable %s of %s: see schema/README.md\n",
		stream.Domain, command.OneOf(team.Durables), schema.CompletionsStream)
}
