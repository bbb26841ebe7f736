package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wagewire/wagewire/deploy/forward"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/client"
)

const (
	// unreachableEvery is the pause between two attempts to reach a program.
	unreachableEvery = time.Second
	// The kit gives a completion back for againMin after the first delivery, and each time for
	// twice as long, up to againMax.
	againMin = time.Second
	againMax = 10 * time.Minute
)

// listener forwards or prints each completion that a team's durable delivers.
type listener struct {
	// target is the program, nil to print.
	target *forward.Target
	form   forward.Form
	asJSON bool
	// staysAside: the completions were set aside before, and stay aside if they are not taken.
	staysAside bool
	// stop ends the wait for a program that is not there.
	stop <-chan struct{}

	mu     sync.Mutex // one line at a time
	stdout io.Writer

	taken     atomic.Int64
	givenBack atomic.Int64
	setAside  atomic.Int64
}

// Store forwards or prints the completion.
func (l *listener) Store(ctx context.Context, c *client.Completion) error {
	return l.handle(ctx, c)
}

// Remove forwards or prints the deletion of an account.
func (l *listener) Remove(ctx context.Context, c *client.Completion) error {
	return l.handle(ctx, c)
}

func (l *listener) handle(ctx context.Context, c *client.Completion) error {
	work := l.print
	if l.target != nil {
		work = l.forward
	}
	err := work(ctx, c)
	if err != nil {
		l.givenBack.Add(1)
		return err
	}
	l.taken.Add(1)
	return nil
}

// print prints the completion, whole or on a line.
func (l *listener) print(ctx context.Context, c *client.Completion) error {
	if !l.asJSON {
		return l.say("%s records=%d", nameOf(c), c.CountRecords())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.form.Write(ctx, l.stdout, c)
	_, lineErr := fmt.Fprintln(l.stdout)
	return errors.Join(err, lineErr)
}

// forward sends the completion until the program answers. A program that is not there gets the
// completion when it is there.
func (l *listener) forward(ctx context.Context, c *client.Completion) error {
	for isFirst := true; ; isFirst = false {
		answer, err := l.target.Send(ctx, c)
		refusal, isRefusal := errors.AsType[*forward.RefusedError](err)
		if !isRefusal || !refusal.IsUnreachable {
			return errors.Join(err, l.say("%s → %s", nameOf(c), formatAnswer(c, answer, err)))
		}
		if isFirst {
			if err := l.say("%s → %s It is tried every second", nameOf(c), refusal); err != nil {
				return err
			}
		}
		again := time.NewTimer(unreachableEvery)
		select {
		case <-again.C:
		case <-l.stop:
			again.Stop()
			return err
		}
	}
}

// formatAnswer says what became of a completion: "204 3ms", or why the completion comes again.
func formatAnswer(c *client.Completion, answer forward.Answer, err error) string {
	took := answer.Took.Round(100 * time.Microsecond)
	refusal, isRefusal := errors.AsType[*forward.RefusedError](err)
	switch {
	case err == nil:
		return fmt.Sprintf("%d %s", answer.Status, took)
	case isRefusal && refusal.Status > 0:
		return fmt.Sprintf("%d %s, %s: %s", refusal.Status, took, formatAgain(c), refusal.Reason)
	case isRefusal:
		return fmt.Sprintf("no answer, %s: %s", formatAgain(c), refusal.Reason)
	default:
		return fmt.Sprintf("not sent: %v", err)
	}
}

// formatAgain says when a completion that is not taken comes again.
func formatAgain(c *client.Completion) string {
	if c.Deliveries == 0 { // it was set aside before
		return "stays aside"
	}
	return fmt.Sprintf("again in %s", pauseAfter(c.Deliveries))
}

// pauseAfter is how long the kit waits after a delivery. Deliveries are numbered from 1.
func pauseAfter(delivery uint64) time.Duration {
	pause := againMin
	for ; delivery > 1 && pause < againMax; delivery-- {
		pause *= 2
	}
	return min(pause, againMax)
}

// nameOf is the time, the type and the id of a completion.
func nameOf(c *client.Completion) string {
	return fmt.Sprintf("%s %s %s", plain.Time(c.Time), plain.Word(c.Type), plain.Word(c.ID))
}

func (l *listener) say(format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := fmt.Fprintf(l.stdout, format+"\n", args...)
	return err
}

// countAside returns the function that sets poison aside in the directory, nil without one.
func (l *listener) countAside(dir string) func(context.Context, client.Poisoned) error {
	if dir == "" {
		return nil
	}
	setAside := client.AsideDir(dir)
	return func(ctx context.Context, p client.Poisoned) error {
		if err := setAside(ctx, p); err != nil {
			return err
		}
		l.setAside.Add(1)
		return nil
	}
}

// summary counts what became of the deliveries.
func (l *listener) summary() string {
	word := "printed"
	if l.target != nil {
		word = "stored by the program"
	}
	fate := ""
	switch {
	case l.givenBack.Load() == 0:
	case l.staysAside:
		fate = " (their completions stay aside)"
	default:
		fate = " (their completions come again)"
	}
	return fmt.Sprintf("%d %s, %s refused or unanswered%s, %d set aside",
		l.taken.Load(), word, plain.Count(int(l.givenBack.Load()), "attempt"), fate,
		l.setAside.Load())
}

// kitLog prints the lines of the kit. A line about one completion is printed only if it is an
// error, because the listener has told of the rest.
type kitLog struct {
	slog.Handler

	least slog.Level
}

func newKitLog(w io.Writer) *slog.Logger {
	unneeded := []string{slog.TimeKey, slog.LevelKey}
	lines := slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && slices.Contains(unneeded, a.Key) {
				return slog.Attr{}
			}
			return a
		},
	})
	return slog.New(kitLog{Handler: lines, least: slog.LevelInfo})
}

// Enabled reports whether lines of the level are printed.
func (k kitLog) Enabled(_ context.Context, level slog.Level) bool { return level >= k.least }

// WithAttrs returns the handler for lines about one completion.
func (k kitLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return kitLog{Handler: k.Handler.WithAttrs(attrs), least: slog.LevelError}
}
