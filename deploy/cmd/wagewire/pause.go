package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const pauseHelp = `wagewire pause stops the deliveries of a queue, for all of its workers. What they have in hand is finished; what the queue is
sent waits.

Usage:
  wagewire pause QUEUE... [flags]

It lasts until wagewire resume, or as long as --for says. It is a matter of the broker and outlives every restart. A pause that a
worker makes by itself, because the provider refuses its credentials, is another thing: see the worker's log and metrics.

Flags:
  --for DURATION     for so long: 90m, 1h, 2d (until resumed)
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  While the provider has announced maintenance:
    wagewire pause pinwheel_paystubs pinwheel_shifts --for 2h
  Until somebody has looked:
    wagewire pause truv_link

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, 1 failed, 2 wrong usage
`

const resumeHelp = `wagewire resume ends the pause of a queue: its workers get events again.

Usage:
  wagewire resume QUEUE... [flags]

Flags:
  --wait DURATION    how long to wait for a NATS that is not there yet (30s)

Examples:
  One queue:
    wagewire resume truv_link
  Which are paused:
    wagewire status

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 done, 1 failed, 2 wrong usage
`

const (
	// pauseForever is how long a pause lasts that nothing but resume ends: the broker knows none without an end.
	pauseForever = 100 * 365 * day
	// pauseForLong is from when on a pause is shown without its end.
	pauseForLong = 50 * 365 * day
)

func pauseFlags(flags *flag.FlagSet) action {
	lasts := pauseForever
	flags.Func("for", "", func(s string) (err error) {
		if lasts, err = parseAge(s); err == nil && lasts == 0 {
			err = fmt.Errorf("%q is no time at all", s)
		}
		return err
	})
	wait := flags.Duration("wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) error {
		queues, err := queuesOf(args)
		if err != nil {
			return err
		}
		return attend(ctx, t, *wait, func(conn *stream.Operator) error {
			now := time.Now()
			until := now.Add(lasts)
			for _, q := range queues {
				if err := conn.Pause(ctx, q, until); err != nil {
					return err
				}
				fmt.Fprintf(t.stdout, "%s: paused %s\n", q.Name, pausedUntil(until, now))
			}
			return nil
		})
	}
}

func resumeFlags(flags *flag.FlagSet) action {
	wait := flags.Duration("wait", waitDefault, "")
	return func(ctx context.Context, t terminal, args []string) error {
		queues, err := queuesOf(args)
		if err != nil {
			return err
		}
		return attend(ctx, t, *wait, func(conn *stream.Operator) error {
			for _, q := range queues {
				paused, err := conn.Resume(ctx, q)
				if err != nil {
					return err
				}
				if paused {
					fmt.Fprintf(t.stdout, "%s: resumed\n", q.Name)
				} else {
					fmt.Fprintf(t.stdout, "%s: was not paused\n", q.Name)
				}
			}
			return nil
		})
	}
}

func queuesOf(args []string) ([]schema.Queue, error) {
	if len(args) == 0 {
		return nil, wrongUsage("it needs a queue, such as pinwheel_paystubs: wagewire status lists them")
	}
	var queues []schema.Queue
	for _, arg := range args {
		q, err := queueOf(arg)
		if err != nil {
			return nil, err
		}
		queues = append(queues, q)
	}
	return queues, nil
}

func pausedUntil(until, now time.Time) string {
	if until.Sub(now) > pauseForLong {
		return "until resumed"
	}
	return "until " + moment(until)
}
