package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// Kind is the purpose of a webhook.
type Kind string

const (
	// Genuine webhooks are stored and completed.
	Genuine Kind = "genuine"
	// Undecodable webhooks are signed events with a body that no worker can read. They end with a
	// dead letter and a completion `failed`.
	Undecodable Kind = "undecodable"
	// Unreadable webhooks are signed and not events. They go to quarantine.
	Unreadable Kind = "unreadable"
	// Forged webhooks are signed with a wrong key. Nothing of them is stored.
	Forged Kind = "forged"
)

// Webhook is the part of a sent webhook that the checks need.
type Webhook struct {
	Kind     Kind
	Provider schema.Provider
	ID, Type string
	Account  string
	// Outcome is the provider's word about its own job: "", "pending", "error" or "unavailable".
	Outcome string
	// Added and Deleted are announced ids.
	Added, Deleted []string
	// ObjectID and EmploymentID are ids, and Count is a number of objects, that Truv announces.
	ObjectID, EmploymentID string
	Count                  int
	// Product is the product of Truv's task.
	Product string
	// From and To are the dates of an announced chunk.
	From, To string

	body [sha256.Size]byte
	// payload is the hash of the compact payload of Pinwheel's webhook.
	payload [sha256.Size]byte
}

// NewWebhook reads a webhook before it is sent.
func NewWebhook(k Kind, w fake.Webhook) Webhook {
	n := Webhook{
		Kind: k, Provider: schema.Provider(w.Provider),
		ID: w.ID, Type: w.Type, Account: w.Account, body: sha256.Sum256(w.Body),
	}
	providers[n.Provider].announced(w.Body, &n)
	return n
}

// Key is the event's message id. A webhook without an id has the hash of the body as its key.
func (w Webhook) Key() string {
	if w.Kind == Unreadable {
		return hex.EncodeToString(w.body[:])
	}
	return w.Event().Key()
}

// Event returns the fields of the event that subjects and keys are made of.
func (w Webhook) Event() schema.Event {
	t := schema.Lookup(w.Provider, w.Type)
	return schema.Event{
		Provider: w.Provider, ID: w.ID, Type: w.Type,
		Resource: t.Resource, Action: t.Action, AccountID: w.Account,
	}
}

// Workers are the resources whose workers complete the event. The end of a job at the provider is
// no word of the resources that read the event on success alone.
func (w Webhook) Workers() []schema.Resource {
	t := schema.Lookup(w.Provider, w.Type)
	if w.Outcome == "" {
		return t.Workers
	}
	isSilent := func(r schema.Resource) bool { return slices.Contains(t.OnSuccess, r) }
	return slices.DeleteFunc(slices.Clone(t.Workers), isSilent)
}

// NeedsCall reports whether the worker must call the provider about the event.
func (w Webhook) NeedsCall(r schema.Resource) bool {
	if w.Kind != Genuine || w.Outcome != "" || r == schema.Notices {
		return false
	}
	return !w.namesIDs(r) || len(w.Added) > 0
}

// namesIDs reports whether the worker gets the announced ids and no other records. The documents of
// paystubs are announced by dates.
func (w Webhook) namesIDs(r schema.Resource) bool {
	hasIDs := r == schema.Paystubs || r == schema.Shifts || r == schema.TaxForms
	e := w.Event()
	return hasIDs && e.Resource == r && e.Action == schema.ActionAdded
}

// tellsOfDeleted reports whether the completion of a resource has the deleted ids. A document that
// is gone leaves its paystub.
func (w Webhook) tellsOfDeleted(r schema.Resource) bool { return w.Event().Resource == r }
