package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/schema/rawjson"
)

// Resource is a kind of data. A webhook is about one resource, and a worker command fetches one.
// The worker of Notices fetches nothing: the webhook itself is the data.
type Resource string

// Resources with a worker, and Other, the resource of events of an unknown type.
const (
	Employment          Resource = "employment"
	Identity            Resource = "identity"
	Income              Resource = "income"
	Paystubs            Resource = "paystubs"
	Shifts              Resource = "shifts"
	VerificationReports Resource = "verification_reports"
	BankAccounts        Resource = "bank_accounts"
	TaxForms            Resource = "tax_forms"
	Link                Resource = "link"
	Notices             Resource = "notices"
	Other               Resource = "other"
)

// Actions with a meaning for a worker.
const (
	ActionAdded            = "added"
	ActionSevenDaysSynced  = "seven_days_synced"
	ActionThirtyDaysSynced = "thirty_days_synced"
	ActionNinetyDaysSynced = "ninety_days_synced"
	ActionFullySynced      = "fully_synced"
	ActionRefreshed        = "refreshed"
	ActionCreated          = "created"
	ActionUpdated          = "updated"
	ActionStatusUpdated    = "status_updated"
	ActionConnected        = "connected"
	ActionDisconnected     = "disconnected"
	ActionRemoved          = "removed"
	ActionDeleted          = "deleted"
)

// WebhookType is one row of the catalogue: a webhook type documented by a provider, and the work
// that Wagewire does for it.
type WebhookType struct {
	Provider Provider
	// Name is the provider's name of the type, such as "paystubs.added".
	Name string
	// Resource and Action are the two tokens of the type in subjects.
	Resource Resource
	Action   string
	// Account is the path of the account's id in the body, from the top.
	Account string
	// Workers are the resources whose workers read the type. Each of them completes an event once.
	// An event of a type without workers is only stored.
	Workers []Resource
	// OnSuccess are those of Workers that act only if the provider's job succeeded: the job is of
	// another resource, whose worker says how the job ended.
	OnSuccess []Resource
	// Does describes the work of those workers, for generated tables.
	Does string
	// Why is the reason why no worker reads the type, for generated tables. Empty: a worker does.
	Why string
	// NamesEndUser is true if the id at Account names a person (end_user_id) and not an account.
	// The operator of Wagewire chooses the ids of persons.
	NamesEndUser bool
	// Erases is true if the provider deleted the account's data. The worker then erases the account
	// here.
	Erases bool
}

// Known reports whether the catalogue has a row for the type.
func (t WebhookType) Known() bool { return t.Resource != Other }

// AccountIDIn reads the account's id from a webhook's body: the string at the path Account. It
// returns "" if the body has no such member, or null there.
func (t WebhookType) AccountIDIn(body []byte) (string, error) {
	if err := rawjson.Check(body, rawjson.DepthMax); err != nil {
		return "", fmt.Errorf("read %s: %w", t.Account, err)
	}
	value := json.RawMessage(body)
	for key := range strings.SplitSeq(t.Account, ".") {
		r := rawjson.NewReader(value)
		if first := r.Next(); first != '{' && first != 'n' {
			return "", fmt.Errorf("read %s: %s is in no object", t.Account, key)
		}
		value = nil
		for name := range r.Members() {
			if string(name) == key {
				value = r.Value()
			}
		}
		if value == nil {
			return "", nil
		}
	}
	var id string // null leaves it empty
	if !rawjson.ReadText(value, &id) {
		return "", fmt.Errorf("read %s: it is no string", t.Account)
	}
	return id, nil
}

// Catalogue returns every documented webhook type of every provider. Types with workers come first.
// The caller may keep the slice.
func Catalogue() []WebhookType { return slices.Clone(catalogue) }

// Lookup returns the catalogue's row for a provider's type. Events of a type without a row are
// stored too: for such a type Lookup returns a row with the resource Other, the type's token as
// action, and the provider's usual path of the account's id.
func Lookup(p Provider, name string) WebhookType {
	if t, ok := byName[typeName{p, name}]; ok {
		return *t
	}
	const why = "no provider documents the type"
	unknown := storedType(name, Other, Token(name), p.Layout().Account, why)
	unknown.Provider = p
	return unknown
}

// catalogue holds the types with workers first, then the types without, each part in the order of
// the providers.
var catalogue = listTypes()

// byName has the rows of catalogue.
var byName = indexTypes()

// typeName is a provider's name of a type.
type typeName struct {
	provider Provider
	name     string
}

func indexTypes() map[typeName]*WebhookType {
	index := make(map[typeName]*WebhookType, len(catalogue))
	for i := range catalogue {
		t := &catalogue[i]
		index[typeName{t.Provider, t.Name}] = t
	}
	return index
}

func listTypes() []WebhookType {
	var withWorkers []WebhookType
	var withoutWorkers []WebhookType
	for _, row := range providers {
		for _, t := range row.types {
			t.Provider = row.name
			if len(t.Workers) > 0 {
				withWorkers = append(withWorkers, t)
			} else {
				withoutWorkers = append(withoutWorkers, t)
			}
		}
	}
	return append(withWorkers, withoutWorkers...)
}

// storedType returns a type without workers.
func storedType(name string, r Resource, action, account, why string) WebhookType {
	return WebhookType{
		Name: name, Resource: r, Action: action, Account: account,
		Does: "stored, no worker", Why: why,
	}
}
