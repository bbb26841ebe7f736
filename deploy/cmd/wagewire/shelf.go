package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema/stream"
)

// shelf is a stream with messages for an operator to decide about: dead letters, or the
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
	body      func(T) []byte

	heading  string // of the table of list, with tabs between cells
	row      func(T) string
	printAll func(w io.Writer, message T) // the fields for show, with tabs
	// explain adds to a message what show tells besides, nil if nothing.
	explain   func(ctx context.Context, op *stream.Operator, message *T) error
	toJSON    func(T) any
	toAllJSON func(message T, withBody bool) any

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
	question               string // with %s for the messages
	// prepare returns the function that resends a message. The function returns a line for the
	// operator, and whether the message is off the shelf, or will be without dryRun.
	prepare func(context.Context, *change[T]) (resendFunc[T], error)
}

type resendFunc[T any] func(ctx context.Context, message T) (line string, isResent bool, err error)

func (sh *shelf[T]) commands(t terminal) []*cobra.Command {
	return []*cobra.Command{
		sh.newListCommand(t), sh.newShowCommand(t), sh.newResendCommand(t), sh.newDiscardCommand(t),
	}
}

func (sh *shelf[T]) newListCommand(t terminal) *cobra.Command {
	chosen := sh.newFilter()
	cmd := &cobra.Command{
		Use:   "list",
		Short: fmt.Sprintf("Print a line for each %s", sh.noun),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return command.UsageError("unexpected argument %q: wagewire %s show prints one %s",
					args[0], sh.command, sh.noun)
			}
			return chosen.check()
		},
	}
	chosen.addFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object a line")
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		messages, err := sh.find(ctx, s, nil, chosen)
		if err != nil {
			return err
		}
		return sh.list(t, messages, *asJSON)
	})
}

func (sh *shelf[T]) newShowCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: fmt.Sprintf("Print one %s", sh.noun),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return command.UsageError("show takes one number, not %d", len(args))
			}
			_, err := parseNumbers(args)
			return err
		},
	}
	withBody := cmd.Flags().Bool("body", false, "print the webhook too, as received")
	asJSON := cmd.Flags().Bool("json", false, "print a JSON object")
	return onNATS(t, cmd, func(ctx context.Context, s session, args []string) error {
		numbers, _ := parseNumbers(args) // checked by Args
		message, err := sh.get(ctx, s, numbers[0])
		if err != nil {
			return err
		}
		if sh.explain != nil {
			if err := sh.explain(ctx, s.Operator, &message); err != nil {
				return err
			}
		}
		return sh.show(t, message, *withBody, *asJSON)
	})
}

// change is the command line of a command that takes messages off a shelf.
type change[T any] struct {
	filter[T]
	consent
	numbers []uint64
	all     bool
	rate    int

	session
	messages []T // the chosen messages
}

const chooseHelp = `Choose by numbers, by flags, or with --all. The command asks before a change,
and needs --yes if nobody can answer.`

// newChange completes a command that changes chosen messages. Work is not called if no message is
// chosen.
func (sh *shelf[T]) newChange(
	t terminal, cmd *cobra.Command, work func(context.Context, *change[T]) error,
) *cobra.Command {
	c := &change[T]{filter: sh.newFilter()}
	c.filter.addFlags(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, fmt.Sprintf("%s every %s", cmd.Name(), sh.noun))
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
			return command.UsageError("say which to %s: numbers, flags that choose, or --all",
				cmd.Name())
		}
		return c.consent.check(t)
	}
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) (err error) {
		c.session = s
		c.messages, err = sh.find(ctx, s, c.numbers, c.filter)
		if err != nil {
			return err
		}
		if len(c.messages) == 0 {
			sh.printNone(t)
			return nil
		}
		return work(ctx, c)
	})
}

func (sh *shelf[T]) newDiscardCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discard [NUMBER...]",
		Short: fmt.Sprintf("Delete %ss for good", sh.noun),
		Long: fmt.Sprintf("wagewire %s discard deletes %ss for good.\n\n%s",
			sh.command, sh.noun, chooseHelp),
		Example: fmt.Sprintf(`  List the %ss that a discard would delete, then delete them:
    wagewire %[2]s discard --until 30d --dry-run
    wagewire %[2]s discard --until 30d`, sh.noun, sh.command),
	}
	return sh.newChange(t, cmd, sh.discard)
}

func (sh *shelf[T]) newResendCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     sh.resend.verb + " [NUMBER...]",
		Short:   sh.resend.short,
		Long:    sh.resend.long + "\n\n" + chooseHelp,
		Example: sh.resend.example,
	}
	return sh.newChange(t, cmd, sh.resendAll)
}

