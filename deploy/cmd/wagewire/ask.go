package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// consent is how a command that cannot be undone gets leave.
type consent struct{ dryRun, yes bool }

// possible refuses, before any work, a command that would have to ask where nobody answers.
func (c consent) possible(t terminal) error {
	if c.dryRun || c.yes || t.asks {
		return nil
	}
	return wrongUsage("nobody is there to be asked: give --yes, or --dry-run to see what it would do")
}

var errDeclined = errors.New("nothing was done")

// given asks, unless --yes was said. Nothing is asked of a dry run.
func (c consent) given(ctx context.Context, t terminal, question string) error {
	if c.yes {
		return nil
	}
	fmt.Fprintf(t.stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	// A read of a terminal cannot be ended: after Ctrl-C it dies with the process.
	go func() {
		line, _ := bufio.NewReader(t.stdin).ReadString('\n') // at the end of the input the answer is no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case said := <-answer:
		if said == "y" || said == "yes" {
			return nil
		}
		return errDeclined
	}
}

// progressEvery is after how many of them long work says how far it is.
const progressEvery = 100

// paced calls do for each of n, at most rate a second where that is not 0, and tells on stderr how it goes on.
func paced(ctx context.Context, t terminal, n, rate int, do func(i int) error) error {
	var next *time.Ticker
	if rate > 0 {
		next = time.NewTicker(time.Second / time.Duration(rate))
		defer next.Stop()
	}
	for i := range n {
		if next != nil && i > 0 {
			select {
			case <-ctx.Done():
			case <-next.C:
			}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("after %d of %d: %w", i, n, err)
		}
		if err := do(i); err != nil {
			return fmt.Errorf("after %d of %d: %w", i, n, err)
		}
		if done := i + 1; done%progressEvery == 0 && done < n {
			fmt.Fprintf(t.stderr, "%d of %d\n", done, n)
		}
	}
	return nil
}

const rateMax = 100_000

func checkRate(rate int) error {
	if rate < 0 || rate > rateMax {
		return wrongUsage("--rate: %d is not from 0 to %d", rate, rateMax)
	}
	return nil
}

// span is a stretch of time. A zero end is open.
type span struct{ since, until time.Time }

func spanOf(since, until string, now time.Time) (s span, err error) {
	if s.since, err = timeOf("--since", since, now); err != nil {
		return s, err
	}
	if until != "now" {
		if s.until, err = timeOf("--until", until, now); err != nil {
			return s, err
		}
	}
	if !s.until.IsZero() && s.until.Before(s.since) {
		return s, wrongUsage("--until: %s is before --since", until)
	}
	return s, nil
}

func (s span) holds(at time.Time) bool {
	return !at.Before(s.since) && (s.until.IsZero() || at.Before(s.until))
}

func (s span) whole() bool { return s.since.IsZero() && s.until.IsZero() }

// isAccount reports whether a name on the command line is that of an account token: the token itself, or the provider's id.
func isAccount(token, name string) bool {
	return token == name || token == schema.Token(name) || token == schema.HashToken(name)
}

func numbersOf(args []string) ([]uint64, error) {
	var numbers []uint64
	for _, arg := range args {
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || n == 0 {
			return nil, wrongUsage("%q is no number: write one as the list shows it", arg)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func queueOf(name string) (schema.Queue, error) {
	var known []string
	for _, q := range schema.Queues() {
		if q.Name == name {
			return q, nil
		}
		known = append(known, q.Name)
	}
	return schema.Queue{}, wrongUsage("there is no queue %q, only %s%s", name, strings.Join(known, ", "), suggestion(name, known))
}

// reads reports whether the queue gets events of the type.
func reads(q schema.Queue, w schema.WebhookType) bool {
	for _, r := range w.Workers {
		if schema.QueueName(w.Provider, r) == q.Name {
			return true
		}
	}
	return false
}

// attend connects, does the work and says of its error what can be done.
func attend(ctx context.Context, t terminal, wait time.Duration, work func(*stream.Operator) error) error {
	conn, err := connect(ctx, t, wait, zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := work(conn); err != nil {
		return fmt.Errorf("%w%s", err, adviceOn(err))
	}
	return nil
}

// moment prints a time, "-" for none.
func moment(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

// plural is "1 dead letter" and "2 dead letters".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// readable is a body for a screen: what could do more to it than be read is quoted.
func readable(body []byte) string {
	var b strings.Builder
	for _, r := range string(body) {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) && r != '\uFFFD' {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// printBody prints a webhook: as it is, but on a screen readable.
func printBody(t terminal, body []byte) error {
	if t.screen {
		body = []byte(readable(body) + "\n")
	}
	_, err := t.stdout.Write(body)
	return err
}
