package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
)

var errDeclined = errors.New("nothing was done")

// consent asks before a change without a way back. --yes agrees beforehand; --dry-run changes
// nothing.
type consent struct{ dryRun, yes bool }

func (c *consent) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "print what would be done, and do nothing")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask; needed if nobody can answer")
}

// check refuses a command with a question if nobody can answer.
func (c *consent) check(t terminal) error {
	if c.dryRun || c.yes || t.canAnswer {
		return nil
	}
	return command.UsageError("nobody is there to answer a question: give --yes, or --dry-run")
}

// ask returns nil if the operator agrees, and errDeclined if not. A dry run is not asked.
func (c *consent) ask(ctx context.Context, t terminal, question string) error {
	if c.yes || c.dryRun {
		return nil
	}
	fmt.Fprintf(t.stderr, "%s [y/N] ", question)
	lines := make(chan string, 1)
	// Nothing can end a read of a terminal. After Ctrl-C the goroutine ends with the process.
	go func() {
		line, _ := bufio.NewReader(t.stdin).ReadString('\n') // the end of the input counts as no
		lines <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-lines:
		if line == "y" || line == "yes" {
			return nil
		}
		return errDeclined
	}
}

// progressEvery is how many steps of long work lie between two lines of progress.
const progressEvery = 100

// pace calls do n times, at most rate times a second if rate is not 0, and prints progress on
// stderr.
func pace(ctx context.Context, t terminal, n, rate int, do func(i int) error) error {
	var tick <-chan time.Time
	if rate > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(rate))
		defer ticker.Stop()
		tick = ticker.C
	}
	for i := range n {
		if tick != nil && i > 0 {
			select {
			case <-ctx.Done():
			case <-tick:
			}
		}
		err := ctx.Err()
		if err == nil {
			err = do(i)
		}
		if err != nil {
			return fmt.Errorf("after %d of %d: %w", i, n, err)
		}
		printProgress(t.stderr, i+1, n)
	}
	return nil
}

// printProgress prints a line after every progressEvery of n steps.
func printProgress(w io.Writer, done, n int) {
	if done%progressEvery == 0 && done < n {
		fmt.Fprintf(w, "%d of %d\n", done, n)
	}
}
