package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/fixture"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// stdoutName stands for standard output in place of a file name.
const stdoutName = "-"

// recordOptions is the command line of wagewire record.
type recordOptions struct {
	last   string
	output string
	force  bool
}

func newRecordCommand(t terminal) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use:     "record EVENT",
		GroupID: groupObserve,
		Short:   "Make a fixture without private values of a webhook and its API answers",
		Long: `wagewire record makes a fixture of a stored webhook and of the answers of the
provider's API. It makes the calls that a worker makes for the event, and stores nothing at the
broker. The fakes play the fixture: what happened once at the provider can be seen again in the
sandbox.

EVENT is the event_id or webhook_id of the provider, or a key of Wagewire: pinwheel:ID.

Every private value is replaced, and there is no flag against it. Only what the provider's reference
documents stays: names of fields, words such as hourly, currencies, time zones. So do true, false,
null, zeros, the lengths of lists, and how many digits a number has. Dates and times move together.
A value is replaced alike wherever it stands, so ids and cursors still match. Two fixtures have
nothing in common. The name of a new field stays only if it is made of known words for payroll and
of no value. Standard error lists the names that stay: make sure that none is of a person.

Answers with an error are recorded too. Refused credentials are not, nor a call without an answer:
then there is no fixture. Nor is there one if every call got 404 and no answer is JSON: the address
of the provider's API, such as PINWHEEL_URL, is wrong then. The calls share the budget of the
workers, and come after the calls for fresh events. Give the environment of a worker.`,
		Example: `  Record a webhook whose completion looks wrong, and play it in the sandbox:
    wagewire record 5a141122-4235-4fa1-bd76-0628573880b0
    wagewire trigger --fixture pinwheel.paystubs.added.fixture.json
  Record the newest webhook of a type:
    wagewire record --last shifts.added --output shifts.json`,
		Args: func(_ *cobra.Command, args []string) error { return o.check(args) },
	}
	addParsed(cmd.Flags(), &o.last, "last", "type", "",
		"record the newest stored webhook of the type, without EVENT", knownType)
	completeFrom(cmd, "last", typeNames())
	cmd.Flags().StringVarP(&o.output, "output", "o", "",
		"`file` to write, or - for standard output (default <provider>.<type>.fixture.json)")
	cmd.Flags().BoolVar(&o.force, "force", false, "overwrite the file")
	return onNATS(t, cmd, o.run, apiVariables()...)
}

func (o *recordOptions) check(args []string) error {
	switch {
	case o.last != "" && len(args) > 0:
		return command.UsageError("give an event id, or --last with a type, and not both")
	case o.last == "" && (len(args) != 1 || args[0] == ""):
		return command.UsageError("give one event id, not %d, or --last with a type", len(args))
	default:
		return nil
	}
}

// knownType returns the name if it is a type of webhook.
func knownType(name string) (string, error) {
	for _, known := range typeNames() {
		if known == name {
			return name, nil
		}
	}
	return "", fmt.Errorf("no type of webhook%s", command.Suggest(name, typeNames()))
}

func (o *recordOptions) run(ctx context.Context, s session, args []string) error {
	event, err := o.find(ctx, s.Operator, args)
	if err != nil {
		return err
	}
	path := o.output
	if path == "" {
		path = fmt.Sprintf("%s.%s.fixture.json", event.Provider, event.Type)
	}
	if path != stdoutName {
		if err := explainExisting(fixture.CheckFree(path, o.force)); err != nil {
			return err
		}
	}
	recorded, tally, err := fixture.Record(ctx, fixture.Config{
		Event: event, Getenv: s.getenv, Log: newOperatorLog(s.stderr, zapcore.WarnLevel),
		Conn: s.Conn,
		Tell: func(text string) { fmt.Fprintln(s.stderr, text) },
	})
	if err != nil {
		return err
	}
	if len(tally.Kept) > 0 {
		fmt.Fprintf(s.stderr, "names of unknown fields that stay: %s: make sure that none is of a "+
			"person\n", strings.Join(tally.Kept, ", "))
	}
	if path == stdoutName {
		text, err := recorded.Encode()
		if err != nil {
			return err
		}
		fmt.Fprintln(s.stderr, formatTally(tally, recorded))
		_, err = s.stdout.Write(text)
		return err
	}
	if err := explainExisting(recorded.Write(path, o.force)); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "%s: %s\n", plain.Word(path), formatTally(tally, recorded))
	fmt.Fprintf(s.stdout, "to play it: wagewire trigger --fixture %s\n", plain.Word(path))
	return nil
}

