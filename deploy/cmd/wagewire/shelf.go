package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// shelfOf is a stream with messages for an operator to decide about: dead letters, or the
// quarantine. A shelf has four commands: list, show, discard, and a command that resends. T is a
// message.
type shelfOf[T any] struct {
	command string // the name on the command line
	kind    shelf.Kind[T]
	noun    string // a message, in output
	place   string // follows the noun if the noun alone is unclear

	newFilter func() filter[T]
	// trim drops what only show needs, so that many messages take little memory.
	trim func(*T)
	body func(T) []byte

	heading  string // of the table of list, with tabs between cells
	row      func(T) string
	printAll func(w io.Writer, message T) // the fields for show, with tabs
	// explain adds to a message what show tells besides, nil if nothing.
	explain   func(ctx context.Context, op *stream.Operator, message *T) error
	toJSON    func(T) any
	toAllJSON func(message T, withBody bool, page string) any
	// page is the address of a message's page.
	page func(process.Console, uint64) string

	// tally says more about messages in a question, such as their queues.
	tally  func([]T) string
	resend resending[T]
}

// filter is the choice of messages by flags.
type filter[T any] interface {
	shelf.Filter[T]
	addFlags(cmd *cobra.Command)
	check() error
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

func (sh *shelfOf[T]) commands(t terminal) []*cobra.Command {
	return []*cobra.Command{
		sh.newListCommand(t), sh.newShowCommand(t), sh.newResendCommand(t), sh.newDiscardCommand(t),
	}
}

func (sh *shelfOf[T]) newListCommand(t terminal) *cobra.Command {
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
		l := sh.newListing(t, *asJSON)
		if err := sh.each(ctx, s, nil, chosen, l.add); err != nil {
			return errors.Join(err, l.out.Flush())
		}
		return l.end()
	})
}

func (sh *shelfOf[T]) newShowCommand(t terminal) *cobra.Command {
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
		console, err := readConsole(t.getenv)
		if err != nil {
			return err
		}
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
		page := ""
		if console != "" {
			page = sh.page(console, numbers[0])
		}
		return sh.show(t, message, page, *withBody, *asJSON)
	}, consoleVariables()...)
}

// change is the command line of a command that takes messages off a shelf.
type change[T any] struct {
	filter[T]
	consent
	numbers []uint64
	all     bool
	most    int // 0 is without a bound
	rate    int

	session
	// messages are the chosen messages. A dry run has shelf.PreviewMax of them at most, and chosen
	// counts all.
	messages []T
	chosen   int
}

// errEnough ends the choice of messages at --most.
var errEnough = errors.New("enough are chosen")

// unseen says how many chosen messages a dry run has not looked at, "" if there is none.
func (c *change[T]) unseen(noun string) string {
	if c.chosen == len(c.messages) {
		return ""
	}
	return fmt.Sprintf("; a dry run looks at the first %d of %s", len(c.messages),
		plain.Count(c.chosen, noun))
}

const chooseHelp = `Choose by numbers, by flags, or with --all. The command asks before a change,
and needs --yes if nobody can answer.`

// newChange completes a command that changes chosen messages. Work is not called if no message is
// chosen.
func (sh *shelfOf[T]) newChange(
	t terminal, cmd *cobra.Command, work func(context.Context, *change[T]) error,
) *cobra.Command {
	c := &change[T]{filter: sh.newFilter()}
	c.filter.addFlags(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, fmt.Sprintf("%s every %s", cmd.Name(), sh.noun))
	addNumber(cmd.Flags(), &c.most, "most", "at most so many, the oldest first; 0 is without bound",
		0, math.MaxInt32)
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
		if len(c.numbers) == 0 && !c.all && c.IsEmpty() {
			return command.UsageError("say which to %s: numbers, flags that choose, or --all",
				cmd.Name())
		}
		return c.consent.check(t)
	}
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) (err error) {
		c.session = s
		err = sh.each(ctx, s, c.numbers, c.filter, func(message T) error {
			if c.most > 0 && c.chosen == c.most {
				return errEnough
			}
			c.chosen++
			if !c.dryRun || len(c.messages) < shelf.PreviewMax {
				c.messages = append(c.messages, message)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if len(c.messages) == 0 {
			sh.printNone(t)
			return nil
		}
		return work(ctx, c)
	})
}

func (sh *shelfOf[T]) newDiscardCommand(t terminal) *cobra.Command {
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

func (sh *shelfOf[T]) newResendCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     sh.resend.verb + " [NUMBER...]",
		Short:   sh.resend.short,
		Long:    sh.resend.long + "\n\n" + chooseHelp,
		Example: sh.resend.example,
	}
	return sh.newChange(t, cmd, sh.resendAll)
}

