package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema"
)

const tailHelp = `wagewire tail prints completions as they come, one line each, until Ctrl-C. It takes nothing from anybody: every consumer
still gets every completion.

Usage:
  wagewire tail [flags]

A line holds the time, provider, resource.action, account, outcome, how many records and attempts; then, where there are any,
how many ids were missing or deleted, whether the data is stale, and the class and code of the error. It never holds what the
records say: only --json does.

Flags:
  --since TIME       begin at a time before now: 1h, 2d, 2026-01-12T02:36:00Z, or all (now)
  --provider NAME    only those of pinwheel or truv
  --resource NAME    only those of employment, identity, income, paystubs, shifts, verification_reports or link
  --account ID       only those of an account or an end user: the provider's id, or the account as a line shows it
  --outcome WORD     only succeeded, pending, unavailable, failed or deleted
  -n N               stop after so many (0: never)
  --json             print each completion whole, on one line, records and all
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  What comes from now on:
    wagewire tail
  What failed within a day, and why:
    wagewire tail --since 24h --outcome failed
  All that is kept of an account, for another program:
    wagewire tail --since all --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --json
  Wait for one completion:
    wagewire tail -n 1 --resource income

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 stopped by Ctrl-C or -n, 1 failed, 2 wrong usage
`

// completionFilter is which completions are printed. The zero value is all of them.
type completionFilter struct {
	provider schema.Provider
	resource schema.Resource
	outcome  schema.Outcome
	account  string
}

func tailFlags(flags *flag.FlagSet) action {
	since := flags.String("since", "now", "")
	name := flags.String("provider", "", "")
	resource := flags.String("resource", "", "")
	outcome := flags.String("outcome", "", "")
	account := flags.String("account", "", "")
	most := flags.Int("n", 0, "")
	whole := flags.Bool("json", false, "")
	wait := flags.Duration("wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) error {
		if len(args) > 0 {
			return wrongUsage("unexpected argument %q", args[0])
		}
		if *most < 0 {
			return wrongUsage("-n: %d is below zero", *most)
		}
		from, err := timeOf("--since", *since, time.Now())
		if err != nil {
			return err
		}
		filter := completionFilter{schema.Provider(*name), schema.Resource(*resource), schema.Outcome(*outcome), *account}
		if err := filter.check(); err != nil {
			return err
		}
		show := line
		if *whole {
			show = encoded
		}
		if err := tail(ctx, t, *wait, from, filter, *most, show); ctx.Err() == nil {
			return err
		}
		return nil // Ctrl-C is how it ends
	}
}

func tail(ctx context.Context, t terminal, wait time.Duration, since time.Time, filter completionFilter, most int, show func(schema.Completion) (string, error)) error {
	level := zap.NewAtomicLevelAt(zapcore.ErrorLevel)
	conn, err := connect(ctx, t, wait, logTo(t.stderr, level))
	if err != nil {
		return err
	}
	defer conn.Close()
	completions, err := conn.Tail(ctx, filter.subject(), since)
	if err != nil {
		return fmt.Errorf("%w%s", err, adviceOn(err))
	}
	defer completions.Close()
	level.SetLevel(zapcore.InfoLevel) // from here on a lost connection is news
	fmt.Fprintln(t.stderr, "printing completions, Ctrl-C ends")
	for printed := 0; most == 0 || printed < most; {
		completion, err := completions.Next(ctx)
		if err != nil {
			return err
		}
		if !filter.takes(completion) {
			continue
		}
		text, err := show(completion)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(t.stdout, text); err != nil {
			return fmt.Errorf("print completion: %w", err)
		}
		printed++
	}
	return nil
}

// logTo shows an operator what the connection has to say, without the trimmings of a log.
func logTo(w io.Writer, level zapcore.LevelEnabler) *zap.Logger {
	config := zapcore.EncoderConfig{MessageKey: "message", EncodeDuration: zapcore.StringDurationEncoder}
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(config), zapcore.AddSync(w), level))
}

// timeOf reads a flag's time. The zero time is the oldest there is.
func timeOf(name, text string, now time.Time) (time.Time, error) {
	switch text {
	case "now":
		return now, nil
	case "all":
		return time.Time{}, nil
	}
	if ago, err := parseAge(text); err == nil {
		return now.Add(-ago), nil
	}
	if at, err := schema.ParseTime(text); err == nil {
		return at, nil
	}
	return time.Time{}, wrongUsage("%s: %q is no time: write 1h, 2d, 2026-01-12T02:36:00Z, all or now", name, text)
}

func (f completionFilter) check() error {
	outcomes := []schema.Outcome{schema.Succeeded, schema.Pending, schema.Unavailable, schema.Failed, schema.Deleted}
	var resources []schema.Resource
	for _, q := range schema.Queues() {
		if !slices.Contains(resources, q.Resource) {
			resources = append(resources, q.Resource)
		}
	}
	switch {
	case f.provider != "" && !slices.Contains(schema.Providers(), f.provider):
		return wrongUsage("--provider: %q is none of %s", f.provider, join(schema.Providers()))
	case f.resource != "" && !slices.Contains(resources, f.resource):
		return wrongUsage("--resource: %q is none of %s", f.resource, join(resources))
	case f.outcome != "" && !slices.Contains(outcomes, f.outcome):
		return wrongUsage("--outcome: %q is none of %s", f.outcome, join(outcomes))
	default:
		return nil
	}
}

// subject is as much of the filter as the broker can do for us.
func (f completionFilter) subject() string {
	if f.provider == "" {
		return schema.AllCompletions
	}
	return schema.AccountCompletions(f.provider, "*")
}

func (f completionFilter) takes(c schema.Completion) bool {
	return (f.provider == "" || f.provider == c.Data.Provider) &&
		(f.resource == "" || f.resource == c.Data.Resource) &&
		(f.outcome == "" || f.outcome == c.Data.Outcome) &&
		(f.account == "" || f.account == c.Subject || f.is(c.Data.AccountID) || f.is(c.Data.EndUserID))
}

func (f completionFilter) is(id *string) bool { return id != nil && *id == f.account }

func encoded(c schema.Completion) (string, error) {
	text, err := c.Encode()
	return string(text), err
}

// line is the completion for people. It says how many records there are, and nothing of what they hold.
func line(c schema.Completion) (string, error) {
	d := c.Data
	records := len(d.Records)
	if d.RecordsRef != nil {
		records = d.RecordsRef.Count
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-8s %-30s %-36s %-11s records=%d attempts=%d", c.Time.UTC().Format(time.RFC3339),
		plain(string(d.Provider)), plain(string(d.Resource)+"."+d.Action), plain(c.Subject), plain(string(d.Outcome)), records, d.Attempts)
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
		fmt.Fprintf(&b, " class=%s", plain(d.Error.Class))
		if d.Error.Code != "" {
			fmt.Fprintf(&b, " code=%s", plain(d.Error.Code))
		}
	}
	return b.String(), nil
}
