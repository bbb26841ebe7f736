package normal_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
	"github.com/wagewire/wagewire/schema/normal"
)

func TestANormalisedRecordKeepsItsSchema(t *testing.T) {
	for name, v := range vectors(t) {
		if v.Normal != nil {
			t.Run(filepath.Base(name), func(t *testing.T) {
				jsonschematest.Validate(t, jsonschema.Normal(), v.Normal)
			})
		}
	}
}

// node is the part of a JSON Schema that says which members there are.
type node struct {
	Ref        string          `json:"$ref"`
	Properties map[string]node `json:"properties"`
	Items      *node           `json:"items"`
	Examples   []string        `json:"examples"`
	Defs       map[string]node `json:"$defs"`
	AnyOf      []node          `json:"anyOf"`
	Type       any             `json:"type"`
}

func rules(t *testing.T, text []byte) node {
	t.Helper()
	var n node
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// in follows the reference of n, if n has one.
func (n node) in(root node) node {
	if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok {
		return root.Defs[name]
	}
	for _, one := range n.AnyOf {
		if one.Ref != "" {
			return one.in(root)
		}
	}
	return n
}

// members returns the names of the members of a Go type in JSON, and the types of the values.
func members(of reflect.Type) map[string]reflect.Type {
	found := map[string]reflect.Type{}
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "-" {
			found[name] = field.Type
		}
	}
	return found
}

func TestTheSchemaHasTheFieldsOfTheModelAndNoOthers(t *testing.T) {
	root := rules(t, jsonschema.Normal())
	seen := map[reflect.Type]bool{}
	var walk func(path string, of reflect.Type, n node)
	walk = func(path string, of reflect.Type, n node) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			if of.Kind() == reflect.Slice {
				if n.Items == nil {
					t.Errorf("%s is a list, and none in the schema", path)
					return
				}
				n = n.Items.in(root)
			}
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = of != reflect.TypeFor[normal.Word]()
		fields := members(of)
		want := slices.Sorted(maps.Keys(fields))
		got := slices.Sorted(maps.Keys(n.Properties))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-model +schema):\n%s", path, diff)
		}
		for name, field := range fields {
			walk(path+"."+name, field, n.Properties[name].in(root))
		}
	}
	walk("record", reflect.TypeFor[normal.Record](), root)
}

func TestTheSchemaListsEveryKindOfAWord(t *testing.T) {
	root := rules(t, jsonschema.Normal())
	words := normal.WordTables
	line := []string{"earning.category", "tax.category", "deduction.category"}
	for place, fields := range map[string][]string{
		"employment.status":    {"employment.status"},
		"employment.type":      {"employment.type"},
		"income.pay_frequency": {"income.pay_frequency"},
		"income.unit":          {"income.unit"},
		"line.category":        line,
		"line.timing":          {"deduction.timing"},
		"paystub.basis":        {"paystub.basis"},
		"phone.type":           {"phone.type"},
		"report.type":          {"report.type"},
		"shift.type":           {"shift.type"},
		"sum.category":         {"earning.category"},
		"time_off.category":    {"time_off.category"},
	} {
		want := map[string]bool{"other": true}
		for _, field := range fields {
			if words[field] == nil {
				t.Errorf("there are no words of %s", field)
			}
			for _, kind := range words[field] {
				want[kind] = true
			}
		}
		def, name, _ := strings.Cut(place, ".")
		got := root.Defs[def].Properties[name].Properties["kind"].Examples
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" {
			t.Errorf("%s (-words +schema):\n%s", place, diff)
		}
	}
}

// onlyRaw are the members that the model leaves to Raw, at any depth.
var onlyRaw = map[schema.Provider][]string{
	schema.Pinwheel: {"document"},
	schema.Truv: {
		"file", "md5sum", "w2s", "pdf_report", "tracking_info", "is_suspicious", "provider",
		"data_source", "refresh_status", "derived_fields", "missing_data_fields",
		"dates_from_statements", "time_entries[0].id", "time_entries[0].external_id",
		"time_entries[0].created_at", "time_entries[0].updated_at", "annual_income_summary[0].id",
	},
}

