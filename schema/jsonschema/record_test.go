package jsonschema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

// recordType is a kind of record with the resource of its completions.
type recordType struct {
	provider schema.Provider
	resource schema.Resource
	kind     string
}

func (r recordType) path() string { return fmt.Sprintf("records/%s.%s.json", r.provider, r.kind) }

// required is the one field that the record always has: the id. The payload of a webhook need not
// have one, a bank account of Truv's never has one, and Truv promises none of others: "".
func (r recordType) required() string {
	switch r.kind {
	case "notice":
		return "account_id"
	case "bank_account":
		return "account_number"
	case "statement", "shift", "profile", "report":
		if r.provider == schema.Truv {
			return ""
		}
		return "id"
	default:
		return "id"
	}
}

func (r recordType) sample(t *testing.T) []byte {
	t.Helper()
	text, ok := jsonschema.RecordSample(r.provider, r.kind)
	if !ok {
		t.Fatalf("records/samples/%s.%s.json is missing", r.provider, r.kind)
	}
	return text
}

// allRecords returns each kind of record once, though two resources may have it.
func allRecords() []recordType {
	var all []recordType
	seen := map[string]bool{}
	for _, p := range schema.Providers() {
		for _, r := range schema.WorkerResources() {
			for _, kind := range jsonschema.Kinds(p, r) {
				one := recordType{p, r, kind}
				if !seen[one.path()] {
					all = append(all, one)
				}
				seen[one.path()] = true
			}
		}
	}
	return all
}

// queuesWithRecords returns a queue for each provider and resource with completions of records.
func queuesWithRecords() []schema.Queue {
	return slices.DeleteFunc(schema.Queues(), func(q schema.Queue) bool {
		return q.Erases || len(jsonschema.Kinds(q.Provider, q.Resource)) == 0
	})
}

func TestASampleOfARecordKeepsItsSchema(t *testing.T) {
	for _, r := range allRecords() {
		jsonschematest.Record(t, r.provider, r.kind, r.sample(t))
	}
}

func TestARecordKeepsItsSchemaWhateverTheProviderOmits(t *testing.T) {
	for _, r := range allRecords() {
		changes := []change{{"added_in_2031", map[string]any{"deep": []any{1}}}}
		for path, value := range leaves("", object(t, r.sample(t))) {
			if path == r.required() {
				continue
			}
			changes = append(changes, change{path, nil}, change{path, removed{}})
			if _, isText := value.(string); isText {
				changes = append(changes, change{path, "a value of 2031"})
			}
		}
		for _, c := range changes {
			t.Run(fmt.Sprintf("%s with %s %v", r.kind, c.path, c.value), func(t *testing.T) {
				jsonschematest.Record(t, r.provider, r.kind, changed(t, r.sample(t), c))
			})
		}
	}
}

func TestARecordBreaksItsSchemaWhere(t *testing.T) {
	for promise, test := range map[string]struct {
		kind string
		change
	}{
		"the id is missing":             {"paystub", change{"id", removed{}}},
		"allocations are an object":     {"direct_deposit_allocations", change{"allocations", map[string]any{}}},
		"the year of a form is no text": {"tax_form", change{"year", 2025}},
		"the id is empty":               {"shift", change{"id", ""}},
		"an amount is text":             {"paystub", change{"gross_pay_amount", "1690.00"}},
		"an amount has a fraction":      {"income", change{"compensation_amount", 18.5}},
		"a list is an object":           {"paystub", change{"taxes", map[string]any{}}},
		"an address is text":            {"identity", change{"address", "7 Example Lane"}},
		"the tags of an account are a":  {"account", change{"tags", "a"}},
		"an account is connected, yes":  {"account", change{"connected", "yes"}},
		"a notice names no account":     {"notice", change{"account_id", removed{}}},
	} {
		t.Run(promise, func(t *testing.T) {
			sample, _ := jsonschema.RecordSample(schema.Pinwheel, test.kind)
			rules, _ := jsonschema.Record(schema.Pinwheel, test.kind)
			if jsonschematest.Check(rules, changed(t, sample, test.change)) == nil {
				t.Errorf("the schema of %s takes it", test.kind)
			}
		})
	}
}

