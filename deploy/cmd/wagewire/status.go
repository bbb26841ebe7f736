package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const statusHelp = `wagewire status shows streams, queues, dead letters and quarantine on one screen.

Usage:
  wagewire status [flags]

Of a stream: messages, how full it is, how old its oldest message is.
Of a queue:
  WAITING      events that no worker has got yet
  IN FLIGHT    events in a worker's hands, or waiting for another try
  AGAIN        those of them that were delivered before
  OLDEST       how long the oldest of both is stored
  FREE HANDS   events that its workers would take this moment; 0 and events that wait: no worker is there, or all are busy
  PAUSED       until when wagewire pause holds it; a worker's own pause, for refused credentials, is in its log and metrics
Of dead letters: how many there are by queue and class.

What is not there, though it should be, is said, with the command that makes it.

Flags:
  --json             print one JSON object; with --watch one each time
  --watch [DURATION] do it again and again, until Ctrl-C (every 2s)
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  Is all well?
    wagewire status
  Watch an outage end:
    wagewire status --watch 5s
  The queue that waits most:
    wagewire status --json | jq '.queues | max_by(.waiting)'

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, or stopped by Ctrl-C; 1 failed, 2 wrong usage
`

const watchDefault = 2 * time.Second

// interval is a flag that may stand alone.
type interval time.Duration

func (i *interval) IsBoolFlag() bool { return true }

func (i *interval) String() string { return time.Duration(*i).String() }

func (i *interval) Set(text string) error {
	if text == "true" {
		*i = interval(watchDefault)
		return nil
	}
	d, err := parseAge(text)
	if err == nil && d == 0 {
		err = fmt.Errorf("%q is no interval", text)
	}
	*i = interval(d)
	return err
}

func statusFlags(flags *flag.FlagSet) action {
	var every interval
	flags.Var(&every, "watch", "")
	whole := flags.Bool("json", false, "")
	wait := flags.Duration("wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) error {
		if len(args) > 0 && every != 0 { // --watch 5s, which package flag takes for two things
			if err := every.Set(args[0]); err != nil {
				return wrongUsage("--watch: %v", err)
			}
			args = args[1:]
		}
		if len(args) > 0 {
			return wrongUsage("unexpected argument %q", args[0])
		}
		err := attend(ctx, t, *wait, func(conn *stream.Operator) error {
			if every == 0 {
				return showStatus(ctx, t, conn, *whole)
			}
			return watch(ctx, t, conn, time.Duration(every), *whole)
		})
		if every != 0 && ctx.Err() != nil {
			return nil //nolint:nilerr // Ctrl-C is how it ends
		}
		return err
	}
}

