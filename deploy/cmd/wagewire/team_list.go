package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/stream"
)

func newTeamListCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the durables of completions with their lag",
		Long: `wagewire team list prints every durable of completions, by team. Durables without a
team are the last: somebody made them by hand.

  LAG     completions that are not acknowledged
  OLDEST  the age of the oldest of them
  LOST    when the stream deletes the oldest, acknowledged or not
  ACTIVE  how long ago the durable delivered a completion or got an acknowledgement; "-" if never
          since the broker started
  NOTE    "abandoned": completions wait, and nobody took one for a day

A durable that nobody reads costs the broker little, and loses completions in the end. wagewire team
remove deletes it.`,
		Example: `  See which team is behind:
    wagewire team list
  Find the abandoned durables:
    wagewire team list --json | jq -r 'select(.abandoned) | .durable'`,
	}
	asJSON := cmd.Flags().Bool("json", false, "print a JSON object for each durable")
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		durables, err := s.Durables(ctx)
		if err != nil {
			return err
		}
		return listDurables(s.terminal, durables, *asJSON, time.Now())
	})
}

// durableJSON is a line of wagewire team list --json.
type durableJSON struct {
	stream.Durable
	Lag       uint64 `json:"lag"`
	Abandoned bool   `json:"abandoned"`
}

func listDurables(t terminal, durables []stream.Durable, asJSON bool, now time.Time) error {
	if asJSON {
		lines := json.NewEncoder(t.stdout)
		for _, d := range durables {
			line := durableJSON{d, d.Lag(), d.Abandoned(now, health.AbandonedAfter)}
			if err := lines.Encode(line); err != nil {
				return err
			}
		}
		return nil
	}
	if len(durables) == 0 {
		fmt.Fprintln(t.stderr, "there is no durable: wagewire team add makes one")
		return nil
	}
	return printDurables(t.stdout, durables, now)
}

func printDurables(w io.Writer, durables []stream.Durable, now time.Time) error {
	table := newTable(w)
	fmt.Fprintln(table, "TEAM\tDURABLE\tRESOURCES\tLAG\tOLDEST\tLOST\tACTIVE\tNOTE")
	for _, d := range durables {
		team := "-"
		resources := "-"
		var notes []string
		if d.Team == "" {
			notes = append(notes, "made by hand")
		} else {
			team = plain.Word(d.Team)
			resources = plain.Word(strings.Join(toStrings(d.Resources), ","))
		}
		if d.Abandoned(now, health.AbandonedAfter) {
			notes = append(notes, "abandoned")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", team, plain.Word(d.Name), resources,
			d.Lag(), plain.Ago(d.Oldest, now), plain.In(d.LostAt, now), plain.Ago(d.Active, now),
			strings.Join(notes, ", "))
	}
	return table.Flush()
}

func writeLags(table io.Writer, lags []health.TeamLag, now time.Time) {
	if len(lags) == 0 {
		return
	}
	fmt.Fprintln(table, "\nTEAM\tDURABLES\tABANDONED\tLAG\tOLDEST\tLOST\tACTIVE")
	for _, l := range lags {
		team := "-"
		if l.Team != "" {
			team = plain.Word(l.Team)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\t%s\n", team, l.Durables, l.Abandoned, l.Lag,
			plain.Ago(l.Oldest, now), plain.In(l.LostAt, now), plain.Ago(l.Active, now))
	}
}
