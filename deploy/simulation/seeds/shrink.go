package seeds

import (
	"context"
	"errors"
	"os"
	"slices"
)

const (
	// shrinkRunsMax limits the runs that look for a shorter schedule.
	shrinkRunsMax = 60
	// triesOfAll is how often the whole schedule is run again, and triesOfSome how often a smaller
	// one, before the violation counts as gone.
	triesOfAll  = 3
	triesOfSome = 2
)

// errGone means that the violation did not come again.
var errGone = errors.New("the violation did not come again")

// runFunc runs the schedule of a seed, without the faults of the numbers.
type runFunc func(ctx context.Context, seed uint64, without []int) (result, error)

// shrinker looks for the shortest schedule with a violation: it leaves out all faults, half of
// them, a quarter and so on, and at the end single ones (delta debugging, Zeller 1999).
type shrinker struct {
	run  runFunc
	seed uint64
	// what is the name of the violation.
	what string
	// faults is the number of faults in the whole schedule.
	faults int
	// kept are the faults of the shortest schedule until now.
	kept []int
	// sound are the schedules without the violation, as text.
	sound map[string]bool
	runs  int
}

// newShrinker returns the shrinker of a run with violations. without are the faults that the run
// left out.
func newShrinker(run runFunc, r result, without []int) *shrinker {
	s := &shrinker{
		run: run, seed: r.Seed, what: r.Violations[0].What, faults: len(r.Steps),
		sound: map[string]bool{},
	}
	for n := range s.faults {
		if !slices.Contains(without, n) {
			s.kept = append(s.kept, n)
		}
	}
	return s
}

// shrink makes kept shorter, until no fault can be left out or the runs are used up. The error is
// errGone if the whole schedule does not have the violation again.
func (s *shrinker) shrink(ctx context.Context) error {
	again, err := s.fails(ctx, s.kept, triesOfAll)
	if err != nil {
		return err
	}
	if !again {
		return errGone
	}
	for size := len(s.kept); size > 0; size = min(size, len(s.kept)) {
		dropped, err := s.dropEach(ctx, size)
		if err != nil {
			return err
		}
		switch {
		case size > 1:
			size = (size + 1) / 2
		case !dropped:
			return nil
		}
	}
	return nil
}

// dropEach tries to leave out each group of so many faults, one after the other.
func (s *shrinker) dropEach(ctx context.Context, size int) (dropped bool, err error) {
	for from := 0; from < len(s.kept); {
		to := min(from+size, len(s.kept))
		fewer := slices.Delete(slices.Clone(s.kept), from, to)
		failed, err := s.fails(ctx, fewer, triesOfSome)
		if err != nil {
			return dropped, err
		}
		if failed {
			s.kept = fewer
			dropped = true
		} else {
			from = to
		}
	}
	return dropped, nil
}

// fails reports whether the schedule of the faults has the violation, in one of some tries.
func (s *shrinker) fails(ctx context.Context, faults []int, tries int) (bool, error) {
	name := formatNumbers(faults)
	if s.sound[name] {
		return false, nil
	}
	for range tries {
		if s.isExhausted() {
			return false, nil
		}
		s.runs++
		r, err := s.run(ctx, s.seed, s.without(faults))
		if err != nil {
			return false, err
		}
		if r.output != "" {
			_ = os.Remove(r.output) // the output of the first run is kept
		}
		for _, v := range r.Violations {
			if v.What == s.what {
				return true, nil
			}
		}
	}
	s.sound[name] = true
	return false, nil
}

// isExhausted reports whether there may be no more runs.
func (s *shrinker) isExhausted() bool { return s.runs >= shrinkRunsMax }

// without returns the numbers of all other faults.
func (s *shrinker) without(faults []int) []int {
	var others []int
	for n := range s.faults {
		if !slices.Contains(faults, n) {
			others = append(others, n)
		}
	}
	return others
}
