package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// watchDefault is the interval of --watch without a value.
const watchDefault = 2 * time.Second

// statusOptions is the command line of wagewire status.
type statusOptions struct {
	asJSON bool
	// every is the interval of --watch, 0 without --watch.
	every time.Duration
	// console is the address of the console, empty without one.
	console process.Console
}

func newStatusCommand(t terminal) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: groupObserve,
		Short:   "Show streams, queues and dead letters on one screen",
		Long: `wagewire status opens with a verdict and the next command, and then shows streams,
queues, budgets, dead letters, the quarantine, the lag of teams and the processes on one screen.

  OK    nothing asks for a person
  WARN  a person should act within days
  BAD   events are lost or get stuck until a person acts; the exit code is 4
  NOTE  why events wait, if nobody needs to act

wagewire explain says what to do about each. An unusually long silence of a provider is one of them:
no webhooks, when at least 5 came at the same time on each of the last seven days.
PINWHEEL_SILENT_AFTER and TRUV_SILENT_AFTER set a limit instead.

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

Of a role: how many of its processes report, how many ended without a stop within the last hour, and
which versions run.

Missing streams and queues are named with the command that creates them.`,
		Example: `  Check the whole line:
    wagewire status
  Watch an outage end:
    wagewire status --watch 5s
  Let cron say when something is wrong:
    wagewire status >/tmp/status || mail -s wagewire operator </tmp/status
  Find the queue with the most waiting events:
    wagewire status --json | jq '.queues | max_by(.waiting)'`,
		Args: o.checkArguments,
	}
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON object; with --watch one each time")
	addDuration(cmd.Flags(), &o.every, "watch", "", "repeat until Ctrl-C, every 2s or as given")
	cmd.Flags().Lookup("watch").NoOptDefVal = watchDefault.String()
	wait := addWaitOf(cmd, statusWait)
	command.AddEnvironment(cmd,
		slices.Concat(brokerVariables(), health.Variables(), consoleVariables()))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), t, *wait) }
	return untilInterrupted(cmd, func() bool { return o.every > 0 })
}

// statusWait is short: that NATS does not answer is the news.
const statusWait = 3 * time.Second

