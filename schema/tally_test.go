package schema_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

func TestATallyCountsTheLastFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally schema.Tally
		tally.Note(true)
		tally.Note(false)
		time.Sleep(4 * time.Minute) //nolint:forbidigo // a synctest bubble
		tally.Note(false)
		began := time.Now().UTC()

		got := tally.Read()
		want := schema.Recent{
			OK: 1, Failed: 2, InARow: 2, Since: began.Add(-4 * time.Minute),
			LastOK: began.Add(-4 * time.Minute), LastFailed: began,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after four minutes (-want +got):\n%s", diff)
		}

		time.Sleep(2 * time.Minute) //nolint:forbidigo // a synctest bubble
		got = tally.Read()
		want.OK = 0
		want.Failed = 1
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after six minutes (-want +got):\n%s", diff)
		}

		tally.Note(true)
		if got := tally.Read(); got.InARow != 0 || !got.Since.IsZero() || got.OK != 1 {
			t.Errorf("after a success: %+v, want no failures in a row", got)
		}
	})
}

func TestCountsOfTwoProcesses(t *testing.T) {
	at := func(minute int) time.Time {
		return time.Date(2026, 11, 28, 3, minute, 0, 0, time.UTC)
	}
	failing := schema.Recent{
		Failed: 3, InARow: 3, Since: at(2), LastFailed: at(5), LastOK: at(0),
	}
	tests := map[string]struct {
		other      schema.Recent
		wantInARow int
		wantSince  time.Time
	}{
		"failures of both are in a row": {
			schema.Recent{Failed: 2, InARow: 2, Since: at(1), LastFailed: at(4)}, 5, at(1),
		},
		"a later success of the other ends the row": {
			schema.Recent{OK: 1, LastOK: at(6)}, 0, time.Time{},
		},
		"a success of the other during the row ends the row": {
			schema.Recent{OK: 1, LastOK: at(4)}, 0, time.Time{},
		},
		"a success of the other before the row does not": {
			schema.Recent{OK: 1, LastOK: at(1)}, 3, at(2),
		},
		"a success of the other as the row began does not": {
			schema.Recent{OK: 1, LastOK: at(2).Add(schema.ReportEvery)}, 3, at(2),
		},
		"a process that saw nothing changes nothing": {schema.Recent{}, 3, at(2)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, sum := range []schema.Recent{
				failing.Add(test.other), test.other.Add(failing),
			} {
				if sum.InARow != test.wantInARow || !sum.Since.Equal(test.wantSince) {
					t.Errorf("got %d in a row since %v, want %d since %v",
						sum.InARow, sum.Since, test.wantInARow, test.wantSince)
				}
				if sum.Failed != failing.Failed+test.other.Failed {
					t.Errorf("got %d failures", sum.Failed)
				}
			}
		})
	}
}
