package fake

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Webhook is what a provider sends, before the signature.
type Webhook struct {
	Provider string
	ID       string // event_id at Pinwheel, webhook_id at Truv
	Type     string
	Account  string // the id of the account in the body
	Body     []byte
}

// EventOptions change a webhook. The zero value makes a success about the newest data.
type EventOptions struct {
	Provider  string   // empty means the provider with types of the same spelling
	ID        string   // empty means a new id
	Outcome   string   // success (empty), pending or error; Pinwheel alone has outcomes
	ErrorCode string   // empty means systemError, if the outcome is error
	ErrorType string   // empty means systemError, if the outcome is error
	Added     []string // announced as added in place of the ids of the newest chunk
	Deleted   []string // announced as deleted
	// MonitoringStatus is that of the account after account.monitoring_status.updated. Empty means
	// active.
	MonitoringStatus string
	// Refresh is true for a job of a refresh. Pinwheel does not list it among its jobs, and Truv's
	// reports have its status.
	Refresh bool
	// Truv alone has the rest.
	Status       string // of a task or an order; empty means done or completed
	Product      string // empty means income
	ObjectID     string // empty means the newest employment, or the profile
	EmploymentID string // empty means the newest employment
	ObjectsCount int    // 0 means the true number, a negative number means 0
}

// outcomes are the values of EventOptions.Outcome.
func outcomes() []string { return []string{"", "success", "pending", "error"} }

// Event makes a webhook about a person, of a known or unknown type, and stamps the announced data
// with a time just after the webhook's.
func (f *Providers) Event(p *Person, webhookType string, opts EventOptions) (Webhook, error) {
	if p == nil {
		return Webhook{}, errors.New("make event: no person")
	}
	if webhookType == "" {
		return Webhook{}, errors.New("make event: no type")
	}
	if !slices.Contains(outcomes(), opts.Outcome) {
		return Webhook{}, fmt.Errorf("make event %s: outcome %q is none of success, pending, error",
			webhookType, opts.Outcome)
	}
	provider, err := providerOf(opts.Provider, webhookType)
	if err != nil {
		return Webhook{}, fmt.Errorf("make event %s: %w", webhookType, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return provider.webhook(p, webhookType, opts, f.now()), nil
}

// providerOf returns the provider with the name. Without a name the type decides.
func providerOf(name, webhookType string) (provider, error) {
	if name == "" {
		return ofType(webhookType)
	}
	return lookup(name)
}

// momentsEvery is the time between two moments of a timeline. Recorded jobs took about seven
// seconds in all.
const momentsEvery = 500 * time.Millisecond

// Timeline makes the webhooks of a new account, in the order of sending. The last webhook has the
// present time:
//
//	account.added
//	identity.added
//	income.added
//	paystubs.added        1   paystubs.seven_days_synced
//	shifts.added          7   shifts.seven_days_synced
//	paystubs.added        1   paystubs.thirty_days_synced
//	shifts.added         23   shifts.thirty_days_synced
//	paystubs.added        2   paystubs.ninety_days_synced
//	paystubs.added       27   paystubs.fully_synced
//	shifts.added         60   shifts.ninety_days_synced   shifts.fully_synced
//	employment.added
//	direct_deposit_allocations.added
//	tax_forms.added
//	paystubs.documents.added
//	verification_reports.refreshed
//	account.monitoring_status.updated
//
//	task-status-updated   new, login, parse
//	link-connected
//	employment-created        for each employment
//	profile-created
//	task-status-updated   full_parse
//	statements-created        for each employment
//	shifts-created
//	bank-accounts-created
//	task-status-updated   done
//	task-status-updated   login_error, of a refresh
//	link-disconnected
//	link-deleted
//
// A line of Pinwheel's is one moment, and each webhook of Truv's is one. The webhooks of a Pinwheel
// job share payload.id and payload.timestamp. A threshold of 30 or 90 days without a record is
// skipped, and so are Truv's webhooks about lists without a record.
func (f *Providers) Timeline(p *Person) []Webhook { return f.timeline(p, false) }

// timeline is Timeline. With keep, it ends before a provider loses the account: there is neither
// the refresh that fails nor a link that is disconnected and deleted.
func (f *Providers) timeline(p *Person, keep bool) []Webhook {
	var moments []moment
	for _, provider := range providers {
		moments = append(moments, provider.timeline(p)...)
		if provider.parting != nil && !keep {
			moments = append(moments, provider.parting(p)...)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.now().Add(-momentsEvery * time.Duration(len(moments)-1))
	var webhooks []Webhook
	for _, makeWebhooks := range moments {
		webhooks = append(webhooks, makeWebhooks(at)...)
		at = at.Add(momentsEvery)
	}
	return webhooks
}
