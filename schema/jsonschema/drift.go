package jsonschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// FindingsMax is the largest number of findings in one record.
const FindingsMax = 64

// DriftKind is a way in which a record differs from the provider's reference.
type DriftKind string

// The kinds of drift.
const (
	// UnknownField: the reference has no such field.
	UnknownField DriftKind = "unknown_field"
	// UnknownValue: the reference lists the values of the field, and the value is not among them.
	UnknownValue DriftKind = "unknown_value"
	// OtherType: the value has another JSON type than the reference says.
	OtherType DriftKind = "other_type"
)

// DriftKinds returns all kinds of drift.
func DriftKinds() []DriftKind { return []DriftKind{UnknownField, UnknownValue, OtherType} }

// Finding is a difference between a record and the reference. A finding has no text of the record
// but words of at most 40 letters, digits, _ and -: the names of unknown fields and unknown values
// of a field with listed values. A person's first name in such a place is a word too.
type Finding struct {
	// Record is the kind of the record, such as paystub.
	Record string
	Kind   DriftKind
	// Path names the field, such as taxes[].category. A name that is not a word stands as "?".
	Path string
	// Value is the unknown value if it is a word like the values of the reference, and else empty.
	// For an unknown field and for another type, it is the JSON type found.
	Value string
}

// word is the form of the names of fields and values that may be shown.
var word = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,39}$`)

// Reference is what the providers document of their records, as the schemas of records have it. It
// is safe for concurrent use.
type Reference struct {
	shapes map[recordKey]*shape
}

type recordKey struct {
	provider schema.Provider
	kind     string
}

// NewReference reads the schemas of all records.
func NewReference() *Reference {
	ref := &Reference{map[recordKey]*shape{}}
	for _, row := range recordRows {
		for _, kind := range row.kinds {
			text, ok := Record(row.provider, kind)
			if !ok {
				panic(fmt.Sprintf("jsonschema: records/%s.%s.json is missing", row.provider, kind))
			}
			var r rule
			if err := json.Unmarshal(text, &r); err != nil {
				panic(fmt.Sprintf("jsonschema: records/%s.%s.json: %v", row.provider, kind, err))
			}
			ref.shapes[recordKey{row.provider, kind}] = r.shape(r.Defs, "")
		}
	}
	return ref
}

// FindDrift compares a record with the reference of its provider, and returns the differences, each
// once, at most FindingsMax. It reads a text that is not JSON as far as it can. A resource without
// a reference has no drift.
func (ref *Reference) FindDrift(p schema.Provider, r schema.Resource, record []byte) []Finding {
	for _, row := range recordRows {
		if row.provider == p && row.resource == r {
			kind := row.kindOf(record)
			c := comparison{Reader: rawjson.NewReader(record), record: kind}
			c.compare(ref.shapes[recordKey{p, kind}])
			return c.findings
		}
	}
	return nil
}

// kindOf returns the kind of a record. An unknown kind counts as the first.
func (row recordRow) kindOf(record []byte) string {
	if row.chooser != "" {
		var members map[string]json.RawMessage
		var kind string
		_ = json.Unmarshal(record, &members) // of another record, the first kind is as good
		_ = json.Unmarshal(members[row.chooser], &kind)
		if slices.Contains(row.kinds, kind) {
			return kind
		}
	}
	return row.kinds[0]
}

// rule is the part of a JSON Schema that the schemas of records use.
type rule struct {
	Ref        string `json:"$ref"`
	Type       typeNames
	Properties map[string]rule
	Items      *rule
	AnyOf      []rule
	Examples   []string
	Defs       map[string]rule `json:"$defs"`
}

// typeNames is the keyword "type": one name or a list.
type typeNames []string

// UnmarshalJSON reads both forms.
func (n *typeNames) UnmarshalJSON(text []byte) error {
	var name string
	if json.Unmarshal(text, &name) == nil {
		*n = typeNames{name}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(n))
}

// shape is a rule with its references resolved.
type shape struct {
	path string
	// types are the JSON types of the value. Empty: every type.
	types []string
	// values are the documented values. Nil: every value.
	values map[string]bool
	// members are the documented members. Nil: every member, as in a map.
	members map[string]*shape
	// items is the shape of each item of an array. Nil: every item.
	items *shape
}

// shape returns the shape of a rule at a path. The rules of records do not refer to themselves.
func (r rule) shape(defs map[string]rule, path string) *shape {
	if name, ok := strings.CutPrefix(r.Ref, "#/$defs/"); ok {
		return defs[name].shape(defs, path)
	}
	s := &shape{path: path, types: r.Type}
	if r.Examples != nil {
		s.values = map[string]bool{}
		for _, value := range r.Examples {
			s.values[value] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
		if s.members == nil {
			s.members = map[string]*shape{}
		}
		s.members[name] = r.Properties[name].shape(defs, join(path, name))
	}
	if r.Items != nil {
		s.items = r.Items.shape(defs, path+"[]")
	}
	for _, alternative := range r.AnyOf {
		s.add(alternative.shape(defs, path))
	}
	return s
}

// add allows what the alternative allows. One alternative at most has members, values or items.
func (s *shape) add(alternative *shape) {
	s.types = append(s.types, alternative.types...)
	if alternative.values != nil {
		s.values = alternative.values
	}
	if alternative.members != nil {
		s.members = alternative.members
	}
	if alternative.items != nil {
		s.items = alternative.items
	}
}

// allows reports whether a value of the type fits. An integer is a number, too.
func (s *shape) allows(typeName string) bool {
	return len(s.types) == 0 || slices.Contains(s.types, typeName) ||
		typeName == "integer" && slices.Contains(s.types, "number")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// comparison walks through one record.
type comparison struct {
	*rawjson.Reader

	record   string
	findings []Finding
}

// compare reads the next value and compares it with the shape.
func (c *comparison) compare(s *shape) {
	next := c.Next()
	switch {
	case next == '{' && s.members != nil && s.allows("object"):
		c.compareMembers(s)
	case next == '[' && s.items != nil && s.allows("array"):
		for range c.Elements() {
			c.compare(s.items)
		}
	default:
		c.compareValue(s, c.Value())
	}
}

func (c *comparison) compareMembers(s *shape) {
	for name := range c.Members() {
		if member, known := s.members[string(name)]; known {
			c.compare(member)
			continue
		}
		shown := "?"
		if word.Match(name) {
			shown = string(name)
		}
		c.add(UnknownField, join(s.path, shown), typeOf(c.Value()))
	}
}

// compareValue compares a value without a look inside of objects and arrays.
func (c *comparison) compareValue(s *shape, value []byte) {
	typeName := typeOf(value)
	switch {
	case typeName == "": // the text is not JSON
	case !s.allows(typeName):
		// 1.0 is an integer of JSON Schema, and a change of the spelling is no other type.
		if typeName != "number" || !isWhole(value) || !s.allows("integer") {
			c.add(OtherType, s.path, typeName)
		}
	case typeName == "string" && s.values != nil:
		if text := rawjson.Unquote(value); !s.values[string(text)] {
			c.addValue(s.path, text)
		}
	}
}

// typeOf returns the JSON type of a value, "" if the text is not JSON.
func typeOf(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return numberType(value)
	default:
		return ""
	}
}

// numberType returns the JSON type of a number by its spelling.
func numberType(number []byte) string {
	for _, b := range number {
		if b == '.' || b == 'e' || b == 'E' {
			return "number"
		}
	}
	return "integer"
}

// isWhole reports whether a number has a fraction of zeros. A number with an exponent is not whole.
func isWhole(number []byte) bool {
	_, fraction, ok := bytes.Cut(number, []byte("."))
	return ok && len(bytes.Trim(fraction, "0")) == 0
}

// addValue adds an unknown value. The value is shown only if it looks like a word.
func (c *comparison) addValue(path string, text []byte) {
	shown := ""
	if word.Match(text) {
		shown = string(text)
	}
	c.add(UnknownValue, path, shown)
}

func (c *comparison) add(kind DriftKind, path, value string) {
	f := Finding{Record: c.record, Kind: kind, Path: path, Value: value}
	if len(c.findings) < FindingsMax && !slices.Contains(c.findings, f) {
		c.findings = append(c.findings, f)
	}
}