func TestARecordOfTruvsBreaksItsSchemaWhere(t *testing.T) {
	for promise, test := range map[string]struct {
		kind string
		change
	}{
		"money is a number":                {"statement", change{"net_pay", 1131.47}},
		"hours are a number":               {"statement", change{"hours", 82.5}},
		"an income is a number":            {"employment", change{"income", 38220}},
		"a bank account has no number":     {"bank_account", change{"account_number", removed{}}},
		"a report lists no employments":    {"report", change{"employments", "none"}},
		"time entries of a shift are text": {"shift", change{"time_entries", "8 to 5"}},
		"an employment has no id":          {"employment", change{"id", removed{}}},
		"the id of a profile is empty":     {"profile", change{"id", ""}},
	} {
		t.Run(promise, func(t *testing.T) {
			sample, _ := jsonschema.RecordSample(schema.Truv, test.kind)
			rules, _ := jsonschema.Record(schema.Truv, test.kind)
			if jsonschematest.Check(rules, changed(t, sample, test.change)) == nil {
				t.Errorf("the schema of %s takes it", test.kind)
			}
		})
	}
}

// A property without a description is no help, an enumeration in a record's schema would refuse the
// provider's next value, and examples are the documented values of an open enumeration.
func TestEveryFieldOfARecordIsDescribedAndOpen(t *testing.T) {
	for _, r := range allRecords() {
		text, _ := jsonschema.Record(r.provider, r.kind)
		root := object(t, text)
		defs := root["$defs"].(map[string]any)
		var visit func(where string, value any)
		visit = func(where string, value any) {
			rules, ok := value.(map[string]any)
			if !ok {
				return
			}
			for _, closed := range []string{"enum", "const", "format", "additionalProperties"} {
				if _, has := rules[closed]; has {
					t.Errorf("%s: %s has %s, which a later value breaks", r.path(), where, closed)
				}
			}
			if required, has := rules["required"]; has &&
				(where != "" || !cmp.Equal(required, []any{r.required()})) {
				t.Errorf("%s: %s requires %v, want only %s", r.path(), where, required, r.required())
			}
			properties, _ := rules["properties"].(map[string]any)
			for name, property := range properties {
				described := property.(map[string]any)
				if ref, isRef := described["$ref"].(string); isRef {
					described = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
				}
				if text, _ := described["description"].(string); !strings.HasSuffix(text, ".") {
					t.Errorf("%s: %s.%s has no description", r.path(), where, name)
				}
				visit(where+"."+name, property)
			}
			visit(where+"[]", rules["items"])
			for name, def := range defs {
				if where == "" {
					visit("$defs/"+name, def)
				}
			}
		}
		visit("", root)
	}
}

func TestKindsAreKnownForEveryResourceWithAWorker(t *testing.T) {
	for _, q := range schema.Queues() {
		if q.Erases {
			continue
		}
		if len(jsonschema.Kinds(q.Provider, q.Resource)) == 0 {
			t.Errorf("recordRows of record.go lacks %s %s", q.Provider, q.Resource)
		}
		if _, ok := jsonschema.CompletionOf(q.Provider, q.Resource); !ok {
			t.Errorf("completions/%s.%s.v1.json is missing; run: go test ./jsonschema -update",
				q.Provider, q.Resource)
		}
	}
	if _, ok := jsonschema.CompletionOf(schema.Truv, schema.TaxForms); ok {
		t.Error("there is a schema of completions that no worker writes")
	}
	if kinds := jsonschema.Kinds(schema.Truv, schema.TaxForms); kinds != nil {
		t.Errorf("records without a worker have the kinds %v", kinds)
	}
}

func TestTypedCompletionsAreGenerated(t *testing.T) {
	for _, q := range queuesWithRecords() {
		path := fmt.Sprintf("completions/%s.%s.v1.json", q.Provider, q.Resource)
		current(t, path, typedCompletion(t, q.Provider, q.Resource))
	}
}

