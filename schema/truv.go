package schema

// Truv is https://truv.com.
const Truv Provider = "truv"

// truvLink is the path of a link's id. A link is Truv's word for an account.
const truvLink = "link_id"

// truv is Truv's row: the 19 webhook types documented on docs.truv.com, page webhooks.
//
// A body is one flat object. Truv asks consumers to order webhooks by updated_at, but some copies
// of its documentation lack the field.
//
// Truv documents which report to get when a task is done, and no call for the other types. Their
// calls are an inference from the names of the objects.
var truv = providerRow{
	name:  Truv,
	title: "Truv",
	layout: Layout{
		ID:      "webhook_id",
		Type:    "event_type",
		Times:   []string{"updated_at", "event_created_at"},
		Account: truvLink,
	},
	types: []WebhookType{
		truvData("employment-created", "employment", ActionCreated,
			truvEmployments, Employment, Income),
		truvData("employment-updated", "employment", ActionUpdated,
			truvEmployments, Employment, Income),
		truvData("profile-created", "profile", ActionCreated, truvIdentity, Identity),
		truvData("profile-updated", "profile", ActionUpdated, truvIdentity, Identity),
		truvData("statements-created", "statements", ActionCreated, truvStatements, Paystubs),
		truvData("statements-updated", "statements", ActionUpdated, truvStatements, Paystubs),
		truvData("shifts-created", "shifts", ActionCreated, truvShifts, Shifts),
		truvData("shifts-updated", "shifts", ActionUpdated, truvShifts, Shifts),
		truvData("bank-accounts-created", "bank_accounts", ActionCreated,
			truvBankAccounts, BankAccounts),
		truvData("bank-accounts-updated", "bank_accounts", ActionUpdated,
			truvBankAccounts, BankAccounts),
		truvData("task-status-updated", "task", ActionStatusUpdated,
			"`done`: GET /v1/links/{link_id}/income/report/ or …/employment/report/, by "+
				"`product`; an error of the task is the outcome, any other status is `pending`",
			VerificationReports),
		truvData("link-connected", "link", ActionConnected, "GET /v1/links/{link_id}/", Link),
		truvData("link-disconnected", "link", ActionDisconnected, "GET /v1/links/{link_id}/", Link),
		{
			Name: "link-deleted", Resource: Link, Action: ActionDeleted,
			Account: truvLink, Workers: []Resource{Link}, Erases: true,
			Does: "no API call: erase the account's data",
		},

		truvStored("order-created", "order", ActionCreated, truvOrders),
		truvStored("order-status-updated", "order", ActionStatusUpdated, truvOrders),
		truvStored("order-refresh-failed", "order", "refresh_failed", truvOrders),
		truvStored("order-finalized", "order", "finalized", truvOrders),
		truvStored("certification-completed", "certification", "completed",
			"its body is not documented, and its data is of an order: what the person confirms"),
	},
}

// Descriptions of a worker's part for several of Truv's types.
const (
	truvEmployments = "GET /v1/links/{link_id}/employments/: every employment of the link; " +
		"`object_id` must be among them"
	truvIdentity   = "GET /v1/links/{link_id}/identity/"
	truvStatements = "list the pages of GET /v1/links/{link_id}/statements/ for `employment_id`, " +
		"at least `objects_count`"
	truvShifts       = "list the pages of GET /v1/links/{link_id}/shifts/, at least `objects_count`"
	truvBankAccounts = "GET /v1/links/{link_id}/bank_accounts/, at least `objects_count`"

	// truvOrders is why no worker reads the types of orders.
	truvOrders = "an order is a request of yours; the webhooks of its links announce the data"
)

// truvData returns a type that workers read. Truv's name of a type is the object, then the change.
// Resource and action have _ for -.
func truvData(name string, r Resource, action, does string, workers ...Resource) WebhookType {
	return WebhookType{
		Name: name, Resource: r, Action: action, Account: truvLink, Workers: workers, Does: does,
	}
}

// truvStored returns a type without workers.
func truvStored(name string, r Resource, action, why string) WebhookType {
	return storedType(name, r, action, truvLink, why)
}
