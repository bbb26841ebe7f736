package rawjson_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema/rawjson"
)

var documents = []string{
	`{}`, `[]`, ` { } `, "\n[ ]\n", `null`, `1`, `"{}"`, `"[1]"`,
	`{"a":1}`, `{"data":[{"id":"1"},{"id":"2"}],"meta":{"next":"x"}}`,
	` { "a" : [ 1 , { "b" : "}]," } ] , "c" : "\"\\" , "d" : -1.5e+3 } `,
	`[1, "two", [3], {"four": 4}, null, true, false]`, `["\\","\"",",]}"]`,
	`{"a":1,"a":2}`, `{"\u0061":"é"}`, `[[[[]]]]`, `[{},[]]`,
}

// parts are the members and elements of a document.
type parts struct {
	Names    []string
	Values   []string
	Elements []string
}

func partsOf(doc []byte) parts {
	var p parts
	for name, value := range rawjson.Members(doc) {
		p.Names = append(p.Names, name)
		p.Values = append(p.Values, string(value))
	}
	for element := range rawjson.Elements(doc) {
		p.Elements = append(p.Elements, string(element))
	}
	return p
}

// wantParts reads the same with the standard library, which copies.
func wantParts(doc []byte) parts {
	var p parts
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	open, _ := d.Token()
	for (open == json.Delim('{') || open == json.Delim('[')) && d.More() {
		if open == json.Delim('{') {
			name, _ := d.Token()
			p.Names = append(p.Names, name.(string))
		}
		var value json.RawMessage
		_ = d.Decode(&value)
		if open == json.Delim('{') {
			p.Values = append(p.Values, string(value))
		} else {
			p.Elements = append(p.Elements, string(value))
		}
	}
	return p
}

func FuzzPartsAreThoseOfTheStandardLibrary(f *testing.F) {
	for _, doc := range documents {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		got := partsOf([]byte(doc)) // must not panic, whatever doc is
		if !json.Valid([]byte(doc)) {
			return
		}
		if diff := cmp.Diff(wantParts([]byte(doc)), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doc, diff)
		}
	})
}

func TestPartsAreNoCopies(t *testing.T) {
	doc := []byte(`{"data": [ {"id":"1"}, 2 ]}`)
	within := func(part []byte) bool {
		begin := uintptr(unsafe.Pointer(unsafe.SliceData(doc)))
		at := uintptr(unsafe.Pointer(unsafe.SliceData(part)))
		return begin <= at && at+uintptr(len(part)) <= begin+uintptr(len(doc))
	}
	for _, value := range rawjson.Members(doc) {
		for element := range rawjson.Elements(value) {
			if !within(value) || !within(element) {
				t.Errorf("%s is a copy", element)
			}
			if cap(element) != len(element) {
				t.Errorf("an append to %s would change the document", element)
			}
		}
	}
}
