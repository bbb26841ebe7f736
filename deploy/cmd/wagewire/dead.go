package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

func newDeadCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dead",
		GroupID: groupRepair,
		Short:   "List, show, redrive or discard dead letters",
		Long: `wagewire dead works on dead letters. A dead letter is a copy of an event that no
worker could finish. Dead letters are kept for 90 days.`,
		Example: `  List what has failed since yesterday:
    wagewire dead list --since 24h
  Look at one dead letter, then redrive the event:
    wagewire dead show 17
    wagewire dead redrive 17
  Delete the dead letters of an account that nobody needs any more:
    wagewire dead discard --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65`,
	}
	cmd.AddCommand(deadLetters().commands(t)...)
	return cmd
}

func deadLetters() *shelfOf[stream.Letter] {
	return &shelfOf[stream.Letter]{
		command:   "dead",
		kind:      shelf.Letters(),
		noun:      "dead letter",
		newFilter: func() filter[stream.Letter] { return &letterFilter{} },
		trim:      func(l *stream.Letter) { l.Headers = nil; l.Body = nil },
		body:      func(l stream.Letter) []byte { return l.Body },
		heading:   "NUMBER\tAT\tQUEUE\tTYPE\tACCOUNT\tCLASS\tREASON\tATTEMPTS\tEVENT",
		row:       letterRow,
		printAll:  printLetter,
		explain: func(ctx context.Context, op *stream.Operator, l *stream.Letter) error {
			return op.Explain(ctx, l)
		},
		toJSON:    func(l stream.Letter) any { return shelf.NewLetterJSON(l) },
		toAllJSON: newFullLetterJSON,
		page:      process.Console.Letter,
		tally:     countByQueue,
		resend: resending[stream.Letter]{
			verb: "redrive", past: "redrove", participle: "redriven",
			short: "Send dead letters through their queues again",
			long:  redriveLong, example: redriveExample,
			question: "send %s through their queues again",
			prepare:  newRedriver,
		},
	}
}

const redriveLong = `wagewire dead redrive sends the event of a dead letter through its queue again,
and deletes the dead letter when the event is stored.

A redrive has an id of its own, ID:r1, then ID:r2 and so on. The completion of the first event
stays, and the redrive gets another. Only the queue of the dead letter gets the redrive, even if
other queues read the type. Workers take redrives after fresh events.

Run redrive again if it was interrupted: an event that was sent before is not sent twice. A dead
letter stays if it cannot be decoded or its account is erased; redrive then exits 1.`

const redriveExample = `  Redrive what failed during an outage and outlasted the retries:
    wagewire dead redrive --class transient --dry-run
    wagewire dead redrive --class transient --rate 20
  Redrive one dead letter without a question:
    wagewire dead redrive 17 --yes`

// letterFilter is the choice of dead letters by flags. The zero value matches all.
type letterFilter struct{ shelf.LetterFilter }

func (f *letterFilter) addFlags(cmd *cobra.Command) {
	addQueue(cmd, &f.Queue, "only those of a queue, such as "+queueNames()[0])
	addClass(cmd, &f.Class, shelf.LetterClasses())
	addProvider(cmd, &f.Provider, "only those of")
	cmd.Flags().StringVar(&f.Account, "account", "", accountHelp)
	addSpan(cmd, &f.Span, "given up")
}

func (f *letterFilter) check() error { return checkSpan(f.Span) }

func newFullLetterJSON(l stream.Letter, withBody bool, page string) any {
	full := shelf.NewLetterJSON(l)
	full.Console = page
	full.Headers = l.Headers
	if withBody {
		text := string(l.Body)
		full.Body = &text
	}
	return full
}

func letterRow(l stream.Letter) string {
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s", l.Number, plain.Time(l.At),
		plain.Word(l.Queue), plain.Word(l.Event.Type), plain.Word(l.Account), plain.Word(l.Class),
		plain.Word(l.Reason), l.Attempts, plain.Word(l.Event.Key()))
}

func printLetter(w io.Writer, l stream.Letter) {
	decodes := "yes"
	if _, err := l.Decode(); err != nil {
		decodes = fmt.Sprintf("no: %v", err)
	}
	for _, field := range shelf.CauseOf(l) {
		fmt.Fprintf(w, "%s\t%s\n", field[0], plain.Text(field[1]))
	}
	for _, field := range [][2]any{
		{"number", l.Number}, {"at", plain.Time(l.At)}, {"queue", l.Queue}, {"class", l.Class},
		{"reason", l.Reason}, {"attempts", l.Attempts}, {"event", l.Event.Key()},
		{"type", l.Event.Type}, {"account", l.Account},
		{"occurred", plain.Time(l.Event.OccurredAt)}, {"received", plain.Time(l.Event.ReceivedAt)},
		{"event sequence", l.Sequence}, {"body", fmt.Sprintf("%d bytes", l.BodyBytes)},
		{"decodes", decodes},
	} {
		fmt.Fprintf(w, "%s\t%s\n", field[0], plain.Text(fmt.Sprint(field[1])))
	}
	fmt.Fprintln(w, "\nheaders\t")
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		for _, value := range l.Headers[name] {
			fmt.Fprintf(w, "  %s\t%s\n", plain.Word(name), plain.Text(value))
		}
	}
}

// countByQueue is " (3 of pinwheel_paystubs, 1 of truv_link)".
func countByQueue(letters []stream.Letter) string {
	counts := map[string]int{}
	for _, l := range letters {
		counts[l.Queue]++
	}
	var parts []string
	for _, queue := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d of %s", counts[queue], plain.Word(queue)))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func newRedriver(
	ctx context.Context, c *change[stream.Letter],
) (resendFunc[stream.Letter], error) {
	r, err := shelf.NewRedriver(ctx, c.Operator, c.messages)
	redrive := r.Send
	if c.dryRun {
		redrive = r.Preview
	}
	return func(ctx context.Context, l stream.Letter) (line string, isResent bool, err error) {
		outcome, err := redrive(ctx, l)
		line = plain.Word(l.Event.Key()) + "  " + formatRedrive(outcome, c.dryRun)
		return line, outcome.IsOff(), err
	}, err
}

// formatRedrive says what happened to a dead letter, or would.
func formatRedrive(o shelf.Outcome, isPreview bool) string {
	switch {
	case o.Result == shelf.Gone:
		return "is gone meanwhile"
	case o.Result == shelf.Kept:
		return "kept: " + o.Obstacle
	case o.Result == shelf.SentBefore && isPreview:
		return fmt.Sprintf("was sent before as %s, would be deleted",
			schema.RedriveID("", o.Redrive))
	case o.Result == shelf.SentBefore:
		return fmt.Sprintf("was sent before as %s, deleted", o.Key)
	case isPreview:
		return fmt.Sprintf("would be sent to %s as %s", o.Queue, schema.RedriveID("", o.Redrive))
	default:
		return fmt.Sprintf("sent to %s as %s", o.Queue, o.Key)
	}
}
