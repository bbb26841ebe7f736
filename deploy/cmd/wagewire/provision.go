package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const provisionHelp = `wagewire provision compares the streams, the object store and the queues on NATS with what they must be.

Usage:
  wagewire provision plan  [flags]   print the difference, change nothing
  wagewire provision apply [flags]   print the difference, then make it so

A line with + is created, ~ is changed, ! is refused: the change would lose what is stored. Where one is refused, apply makes
none and exits 1. Both may be run again at any time. Nothing else creates or changes a stream or a queue.

What no flag says is the default, not what is there: give the same flags each time.

Flags:
  --replicas N               copies of every stream in a cluster, 1 to 5 (1)
  --max-bytes STREAM=SIZE    most a stream may hold, which NATS sets aside for it: 4GiB, 512MiB, or bytes; repeatable
  --max-age STREAM=DURATION  how long a stream keeps a message: 14d, 336h; 0 for ever; repeatable
  --wait DURATION            how long to wait for a NATS that is not there yet (30s)
  --exit-code                plan exits 3, not 0, when something differs

Streams, with their defaults:
STREAMS
Completions must be kept 3 days longer than events, so that a late redelivery finds its event completed; records as long as
the completions that point to them. A new age of completions counts for new ones, once the workers have been restarted.

Examples:
  See what a new broker would get, then make it:
    wagewire provision plan
    wagewire provision apply
  A cluster of three, with more room:
    wagewire provision apply --replicas 3 --max-bytes WAGEWIRE_EVENTS=20GiB --max-bytes WAGEWIRE_COMPLETIONS=40GiB
  Fail in CI when the broker is not what it should be:
    wagewire provision plan --exit-code

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 plan --exit-code and something differs
`

const (
	replicasMax = 5 // the most that JetStream keeps
	// ladderFor is how long a worker may try an event: a redelivery after it finds the completion.
	ladderFor = 3 * day
)

// provisionUsage is provisionHelp with the streams in it.
func provisionUsage() string {
	var b strings.Builder
	topology := schema.DefaultTopology()
	for _, s := range streamsOf(&topology) {
		fmt.Fprintf(&b, "  %-21s  %3s  %7s  %s\n", s.Name, age(s.MaxAge), size(s.MaxBytes), s.Why)
	}
	return strings.Replace(provisionHelp, "STREAMS\n", b.String(), 1)
}

func provisionFlags(flags *flag.FlagSet) action {
	topology := schema.DefaultTopology()
	flags.IntVar(&topology.Replicas, "replicas", topology.Replicas, "")
	flags.Func("max-bytes", "", func(s string) error {
		return setStream(&topology, s, func(limits *schema.Stream, value string) (err error) {
			limits.MaxBytes, err = parseSize(value)
			return err
		})
	})
	flags.Func("max-age", "", func(s string) error {
		return setStream(&topology, s, func(limits *schema.Stream, value string) (err error) {
			limits.MaxAge, err = parseAge(value)
			return err
		})
	})
	wait := flags.Duration("wait", waitDefault, "")
	exitCode := flags.Bool("exit-code", false, "")
	return func(ctx context.Context, t terminal, args []string) error {
		verb, err := verbOf(args)
		if err != nil {
			return err
		}
		if err := checkTopology(topology); err != nil {
			return err
		}
		conn, err := connect(ctx, t, *wait, zap.NewNop())
		if err != nil {
			return err
		}
		defer conn.Close()
		planning, cancel := context.WithTimeout(ctx, max(*wait, lookFor))
		defer cancel()
		changes, err := conn.Plan(planning, topology)
		if err != nil {
			return fmt.Errorf("%w%s", err, adviceOn(err))
		}
		printPlan(t.stdout, changes)
		switch {
		case verb == "apply":
			return apply(ctx, t, conn, changes)
		case *exitCode && len(changes) > 0:
			return errDiffers
		default:
			return nil
		}
	}
}

func verbOf(args []string) (string, error) {
	verbs := []string{"plan", "apply"}
	switch {
	case len(args) == 0:
		return "", wrongUsage("say plan or apply")
	case args[0] != "plan" && args[0] != "apply":
		return "", wrongUsage("there is no provision %q, only plan and apply%s", args[0], suggestion(args[0], verbs))
	case len(args) > 1:
		return "", wrongUsage("unexpected argument %q", args[1])
	default:
		return args[0], nil
	}
}

