package fetch_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

// attempt works on the job once, with what the attempt before saved. It returns what was saved and
// the ids of the records.
func attempt(
	t *testing.T, conn *stream.Conn, handler workers.Handler, job workers.Job,
	before *schema.RecordsRef,
) (got workers.Fetched, saved *schema.RecordsRef, found []string, fetchErr error) {
	t.Helper()
	job.Records = workers.NewRecords(conn, job.Event, job.Event.Resource, before)
	got, fetchErr = handler.Fetch(t.Context(), job)
	saved, err := job.Records.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	job.Records.Keep()
	if saved != nil {
		records, err := conn.Records(t.Context(), *saved)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			found = append(found, idOf(t, r))
		}
	}
	if err := job.Records.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return got, saved, found, fetchErr
}

func TestManyAddedIDsCostAPageAHundred(t *testing.T) {
	const many = 1000
	const pages = many / pageSize // a page of the fake has 25 records
	all := days("stub", "2026-01-31", many)
	unknown := days("nowhere", "2026-01-31", many)
	inDates := workers.Payload{FromPayDate: all[many-1].payDate, ToPayDate: all[0].payDate}
	for _, row := range []struct {
		promise  string
		resource schema.Resource
		payload  workers.Payload
		added    []string
		calls    int
		found    int
	}{
		{"paystubs within the dates", schema.Paystubs, inDates, ids(all), pages, many},
		{"paystubs of other dates: the whole list, too", schema.Paystubs,
			workers.Payload{FromPayDate: "2000-01-01", ToPayDate: "2000-01-31"},
			ids(all), 1 + pages, many},
		{"paystubs that are nowhere: both lists, and a few single ones", schema.Paystubs, inDates,
			ids(unknown), 2*pages + fetch.SinglesMax, 0},
		{"paystubs without dates that are nowhere: the list once, and a few single ones",
			schema.Paystubs, workers.Payload{}, ids(unknown), pages + fetch.SinglesMax, 0},
		{"as many paystubs as are fetched one by one: no second list", schema.Paystubs,
			workers.Payload{FromPayDate: "2000-01-01", ToPayDate: "2000-01-31"},
			ids(all[:fetch.SinglesMax]), 1 + fetch.SinglesMax, fetch.SinglesMax},
		{"shifts", schema.Shifts, workers.Payload{}, ids(all), pages, many},
		{"shifts that are nowhere", schema.Shifts, workers.Payload{}, ids(unknown), pages, 0},
	} {
		t.Run(row.promise, func(t *testing.T) {
			p := &provider{T: t, paystubs: all, shifts: all, refreshedAt: announced}
			row.payload.Added = row.added
			job := job(row.resource, schema.ActionAdded, row.payload)
			got, err := p.fetchPinwheel(row.resource, job)
			check(t, got, err, 0)
			if calls := len(p.asked()); calls != row.calls {
				t.Errorf("%d calls, want %d", calls, row.calls)
			}
			if job.Records.Count() != row.found || len(got.Missing) != len(row.added)-row.found {
				t.Errorf("%d records, %d missing", job.Records.Count(), len(got.Missing))
			}
		})
	}
}

func TestAnAttemptGoesOnWhereTheAttemptBeforeEnded(t *testing.T) {
	const many = 500
	const pages = many / pageSize
	_, conn := streamtest.New(t)
	all := days("stub", "2026-01-31", many)
	for _, row := range []struct {
		promise  string
		resource schema.Resource
		payload  workers.Payload
		// fails makes the first attempt end with an error.
		fails func(path, cursor string) int
		// calls are those of both attempts together.
		calls int
	}{
		{"in the middle of paystubs with dates", schema.Paystubs,
			workers.Payload{FromPayDate: all[many-1].payDate, ToPayDate: all[0].payDate},
			at("paystubs", "after-stub-249", http.StatusUnprocessableEntity), pages + 1},
		{"in the middle of the whole list of paystubs", schema.Paystubs,
			workers.Payload{FromPayDate: "2000-01-01", ToPayDate: "2000-01-31"},
			at("paystubs", "after-stub-249", http.StatusUnprocessableEntity), 1 + pages + 1},
		{"in the middle of shifts", schema.Shifts, workers.Payload{},
			at("shifts", "after-stub-249", http.StatusUnprocessableEntity), pages + 1},
		{"with few ids left: one by one", schema.Paystubs, workers.Payload{},
			at("paystubs", "after-stub-499", http.StatusUnprocessableEntity), pages + 1 + fetch.SinglesMax},
	} {
		t.Run(row.promise, func(t *testing.T) {
			p := &provider{T: t, paystubs: all, shifts: all, refreshedAt: announced}
			if row.promise == "with few ids left: one by one" {
				p.paystubs = append(slices.Clone(all), days("late", "2024-01-31", 1)...)
				p.alone = days("alone", "1999-01-31", fetch.SinglesMax-1)
			}
			row.payload.Added = append(ids(p.paystubs), ids(p.alone)...)
			job := job(row.resource, schema.ActionAdded, row.payload)
			handler := fetch.PinwheelHandlers[row.resource](p.pinwheel())

			p.statusOf = row.fails
			_, saved, found, err := attempt(t, conn, handler, job, nil)
			if err == nil || saved == nil || len(found) == 0 {
				t.Fatalf("the first attempt: %v, saved %v, %d records", err, saved, len(found))
			}
			p.statusOf = nil
			got, _, found, err := attempt(t, conn, handler, job, saved)
			check(t, got, err, 0)
			if len(got.Missing) > 0 || !got.RefreshedAt.Equal(announced) {
				t.Errorf("missing %v, refreshed at %v", got.Missing, got.RefreshedAt)
			}
			slices.Sort(found)
			want := slices.Sorted(slices.Values(row.payload.Added))
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if calls := len(p.asked()); calls != row.calls {
				t.Errorf("%d calls, want %d", calls, row.calls)
			}
		})
	}
}

