package normal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/normal"
)

var update = flag.Bool("update", false, "write the results of the vectors again")

// vector is a file of testdata: a record, and either its normalised form or the error.
type vector struct {
	Provider schema.Provider `json:"provider"`
	Resource schema.Resource `json:"resource"`
	// EmploymentID is that of the completion.
	EmploymentID string          `json:"employment_id,omitempty"`
	Record       json.RawMessage `json:"record"`
	Normal       json.RawMessage `json:"normal,omitempty"`
	Error        string          `json:"error,omitempty"`
}

// of returns the vector with the result of the package in place of the file's.
func (v vector) of(t *testing.T) vector {
	t.Helper()
	v.Normal = nil
	v.Error = ""
	data := schema.CompletionData{
		Provider: v.Provider, Resource: v.Resource, EmploymentID: v.EmploymentID,
	}
	record, err := normal.OfCompletion(data, v.Record)
	if errors.Is(err, normal.ErrNoModel) {
		v.Error = "no model"
		return v
	}
	if errors.Is(err, normal.ErrNoObject) {
		v.Error = "no object"
		return v
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	v.Normal = text
	return v
}

func indented(t *testing.T, v vector) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// vectors returns every vector by the name of its file.
func vectors(t testing.TB) map[string]vector {
	t.Helper()
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) == 0 {
		t.Fatal("there are no vectors", err)
	}
	read := map[string]vector{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.HasPrefix(filepath.Base(name), string(v.Provider)+"."+string(v.Resource)+".") {
			t.Errorf("%s is a vector of %s %s", name, v.Provider, v.Resource)
		}
		read[name] = v
	}
	return read
}

func TestVectors(t *testing.T) {
	for name, want := range vectors(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			current(t, name, indented(t, want.of(t)))
		})
	}
}

func TestTheFileOfWordsHasTheWordsOfEveryField(t *testing.T) {
	text, err := json.MarshalIndent(normal.WordTables, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	current(t, "testdata/words/words.json", string(text)+"\n")
}

// current compares a file with what the code makes of it.
func current(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s differs from the code. If the code is right, run in schema/: "+
			"go test ./normal -update\n(-file +code):\n%s", name, diff)
	}
}