// formatTally says how much of a fixture is invented, and how many calls the fixture has.
func formatTally(tally fixture.Tally, f fixture.Fixture) string {
	return fmt.Sprintf("%s replaced (%s, %s, %s, %s), %s", plain.Count(tally.Total(), "value"),
		plain.Count(tally.Texts, "text"), plain.Count(tally.Numbers, "number"),
		plain.Count(tally.Times, "time"),
		plain.Count(tally.Members, "name"), plain.Count(len(f.Calls), "call"))
}

// explainExisting adds to an error about a file in the way what to do.
func explainExisting(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: give another --output, or --force", err)
	}
	return err
}

// find reads the event from the events stream, with its body.
func (o *recordOptions) find(
	ctx context.Context, op *stream.Operator, args []string,
) (schema.Event, error) {
	if o.last != "" {
		sequence, err := findLast(ctx, op, o.last)
		if err != nil {
			return schema.Event{}, err
		}
		return readEvent(ctx, op, o.last, sequence)
	}
	life, err := findStored(ctx, op, args[0])
	if err != nil {
		return schema.Event{}, err
	}
	return readEvent(ctx, op, args[0], life.Stored.Sequence)
}

// findLast returns the sequence of the newest event of the type. It reads all events if none of the
// newest has the type.
func findLast(ctx context.Context, op *stream.Operator, name string) (sequence uint64, err error) {
	var filters []string
	erases := false
	for _, t := range schema.Catalogue() {
		if t.Name == name {
			filters = append(filters, schema.AccountEvents(t.Provider, t.Resource, t.Action, "*"))
			erases = erases || t.Erases
		}
	}
	for _, newest := range []uint64{trace.Newest, 0} {
		which := stream.Selection{Filters: filters, Newest: newest}
		err = op.Headings(ctx, which, func(h stream.Heading) error {
			if h.Event.Type == name {
				sequence = h.Sequence
			}
			return nil
		})
		if err != nil || sequence > 0 {
			return sequence, err
		}
	}
	if erases {
		return 0, fmt.Errorf("no webhook %s is stored: the events of a deleted account "+
			"are erased, the deletion among them", name)
	}
	return 0, fmt.Errorf("no webhook %s is stored", name)
}

// findStored returns the life of the event with the name, whose event is on the events stream. Of
// an event and its redrives, it returns the first that is there: they have the same body.
func findStored(ctx context.Context, op *stream.Operator, name string) (*trace.Life, error) {
	var found *trace.Life
	for _, newest := range []uint64{trace.Newest, 0} {
		lives, _, err := trace.Event(ctx, op, name, newest)
		if err != nil {
			return nil, err
		}
		for _, l := range lives {
			switch {
			case l.Stored == nil:
			case found == nil:
				found = l
			case found.Provider != l.Provider:
				return nil, fmt.Errorf("two providers have an event %s: give %s:ID or %s:ID",
					plain.Word(name), found.Provider, l.Provider)
			}
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("event %s is not on %s: it was never stored, is older than events are "+
		"kept, or its account is erased", plain.Word(name), schema.EventsStream)
}

// readEvent reads the event with a sequence.
func readEvent(
	ctx context.Context, op *stream.Operator, name string, sequence uint64,
) (schema.Event, error) {
	m, isThere, err := op.Message(ctx, schema.EventsStream, sequence)
	if err != nil {
		return schema.Event{}, err
	}
	if !isThere {
		return schema.Event{}, fmt.Errorf("the event of %s was erased just now", plain.Word(name))
	}
	return stream.DecodeEvent(m)
}