// at answers the page at a cursor of a list with a status.
func at(list, cursor string, status int) func(path, cursor string) int {
	return func(path, asked string) int {
		if strings.HasSuffix(path, "/"+list) && asked == cursor {
			return status
		}
		return 0
	}
}

func TestWhatAnAttemptLeavesForTheNext(t *testing.T) {
	_, conn := streamtest.New(t)
	all := days("stub", "2026-01-31", 60)
	p := &provider{T: t, paystubs: all, shifts: all, refreshedAt: announced}
	shifts := fetch.PinwheelHandlers[schema.Shifts](p.pinwheel())
	added := job(schema.Shifts, schema.ActionAdded,
		workers.Payload{Added: append(ids(all), "late"), Timestamp: announced})

	got, saved, found, err := attempt(t, conn, shifts, added, nil)
	check(t, got, err, 0)
	if saved == nil || len(found) != len(all) || !slices.Equal(got.Missing, []string{"late"}) {
		t.Fatalf("an id is missing: saved %v with %d records, missing %v", saved, len(found),
			got.Missing)
	}

	t.Run("a late record is looked for from the first page", func(t *testing.T) {
		p.shifts = append([]stub{{"late", "2026-02-01"}}, all...)
		defer func() { p.shifts = all }()
		before := len(p.asked())
		got, _, found, err := attempt(t, conn, shifts, added, saved)
		check(t, got, err, 0)
		if len(got.Missing) > 0 || len(found) != len(all)+1 || len(p.asked()) != before+1 {
			t.Errorf("missing %v, %d records, %d calls", got.Missing, len(found),
				len(p.asked())-before)
		}
	})
	t.Run("lost progress means to fetch everything", func(t *testing.T) {
		lost := *saved
		lost.Name += "-lost"
		got, _, found, err := attempt(t, conn, shifts, added, &lost)
		check(t, got, err, 0)
		if len(found) != len(all) {
			t.Errorf("%d records, want %d", len(found), len(all))
		}
	})
	t.Run("a cursor that the provider has forgotten means the first page", func(t *testing.T) {
		p.statusOf = at("shifts", "after-stub-24", http.StatusUnprocessableEntity)
		_, saved, _, _ := attempt(t, conn, shifts, added, nil)
		refused := 0
		p.statusOf = func(_, cursor string) int {
			if cursor == "after-stub-24" && refused == 0 {
				refused++
				return http.StatusBadRequest
			}
			return 0
		}
		defer func() { p.statusOf = nil }()
		got, _, found, err := attempt(t, conn, shifts, added, saved)
		check(t, got, err, 0)
		if len(found) != len(all) || refused != 1 {
			t.Errorf("%d records, want %d; %d cursors refused", len(found), len(all), refused)
		}
	})
	t.Run("stale records are not saved", func(t *testing.T) {
		late := added
		late.Payload.Timestamp = announced.Add(1)
		if _, saved, _, _ := attempt(t, conn, shifts, late, nil); saved != nil {
			t.Errorf("saved %+v", saved)
		}
	})
	t.Run("a whole list is not saved", func(t *testing.T) {
		whole := job(schema.Shifts, schema.ActionFullySynced, workers.Payload{})
		if _, saved, _, _ := attempt(t, conn, shifts, whole, nil); saved != nil {
			t.Errorf("saved %+v", saved)
		}
	})
}

func TestAPaystubWithoutAPayDateIsKept(t *testing.T) {
	for _, action := range []string{schema.ActionSevenDaysSynced, schema.ActionThirtyDaysSynced,
		schema.ActionNinetyDaysSynced} {
		for _, payDate := range []string{`"pay_date":null,`, ``, `"pay_date":"",`} {
			t.Run(fmt.Sprintf("%s with %q", action, payDate), func(t *testing.T) {
				p := &provider{T: t, raw: `{"data":[{` + payDate + `"id":"none"},` +
					`{"id":"dated","pay_date":"2026-01-09"},{"id":"old","pay_date":"2001-01-01"}]}`}
				job := job(schema.Paystubs, action,
					workers.Payload{FromPayDate: "2026-01-01", ToPayDate: "2026-01-31"})
				got, err := p.fetchPinwheel(schema.Paystubs, job)
				check(t, got, err, 0)
				if diff := cmp.Diff([]string{"none", "dated"}, idsOf(t, job)); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
			})
		}
	}
}
