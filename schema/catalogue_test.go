package schema_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

// The types that the providers document, written out once more, so that a row lost from the catalogue is seen.
var (
	pinwheelTypes = strings.Fields(`
		account.added account.additional_connections_recommended account.monitoring_status.updated
		bill.added bill.reminder bill.removed bill.updated bill_switch.added bill_switch.cancelled
		company_connect.census.added company_connect.employments.added company_connect.incomes.added company_connect.status.updated
		direct_deposit_allocations.added direct_deposit_switch.added documents.added earnings_stream.payouts.refreshed
		employment.added identity.added income.added paycheck_viewer.added
		paystubs.added paystubs.documents.added
		paystubs.seven_days_synced paystubs.thirty_days_synced paystubs.ninety_days_synced paystubs.fully_synced
		shifts.added shifts.seven_days_synced shifts.thirty_days_synced shifts.ninety_days_synced shifts.fully_synced
		tax_forms.added verification_reports.refreshed`)
	truvTypes = strings.Fields(`
		task-status-updated order-created order-status-updated order-refresh-failed order-finalized certification-completed
		link-connected link-disconnected link-deleted
		employment-created employment-updated profile-created profile-updated statements-created statements-updated
		shifts-created shifts-updated bank-accounts-created bank-accounts-updated`)
	// workedOn names the workers that read a type. All other types are stored, nothing more.
	workedOn = map[string][]schema.Resource{
		"employment.added":               {"employment"},
		"identity.added":                 {"identity"},
		"income.added":                   {"income"},
		"paystubs.added":                 {"paystubs"},
		"paystubs.seven_days_synced":     {"paystubs"},
		"paystubs.thirty_days_synced":    {"paystubs"},
		"paystubs.ninety_days_synced":    {"paystubs"},
		"paystubs.fully_synced":          {"paystubs", "income"},
		"shifts.added":                   {"shifts"},
		"shifts.seven_days_synced":       {"shifts"},
		"shifts.thirty_days_synced":      {"shifts"},
		"shifts.ninety_days_synced":      {"shifts"},
		"shifts.fully_synced":            {"shifts"},
		"verification_reports.refreshed": {"verification_reports"},
		"link-connected":                 {"link"},
		"link-disconnected":              {"link"},
		"link-deleted":                   {"link"},
	}
)

func TestEveryDocumentedTypeHasOneRow(t *testing.T) {
	if len(pinwheelTypes) != 34 || len(truvTypes) != 19 || len(workedOn) != 17 {
		t.Fatalf("the lists hold %d, %d and %d types, want 34, 19 and 17", len(pinwheelTypes), len(truvTypes), len(workedOn))
	}
	want := map[schema.Provider][]string{schema.Pinwheel: slices.Sorted(slices.Values(pinwheelTypes)), schema.Truv: slices.Sorted(slices.Values(truvTypes))}
	got := map[schema.Provider][]string{}
	for _, w := range schema.Catalogue() {
		got[w.Provider] = append(got[w.Provider], w.Name)
	}
	for _, names := range got {
		slices.Sort(names)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types (-documented +catalogue):\n%s", diff)
	}
}

func TestTheSeventeenTypesOfTheSeedPagesHaveTheirWorkers(t *testing.T) {
	got := map[string][]schema.Resource{}
	for _, w := range schema.Catalogue() {
		if len(w.Workers) > 0 {
			got[w.Name] = w.Workers
		}
	}
	if diff := cmp.Diff(workedOn, got); diff != "" {
		t.Errorf("workers (-want +got):\n%s", diff)
	}
}

var legalToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func TestARowOfTheCatalogue(t *testing.T) {
	places := map[string]string{}
	for _, w := range schema.Catalogue() {
		t.Run(w.Name, func(t *testing.T) {
			for _, token := range []string{string(w.Provider), string(w.Resource), w.Action} {
				if !legalToken.MatchString(token) {
					t.Errorf("%q is no token", token)
				}
			}
			if !slices.Contains(schema.Providers(), w.Provider) {
				t.Errorf("Providers does not list %s", w.Provider)
			}
			place := fmt.Sprintf("%s.%s.%s", w.Provider, w.Resource, w.Action)
			if other, taken := places[place]; taken {
				t.Errorf("%s is the place of %s, too", place, other)
			}
			places[place] = w.Name
			if !w.Known() || w.Account == "" || w.Does == "" {
				t.Errorf("row is not complete: %+v", w)
			}
			if diff := cmp.Diff(w, schema.Lookup(w.Provider, w.Name)); diff != "" {
				t.Errorf("Lookup finds another row (-catalogue +lookup):\n%s", diff)
			}
		})
	}
}

func TestTheCatalogueCannotBeChangedByItsReaders(t *testing.T) {
	want := schema.Catalogue()
	got := schema.Catalogue()
	got[0] = schema.WebhookType{}
	if diff := cmp.Diff(want, schema.Catalogue()); diff != "" {
		t.Errorf("Catalogue (-before +after):\n%s", diff)
	}
}

