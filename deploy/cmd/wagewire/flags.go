package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
)

// parsedFlag is a pflag.Value with a parser for its text.
type parsedFlag[T any] struct {
	target *T
	text   string
	kind   string
	parse  func(string) (T, error)
}

// Set parses the text of the command line.
func (f *parsedFlag[T]) Set(text string) error {
	value, err := f.parse(text)
	if err != nil {
		return err
	}
	*f.target = value
	f.text = text
	return nil
}

// String is the text as given.
func (f *parsedFlag[T]) String() string { return f.text }

// Type is the word for the value in help texts.
func (f *parsedFlag[T]) Type() string { return f.kind }

// addParsed adds a flag that keeps the target's value unless the flag is given. Help shows initial
// as the default.
func addParsed[T any](
	flags *pflag.FlagSet, target *T, name, kind, initial, usage string,
	parse func(string) (T, error),
) {
	flags.Var(&parsedFlag[T]{target, initial, kind, parse}, name, usage)
}

// addChoice adds a flag that takes a word of the list, or "" for no choice. The shell completes the
// words.
func addChoice[T ~string](cmd *cobra.Command, target *T, name, usage string, words []T) {
	addParsed(cmd.Flags(), target, name, "name", "", usage, func(text string) (T, error) {
		if text != "" && !slices.Contains(words, T(text)) {
			return "", notAmong(text, words)
		}
		return T(text), nil
	})
	completeFrom(cmd, name, toStrings(words))
}

// completeFrom lets the shell complete the words for a flag.
func completeFrom(cmd *cobra.Command, flag string, words []string) {
	complete := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag is unknown
	}
}

func addProvider(cmd *cobra.Command, target *schema.Provider, usage string) {
	addChoice(cmd, target, "provider", usage+" "+command.OneOf(schema.Providers()),
		schema.Providers())
}

func addQueue(cmd *cobra.Command, target *string, usage string) {
	addChoice(cmd, target, "queue", usage, queueNames())
}

// addNumber adds a flag that takes a number from least to most, and has the target's value as
// default.
func addNumber(flags *pflag.FlagSet, target *int, name, usage string, least, most int) {
	addParsed(flags, target, name, "int", fmt.Sprint(*target), usage, parseNumber(least, most))
}

func parseNumber(least, most int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("not a number from %d to %d", least, most)
		}
		return n, nil
	}
}

func addDuration(flags *pflag.FlagSet, target *time.Duration, name, initial, usage string) {
	addParsed(flags, target, name, "duration", initial, usage, plain.ParseAge)
}

// addWait adds --wait and returns the value.
func addWait(cmd *cobra.Command) *time.Duration { return addWaitOf(cmd, waitDefault) }

// addWaitOf adds --wait with a default of its own.
func addWaitOf(cmd *cobra.Command, initial time.Duration) *time.Duration {
	wait := initial
	addDuration(cmd.Flags(), &wait, "wait", wait.String(),
		"how long to wait for NATS if it does not answer")
	return &wait
}

const rateMax = 100_000

func addRate(cmd *cobra.Command, target *int) {
	addNumber(cmd.Flags(), target, "rate", "most per second; 0 is without limit", 0, rateMax)
}

func addSince(cmd *cobra.Command, target *time.Time, initial, usage string) {
	addParsed(cmd.Flags(), target, "since", "time", initial,
		usage+": 1h, 2d, 2026-01-12T02:36:00Z, or all",
		func(text string) (time.Time, error) { return plain.ParseTime(text, time.Now()) })
}

// addSpan adds --since and --until. Help has the verb, such as "received".
func addSpan(cmd *cobra.Command, span *shelf.Span, verb string) {
	addSince(cmd, &span.Since, "all", "only those "+verb+" since")
	addParsed(cmd.Flags(), &span.Until, "until", "time", "now",
		"only those "+verb+" before, likewise", func(text string) (time.Time, error) {
			if text == "now" {
				return time.Time{}, nil
			}
			return plain.ParseTime(text, time.Now())
		})
}

func checkSpan(span shelf.Span) error {
	if !span.Until.IsZero() && span.Until.Before(span.Since) {
		return command.UsageError("--until %s is before --since %s",
			plain.Time(span.Until), plain.Time(span.Since))
	}
	return nil
}

// addClass adds --class with the classes of failures.
func addClass(cmd *cobra.Command, target *schema.Class, classes []schema.Class) {
	addChoice(cmd, target, "class", "only those of a class: "+command.OneOf(classes), classes)
}

const accountHelp = "only those of an account or end user: the provider's `id`, or its token"

func queueNames() []string {
	var names []string
	for _, q := range schema.Queues() {
		names = append(names, q.Name)
	}
	return names
}

// notAmong is the error for an unknown word. The error suggests the nearest known words.
func notAmong[T ~string](word string, known []T) error {
	return fmt.Errorf("not one of %s%s", plain.List(known), command.Suggest(word, known))
}

func toStrings[T ~string](words []T) []string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return texts
}
