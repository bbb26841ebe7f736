package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// Mirror is a copy of the provider's records in memory, made of completions in any order and with
// any repeats. A program with a database follows the same rules there, those under "Ordering" in
// README.md of package schema. The zero value is empty, and a Mirror is safe for concurrent use. It
// is a Handler.
type Mirror struct {
	mu       sync.Mutex
	accounts map[string]*mirroredAccount
}

// mirroredAccount is the knowledge of a Mirror about an account.
type mirroredAccount struct {
	isDeleted bool
	resources map[schema.Resource]*mirroredResource
}

// mirroredResource is the knowledge about the records of an account and resource.
type mirroredResource struct {
	// words has the last word about each id since the newest snapshot, also of removed records.
	words map[string]word
	// snapshot is the order of the newest snapshot.
	snapshot string
	// windows are the windows newer than the snapshot, by their order.
	windows map[string]schema.CompletionData
}

// word is the last word about a record.
type word struct {
	record       json.RawMessage // nil: removed
	employmentID string
	payDate      string
	order        string
}

// Entry is a record of a Mirror, with what the record itself does not say.
type Entry struct {
	Record json.RawMessage
	// EmploymentID is whose a paystub is, as its newest completion says: Truv's statements do not
	// name their employment. It is empty if the completion names none, and in other resources,
	// where employment_id says nothing of the records.
	EmploymentID string
}

// Store applies the completion with the records.
func (m *Mirror) Store(ctx context.Context, c *Completion) error {
	var records []json.RawMessage
	for record, err := range c.Records(ctx) {
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	return m.Apply(c.Completion, records)
}

// Remove removes everything of the completion's account, for good.
func (m *Mirror) Remove(_ context.Context, c *Completion) error {
	return m.Apply(c.Completion, nil)
}

// Apply applies a completion with all records, also of the store. The error, about a record
// without an id in a completion that is no snapshot, is marked with Poison, and nothing is changed
// then.
func (m *Mirror) Apply(c schema.Completion, records []json.RawMessage) error {
	words, err := wordsOf(c, records)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	account := m.account(accountKey(c.Data.Provider, c.Subject))
	if c.Data.Outcome == schema.Deleted {
		*account = mirroredAccount{isDeleted: true}
	}
	if !account.isDeleted && c.Data.Scope != nil {
		account.resource(c.Data.Resource).apply(c, words)
	}
	return nil
}

// wordsOf returns the word of the completion about each id. A record counts more than the same id
// among the deleted.
func wordsOf(c schema.Completion, records []json.RawMessage) (map[string]word, error) {
	words := map[string]word{}
	for _, id := range c.Data.Deleted {
		words[id] = word{order: c.Order()}
	}
	employmentID := ""
	if c.Data.Resource == schema.Paystubs {
		employmentID = c.Data.EmploymentID
	}
	for i, record := range records {
		id, payDate := nameOf(record)
		switch {
		case c.Data.Resource == schema.Notices:
			id = c.ID // the id of a webhook's payload is not unique
		case id == "" && isSnapshot(c):
			// Truv's bank accounts have no ids, and Truv promises none of other records. A snapshot
			// has all of them, so the place will do.
			id = fmt.Sprintf("%06d", i)
		}
		if id == "" {
			return nil, Poison(errors.New("a record has no id"))
		}
		words[id] = word{
			record: record, employmentID: employmentID, payDate: payDate, order: c.Order(),
		}
	}
	return words, nil
}

func isSnapshot(c schema.Completion) bool {
	return c.Data.Scope != nil && *c.Data.Scope == schema.Snapshot
}

// nameOf returns the members id and pay_date of a record, "" for a member that is no text. Unlike
// encoding/json, nameOf does not take a member "ID" for "id": a provider may have both.
func nameOf(record json.RawMessage) (id, payDate string) {
	if !json.Valid(record) {
		return "", ""
	}
	for name, value := range rawjson.Members(record) {
		switch name {
		case "id":
			id = textOf(value)
		case "pay_date":
			payDate = textOf(value)
		}
	}
	return id, payDate
}

// textOf returns the text of a JSON string, "" for any other value.
func textOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

// account returns the knowledge about the account, to be changed.
func (m *Mirror) account(key string) *mirroredAccount {
	if m.accounts == nil {
		m.accounts = map[string]*mirroredAccount{}
	}
	if m.accounts[key] == nil {
		m.accounts[key] = &mirroredAccount{resources: map[schema.Resource]*mirroredResource{}}
	}
	return m.accounts[key]
}

func (a *mirroredAccount) resource(r schema.Resource) *mirroredResource {
	if a.resources[r] == nil {
		a.resources[r] = &mirroredResource{
			words: map[string]word{}, windows: map[string]schema.CompletionData{},
		}
	}
	return a.resources[r]
}

func (r *mirroredResource) apply(c schema.Completion, words map[string]word) {
	order := c.Order()
	if order <= r.snapshot {
		return
	}
	switch *c.Data.Scope {
	case schema.Snapshot:
		r.snapshot = order
		maps.DeleteFunc(r.words, func(_ string, w word) bool { return w.order < order })
		maps.DeleteFunc(r.windows,
			func(window string, _ schema.CompletionData) bool { return window < order })
	case schema.Window:
		r.windows[order] = schema.CompletionData{From: c.Data.From, To: c.Data.To}
	}
	for id, w := range words {
		if r.words[id].order < w.order {
			r.words[id] = w
		}
	}
}

// Records returns the present records of an account and resource, sorted by their ids, or without
// ids in the provider's order. accountID is the provider's own id.
func (m *Mirror) Records(
	p schema.Provider, accountID string, r schema.Resource,
) []json.RawMessage {
	var records []json.RawMessage
	for _, entry := range m.Entries(p, accountID, r) {
		records = append(records, entry.Record)
	}
	return records
}

// Entries is Records, and says of each paystub whose it is.
func (m *Mirror) Entries(p schema.Provider, accountID string, r schema.Resource) []Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	account := m.accounts[accountKey(p, schema.Token(accountID))]
	if account == nil || account.resources[r] == nil {
		return nil
	}
	var entries []Entry
	resource := account.resources[r]
	for _, id := range slices.Sorted(maps.Keys(resource.words)) {
		if w := resource.words[id]; w.record != nil && !resource.isReplaced(w) {
			entries = append(entries, Entry{Record: w.record, EmploymentID: w.employmentID})
		}
	}
	return entries
}

// isReplaced reports whether a newer window around the record does not have it.
func (r *mirroredResource) isReplaced(w word) bool {
	for order, window := range r.windows {
		isWithin := w.payDate != "" && (window.From == nil || *window.From <= w.payDate) &&
			(window.To == nil || w.payDate <= *window.To)
		if isWithin && w.order < order {
			return true
		}
	}
	return false
}

// IsDeleted reports whether the account was deleted at the provider. accountID is the provider's
// own id.
func (m *Mirror) IsDeleted(p schema.Provider, accountID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	account := m.accounts[accountKey(p, schema.Token(accountID))]
	return account != nil && account.isDeleted
}
