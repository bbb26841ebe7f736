package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/schema/stream"
)

// shelf is a stream whose messages stay until an operator has decided: dead letters, or the
// quarantine. A shelf has four commands: list, show, discard, and a command that resends. T is a
// message.
type shelf[T any] struct {
	command string // the name on the command line
	stream  string
	noun    string // a message, in output
	place   string // follows the noun if the noun alone is unclear

	newFilter func() filter[T]
	read      func(stream.Stored) T
	number    func(T) uint64

	columns []any // the heading of the table of list
	cells   func(T) []any
	toJSON  func(T) any
	// toFullJSON is for show, with the body if withBody.
	toFullJSON func(message T, withBody bool) any
	writeTable func(w io.Writer, message T)
	body       func(T) []byte

	// tally says more about messages in a question, such as their queues.
	tally  func([]T) string
	resend resending[T]
}

// filter is the choice of messages by flags.
type filter[T any] interface {
	addFlags(cmd *cobra.Command)
	check() error
	// isEmpty reports whether the flags choose every message.
	isEmpty() bool
	matches(message T) bool
}

// resending is the command that sends messages of a shelf through the line again.
type resending[T any] struct {
	// The forms of the command's verb: redrive, redrove, redriven.
	verb, past, participle string
	short, long, example   string
	question               func([]T) string
	// prepare returns the function that resends one message. The function returns a line for the
	// operator, and whether the message is off the shelf, or will be without dryRun.
	prepare func(
		ctx context.Context, op *stream.Operator, messages []T, dryRun bool,
	) (resendFunc[T], error)
}

type resendFunc[T any] func(ctx context.Context, message T) (line string, isResent bool, err error)

func (s *shelf[T]) commands(t terminal) []*cobra.Command {
	return []*cobra.Command{
		s.newListCommand(t), s.newShowCommand(t), s.newResendCommand(t), s.newDiscardCommand(t),
	}
}

func (s *shelf[T]) newListCommand(t terminal) *cobra.Command {
	chosen := s.newFilter()
	cmd := &cobra.Command{
		Use:   "list",
		Short: fmt.Sprintf("Print a line for each %s", s.noun),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return wrongUsage("unexpected argument %q: wagewire %s show prints one %s",
					args[0], s.command, s.noun)
			}
			return chosen.check()
		},
	}
	chosen.addFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object a line")
	return onNATS(t, cmd, func(ctx context.Context, op *stream.Operator, _ []string) error {
		messages, err := s.find(ctx, op, nil, chosen)
		if err != nil {
			return err
		}
		return s.list(t, messages, *asJSON)
	})
}

func (s *shelf[T]) newShowCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: fmt.Sprintf("Print one %s", s.noun),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return wrongUsage("show takes one number, not %d", len(args))
			}
			_, err := parseNumbers(args)
			return err
		},
	}
	withBody := cmd.Flags().Bool("body", false, "print the webhook too, as received")
	asJSON := cmd.Flags().Bool("json", false, "print a JSON object")
	return onNATS(t, cmd, func(ctx context.Context, op *stream.Operator, args []string) error {
		numbers, _ := parseNumbers(args) // checked by Args
		message, err := s.get(ctx, op, numbers[0])
		if err != nil {
			return err
		}
		return s.show(t, message, *withBody, *asJSON)
	})
}

// change is the command line of a command that takes messages off a shelf.
type change[T any] struct {
	filter[T]
	consent
	numbers []uint64
	all     bool
	rate    int
}

const chooseHelp = `Choose by numbers, by flags, or with --all. The command asks before a change,
and needs --yes if nobody can answer.`

// newChange completes a command that changes chosen messages. Work is not called if no message is
// chosen.
func (s *shelf[T]) newChange(
	t terminal, cmd *cobra.Command,
	work func(ctx context.Context, op *stream.Operator, messages []T, c *change[T]) error,
) *cobra.Command {
	c := &change[T]{filter: s.newFilter()}
	c.filter.addFlags(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, fmt.Sprintf("%s every %s", cmd.Name(), s.noun))
	c.consent.addFlags(cmd)
	addRate(cmd, &c.rate)
	cmd.Args = func(cmd *cobra.Command, args []string) (err error) {
		c.numbers, err = parseNumbers(args)
		if err != nil {
			return err
		}
		if err := c.filter.check(); err != nil {
			return err
		}
		if len(c.numbers) == 0 && !c.all && c.isEmpty() {
			return wrongUsage("say which to %s: numbers, flags that choose, or --all", cmd.Name())
		}
		return c.consent.check(t)
	}
	return onNATS(t, cmd, func(ctx context.Context, op *stream.Operator, _ []string) error {
		messages, err := s.find(ctx, op, c.numbers, c.filter)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			s.printNone(t)
			return nil
		}
		return work(ctx, op, messages, c)
	})
}

func (s *shelf[T]) newDiscardCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discard [NUMBER...]",
		Short: fmt.Sprintf("Delete %ss for good", s.noun),
		Long: fmt.Sprintf("wagewire %s discard deletes %ss for good.\n\n%s",
			s.command, s.noun, chooseHelp),
		Example: fmt.Sprintf(`  List the %ss that a discard would delete, then delete them:
    wagewire %[2]s discard --until 30d --dry-run
    wagewire %[2]s discard --until 30d`, s.noun, s.command),
	}
	return s.newChange(t, cmd,
		func(ctx context.Context, op *stream.Operator, messages []T, c *change[T]) error {
			if !c.dryRun {
				return s.discard(ctx, t, op, messages, c)
			}
			if err := s.list(t, messages, false); err != nil {
				return err
			}
			fmt.Fprintf(t.stderr, "would discard %s\n", plural(len(messages), s.noun))
			return nil
		})
}