// each hands do the messages of the numbers, or if there are none, every message that the filter
// matches. The messages are trimmed.
func (sh *shelfOf[T]) each(
	ctx context.Context, s session, numbers []uint64, chosen filter[T], do func(T) error,
) error {
	if len(numbers) == 0 {
		_, err := shelf.Scan(ctx, s.Operator, sh.kind, chosen, shelf.Search{},
			func(message T) error {
				sh.trim(&message)
				return do(message)
			})
		return err
	}
	for _, n := range numbers {
		message, err := sh.get(ctx, s, n)
		if err != nil {
			return err
		}
		if !chosen.Matches(message) {
			return fmt.Errorf("the flags do not choose %s %d", sh.noun, n)
		}
		sh.trim(&message)
		if err := do(message); err != nil {
			return err
		}
	}
	return nil
}

func (sh *shelfOf[T]) get(ctx context.Context, s session, number uint64) (message T, err error) {
	m, exists, err := s.Message(ctx, sh.kind.Stream, number)
	if err != nil {
		return message, err
	}
	if !exists {
		return message, fmt.Errorf("there is no %s %d%s", sh.noun, number, sh.place)
	}
	return sh.kind.Read(m), nil
}

func (sh *shelfOf[T]) printNone(t terminal) {
	fmt.Fprintf(t.stderr, "there is no such %s%s\n", sh.noun, sh.place)
}

// listing prints messages as they come: a line for each, in a table or as JSON. The columns of a
// table fit tableRows rows, so that a long table takes little memory.
type listing[T any] struct {
	shelf *shelfOf[T]
	terminal
	out   *bufio.Writer // a table writes each cell by itself
	lines *json.Encoder // nil for a table
	table *tabwriter.Writer
	rows  int
}

const tableRows = 500

func (sh *shelfOf[T]) newListing(t terminal, asJSON bool) *listing[T] {
	out := bufio.NewWriter(t.stdout)
	l := &listing[T]{shelf: sh, terminal: t, out: out, table: newTable(out)}
	if asJSON {
		l.lines = json.NewEncoder(out)
	}
	return l
}

func (l *listing[T]) add(message T) error {
	if l.lines != nil {
		return l.lines.Encode(l.shelf.toJSON(message))
	}
	if l.rows == 0 {
		fmt.Fprintln(l.table, l.shelf.heading)
	}
	l.rows++
	fmt.Fprintln(l.table, l.shelf.row(message))
	if l.rows%tableRows == 0 {
		return l.table.Flush()
	}
	return nil
}

// end prints the rest.
func (l *listing[T]) end() error {
	if l.lines == nil && l.rows == 0 {
		l.shelf.printNone(l.terminal)
	}
	return errors.Join(l.table.Flush(), l.out.Flush())
}

// show prints a message. page is the address of its page, empty without a console.
func (sh *shelfOf[T]) show(t terminal, message T, page string, withBody, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(t.stdout).Encode(sh.toAllJSON(message, withBody, page))
	}
	table := newTable(t.stdout)
	sh.printAll(table, message)
	if err := table.Flush(); err != nil {
		return err
	}
	if page != "" {
		fmt.Fprintf(t.stdout, "\npage: %s\n", page)
	}
	if !withBody {
		return nil
	}
	fmt.Fprintln(t.stdout)
	return printBody(t, sh.body(message))
}

func (sh *shelfOf[T]) discard(ctx context.Context, c *change[T]) error {
	amount := plain.Count(len(c.messages), sh.noun)
	if c.dryRun {
		l := sh.newListing(c.terminal, false)
		for _, message := range c.messages {
			if err := l.add(message); err != nil {
				return err
			}
		}
		err := l.end()
		fmt.Fprintf(c.stderr, "would discard %s%s\n", plain.Count(c.chosen, sh.noun),
			c.unseen(sh.noun))
		return err
	}
	question := fmt.Sprintf("discard %s for good%s?", amount, sh.tally(c.messages))
	if err := c.ask(ctx, c.terminal, question); err != nil {
		return err
	}
	discarder := shelf.NewDiscarder(c.Operator, sh.kind)
	gone := 0
	err := pace(ctx, c.terminal, len(c.messages), c.rate, func(i int) error {
		outcome, err := discarder.Send(ctx, c.messages[i])
		if outcome.Result == shelf.Gone {
			gone++
		}
		return err
	})
	if err != nil {
		return err
	}
	if gone > 0 {
		fmt.Fprintf(c.stderr, "discarded %d of %s: %d gone meanwhile\n", len(c.messages)-gone,
			amount, gone)
		return nil
	}
	fmt.Fprintf(c.stderr, "discarded %s\n", amount)
	return nil
}

// resendAll resends the messages in turn. A message with an obstacle stays on the shelf.
func (sh *shelfOf[T]) resendAll(ctx context.Context, c *change[T]) error {
	amount := plain.Count(len(c.messages), sh.noun)
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
		number := sh.kind.Number(c.messages[i])
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
	fmt.Fprintf(c.stderr, "%s %d of %s%s\n", done, resent, amount, c.unseen(sh.noun))
	if left := len(c.messages) - resent; left > 0 {
		return fmt.Errorf("%s could not be %s", plain.Count(left, sh.noun), sh.resend.participle)
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
