package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// driftLinesMax is the number of different findings that wagewire drift holds.
	driftLinesMax = 1000
	// driftExamplesMax is the number of examples of one finding.
	driftExamplesMax = 3
	// driftProgressEvery is how many completions lie between two lines of progress.
	driftProgressEvery = 1000
)

// driftOptions is the command line of wagewire drift.
type driftOptions struct {
	since    time.Time
	provider schema.Provider
	resource schema.Resource
	asJSON   bool
}

func newDriftCommand(t terminal) *cobra.Command {
	var o driftOptions
	cmd := &cobra.Command{
		Use:     "drift",
		GroupID: groupObserve,
		Short:   "Show what records have that the provider's reference has not",
		Long: `wagewire drift reads the stored completions with their records, and compares each
record with the provider's reference, as the JSON Schemas of records have it. A difference is no
failure: providers add fields and values without notice, and records are passed on as they came.

  KIND      unknown_field, unknown_value of a field with listed values, or other_type
  FIELD     the path of the field; [] is each entry of a list; ? is a name that is no word
  EXAMPLE   unknown values that look like words, or the JSON type that was found; no other value is
            ever shown, because records are private
  RECORDS   how many records have the difference
  FIRST     when the first and the last of their completions were written, as far as they are stored
  LAST

The metric wagewire_record_drift_total of the workers counts differences as they happen.`,
		Example: `  Compare everything that is stored:
    wagewire drift
  Look at yesterday's paystubs:
    wagewire drift --since 1d --resource paystubs
  Print the unknown fields for another program:
    wagewire drift --json | jq '.drift[] | select(.kind == "unknown_field") | .field'`,
	}
	addSince(cmd, &o.since, "all", "only completions stored since")
	resources := schema.WorkerResources()
	addProvider(cmd, &o.provider, "only records of")
	addChoice(cmd, &o.resource, "resource", "only records of "+command.OneOf(resources), resources)
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON object")
	return onNATS(t, cmd, func(ctx context.Context, s session, _ []string) error {
		found, err := o.read(ctx, s)
		if err != nil {
			return err
		}
		if o.asJSON {
			return json.NewEncoder(s.stdout).Encode(found)
		}
		return found.print(s.stdout, s.stderr)
	})
}

// filters are the subjects of the chosen completions.
func (o *driftOptions) filters() []string {
	var filters []string
	for _, q := range schema.Queues() {
		if !q.Erases && (o.provider == "" || o.provider == q.Provider) &&
			(o.resource == "" || o.resource == q.Resource) {
			filters = append(filters, schema.ResourceCompletions(q.Provider, q.Resource))
		}
	}
	return filters
}

