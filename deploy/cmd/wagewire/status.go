package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// watchDefault is the interval of --watch without a value.
const watchDefault = 2 * time.Second

// statusOptions is the command line of wagewire status.
type statusOptions struct {
	asJSON bool
	// every is the interval of --watch, 0 without --watch.
	every time.Duration
}

func newStatusCommand(t terminal) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: groupObserve,
		Short:   "Show streams, queues and dead letters on one screen",
		Long: `wagewire status shows streams, queues, budgets, dead letters, the quarantine and the
lag of teams on one screen.

Of a stream: how many messages it has, how full it is, and how old its oldest message is. The
streams of the waiting events, one for each queue, are in one line; --json has each of them.

Of a queue:
  READY     events to take now: new events, and waiting events whose time has come
  IN HAND   events that a worker has; after a crash, until the lease ends
  WAITING   events that wait for the time of their next try
  REPLAYS   events to take now that were sent again or as a backfill; fresh events come first
  OLDEST    the age of the oldest event that is ready or in hand
  REQUESTS  open requests of workers for events; if 0 while events are ready, no worker is there,
            or all are busy, or the provider refuses our credentials
  PAUSED    when the pause of wagewire pause ends; "refused" if the provider refuses our
            credentials: one event at a time asks again, and the end of the screen says more;
            "provider down" if every attempt of late has failed: workers go on trying, and an
            autoscaler adds none

Of waiting events: how many there are of each queue and class, and when the first and the last of
them are tried again. wagewire retry tries them now.

Of a provider's budget of calls, which all processes share:
  RATE          how many calls a second all processes together may make, by the variable of the
                process that took turns last
  LAST MINUTE   how many turns a second they took in the last whole minute, each for one call
  REPLAYS       how many of the turns were taken for replayed events
  LONGEST WAIT  how long a call waited for its turn in that minute
  HELD          until when no process calls the provider, because it answered 429

Of dead letters: how many there are of each queue and class.

Of a team that subscribes: how many durables it has, how many completions it has not acknowledged,
and when the stream deletes the oldest of them. wagewire team list has a line for each durable.

Missing streams and queues are named with the command that creates them.`,
		Example: `  Check the whole line:
    wagewire status
  Watch an outage end:
    wagewire status --watch 5s
  Find the queue with the most waiting events:
    wagewire status --json | jq '.queues | max_by(.waiting)'`,
		Args: o.checkArguments,
	}
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON object; with --watch one each time")
	addDuration(cmd.Flags(), &o.every, "watch", "", "repeat until Ctrl-C, every 2s or as given")
	cmd.Flags().Lookup("watch").NoOptDefVal = watchDefault.String()
	onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		if o.every == 0 {
			return showStatus(ctx, s, o.asJSON)
		}
		watchStatus(ctx, s, o)
		return nil
	})
	return untilInterrupted(cmd, func() bool { return o.every > 0 })
}

