// Command bench measures the line with its real binaries as processes, in one run on one machine: make bench.
//
// What is measured, each as often as the others and in turn, because a machine is never the same for long:
//
//	a  synchronous publishes to the events stream, of the very message that ingress stores
//	b  requests to an HTTP handler that reads the body and answers 200, in a process with ingress's server settings
//	c  signed webhooks that ingress answers 200; what the stream has gained must be their number
//	d  webhooks of every resource from the first POST to the last completion, with the fake providers' API answering at
//	   once and after 20 ms
//
// a, b and c have the same number of senders, the same client and the same bodies. Somebody who did b and then a for every
// webhook, and nothing else, would do 1/(1/a+1/b) a second: the ratio of c to that is what receiving, verifying, reading and
// logging cost. It is taken in each round, from figures a second apart. Each is also measured with a broker that writes
// through to the disk before it answers (sync_interval: always), which is how it should run.
//
// The figures are those of this machine, which also runs the senders, the broker and the fake providers; the ratios are the
// result.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const usage = `bench measures ingress, the workers and what they stand on, as processes on this machine. See make bench.

Usage:
  bench [flags]

Flags:
  --bin DIR        where the binaries are, nats-server too; the streams are kept beside them while it runs (bin)
  --rounds N       how often each figure is taken, after one round that does not count (9)
  --senders N      requests and publishes in flight (32)
  --slice DURATION how long a figure is taken (500ms)
  --events N       webhooks to complete for a figure (700)
`

// nullCommand is the argument with which bench runs itself as the null handler.
const nullCommand = "null"

type config struct {
	bin            string
	rounds         int
	senders        int
	slice          time.Duration
	events         int
	requestsMax    int
	completionsFor time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 2 && args[0] == nullCommand {
		return serveNull(ctx, args[1])
	}
	// The limits that no flag changes keep a run on a fast machine from filling the streams.
	c := config{requestsMax: 40_000, completionsFor: 30 * time.Second}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.bin, "bin", "bin", "")
	flags.IntVar(&c.rounds, "rounds", 9, "")
	flags.IntVar(&c.senders, "senders", 32, "")
	flags.DurationVar(&c.slice, "slice", 500*time.Millisecond, "")
	flags.IntVar(&c.events, "events", 700, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(stdout, usage)
		return err
	case err != nil:
		return fmt.Errorf("%w; see bench --help", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see bench --help", flags.Arg(0))
	case c.rounds < 1 || c.senders < 1 || c.slice <= 0 || c.events < 1:
		return errors.New("a number below 1; see bench --help")
	}
	return measure(ctx, c, stdout)
}

// measure starts everything, takes the rounds, prints, and leaves nothing behind.
func measure(ctx context.Context, c config, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp(c.bin, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if c.bin, err = filepath.Abs(c.bin); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	machine, err := machineOf(c, dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, machine)

	b, err := up(ctx, c, dir)
	defer func() { err = errors.Join(err, b.down()) }()
	if err != nil {
		return err
	}
	var rounds []round
	for n := range c.rounds + 1 {
		r, err := b.round(ctx)
		if err != nil {
			return fmt.Errorf("round %d: %w", n, err)
		}
		if n > 0 { // the first warms up
			rounds = append(rounds, r)
		}
	}
	memory, err := b.memory()
	if err != nil {
		return err
	}
	report(stdout, rounds, memory)
	return nil
}
