package seeds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/deploy/simulation/report"
)

// line is a simulation in this process. Each run takes a minute of virtual time.
type line struct {
	judge func(r *report.Report)

	mu   sync.Mutex
	ran  []uint64
	now  int
	most int
}

func (l *line) run(ctx context.Context, seed uint64, without []int) (result, error) {
	if ctx.Err() != nil {
		return result{}, context.Cause(ctx)
	}
	l.mu.Lock()
	l.ran = append(l.ran, seed)
	l.now++
	l.most = max(l.most, l.now)
	l.mu.Unlock()
	select {
	case <-time.After(time.Minute):
	case <-ctx.Done():
		return result{}, context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now--
	left := len(steps) - len(without)
	r := report.Report{
		Seed: seed, Hours: 500, Webhooks: 10, Events: 11, Completions: 12, Faults: left,
		Fired: left, Kills: 1, Waits: 5, Steps: steps,
	}
	if l.judge != nil {
		l.judge(&r)
	}
	return result{Report: r}, nil
}

// violate adds a violation.
func violate(r *report.Report) {
	r.Violations = append(r.Violations, report.Violation{What: "lost", ID: "e-1", Why: "gone"})
}

func TestSeeds(t *testing.T) {
	for promise, row := range map[string]struct {
		config Config
		judge  func(r *report.Report)
		// ran are the seeds that must have run, without the runs that shrink a schedule.
		ran   []uint64
		err   error
		lines []string
	}{
		"a number of seeds runs from the first on": {
			config: Config{First: 7, Seeds: 5}, ran: []uint64{7, 8, 9, 10, 11},
			lines: []string{
				"seeds 5: 5 without a violation", "virtual time 2500 hours, 0.3 years", "webhooks 50",
				"events 55", "completions 60",
				"faults 40, of which 40 took effect", "kills 5", "waits 25",
				"time 180 s; virtual time is 50000 times as fast", "violations 0",
			},
		},
		"seeds are started until the time is over": {
			config: Config{First: 1, For: 150 * time.Second}, ran: []uint64{1, 2, 3, 4, 5, 6},
		},
		"the number counts if it ends before the time": {
			config: Config{First: 1, Seeds: 3, For: time.Hour}, ran: []uint64{1, 2, 3},
		},
		"no seed is started after so many failures": {
			config: Config{First: 1, Seeds: 9, Failures: 2, Parallel: 1},
			judge: func(r *report.Report) {
				if r.Seed%2 == 0 {
					violate(r)
				}
			},
			ran: []uint64{1, 2, 3, 4},
			err: ErrViolated,
			lines: []string{
				"promises were broken: by seeds 2, 4", "seeds 4: 2 without a violation",
				"seed 4 has lost also with 0 of 8 faults",
				"2 violations, 0.5 seeds a minute, looking for a shorter schedule",
			},
		},
		"a failure beside the last one is printed, and its schedule stays as it is": {
			config: Config{First: 1, Seeds: 9, Failures: 1},
			judge:  violate,
			ran:    []uint64{1, 2},
			err:    ErrViolated,
			lines:  []string{"simulate: violations with seed 1: 1", "simulate: violations with seed 2: 1"},
		},
		"runs without a fault are named": {
			config: Config{First: 1, Seeds: 3},
			judge: func(r *report.Report) {
				if r.Seed == 2 {
					r.Faults, r.Fired = 0, 0
				}
			},
			ran: []uint64{1, 2, 3},
			lines: []string{
				"WARNING in 1 of 3 runs the schedule had no fault: seeds 2",
				"WARNING in 1 of 3 runs no fault took effect: seeds 2",
			},
		},
		"runs that prove nothing are an error": {
			config: Config{First: 1, Seeds: 2},
			judge: func(r *report.Report) {
				if r.Seed == 1 {
					r.Fired = 0
				} else {
					r.Waits = 0
				}
			},
			ran: []uint64{1, 2},
			err: ErrVain,
			lines: []string{
				"WARNING in 1 of 2 runs no fault took effect: seeds 1",
				"WARNING in 1 of 2 runs no event waited: seeds 2", "a check that cannot fail",
			},
		},
		"a schedule without all of its faults may prove nothing": {
			config: Config{First: 1, Seeds: 1, Without: []int{0, 1, 2, 3, 4, 5, 6, 7}},
			ran:    []uint64{1},
			lines:  []string{"WARNING in 1 of 1 runs the schedule had no fault: seeds 1"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				row.config.Out = &out
				row.config.Parallel = cmp.Or(row.config.Parallel, 2)
				row.config.Failures = cmp.Or(row.config.Failures, 3)
				l := &line{judge: row.judge}
				err := newDrive(row.config, l.run).drive(t.Context())
				if !errors.Is(err, row.err) {
					t.Errorf("error %v, want %v", err, row.err)
				}
				slices.Sort(l.ran)
				ran := len(l.ran)
				if seeds := slices.Compact(l.ran); !slices.Equal(seeds, row.ran) ||
					row.err == nil && ran > len(seeds) {
					t.Errorf("%d runs of seeds %v, want %v", ran, seeds, row.ran)
				}
				if want := min(row.config.Parallel, len(row.ran)); l.most != want {
					t.Errorf("%d runs at a time, want %d", l.most, want)
				}
				text := fmt.Sprintf("%s%v\n", &out, err)
				plain := strings.Join(strings.Fields(text), " ")
				for _, want := range row.lines {
					if !strings.Contains(plain, want) {
						t.Errorf("no %q in:\n%s", want, text)
					}
				}
			})
		})
	}
}