// read compares the records of the chosen completions.
func (o *driftOptions) read(ctx context.Context, s session) (*driftReport, error) {
	found := &driftReport{
		Drift: []*driftLine{}, lines: map[driftKey]*driftLine{},
		reference: jsonschema.NewReference(),
	}
	filters := o.filters()
	if len(filters) == 0 {
		return nil, command.UsageError("--provider %s has no completions of --resource %s",
			o.provider, o.resource)
	}
	which := stream.Selection{Filters: filters, Since: o.since}
	err := s.Scan(ctx, schema.CompletionsStream, which, func(m stream.Stored) error {
		if m.At.Before(o.since) { // a broker gives something even for a time to come
			return nil
		}
		var completion schema.Completion
		if err := schema.DecodeJSON(m.Body, &completion); err != nil {
			return fmt.Errorf("decode completion %d: %w", m.Sequence, err)
		}
		if err := found.add(ctx, s.Operator, completion); err != nil {
			return err
		}
		if found.Completions%driftProgressEvery == 0 {
			fmt.Fprintf(s.stderr, "read %d completions, the last of %s\n",
				found.Completions, plain.Time(completion.Time))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found.sort()
	return found, nil
}

// driftReport is what wagewire drift --json prints.
type driftReport struct {
	Completions int `json:"completions"`
	Records     int `json:"records"`
	// Gone is the number of completions whose records are stored no longer.
	Gone  int          `json:"gone"`
	Drift []*driftLine `json:"drift"`
	// Left is the number of findings beyond driftLinesMax different ones.
	Left int `json:"left"`

	lines     map[driftKey]*driftLine
	reference *jsonschema.Reference
}

type driftKey struct {
	provider schema.Provider
	record   string
	kind     jsonschema.DriftKind
	path     string
}

// driftLine is a difference, over all records that have it.
type driftLine struct {
	Provider schema.Provider      `json:"provider"`
	Resource schema.Resource      `json:"resource"`
	Record   string               `json:"record"`
	Kind     jsonschema.DriftKind `json:"kind"`
	Field    string               `json:"field"`
	Examples []string             `json:"examples"`
	Records  int                  `json:"records"`
	First    time.Time            `json:"first"`
	Last     time.Time            `json:"last"`
}

// add compares the records of a completion. Records that are gone count as gone.
func (d *driftReport) add(
	ctx context.Context, op *stream.Operator, completion schema.Completion,
) error {
	d.Completions++
	var records int
	findings := map[jsonschema.Finding]int{}
	err := op.ReadRecords(ctx, completion, func(record json.RawMessage) error {
		records++
		countFindings(findings, d.reference.FindDrift(
			completion.Data.Provider, completion.Data.Resource, record))
		return nil
	})
	if errors.Is(err, stream.ErrNoRecords) {
		d.Gone++
		return nil
	}
	if err != nil {
		return err
	}
	d.Records += records
	for f, n := range findings {
		d.addFinding(completion, f, n)
	}
	return nil
}

// countFindings counts the findings of a record. A record with two examples of one difference
// counts once, with the first.
func countFindings(counts map[jsonschema.Finding]int, ofRecord []jsonschema.Finding) {
	for i, f := range ofRecord {
		isSame := func(other jsonschema.Finding) bool {
			return other.Kind == f.Kind && other.Path == f.Path
		}
		if slices.ContainsFunc(ofRecord[:i], isSame) {
			counts[f] += 0 // an example more
			continue
		}
		counts[f]++
	}
}

// addFinding adds a finding of n records.
func (d *driftReport) addFinding(completion schema.Completion, f jsonschema.Finding, n int) {
	key := driftKey{completion.Data.Provider, f.Record, f.Kind, f.Path}
	line := d.lines[key]
	if line == nil {
		if len(d.lines) == driftLinesMax {
			d.Left += n
			return
		}
		line = &driftLine{
			Provider: key.provider, Resource: completion.Data.Resource, Record: key.record,
			Kind: key.kind, Field: key.path, Examples: []string{}, First: completion.Time,
		}
		d.lines[key] = line
	}
	line.Records += n
	if completion.Time.Before(line.First) {
		line.First = completion.Time
	}
	if completion.Time.After(line.Last) {
		line.Last = completion.Time
	}
	if f.Value != "" && len(line.Examples) < driftExamplesMax &&
		!slices.Contains(line.Examples, f.Value) {
		line.Examples = append(line.Examples, f.Value)
	}
}

// sort puts the lines in the order of the table.
func (d *driftReport) sort() {
	for _, line := range d.lines {
		slices.Sort(line.Examples)
	}
	d.Drift = slices.AppendSeq(d.Drift, maps.Values(d.lines))
	slices.SortFunc(d.Drift, func(a, b *driftLine) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Record, b.Record),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Field, b.Field))
	})
}

// print prints the table on stdout, and how much was read on stderr.
func (d *driftReport) print(stdout, stderr io.Writer) error {
	fmt.Fprintf(stderr, "read %s of %s\n",
		plain.Count(d.Records, "record"), plain.Count(d.Completions, "completion"))
	if d.Gone > 0 {
		fmt.Fprintf(stderr, "%s had records that are stored no longer\n",
			plain.Count(d.Gone, "completion"))
	}
	if len(d.Drift) == 0 {
		_, err := fmt.Fprintln(stdout, "no drift")
		return err
	}
	table := newTable(stdout)
	fmt.Fprintln(table, "PROVIDER\tRECORD\tKIND\tFIELD\tEXAMPLE\tRECORDS\tFIRST\tLAST")
	for _, line := range d.Drift {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n",
			plain.Word(line.Provider), plain.Word(line.Record), line.Kind,
			plain.Word(cmp.Or(line.Field, ".")), cmp.Or(strings.Join(line.Examples, ","), "-"),
			line.Records, plain.Time(line.First), plain.Time(line.Last))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if d.Left > 0 {
		fmt.Fprintf(stderr, "%s more are not in the table\n", plain.Count(d.Left, "finding"))
	}
	return nil
}
