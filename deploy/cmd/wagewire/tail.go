package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const countMax = 1_000_000_000

// tailOptions is the command line of wagewire tail.
type tailOptions struct {
	completionFilter
	since time.Time
	// most is how many completions to print, 0 for no limit.
	most   int
	asJSON bool
	wait   *time.Duration
}

func newTailCommand(t terminal) *cobra.Command {
	o := tailOptions{since: time.Now()}
	cmd := &cobra.Command{
		Use:     "tail",
		GroupID: groupObserve,
		Short:   "Print completions as they come",
		Long: `wagewire tail prints each completion on a line as it comes, until Ctrl-C. Consumers
still get every completion.

A line has the time, provider, resource.action, account, outcome, number of records and number of
attempts. If there are any, it also has the number of missing and of deleted ids, "stale" for old
data, and the class and code of the error. Only --json prints the records themselves.`,
		Example: `  Print completions from now on:
    wagewire tail
  Print what failed within a day, and why:
    wagewire tail --since 24h --outcome failed
  Print every stored completion of an account for another program:
    wagewire tail --since all --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --json
  Wait for one completion:
    wagewire tail -n 1 --resource income`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), t) },
	}
	addSince(cmd, &o.since, "now", "begin at an earlier time")
	o.addFlags(cmd)
	count := &parsedFlag[int]{&o.most, "0", "int", parseNumber(0, countMax)}
	cmd.Flags().VarP(count, "count", "n", "stop after so many; 0 is never")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print each completion whole, as JSON on a line")
	o.wait = addWait(cmd)
	command.AddEnvironment(cmd, brokerVariables())
	return untilInterrupted(cmd, func() bool { return true })
}

// run connects and prints completions until ctx ends or the count is reached.
func (o *tailOptions) run(ctx context.Context, t terminal) error {
	level := zap.NewAtomicLevelAt(zapcore.ErrorLevel)
	op, err := connect(ctx, t, *o.wait, newOperatorLog(t.stderr, level))
	if err != nil {
		return err
	}
	defer op.Close()
	return op.RunWhileOpen(ctx, func(ctx context.Context) error {
		completions, err := op.Tail(ctx, o.subject(), o.since)
		if err != nil {
			return advice.OnBroker(err)
		}
		defer completions.Close()
		level.SetLevel(zapcore.InfoLevel) // now the operator wants to know of a broken connection
		return o.printEach(ctx, t, completions)
	})
}

// printEach prints completions until ctx ends or the count is reached.
func (o *tailOptions) printEach(
	ctx context.Context, t terminal, completions *stream.Tail,
) error {
	fmt.Fprintln(t.stderr, "printing completions, Ctrl-C ends")
	for printed := 0; o.most == 0 || printed < o.most; {
		completion, err := completions.Next(ctx)
		if err != nil {
			return err
		}
		if !o.matches(completion) {
			continue
		}
		if err := o.print(t.stdout, completion); err != nil {
			return fmt.Errorf("print completion: %w", err)
		}
		printed++
	}
	return nil
}

func (o *tailOptions) print(w io.Writer, c schema.Completion) error {
	line := formatCompletion(c)
	if o.asJSON {
		text, err := c.Encode()
		if err != nil {
			return err
		}
		line = string(text)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// newOperatorLog is a logger that prints only the message and the fields.
func newOperatorLog(w io.Writer, level zapcore.LevelEnabler) *zap.Logger {
	config := zapcore.EncoderConfig{
		MessageKey: "message", EncodeDuration: zapcore.StringDurationEncoder,
	}
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(config), zapcore.AddSync(w), level))
}

// completionFilter is the choice of completions. The zero value matches all.
type completionFilter struct {
	provider schema.Provider
	resource schema.Resource
	outcome  schema.Outcome
	account  string
}

func (f *completionFilter) addFlags(cmd *cobra.Command) {
	resources := schema.WorkerResources()
	outcomes := schema.Outcomes()
	addProvider(cmd, &f.provider, "only those of")
	addChoice(cmd, &f.resource, "resource", "only those of "+command.OneOf(resources), resources)
	cmd.Flags().StringVar(&f.account, "account", "", accountHelp)
	addChoice(cmd, &f.outcome, "outcome", "only those that are "+command.OneOf(outcomes), outcomes)
}

// subject is the part of the filter that the broker can apply.
func (f *completionFilter) subject() string {
	if f.provider == "" {
		return schema.AllCompletions
	}
	return schema.AccountCompletions(f.provider, "*")
}

func (f *completionFilter) matches(c schema.Completion) bool {
	return (f.provider == "" || f.provider == c.Data.Provider) &&
		(f.resource == "" || f.resource == c.Data.Resource) &&
		(f.outcome == "" || f.outcome == c.Data.Outcome) &&
		(f.account == "" || f.account == c.Subject ||
			f.isAccountID(c.Data.AccountID) || f.isAccountID(c.Data.EndUserID))
}

func (f *completionFilter) isAccountID(id *string) bool { return id != nil && *id == f.account }

// formatCompletion is the completion on a line, with the number of records and nothing of their
// content.
func formatCompletion(c schema.Completion) string {
	d := c.Data
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-8s %-30s %-36s %-11s records=%d attempts=%d",
		plain.Time(c.Time), plain.Word(d.Provider), plain.Word(string(d.Resource)+"."+d.Action),
		plain.Word(c.Subject), plain.Word(d.Outcome), c.CountRecords(), d.Attempts)
	if n := len(d.Missing); n > 0 {
		fmt.Fprintf(&b, " missing=%d", n)
	}
	if n := len(d.Deleted); n > 0 {
		fmt.Fprintf(&b, " deleted=%d", n)
	}
	if d.Stale {
		fmt.Fprint(&b, " stale")
	}
	if d.Error != nil {
		fmt.Fprintf(&b, " class=%s", plain.Word(d.Error.Class))
		if d.Error.Code != "" {
			fmt.Fprintf(&b, " code=%s", plain.Word(d.Error.Code))
		}
	}
	return b.String()
}