func TestProgressIsPrinted(t *testing.T) {
	for promise, row := range map[string]struct {
		config Config
		lines  []string
	}{
		"with the time left for a number": {
			Config{Seeds: 6}, []string{
				"simulate:    5s  0 seeds, 0 virtual hours, 0 events, 0 violations, 0.0 seeds a minute",
				"simulate:   65s  2 seeds, 1000 virtual hours, 22 events, 0 violations, 1.8 seeds a minute, 130s left",
			},
		},
		"with the time left of the time": {
			Config{For: 100 * time.Second}, []string{
				"simulate:    5s  0 seeds, 0 virtual hours, 0 events, 0 violations, 0.0 seeds a minute, 95s left",
				"simulate:  110s  2 seeds, 1000 virtual hours, 22 events, 0 violations, 1.1 seeds a minute, 0s left",
			},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				row.config.Out = &out
				row.config.Parallel = 2
				row.config.Failures = 1
				l := &line{}
				if err := newDrive(row.config, l.run).drive(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, want := range row.lines {
					if !strings.Contains(out.String(), want+"\n") {
						t.Errorf("no line %q in:\n%s", want, &out)
					}
				}
			})
		})
	}
}

func TestAFailureIsPrintedWithItsScheduleAndTheCommand(t *testing.T) {
	for promise, row := range map[string]struct {
		flaw    string
		without []int
		runs    func(run int) bool
		lines   []string
		none    string
	}{
		"with the shortest schedule": {
			lines: []string{
				"simulate: violations with seed 7: 1",
				"  VIOLATION lost       e-1: gone",
				"  the schedule:",
				"     0  1h kill ingress",
				"simulate: seed 7 has lost also with 1 of 8 faults, after 10 runs",
				"     4  5h kill worker",
				"  again: make simulate SEED=7 WITHOUT=0,1,2,3,5,6,7",
			},
		},
		"with the flaw": {
			flaw:  "float",
			lines: []string{"  again: make simulate SEED=7 WITHOUT=0,1,2,3,5,6,7 ARGS='--flaw float'"},
		},
		"with what was left out before": {
			without: []int{0, 1, 2, 3},
			lines:   []string{"  again: make simulate SEED=7 WITHOUT=0,1,2,3,5,6,7"},
		},
		"and a violation that does not come again": {
			runs: func(run int) bool { return run == 1 },
			lines: []string{
				"simulate: seed 7 did not have lost again in 3 runs of the same schedule: " +
					"the seed does not decide the order of goroutines",
				"  again: make simulate SEED=7",
			},
			none: "also with",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			var out strings.Builder
			runs := 0
			d := newDrive(Config{
				First: 7, Seeds: 1, Parallel: 1, Failures: 1, Flaw: row.flaw, Without: row.without,
				Out: &out,
			}, func(_ context.Context, seed uint64, without []int) (result, error) {
				runs++
				r := report.Report{Seed: seed, Steps: steps, Faults: 8 - len(without)}
				if !slices.Contains(without, 4) && (row.runs == nil || row.runs(runs)) {
					violate(&r)
				}
				return result{Report: r}, nil
			})
			if err := d.drive(t.Context()); !errors.Is(err, ErrViolated) {
				t.Errorf("error %v", err)
			}
			for _, want := range row.lines {
				if !strings.Contains(out.String(), want+"\n") {
					t.Errorf("no line %q in:\n%s", want, &out)
				}
			}
			if row.none != "" && strings.Contains(out.String(), row.none) {
				t.Errorf("%q in:\n%s", row.none, &out)
			}
		})
	}
}