// run shows the status once, or until ctx ends. A broker that does not answer is a status too.
func (o *statusOptions) run(ctx context.Context, t terminal, wait time.Duration) error {
	config, err := health.ConfigFromEnv(t.getenv)
	if err != nil {
		return err
	}
	o.console, err = readConsole(t.getenv)
	if err != nil {
		return err
	}
	op, _, err := dial(t.getenv, zap.NewNop())
	if err != nil {
		return err
	}
	defer op.Close()
	return op.RunWhileOpen(ctx, func(ctx context.Context) error {
		_ = awaitBroker(ctx, op, wait, func() {}) // the status says why there is no answer
		s := session{t, op, wait}
		if o.every > 0 {
			watchStatus(ctx, s, config, *o)
			return nil
		}
		now, err := showStatus(ctx, s, config, *o)
		if err == nil && now.Verdict.Severity == health.Bad {
			err = command.Exit(exitBad, nil)
		}
		return err
	})
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

// watchStatus shows the status until ctx ends. An error is printed and does not end the watch.
func watchStatus(ctx context.Context, s session, c health.Config, o statusOptions) {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for ctx.Err() == nil {
		if _, err := showStatus(ctx, s, c, o); err != nil && ctx.Err() == nil {
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

func showStatus(
	ctx context.Context, s session, c health.Config, o statusOptions,
) (status, error) {
	now := readStatus(ctx, s, c)
	now.Console = o.console
	if err := ctx.Err(); err != nil {
		return now, err
	}
	var screen bytes.Buffer // written at once, because half a screen flickers
	var err error
	if o.asJSON {
		err = json.NewEncoder(&screen).Encode(now)
	} else {
		if s.isScreen {
			screen.WriteString(clearScreen)
		}
		err = now.print(&screen, time.Now())
	}
	if err != nil {
		return now, err
	}
	_, err = s.stdout.Write(screen.Bytes())
	return now, err
}

// status is the state of the whole line.
type status struct {
	Verdict  health.Verdict   `json:"verdict"`
	Findings []health.Finding `json:"findings"`
	health.State
	Quarantine int              `json:"quarantine"`
	Teams      []health.TeamLag `json:"teams"`
	// Advice is the command to create what State.Missing has.
	Advice string `json:"advice,omitempty"`
	// Console is where the same is as pages, if there is a console.
	Console process.Console `json:"console,omitempty"`
}

func readStatus(ctx context.Context, s session, c health.Config) status {
	state, err := health.Read(ctx, s.Operator, c)
	if err != nil {
		state = health.Unknown(advice.On(err))
	}
	now := status{State: state}
	now.Findings = append([]health.Finding{}, now.State.Findings()...) // [] in JSON, and not null
	now.Verdict = now.Judge(now.Findings)
	for _, u := range now.Unread {
		now.Quarantine += u.Count
	}
	now.Teams = health.TeamLags(now.Durables, now.At)
	if len(now.Missing) > 0 {
		now.Advice = stream.ErrNoQueue.Error()
	}
	return now
}

func (s status) print(w io.Writer, now time.Time) error {
	s.writeVerdict(w)
	if s.Away != "" {
		return nil
	}
	table := newTable(w)
	s.writeStreams(table, now)
	s.writeQueues(table, now)
	s.writeWaiting(table, now)
	writeBudgets(table, s.Budgets)
	s.writeDeadLetters(table)
	writeLags(table, s.Teams, now)
	s.writeProcesses(table)
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

// writeVerdict writes the verdict, a line for each further finding, and the address of the console.
// Reports of processes are in the lines, so nothing in them may control the terminal.
func (s status) writeVerdict(w io.Writer) {
	fmt.Fprintln(w, plain.Text(s.Verdict.Text))
	for _, f := range s.Findings {
		if line := f.String(); line != s.Verdict.Text {
			fmt.Fprintln(w, plain.Text(line))
		}
	}
	if s.Console != "" {
		fmt.Fprintf(w, "pages: %s\n", s.Console)
	}
	fmt.Fprintln(w)
}

func (s status) writeProcesses(table io.Writer) {
	if len(s.Processes) > 0 {
		fmt.Fprintln(table, "\nPROCESSES\tRUNNING\tLOST\tVERSIONS")
	}
	for _, r := range s.Processes {
		var versions []string
		for _, version := range r.Versions {
			release, _, _ := strings.Cut(version, " ") // without that of Go
			versions = append(versions, plain.Word(release))
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", plain.Word(r.Role), r.Running, r.Lost,
			cmp.Or(strings.Join(versions, ","), "-"))
	}
}

func (s status) writeStreams(table io.Writer, now time.Time) {
	fmt.Fprintln(table, "STREAM\tMESSAGES\tOF\tBYTES\tOF\tFULL\tOLDEST")
	for _, l := range health.SumWaiting(s.Streams) {
		most := "-"
		limit := "-"
		full := "-"
		if l.MessagesMax > 0 {
			most = fmt.Sprint(l.MessagesMax)
		}
		if l.BytesMax > 0 {
			limit = plain.Size(l.BytesMax)
		}
		if l.MessagesMax > 0 || l.BytesMax > 0 {
			full = fmt.Sprintf("%.0f%%", 100*health.Fullness(l))
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.Messages, most,
			plain.Size(l.Bytes), limit, full, plain.Ago(l.Oldest, now))
	}
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
			q.Waiting, q.Replays, plain.Ago(q.Oldest, now), q.Requests, paused)
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
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", q.Name, plain.Word(c.Class), c.Count,
				plain.In(c.Next, now), plain.In(c.Last, now))
		}
	}
}

func (s status) writeDeadLetters(table io.Writer) {
	if len(s.DeadLetters) > 0 {
		fmt.Fprintln(table, "\nDEAD LETTERS\tCLASS\tCOUNT")
	}
	for _, d := range s.DeadLetters {
		fmt.Fprintf(table, "%s\t%s\t%d\n", plain.Word(d.Queue), plain.Word(d.Class), d.Count)
	}
}

func (s status) writeRefusals(w io.Writer, now time.Time) {
	for _, q := range s.Queues {
		if q.Refusal == nil {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", q.Name)
		for _, line := range trace.RefusalLines(*q.Refusal, now) {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
}
