package schema_test

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

func TestAnErrorQuotesNoContent(t *testing.T) {
	for text, want := range map[string]string{
		`{"time":"salary 4711"}`:                 "a value, such as a time",
		`{"data":{"attempts":4711.25}}`:          `member "data.attempts", before byte`,
		`{"data":{"attempts":"salary 4711"}}`:    `member "data.attempts", before byte`,
		`{"data":{"resources":4711},"salary":1}`: `member "data.resources", before byte`,
		`{"data":4711}`:                          `member "data", before byte`,
		`4711`:                                   `member "", before byte`,
		`salary 4711`:                            "no JSON from byte 1 on",
		`{"data":`:                               "no JSON from byte",
	} {
		for _, target := range []any{new(schema.Completion), new(schema.Account)} {
			err := schema.DecodeJSON([]byte(text), target)
			if err == nil {
				continue // the other type has no such member
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
			if strings.Contains(err.Error(), "4711") || strings.Contains(err.Error(), "salary") {
				t.Errorf("%s: the error quotes it: %v", text, err)
			}
		}
	}
}

func TestATimeIsNotQuoted(t *testing.T) {
	for _, text := range []string{"salary 4711", "4711-01-01", "9999-12-31T23:59:59-23:59"} {
		if _, err := schema.ParseTime(text); err == nil || strings.Contains(err.Error(), text) {
			t.Errorf("the error is %v", err)
		}
	}
}
