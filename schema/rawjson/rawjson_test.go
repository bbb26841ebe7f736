package rawjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema/rawjson"
)

// texts are JSON and texts that are nearly JSON.
var texts = []string{
	``, ` `, `{}`, `[]`, ` { } `, "\n[\t]\r\n", `null`, `true`, `false`, `nul`, `nulll`, `True`,
	`0`, `-0`, `00`, `01`, `1.`, `.1`, `1.0`, `-`, `+1`, `1e5`, `1E+05`, `1e`, `1e-`, `1.5e-03`,
	`12345678901234567890.10`, `1 2`, `"a"`, `"a`, `"`, `"\"`, `"\\"`, `"\/\b\f\n\r\t\""`, `"\x"`,
	`"\u00e9"`, `"\ud800"`, `"\u00g0"`, `"\u00`, `"\`, "\"\x00\"", "\"\n\"", "\"\x7f\"",
	"\"\xff\"", "\"\u2028<&>\"", "\xff", "\ufeff{}", `{"a":1}`, `{"a":1,}`, `{"a"}`, `{a:1}`,
	`{"a":1 "b":2}`, `{"a":1,"a":2}`, `{1:2}`, `{,}`, `{`, `}`, `{"a":`, `{"a"`, `[1,2]`, `[1,]`,
	`[,1]`, `[1 2]`, `[`, `]`, `[}`, `{]`, `[1}`, `[[[[]]]]`, ` { "a" : [ 1 , { "b" : "} ]," } ] } `,
	`[1, "two", [3], {"four": 4}, null, true, false]`, "[1,\f2]", "[1]\x00", `"a" `, `1 `, `{} {}`,
	`{"text":"eight or more letters, then an \u0041 escape and \"quotes\" and\ttab"}`,
	`{"text":"eight or more letters, then an \u0041 escape and \"quotes\" and \\"}`,
}

func FuzzAJSONTextIsThatOfTheStandardLibrary(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := rawjson.Check(text, rawjson.DepthMax)
		if valid := json.Valid(text); valid != (err == nil) {
			t.Fatalf("%q: Check returns %v, valid is %v", text, err, valid)
		}
		var got, want bytes.Buffer
		wrong := json.Compact(&want, text)
		err = rawjson.WriteCompact(&got, text)
		if (wrong == nil) != (err == nil) || err == nil && got.String() != want.String() {
			t.Errorf("%q becomes %q and %v, want %q and %v", text, &got, err, &want, wrong)
		}
	})
}

func TestATextIsNestedAsDeeplyAsAllowedAndNoDeeper(t *testing.T) {
	for promise, row := range map[string]struct {
		text string
		max  int
		want error
	}{
		"no value nests nothing":            {`7`, 0, nil},
		"as deep as allowed":                {`{"a":[7]}`, 2, nil},
		"an array deeper":                   {`{"a":[7]}`, 1, rawjson.ErrDepth},
		"an object deeper":                  {`[{}]`, 1, rawjson.ErrDepth},
		"siblings do not count as levels":   {`[[],{},[{}],{"a":[]}]`, 3, nil},
		"brackets in a text are no nesting": {`["[[[{{{"]`, 1, nil},
		"the first of two faults is told":   {`[[}`, 1, rawjson.ErrDepth},
		"a fault before the depth":          {`[1 [[`, 1, rawjson.ErrSyntax},
		"as deep as encoding/json reads": {
			strings.Repeat("[", rawjson.DepthMax) + strings.Repeat("]", rawjson.DepthMax),
			rawjson.DepthMax, nil,
		},
		"deeper than encoding/json reads": {
			strings.Repeat("[", rawjson.DepthMax+1) + strings.Repeat("]", rawjson.DepthMax+1),
			rawjson.DepthMax, rawjson.ErrDepth,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			if err := rawjson.Check([]byte(row.text), row.max); !errors.Is(err, row.want) {
				t.Errorf("Check returns %v, want %v", err, row.want)
			}
			if row.max == rawjson.DepthMax && json.Valid([]byte(row.text)) != (row.want == nil) {
				t.Errorf("encoding/json has another limit than %d", rawjson.DepthMax)
			}
		})
	}
}

// full is a writer that takes some parts and no more.
type full struct{ parts int }

var errFull = errors.New("full")

func (f *full) Write(part []byte) (int, error) {
	if f.parts == 0 {
		return 0, errFull
	}
	f.parts--
	return len(part), nil
}

func TestTheFirstErrorOfTheWriterIsReturned(t *testing.T) {
	for parts := range 4 {
		err := rawjson.WriteCompact(&full{parts}, []byte(` {"a" :1, "b":2} `))
		if want := parts < 3; want != errors.Is(err, errFull) {
			t.Errorf("with room for %d parts of 3, the error is %v", parts, err)
		}
	}
}

func TestACompactTextIsOnePartAndNeedsNoMemory(t *testing.T) {
	text := []byte(`{"id":"1","list":[1,2.50,{"a":null}],"text":"with spaces \" in it"}`)
	w := &full{}
	allocations := testing.AllocsPerRun(100, func() {
		w.parts = 1
		if err := rawjson.WriteCompact(w, text); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkWriteCompact(b *testing.B) {
	record := []byte(`{"id":"0b9a3c52-7777-4888-9999-aaaabbbbcccc","pay_date":"2026-01-09",` +
		`"gross_pay_amount":148350,"employer_name":"Acme \"Sons\"","external_id":null,` +
		`"taxes":[{"name":"Federal Income","category":"federal_income","amount":18543}]}`)
	list := []byte("[" + strings.Repeat(string(record)+",", 99) + string(record) + "]")
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	for b.Loop() {
		if err := rawjson.WriteCompact(io.Discard, list); err != nil {
			b.Fatal(err)
		}
	}
}