func TestTheOutputOfACrashIsKeptAndNamed(t *testing.T) {
	s := newPlayer(t, "unfinished", "")
	var out strings.Builder
	d := newDrive(Config{First: 7, Seeds: 1, Parallel: 1, Failures: 1, Out: &out}, s.run)
	if err := d.drive(t.Context()); !errors.Is(err, ErrViolated) {
		t.Errorf("error %v", err)
	}
	cleanUp(s.kept)
	left, err := os.ReadDir(s.kept)
	if err != nil || len(left) != 1 {
		t.Fatalf("files %v, error %v: want the output of the first run", left, err)
	}
	kept := filepath.Join(s.kept, left[0].Name())
	for _, want := range []string{
		"  VIOLATION crash      seed 7: exit status 2 without a report: panic: a worker panicked\n",
		"  the output is in " + kept + "\n", "also with 0 of 8 faults, after 2 runs\n",
		"  again: make simulate SEED=7 WITHOUT=0,1,2,3,4,5,6,7\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in:\n%s", want, &out)
		}
	}
	text, err := os.ReadFile(kept)
	if err != nil || !strings.Contains(string(text), "goroutine 1 [running]") {
		t.Errorf("the kept output, error %v:\n%s", err, text)
	}
}

func TestACrashBeforeTheStepsIsNotShrunk(t *testing.T) {
	s := newPlayer(t, "unwritten", "")
	var out strings.Builder
	d := newDrive(Config{First: 7, Seeds: 1, Parallel: 1, Failures: 1, Out: &out}, s.run)
	if err := d.drive(t.Context()); !errors.Is(err, ErrViolated) {
		t.Errorf("error %v", err)
	}
	want := "  no schedule is known: no fault can be left out\n  again: make simulate SEED=7\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("no %q in:\n%s", want, &out)
	}
}

func TestAnErrorOfOneRunEndsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{}
		full := errors.New("no room on the disk")
		d := newDrive(Config{Seeds: 100, Parallel: 2, Failures: 1, Out: t.Output()},
			func(ctx context.Context, seed uint64, without []int) (result, error) {
				if seed == 2 {
					return result{}, full
				}
				return l.run(ctx, seed, without)
			})
		if err := d.drive(t.Context()); !errors.Is(err, full) || !strings.Contains(err.Error(), "seed 2:") {
			t.Errorf("error %v", err)
		}
		if len(l.ran) > 4 {
			t.Errorf("ran seeds %v after the error", l.ran)
		}
	})
}

func TestAFlawIsSearchedUntilASeedFindsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{judge: func(r *report.Report) {
			if r.Seed >= 5 {
				violate(r)
			}
		}}
		c := Config{Parallel: 2, Out: t.Output()}
		f, err := c.search(t.Context(), l.run, SeedsOfAFlaw)
		if err != nil || f.what != "lost" || f.seed != 5 && f.seed != 6 {
			t.Errorf("finding %+v, error %v", f, err)
		}
		if len(l.ran) > 8 || l.most != 2 {
			t.Errorf("ran seeds %v, %d at a time", l.ran, l.most)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := &line{}
		c := Config{Parallel: 2, Out: t.Output()}
		f, err := c.search(t.Context(), l.run, SeedsOfAFlaw)
		if err != nil || f.what != "" || len(l.ran) != SeedsOfAFlaw {
			t.Errorf("finding %+v, error %v after %d seeds", f, err, len(l.ran))
		}
	})
}

func TestAFlawIsFoundOnlyByAViolationOfItsOwn(t *testing.T) {
	for promise, row := range map[string]struct {
		// fails are the seeds that fail without a flaw.
		fails []uint64
		err   error
	}{
		"the seed is without a violation if the flaw is out": {fails: []uint64{4, 6}},
		"the seed has a violation also if the flaw is out":   {fails: []uint64{5}, err: ErrViolated},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sound := &line{judge: func(r *report.Report) {
					if slices.Contains(row.fails, r.Seed) {
						violate(r)
					}
				}}
				err := finding{name: "float", seed: 5, what: "changed"}.check(t.Context(), sound.run)
				if !errors.Is(err, row.err) || !slices.Equal(sound.ran, []uint64{5}) {
					t.Errorf("error %v after seeds %v", err, sound.ran)
				}
			})
		})
	}
}

func TestTheTableOfFlawsNamesThoseThatWereNotFound(t *testing.T) {
	var out strings.Builder
	err := Config{Out: &out}.printFindings([]finding{
		{name: "float", seed: 3, what: "changed", took: 4 * time.Second},
		{name: "own-rates", took: 300 * time.Second},
	})
	if !errors.Is(err, ErrMissed) || !strings.Contains(err.Error(), "own-rates") ||
		strings.Contains(err.Error(), "float") {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"float 3 changed 4 s", "own-rates - NOT FOUND 300 s"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

func TestAnUnknownFlawIsNotBuilt(t *testing.T) {
	for _, err := range []error{
		Run(t.Context(), Config{Out: t.Output(), Flaw: "luck"}),
		RunFlaws(t.Context(), Config{Out: t.Output()}, []string{"float", "luck"}),
	} {
		if err == nil || !strings.Contains(err.Error(), `no flaw "luck"`) {
			t.Errorf("error %v", err)
		}
	}
}
