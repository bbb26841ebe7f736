package schema

// Truv is https://truv.com.
const Truv Provider = "truv"

// truvLink is the path of a link's id: the id that names an account.
const truvLink = "link_id"

// truv is Truv's row: the 19 webhook types of docs.truv.com, webhooks.
//
// A body is flat. updated_at, by which Truv wants its webhooks ordered, is in some copies of its pages and not in others.
var truv = providerRow{
	name:  Truv,
	title: "Truv",
	body: Layout{
		ID:      "webhook_id",
		Type:    "event_type",
		Times:   []string{"updated_at", "event_created_at"},
		Account: truvLink,
	},
	types: []WebhookType{
		{
			Name: "link-connected", Resource: Link, Action: ActionConnected, Account: truvLink,
			Workers: []Resource{Link}, Does: "GET /v1/links/{link_id}/",
		},
		{
			Name: "link-disconnected", Resource: Link, Action: ActionDisconnected, Account: truvLink,
			Workers: []Resource{Link}, Does: "GET /v1/links/{link_id}/",
		},
		{
			Name: "link-deleted", Resource: Link, Action: ActionDeleted, Account: truvLink,
			Workers: []Resource{Link}, Erases: true, Does: "no API call: the account's data is erased",
		},

		// Truv names the object first and then what happened to it.
		truvStored("task-status-updated", "task", "status_updated"),
		truvStored("order-created", "order", "created"),
		truvStored("order-status-updated", "order", "status_updated"),
		truvStored("order-refresh-failed", "order", "refresh_failed"),
		truvStored("order-finalized", "order", "finalized"),
		truvStored("certification-completed", "certification", "completed"),
		truvStored("employment-created", "employment", "created"),
		truvStored("employment-updated", "employment", "updated"),
		truvStored("profile-created", "profile", "created"),
		truvStored("profile-updated", "profile", "updated"),
		truvStored("statements-created", "statements", "created"),
		truvStored("statements-updated", "statements", "updated"),
		truvStored("shifts-created", "shifts", "created"),
		truvStored("shifts-updated", "shifts", "updated"),
		truvStored("bank-accounts-created", "bank_accounts", "created"),
		truvStored("bank-accounts-updated", "bank_accounts", "updated"),
	},
}

func truvStored(name string, r Resource, action string) WebhookType {
	return stored(name, r, action, truvLink)
}
