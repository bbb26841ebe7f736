package main

import (
	"cmp"
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
		stream:    schema.DeadLettersStream,
		noun:      "dead letter",
		newFilter: func() filter[stream.Letter] { return &letterFilter{} },
		read:      stream.ReadLetter,
		trim:      func(l *stream.Letter) { l.Headers = nil; l.Body = nil },
		number:    func(l stream.Letter) uint64 { return l.Number },
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

// letterFilter is the choice of dead letters. The zero value matches all.
type letterFilter struct {
	queue    string
	class    schema.Class
	provider schema.Provider
	account  string
	span
}

func (f *letterFilter) addFlags(cmd *cobra.Command) {
	addQueue(cmd, &f.queue, "only those of a queue, such as "+queueNames()[0])
	classes := []schema.Class{
		schema.ClassTransient, schema.ClassNotReady, schema.ClassThrottled,
		schema.ClassUnauthorized, schema.ClassForbidden, schema.ClassPermanent,
		schema.ClassContract, schema.ClassPoison, schema.ClassExhausted,
	}
	addClass(cmd, &f.class, classes)
	addProvider(cmd, &f.provider, "only those of")
	cmd.Flags().StringVar(&f.account, "account", "", accountHelp)
	f.span.addFlags(cmd, "given up")
}

func (f *letterFilter) isEmpty() bool {
	return f.queue == "" && f.class == "" && f.provider == "" && f.account == "" && f.isOpen()
}

func (f *letterFilter) matches(l stream.Letter) bool {
	return (f.queue == "" || f.queue == l.Queue) &&
		(f.class == "" || f.class == l.Class) &&
		(f.provider == "" || f.provider == l.Event.Provider) &&
		(f.account == "" || isAccount(l.Account, f.account)) &&
		f.contains(l.At)
}

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
		plain.Word(l.Queue), plain.Word(l.Event.Type), plain.Word(l.Account), plain.Word(l.Class), plain.Word(l.Reason),
		l.Attempts, plain.Word(l.Event.Key()))
}

func printLetter(w io.Writer, l stream.Letter) {
	decodes := "yes"
	if _, err := l.Decode(); err != nil {
		decodes = fmt.Sprintf("no: %v", err)
	}
	for _, field := range causeOf(l) {
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

// causeOf are the fields that say why the worker gave up: what the provider answered, and the
// words of the completion.
func causeOf(l stream.Letter) [][2]string {
	answer := "-"
	switch {
	case l.Status > 0:
		answer = fmt.Sprint(l.Status)
	case l.Endpoint != "":
		answer = "no answer"
	}
	code := "-"
	message := "no completion of it is stored"
	if l.Error != nil {
		code = cmp.Or(strings.TrimSpace(l.Error.Code+" "+l.Error.Type), "-")
		message = l.Error.Message
	}
	return [][2]string{
		{"status", answer}, {"endpoint", cmp.Or(l.Endpoint, "-")}, {"code", code},
		{"message", message},
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

// redriver sends the events of dead letters through their queues again.
type redriver struct {
	past   history
	dryRun bool
}

func newRedriver(
	ctx context.Context, c *change[stream.Letter],
) (resendFunc[stream.Letter], error) {
	var events []ofAccount
	for _, l := range c.messages {
		events = append(events, ofAccount{l.Event, l.Account})
	}
	r := redriver{newHistory(c.Operator), c.dryRun}
	return r.redrive, r.past.read(ctx, events...)
}

// redrive stores the event of the dead letter again, and only then deletes the dead letter. After a
// crash in between, the next redrive finds the stored event and only deletes the dead letter.
func (r redriver) redrive(
	ctx context.Context, l stream.Letter,
) (line string, isResent bool, err error) {
	key := plain.Word(l.Event.Key()) + "  "
	m, exists, err := r.past.op.Message(ctx, schema.DeadLettersStream, l.Number)
	if err != nil {
		return "", false, err
	}
	if !exists {
		return key + "is gone meanwhile", true, nil
	}
	l = stream.ReadLetter(m)
	e, obstacle, err := r.check(ctx, l)
	if err != nil {
		return "", false, err
	}
	if obstacle != "" {
		return key + "kept: " + obstacle, false, nil
	}
	queue := queueToRedrive(l, e)
	number, wasSent := r.past.findRedrive(e, queue)
	if r.dryRun {
		return key + r.preview(e, queue, number, wasSent), true, nil
	}
	isStored := false
	if !wasSent {
		number, isStored, err = r.past.resend(ctx, e, queue, true)
		if err != nil {
			return "", false, err
		}
	}
	if err := r.past.op.Discard(ctx, schema.DeadLettersStream, l.Number); err != nil {
		return "", false, err
	}
	e.Redrive = number
	if !isStored {
		return fmt.Sprintf("%swas sent before as %s, deleted", key, e.Key()), true, nil
	}
	return fmt.Sprintf("%ssent to %s as %s", key, queue, e.Key()), true, nil
}

// queueToRedrive is the queue of the dead letter. An erasing event always goes to its provider's
// queue of erasures: an earlier release had no such queue, and its dead letters name another.
func queueToRedrive(l stream.Letter, e schema.Event) string {
	if e.Erases() {
		return schema.ErasuresName(e.Provider)
	}
	return l.Queue
}

// check decodes the event, and says why the dead letter cannot be redriven.
func (r redriver) check(
	ctx context.Context, l stream.Letter,
) (e schema.Event, obstacle string, err error) {
	e, err = l.Decode()
	if err != nil {
		return e, "it cannot be decoded, only discarded: " + plain.Text(err.Error()), nil
	}
	q, exists := schema.QueueNamed(queueToRedrive(l, e))
	if !exists || !q.Reads(schema.Lookup(e.Provider, e.Type)) {
		return e, fmt.Sprintf("no queue %s reads %s any more", plain.Word(l.Queue), plain.Word(e.Type)), nil
	}
	erased, err := isErased(ctx, r.past.op, e)
	if erased {
		obstacle = accountErased + ": discard it"
	}
	return e, obstacle, err
}

func (r redriver) preview(e schema.Event, queue string, number int, wasSent bool) string {
	if wasSent {
		return fmt.Sprintf("was sent before as %s, would be deleted", schema.RedriveID("", number))
	}
	return fmt.Sprintf("would be sent to %s as %s", queue,
		schema.RedriveID("", r.past.nextNumber(e)))
}
