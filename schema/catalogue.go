package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Provider names a payroll data provider as it stands in subjects, queue names and URLs.
type Provider string

// The providers Wagewire knows.
const (
	Pinwheel Provider = "pinwheel"
	Truv     Provider = "truv"
)

// Providers lists every provider, in the order in which tables show them.
func Providers() []Provider { return []Provider{Pinwheel, Truv} }

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
	ActionAdded             = "added"
	ActionSevenDaysSynced   = "seven_days_synced"
	ActionThirtyDaysSynced  = "thirty_days_synced"
	ActionNinetyDaysSynced  = "ninety_days_synced"
	ActionFullySynced       = "fully_synced"
	ActionRefreshed         = "refreshed"
	ActionConnected         = "connected"
	ActionDisconnected      = "disconnected"
	ActionDeleted           = "deleted"
	accountIDPath           = "payload.account_id"
	endUserIDPath           = "payload.end_user_id"
	linkIDPath              = "link_id"
	storedOnly              = "stored, no worker"
	fetchOne                = "GET /v1/accounts/{account_id}/"
	listPaystubsWithinDates = "list pages, keep what was paid within the dates of `params`"
	listShifts              = "list every page"
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
	path := accountIDPath
	if p == Truv {
		path = linkIDPath
	}
	return WebhookType{Provider: p, Name: name, Resource: Other, Action: Token(name), Account: path, Does: storedOnly}
}

var catalogue = []WebhookType{
	fetched(Employment, ActionAdded, fetchOne+"employment"),
	fetched(Identity, ActionAdded, fetchOne+"identity"),
	fetched(Income, ActionAdded, fetchOne+"income"),
	fetched(Paystubs, ActionAdded, "list pages between the dates of `params`, keep the ids in `added`, fetch one by one what the list lacks"),
	fetched(Paystubs, ActionSevenDaysSynced, listPaystubsWithinDates),
	fetched(Paystubs, ActionThirtyDaysSynced, listPaystubsWithinDates),
	fetched(Paystubs, ActionNinetyDaysSynced, listPaystubsWithinDates),
	{Pinwheel, "paystubs.fully_synced", Paystubs, ActionFullySynced, accountIDPath, []Resource{Paystubs, Income},
		"list every page; income is fetched again, for it changes when paystubs finish"},
	fetched(Shifts, ActionAdded, "list pages, newest first, keep the ids in `added`, stop when all are found"),
	fetched(Shifts, ActionSevenDaysSynced, listShifts),
	fetched(Shifts, ActionThirtyDaysSynced, listShifts),
	fetched(Shifts, ActionNinetyDaysSynced, listShifts),
	fetched(Shifts, ActionFullySynced, listShifts),
	{Pinwheel, "verification_reports.refreshed", VerificationReports, ActionRefreshed, endUserIDPath, []Resource{VerificationReports},
		"GET /v1/end_users/{end_user_id}/verification_reports/voe and /voie, each where `availability` says available"},
	{Truv, "link-connected", Link, ActionConnected, linkIDPath, []Resource{Link}, "GET /v1/links/{link_id}/"},
	{Truv, "link-disconnected", Link, ActionDisconnected, linkIDPath, []Resource{Link}, "GET /v1/links/{link_id}/"},
	{Truv, "link-deleted", Link, ActionDeleted, linkIDPath, []Resource{Link}, "no API call: the account's data is erased"},

	// Everything before the last dot of Pinwheel's type is the resource: its own job names say paystubs_documents, too.
	stored(Pinwheel, "account.added", "account", "added"),
	stored(Pinwheel, "account.additional_connections_recommended", "account", "additional_connections_recommended"),
	stored(Pinwheel, "account.monitoring_status.updated", "account_monitoring_status", "updated"),
	stored(Pinwheel, "bill.added", "bill", "added"),
	stored(Pinwheel, "bill.reminder", "bill", "reminder"),
	stored(Pinwheel, "bill.removed", "bill", "removed"),
	stored(Pinwheel, "bill.updated", "bill", "updated"),
	stored(Pinwheel, "bill_switch.added", "bill_switch", "added"),
	stored(Pinwheel, "bill_switch.cancelled", "bill_switch", "cancelled"),
	stored(Pinwheel, "company_connect.census.added", "company_connect_census", "added"),
	stored(Pinwheel, "company_connect.employments.added", "company_connect_employments", "added"),
	stored(Pinwheel, "company_connect.incomes.added", "company_connect_incomes", "added"),
	stored(Pinwheel, "company_connect.status.updated", "company_connect_status", "updated"),
	stored(Pinwheel, "direct_deposit_allocations.added", "direct_deposit_allocations", "added"),
	stored(Pinwheel, "direct_deposit_switch.added", "direct_deposit_switch", "added"),
	stored(Pinwheel, "documents.added", "documents", "added"),
	stored(Pinwheel, "earnings_stream.payouts.refreshed", "earnings_stream_payouts", "refreshed"),
	stored(Pinwheel, "paycheck_viewer.added", "paycheck_viewer", "added"),
	stored(Pinwheel, "paystubs.documents.added", "paystubs_documents", "added"),
	stored(Pinwheel, "tax_forms.added", "tax_forms", "added"),

	// Truv names the object first and then what happened to it.
	stored(Truv, "task-status-updated", "task", "status_updated"),
	stored(Truv, "order-created", "order", "created"),
	stored(Truv, "order-status-updated", "order", "status_updated"),
	stored(Truv, "order-refresh-failed", "order", "refresh_failed"),
	stored(Truv, "order-finalized", "order", "finalized"),
	stored(Truv, "certification-completed", "certification", "completed"),
	stored(Truv, "employment-created", "employment", "created"),
	stored(Truv, "employment-updated", "employment", "updated"),
	stored(Truv, "profile-created", "profile", "created"),
	stored(Truv, "profile-updated", "profile", "updated"),
	stored(Truv, "statements-created", "statements", "created"),
	stored(Truv, "statements-updated", "statements", "updated"),
	stored(Truv, "shifts-created", "shifts", "created"),
	stored(Truv, "shifts-updated", "shifts", "updated"),
	stored(Truv, "bank-accounts-created", "bank_accounts", "created"),
	stored(Truv, "bank-accounts-updated", "bank_accounts", "updated"),
}

// fetched is a row of Pinwheel's job events, read by the worker of its own resource.
func fetched(r Resource, action, does string) WebhookType {
	return WebhookType{Pinwheel, string(r) + "." + action, r, action, accountIDPath, []Resource{r}, does}
}

// stored is a row that no worker reads yet.
func stored(p Provider, name string, r Resource, action string) WebhookType {
	path := accountIDPath
	if p == Truv {
		path = linkIDPath
	}
	return WebhookType{p, name, r, action, path, nil, storedOnly}
}
