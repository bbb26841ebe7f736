package schema

// Truv is https://truv.com.
const Truv Provider = "truv"

// truvLink is the path of a link's id. A link is Truv's word for an account.
const truvLink = "link_id"

// truv is Truv's row: the 19 webhook types documented on docs.truv.com, page webhooks.
//
// A body is one flat object. Truv asks consumers to order webhooks by updated_at, but some copies
// of its documentation lack the field.
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
		{
			Name: "link-connected", Resource: Link, Action: ActionConnected,
			Account: truvLink, Workers: []Resource{Link}, Does: "GET /v1/links/{link_id}/",
		},
		{
			Name: "link-disconnected", Resource: Link, Action: ActionDisconnected,
			Account: truvLink, Workers: []Resource{Link}, Does: "GET /v1/links/{link_id}/",
		},
		{
			Name: "link-deleted", Resource: Link, Action: ActionDeleted,
			Account: truvLink, Workers: []Resource{Link}, Erases: true,
			Does: "no API call: erase the account's data",
		},

		// Truv's name of a type is the object, then the change. Resource and action have _ for -.
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

// truvStored returns a type without workers.
func truvStored(name string, r Resource, action string) WebhookType {
	return storedType(name, r, action, truvLink)
}