// isOnlyRaw reports whether the path names a member that is left to Raw, or a part of one.
func isOnlyRaw(p schema.Provider, path string) bool {
	return slices.ContainsFunc(onlyRaw[p], func(member string) bool {
		after := strings.TrimRight(path, "0123456789[]")
		return after == member || strings.HasSuffix(after, "."+member) ||
			strings.HasPrefix(path, member+"[") || strings.HasPrefix(path, member+".") ||
			strings.Contains(path, "."+member+"[") || strings.Contains(path, "."+member+".")
	})
}

func TestEveryDocumentedMemberIsReadOrLeftToRaw(t *testing.T) {
	for _, q := range schema.Queues() {
		// An income of Truv's is a part of the record of an employment, which is read as well.
		isPart := q.Provider == schema.Truv && q.Resource == schema.Income
		if !normal.Has(q.Provider, q.Resource) || isPart {
			continue
		}
		for _, kind := range jsonschema.Kinds(q.Provider, q.Resource) {
			text, _ := jsonschema.Record(q.Provider, kind)
			root := rules(t, text)
			for path, record := range wrongMembers(root, root) {
				if isOnlyRaw(q.Provider, path) || strings.HasSuffix(path, "is_active") {
					continue // a flag is true, and so not wrong
				}
				t.Run(string(q.Provider)+" "+kind+" "+path, func(t *testing.T) {
					read, err := normal.Of(q.Provider, q.Resource, []byte(record))
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff([]string{"$." + path}, read.Unread); diff != "" {
						t.Errorf("Unread of %s (-want +got):\n%s", record, diff)
					}
				})
			}
		}
	}
}

// wrongMembers returns, by the path of each member and each element of the schema, a record with
// that value alone, which is true: no member is one.
func wrongMembers(n, root node) map[string]string {
	found := map[string]string{}
	for name, member := range n.Properties {
		found[name] = `{"` + name + `":true}`
		member = member.in(root)
		if member.Items != nil {
			for path, inner := range wrongMembers(member.Items.in(root), root) {
				found[name+"[0]."+path] = `{"` + name + `":[` + inner + `]}`
			}
			found[name+"[0]"] = `{"` + name + `":[true]}`
		}
		for path, inner := range wrongMembers(member, root) {
			found[name+"."+path] = `{"` + name + `":` + inner + `}`
		}
	}
	return found
}

func TestASampleRecordIsReadWhole(t *testing.T) {
	for _, p := range schema.Providers() {
		for _, r := range schema.WorkerResources() {
			for _, kind := range jsonschema.Kinds(p, r) {
				sample, _ := jsonschema.RecordSample(p, kind)
				read, err := normal.Of(p, r, sample)
				if !normal.Has(p, r) {
					if !errors.Is(err, normal.ErrNoModel) {
						t.Errorf("%s %s: %v, want ErrNoModel", p, r, err)
					}
					continue
				}
				if err != nil || read.Unread != nil {
					t.Errorf("%s %s: %v, unread %v", p, kind, err, read.Unread)
				}
			}
		}
	}
}

func TestEveryResourceHasAModelButThoseWithAReason(t *testing.T) {
	without := []schema.Resource{
		schema.Link, schema.Notices, schema.BankAccounts, schema.TaxForms, // see doc.go
	}
	for _, q := range schema.Queues() {
		want := !slices.Contains(without, q.Resource)
		if got := normal.Has(q.Provider, q.Resource); got != want {
			t.Errorf("Has(%s, %s) is %t, want %t", q.Provider, q.Resource, got, want)
		}
	}
	if normal.Has("acme", schema.Paystubs) {
		t.Error("an unknown provider has a model")
	}
}

