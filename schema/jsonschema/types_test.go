package jsonschema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

// The kits for TypeScript and Python have types of all that a team reads. The generators of other
// projects type a JSON number as a float, which changes digits of some amounts.
func TestTypesOfTheKitsAreGenerated(t *testing.T) {
	all := declareAll(t)
	for path, text := range map[string][]byte{
		"../clients/typescript/types.ts":      typeScript{}.file(all),
		"../clients/python/wagewire/types.py": python{}.file(all),
	} {
		current(t, path, text)
		for i, line := range strings.Split(string(text), "\n") {
			if n := utf8.RuneCountInString(line); n > columnsMax {
				t.Errorf("%s:%d has %d columns", path, i+1, n)
			}
		}
	}
}

func TestADeclarationHasEveryFieldOfItsSchema(t *testing.T) {
	fields := map[string][]string{}
	for _, d := range declareAll(t).declarations {
		for _, f := range d.fields {
			fields[d.name] = append(fields[d.name], f.name)
		}
	}
	for name, want := range map[string][]string{
		"CompletionEvent":           {"id", "type", "occurred_at", "received_at"},
		"CompletionError":           {"class", "code", "type", "message"},
		"AccountResourceCompletion": {"id", "subject"},
		"PinwheelTax":               {"name", "category", "amount"},
		"TruvNameAndLogo":           {"id", "name", "logo_url"},
	} {
		if diff := cmp.Diff(want, fields[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// keywords are those parts of a JSON Schema that say something about types.
type keywords struct {
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Type        typeNames   `json:"type"`
	Required    []string    `json:"required"`
	Properties  members     `json:"properties"`
	Items       *keywords   `json:"items"`
	More        *keywords   `json:"additionalProperties"`
	AnyOf       []*keywords `json:"anyOf"`
	Ref         string      `json:"$ref"`
	Enum        []*string   `json:"enum"`
	Const       *string     `json:"const"`
	Examples    []string    `json:"examples"`
	Defs        members     `json:"$defs"`
}

// typeNames is the keyword "type": a name or a list of names.
type typeNames []string

func (n *typeNames) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(n))
	}
	*n = make(typeNames, 1)
	return json.Unmarshal(text, &(*n)[0])
}

// members are the members of an object of schemas, in the order of the file.
type members []member

type member struct {
	name string
	keywords
}

func (m *members) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		one := member{name: name.(string)}
		if err := decoder.Decode(&one.keywords); err != nil {
			return err
		}
		*m = append(*m, one)
	}
	return nil
}

// kind is what a value is.
type kind int

const (
	anything kind = iota
	text
	boolean
	count   // an integer of Wagewire's own, which is small
	integer // an integer of a provider, of any length
	whole   // an integer of 64 bits
	decimal
	object_
	list    // of one type
	mapping // from text to one type
	named   // by a declaration
	words   // documented values of an open enumeration
	constant
	parameter // the type of the records of a completion
)

// typ is the type of a value.
type typ struct {
	kind kind
	null bool
	of   *typ
	name string
	// words are the values of words and of a constant.
	words []string
}

// declaration declares an object, or another type with a name.
type declaration struct {
	name, doc string
	fields    []declaredField
	// is is the type of a declaration without fields.
	is *typ
	// generic is true if the type of the records is a parameter of the declaration.
	generic bool
}

type declaredField struct {
	name, doc string
	typ       typ
	required  bool
}

// recordsOf says which records the completions of a provider's resource have.
type recordsOf struct {
	provider, resource string
	names              []string
}

// declared is everything that the kits have types for. A declaration comes before those that use
// it.
type declared struct {
	t            *testing.T
	declarations []declaration
	records      []recordsOf
	// integers is what the integers of the present schema are.
	integers kind
}

func declareAll(t *testing.T) *declared {
	t.Helper()
	all := &declared{t: t, integers: count}
	all.read("Completion", "Completion", "completion.v1.json")
	all.read("Account", "Account", "account.v1.json")
	all.integers = whole
	all.read("NormalRecord", "Normal", "normal.v1.json")
	all.integers = integer
	for _, q := range queuesWithRecords() {
		row := recordsOf{provider: string(q.Provider), resource: string(q.Resource)}
		for _, kind := range jsonschema.Kinds(q.Provider, q.Resource) {
			prefix := pascal(string(q.Provider))
			r := recordType{q.Provider, q.Resource, kind}
			if !all.has(prefix + pascal(kind)) { // two resources may have one kind
				all.read(prefix+pascal(kind), prefix, r.path())
			}
			row.names = append(row.names, prefix+pascal(kind))
		}
		all.records = append(all.records, row)
	}
	return all
}

