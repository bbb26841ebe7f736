package seeds

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARunIsJudgedByItsReportAndItsEnd(t *testing.T) {
	for promise, row := range map[string]struct {
		part string
		// what is the name of the only violation, and why a part of its text.
		what string
		why  []string
		// steps is the number of steps that are known.
		steps int
		// err is a part of the error if there was no run.
		err string
	}{
		"a sound run has no violation":               {part: "sound", steps: 8},
		"a violation is one":                         {part: "violation", what: "lost", why: []string{"gone"}, steps: 8},
		"a panic before any report is a crash":       {part: "unwritten", what: crashed, why: []string{"exit status 2 without a report: panic: deadlock: all", "\ngoroutine 1 ["}},
		"a panic after the steps is a crash":         {part: "unfinished", what: crashed, why: []string{"without a report: panic: a worker panicked", "\ngoroutine 1 ["}, steps: 8},
		"an end without a report is a crash":         {part: "silent", what: crashed, why: []string{"exit status 0 without a report"}},
		"a failure without a violation is a crash":   {part: "leak", what: crashed, why: []string{"exit status 1\nfound unexpected goroutines"}, steps: 8},
		"half a report is no run":                    {part: "broken", err: "read the report"},
		"the report of another seed is no run":       {part: "stranger", err: "the simulation of seed 7 reports seed 8"},
		"a binary that refuses its flags is a crash": {part: "nobody", what: crashed, why: []string{`no part "nobody"`}},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			s := newPlayer(t, row.part, "")
			r, err := s.run(t.Context(), 7, nil)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Errorf("error %v, want %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Seed != 7 || len(r.Steps) != row.steps {
				t.Errorf("seed %d with %d steps, want 7 with %d", r.Seed, len(r.Steps), row.steps)
			}
			left, err := os.ReadDir(s.kept)
			if err != nil {
				t.Fatal(err)
			}
			if row.what == "" {
				if len(r.Violations) > 0 || r.output != "" || len(left) > 0 {
					t.Errorf("violations %v, output %q, files %v", r.Violations, r.output, left)
				}
				return
			}
			if len(r.Violations) != 1 || r.Violations[0].What != row.what {
				t.Fatalf("violations %v, want %s", r.Violations, row.what)
			}
			for _, why := range row.why {
				if !strings.Contains(r.Violations[0].Why, why) {
					t.Errorf("the violation does not say %q:\n%s", why, r.Violations[0].Why)
				}
			}
			if len(left) != 1 || filepath.Join(s.kept, left[0].Name()) != r.output {
				t.Errorf("files %v, want the output %s alone", left, r.output)
			}
		})
	}
}

func TestARunIsToldWhatToDo(t *testing.T) {
	s := newPlayer(t, "told", "")
	s.flaw = "no-fence"
	r, err := s.run(t.Context(), 7, []int{2, 5})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.output)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("without [2 5] flaw no-fence in %s\n", s.dir), "GOMAXPROCS 1\n", "GOGC 400\n",
		"TMPDIR " + s.kept,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the run was not told %q:\n%s", want, text)
		}
	}
}

func TestABinaryThatIsNotThereIsNoRun(t *testing.T) {
	s := newPlayer(t, "sound", "")
	s.binary = filepath.Join(t.TempDir(), "gone")
	if _, err := s.run(t.Context(), 7, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestTheEndOfTheContextKillsARunAndItsChildren(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := newPlayer(t, "hanging", listener.Addr().String())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stop := errors.New("stop")
	ran := make(chan error, 1)
	go func() {
		d := newDrive(Config{Out: t.Output(), Seeds: 1, Parallel: 1, Failures: 1}, s.run)
		ran <- d.drive(ctx)
	}()
	first := awaitLine(t, listener)
	second := awaitLine(t, listener)
	cancel(stop)
	<-first
	<-second
	if err := <-ran; !errors.Is(err, stop) {
		t.Errorf("error %v, want the cause", err)
	}
	if left, err := os.ReadDir(s.kept); err != nil || len(left) > 0 {
		t.Errorf("files %v, error %v: want none", left, err)
	}
}
