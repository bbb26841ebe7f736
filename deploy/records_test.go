package deploy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

// The records of the fakes keep the schemas of records, and have the drift that the fakes are made
// to have: a field or two that no reference has.
func TestRecordsOfTheFakesKeepTheirSchemas(t *testing.T) {
	providers := fake.New(fake.Config{})
	defer providers.Close()
	server := httptest.NewServer(providers)
	defer server.Close()
	person := providers.Person(fake.PersonOptions{})
	account := "/pinwheel/v1/accounts/" + person.AccountID
	reports := "/pinwheel/v1/end_users/" + url.PathEscape(person.EndUserID) + "/verification_reports"
	link := "/truv/v1/links/" + person.LinkID + "/"
	for path, test := range map[string]struct {
		provider schema.Provider
		resource schema.Resource
		kind     string
		// drift has the unknown fields of the fake.
		drift []string
	}{
		account: {schema.Pinwheel, schema.Link, "account", nil},
		account + "/employment": {
			schema.Pinwheel, schema.Employment, "employment", nil,
		},
		account + "/identity": {
			schema.Pinwheel, schema.Identity, "identity", []string{"ssn_on_file"},
		},
		account + "/income": {schema.Pinwheel, schema.Income, "income", nil},
		account + "/paystubs?limit=100": {
			schema.Pinwheel, schema.Paystubs, "paystub", []string{"pay_group"},
		},
		account + "/shifts?limit=100": {schema.Pinwheel, schema.Shifts, "shift", nil},
		reports + "/voe":              {schema.Pinwheel, schema.VerificationReports, "voe", nil},
		reports + "/voie": {
			schema.Pinwheel, schema.VerificationReports, "voie", []string{
				"employments[].income.paystubs[].taxes",
				"employments[].income.paystubs[].deductions",
				"employments[].income.paystubs[].time_off",
				"employments[].income.paystubs[].document",
				"employments[].income.paystubs[].pay_group",
			},
		},
		account + "/direct_deposit_allocations": {
			schema.Pinwheel, schema.BankAccounts, "direct_deposit_allocations", nil,
		},
		account + "/tax_forms?limit=100": {schema.Pinwheel, schema.TaxForms, "tax_form", nil},
		link:                             {schema.Truv, schema.Link, "link", nil},
		link + "employments/":            {schema.Truv, schema.Employment, "employment", nil},
		link + "identity/": {
			schema.Truv, schema.Identity, "profile", []string{"phone_number"},
		},
		link + "statements/":    {schema.Truv, schema.Paystubs, "statement", nil},
		link + "shifts/":        {schema.Truv, schema.Shifts, "shift", nil},
		link + "bank_accounts/": {schema.Truv, schema.BankAccounts, "bank_account", nil},
		link + "income/report/": {
			// The first and the last are cut out of every completion.
			schema.Truv, schema.VerificationReports, "report", []string{
				"access_token", "employments[].profile.phone_number", "employments[].bank_accounts",
			},
		},
	} {
		t.Run(test.kind, func(t *testing.T) {
			records := recordsOf(t, getFake(t, test.provider, server.URL+path))
			if len(records) == 0 {
				t.Fatal("there is no record")
			}
			for _, record := range records {
				jsonschematest.Record(t, test.provider, test.kind, record)
				var unknown []string
				for _, f := range jsonschema.NewReference().
					FindDrift(test.provider, test.resource, record) {
					if f.Kind != jsonschema.UnknownField || f.Record != test.kind {
						t.Errorf("%+v", f)
					}
					if !slices.Contains(unknown, f.Path) { // as null, and as an object
						unknown = append(unknown, f.Path)
					}
				}
				if diff := cmp.Diff(test.drift, unknown); diff != "" {
					t.Errorf("unknown fields (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// getFake calls a fake provider with its credentials.
func getFake(t *testing.T, p schema.Provider, address string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := fake.Secret(string(p))
	r.Header.Set("x-api-secret", secret)
	r.Header.Set("Pinwheel-Version", "2025-07-08")
	r.Header.Set("X-Access-Client-Id", fake.TruvClientID)
	r.Header.Set("X-Access-Secret", secret)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", address, answer.StatusCode, err, body)
	}
	return body
}

// recordsOf returns the records of an answer: a list or one in data, a list in results, or the
// whole of it, which may be a list.
func recordsOf(t *testing.T, body []byte) []json.RawMessage {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("the answer is no JSON: %s", body)
	}
	var envelope struct{ Data, Results json.RawMessage }
	_ = json.Unmarshal(body, &envelope) // a list has neither
	whole := json.RawMessage(body)
	for _, member := range []json.RawMessage{envelope.Data, envelope.Results} {
		if member != nil {
			whole = member
		}
	}
	var list []json.RawMessage
	if json.Unmarshal(whole, &list) == nil {
		return list
	}
	return []json.RawMessage{whole}
}