// read declares the schema of a file under the name. prefix is in front of the names of its
// definitions.
func (d *declared) read(name, prefix, path string) {
	d.t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	var rules keywords
	if err := json.Unmarshal(file, &rules); err != nil {
		d.t.Fatalf("%s: %v", path, err)
	}
	for _, def := range rules.Defs {
		d.define(prefix, def, rules.Defs)
	}
	d.object(name, prefix, rules, rules.Defs)
}

// define declares a definition after those that it uses.
func (d *declared) define(prefix string, def member, defs members) {
	name := prefix + pascal(def.name)
	if d.has(name) {
		return
	}
	if len(def.Properties) > 0 {
		d.object(name, prefix, def.keywords, defs)
		return
	}
	is := d.typeOf(name, prefix, def.keywords, defs)
	if !d.has(name) { // the words of an enumeration have declared themselves
		is.null = false
		d.add(declaration{name: name, is: &is})
	}
}

func (d *declared) has(name string) bool {
	return slices.ContainsFunc(d.declarations, func(o declaration) bool { return o.name == name })
}

func (d *declared) add(one declaration) {
	if d.has(one.name) {
		d.t.Fatalf("two schemas give the type %s", one.name)
	}
	d.declarations = append(d.declarations, one)
}

// object declares an object after the objects within.
func (d *declared) object(name, prefix string, rules keywords, defs members) {
	one := declaration{name: name, doc: rules.Description}
	for _, p := range rules.Properties {
		f := declaredField{
			name: p.name, doc: p.Description, required: slices.Contains(rules.Required, p.name),
		}
		f.typ = d.typeOf(strings.TrimSuffix(name, "Data")+pascal(p.name), prefix, p.keywords, defs)
		if name == "CompletionData" && p.name == "records" {
			f.typ.of = &typ{kind: parameter}
		}
		one.generic = one.generic || f.typ.hasRecords(d)
		one.fields = append(one.fields, f)
	}
	d.add(one)
}

// hasRecords reports whether the type depends on the type of the records.
func (t typ) hasRecords(d *declared) bool {
	if t.of != nil && t.of.kind == parameter {
		return true
	}
	return t.kind == named && slices.ContainsFunc(d.declarations, func(o declaration) bool {
		return o.name == t.name && o.generic
	})
}

// typeOf returns the type of a value. name is for the declaration that an object needs.
func (d *declared) typeOf(name, prefix string, rules keywords, defs members) typ {
	d.t.Helper()
	if rules.Ref != "" {
		def := strings.TrimPrefix(rules.Ref, "#/$defs/")
		i := slices.IndexFunc(defs, func(m member) bool { return m.name == def })
		if i < 0 {
			d.t.Fatalf("%s: there is no %s", name, rules.Ref)
		}
		d.define(prefix, defs[i], defs)
		null := slices.Contains(defs[i].Type, "null")
		return typ{kind: named, name: prefix + pascal(def), null: null}
	}
	if len(rules.AnyOf) > 0 { // of a type and null
		if len(rules.AnyOf) != 2 || !slices.Equal(rules.AnyOf[1].Type, []string{"null"}) {
			d.t.Fatalf("%s: anyOf is not of a type and null", name)
		}
		inner := d.typeOf(name, prefix, *rules.AnyOf[0], defs)
		inner.null = true
		return inner
	}
	is := typ{null: slices.Contains(rules.Type, "null")}
	names := slices.DeleteFunc(slices.Clone(rules.Type), func(n string) bool { return n == "null" })
	switch {
	case rules.Const != nil:
		is.kind = constant
		is.words = []string{*rules.Const}
	case rules.Enum != nil:
		var documented []string
		for _, word := range rules.Enum {
			if word == nil {
				is.null = true
			} else {
				documented = append(documented, *word)
			}
		}
		d.words(&is, name, documented)
	case len(names) == 0:
		is.kind = anything
	case len(names) > 1:
		d.t.Fatalf("%s has the types %v", name, names)
	default:
		d.simple(&is, names[0], name, prefix, rules, defs)
	}
	return is
}

