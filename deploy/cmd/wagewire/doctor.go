package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/doctor"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/stream"
)

// doctorWaitDefault is short: a broker that does not answer is a result.
const doctorWaitDefault = 5 * time.Second

func newDoctorCommand(t terminal) *cobra.Command {
	o := doctorOptions{wait: doctorWaitDefault}
	cmd := &cobra.Command{
		Use:     "doctor",
		GroupID: groupObserve,
		Short:   "Check an installation, and our registration at each provider",
		Long: `wagewire doctor checks an installation, a line for each check: ok, BAD or skipped. A
BAD line ends with the next step. A skipped line says why.

  broker        NATS answers, and stores events
  key           the key in NATS_CREDS_FILE is the operator's
  streams       streams and queues are what they must be; limits may be your own
  clock         our clock against the broker's and each provider's
  secrets       the files with the secrets of webhooks and of the API
  credentials   the provider's API takes the secret: its registrations are listed
  registration  our address is registered, active, and for every type with a worker
  address       our address answers a webhook without a signature with 401

Give the environment of a worker and of ingress: a provider without secrets is skipped. Give the
flags of wagewire provision, if streams have limits of their own.

With --fix, doctor asks and then registers our address, or makes the registration active and adds
the types that are missing. It never deletes anything.`,
		Example: `  Check an installation before its first webhook:
    wagewire doctor --webhook-url https://hooks.example.com/webhooks
  Register at each provider, without a question:
    wagewire doctor --fix --yes
  See what --fix would do:
    wagewire doctor --fix --dry-run
  List what is BAD, for a program:
    wagewire doctor --json | jq '.checks[] | select(.verdict == "BAD")'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := command.NoArguments(cmd, args); err != nil {
				return err
			}
			return o.check(t)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), t) },
	}
	addWebhookURL(cmd, &o.webhookURL)
	cmd.Flags().BoolVar(&o.fix, "fix", false, "put right the registrations, after a question")
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON object")
	o.wish.addLimits(cmd)
	o.wish.addEnvironment(cmd)
	addDuration(cmd.Flags(), &o.wait, "wait", o.wait.String(),
		"how long to wait for NATS if it does not answer")
	command.AddEnvironment(cmd, slices.Concat(
		brokerVariables(), secretVariables(), apiVariables(), doctor.Variables()))
	return cmd
}

// doctorOptions is the command line of wagewire doctor.
type doctorOptions struct {
	webhookURL string
	fix        bool
	consent
	asJSON bool
	wish   wish
	wait   time.Duration
}

// check refuses a question that nobody can answer. Without --fix there is no question.
func (o *doctorOptions) check(t terminal) error {
	if !o.fix {
		if o.yes || o.dryRun {
			return command.UsageError("--yes and --dry-run are for --fix")
		}
		return nil
	}
	return o.consent.check(t)
}

// run makes the checks, and makes them again after a fix.
func (o *doctorOptions) run(ctx context.Context, t terminal) error {
	webhookURL, err := readWebhookURL(o.webhookURL, t.getenv)
	if err != nil {
		return err
	}
	topology, err := o.wish.topology(t.getenv)
	if err != nil {
		return err
	}
	log := newOperatorLog(t.stderr, zapcore.ErrorLevel)
	patient := doctor.Patient{
		Topology: topology, Getenv: t.getenv, WebhookURL: webhookURL, Log: log,
	}
	op, server, err := dial(t.getenv, zap.NewNop())
	if err == nil {
		defer op.Close()
		op.Keep = func(stream.Kept) bool { return true } // more than wished is no fault
		err = awaitBroker(ctx, op, o.wait, func() {})
		patient.Op = op
		patient.Server = server
	}
	if err != nil {
		patient.Unreachable = advice.OnBroker(err)
	}
	checks := o.examine(ctx, t, patient)
	isFixed, err := o.applyFixes(ctx, t, checks)
	if err != nil {
		return err
	}
	if isFixed {
		fmt.Fprintln(t.stderr, "checking again")
		checks = o.examine(ctx, t, patient)
	}
	return o.conclude(ctx, t, checks)
}

// examine makes the checks. Without --json it prints each as soon as the result is there.
func (o *doctorOptions) examine(
	ctx context.Context, t terminal, patient doctor.Patient,
) []doctor.Check {
	var checks []doctor.Check
	doctor.Examine(ctx, patient, func(c doctor.Check) {
		checks = append(checks, c)
		if !o.asJSON {
			fmt.Fprintln(t.stdout, formatCheck(c))
		}
	})
	return checks
}

// formatCheck is a check on a line.
func formatCheck(c doctor.Check) string {
	name := strings.TrimSpace(c.Of + " " + c.Name)
	line := fmt.Sprintf("%-7s  %-40s  %s", c.Verdict, name, oneLine(c.Text))
	if c.Next != "" {
		line += "; next: " + oneLine(c.Next)
	}
	return line
}

// oneLine is the text without line ends, because an error may have several lines.
func oneLine(text string) string { return plain.Text(strings.Join(strings.Fields(text), " ")) }

// applyFixes asks once, and then puts right what can be.
func (o *doctorOptions) applyFixes(
	ctx context.Context, t terminal, checks []doctor.Check,
) (isFixed bool, err error) {
	var fixes []*doctor.Fix
	for _, c := range checks {
		if fix := c.Fix(); o.fix && fix != nil {
			fixes = append(fixes, fix)
			fmt.Fprintf(t.stderr, "to %s\n", fix.Does)
		}
	}
	switch {
	case len(fixes) == 0:
		if o.fix {
			fmt.Fprintln(t.stderr, "there is nothing that --fix can put right")
		}
		return false, nil
	case o.dryRun:
		return false, nil
	}
	question := fmt.Sprintf("make %s?", plain.Count(len(fixes), "change"))
	if err := o.ask(ctx, t, question); err != nil {
		return false, err
	}
	for i, fix := range fixes {
		if err := fix.Apply(ctx); err != nil {
			return false, fmt.Errorf("%s: %w (changes made before: %d of %d)",
				fix.Does, err, i, len(fixes))
		}
	}
	return true, nil
}

// conclude returns the exit code of the checks.
func (o *doctorOptions) conclude(ctx context.Context, t terminal, checks []doctor.Check) error {
	bad := 0
	for _, c := range checks {
		if c.Verdict == doctor.Bad {
			bad++
		}
	}
	if err := ctx.Err(); err != nil {
		return err // the checks say that they were interrupted, nothing else
	}
	if o.asJSON {
		result := map[string]any{"bad": bad, "checks": checks}
		if err := json.NewEncoder(t.stdout).Encode(result); err != nil {
			return err
		}
	}
	if bad > 0 {
		return command.Exit(exitBad, fmt.Errorf("%d of %s BAD", bad, areChecks(len(checks))))
	}
	return nil
}

func areChecks(n int) string {
	if n == 1 {
		return "1 check is"
	}
	return fmt.Sprintf("%d checks are", n)
}
