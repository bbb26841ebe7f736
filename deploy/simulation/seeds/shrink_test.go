package seeds

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/simulation/report"
)

// schedule is a simulation in this process. fails returns the violation of a run with the faults,
// "" for none. run counts from 1.
type schedule struct {
	faults int
	fails  func(run int, faults []int) string
	runs   int
}

func (s *schedule) run(_ context.Context, seed uint64, without []int) (result, error) {
	s.runs++
	r := report.Report{Seed: seed, Steps: make([]string, s.faults)}
	var faults []int
	for n := range s.faults {
		if !slices.Contains(without, n) {
			faults = append(faults, n)
		}
	}
	if what := s.fails(s.runs, faults); what != "" {
		r.Violations = []report.Violation{{What: what}}
	}
	return result{Report: r}, nil
}

// needs returns a function that fails as long as all the guilty faults are there.
func needs(guilty ...int) func(int, []int) string {
	return func(_ int, faults []int) string {
		for _, n := range guilty {
			if !slices.Contains(faults, n) {
				return ""
			}
		}
		return "lost"
	}
}

func TestShrinkFindsTheShortestSchedule(t *testing.T) {
	for promise, row := range map[string]struct {
		faults  int
		without []int
		fails   func(int, []int) string
		want    []int
		runsMax int
	}{
		"two guilty faults of eight": {faults: 8, fails: needs(2, 5), want: []int{2, 5}, runsMax: 40},
		"one of forty":               {faults: 40, fails: needs(17), want: []int{17}, runsMax: 30},
		"none, if the code fails by itself": {
			faults: 40, fails: needs(), want: nil, runsMax: 2,
		},
		"all, if each is needed": {
			faults: 5, fails: needs(0, 1, 2, 3, 4), want: []int{0, 1, 2, 3, 4}, runsMax: 40,
		},
		"a fault that was left out stays left out": {
			faults: 8, without: []int{0, 7}, fails: needs(3), want: []int{3}, runsMax: 40,
		},
		"a schedule that fails at each second try": {
			faults: 8, want: []int{2, 5}, runsMax: shrinkRunsMax,
			fails: func(run int, faults []int) string {
				if run%2 == 0 {
					return ""
				}
				return needs(2, 5)(run, faults)
			},
		},
		"another violation is not the one": {
			faults: 8, want: []int{6}, runsMax: 40,
			fails: func(run int, faults []int) string {
				if needs(6)(run, faults) == "" {
					return "crash"
				}
				return "lost"
			},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			s := &schedule{faults: row.faults, fails: row.fails}
			first, _ := s.run(t.Context(), 7, row.without)
			shrunk := newShrinker(s.run, first, row.without)
			if err := shrunk.shrink(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, shrunk.kept); diff != "" && len(shrunk.kept) > 0 {
				t.Errorf("faults (-want +got)\n%s", diff)
			}
			if len(shrunk.kept) != len(row.want) || shrunk.runs > row.runsMax {
				t.Errorf("%d faults after %d runs, want %d after %d at most",
					len(shrunk.kept), shrunk.runs, len(row.want), row.runsMax)
			}
		})
	}
}

func TestShrinkStopsAfterItsRuns(t *testing.T) {
	s := &schedule{faults: 200, fails: func(run int, faults []int) string {
		return needs(1, 50, 99, 150, 199)(run, faults)
	}}
	first, _ := s.run(t.Context(), 7, nil)
	shrunk := newShrinker(s.run, first, nil)
	if err := shrunk.shrink(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !shrunk.isExhausted() || shrunk.runs != shrinkRunsMax || s.runs != 1+shrinkRunsMax {
		t.Errorf("%d runs, and %d after the first: want %d", shrunk.runs, s.runs-1, shrinkRunsMax)
	}
	if needs(1, 50, 99, 150, 199)(0, shrunk.kept) == "" || len(shrunk.kept) > 100 {
		t.Errorf("kept %v: want half of the faults at most, with the guilty ones", shrunk.kept)
	}
}

func TestShrinkSaysThatAViolationDoesNotComeAgain(t *testing.T) {
	for run, isGone := range map[int]bool{2: false, 4: false, 5: true} {
		s := &schedule{faults: 1, fails: func(n int, _ []int) string {
			if n == 1 || n == run {
				return "lost"
			}
			return ""
		}}
		first, _ := s.run(t.Context(), 7, nil)
		err := newShrinker(s.run, first, nil).shrink(t.Context())
		if errors.Is(err, errGone) != isGone {
			t.Errorf("again in run %d: error %v", run, err)
		}
	}
}