func TestRawIsTheObjectAsTheProviderWroteIt(t *testing.T) {
	const paystub = `{ "id":"p", "net_pay_amount": 1.50e2, "id":"q" }`
	const income = `{ "compensation_amount": 1.0, "paystubs": [` + paystub + `] }`
	const employment = `{ "title": "Baker", "income": ` + income + ` }`
	const employee = `{ "name": null }`
	const report = ` { "employee": ` + employee + `, "employments": [null, ` + employment + `] } `
	read, err := normal.Of(schema.Pinwheel, schema.VerificationReports, []byte(report))
	if err != nil {
		t.Fatal(err)
	}
	if read.Report == nil || len(read.Report.Employments) != 1 {
		t.Fatalf("the report is %+v", read.Report)
	}
	first := read.Report.Employments[0]
	for _, test := range []struct {
		what string
		want string
		got  json.RawMessage
	}{
		{"the record", report, read.Raw},
		{"the report", report, read.Report.Raw},
		{"the person", employee, read.Report.Identity.Raw},
		{"the employment", employment, first.Raw},
		{"the income", income, first.Income.Raw},
		{"the paystub", paystub, first.Paystubs[0].Raw},
	} {
		if string(test.got) != test.want {
			t.Errorf("Raw of %s is %s, want %s", test.what, test.got, test.want)
		}
	}
}

func TestInstantOrdersTimesWhateverTheirOffsets(t *testing.T) {
	for _, test := range []struct {
		promise       string
		before, after normal.Time
	}{
		{"another offset", "2026-02-02T23:30:00-06:00", "2026-02-03T05:30:01Z"},
		{"the hour that comes twice", "2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"},
		{"a nanosecond", "2026-02-03T05:30:00.123456788Z", "2026-02-03T05:30:00.123456789Z"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			if !test.before.Instant().Before(test.after.Instant()) {
				t.Errorf("%s is not before %s", test.before, test.after)
			}
		})
	}
	if instant := normal.Time("").Instant(); !instant.IsZero() {
		t.Errorf("the instant of no time is %s", instant)
	}
}

// decimalForm is the one spelling of a Decimal.
var decimalForm = regexp.MustCompile(`^(0|-?([1-9][0-9]*|0)\.[0-9]*[1-9]|-?[1-9][0-9]*)$`)

// Every number is read exactly, or not at all: math/big says what is exact.
func FuzzNumber(f *testing.F) {
	for _, text := range []string{
		"0", "-0.00", "1", "-1.50", "0.1e-5", "12E3", "1e99", "1e100", "123.456e-2", "00.5",
		"123456789012345678901234567890.5", "9223372036854775807", "92233720368547758.08",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || strings.Trim(text, "+-.0123456789eE") != "" {
			return
		}
		record := `{"earnings":[{"hours":` + text + `,"amount":` + text + `}]}`
		read, err := normal.Of(schema.Pinwheel, schema.Paystubs, []byte(record))
		if err != nil {
			t.Fatal(err)
		}
		line := read.Paystub.Earnings[0]
		if line.Hours == "" {
			if !slices.Contains(read.Unread, "$.earnings[0].hours") || line.Amount != nil {
				t.Fatalf("%s: %+v, unread %v", text, line, read.Unread)
			}
			return
		}
		// The exponent is small, for a number that was read has few digits.
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("math/big does not read %s", text)
		}
		got, ok := new(big.Rat).SetString(string(line.Hours))
		if !ok || want.Cmp(got) != 0 || !decimalForm.MatchString(string(line.Hours)) {
			t.Errorf("%s is read as the hours %s", text, line.Hours)
		}
		isWhole := want.IsInt() && want.Num().IsInt64()
		if isWhole != (line.Amount != nil) || isWhole && line.Amount.Minor != want.Num().Int64() {
			t.Errorf("%s is read as the amount %+v", text, line.Amount)
		}
	})
}

func FuzzOf(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(string(v.Provider), string(v.Resource), []byte(v.Record))
	}
	f.Fuzz(func(t *testing.T, provider, resource string, record []byte) {
		before := slices.Clone(record)
		read, err := normal.Of(schema.Provider(provider), schema.Resource(resource), record)
		if !slices.Equal(before, record) {
			t.Fatal("the record changed")
		}
		if err != nil {
			if !errors.Is(err, normal.ErrNoModel) && !errors.Is(err, normal.ErrNoObject) {
				t.Fatal(err)
			}
			return
		}
		if !slices.Equal(before, read.Raw) {
			t.Fatal("Raw is not the record")
		}
		text, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		var again normal.Record
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(second)); diff != "" {
			t.Errorf("the result changes when it is decoded and encoded (-first +second):\n%s", diff)
		}
		if utf8.Valid(record) {
			jsonschematest.Validate(t, jsonschema.Normal(), text)
		}
	})
}
