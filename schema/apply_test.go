package schema_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// shelf has a team's records of one account and resource. The rules are those of README.md.
type shelf struct {
	// kept has every id that a completion spoke of, also the removed ones.
	kept map[string]kept
	// snapshot is the sequence of the newest snapshot.
	snapshot string
	// windows are the windows newer than the snapshot.
	windows []schema.Completion
	// deleted is true after the deletion of the account.
	deleted bool
}

// kept is the last word about a record.
type kept struct {
	record   json.RawMessage // nil: removed
	payDate  string
	sequence string
}

func newShelf() *shelf { return &shelf{kept: map[string]kept{}} }

// apply applies a completion. Each completion may come at any time, and more than once.
func (s *shelf) apply(c schema.Completion) error {
	if c.Data.Outcome == schema.Deleted {
		*s = shelf{deleted: true}
	}
	if s.deleted || c.Data.Scope == nil || c.Order() <= s.snapshot {
		return nil
	}
	switch *c.Data.Scope {
	case schema.Snapshot:
		s.snapshot = c.Order()
		s.windows = slices.DeleteFunc(s.windows,
			func(w schema.Completion) bool { return w.Order() < c.Order() })
	case schema.Window:
		s.windows = append(s.windows, c)
	}
	for _, record := range c.Data.Records {
		var named struct {
			ID      string
			PayDate string `json:"pay_date"`
		}
		if err := json.Unmarshal(record, &named); err != nil {
			return err
		}
		s.keep(named.ID, kept{record, named.PayDate, c.Order()})
	}
	for _, id := range c.Data.Deleted {
		s.keep(id, kept{sequence: c.Order()})
	}
	return nil
}

// keep keeps the newer word about a record.
func (s *shelf) keep(id string, now kept) {
	if s.kept[id].sequence < now.sequence {
		s.kept[id] = now
	}
}

// records returns the ids of the present records, sorted. A record older than a snapshot, or than a
// window around the record, is not there any more.
func (s *shelf) records() []string {
	var present []string
	for _, id := range slices.Sorted(maps.Keys(s.kept)) {
		k := s.kept[id]
		isGone := k.record == nil || k.sequence < s.snapshot
		for _, w := range s.windows {
			isWithin := k.payDate != "" && (w.Data.From == nil || *w.Data.From <= k.payDate) &&
				(w.Data.To == nil || k.payDate <= *w.Data.To)
			isGone = isGone || isWithin && k.sequence < w.Order()
		}
		if !isGone {
			present = append(present, id+" "+k.sequence[:len(time.DateOnly)])
		}
	}
	return present
}

// paystubsOf returns a completion of a day of January 2026. A record is an id of a paystub, paid on
// the day in its name.
func paystubsOf(day int, scope schema.Scope, records ...string) schema.Completion {
	at := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
	e := employmentAdded()
	e.ID = fmt.Sprintf("%s-%d", scope, day)
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, at)
	c.Sequence = schema.Sequence(at, at, c.ID)
	c.Data.Scope = &scope
	for _, id := range records {
		c.Data.Records = append(c.Data.Records,
			fmt.Appendf(nil, `{"id":%q,"pay_date":"2025-12-%s"}`, id, id[1:]))
	}
	return c
}

func TestCompletionsGiveTheSameRecordsInEveryOrder(t *testing.T) {
	window := paystubsOf(2, schema.Window, "p20", "p24")
	window.Data.From = new("2025-12-19")
	window.Data.To = new("2025-12-26")
	deletes := paystubsOf(6, schema.Delta)
	deletes.Data.Deleted = []string{"p10"}
	undated := paystubsOf(1, schema.Delta)
	undated.Data.Records = []json.RawMessage{[]byte(`{"id":"p00","pay_date":null}`)}
	early := paystubsOf(2, schema.Window)
	early.Data.To = new("2025-12-26")
	late := paystubsOf(8, schema.Window, "p26")
	late.Data.From = new("2025-12-25")
	failed := paystubsOf(9, schema.Delta)
	failed.Data.Scope = nil
	deletion := paystubsOf(5, schema.Delta)
	deletion.Data.Outcome, deletion.Data.Scope = schema.Deleted, nil
	for _, row := range []struct {
		promise     string
		completions []schema.Completion
		want        []string
	}{
		{"a delta adds and replaces", []schema.Completion{
			paystubsOf(1, schema.Delta, "p10", "p20"), paystubsOf(3, schema.Delta, "p20", "p30"),
		}, []string{"p10 2026-01-01", "p20 2026-01-03", "p30 2026-01-03"}},
		{"a window replaces what it covers", []schema.Completion{
			paystubsOf(1, schema.Delta, "p18", "p22"), window,
		}, []string{"p18 2026-01-01", "p20 2026-01-02", "p24 2026-01-02"}},
		{"a snapshot replaces everything older, and nothing newer", []schema.Completion{
			paystubsOf(1, schema.Delta, "p10", "p11"), window, paystubsOf(4, schema.Snapshot, "p10", "p20"),
			paystubsOf(5, schema.Delta, "p30"),
		}, []string{"p10 2026-01-04", "p20 2026-01-04", "p30 2026-01-05"}},
		{"a record without a date is in no window", []schema.Completion{undated, early},
			[]string{"p00 2026-01-01"}},
		{"what was deleted stays deleted, until a newer completion has it", []schema.Completion{
			paystubsOf(1, schema.Delta, "p10"), paystubsOf(4, schema.Snapshot, "p10", "p20"), deletes,
			paystubsOf(7, schema.Delta, "p31"), late, failed,
		}, []string{"p20 2026-01-04", "p26 2026-01-08"}},
		{"nothing is left of a deleted account, whatever comes later", []schema.Completion{
			paystubsOf(1, schema.Delta, "p10"), deletion, paystubsOf(4, schema.Snapshot, "p10", "p20"),
			paystubsOf(7, schema.Delta, "p31"),
		}, nil},
	} {
		t.Run(row.promise, func(t *testing.T) {
			for seed := range uint64(1000) {
				random := rand.New(rand.NewPCG(seed, 14))
				order := slices.Concat(row.completions, row.completions) // each comes twice
				random.Shuffle(len(order), func(i, j int) {
					order[i], order[j] = order[j], order[i]
				})
				shelf := newShelf()
				for _, c := range order {
					if err := shelf.apply(c); err != nil {
						t.Fatal(err)
					}
				}
				if got := shelf.records(); !slices.Equal(got, row.want) {
					t.Fatalf("order %d: %v, want %v", seed, got, row.want)
				}
			}
		})
	}
}
