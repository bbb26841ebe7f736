package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Resource is a kind of data: what a webhook is about, and what one worker command fetches.
type Resource string

// The resources that have a worker, and Other, under which events of an unknown type are stored.
const (
	Employment          Resource = "employment"
	Identity            Resource = "identity"
	Income              Resource = "income"
	Paystubs            Resource = "paystubs"
	Shifts              Resource = "shifts"
	VerificationReports Resource = "verification_reports"
	Link                Resource = "link"
	Other               Resource = "other"
)

// Actions that a worker tells apart.
const (
	ActionAdded            = "added"
	ActionSevenDaysSynced  = "seven_days_synced"
	ActionThirtyDaysSynced = "thirty_days_synced"
	ActionNinetyDaysSynced = "ninety_days_synced"
	ActionFullySynced      = "fully_synced"
	ActionRefreshed        = "refreshed"
	ActionConnected        = "connected"
	ActionDisconnected     = "disconnected"
	ActionDeleted          = "deleted"
)

// WebhookType is one row of the catalogue: a type of webhook that a provider documents, and what Wagewire does with it.
type WebhookType struct {
	Provider Provider
	// Name is the type in the provider's own words, such as "paystubs.added".
	Name string
	// Resource and Action are its two tokens on the bus.
	Resource Resource
	Action   string
	// Account is the path, from the top of the body, of the id that names the account.
	Account string
	// Workers are the resources whose workers read it: each completes it once. None: it is stored, nothing more.
	Workers []Resource
	// Does says what those workers do, for the tables generated from the catalogue.
	Does string
	// NamesEndUser: the id at Account is the operator's own name for a person (end_user_id), and not an account's.
	NamesEndUser bool
	// Erases: the account's data was deleted at the provider, and its worker erases the account here.
	Erases bool
}

// Known reports whether the catalogue has a row for the type.
func (t WebhookType) Known() bool { return t.Resource != Other }

// AccountIDIn reads the account's id out of a webhook's body: the string at the Account path, "" where there is none.
func (t WebhookType) AccountIDIn(body []byte) (string, error) {
	value := json.RawMessage(body)
	for key := range strings.SplitSeq(t.Account, ".") {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			return "", fmt.Errorf("read %s: %w", t.Account, err)
		}
		if value = object[key]; value == nil {
			return "", nil
		}
	}
	var id *string
	if err := json.Unmarshal(value, &id); err != nil {
		return "", fmt.Errorf("read %s: %w", t.Account, err)
	}
	if id == nil {
		return "", nil
	}
	return *id, nil
}

// Catalogue returns every documented webhook type: 34 of Pinwheel (OpenAPI 2025-07-08, enabled_events) and 19 of Truv
// (docs.truv.com, webhooks). The seventeen that have workers come first. The caller may keep the slice.
func Catalogue() []WebhookType { return slices.Clone(catalogue) }

// Lookup returns the row of a provider's type. A type without a row is stored too: Lookup answers with resource Other,
// the type as a token for its action, and the path at which the provider usually names the account.
func Lookup(p Provider, name string) WebhookType {
	for _, t := range catalogue {
		if t.Provider == p && t.Name == name {
			return t
		}
	}
	return WebhookType{
		Provider: p, Name: name, Resource: Other, Action: Token(name), Account: p.Layout().Account, Does: storedOnly,
	}
}

// storedOnly is what workers do with a type that none of them reads.
const storedOnly = "stored, no worker"

// catalogue has the types that have workers first, then those that are only stored, each in the order of the providers.
var catalogue = slices.Concat(
	typesOf(func(t WebhookType) bool { return len(t.Workers) > 0 }),
	typesOf(func(t WebhookType) bool { return len(t.Workers) == 0 }),
)

func typesOf(wanted func(WebhookType) bool) []WebhookType {
	var types []WebhookType
	for _, row := range providers {
		for _, t := range row.types {
			if wanted(t) {
				t.Provider = row.name
				types = append(types, t)
			}
		}
	}
	return types
}

// stored is a type that no worker reads yet.
func stored(name string, r Resource, action, account string) WebhookType {
	return WebhookType{Name: name, Resource: r, Action: action, Account: account, Does: storedOnly}
}
