package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

func newFindCommand(t terminal) *cobra.Command {
	var f finding
	cmd := &cobra.Command{
		Use:     "find ACCOUNT",
		GroupID: groupObserve,
		Short:   "Print all that the streams have of one account",
		Long: `wagewire find prints what the streams have of one account, oldest first: its events,
its waiting events, its completions, its dead letters and its state. Then it ends.

ACCOUNT is the provider's id of an account or of a person, or its token in subjects. Different
providers may have the same id: --provider chooses one.

A line has the time, the provider, what it is, and the event. No line has data of the person.`,
		Example: `  See what became of an account:
    wagewire find 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65
  See which completions of an account failed, for a program:
    wagewire find 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --json |
      jq '.entries[] | select(.outcome == "failed")'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return command.UsageError("give one account: the provider's id, or its token")
			}
			return nil
		},
	}
	addProvider(cmd, &f.provider, "only of")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print a JSON object")
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		return f.run(ctx, s, args[0])
	})
}

// finding is the command line of wagewire find.
type finding struct {
	provider schema.Provider
	asJSON   bool
}

func (f *finding) run(ctx context.Context, s session, name string) error {
	providers := schema.Providers()
	if f.provider != "" {
		providers = []schema.Provider{f.provider}
	}
	entries, err := find.Account(ctx, s.Operator, providers, name)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return fmt.Errorf("nothing of account %s is on the streams: "+
			"no webhook named it, or they are older than the streams keep", plain.Word(name))
	}
	if f.asJSON {
		return json.NewEncoder(s.stdout).Encode(map[string]any{"entries": entries})
	}
	return printEntries(s.stdout, entries, time.Now())
}

func printEntries(w io.Writer, entries []find.Entry, now time.Time) error {
	table := newTable(w)
	fmt.Fprintln(table, "AT\tPROVIDER\tWHAT\tEVENT\tTYPE\tSAYS")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", plain.Time(e.At), e.Provider, e.What,
			wordOrDash(e.Event), wordOrDash(e.Type), e.Says(now))
	}
	return table.Flush()
}

func wordOrDash(word string) string {
	if word == "" {
		return "-"
	}
	return plain.Word(word)
}
