package jsonschema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

func TestASampleOfARecordHasNoDrift(t *testing.T) {
	ref := jsonschema.NewReference()
	for _, r := range allRecords() {
		if got := ref.FindDrift(r.provider, r.resource, r.sample(t)); got != nil {
			t.Errorf("%s: %+v", r.path(), got)
		}
	}
}

func TestDrift(t *testing.T) {
	const deep = `{"taxes":[{"category":"federal_income"},{"category":"galactic_income"}]}`
	for promise, test := range map[string]struct {
		provider schema.Provider
		resource schema.Resource
		record   string
		want     []jsonschema.Finding
	}{
		"a field that the reference lacks is unknown, with its type": {
			schema.Pinwheel, schema.Paystubs, `{"id":"a","union":{"name":"Robin"}}`,
			[]jsonschema.Finding{{"paystub", jsonschema.UnknownField, "union", "object"}},
		},
		"a value that the reference lacks is shown if it is a word": {
			schema.Pinwheel, schema.Paystubs, deep,
			[]jsonschema.Finding{
				{"paystub", jsonschema.UnknownValue, "taxes[].category", "galactic_income"},
			},
		},
		"a value that is no word is counted and not shown": {
			schema.Pinwheel, schema.Employment, `{"status":"Robin Sample left"}`,
			[]jsonschema.Finding{{"employment", jsonschema.UnknownValue, "status", ""}},
		},
		"a field whose name is no word is counted and not shown": {
			schema.Pinwheel, schema.Employment, `{"robin@example.invalid":1}`,
			[]jsonschema.Finding{{"employment", jsonschema.UnknownField, "?", "integer"}},
		},
		"an amount as text has another type": {
			schema.Pinwheel, schema.Income, `{"compensation_amount":"18.00"}`,
			[]jsonschema.Finding{{"income", jsonschema.OtherType, "compensation_amount", "string"}},
		},
		"an amount with a fraction has another type": {
			schema.Pinwheel, schema.Income, `{"compensation_amount":18.5}`,
			[]jsonschema.Finding{{"income", jsonschema.OtherType, "compensation_amount", "number"}},
		},
		"an amount with a fraction of zeros is an integer": {
			schema.Pinwheel, schema.Income, `{"compensation_amount":1800.0}`, nil,
		},
		"an integer is a number of hours": {
			schema.Pinwheel, schema.Shifts, `{"earnings":[{"hours":8}]}`, nil,
		},
		"a null is no drift": {
			schema.Pinwheel, schema.Identity, `{"address":null,"emails":null,"full_name":null}`, nil,
		},
		"a null in place of the id is drift": {
			schema.Pinwheel, schema.Identity, `{"id":null}`,
			[]jsonschema.Finding{{"identity", jsonschema.OtherType, "id", "null"}},
		},
		"an address as text has another type": {
			schema.Pinwheel, schema.Identity, `{"address":"7 Example Lane"}`,
			[]jsonschema.Finding{{"identity", jsonschema.OtherType, "address", "string"}},
		},
		"a field behind one of another type is still read": {
			schema.Pinwheel, schema.Identity, `{"emails":{"a":["}"]},"ssn":"0000"}`,
			[]jsonschema.Finding{
				{"identity", jsonschema.OtherType, "emails", "object"},
				{"identity", jsonschema.UnknownField, "ssn", "string"},
			},
		},
		"the same in many entries is found once": {
			schema.Pinwheel, schema.Paystubs,
			`{"taxes":[{"x":1},{"x":2},{"x":3}]}`,
			[]jsonschema.Finding{{"paystub", jsonschema.UnknownField, "taxes[].x", "integer"}},
		},
		"tags of an account are the operator's own": {
			schema.Pinwheel, schema.Link, `{"tags":{"any":{"thing":[1]}}}`, nil,
		},
		"a name with escapes is the name": {
			schema.Pinwheel, schema.Income, `{"curr\u0065ncy":"USD"}`, nil,
		},
		"a value with escapes is the value": {
			schema.Pinwheel, schema.Income, `{"currency":"US\u0044"}`, nil,
		},
		"white space is no drift": {
			schema.Pinwheel, schema.Income, " {\n\t\"currency\" : \"USD\" , \"id\" : \"a\"\r\n} ", nil,
		},
		"a report with income is compared as one": {
			schema.Pinwheel, schema.VerificationReports,
			`{"employments":[{"income":{"currency":"ZZZ"}}],"report_type":"voie"}`,
			[]jsonschema.Finding{
				{"voie", jsonschema.UnknownValue, "employments[].income.currency", "ZZZ"},
			},
		},
		"a report without income has none": {
			schema.Pinwheel, schema.VerificationReports,
			`{"employments":[{"income":{}}],"report_type":"voe"}`,
			[]jsonschema.Finding{
				{"voe", jsonschema.UnknownField, "employments[].income", "object"},
			},
		},
		"a new kind of report is an unknown value": {
			schema.Pinwheel, schema.VerificationReports, `{"report_type":"vod"}`,
			[]jsonschema.Finding{{"voe", jsonschema.UnknownValue, "report_type", "vod"}},
		},
		"a product of a link is one of a list": {
			schema.Truv, schema.Link, `{"allowed_products":["income","lottery"]}`,
			[]jsonschema.Finding{
				{"link", jsonschema.UnknownValue, "allowed_products[]", "lottery"},
			},
		},
		"a record that is no object has another type": {
			schema.Truv, schema.Link, `[1]`,
			[]jsonschema.Finding{{"link", jsonschema.OtherType, "", "array"}},
		},
		"a resource without a reference has no drift": {
			schema.Truv, schema.TaxForms, `{"x":1}`, nil,
		},
		"money of Truv's that becomes a number has another type": {
			schema.Truv, schema.Paystubs, `{"net_pay":1131.47,"earnings":[{"amount":"1.10"}]}`,
			[]jsonschema.Finding{{"statement", jsonschema.OtherType, "net_pay", "number"}},
		},
		"a report is compared to its depth": {
			schema.Truv, schema.VerificationReports,
			`{"employments":[{"bank_accounts":[],"profile":{"ssn":7},"statements":[{"hours":"8"}]}]}`,
			[]jsonschema.Finding{
				{"report", jsonschema.UnknownField, "employments[].bank_accounts", "array"},
				{"report", jsonschema.OtherType, "employments[].profile.ssn", "integer"},
			},
		},
		"both resources of an employment have one reference": {
			schema.Truv, schema.Income, `{"income_unit":"HOURLY","pay_frequency":"Q"}`,
			[]jsonschema.Finding{{"employment", jsonschema.UnknownValue, "pay_frequency", "Q"}},
		},
		"no digit of an account is shown": {
			schema.Truv, schema.BankAccounts, `{"account_number":4111111111111111,"iban":"x"}`,
			[]jsonschema.Finding{
				{"bank_account", jsonschema.OtherType, "account_number", "integer"},
				{"bank_account", jsonschema.UnknownField, "iban", "string"},
			},
		},
		"a way to allocate pay is one of a list": {
			schema.Pinwheel, schema.BankAccounts, `{"allocations":[{"allocation_type":"lottery"}]}`,
			[]jsonschema.Finding{{"direct_deposit_allocations", jsonschema.UnknownValue,
				"allocations[].allocation_type", "lottery"}},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := jsonschema.NewReference().
				FindDrift(test.provider, test.resource, []byte(test.record))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestARecordHasAtMostFindingsMax(t *testing.T) {
	var fields []string
	for i := range 10 * jsonschema.FindingsMax {
		fields = append(fields, fmt.Sprintf(`"f%d":1`, i))
	}
	record := "{" + strings.Join(fields, ",") + "}"
	got := jsonschema.NewReference().FindDrift(schema.Truv, schema.Link, []byte(record))
	if len(got) != jsonschema.FindingsMax {
		t.Errorf("%d findings, want %d", len(got), jsonschema.FindingsMax)
	}
}

func FuzzDrift(f *testing.F) {
	for _, text := range []string{
		`{"id":"a","taxes":[{"category":"x"}],"tags":{"a":1}}`, `{"id"`, `{"id":`, `{"a":[`, `[,]`,
		`{"a" "b"}`, `"\`, `{"\u00`, `{"taxes":[}`, `-`, `1e5`, `{"report_type":{}}`, "{\"\xff\":1}",
	} {
		f.Add([]byte(text))
	}
	ref := jsonschema.NewReference()
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, r := range allRecords() {
			findings := ref.FindDrift(r.provider, r.resource, record)
			if len(findings) > jsonschema.FindingsMax {
				t.Errorf("%d findings", len(findings))
			}
			for _, finding := range findings {
				if strings.ContainsAny(finding.Path+finding.Value, " @\n\"\\") {
					t.Errorf("%+v shows more than words", finding)
				}
			}
		}
	})
}

// A worker does this for every record.
func BenchmarkDriftOfAPaystub(b *testing.B) {
	ref := jsonschema.NewReference()
	paystub, _ := jsonschema.RecordSample(schema.Pinwheel, "paystub")
	b.SetBytes(int64(len(paystub)))
	b.ReportAllocs()
	for b.Loop() {
		ref.FindDrift(schema.Pinwheel, schema.Paystubs, paystub)
	}
}

// A process does this once, at its start.
func BenchmarkNewReference(b *testing.B) {
	for b.Loop() {
		jsonschema.NewReference()
	}
}
