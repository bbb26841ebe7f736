package workers

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/workers/api"
)

// driftingRecord differs from Pinwheel's reference in three fields.
const driftingRecord = `{"id":"rec-1","status":"on_leave","title":7,"desk":"north"}`

// drift is the number of counted differences of a kind in records of employment.
func (b *bench) drift(kind jsonschema.DriftKind) int {
	b.Helper()
	return int(b.metric("wagewire_record_drift_total", map[string]string{
		"provider": "pinwheel", "resource": "employment", "kind": string(kind),
	}))
}

func TestDriftIsCountedOnceForARecordInACompletion(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise string
		fetch   func(ctx context.Context, job Job) error
		want    int // of each kind
	}{
		{"a record without drift counts nothing", func(ctx context.Context, job Job) error {
			return bring(ctx, job, `{"id":"rec-1","status":"employed","title":null}`)
		}, 0},
		{"each record of a completion counts", func(ctx context.Context, job Job) error {
			return bring(ctx, job, driftingRecord, driftingRecord)
		}, 2},
		{"records that were fetched again count once", func(ctx context.Context, job Job) error {
			if err := bring(ctx, job, driftingRecord); err != nil {
				return err
			}
			if job.Attempt < 3 {
				return &api.StatusError{Status: 503}
			}
			return nil
		}, 1},
		{"records saved for the next attempt count once", func(ctx context.Context, job Job) error {
			if job.Attempt == 1 {
				job.Records.Mark("more")
				return errors.Join(bring(ctx, job, driftingRecord), &api.StatusError{Status: 503})
			}
			_, _, err := job.Records.Resume(ctx, func(json.RawMessage) (string, error) {
				return "rec-1", nil
			})
			return err
		}, 1},
		{"records that were given up count nothing", func(ctx context.Context, job Job) error {
			return errors.Join(bring(ctx, job, driftingRecord), job.Records.Reset(ctx))
		}, 0},
		{"records after a reset count", func(ctx context.Context, job Job) error {
			return errors.Join(bring(ctx, job, driftingRecord), job.Records.Reset(ctx),
				bring(ctx, job, driftingRecord))
		}, 1},
		{"records of a failed job count nothing", func(ctx context.Context, job Job) error {
			return errors.Join(bring(ctx, job, driftingRecord), &api.StatusError{Status: 422})
		}, 0},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			handler := fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
				return Fetched{}, row.fetch(ctx, job)
			})
			b.start(schema.Employment, handler, quick())
			e := employment(t, "drifting")
			b.publish(e)
			b.completed(e, schema.Employment)
			b.idle("pinwheel_employment")
			for _, kind := range jsonschema.DriftKinds() {
				if got := b.drift(kind); got != row.want {
					t.Errorf("%d of %s are counted, want %d", got, kind, row.want)
				}
			}
		})
	}
}

func TestTheCountersOfDriftBeginAtZero(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start(schema.Employment, brings, quick())
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "wagewire_record_drift_total" {
			want := len(schema.Providers()) * len(jsonschema.DriftKinds())
			if n := len(family.GetMetric()); n != want {
				t.Errorf("%d counters, want %d: one of each provider and kind", n, want)
			}
			return
		}
	}
	t.Error("there is no wagewire_record_drift_total")
}

// Drift must not cost the job: whatever a record is, Add takes it or says what is wrong with the
// record itself.
func FuzzDriftNeverFailsAJob(f *testing.F) {
	for _, text := range []string{driftingRecord, `{"id":`, `[[[`, `{"status":"\ud800"}`, ""} {
		f.Add([]byte(text))
	}
	reference := jsonschema.NewReference()
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, q := range schema.Queues() {
			r := NewRecords(nil, schema.Event{Provider: q.Provider}, q.Resource, nil)
			r.reference = reference
			if len(record) > schema.CompletionBytesMax {
				return // it goes to a broker, which is not here
			}
			if err := r.Add(t.Context(), api.Record{JSON: record}); err != nil || r.Count() != 1 {
				t.Errorf("%d records, %v", r.Count(), err)
			}
		}
	})
}