// setStream reads STREAM=VALUE and sets it in the topology.
func setStream(t *schema.Topology, text string, set func(*schema.Stream, string) error) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("write STREAM=VALUE, such as %s=…", schema.EventsStream)
	}
	var known []string
	for _, s := range streamsOf(t) {
		if s.Name == name {
			return set(s, value)
		}
		known = append(known, s.Name)
	}
	return fmt.Errorf("there is no stream %q, only %s", name, strings.Join(known, ", "))
}

// streamsOf returns all that has a size and an age: the streams and the object store.
func streamsOf(t *schema.Topology) []*schema.Stream {
	var all []*schema.Stream
	for i := range t.Streams {
		all = append(all, &t.Streams[i])
	}
	return append(all, &t.Records)
}

// checkTopology refuses what the broker would take and the workers could not live with, or would refuse in other words.
func checkTopology(t schema.Topology) error {
	if t.Replicas < 1 || t.Replicas > replicasMax {
		return wrongUsage("--replicas: %d is not from 1 to %d", t.Replicas, replicasMax)
	}
	ages := map[string]time.Duration{}
	for _, s := range streamsOf(&t) {
		ages[s.Name] = s.MaxAge
		if s.MaxAge > 0 && s.MaxAge < s.Duplicates {
			return wrongUsage("--max-age: %s must keep messages for %s at least, in which it knows duplicates", s.Name, age(s.Duplicates))
		}
	}
	for _, pair := range []struct {
		long, short string
		by          time.Duration
		why         string
	}{
		{schema.CompletionsStream, schema.EventsStream, ladderFor, "or a late redelivery is completed a second time"},
		{schema.RecordsBucket, schema.CompletionsStream, 0, "or a completion points to records that are gone"},
	} {
		long, short := ages[pair.long], ages[pair.short]
		if long == 0 || short > 0 && long >= short+pair.by {
			continue
		}
		least := "0, for ever" // as the short one is
		if short > 0 {
			least = age(short+pair.by) + " at least"
		}
		return wrongUsage("--max-age: with %s at %s, %s must be kept %s, %s", pair.short, age(short), pair.long, least, pair.why)
	}
	return nil
}

func printPlan(w io.Writer, changes []stream.Change) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "nothing to change")
		return
	}
	for _, c := range changes {
		fmt.Fprintln(w, c)
	}
	create, change, refused := count(changes)
	fmt.Fprintf(w, "%d to create, %d to change, %d refused\n", create, change, refused)
}

func count(changes []stream.Change) (create, change, refused int) {
	for _, c := range changes {
		switch {
		case c.Refused != "":
			refused++
		case c.Create:
			create++
		default:
			change++
		}
	}
	return create, change, refused
}

func apply(ctx context.Context, t terminal, conn *stream.Operator, changes []stream.Change) error {
	create, change, refused := count(changes)
	if refused > 0 {
		for _, c := range changes {
			if c.Refused != "" {
				fmt.Fprintln(t.stderr, insteadOf(c))
			}
		}
		return fmt.Errorf("refused %d of %d changes, nothing was applied", refused, len(changes))
	}
	if err := conn.Apply(ctx, changes); err != nil {
		return fmt.Errorf("%w%s; what stands above it in the list is applied, and may be applied again", err, adviceOn(err))
	}
	if len(changes) > 0 {
		fmt.Fprintf(t.stdout, "applied: %d created, %d changed\n", create, change)
	}
	return nil
}

// insteadOf says what an operator can do where a change is refused.
func insteadOf(c stream.Change) string {
	name := c.What[strings.LastIndex(c.What, " ")+1:]
	var keep []string
	for _, f := range c.Fields {
		switch f.Name {
		case "max_bytes":
			if f.Have == "-1" {
				keep = append(keep, fmt.Sprintf("--max-bytes %s=SIZE with more than it holds", name))
			} else {
				keep = append(keep, fmt.Sprintf("--max-bytes %s=%s", name, f.Have))
			}
		case "max_age":
			keep = append(keep, fmt.Sprintf("--max-age %s=%s", name, f.Have))
		}
	}
	if len(keep) > 0 {
		return fmt.Sprintf("%s: to keep what is stored, run it with %s", c.What, strings.Join(keep, " and "))
	}
	return fmt.Sprintf("%s: save what is stored, change or delete it with the nats command, then apply again", c.What)
}