// checkArguments accepts "--watch 5s": because the value of --watch is optional, cobra takes 5s for
// an argument.
func (o *statusOptions) checkArguments(cmd *cobra.Command, args []string) error {
	isWatched := cmd.Flags().Changed("watch")
	if isWatched && len(args) > 0 {
		if err := cmd.Flags().Set("watch", args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	if isWatched && o.every == 0 {
		return command.UsageError("--watch: an interval needs more than no time")
	}
	return command.NoArguments(cmd, args)
}

// watchStatus shows the status until ctx ends. An error, such as a broker that is away, is printed
// and does not end the watch.
func watchStatus(ctx context.Context, s session, o statusOptions) {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := showStatus(ctx, s, o.asJSON); err != nil && ctx.Err() == nil {
			fmt.Fprintln(s.stderr, err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// clearScreen moves the cursor to the top left and clears the screen.
const clearScreen = "\x1b[H\x1b[2J"

func showStatus(ctx context.Context, s session, asJSON bool) error {
	now, err := readStatus(ctx, s)
	if err != nil {
		return err
	}
	var screen bytes.Buffer // written at once, because half a screen flickers
	if asJSON {
		err = json.NewEncoder(&screen).Encode(now)
	} else {
		if s.isScreen {
			screen.WriteString(clearScreen)
		}
		err = now.print(&screen, time.Now())
	}
	if err != nil {
		return err
	}
	_, err = s.stdout.Write(screen.Bytes())
	return err
}

// status is the state of the whole line.
type status struct {
	At          time.Time             `json:"at"`
	Streams     []stream.Level        `json:"streams"`
	Queues      []stream.QueueStatus  `json:"queues"`
	Budgets     []stream.BudgetStatus `json:"budgets"`
	DeadLetters []deadCount           `json:"dead_letters"`
	Quarantine  int                   `json:"quarantine"`
	Teams       []teamLag             `json:"teams"`
	// Missing has the streams and queues that do not exist, Advice the command to create them.
	Missing []string `json:"missing"`
	Advice  string   `json:"advice,omitempty"`
}

// deadCount is how many dead letters a queue has of a class.
type deadCount struct {
	Queue string       `json:"queue"`
	Class schema.Class `json:"class"`
	Count int          `json:"count"`
}

func readStatus(ctx context.Context, s session) (status, error) {
	streams, queues, err := s.Status(ctx)
	if err != nil {
		return status{}, err
	}
	now := status{
		At:      time.Now().UTC(),
		Streams: append([]stream.Level{}, streams...), // [] in JSON, and not null
		Queues:  append([]stream.QueueStatus{}, queues...),
		Missing: []string{},
	}
	now.findMissing()
	for _, level := range streams {
		if level.Name == schema.QuarantineStream {
			now.Quarantine = int(level.Messages)
		}
	}
	budgets, err := s.Budgets(ctx)
	if err != nil && !errors.Is(err, stream.ErrNoQueue) { // a missing bucket is among the missing
		return now, err
	}
	now.Budgets = append([]stream.BudgetStatus{}, budgets...)
	now.DeadLetters, err = countDeadLetters(ctx, s)
	if err != nil {
		return now, err
	}
	durables, err := s.Durables(ctx)
	if errors.Is(err, stream.ErrNoQueue) {
		err = nil // the stream is among the missing
	}
	now.Teams = countLags(durables, now.At)
	return now, err
}

func countDeadLetters(ctx context.Context, s session) ([]deadCount, error) {
	counts := []deadCount{}
	headers := stream.Selection{HeadersOnly: true}
	err := s.Scan(ctx, schema.DeadLettersStream, headers, func(m stream.Stored) error {
		l := stream.ReadLetter(m)
		isOfLetter := func(c deadCount) bool { return c.Queue == l.Queue && c.Class == l.Class }
		i := slices.IndexFunc(counts, isOfLetter)
		if i < 0 {
			i = len(counts)
			counts = append(counts, deadCount{Queue: l.Queue, Class: l.Class})
		}
		counts[i].Count++
		return nil
	})
	if errors.Is(err, stream.ErrNoQueue) {
		err = nil // the stream is among the missing
	}
	slices.SortFunc(counts, func(a, b deadCount) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Class, b.Class))
	})
	return counts, err
}

func (s *status) findMissing() {
	found := map[string]bool{}
	for _, level := range s.Streams {
		found[strings.TrimPrefix(level.Name, "OBJ_")] = true // the stream of the object store
	}
	for _, q := range s.Queues {
		found[q.Name] = true
	}
	topology := schema.DefaultTopology()
	var wanted []string
	for _, limits := range limitsOf(&topology) {
		wanted = append(wanted, limits.Name)
	}
	for _, q := range topology.Queues {
		wanted = append(wanted, q.Name)
	}
	for _, name := range wanted {
		if !found[name] {
			s.Missing = append(s.Missing, name)
		}
	}
	if len(s.Missing) > 0 {
		s.Advice = stream.ErrNoQueue.Error()
	}
}

func (s status) print(w io.Writer, now time.Time) error {
	table := newTable(w)
	s.writeStreams(table, now)
	s.writeQueues(table, now)
	s.writeWaiting(table, now)
	writeBudgets(table, s.Budgets)
	s.writeDeadLetters(table)
	writeLags(table, s.Teams, now)
	if err := table.Flush(); err != nil {
		return err
	}
	if len(s.DeadLetters) == 0 {
		fmt.Fprintln(w, "\nno dead letters")
	}
	fmt.Fprintf(w, "\nin quarantine: %d\n", s.Quarantine)
	s.writeRefusals(w, now)
	writeUnreadable(w, s.Budgets)
	if len(s.Missing) > 0 {
		fmt.Fprintf(w, "\nnot there: %s: %s\n", strings.Join(s.Missing, ", "), s.Advice)
	}
	return nil
}

func (s status) writeStreams(table io.Writer, now time.Time) {
	fmt.Fprintln(table, "STREAM\tMESSAGES\tBYTES\tOF\tFULL\tOLDEST")
	for _, l := range sumWaiting(s.Streams) {
		limit := "-"
		full := "-"
		if l.BytesMax > 0 {
			limit = formatSize(l.BytesMax)
			full = fmt.Sprintf("%.0f%%", 100*float64(l.Bytes)/float64(l.BytesMax))
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n",
			l.Name, l.Messages, formatSize(l.Bytes), limit, full, formatAgo(l.Oldest, now))
	}
}

// sumWaiting puts the streams of the waiting events into one line, the last one. The table of the
// queues has the waiting events of each.
func sumWaiting(streams []stream.Level) []stream.Level {
	var levels []stream.Level
	sum := stream.Level{Name: schema.EveryWaitingStream}
	isThere := false
	for _, l := range streams {
		if !schema.IsWaitingStream(l.Name) {
			levels = append(levels, l)
			continue
		}
		isThere = true
		sum.Messages += l.Messages
		sum.Bytes += l.Bytes
		if sum.Oldest.IsZero() || !l.Oldest.IsZero() && l.Oldest.Before(sum.Oldest) {
			sum.Oldest = l.Oldest
		}
	}
	if isThere {
		levels = append(levels, sum)
	}
	return levels
}

func (s status) writeQueues(table io.Writer, now time.Time) {
	fmt.Fprintln(table, "\nQUEUE\tREADY\tIN HAND\tWAITING\tREPLAYS\tOLDEST\tREQUESTS\tPAUSED")
	for _, q := range s.Queues {
		paused := "-"
		switch {
		case !q.PausedUntil.IsZero():
			paused = formatPauseShort(q.PausedUntil, now)
		case q.Refusal != nil:
			paused = "refused"
		case slices.Contains(q.Closures, schema.ClosureDown):
			paused = "provider down"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%d\t%s\n", q.Name, q.Ready, q.InHand,
			q.Waiting, q.Replays, formatAgo(q.Oldest, now), q.Requests, paused)
	}
}

func (s status) writeWaiting(table io.Writer, now time.Time) {
	isFirst := true
	for _, q := range s.Queues {
		for _, c := range q.WaitingByClass {
			if isFirst {
				fmt.Fprintln(table, "\nWAITING\tCLASS\tCOUNT\tNEXT TRY\tLAST TRY")
				isFirst = false
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", q.Name, plain(c.Class), c.Count,
				formatIn(c.Next, now), formatIn(c.Last, now))
		}
	}
}

func (s status) writeDeadLetters(table io.Writer) {
	if len(s.DeadLetters) > 0 {
		fmt.Fprintln(table, "\nDEAD LETTERS\tCLASS\tCOUNT")
	}
	for _, d := range s.DeadLetters {
		fmt.Fprintf(table, "%s\t%s\t%d\n", plain(d.Queue), plain(d.Class), d.Count)
	}
}

func (s status) writeRefusals(w io.Writer, now time.Time) {
	for _, q := range s.Queues {
		if q.Refusal == nil {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", q.Name)
		for _, line := range formatRefusal(*q.Refusal, now) {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
}
