package schema

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"
)

// AccountStatus is the answer to "is the data of the account complete?".
type AccountStatus string

// The statuses. Of several that apply, the last in this list counts.
const (
	// AccountReady: all awaited resources are final and good.
	AccountReady AccountStatus = "ready"
	// AccountIncomplete: all awaited resources are final, and some are not good.
	AccountIncomplete AccountStatus = "incomplete"
	// AccountLinking: an awaited resource is not final yet.
	AccountLinking AccountStatus = "linking"
	// AccountDisconnected: the provider cannot reach the account until the person connects it.
	AccountDisconnected AccountStatus = "disconnected"
	// AccountDeleted: the account's data was deleted. This status never ends.
	AccountDeleted AccountStatus = "deleted"
)

// AccountStatuses returns all statuses.
func AccountStatuses() []AccountStatus {
	return []AccountStatus{
		AccountLinking, AccountReady, AccountIncomplete, AccountDisconnected, AccountDeleted,
	}
}

// Values of the envelope of every account's state.
const (
	AccountSchema = "urn:wagewire:schema:account:v1"
	accountSource = "urn:wagewire:worker:" + AccountsConsumer
	// accountUpdated is the word in the type of a state whose status is that of the state before.
	accountUpdated = "updated"
	// AccountEventsMax is the largest number of failed, refused or redriven events in the state of
	// a resource. With more of them, the state forgets the oldest.
	AccountEventsMax = 100
)

// Account is the state of an account: a CloudEvent in structured JSON, the last message on the
// account's subject. The state is a function of the set of the account's completions, in any order
// and with any repeats. Only id, time, type and Data.Since depend on the order.
type Account struct {
	SpecVersion     string      `json:"specversion"`
	ID              string      `json:"id"`
	Source          string      `json:"source"`
	Type            string      `json:"type"`
	Subject         string      `json:"subject"`
	Time            time.Time   `json:"time"`
	DataContentType string      `json:"datacontenttype"`
	DataSchema      string      `json:"dataschema"`
	Data            AccountData `json:"data"`
}

// AccountData is the content of an account's state. In the state of a deleted account, only
// Provider, AccountID, Status and Since have a value.
type AccountData struct {
	Provider  Provider `json:"provider"`
	AccountID string   `json:"account_id"`
	// EndUserID is from the newest completion with an end user, nil without such a completion.
	EndUserID *string       `json:"end_user_id"`
	Status    AccountStatus `json:"status"`
	// Since is when the status began.
	Since time.Time `json:"since"`
	// Awaited are the resources behind the status ready. WaitingFor are the awaited resources
	// that are not final yet.
	Awaited    []Resource `json:"awaited"`
	WaitingFor []Resource `json:"waiting_for"`
	// Resources has every awaited resource, and every resource with a completion.
	Resources map[Resource]AccountResource `json:"resources"`
	// Basis has the facts behind the state, for the next completion, and is no part of the
	// contract.
	Basis *AccountBasis `json:"basis,omitempty"`
}

// AccountResource is the state of a resource. The word of a resource is its newest completion with
// an outcome other than pending.
type AccountResource struct {
	// Outcome is the outcome of the word, Pending while there is no word.
	Outcome Outcome `json:"outcome"`
	// Synced is the action of the greatest fetched part of the past, from ActionAdded to
	// ActionFullySynced. Nil for a resource without a past, and before the first success.
	Synced *string `json:"synced"`
	// Event, RefreshedAt, Sequence and Completion belong to the word, or to the newest completion
	// while there is no word. All are nil before the first completion.
	Event       *CompletedEvent  `json:"event"`
	RefreshedAt *time.Time       `json:"refreshed_at"`
	Sequence    *string          `json:"sequence"`
	Completion  *CompletionPlace `json:"completion"`
	// Failed are the events whose last completion is Failed, or Unavailable because the provider
	// refuses the data (ClassForbidden). The newest is the first. The events covered by a newer
	// snapshot, or by newer statements of the same employment, are left out. Of the tasks of Truv's
	// only the newest end counts.
	Failed []FailedEvent `json:"failed"`
	// Error is the class of the word's error, nil if the word has none.
	Error *Class `json:"error"`
}

// CompletionPlace is the place of a completion on the completions stream, until its retention ends.
type CompletionPlace struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
}

// FailedEvent is an event that lacks data which the provider may have.
type FailedEvent struct {
	// EventID is the token of the event's id: the id itself, if the id is plain.
	EventID string `json:"event_id"`
	// Redrive is how often an operator has sent the event again, in vain.
	Redrive  int    `json:"redrive"`
	Sequence string `json:"sequence"`
}

