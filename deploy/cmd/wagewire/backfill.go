package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	backfills "github.com/wagewire/wagewire/deploy/backfill"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/doctor"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/fetch"
)

const (
	backfillSinceDefault = 2 * day
	// backfillEveryMin keeps the calls of a repeated backfill few.
	backfillEveryMin = time.Minute
)

// backfillOptions is the command line of wagewire backfill.
type backfillOptions struct {
	provider   schema.Provider
	since      time.Duration
	account    string
	settledFor time.Duration
	every      time.Duration
	webhookURL string
	dryRun     bool
	asJSON     bool
}

func newBackfillCommand(t terminal) *cobra.Command {
	o := backfillOptions{since: backfillSinceDefault, settledFor: backfills.SettledFor}
	cmd := &cobra.Command{
		Use:     "backfill",
		GroupID: groupRepair,
		Short:   "Bring back webhooks that a provider could not deliver",
		Long: `wagewire backfill brings back the webhooks of an outage that was longer than the
resends of a provider: 15 minutes at Pinwheel, two at Truv. What is missing is stored as an event,
and workers take it after fresh events. What is there stays as it is.

At Truv, the webhooks come from its log of the last 30 days, each under its own id.

Pinwheel has no log. The command compares jobs, and the times at which data changed, with the stored
events and the states of accounts. A missing webhook is built from the job, with an id that is the
same at each backfill. If Pinwheel sends the same webhook later, it is an event of its own, and the
account gets the same data twice. Webhooks of verification reports, of the monitoring status and of
documents cannot be brought back.

Erased accounts are left alone, and so are accounts that are not connected at Pinwheel, and data
that is so young that the provider may still send its webhook (--settled).

Without --provider, each provider whose secret is in the environment has its turn. The calls share
the budget of the workers, and come after the calls for fresh events.`,
		Example: `  See what the outage of the last night has cost, then bring it back:
    wagewire backfill --since 12h --dry-run
    wagewire backfill --since 12h
  Look at the whole life of one account:
    wagewire backfill --provider pinwheel --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65
  Look for what is missing four times a day, until Ctrl-C:
    wagewire backfill --since 1d --every 6h`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := command.NoArguments(cmd, args); err != nil {
				return err
			}
			return o.check(cmd.Flags().Changed("since"))
		},
	}
	o.addFlags(cmd)
	onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return o.run(ctx, s)
	}, slices.Concat(apiVariables(), doctor.Variables())...)
	return untilInterrupted(cmd, func() bool { return o.every > 0 })
}

func (o *backfillOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	addChoice(cmd, &o.provider, "provider",
		"only webhooks of "+command.OneOf(backfills.Providers())+" (default each with a secret)",
		backfills.Providers())
	addDuration(flags, &o.since, "since", plain.Age(o.since),
		"how long ago the outage began: 6h, 2d")
	flags.StringVar(&o.account, "account", "",
		"only the account with the provider's `id`, from its beginning")
	flags.BoolVar(&o.dryRun, "dry-run", false, "find what is missing, and store nothing")
	addDuration(flags, &o.settledFor, "settled", o.settledFor.String(),
		"leave what is younger: the provider may still send it")
	addDuration(flags, &o.every, "every", "", "repeat after so long, until Ctrl-C")
	addWebhookURL(cmd, &o.webhookURL)
	flags.BoolVar(&o.asJSON, "json", false, "print a JSON object for each provider")
}

// keptFor is how long events are kept, if the installation has the default.
func keptFor() time.Duration {
	topology := schema.DefaultTopology()
	for _, s := range topology.AllStreams() {
		if s.Name == schema.EventsStream {
			return s.MaxAge
		}
	}
	return 0
}

func (o *backfillOptions) check(hasSince bool) error {
	switch {
	case o.account != "" && hasSince:
		return command.UsageError("--account looks at the whole life of the account: " +
			"leave out --since")
	case o.account != "" && o.provider == "":
		return command.UsageError("say whose account it is: --provider with %s",
			command.OneOf(backfills.Providers()))
	case o.since > keptFor():
		return command.UsageError("--since: events are kept %s, so nobody knows which of the "+
			"webhooks before came", plain.Age(keptFor()))
	case o.every > 0 && o.every < backfillEveryMin:
		return command.UsageError("--every: at least %s", backfillEveryMin)
	default:
		return nil
	}
}

// run runs a backfill of each provider, again and again with --every.
func (o *backfillOptions) run(ctx context.Context, s session) error {
	providers, err := o.providers(s.getenv)
	if err != nil {
		return err
	}
	for {
		err := o.runOnce(ctx, s, providers)
		if o.every == 0 || ctx.Err() != nil {
			return err
		}
		if err != nil {
			fmt.Fprintf(s.stderr, "%v\n", err) // the next round may do better
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(o.every):
		}
	}
}