// typedCompletion puts the provider, the resource and the schemas of its records into the schema of
// completions.
func typedCompletion(t *testing.T, p schema.Provider, r schema.Resource) []byte {
	t.Helper()
	text := string(jsonschema.Completion())
	put := func(old *regexp.Regexp, with string) {
		t.Helper()
		if n := len(old.FindAllString(text, -1)); n != 1 {
			t.Fatalf("completion.v1.json has %s %d times", old, n)
		}
		text = old.ReplaceAllLiteralString(text, with)
	}
	id := fmt.Sprintf("%s:%s:%s", schema.CompletionSchema, p, r)
	put(regexp.MustCompile(`"\$id": "[^"]*"`), fmt.Sprintf(`"$id": %q`, id))
	put(regexp.MustCompile(`"title": "[^"]*"`),
		fmt.Sprintf(`"title": "%s %s completion"`, p.Title(), strings.ReplaceAll(string(r), "_", " ")))
	put(regexp.MustCompile(`"description": "The end of one webhook event:`),
		fmt.Sprintf(`"description": "Generated for code generators: completions of %s %s, with `+
			`typed records. Validate with completion.v1.json, because a record may differ from these types. `+
			`The end of one webhook event:`, p.Title(), r))
	for name, value := range map[string]string{"provider": string(p), "resource": string(r)} {
		put(regexp.MustCompile(`"`+name+`": \{\n +"description": "[^"]*",\n[^}]*\}`),
			fmt.Sprintf(`"%s": {"const": %q}`, name, value))
	}
	// The rules between fields are for validation. A code generator makes unions of them.
	put(regexp.MustCompile(`(?s),\n {6}"oneOf": \[.*"then": \{\n.*?\n {6}\}`), "")
	defs := map[string]string{}
	var items []string
	for _, kind := range jsonschema.Kinds(p, r) {
		name := fmt.Sprintf("%s_%s", p, kind)
		items = append(items, fmt.Sprintf(`{"$ref": "#/$defs/%s"}`, name))
		addDefs(t, defs, name, recordType{p, r, kind})
	}
	item := items[0]
	if len(items) > 1 {
		item = `{"anyOf": [` + strings.Join(items, ", ") + `]}`
	}
	put(regexp.MustCompile(`"items": \{"type": "object"\}`), `"items": `+item)
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(text, "\n}\n") + ",\n  \"$defs\": {")
	for i, name := range slices.Sorted(maps.Keys(defs)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n    %q: %s", name, defs[name])
	}
	b.WriteString("\n  }\n}\n")
	return []byte(b.String())
}

// addDefs adds the record's schema under the name, and the definitions it uses.
func addDefs(t *testing.T, defs map[string]string, name string, r recordType) {
	t.Helper()
	text, err := os.ReadFile(r.path())
	if err != nil {
		t.Fatal(err)
	}
	own, _, ok := bytes.Cut(text, []byte(",\n  \"$defs\": {"))
	_, own, hasID := bytes.Cut(own, []byte("\n  \"title\""))
	if !ok || !hasID {
		t.Fatalf(`%s does not begin with "$schema", "$id" and "title" and end with "$defs"`, r.path())
	}
	var parts struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatalf("%s: %v", r.path(), err)
	}
	indented := strings.ReplaceAll("\n  \"title\""+string(own), "\n", "\n    ")
	parts.Defs[name] = json.RawMessage("{" + indented + "\n    }")
	for name, def := range parts.Defs {
		if other, taken := defs[name]; taken && other != string(def) {
			t.Fatalf("two records have different definitions %q", name)
		}
		defs[name] = string(def)
	}
}

func TestATypedCompletionTakesItsRecordsAndOtherProvidersAreNone(t *testing.T) {
	for _, q := range queuesWithRecords() {
		t.Run(q.Name, func(t *testing.T) {
			rules, _ := jsonschema.CompletionOf(q.Provider, q.Resource)
			var records []any
			hasField := true
			for _, kind := range jsonschema.Kinds(q.Provider, q.Resource) {
				r := recordType{q.Provider, q.Resource, kind}
				records = append(records, object(t, r.sample(t)))
				hasField = hasField && r.required() != ""
			}
			mine := []change{
				{"data.provider", string(q.Provider)}, {"data.resource", string(q.Resource)},
				{"data.records", records},
			}
			jsonschematest.Validate(t, rules, changed(t, completion(t), mine...))
			others := map[string]change{
				"another provider":              {"data.provider", "acme"},
				"another resource":              {"data.resource", "weather"},
				"a record whose id is a number": {"data.records", []any{map[string]any{"id": 7}}},
			}
			if hasField {
				others["a record without its one field"] =
					change{"data.records", []any{map[string]any{}}}
			}
			for promise, c := range others {
				other := changed(t, completion(t), append(slices.Clone(mine), c)...)
				if jsonschematest.Check(rules, other) == nil {
					t.Errorf("the schema takes %s", promise)
				}
			}
		})
	}
}