// Merge returns the state with one more completion of the account, and reports whether the state
// changed. The zero Account is the state without completions. now is the time of a new state.
//
// The completion must have an account, and every completion of a state the same one.
func (a Account) Merge(c Completion, when ReadyWhen, now time.Time) (merged Account, changed bool) {
	if a.Data.Status == AccountDeleted {
		return a, false
	}
	data := AccountData{
		Provider: c.Data.Provider, AccountID: *c.Data.AccountID,
		Awaited: []Resource{}, WaitingFor: []Resource{},
		Resources: map[Resource]AccountResource{},
	}
	if c.Data.Outcome == Deleted {
		data.Status = AccountDeleted
	} else {
		data.Basis = a.Data.Basis.with(c)
		data.derive(when)
	}
	if data.equals(a.Data) {
		return a, false
	}
	return newAccount(a, data, c.Subject, now.UTC()), true
}

// newAccount returns the state after former.
func newAccount(former Account, data AccountData, account string, now time.Time) Account {
	word := accountUpdated
	data.Since = former.Data.Since
	if data.Status != former.Data.Status {
		word = string(data.Status)
		data.Since = now
	}
	return Account{
		SpecVersion: CloudEventsVersion,
		ID: fmt.Sprintf("%s:%s:%s", data.Provider, account,
			now.Format(time.RFC3339Nano)),
		Source:          accountSource,
		Type:            fmt.Sprintf("wagewire.account.%s.v1", word),
		Subject:         account,
		Time:            now,
		DataContentType: completionContentType,
		DataSchema:      AccountSchema,
		Data:            data,
	}
}

// equals reports whether two states differ in nothing but Since.
func (d AccountData) equals(other AccountData) bool {
	d.Since = time.Time{}
	other.Since = time.Time{}
	ours, err := encodeJSON(d)
	if err != nil {
		return false
	}
	theirs, err := encodeJSON(other)
	return err == nil && bytes.Equal(ours, theirs)
}

// Encode returns the state's JSON.
func (a Account) Encode() ([]byte, error) {
	text, err := encodeJSON(a)
	if err != nil {
		return nil, fmt.Errorf("encode account %s: %w", a.ID, err)
	}
	return text, nil
}

// DecodeAccount reverses Encode.
func DecodeAccount(text []byte) (Account, error) {
	var a Account
	if err := DecodeJSON(text, &a); err != nil {
		return Account{}, fmt.Errorf("decode account: %w", err)
	}
	return a, nil
}

// derive sets the fields that follow from the basis.
func (d *AccountData) derive(when ReadyWhen) {
	if d.Basis.EndUser != nil {
		d.EndUserID = &d.Basis.EndUser.ID
	}
	d.Awaited = when.Awaited(d.Provider, d.Basis.supported())
	d.Status = AccountReady
	for _, r := range d.Awaited {
		b := d.Basis.Resources[r]
		switch {
		case !b.isFinal(d.Provider, r):
			d.WaitingFor = append(d.WaitingFor, r)
			d.Status = AccountLinking
		case !b.isGood() && d.Status == AccountReady:
			d.Status = AccountIncomplete
		}
		d.Resources[r] = AccountResource{Outcome: Pending, Failed: []FailedEvent{}}
	}
	for r, b := range d.Basis.Resources {
		d.Resources[r] = d.resource(r, b)
	}
	if d.Basis.isDisconnected() {
		d.Status = AccountDisconnected
	}
}

// placeOf is where the completion of a word is.
func (d *AccountData) placeOf(r Resource, word *AccountWord) CompletionPlace {
	event := Event{
		Provider: d.Provider, ID: word.Event.ID, Type: word.Event.Type, AccountID: d.AccountID,
		Redrive: word.Redrive,
	}
	if event.NamesEndUser() {
		event.Of = d.AccountID
	}
	return CompletionPlace{event.CompletionKey(r), event.CompletionSubject(r)}
}

// Remembered returns the places of the completions without which the state would be another. The
// state of a deleted account remembers no place.
func (a Account) Remembered() []CompletionPlace {
	var places []CompletionPlace
	if a.Data.Basis == nil {
		return nil
	}
	for _, r := range slices.Sorted(maps.Keys(a.Data.Basis.Resources)) {
		b := a.Data.Basis.Resources[r]
		words := []*AccountWord{b.Word, b.Pending, b.Full, b.Snapshot, b.Reached}
		for _, employment := range slices.Sorted(maps.Keys(b.Statements)) {
			words = append(words, b.Statements[employment])
		}
		for _, word := range words {
			if word != nil {
				places = append(places, a.Data.placeOf(r, word))
			}
		}
	}
	return places
}

func (d *AccountData) resource(r Resource, b *ResourceBasis) AccountResource {
	word := b.present()
	place := d.placeOf(r, word)
	resource := AccountResource{
		Outcome: word.Outcome, Event: &word.Event, RefreshedAt: word.RefreshedAt,
		Sequence: &word.Sequence, Completion: &place, Failed: []FailedEvent{},
	}
	if b.Synced != "" {
		resource.Synced = &b.Synced
	}
	if word.Class != "" && word.Outcome != Succeeded {
		resource.Error = &word.Class
	}
	for _, e := range b.lacking() {
		failed := FailedEvent{EventID: e.EventID, Redrive: e.Redrive, Sequence: e.Sequence}
		resource.Failed = append(resource.Failed, failed)
	}
	return resource
}