func (s *shelf[T]) newResendCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     s.resend.verb + " [NUMBER...]",
		Short:   s.resend.short,
		Long:    s.resend.long + "\n\n" + chooseHelp,
		Example: s.resend.example,
	}
	return s.newChange(t, cmd,
		func(ctx context.Context, op *stream.Operator, messages []T, c *change[T]) error {
			return s.resendAll(ctx, t, op, messages, c)
		})
}

// find returns the messages of the numbers, or if there are none, every message that the filter
// matches.
func (s *shelf[T]) find(
	ctx context.Context, op *stream.Operator, numbers []uint64, chosen filter[T],
) (messages []T, err error) {
	if len(numbers) == 0 {
		err := op.Scan(ctx, s.stream, stream.Selection{HeadersOnly: true},
			func(m stream.Stored) error {
				if message := s.read(m); chosen.matches(message) {
					messages = append(messages, message)
				}
				return nil
			})
		return messages, err
	}
	for _, n := range numbers {
		message, err := s.get(ctx, op, n)
		if err != nil {
			return nil, err
		}
		if !chosen.matches(message) {
			return nil, fmt.Errorf("the flags do not choose %s %d", s.noun, n)
		}
		messages = append(messages, message)
	}
	return messages, nil
}

func (s *shelf[T]) get(
	ctx context.Context, op *stream.Operator, number uint64,
) (message T, err error) {
	m, exists, err := op.Message(ctx, s.stream, number)
	if err != nil {
		return message, err
	}
	if !exists {
		return message, fmt.Errorf("there is no %s %d%s", s.noun, number, s.place)
	}
	return s.read(m), nil
}

func (s *shelf[T]) printNone(t terminal) {
	fmt.Fprintf(t.stderr, "there is no such %s%s\n", s.noun, s.place)
}

func (s *shelf[T]) list(t terminal, messages []T, asJSON bool) error {
	if asJSON {
		for _, message := range messages {
			if err := printLines(t.stdout, s.toJSON(message)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(messages) == 0 {
		s.printNone(t)
		return nil
	}
	table := newTable(t.stdout)
	writeRow(table, s.columns...)
	for _, message := range messages {
		writeRow(table, s.cells(message)...)
	}
	return table.Flush()
}

func (s *shelf[T]) show(t terminal, message T, withBody, asJSON bool) error {
	if asJSON {
		return printLines(t.stdout, s.toFullJSON(message, withBody))
	}
	table := newTable(t.stdout)
	s.writeTable(table, message)
	if err := table.Flush(); err != nil || !withBody {
		return err
	}
	fmt.Fprintln(t.stdout)
	return printBody(t, s.body(message))
}

func (s *shelf[T]) discard(
	ctx context.Context, t terminal, op *stream.Operator, messages []T, c *change[T],
) error {
	amount := plural(len(messages), s.noun)
	question := fmt.Sprintf("discard %s for good%s?", amount, s.tally(messages))
	if err := c.ask(ctx, t, question); err != nil {
		return err
	}
	err := pace(ctx, t, len(messages), c.rate, func(i int) error {
		return op.Discard(ctx, s.stream, s.number(messages[i]))
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stderr, "discarded %s\n", amount)
	return nil
}

// resendAll resends the messages one by one. A message that cannot be resent stays on the shelf.
func (s *shelf[T]) resendAll(
	ctx context.Context, t terminal, op *stream.Operator, messages []T, c *change[T],
) error {
	if err := c.ask(ctx, t, s.resend.question(messages)); err != nil {
		return err
	}
	resend, err := s.resend.prepare(ctx, op, messages, c.dryRun)
	if err != nil {
		return err
	}
	resent := 0
	err = pace(ctx, t, len(messages), c.rate, func(i int) error {
		number := s.number(messages[i])
		line, isResent, err := resend(ctx, messages[i])
		if err != nil {
			return fmt.Errorf("%s %s %d: %w", s.resend.verb, s.noun, number, err)
		}
		if isResent {
			resent++
		}
		fmt.Fprintf(t.stdout, "%d  %s\n", number, line)
		return nil
	})
	if err != nil {
		return err
	}
	done := s.resend.past
	if c.dryRun {
		done = "would " + s.resend.verb
	}
	fmt.Fprintf(t.stderr, "%s %d of %s\n", done, resent, plural(len(messages), s.noun))
	if left := len(messages) - resent; left > 0 {
		return fmt.Errorf("%s could not be %s", plural(left, s.noun), s.resend.participle)
	}
	return nil
}

func parseNumbers(args []string) ([]uint64, error) {
	var numbers []uint64
	for _, arg := range args {
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || n == 0 {
			return nil, wrongUsage("%q is not a number: give one from the list", arg)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// writeFields writes a table of names and values.
func writeFields(w io.Writer, fields [][2]string) {
	for _, field := range fields {
		writeRow(w, field[0], readable(field[1]))
	}
}
