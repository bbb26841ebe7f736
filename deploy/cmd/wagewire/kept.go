package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// kept is a stream whose messages lie there until somebody has looked at them, and what one of them is called.
type kept struct{ stream, one, where string }

var (
	deadLetters = kept{schema.DeadLettersStream, "dead letter", ""}
	quarantined = kept{schema.QuarantineStream, "webhook", " in quarantine"}
)

// keptIn returns the messages of the numbers, each of which must be there, or all, as far as they are taken; and their numbers.
func keptIn[T any](ctx context.Context, conn *stream.Operator, k kept, numbers []uint64, read func(stream.Stored) T, takes func(T) bool) (found []T, at []uint64, err error) {
	if len(numbers) == 0 {
		err := conn.Scan(ctx, k.stream, stream.Selection{HeadersOnly: true}, func(m stream.Stored) error {
			if one := read(m); takes(one) {
				found, at = append(found, one), append(at, m.Sequence)
			}
			return nil
		})
		return found, at, err
	}
	for _, n := range numbers {
		m, there, err := conn.Message(ctx, k.stream, n)
		if err != nil {
			return nil, nil, err
		}
		if !there {
			return nil, nil, fmt.Errorf("there is no %s %d%s", k.one, n, k.where)
		}
		one := read(m)
		if !takes(one) {
			return nil, nil, fmt.Errorf("%s %d is not one that the flags choose", k.one, n)
		}
		found, at = append(found, one), append(at, n)
	}
	return found, at, nil
}

// none says that nothing is chosen.
func (k kept) none(t terminal) { fmt.Fprintf(t.stderr, "there is no such %s%s\n", k.one, k.where) }

// wouldDiscard sums a dry run up, when its list is printed.
func (k kept) wouldDiscard(t terminal, n int, listed error) error {
	if listed == nil {
		fmt.Fprintf(t.stderr, "would discard %s\n", plural(n, k.one))
	}
	return listed
}

// discard deletes those of the numbers for good, when somebody has agreed; which says more of them, in brackets.
func (k kept) discard(ctx context.Context, t terminal, conn *stream.Operator, numbers []uint64, which string, leave consent, rate int) error {
	if err := leave.given(ctx, t, fmt.Sprintf("discard %s for good%s?", plural(len(numbers), k.one), which)); err != nil {
		return err
	}
	err := paced(ctx, t, len(numbers), rate, func(i int) error { return conn.Discard(ctx, k.stream, numbers[i]) })
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stderr, "discarded %s\n", plural(len(numbers), k.one))
	return nil
}

// verbIn takes the verb from a command's arguments.
func verbIn(command string, args []string, verbs ...string) (verb string, rest []string, err error) {
	said := strings.Join(verbs[:len(verbs)-1], ", ") + " or " + verbs[len(verbs)-1]
	switch {
	case len(args) == 0:
		return "", nil, wrongUsage("say %s", said)
	case !slices.Contains(verbs, args[0]):
		return "", nil, wrongUsage("there is no %s %q, only %s%s", command, args[0], said, suggestion(args[0], verbs))
	default:
		return args[0], args[1:], nil
	}
}

// acts tells the verbs that change something from those that show.
func acts(verb string) bool { return verb != "list" && verb != "show" }

// checkChoice holds a verb to what it takes: list no numbers, show one, and those that act something that is chosen.
func checkChoice(command, verb string, numbers []string, chosen bool) error {
	switch {
	case verb == "list" && len(numbers) > 0:
		return wrongUsage("unexpected argument %q: one is shown by wagewire %s show", numbers[0], command)
	case verb == "show" && len(numbers) != 1:
		return wrongUsage("show takes one number, not %d", len(numbers))
	case acts(verb) && !chosen:
		return wrongUsage("say which to %s: numbers, flags that choose, or --all", verb)
	default:
		return nil
	}
}

func checkProvider(name string) error {
	if name != "" && !slices.Contains(schema.Providers(), schema.Provider(name)) {
		return wrongUsage("--provider: %q is none of %s", name, join(schema.Providers()))
	}
	return nil
}
