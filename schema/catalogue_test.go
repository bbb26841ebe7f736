package schema_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

var legalToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func TestLookupFindsEveryRowOfTheCatalogue(t *testing.T) {
	for _, w := range schema.Catalogue() {
		compare(t, "row of "+w.Name, w, schema.Lookup(w.Provider, w.Name))
	}
}

func TestTypesWithWorkersComeFirst(t *testing.T) {
	stored := ""
	for _, w := range schema.Catalogue() {
		if len(w.Workers) > 0 && stored != "" {
			t.Errorf("%s has workers and comes after %s", w.Name, stored)
		}
		if len(w.Workers) == 0 {
			stored = w.Name
		}
	}
}

func TestATypeHasAReasonExactlyIfNoWorkerReadsIt(t *testing.T) {
	for _, w := range schema.Catalogue() {
		if (w.Why == "") != (len(w.Workers) > 0) {
			t.Errorf("%s has the workers %v and the reason %q", w.Name, w.Workers, w.Why)
		}
	}
}

func TestOnlyAReaderActsOnSuccess(t *testing.T) {
	for _, w := range schema.Catalogue() {
		for _, r := range w.OnSuccess {
			if !slices.Contains(w.Workers, r) || len(w.OnSuccess) == len(w.Workers) {
				t.Errorf("%s: of the workers %v, %v act on success: one worker must say how the "+
					"job ended", w.Name, w.Workers, w.OnSuccess)
			}
		}
	}
}

func TestTheCatalogueCannotBeChangedByItsReaders(t *testing.T) {
	want := schema.Catalogue()
	got := schema.Catalogue()
	got[0] = schema.WebhookType{}
	compare(t, "catalogue", want, schema.Catalogue())
}

func TestATypeWithoutRowIsStoredUnderOther(t *testing.T) {
	for promise, test := range map[string]struct {
		provider              schema.Provider
		name, action, account string
	}{
		"a plain name is the action": {"truv", "order-finalised", "order-finalised", "link_id"},
		"a dotted name is hashed": {"pinwheel", "payroll.exploded",
			schema.HashToken("payroll.exploded"), "payload.account_id"},
		"a wildcard is hashed": {"pinwheel", ">", schema.HashToken(">"), "payload.account_id"},
		"another provider's type is unknown": {"truv", "income.added",
			schema.HashToken("income.added"), "link_id"},
		"names are told apart by case": {"truv", "Link-Deleted", "Link-Deleted", "link_id"},
	} {
		t.Run(promise, func(t *testing.T) {
			want := schema.WebhookType{
				Provider: test.provider, Name: test.name, Resource: "other", Action: test.action,
				Account: test.account, Does: "stored, no worker", Why: "no provider documents the type",
			}
			got := schema.Lookup(test.provider, test.name)
			compare(t, "Lookup", want, got)
			if got.Known() {
				t.Error("the type counts as known")
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
		"of an account": {
			schema.Pinwheel, "income.added", `{"payload":{"account_id":"a-1","end_user_id":"u-1"}}`,
			"a-1", false,
		},
		"of a person": {
			schema.Pinwheel, "verification_reports.refreshed",
			`{"payload":{"account_id":"a-1","end_user_id":"u 1"}}`, "u 1", false,
		},
		"of a link": {
			schema.Truv, "link-deleted", `{"link_id":"l-1"}`, "l-1", false,
		},
		"of an unknown type": {
			schema.Truv, "order-lost", `{"link_id":"l-1"}`, "l-1", false,
		},
		"as it is written": {
			schema.Truv, "link-deleted", `{"link_id":" \u002a.> "}`, " *.> ", false,
		},
		"where it is empty": {schema.Truv, "link-deleted", `{"link_id":""}`, "", false},
		"where it is null": {
			schema.Truv, "link-deleted", `{"link_id":null}`, "", false,
		},
		"where it is missing": {
			schema.Truv, "link-deleted", `{"Link_ID":"l-1"}`, "", false,
		},
		"where its parent is null": {
			schema.Pinwheel, "income.added", `{"payload":null}`, "", false,
		},
		"where its parent is missing": {schema.Pinwheel, "income.added", `{}`, "", false},
		"not where it is a number":    {schema.Truv, "link-deleted", `{"link_id":7}`, "", true},
		"not where its parent is text": {
			schema.Pinwheel, "income.added", `{"payload":"a-1"}`, "", true,
		},
		"not from a list":          {schema.Pinwheel, "income.added", `[]`, "", true},
		"not from what is no JSON": {schema.Pinwheel, "income.added", `{`, "", true},
	} {
		t.Run(promise, func(t *testing.T) {
			got, err := schema.Lookup(test.provider, test.name).AccountIDIn([]byte(test.body))
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("AccountIDIn(%s) = %q, %v; want %q, an error: %t",
					test.body, got, err, test.want, test.fails)
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
		e := schema.Event{
			Provider: w.Provider, ID: "event-1", Type: w.Name,
			Resource: w.Resource, Action: w.Action, AccountID: "account-1",
		}
		r := row{
			w.Provider, w.Name, w.Resource, w.Action, w.Account,
			e.Subject(), e.Key(), []completion{},
		}
		for _, worker := range w.Workers {
			r.Completions = append(r.Completions, completion{
				Queue:   schema.QueueName(w.Provider, worker),
				ID:      e.CompletionKey(worker),
				Subject: e.CompletionSubject(worker),
			})
		}
		rows = append(rows, r)
	}
	got, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "catalogue", got)
}