func TestATypeWithoutRowIsStoredUnderOther(t *testing.T) {
	for promise, test := range map[string]struct {
		provider schema.Provider
		name     string
		want     schema.WebhookType
	}{
		"a plain name is the action": {schema.Truv, "order-finalised",
			schema.WebhookType{Provider: "truv", Name: "order-finalised", Resource: "other", Action: "order-finalised", Account: "link_id", Does: "stored, no worker"}},
		"a dotted name is hashed": {schema.Pinwheel, "payroll.exploded",
			schema.WebhookType{Provider: "pinwheel", Name: "payroll.exploded", Resource: "other", Action: schema.HashToken("payroll.exploded"), Account: "payload.account_id", Does: "stored, no worker"}},
		"a wildcard is hashed": {schema.Pinwheel, ">",
			schema.WebhookType{Provider: "pinwheel", Name: ">", Resource: "other", Action: schema.HashToken(">"), Account: "payload.account_id", Does: "stored, no worker"}},
		"another provider's type is unknown": {schema.Truv, "income.added",
			schema.WebhookType{Provider: "truv", Name: "income.added", Resource: "other", Action: schema.HashToken("income.added"), Account: "link_id", Does: "stored, no worker"}},
		"names are told apart by case": {schema.Truv, "Link-Deleted",
			schema.WebhookType{Provider: "truv", Name: "Link-Deleted", Resource: "other", Action: "Link-Deleted", Account: "link_id", Does: "stored, no worker"}},
	} {
		t.Run(promise, func(t *testing.T) {
			got := schema.Lookup(test.provider, test.name)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Lookup (-want +got):\n%s", diff)
			}
			if got.Known() {
				t.Error("it counts as known")
			}
		})
	}
}

func TestTheAccountsIDIsReadFromTheBody(t *testing.T) {
	for promise, test := range map[string]struct {
		provider   schema.Provider
		name, body string
		want       string
		fails      bool
	}{
		"of an account":                {schema.Pinwheel, "income.added", `{"payload":{"account_id":"a-1","end_user_id":"u-1"}}`, "a-1", false},
		"of a person":                  {schema.Pinwheel, "verification_reports.refreshed", `{"payload":{"account_id":"a-1","end_user_id":"u 1"}}`, "u 1", false},
		"of a link":                    {schema.Truv, "link-deleted", `{"link_id":"l-1"}`, "l-1", false},
		"of an unknown type":           {schema.Truv, "order-lost", `{"link_id":"l-1"}`, "l-1", false},
		"as it is written":             {schema.Truv, "link-deleted", `{"link_id":" \u002a.> "}`, " *.> ", false},
		"where it is empty":            {schema.Truv, "link-deleted", `{"link_id":""}`, "", false},
		"where it is null":             {schema.Truv, "link-deleted", `{"link_id":null}`, "", false},
		"where it is missing":          {schema.Truv, "link-deleted", `{"Link_ID":"l-1"}`, "", false},
		"where its parent is null":     {schema.Pinwheel, "income.added", `{"payload":null}`, "", false},
		"where its parent is missing":  {schema.Pinwheel, "income.added", `{}`, "", false},
		"not where it is a number":     {schema.Truv, "link-deleted", `{"link_id":7}`, "", true},
		"not where its parent is text": {schema.Pinwheel, "income.added", `{"payload":"a-1"}`, "", true},
		"not from a list":              {schema.Pinwheel, "income.added", `[]`, "", true},
		"not from what is no JSON":     {schema.Pinwheel, "income.added", `{`, "", true},
	} {
		t.Run(promise, func(t *testing.T) {
			got, err := schema.Lookup(test.provider, test.name).AccountIDIn([]byte(test.body))
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("AccountIDIn(%s) = %q, %v; want %q, an error: %t", test.body, got, err, test.want, test.fails)
			}
		})
	}
}

func TestTheNamesOfEveryTypeOnTheWireAreFrozen(t *testing.T) {
	type completion struct {
		Queue   string `json:"queue"`
		ID      string `json:"id"`
		Subject string `json:"subject"`
	}
	type row struct {
		Provider    schema.Provider `json:"provider"`
		Type        string          `json:"type"`
		Resource    schema.Resource `json:"resource"`
		Action      string          `json:"action"`
		Account     string          `json:"account"`
		Subject     string          `json:"subject"`
		MessageID   string          `json:"message_id"`
		Completions []completion    `json:"completions"`
	}
	var rows []row
	for _, w := range schema.Catalogue() {
		e := schema.Event{Provider: w.Provider, ID: "event-1", Type: w.Name, Resource: w.Resource, Action: w.Action, AccountID: "account-1"}
		r := row{w.Provider, w.Name, w.Resource, w.Action, w.Account, e.Subject(), e.Key(), []completion{}}
		for _, worker := range w.Workers {
			r.Completions = append(r.Completions, completion{schema.QueueName(w.Provider, worker), e.CompletionKey(worker), e.CompletionSubject(worker)})
		}
		rows = append(rows, r)
	}
	got, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "catalogue", got)
}