// find returns the messages of the numbers, or if there are none, every message that the filter
// matches.
func (sh *shelf[T]) find(
	ctx context.Context, s session, numbers []uint64, chosen filter[T],
) (messages []T, err error) {
	if len(numbers) == 0 {
		headers := stream.Selection{HeadersOnly: true}
		err := s.Scan(ctx, sh.stream, headers, func(m stream.Stored) error {
			if message := sh.read(m); chosen.matches(message) {
				messages = append(messages, message)
			}
			return nil
		})
		return messages, err
	}
	for _, n := range numbers {
		message, err := sh.get(ctx, s, n)
		if err != nil {
			return nil, err
		}
		if !chosen.matches(message) {
			return nil, fmt.Errorf("the flags do not choose %s %d", sh.noun, n)
		}
		messages = append(messages, message)
	}
	return messages, nil
}

func (sh *shelf[T]) get(ctx context.Context, s session, number uint64) (message T, err error) {
	m, exists, err := s.Message(ctx, sh.stream, number)
	if err != nil {
		return message, err
	}
	if !exists {
		return message, fmt.Errorf("there is no %s %d%s", sh.noun, number, sh.place)
	}
	return sh.read(m), nil
}

func (sh *shelf[T]) printNone(t terminal) {
	fmt.Fprintf(t.stderr, "there is no such %s%s\n", sh.noun, sh.place)
}

func (sh *shelf[T]) list(t terminal, messages []T, asJSON bool) error {
	if asJSON {
		lines := json.NewEncoder(t.stdout)
		for _, message := range messages {
			if err := lines.Encode(sh.toJSON(message)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(messages) == 0 {
		sh.printNone(t)
		return nil
	}
	table := newTable(t.stdout)
	fmt.Fprintln(table, sh.heading)
	for _, message := range messages {
		fmt.Fprintln(table, sh.row(message))
	}
	return table.Flush()
}

func (sh *shelf[T]) show(t terminal, message T, withBody, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(t.stdout).Encode(sh.toAllJSON(message, withBody))
	}
	table := newTable(t.stdout)
	sh.printAll(table, message)
	if err := table.Flush(); err != nil || !withBody {
		return err
	}
	fmt.Fprintln(t.stdout)
	return printBody(t, sh.body(message))
}

func (sh *shelf[T]) discard(ctx context.Context, c *change[T]) error {
	amount := plural(len(c.messages), sh.noun)
	if c.dryRun {
		if err := sh.list(c.terminal, c.messages, false); err != nil {
			return err
		}
		fmt.Fprintf(c.stderr, "would discard %s\n", amount)
		return nil
	}
	question := fmt.Sprintf("discard %s for good%s?", amount, sh.tally(c.messages))
	if err := c.ask(ctx, c.terminal, question); err != nil {
		return err
	}
	err := pace(ctx, c.terminal, len(c.messages), c.rate, func(i int) error {
		return c.Discard(ctx, sh.stream, sh.number(c.messages[i]))
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "discarded %s\n", amount)
	return nil
}

// resendAll resends the messages in turn. A message with an obstacle stays on the shelf.
func (sh *shelf[T]) resendAll(ctx context.Context, c *change[T]) error {
	amount := plural(len(c.messages), sh.noun)
	question := fmt.Sprintf(sh.resend.question, amount) + sh.tally(c.messages) + "?"
	if err := c.ask(ctx, c.terminal, question); err != nil {
		return err
	}
	resend, err := sh.resend.prepare(ctx, c)
	if err != nil {
		return err
	}
	resent := 0
	err = pace(ctx, c.terminal, len(c.messages), c.rate, func(i int) error {
		number := sh.number(c.messages[i])
		line, isResent, err := resend(ctx, c.messages[i])
		if err != nil {
			return fmt.Errorf("%s %s %d: %w", sh.resend.verb, sh.noun, number, err)
		}
		if isResent {
			resent++
		}
		fmt.Fprintf(c.stdout, "%d  %s\n", number, line)
		return nil
	})
	if err != nil {
		return err
	}
	done := sh.resend.past
	if c.dryRun {
		done = "would " + sh.resend.verb
	}
	fmt.Fprintf(c.stderr, "%s %d of %s\n", done, resent, amount)
	if left := len(c.messages) - resent; left > 0 {
		return fmt.Errorf("%s could not be %s", plural(left, sh.noun), sh.resend.participle)
	}
	return nil
}

func parseNumbers(args []string) ([]uint64, error) {
	var numbers []uint64
	for _, arg := range args {
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || n == 0 {
			return nil, command.UsageError("%q is not a number: give one from the list", arg)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}
