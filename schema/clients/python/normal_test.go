package python_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/normal"
)

// vectors is the folder of the tests that the implementations of the normalised model share.
const vectors = "../../normal/testdata"

// question is a record for tests/normalise.py.
type question struct {
	Provider schema.Provider `json:"provider"`
	Resource schema.Resource `json:"resource"`
	Record   json.RawMessage `json:"record"`
	// EmploymentID is that of the completion.
	EmploymentID string `json:"employment_id,omitempty"`
}

// normalised is the answer to a question: the model or an error.
type normalised struct {
	Normal any    `json:"normal"`
	Error  string `json:"error"`
	Has    bool   `json:"has"`
}

// normalise runs tests/normalise.py on the questions, and returns an answer for each.
func normalise(t *testing.T, questions []question, args ...string) []normalised {
	t.Helper()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, q := range questions {
		must(t, encoder.Encode(q))
	}
	decoder := json.NewDecoder(bytes.NewReader(runNormalise(t, &lines, args...)))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	answers := make([]normalised, len(questions))
	for i := range answers {
		must(t, decoder.Decode(&answers[i]))
	}
	if decoder.More() {
		t.Error("the program says more than it was asked")
	}
	return answers
}

func runNormalise(t *testing.T, stdin *bytes.Buffer, args ...string) []byte {
	t.Helper()
	needsPython(t)
	path, _ := library()
	args = append([]string{"tests/normalise.py"}, args...)
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "python3", args...)
	command.Env = environment(path)
	command.Stdin = stdin
	command.Stderr = t.Output()
	text, err := command.Output()
	must(t, err)
	return text
}

// vector is a file of the folder: a question, and the answer to it.
type vector struct {
	question

	Normal json.RawMessage `json:"normal"`
	Error  string          `json:"error"`
}

// readVectors returns every vector by the name of its file. A file of another form fails.
func readVectors(t *testing.T) map[string]vector {
	t.Helper()
	entries, err := os.ReadDir(vectors)
	must(t, err)
	read := map[string]vector{}
	for _, entry := range entries {
		if entry.Name() == "README.md" || entry.Name() == "words" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(vectors, entry.Name()))
		must(t, err)
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		var v vector
		if err := decoder.Decode(&v); err != nil {
			t.Fatalf("%s is no vector: %v", entry.Name(), err)
		}
		if (v.Normal == nil) == (v.Error == "") {
			t.Fatalf("%s has not one of normal and error", entry.Name())
		}
		read[strings.TrimSuffix(entry.Name(), ".json")] = v
	}
	if len(read) < 50 {
		t.Fatalf("there are %d vectors", len(read))
	}
	return read
}

// sortedNames returns the names of the vectors in a fixed order.
func sortedNames(all map[string]vector) []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func decodeNumbers(t *testing.T, text json.RawMessage) any {
	t.Helper()
	if text == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	must(t, decoder.Decode(&value))
	return value
}