// providers are those with a secret in the environment, or the only one that was asked for.
func (o *backfillOptions) providers(getenv func(string) string) ([]schema.Provider, error) {
	if o.provider != "" {
		return []schema.Provider{o.provider}, nil
	}
	var providers []schema.Provider
	var variables []string
	for _, p := range backfills.Providers() {
		variables = append(variables, fetch.SecretVariable(p))
		if getenv(fetch.SecretVariable(p)) != "" {
			providers = append(providers, p)
		}
	}
	if len(providers) == 0 {
		return nil, fmt.Errorf("none of %s is set: "+
			"set one to a file with the secret of the provider's API", plain.List(variables))
	}
	return providers, nil
}

// runOnce runs a backfill of each provider. If one fails, the others have their turn first.
func (o *backfillOptions) runOnce(
	ctx context.Context, s session, providers []schema.Provider,
) error {
	webhookURL, err := readWebhookURL(o.webhookURL, s.getenv)
	if err != nil {
		return err
	}
	var failure error
	for _, p := range providers {
		since := time.Now().Add(-o.since)
		if o.account != "" {
			since = time.Now().Add(-keptFor())
		}
		findings, err := backfills.Run(ctx, s.Operator, backfills.Config{
			Provider: p, Since: since, Account: o.account, SettledFor: o.settledFor,
			WebhookURL: doctor.AddressOf(webhookURL, p), DryRun: o.dryRun,
			Getenv: s.getenv, Log: newOperatorLog(s.stderr, zapcore.WarnLevel),
			Tell: func(text string) { fmt.Fprintln(s.stderr, text) },
		})
		if err == nil || len(findings) > 0 {
			if printed := o.print(s.stdout, p, since, findings); printed != nil {
				return printed
			}
		}
		if err != nil {
			failure = fmt.Errorf("backfill of %s: %w", p, err)
			if ctx.Err() != nil {
				return failure
			}
			fmt.Fprintf(s.stderr, "%v\n", failure)
		}
	}
	return failure
}

// backfillResult is a backfill of a provider, for another program.
type backfillResult struct {
	Provider schema.Provider `json:"provider"`
	Since    time.Time       `json:"since"`
	Account  string          `json:"account,omitempty"`
	DryRun   bool            `json:"dry_run"`
	Found    int             `json:"found"`
	Stored   int             `json:"stored"`
	Present  int             `json:"present"`
	Left     int             `json:"left"`
	// Events has each webhook that was stored or left alone.
	Events []backfills.Finding `json:"events"`
}

func (o *backfillOptions) print(
	w io.Writer, p schema.Provider, since time.Time, findings []backfills.Finding,
) error {
	if !o.asJSON {
		return o.printTable(w, p, findings)
	}
	result := backfillResult{
		Provider: p, Since: since.UTC(), DryRun: o.dryRun, Found: len(findings),
		Events: []backfills.Finding{},
	}
	if o.account != "" {
		result.Account = schema.Token(o.account)
	}
	for _, f := range findings {
		switch f.Verdict {
		case backfills.Stored:
			result.Stored++
		case backfills.Present:
			result.Present++
			continue
		default:
			result.Left++
		}
		result.Events = append(result.Events, f)
	}
	return json.NewEncoder(w).Encode(result)
}

// backfillRow counts the findings of a type with the same verdict.
type backfillRow struct {
	kind    string
	verdict backfills.Verdict
	why     string
	count   int
}

// printTable prints how many webhooks of each type were found, and what happened to them.
func (o *backfillOptions) printTable(
	w io.Writer, p schema.Provider, findings []backfills.Finding,
) error {
	if len(findings) == 0 {
		_, err := fmt.Fprintf(w, "%s: nothing was sent, or changed, in this time\n", p)
		return err
	}
	table := newTable(w)
	fmt.Fprintln(table, "PROVIDER\tTYPE\tCOUNT\tRESULT")
	for _, row := range countBackfilled(findings) {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", p, typeOrNone(row.kind), row.count, o.result(row))
	}
	return table.Flush()
}

func typeOrNone(kind string) string {
	if kind == "" {
		return "-"
	}
	return plain.Word(kind)
}

// result says what happened to the webhooks of a row.
func (o *backfillOptions) result(row backfillRow) string {
	switch {
	case row.verdict == backfills.Stored && o.dryRun:
		return "missing, would be stored"
	case row.verdict == backfills.Stored:
		return "missing, stored"
	case row.verdict == backfills.Present:
		return "there"
	default:
		return "left: " + row.why
	}
}

// countBackfilled counts the findings. What was missing comes first.
func countBackfilled(findings []backfills.Finding) []backfillRow {
	var rows []backfillRow
	for _, f := range findings {
		i := slices.IndexFunc(rows, func(r backfillRow) bool {
			return r.kind == f.Type && r.verdict == f.Verdict && r.why == f.Why
		})
		if i < 0 {
			i = len(rows)
			rows = append(rows, backfillRow{kind: f.Type, verdict: f.Verdict, why: f.Why})
		}
		rows[i].count++
	}
	order := []backfills.Verdict{backfills.Stored, backfills.Left, backfills.Present}
	slices.SortStableFunc(rows, func(a, b backfillRow) int {
		return slices.Index(order, a.verdict) - slices.Index(order, b.verdict)
	})
	return rows
}