// watch shows the status again and again. A broker that is away for a while is told and waited for.
func watch(ctx context.Context, t terminal, conn *stream.Operator, every time.Duration, whole bool) error {
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		if err := showStatus(ctx, t, conn, whole); err != nil && ctx.Err() == nil {
			fmt.Fprintf(t.stderr, "%v\n", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// wipe puts the cursor at the top left, and wipes what is below and behind it.
const wipe = "\x1b[H\x1b[2J"

func showStatus(ctx context.Context, t terminal, conn *stream.Operator, whole bool) error {
	s, err := statusOf(ctx, conn)
	if err != nil {
		return err
	}
	var screen bytes.Buffer
	switch {
	case whole:
		if err := json.NewEncoder(&screen).Encode(s); err != nil {
			return err
		}
	default:
		if t.screen {
			fmt.Fprint(&screen, wipe)
		}
		if err := s.print(&screen, time.Now()); err != nil {
			return err
		}
	}
	_, err = t.stdout.Write(screen.Bytes()) // at once: half a screen flickers
	return err
}

// status is all that one look tells.
type status struct {
	At          time.Time            `json:"at"`
	Streams     []stream.Level       `json:"streams"`
	Queues      []stream.QueueStatus `json:"queues"`
	DeadLetters []deadCount          `json:"dead_letters"`
	Quarantine  int                  `json:"quarantine"`
	// Missing are streams and queues that should be there; Advice says what makes them.
	Missing []string `json:"missing"`
	Advice  string   `json:"advice,omitempty"`
}

type deadCount struct {
	Queue string       `json:"queue"`
	Class schema.Class `json:"class"`
	Count int          `json:"count"`
}

func statusOf(ctx context.Context, conn *stream.Operator) (status, error) {
	s := status{At: time.Now().UTC(), DeadLetters: []deadCount{}, Missing: []string{}}
	var err error
	if s.Streams, s.Queues, err = conn.Status(ctx); err != nil {
		return s, err
	}
	s.Streams, s.Queues = append([]stream.Level{}, s.Streams...), append([]stream.QueueStatus{}, s.Queues...) // JSON's [] and not null
	s.missing()
	for _, found := range s.Streams {
		if found.Name == schema.QuarantineStream {
			s.Quarantine = int(found.Messages)
		}
	}
	err = conn.Scan(ctx, schema.DeadLettersStream, stream.Selection{HeadersOnly: true}, func(m stream.Stored) error {
		l := stream.ReadLetter(m)
		i := slices.IndexFunc(s.DeadLetters, func(c deadCount) bool { return c.Queue == l.Queue && c.Class == l.Class })
		if i < 0 {
			i = len(s.DeadLetters)
			s.DeadLetters = append(s.DeadLetters, deadCount{Queue: l.Queue, Class: l.Class})
		}
		s.DeadLetters[i].Count++
		return nil
	})
	if errors.Is(err, stream.ErrNoQueue) {
		err = nil // it is among the missing
	}
	slices.SortFunc(s.DeadLetters, func(a, b deadCount) int {
		return strings.Compare(a.Queue+" "+string(a.Class), b.Queue+" "+string(b.Class))
	})
	return s, err
}

func (s *status) missing() {
	topology := schema.DefaultTopology()
	for _, want := range streamsOf(&topology) {
		if !slices.ContainsFunc(s.Streams, func(f stream.Level) bool { return strings.TrimPrefix(f.Name, "OBJ_") == want.Name }) {
			s.Missing = append(s.Missing, want.Name)
		}
	}
	for _, want := range topology.Queues {
		if !slices.ContainsFunc(s.Queues, func(f stream.QueueStatus) bool { return f.Name == want.Name }) {
			s.Missing = append(s.Missing, want.Name)
		}
	}
	if len(s.Missing) > 0 {
		s.Advice = stream.ErrNoQueue.Error()
	}
}

func (s status) print(w io.Writer, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STREAM\tMESSAGES\tBYTES\tOF\tFULL\tOLDEST")
	for _, x := range s.Streams {
		most, full := "-", "-"
		if x.BytesMax > 0 {
			most, full = size(x.BytesMax), fmt.Sprintf("%.0f%%", 100*float64(x.Bytes)/float64(x.BytesMax))
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n", x.Name, x.Messages, rough(x.Bytes), most, full, ago(x.Oldest, now))
	}
	fmt.Fprintln(table, "\nQUEUE\tWAITING\tIN FLIGHT\tAGAIN\tOLDEST\tFREE HANDS\tPAUSED")
	for _, q := range s.Queues {
		paused := "-"
		if !q.PausedUntil.IsZero() {
			paused = pausedUntil(q.PausedUntil, now)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%d\t%s\n", q.Name, q.Waiting, q.InFlight, q.Redelivered, ago(q.Oldest, now), q.FreeHands, paused)
	}
	if len(s.DeadLetters) > 0 {
		fmt.Fprintln(table, "\nDEAD LETTERS\tCLASS\tCOUNT")
	}
	for _, d := range s.DeadLetters {
		fmt.Fprintf(table, "%s\t%s\t%d\n", plain(d.Queue), plain(string(d.Class)), d.Count)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(s.DeadLetters) == 0 {
		fmt.Fprintln(w, "\nno dead letters")
	}
	fmt.Fprintf(w, "\nin quarantine: %d\n", s.Quarantine)
	if len(s.Missing) > 0 {
		fmt.Fprintf(w, "\nnot there: %s: %s\n", strings.Join(s.Missing, ", "), s.Advice)
	}
	return nil
}

// ago is how long ago a time was, in its two largest units.
func ago(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	d := max(now.Sub(at), 0)
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

// rough is a number of bytes for people.
func rough(n uint64) string {
	value, unit := float64(n), "B"
	for _, larger := range sizeUnits {
		if value < 1024 {
			break
		}
		value, unit = value/1024, larger
	}
	if unit == "B" {
		return fmt.Sprintf("%dB", n)
	}
	return fmt.Sprintf("%.1f%s", value, unit)
}