// simple fills in the type of a value with one JSON type.
func (d *declared) simple(
	is *typ, jsonType, name, prefix string, rules keywords, defs members,
) {
	d.t.Helper()
	switch jsonType {
	case "string":
		is.kind = text
		if len(rules.Examples) > 0 {
			d.words(is, name, rules.Examples)
		}
	case "boolean":
		is.kind = boolean
	case "integer":
		is.kind = d.integers
	case "number":
		is.kind = decimal
	case "array":
		is.kind = list
		is.of = &typ{kind: anything}
		if rules.Items != nil {
			of := d.typeOf(name, prefix, *rules.Items, defs)
			is.of = &of
		}
	case "object":
		d.objectType(is, name, prefix, rules, defs)
	default:
		d.t.Fatalf("%s has the type %s", name, jsonType)
	}
}

// words declares the documented values of a text as a type of their own.
func (d *declared) words(is *typ, name string, documented []string) {
	d.add(declaration{name: name, is: &typ{kind: words, words: documented}})
	is.kind = named
	is.name = name
}

func (d *declared) objectType(is *typ, name, prefix string, rules keywords, defs members) {
	switch {
	case len(rules.Properties) > 0:
		d.object(name, prefix, rules, defs)
		is.kind = named
		is.name = name
	case rules.More != nil:
		of := d.typeOf(name, prefix, *rules.More, defs)
		is.kind = mapping
		is.of = &of
	default:
		is.kind = object_
	}
}

