package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func newReplayCommand(t terminal) *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:     "replay --queue NAME",
		GroupID: groupRepair,
		Short:   "Send past events through one queue again",
		Long: `wagewire replay sends past events through one queue again, oldest first: after a
worker was wrong, or a consumer lost its data.

A replayed event is a redrive with an id of its own, ID:r1, then ID:r2 and so on, and gets another
completion. Only the one queue gets the redrive, even if other queues read the type. Workers take
redrives after fresh events, so a replay of many events hardly delays them. Redrives are not
replayed in turn; events of erased accounts are left out. Two webhooks with one id and different
bodies are two events.

The events stream keeps 14 days. Replay reads the stream once to the end, asks, and then sends. If
replay is interrupted, the last line names the time to give as --since to go on. A dry run of more
than one account looks at the first 100,000 events since --since, prints the first 300 that it
would send, and says so. If more events are on the stream, it prints no numbers of redrives, because
redrives behind may have them.

At least one of --since, --until, --type and --account is needed.`,
		Example: `  See what a replay would send, then replay:
    wagewire replay --queue pinwheel_paystubs --since 2d --dry-run
    wagewire replay --queue pinwheel_paystubs --since 2d
  Replay the income of one account:
    wagewire replay --queue pinwheel_income --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --yes
  Replay one type of one afternoon:
    wagewire replay --queue pinwheel_shifts --type shifts.added \
      --since 2026-01-12T12:00:00Z --until 2026-01-12T18:00:00Z`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := command.NoArguments(cmd, args); err != nil {
				return err
			}
			return r.check(t, cmd.Flags().Changed("since"))
		},
	}
	addQueue(cmd, &r.queueName, "the queue that gets the events, such as "+queueNames()[0])
	addSpan(cmd, &r.Span, "received")
	cmd.Flags().StringArrayVar(&r.typeNames, "type", nil,
		"only those of a `type`, such as paystubs.added; repeatable")
	completeFrom(cmd, "type", typeNames())
	cmd.Flags().StringVar(&r.account, "account", "", accountHelp)
	r.addFlags(cmd)
	addRate(cmd, &r.rate)
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		return r.run(ctx, s)
	})
}

// replay is the choice of events to replay, and the queue to send them to.
type replay struct {
	queueName string
	typeNames []string
	account   string
	shelf.Span
	consent
	rate int

	// check sets queue and types from the names. reads are all types that the queue reads.
	queue schema.Queue
	types []string
	reads []string
}

func (r *replay) check(t terminal, hasSince bool) error {
	if r.queueName == "" {
		return command.UsageError("say which queue gets the events: --queue NAME")
	}
	r.queue, _ = schema.QueueNamed(r.queueName)
	for _, w := range schema.Catalogue() {
		if r.queue.Reads(w) {
			r.reads = append(r.reads, w.Name)
		}
	}
	r.types = r.reads
	for _, name := range r.typeNames {
		if !slices.Contains(r.types, name) {
			return command.UsageError("--type: queue %s does not read %q%s", r.queue.Name, name,
				command.Suggest(name, r.types))
		}
	}
	if !hasSince && r.Until.IsZero() && len(r.typeNames) == 0 && r.account == "" {
		return command.UsageError("say which events: --since, --until, --type or --account; " +
			"--since all chooses every event")
	}
	if len(r.typeNames) > 0 {
		r.types = r.typeNames
	}
	if err := checkSpan(r.Span); err != nil {
		return err
	}
	return r.consent.check(t)
}

// run finds the chosen events, asks, and sends them.
func (r *replay) run(ctx context.Context, s session) error {
	f, err := r.find(ctx, s, dryRunLook)
	if err != nil {
		return err
	}
	if f.count == 0 {
		fmt.Fprintf(s.stderr, "there is no such event%s\n", r.unread(f))
		return nil
	}
	amount := plain.Count(f.count, "event")
	fmt.Fprintf(s.stderr, "%s of %s, received from %s to %s%s\n", amount, r.queue.Name,
		plain.Time(f.first), plain.Time(f.last), r.unread(f))
	question := fmt.Sprintf("send %s through %s again?", amount, r.queue.Name)
	if err := r.ask(ctx, s.terminal, question); err != nil {
		return err
	}
	return r.sendAll(ctx, s, f)
}

// replayed is what find has found on the events stream.
type replayed struct {
	past shelf.History
	// chosen are the events to send, the oldest first. A dry run has shelf.PreviewMax of them at
	// most, and count has all. first and last are the times between which they were received.
	chosen      []stream.Heading
	count       int
	first, last time.Time
	// read counts the events that find has looked at, and reached is when the last of them was
	// stored. isCut is true if more are on the stream: past may lack redrives.
	read    int
	reached time.Time
	isCut   bool
}

// dryRunLook is how many events a dry run looks at.
const dryRunLook = 100_000

// unread says what a dry run has not looked at, "" if it has seen everything.
func (r *replay) unread(f *replayed) string {
	if !f.isCut {
		return ""
	}
	looked := fmt.Sprintf("; a dry run looks at %s, stored until %s", plain.Count(f.read, "event"),
		plain.Time(f.reached))
	if !r.Until.IsZero() && f.reached.After(r.Until.Add(shelf.ClockSkewMax)) {
		return looked + ", and not for redrives after that"
	}
	return fmt.Sprintf("%s, and more are on the stream: to go on give --since %s", looked,
		f.reached.UTC().Format(time.RFC3339Nano))
}

// digestOf is a webhook: its key, and the digest of its body.
type digestOf [sha256.Size]byte

var errCut = errors.New("a dry run has read enough")