func TestEveryVectorGivesItsModel(t *testing.T) {
	t.Parallel()
	all := readVectors(t)
	names := sortedNames(all)
	var questions []question
	for _, name := range names {
		questions = append(questions, all[name].question)
	}
	answers := normalise(t, questions)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := all[name]
			want := normalised{
				Normal: decodeNumbers(t, v.Normal),
				Error:  v.Error,
				Has:    normal.Has(v.Provider, v.Resource),
			}
			if diff := cmp.Diff(want, answers[i]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEveryWordHasTheKindOfTheTable(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join(vectors, "words/words.json"))
	must(t, err)
	got := runNormalise(t, &bytes.Buffer{}, "words")
	if diff := cmp.Diff(decodeNumbers(t, want), decodeNumbers(t, got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAFloatIsUnread(t *testing.T) {
	t.Parallel()
	record := `{"id":"p-1","gross_pay_amount":15e2,"net_pay_amount":12,"earnings":[{"hours":7.5}]}`
	questions := []question{
		{Provider: schema.Pinwheel, Resource: schema.Paystubs, Record: json.RawMessage(record)},
	}
	want := decodeNumbers(t, json.RawMessage(`{
		"kind": "paystub",
		"paystub": {"id": "p-1", "net_pay": {"minor": 12}, "earnings": [{}]},
		"unread": ["$.earnings[0].hours", "$.gross_pay_amount"]
	}`))
	got := normalise(t, questions, "floats")
	if diff := cmp.Diff([]normalised{{Normal: want, Has: true}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// oddValues replace the members of records, each in its turn.
var oddValues = []string{
	`null`, `true`, `false`, `""`, `" "`, `{}`, `[]`, `[null]`, `["", "x"]`, `[1, {}, []]`, `[{}]`,
	`0`, `-0`, `-0.0`, `1.50`, `1e2`, `-1E-7`, `1.690e5`, `0e9999`, `0e10000`, `1e99`, `1e100`,
	`1e-99`, `1e-100`, `1e-9999`, `1e10000`, `123456789012345678901234567890`,
	`0.1234567890123456789012345678901234567890`, `9223372036854775807`, `9223372036854775808`,
	`-9223372036854775808`, `-9223372036854775809`, `92233720368547758.070`,
	`"12.34"`, `"12.345"`, `"012.30"`, `"-0.00"`, `"1e2"`, `"1e+00002"`, `"1e-9999"`, `"1e10000"`,
	`"92233720368547758.07"`, `"92233720368547758.08"`, `"0x1"`, `"1_000"`, `"1,000"`, `"+1"`,
	`" 1"`, `"1\n"`, `"1."`, `".5"`, `"Infinity"`, `"NaN"`, `"١٢"`, `"１２"`, `"1e"`,
	`"1e` + strings.Repeat("0", 5000) + `1"`, `"` + strings.Repeat("9", 5000) + `"`,
	strings.Repeat("9", 5000), `1.` + strings.Repeat("0", 5000), `1` + strings.Repeat("0", 100),
	`"2024-02-29"`, `"2026-02-29"`, `"2026-2-01"`, `"0000-01-01"`, `"0001-01-01"`, `"20260101"`,
	`"2026-01-01\n"`, `"2026-W01-1"`, `"٢٠٢٦-01-01"`, `"2026-01-01T01:02:03.1200Z"`,
	`"2026-01-01 23:59:59-00:00"`, `"2026-01-01T24:00:00Z"`, `"2026-01-01T01:02:60Z"`,
	`"2026-01-01T01:02:03"`, `"2026-01-01T01:02:03z"`, `"2026-01-01T01:02:03.0123456789Z"`,
	`"2026-02-30T01:02:03+05:30"`, `"2026-01-01T01:02:03+24:00"`, `"2026-01-01T01:02:03.000+05:30"`,
	`"Full-Time"`, `"full_time"`, `"FULL TİME"`, `"employed"`, `"federal"`, `"garnishment"`, `"S"`,
	`"YEARLY"`, `"other"`, `"__class__"`, `"USD"`, `"usd"`, `"USD\n"`, `"ÄÖÜ"`, `"1234"`,
	`"***-**-1234"`, `"1234\n"`, `"12٣4"`, `"é123"`,
}

// oddRecords are the record with each of its values replaced, one after the other, by two values.
func oddRecords(t *testing.T, record any, odd func() json.RawMessage) []json.RawMessage {
	t.Helper()
	var records []json.RawMessage
	replace := func(set func(any), old any) {
		for range 2 {
			set(odd())
			text, err := json.Marshal(record)
			must(t, err)
			records = append(records, text)
		}
		set(old)
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for i, old := range value {
				replace(func(to any) { value[i] = to }, old)
				walk(old)
			}
		case map[string]any:
			var names []string
			for name := range value {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				old := value[name]
				replace(func(to any) { value[name] = to }, old)
				walk(old)
			}
		}
	}
	walk(record)
	return records
}

// modelOf is the answer of the package normal to a question.
func modelOf(t *testing.T, q question) normalised {
	t.Helper()
	data := schema.CompletionData{
		Provider: q.Provider, Resource: q.Resource, EmploymentID: q.EmploymentID,
	}
	record, err := normal.OfCompletion(data, q.Record)
	if errors.Is(err, normal.ErrNoModel) {
		return normalised{Error: "no model"}
	}
	must(t, err)
	text, err := json.Marshal(record)
	must(t, err)
	return normalised{Normal: decodeNumbers(t, text), Has: true}
}

func TestOddValuesGiveTheModelOfGo(t *testing.T) {
	t.Parallel()
	all := readVectors(t)
	turn := 0
	odd := func() json.RawMessage {
		value := oddValues[turn%len(oddValues)]
		turn++
		return json.RawMessage(value)
	}
	var questions []question
	for _, name := range sortedNames(all) {
		v := all[name]
		for _, record := range oddRecords(t, decodeNumbers(t, v.Record), odd) {
			questions = append(questions,
				question{v.Provider, v.Resource, record, v.EmploymentID})
		}
	}
	if turn < 10*len(oddValues) {
		t.Fatalf("%d records have an odd value", turn)
	}
	for i, got := range normalise(t, questions) {
		if diff := cmp.Diff(modelOf(t, questions[i]), got); diff != "" {
			t.Fatalf("the record number %d, %.2000s\n-Go +Python:\n%s",
				i, questions[i].Record, diff)
		}
	}
}