// pascal turns records_ref into RecordsRef.
func pascal(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

// columnsMax is the length of the longest generated line.
const columnsMax = 100

// fill breaks the parts into lines that begin with indent, each part with glue behind it.
func fill(indent, glue string, parts []string) []string {
	var lines []string
	line := indent
	for _, part := range parts {
		part += glue
		if line != indent && len([]rune(line))+len([]rune(strings.TrimRight(part, " "))) > columnsMax {
			lines = append(lines, strings.TrimRight(line, " "))
			line = indent
		}
		line += part
	}
	return append(lines, strings.TrimSuffix(strings.TrimRight(line, " "), " |"))
}

// workerResources are the names of the resources that completions are about.
func workerResources() []string {
	var names []string
	for _, r := range schema.WorkerResources() {
		names = append(names, string(r))
	}
	return names
}

// typeScript writes declarations as TypeScript.
type typeScript struct{}

func (l typeScript) file(all *declared) []byte {
	var b bytes.Buffer
	b.WriteString(`// Generated from the JSON Schemas by make generate: do not edit.
//
// The types of all that a team reads. A number of a provider is a LosslessNumber with every digit
// of the provider. Wagewire's own counts, such as attempts, are of the type number, and the whole
// numbers of the normalised model of the type bigint. A field with a question mark may be absent.
// Expect other words than those of a type, and further fields.
import type { LosslessNumber } from "lossless-json";

/** Any JSON value. */
export type Json = null | boolean | string | LosslessNumber | Json[] | JsonObject;

/** Any JSON object. */
export interface JsonObject {
  [name: string]: Json;
}
`)
	for _, d := range all.declarations {
		b.WriteByte('\n')
		l.comment(&b, "", d.doc)
		parameters := ""
		if d.generic {
			parameters = "<R = JsonObject>"
		}
		if d.is != nil {
			l.alias(&b, "export type "+d.name+" =", *d.is)
			continue
		}
		fmt.Fprintf(&b, "export interface %s%s {\n", d.name, parameters)
		for _, f := range d.fields {
			l.comment(&b, "  ", f.doc)
			optional := "?"
			if f.required {
				optional = ""
			}
			fmt.Fprintf(&b, "  %s%s: %s;\n", f.name, optional, l.spell(f.typ))
		}
		b.WriteString("}\n")
	}
	b.WriteString("\n/** The resources that completions are about, as far as this release knows. */\n")
	b.WriteString("export const resources: readonly string[] = [\n")
	b.WriteString(strings.Join(fill("  ", ", ", quoted(workerResources())), "\n") + "\n];\n")
	b.WriteString("\n/** The records of each provider's resources. */\nexport interface Records {\n")
	for _, r := range all.records {
		fmt.Fprintf(&b, "  %q: %s;\n", r.provider+"."+r.resource, strings.Join(r.names, " | "))
	}
	b.WriteString("}\n")
	for _, r := range all.records {
		name := pascal(r.provider) + pascal(r.resource) + "Completion"
		fmt.Fprintf(&b, "\n/** A completion of the provider %s and the resource %s. */\n",
			r.provider, r.resource)
		fmt.Fprintf(&b, "export type %s =\n  Completion<Records[%q]>;\n", name, r.provider+"."+r.resource)
	}
	return b.Bytes()
}

func (typeScript) comment(b *bytes.Buffer, indent, doc string) {
	if doc == "" {
		return
	}
	doc = strings.ReplaceAll(doc, "*/", "*\\/")
	if one := indent + "/** " + doc + " */"; len([]rune(one)) <= columnsMax {
		b.WriteString(one + "\n")
		return
	}
	b.WriteString(indent + "/**\n")
	for _, line := range fill(indent+" * ", " ", strings.Fields(doc)) {
		b.WriteString(line + "\n")
	}
	b.WriteString(indent + " */\n")
}

// alias writes a name for a type, which may need many lines.
func (l typeScript) alias(b *bytes.Buffer, name string, is typ) {
	one := name + " " + l.spell(is) + ";"
	if len(one) <= columnsMax {
		b.WriteString(one + "\n")
		return
	}
	const indent = "  | "
	b.WriteString(name + "\n")
	lines := fill(indent, " | ", l.wordsOf(is))
	b.WriteString(strings.ReplaceAll(strings.Join(lines, "\n")+";\n", " |\n", "\n"))
}

func (typeScript) wordsOf(is typ) []string {
	var all []string
	for _, word := range is.words {
		all = append(all, fmt.Sprintf("%q", word))
	}
	return append(all, "(string & {})")
}

func (l typeScript) spell(is typ) string {
	if is.kind == words {
		return strings.Join(l.wordsOf(is), " | ")
	}
	of := ""
	if is.of != nil {
		of = l.spell(*is.of)
	}
	if is.kind == list && strings.Contains(of, " | ") {
		of = "(" + of + ")"
	}
	spelled := map[kind]string{
		anything: "Json", text: "string", boolean: "boolean", count: "number", whole: "bigint",
		integer: "LosslessNumber", decimal: "LosslessNumber", object_: "JsonObject",
		list: of + "[]", mapping: "{ [name: string]: " + of + " }", parameter: "R",
	}[is.kind]
	switch {
	case is.kind == constant:
		spelled = fmt.Sprintf("%q", is.words[0])
	case is.kind == named && is.name == "CompletionData":
		spelled = is.name + "<R>"
	case is.kind == named:
		spelled = is.name
	}
	if is.null {
		spelled += " | null"
	}
	return spelled
}

// python writes declarations as Python.
type python struct{}

func (l python) file(all *declared) []byte {
	var b bytes.Buffer
	b.WriteString(`# Generated from the JSON Schemas by make generate: do not edit.
"""The types of all that a team reads.

A number of a provider is an int or a Decimal with every digit of the provider. A field that is
NotRequired may be absent. Expect other words than those of a Literal, and further fields.
"""

from decimal import Decimal
from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar, Union

# Any JSON object.
JsonObject = dict[str, Any]

# The type of the records of a completion.
R = TypeVar("R")
`)
	for _, d := range all.declarations {
		if d.is != nil {
			b.WriteString("\n\n")
			l.alias(&b, d.name, *d.is)
			continue
		}
		l.class(&b, d)
	}
	b.WriteString("\n\n# The resources that completions are about, as far as this release knows.\n")
	b.WriteString("RESOURCES: tuple[str, ...] = (\n")
	b.WriteString(strings.Join(fill("    ", ", ", quoted(workerResources())), "\n") + "\n)\n")
	b.WriteString("\n# The records of each provider's resources.\n")
	b.WriteString("RECORDS: dict[tuple[str, str], tuple[type, ...]] = {\n")
	for _, r := range all.records {
		fmt.Fprintf(&b, "    (%q, %q): (%s,),\n", r.provider, r.resource, strings.Join(r.names, ", "))
	}
	b.WriteString("}\n")
	for _, r := range all.records {
		records := r.names[0]
		if len(r.names) > 1 {
			records = "Union[" + strings.Join(r.names, ", ") + "]"
		}
		fmt.Fprintf(&b, "\n# A completion of the provider %s and the resource %s.\n",
			r.provider, r.resource)
		fmt.Fprintf(&b, "%s%sCompletion = Completion[%s]\n",
			pascal(r.provider), pascal(r.resource), records)
	}
	return b.Bytes()
}

// class writes a class. Fields with the name of a keyword cannot stand in a class: they come from a
// base that is written as a call.
func (l python) class(b *bytes.Buffer, d declaration) {
	base := "TypedDict"
	var own []declaredField
	var reserved []string
	for _, f := range d.fields {
		if isReserved(f.name) {
			reserved = append(reserved, fmt.Sprintf("    %q: %s,\n", f.name, l.field(f)))
		} else {
			own = append(own, f)
		}
	}
	if len(reserved) > 0 {
		base = "_" + d.name + "Reserved"
		fmt.Fprintf(b, "\n\n%s = TypedDict(%q, {\n%s})\n", base, base, strings.Join(reserved, ""))
	}
	if d.generic {
		base += ", Generic[R]"
	}
	fmt.Fprintf(b, "\n\nclass %s(%s):\n", d.name, base)
	doc := fill("    ", " ", strings.Fields(d.doc))
	switch {
	case d.doc == "":
	case len(doc) == 1 && len([]rune(doc[0])) <= columnsMax-6:
		fmt.Fprintf(b, "    \"\"\"%s\"\"\"\n\n", strings.TrimSpace(doc[0]))
	default:
		doc = fill("    ", " ", strings.Fields(`"""`+d.doc))
		fmt.Fprintf(b, "%s\n    \"\"\"\n\n", strings.Join(doc, "\n"))
	}
	for _, f := range own {
		l.comment(b, "    ", f.doc)
		fmt.Fprintf(b, "    %s: %s\n", f.name, l.field(f))
	}
}

// isReserved reports whether a field has the name of a keyword of Python.
func isReserved(name string) bool {
	return slices.Contains([]string{"as", "class", "def", "from", "import", "in", "is"}, name)
}

func (l python) field(f declaredField) string {
	if f.required {
		return l.spell(f.typ)
	}
	return "NotRequired[" + l.spell(f.typ) + "]"
}

func (python) comment(b *bytes.Buffer, indent, doc string) {
	if doc == "" {
		return
	}
	for _, line := range fill(indent+"# ", " ", strings.Fields(doc)) {
		b.WriteString(line + "\n")
	}
}

// alias writes a name for a type, which may need many lines.
func (l python) alias(b *bytes.Buffer, name string, is typ) {
	one := name + " = " + l.spell(is)
	if len(one) <= columnsMax {
		b.WriteString(one + "\n")
		return
	}
	lines := fill("        ", ", ", quoted(is.words))
	fmt.Fprintf(b, "%s = Union[\n    Literal[\n%s\n    ],\n    str,\n]\n",
		name, strings.Join(lines, "\n"))
}

func quoted(all []string) []string {
	var out []string
	for _, word := range all {
		out = append(out, fmt.Sprintf("%q", word))
	}
	return out
}

func (l python) spell(is typ) string {
	of := ""
	if is.of != nil {
		of = l.spell(*is.of)
	}
	spelled := map[kind]string{
		anything: "Any", text: "str", boolean: "bool", count: "int", integer: "int", whole: "int",
		decimal: "int, Decimal", object_: "JsonObject", list: "list[" + of + "]",
		mapping: "dict[str, " + of + "]", parameter: "R",
		words:    "Literal[" + strings.Join(quoted(is.words), ", ") + "], str",
		constant: "Literal[" + strings.Join(quoted(is.words), ", ") + "]",
	}[is.kind]
	switch {
	case is.kind == named && is.name == "CompletionData":
		spelled = is.name + "[R]"
	case is.kind == named:
		spelled = is.name
	}
	if is.null {
		spelled += ", None"
	}
	if is.null || is.kind == words || is.kind == decimal {
		return "Union[" + spelled + "]"
	}
	return spelled
}
