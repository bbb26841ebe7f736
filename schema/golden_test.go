package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

var update = flag.Bool("update", false,
	"write the golden files, asyncapi.yaml and the tables of README.md again")

// golden compares got with testdata/<name>.golden.json, indented. A difference is a change of the
// contract with everybody downstream.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "  "); err != nil {
		t.Fatalf("%v\nin %s", err, got)
	}
	indented.WriteByte('\n')
	current(t, filepath.Join("testdata", name+".golden.json"), indented.String())
}

// current compares a generated file with the wanted text.
func current(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v\nrun in schema/: go test . -update", err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s differs from the code. If the code is right, run in schema/: "+
			"go test . -update\n(-file +code):\n%s", path, diff)
	}
}

// compare fails the test if got differs from want.
func compare(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// employmentAdded is an event, received in the second after its time.
func employmentAdded() schema.Event {
	return schema.Event{
		Provider: schema.Pinwheel, ID: "5a141122-4235-4fa1-bd76-0628573880b0",
		Type: "employment.added", Resource: schema.Employment, Action: schema.ActionAdded,
		AccountID:  "449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65",
		OccurredAt: time.Date(2026, 1, 12, 2, 36, 1, 287_148_000, time.UTC),
		ReceivedAt: time.Date(2026, 1, 12, 2, 36, 1, 912_000_000, time.UTC),
		Body:       []byte(`{}`),
	}
}
