package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wagewire/wagewire/deploy/chaos"
)

func TestReadConfig(t *testing.T) {
	for promise, row := range map[string]struct {
		variables map[string]string
		broken    bool
		want      chaos.Config
		err       string
	}{
		"without variables a run lasts two minutes": {
			want: chaos.Config{For: 2 * time.Minute, Nodes: 1, PerS: 60},
		},
		"a broken build is given 40 seconds": {
			broken: true, want: chaos.Config{For: 40 * time.Second, Nodes: 1, PerS: 60},
		},
		"every variable is read": {
			variables: map[string]string{
				"CHAOS_FOR": "1h", "CHAOS_NODES": "3", "CHAOS_SYNC": "always", "CHAOS_RATE": "7",
				"CHAOS_BREAK": "float",
			},
			want: chaos.Config{For: time.Hour, Nodes: 3, SyncAlways: true, PerS: 7, Break: "float"},
		},
		"a wrong duration is named": {
			variables: map[string]string{"CHAOS_FOR": "long"}, err: "CHAOS_FOR:",
		},
		"a duration of nothing is refused": {
			variables: map[string]string{"CHAOS_FOR": "0s"}, err: "CHAOS_FOR:",
		},
		"a wrong seed is named": {
			variables: map[string]string{"CHAOS_SEED": "-1"}, err: `CHAOS_SEED: "-1" is not a number`,
		},
		"two nodes are refused": {
			variables: map[string]string{"CHAOS_NODES": "2"}, err: "CHAOS_NODES: 2 is neither",
		},
		"an unknown sync is refused": {
			variables: map[string]string{"CHAOS_SYNC": "never"}, err: "CHAOS_SYNC:",
		},
		"no webhooks at all are refused": {
			variables: map[string]string{"CHAOS_RATE": "0"}, err: "CHAOS_RATE:",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			getenv := func(name string) string { return row.variables[name] }
			got, err := readConfig(getenv, row.broken)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Errorf("error %v, want %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			ignored := cmpopts.IgnoreFields(chaos.Config{}, "Root", "Seed")
			if diff := cmp.Diff(row.want, got, ignored); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAGivenSeedIsUsed(t *testing.T) {
	got, err := readConfig(func(name string) string {
		return map[string]string{"CHAOS_SEED": "4711"}[name]
	}, false)
	if err != nil || got.Seed != 4711 {
		t.Errorf("seed %d, error %v: want 4711", got.Seed, err)
	}
}

func TestExitCodes(t *testing.T) {
	for promise, row := range map[string]struct {
		args      []string
		variables map[string]string
		code      int
		stdout    string
		stderr    string
	}{
		"help is on standard output": {
			args: []string{"--help"}, code: 0, stdout: "CHAOS_SEED",
		},
		"an unknown flag is 2": {
			args: []string{"--brken"}, code: 2, stderr: "unknown flag: --brken",
		},
		"an argument is 2": {
			args: []string{"now"}, code: 2, stderr: `there is no command "now"`,
		},
		"a wrong variable is 2": {
			variables: map[string]string{"CHAOS_NODES": "many"}, code: 2,
			stderr: `CHAOS_NODES: "many" is not a number`,
		},
		"an unknown flaw is 2": {
			variables: map[string]string{"CHAOS_BREAK": "luck"}, code: 2,
			stderr: `no flaw "luck"`,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			var stdout, stderr strings.Builder
			getenv := func(name string) string { return row.variables[name] }
			code := run(t.Context(), row.args, getenv, nil, &stdout, &stderr)
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
