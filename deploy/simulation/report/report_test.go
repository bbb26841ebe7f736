package report_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/simulation/report"
)

var whole = report.Report{
	Seed: 7, Hours: 500.5, Webhooks: 40, Events: 41, Completions: 42, Faults: 3, Fired: 2, Kills: 1,
	Waits: 9, Steps: []string{"1h0m0s kill ingress", "2h0m0s outage", "3h0m0s full"},
	Violations: []report.Violation{{What: "lost", ID: "pinwheel:e-1", Why: "no completion"}},
}

func TestAReportIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report")
	for _, want := range []report.Report{
		{Seed: 7, Running: true, Steps: whole.Steps}, whole,
	} {
		if err := want.Write(path); err != nil {
			t.Fatal(err)
		}
		got, err := report.Read(path)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v (-want +got)\n%s", err, diff)
		}
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("files %v, error %v: want the report alone", names, err)
	}
}

func TestAMissingReportIsNotABrokenOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report")
	if _, err := report.Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"seed": 7, "ho`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Read(path); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a file: error %v", err)
	}
}
