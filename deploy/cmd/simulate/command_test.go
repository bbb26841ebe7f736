package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/simulation/seeds"
)

func TestFlagsCompleteEachOther(t *testing.T) {
	for promise, row := range map[string]struct {
		given string
		in    seeds.Config
		want  seeds.Config
	}{
		"without flags, new seeds are started for two minutes": {
			want: seeds.Config{For: 2 * time.Minute},
		},
		"a seed alone is run alone": {
			given: "seed", in: seeds.Config{First: 7}, want: seeds.Config{First: 7, Seeds: 1},
		},
		"a seed and a number have no time": {
			given: "seed seeds", in: seeds.Config{First: 7, Seeds: 9},
			want: seeds.Config{First: 7, Seeds: 9},
		},
		"a seed and a time have no number": {
			given: "seed for", in: seeds.Config{First: 7, For: time.Hour},
			want: seeds.Config{First: 7, For: time.Hour},
		},
		"a number alone has no time": {
			given: "seeds", in: seeds.Config{Seeds: 9}, want: seeds.Config{Seeds: 9},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			o := options{Config: row.in}
			o.Parallel = 1
			o.Failures = 1
			isGiven := func(name string) bool {
				return slices.Contains(strings.Fields(row.given), name)
			}
			if err := o.complete(isGiven, nil); err != nil {
				t.Fatal(err)
			}
			ignored := cmpopts.IgnoreFields(seeds.Config{}, "Parallel", "Failures")
			if !isGiven("seed") {
				row.want.First = o.First
			}
			if diff := cmp.Diff(row.want, o.Config, ignored); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	for promise, row := range map[string]struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"help is on standard output": {
			args: []string{"--help"}, stdout: "forgets-hold            a process does not ask",
		},
		"help has the number of processors": {
			args:   []string{"--help"},
			stdout: fmt.Sprintf("schedules at a time (default %d)", runtime.GOMAXPROCS(0)),
		},
		"an unknown flag is 2": {
			args: []string{"--brken"}, code: 2, stderr: "unknown flag: --brken",
		},
		"an argument is 2": {args: []string{"now"}, code: 2, stderr: `there is no command "now"`},
		"no seed at all is 2": {
			args: []string{"--seeds", "-1"}, code: 2, stderr: "--seeds: -1 is under 0",
		},
		"a time under 0 is 2": {
			args: []string{"--for", "-1s"}, code: 2, stderr: "--for: -1s is under 0",
		},
		"a run without an end is 2": {
			args: []string{"--seeds", "0"}, code: 2, stderr: "--seeds, --for: both are 0",
		},
		"no run at a time is 2": {
			args: []string{"--parallel", "0"}, code: 2, stderr: "--parallel: 0 is not over 0",
		},
		"no failure at all is 2": {
			args: []string{"--failures", "0"}, code: 2, stderr: "--failures: 0 is not over 0",
		},
		"faults of many seeds are 2": {
			args: []string{"--without", "2,5"}, code: 2, stderr: "--without: the numbers are",
		},
		"a fault under 0 is 2": {
			args: []string{"--seed", "7", "--without", "2,-5"}, code: 2,
			stderr: "--without: -5 is under 0",
		},
		"a fault that is no number is 2": {
			args: []string{"--seed", "7", "--without", "two"}, code: 2, stderr: "--without",
		},
		"an unknown flaw is 2": {
			args: []string{"--flaw", "flaot"}, code: 2,
			stderr: `no flaw "flaot": did you mean float?`,
		},
		"an unknown flaw to find is 2": {
			args: []string{"--broken", "float", "luck"}, code: 2, stderr: `no flaw "luck"`,
		},
		"a seed for flaws is 2": {
			args: []string{"--broken", "--seed", "7"}, code: 2,
			stderr: "--seed: not with --broken, which runs seeds 1 to 50",
		},
		"a directory without the simulation is 2": {
			args: []string{"--seed", "7"}, code: 2, stderr: "go test -c -o ",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var stdout, stderr strings.Builder
			code := run(t.Context(), row.args, os.Environ(), &stdout, &stderr)
			if code != row.code {
				t.Errorf("exit code %d, want %d", code, row.code)
			}
			if !strings.Contains(stdout.String(), row.stdout) {
				t.Errorf("standard output has no %q:\n%s", row.stdout, &stdout)
			}
			if !strings.Contains(stderr.String(), row.stderr) {
				t.Errorf("standard error has no %q:\n%s", row.stderr, &stderr)
			}
		})
	}
}

func TestTheEndOfARunHasItsExitCode(t *testing.T) {
	for promise, row := range map[string]struct {
		err  error
		code int
	}{
		"kept promises are 0":           {nil, 0},
		"violations are 1":              {fmt.Errorf("%w: by seeds 7", seeds.ErrViolated), 1},
		"runs that prove nothing are 1": {fmt.Errorf("%w: no fault", seeds.ErrVain), 1},
		"a flaw that was missed is 1":   {fmt.Errorf("%w: float", seeds.ErrMissed), 1},
		"everything else is 2":          {errors.New("no room on the disk"), 2},
	} {
		t.Run(promise, func(t *testing.T) {
			var out strings.Builder
			root := &cobra.Command{
				Use:  "simulate",
				RunE: func(*cobra.Command, []string) error { return exit(row.err, &out, "kept") },
			}
			code := command.Run(t.Context(), root, nil, io.Discard, io.Discard)
			if code != row.code || (out.String() == "simulate: kept\n") != (row.code == 0) {
				t.Errorf("exit code %d after %q, want %d", code, &out, row.code)
			}
		})
	}
}