// find reads the events stream to the end, because a redrive may lie behind all chosen events. Of
// the copies of a webhook, find chooses the first. The span holds when ingress received the
// webhook, not when a copy was sent. The events of a single account are read by its subjects. A dry
// run looks at most events, unless they are of a single account.
func (r *replay) find(ctx context.Context, s session, most int) (*replayed, error) {
	f := &replayed{past: shelf.NewHistory(s.Operator)}
	seen := map[digestOf]bool{}
	for _, which := range r.selections() {
		err := s.Headings(ctx, which, func(heading stream.Heading) error {
			if r.dryRun && r.account == "" && f.read == most {
				return errCut
			}
			f.read++
			f.reached = heading.At
			r.add(f, seen, heading)
			return nil
		})
		if errors.Is(err, errCut) {
			f.isCut = true
			return f, nil
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(f.chosen, func(a, b stream.Heading) int {
		return cmp.Compare(a.Sequence, b.Sequence)
	})
	if r.dryRun {
		f.chosen = f.chosen[:min(len(f.chosen), shelf.PreviewMax)]
	}
	return f, nil
}

// selections are the events to look at: those of the account, or all since the time. With a filter
// for the types, the broker needs longer than we need for all events.
func (r *replay) selections() []stream.Selection {
	var since time.Time
	if !r.Since.IsZero() {
		since = r.Since.Add(-shelf.ClockSkewMax)
	}
	if r.account == "" {
		return []stream.Selection{{Since: since}}
	}
	var selections []stream.Selection
	for _, token := range find.Tokens(r.account) {
		filter := schema.AccountEvents(r.queue.Provider, "*", "*", token)
		selections = append(selections, stream.Selection{Filters: []string{filter}, Since: since})
	}
	return selections
}

// add adds an event to what is found, if the queue reads the event. A dry run of more than one
// account remembers only events that it prints.
func (r *replay) add(f *replayed, seen map[digestOf]bool, heading stream.Heading) {
	if heading.Event.Provider != r.queue.Provider ||
		!slices.Contains(r.reads, heading.Event.Type) {
		return
	}
	webhook := digestOf(sha256.Sum256(
		[]byte(shelf.OriginalKey(heading.Event) + " " + heading.BodySHA256)))
	isChosen := !seen[webhook] && r.matches(heading)
	isPrinted := !r.dryRun || r.account != "" || len(f.chosen) < shelf.PreviewMax
	if isChosen && isPrinted || !r.dryRun || len(f.past.Of(heading.Event)) > 0 {
		f.past.Add(heading.Event, heading.BodySHA256)
	}
	if !isChosen {
		return
	}
	seen[webhook] = true
	f.count++
	at := heading.Event.ReceivedAt
	if f.count == 1 || at.Before(f.first) {
		f.first = at
	}
	if at.After(f.last) {
		f.last = at
	}
	if isPrinted {
		f.chosen = append(f.chosen, heading)
	}
}

func (r *replay) matches(heading stream.Heading) bool {
	return r.Contains(heading.Event.ReceivedAt) &&
		(r.account == "" || find.IsAccount(heading.Account, r.account)) &&
		slices.Contains(r.types, heading.Event.Type)
}

func (r *replay) sendAll(ctx context.Context, s session, f *replayed) error {
	chosen := f.chosen
	var sent, leftOut int
	var reached time.Time
	err := pace(ctx, s.terminal, len(chosen), r.rate, func(i int) error {
		original := chosen[i].Event
		reached = original.ReceivedAt
		key, obstacle, err := r.sendOne(ctx, s, f, chosen[i])
		switch {
		case err != nil:
			return fmt.Errorf("replay event %s: %w", original.Key(), err)
		case obstacle != "":
			leftOut++
			fmt.Fprintf(s.stdout, "%s  %s  left out: %s\n",
				plain.Word(original.Key()), plain.Word(original.Type), obstacle)
		default:
			sent++
			fmt.Fprintf(s.stdout, "%s  %s\n", plain.Word(key), plain.Word(original.Type))
		}
		return nil
	})
	verb := "sent"
	if r.dryRun {
		verb = "would send"
	}
	if err != nil {
		next := reached.UTC().Format(time.RFC3339Nano)
		return fmt.Errorf("%w; %s %d, to go on give --since %s", err, verb, sent, next)
	}
	fmt.Fprintf(s.stderr, "%s %d to %s, left out %d\n", verb, sent, r.queue.Name, leftOut)
	if len(chosen) < f.count {
		fmt.Fprintf(s.stderr, "these are the first %d of %s\n", len(chosen),
			plain.Count(f.count, "event"))
	}
	return nil
}

// sendOne sends an event again. It returns the key of the redrive, or why the event is left out. A
// dry run that has not looked at all events does not know the redrive, and returns the key of the
// webhook.
func (r *replay) sendOne(
	ctx context.Context, s session, f *replayed, heading stream.Heading,
) (key, obstacle string, err error) {
	m, exists, err := s.Message(ctx, schema.EventsStream, heading.Sequence)
	if err != nil {
		return "", "", err
	}
	if !exists {
		return "", "it is gone meanwhile", nil
	}
	e, err := stream.DecodeEvent(m)
	if err != nil {
		return "", "it cannot be decoded", nil //nolint:nilerr // the event has a dead letter
	}
	if erased, err := s.Erased(ctx, e.Provider, e.Account()); erased || err != nil {
		return "", shelf.AccountErased, err
	}
	if r.dryRun && f.isCut {
		return shelf.OriginalKey(e), "", nil
	}
	if r.dryRun {
		e.Redrive = f.past.NextNumber(e)
		return e.Key(), "", nil
	}
	e.Redrive, _, err = f.past.Resend(ctx, e, r.queue.Name, false)
	return e.Key(), "", err
}
