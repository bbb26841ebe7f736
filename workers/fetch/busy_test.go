package fetch_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

func TestABusyProviderStillBringsEveryIDOnce(t *testing.T) {
	paystubs := days("stub", "2026-01-31", 110)
	shifts := days("shift", "2026-01-31", 90)
	alone := []stub{{"alone-1", "2019-01-01"}, {"alone-2", "2019-01-02"}, {"alone-3", "2019-01-03"}}
	for _, row := range []struct {
		promise string
		job     workers.Job
		want    []string
	}{
		{"every paystub added, listed or not",
			job(schema.Paystubs, schema.ActionAdded,
				workers.Payload{Added: slices.Concat(ids(alone), ids(paystubs))}),
			slices.Concat(ids(paystubs), ids(alone))},
		{"every paystub of a chunk",
			job(schema.Paystubs, schema.ActionNinetyDaysSynced,
				workers.Payload{FromPayDate: "2025-11-01", ToPayDate: "2026-01-30"}),
			ids(paystubs[1:92])},
		{"every paystub", job(schema.Paystubs, schema.ActionFullySynced, workers.Payload{}),
			ids(paystubs)},
		{"every shift added",
			job(schema.Shifts, schema.ActionAdded, workers.Payload{Added: ids(shifts)}),
			ids(shifts)},
		{"every shift", job(schema.Shifts, schema.ActionFullySynced, workers.Payload{}),
			ids(shifts)},
	} {
		for _, busyEvery := range []int{5, 2} {
			t.Run(row.promise, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &provider{T: t, paystubs: paystubs, alone: alone, shifts: shifts,
						busyEvery: busyEvery}
					handler := fetch.PinwheelHandlers[row.job.Event.Resource](p.pinwheel())
					for n := range 3 { // so that 429 comes at different pages
						if err := row.job.Records.Reset(t.Context()); err != nil {
							t.Fatal(err)
						}
						got, err := handler.Fetch(t.Context(), row.job)
						check(t, got, err, 0)
						gotIDs := idsOf(t, row.job, slices.Concat(paystubs, alone, shifts)...)
						if diff := cmp.Diff(row.want, gotIDs); diff != "" {
							t.Errorf("fetch %d (-want +got):\n%s", n, diff)
						}
						if len(got.Missing) != 0 {
							t.Errorf("fetch %d: missing %v", n, got.Missing)
						}
					}
					if p.busy == 0 {
						t.Error("the provider was never busy")
					}
				})
			})
		}
	}
}

func TestARecordThatMovesToTheNextPageIsKeptOnce(t *testing.T) {
	all := days("shift", "2026-01-31", 40)
	// The record shift-24 ends the first page and begins the second.
	moving := slices.Concat(all[:25], all[24:])
	p := &provider{T: t, shifts: moving, paystubs: moving}
	client := p.pinwheel()
	for _, row := range []struct {
		promise string
		handler workers.Handler
		job     workers.Job
	}{
		{"in a list", fetch.PinwheelHandlers[schema.Shifts](client),
			job(schema.Shifts, schema.ActionFullySynced, workers.Payload{})},
		{"in a chunk", fetch.PinwheelHandlers[schema.Paystubs](client),
			job(schema.Paystubs, schema.ActionNinetyDaysSynced,
				workers.Payload{FromPayDate: "2025-01-01"})},
		{"among the announced", fetch.PinwheelHandlers[schema.Shifts](client),
			job(schema.Shifts, schema.ActionAdded, workers.Payload{Added: ids(all)})},
	} {
		t.Run(row.promise, func(t *testing.T) {
			got, err := row.handler.Fetch(t.Context(), row.job)
			check(t, got, err, 0)
			if diff := cmp.Diff(ids(all), idsOf(t, row.job)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
