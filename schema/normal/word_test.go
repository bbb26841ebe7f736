package normal

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The file has the words of each field, for programs in other languages.
func TestWordsFileHasTheWordsOfEveryField(t *testing.T) {
	fields := map[string]wordTable{
		"deduction.category":   deductions,
		"deduction.timing":     timings,
		"earning.category":     earnings,
		"employment.status":    statuses,
		"employment.type":      employmentTypes,
		"income.pay_frequency": frequencies,
		"income.unit":          units,
		"paystub.basis":        bases,
		"phone.type":           phones,
		"report.type":          reports,
		"shift.type":           shiftTypes,
		"tax.category":         taxes,
		"time_off.category":    timesOff,
	}
	text, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	const name = "testdata/words/words.json"
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, text) {
		t.Errorf("run in schema/: go test ./normal -update\n(-file +code):\n%s",
			cmp.Diff(string(file), string(text)))
	}
}
