package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// AccountStatus is the answer to "is the data of the account complete?".
type AccountStatus string

// The statuses. Of several that apply, the last in this list counts.
const (
	// AccountReady: every awaited resource has its word, and all of them are good.
	AccountReady AccountStatus = "ready"
	// AccountIncomplete: every awaited resource has its word, and some are not good.
	AccountIncomplete AccountStatus = "incomplete"
	// AccountLinking: an awaited resource has no word yet.
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
	// AccountEventsMax is the largest number of failed or redriven events in the state of a
	// resource. With more of them, the state forgets the oldest.
	AccountEventsMax = 300
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
	// without a word yet.
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
	// Failed are the events with the outcome Failed, newest first, without the events with a
	// successful redrive, and without the events covered by a newer snapshot.
	Failed []FailedEvent `json:"failed"`
	// Error is the class of the word's error, nil if the word has none.
	Error *Class `json:"error"`
}

// CompletionPlace is the place of a completion on the completions stream, until its retention ends.
type CompletionPlace struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
}

// FailedEvent is an event without data.
type FailedEvent struct {
	// EventID is the token of the event's id: the id itself, if the id is plain.
	EventID string `json:"event_id"`
	// Redrive is how often an operator has sent the event again, in vain.
	Redrive  int    `json:"redrive"`
	Sequence string `json:"sequence"`
}

// AccountBasis has the facts that a state must remember of the completions, so that one more
// completion gives the same state as all completions at once: for each question the greatest
// answer.
type AccountBasis struct {
	// EndUser and Supported are from the completion with the greatest order among the completions
	// with such a field.
	EndUser   *OrderedEndUser             `json:"end_user,omitempty"`
	Supported *OrderedSupport             `json:"supported,omitempty"`
	Resources map[Resource]*ResourceBasis `json:"resources"`
}

// OrderedEndUser is an end_user_id and the order of its completion.
type OrderedEndUser struct {
	ID       string `json:"id"`
	Sequence string `json:"sequence"`
}

// OrderedSupport is the resources of a payroll platform, and the order of their completion.
type OrderedSupport struct {
	Resources []Resource `json:"resources"`
	Sequence  string     `json:"sequence"`
}

// ResourceBasis is the basis of a resource.
type ResourceBasis struct {
	// Word is the greatest final word. Pending is the greatest completion while there is no word.
	Word    *AccountWord `json:"word,omitempty"`
	Pending *AccountWord `json:"pending,omitempty"`
	// Full is the greatest final word about the whole past.
	Full *AccountWord `json:"full,omitempty"`
	// Snapshot is the snapshot with the newest data.
	Snapshot *AccountWord `json:"snapshot,omitempty"`
	// Synced is the greatest fetched part of the past.
	Synced string `json:"synced,omitempty"`
	// Events are the failed and the redriven events, newest first: of each event the word with the
	// greatest number of redrives. The events covered by Snapshot are left out.
	Events []WordOfEvent `json:"events,omitempty"`
}

// AccountWord is the part of a completion in the memory of the state.
type AccountWord struct {
	Outcome     Outcome        `json:"outcome"`
	Action      string         `json:"action"`
	Event       CompletedEvent `json:"event"`
	Redrive     int            `json:"redrive,omitempty"`
	RefreshedAt *time.Time     `json:"refreshed_at,omitempty"`
	Sequence    string         `json:"sequence"`
	Class       Class          `json:"class,omitempty"`
}

// WordOfEvent is the last word about a failed or redriven event.
type WordOfEvent struct {
	// EventID is a token, so the list has a limit in bytes too.
	EventID     string     `json:"event_id"`
	OccurredAt  time.Time  `json:"occurred_at"`
	Redrive     int        `json:"redrive,omitempty"`
	Outcome     Outcome    `json:"outcome"`
	RefreshedAt *time.Time `json:"refreshed_at,omitempty"`
	Sequence    string     `json:"sequence"`
	Class       Class      `json:"class,omitempty"`
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
	if err := json.Unmarshal(text, &a); err != nil {
		return Account{}, fmt.Errorf("decode account: %w", err)
	}
	return a, nil
}

// with returns the basis with one more completion. The basis itself stays as it is.
func (b *AccountBasis) with(c Completion) *AccountBasis {
	next := &AccountBasis{Resources: map[Resource]*ResourceBasis{}}
	if b != nil {
		next.EndUser = b.EndUser
		next.Supported = b.Supported
		maps.Copy(next.Resources, b.Resources)
	}
	order := c.Order()
	isNewer := next.EndUser == nil || next.EndUser.Sequence < order
	if c.Data.EndUserID != nil && isNewer {
		next.EndUser = &OrderedEndUser{*c.Data.EndUserID, order}
	}
	isNewer = next.Supported == nil || next.Supported.Sequence < order
	if c.Data.Resource == Link && c.Data.Supported != nil && isNewer {
		supported := append([]Resource{}, c.Data.Supported...) // [] in JSON, and not null
		slices.Sort(supported)
		next.Supported = &OrderedSupport{slices.Compact(supported), order}
	}
	next.Resources[c.Data.Resource] = next.Resources[c.Data.Resource].with(c)
	return next
}

// with returns the basis of the resource with one more completion.
func (b *ResourceBasis) with(c Completion) *ResourceBasis {
	next := &ResourceBasis{}
	if b != nil {
		*next = *b
	}
	word := newWord(c)
	if word.Outcome == Pending {
		if next.Word == nil {
			next.Pending = newestWord(next.Pending, word)
		}
		return next
	}
	next.Pending = nil
	next.Word = newestWord(next.Word, word)
	isList := c.Data.Provider.isList(c.Data.Resource)
	if isList && word.Action == ActionFullySynced {
		next.Full = newestWord(next.Full, word)
	}
	if isList && word.Outcome == Succeeded && syncedRank(word.Action) > syncedRank(next.Synced) {
		next.Synced = word.Action
	}
	if word.Outcome.HasRecords() && c.isSnapshot(isList) {
		next.Snapshot = newestData(next.Snapshot, word)
	}
	events := slices.Clone(next.Events)
	if word.Outcome == Failed || word.Redrive > 0 {
		events = addEvent(events, word)
	}
	next.Events = next.limitEvents(events)
	return next
}

func newWord(c Completion) *AccountWord {
	word := &AccountWord{
		Outcome: c.Data.Outcome, Action: c.Data.Action, Event: c.Data.Event,
		Redrive: RedriveOf(c.ID), RefreshedAt: c.Data.RefreshedAt, Sequence: c.Order(),
	}
	if c.Data.Error != nil {
		word.Class = Class(c.Data.Error.Class)
	}
	return word
}

// isSnapshot reports whether the records are all that the provider has. A completion of a release
// without scopes has a snapshot if the resource is no list, or if the action says that the whole
// past was fetched.
func (c Completion) isSnapshot(isList bool) bool {
	if c.Data.Scope != nil {
		return *c.Data.Scope == Snapshot
	}
	return c.Sequence == "" && (!isList || c.Data.Action == ActionFullySynced)
}

// newestWord returns the greater word in the order of completions.
func newestWord(have, word *AccountWord) *AccountWord {
	if have != nil && have.Sequence >= word.Sequence {
		return have
	}
	return word
}

// newestData returns the word with the newer data.
func newestData(have, word *AccountWord) *AccountWord {
	if have == nil {
		return word
	}
	order := cmp.Or(have.dataTime().Compare(word.dataTime()),
		strings.Compare(have.Sequence, word.Sequence))
	if order >= 0 {
		return have
	}
	return word
}

// dataTime is the time of the word's data on the provider's clock.
func (w *AccountWord) dataTime() time.Time {
	if w.RefreshedAt != nil {
		return *w.RefreshedAt
	}
	return w.Event.OccurredAt
}

// addEvent puts the last word about an event into the list. A redrive has the id and the time of
// its event, so all words about an event meet in one entry, and the entry has one place in the
// order of the list whatever the order of the words.
func addEvent(events []WordOfEvent, w *AccountWord) []WordOfEvent {
	entry := WordOfEvent{
		EventID: Token(w.Event.ID), OccurredAt: w.Event.OccurredAt, Redrive: w.Redrive,
		Outcome: w.Outcome, RefreshedAt: w.RefreshedAt, Sequence: w.Sequence, Class: w.Class,
	}
	i := slices.IndexFunc(events, entry.isSameEvent)
	if i < 0 {
		return append(events, entry)
	}
	have := events[i]
	order := cmp.Or(cmp.Compare(have.Redrive, entry.Redrive),
		strings.Compare(have.Sequence, entry.Sequence))
	if order < 0 {
		events[i] = entry
	}
	return events
}

func (e WordOfEvent) isSameEvent(other WordOfEvent) bool {
	return e.EventID == other.EventID && e.OccurredAt.Equal(other.OccurredAt)
}

// limitEvents sorts the events, newest first, and drops those that the snapshot covers, and those
// over the limit. A dropped event never comes back: the events before it in the list leave the list
// only when a snapshot covers them, and such a snapshot covers the dropped event too.
func (b *ResourceBasis) limitEvents(events []WordOfEvent) []WordOfEvent {
	events = slices.DeleteFunc(events, func(e WordOfEvent) bool { return b.covers(e.OccurredAt) })
	slices.SortFunc(events, func(x, y WordOfEvent) int {
		return cmp.Or(y.OccurredAt.Compare(x.OccurredAt), strings.Compare(x.EventID, y.EventID))
	})
	return events[:min(len(events), AccountEventsMax)]
}

// covers reports whether the newest snapshot has the data of an event of the time.
func (b *ResourceBasis) covers(occurred time.Time) bool {
	return b.Snapshot != nil && !occurred.After(b.Snapshot.dataTime())
}

// present returns the word of the resource, or the newest completion while there is no word. A
// failed word gives way to the redrive that repaired the event, or to the snapshot that covers it.
func (b *ResourceBasis) present() *AccountWord {
	word := b.Word
	if word == nil {
		return b.Pending
	}
	if word.Outcome != Failed {
		return word
	}
	if b.covers(word.Event.OccurredAt) {
		return b.Snapshot
	}
	same := WordOfEvent{EventID: Token(word.Event.ID), OccurredAt: word.Event.OccurredAt}
	i := slices.IndexFunc(b.Events, same.isSameEvent)
	if i < 0 || b.Events[i].Redrive <= word.Redrive {
		return word
	}
	last := b.Events[i]
	return &AccountWord{
		Outcome: last.Outcome, Action: word.Action, Event: word.Event, Redrive: last.Redrive,
		RefreshedAt: last.RefreshedAt, Sequence: last.Sequence, Class: last.Class,
	}
}

// hasWord reports whether the resource's part in linking the account is over.
func (b *ResourceBasis) hasWord(isList bool) bool {
	if b == nil || b.Word == nil {
		return false
	}
	outcome := b.present().Outcome
	return !isList || b.Full != nil || outcome == Failed || outcome == Unavailable
}

// isGood reports whether the resource, which has its word, has all its data.
func (b *ResourceBasis) isGood() bool {
	for _, e := range b.Events {
		if e.Outcome == Failed {
			return false
		}
	}
	isRefused := b.Full != nil && b.Full.isRefused() && !b.covers(b.Full.Event.OccurredAt)
	word := b.present()
	switch word.Outcome {
	case Succeeded:
		return !isRefused
	case Unavailable:
		return !isRefused && !word.isRefused()
	default:
		// A link says disconnected, which is a status of its own.
		return false
	}
}

// isRefused reports whether the provider has the data and does not give it.
func (w *AccountWord) isRefused() bool { return w.Class == ClassForbidden }

// derive sets the fields that follow from the basis.
func (d *AccountData) derive(when ReadyWhen) {
	var supported []Resource
	if d.Basis.Supported != nil {
		supported = d.Basis.Supported.Resources
	}
	if d.Basis.EndUser != nil {
		d.EndUserID = &d.Basis.EndUser.ID
	}
	d.Awaited = when.Awaited(d.Provider, supported)
	d.Status = AccountReady
	for _, r := range d.Awaited {
		b := d.Basis.Resources[r]
		switch {
		case !b.hasWord(d.Provider.isList(r)):
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
	if d.Basis.Resources[Link].isDisconnected() {
		d.Status = AccountDisconnected
	}
}

// isDisconnected reports whether the newest word about the link says that the provider cannot
// reach the account. The webhook says it whatever became of the fetch.
func (b *ResourceBasis) isDisconnected() bool {
	if b == nil || b.Word == nil {
		return false
	}
	return b.Word.Action == ActionDisconnected || b.present().Outcome == Disconnected
}

func (d *AccountData) resource(r Resource, b *ResourceBasis) AccountResource {
	word := b.present()
	event := Event{
		Provider: d.Provider, ID: word.Event.ID, Type: word.Event.Type, AccountID: d.AccountID,
		Redrive: word.Redrive,
	}
	if event.NamesEndUser() {
		event.Of = d.AccountID
	}
	resource := AccountResource{
		Outcome: word.Outcome, Event: &word.Event, RefreshedAt: word.RefreshedAt,
		Sequence:   &word.Sequence,
		Completion: &CompletionPlace{event.CompletionKey(r), event.CompletionSubject(r)},
		Failed:     []FailedEvent{},
	}
	if b.Synced != "" {
		resource.Synced = &b.Synced
	}
	if word.Class != "" && word.Outcome != Succeeded {
		resource.Error = &word.Class
	}
	for _, e := range b.Events {
		if e.Outcome == Failed {
			failed := FailedEvent{EventID: e.EventID, Redrive: e.Redrive, Sequence: e.Sequence}
			resource.Failed = append(resource.Failed, failed)
		}
	}
	return resource
}

// syncedActions are the parts of the past, each with the parts before it.
var syncedActions = []string{
	ActionAdded, ActionSevenDaysSynced, ActionThirtyDaysSynced, ActionNinetyDaysSynced,
	ActionFullySynced,
}

// syncedRank orders the parts of the past. Any other action has the lowest rank.
func syncedRank(action string) int { return slices.Index(syncedActions, action) }

// ReadyWhen are the resources that make an account ready. Empty: see Awaited.
type ReadyWhen []Resource

// UnmarshalText parses the value of an environment variable: resources with commas between.
func (w *ReadyWhen) UnmarshalText(text []byte) error {
	known := accountResources()
	var parsed ReadyWhen
	for name := range strings.SplitSeq(string(text), ",") {
		r := Resource(strings.TrimSpace(name))
		if !slices.Contains(known, r) {
			return fmt.Errorf("%q is not a resource of an account: write some of %s, "+
				"with commas between", r, joinNames(known))
		}
		parsed = append(parsed, r)
	}
	*w = parsed
	return nil
}

func joinNames(resources []Resource) string {
	var names []string
	for _, r := range resources {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// Awaited returns the resources that an account of the provider awaits, sorted: those of w, and if
// the provider has no worker for any of these, every resource of its accounts except the link, or
// the link if there is no other. Of these it returns what the account's payroll platform supports,
// if that is known, and the link. If the platform supports none of them, nothing is awaited.
func (w ReadyWhen) Awaited(p Provider, supported []Resource) []Resource {
	served := p.accountResources()
	isServed := func(r Resource) bool { return slices.Contains(served, r) }
	awaited := chooseResources(w, isServed)
	if len(awaited) == 0 {
		awaited = chooseResources(served, func(r Resource) bool { return r != Link })
	}
	if len(awaited) == 0 {
		awaited = served
	}
	if supported != nil {
		awaited = chooseResources(awaited, func(r Resource) bool {
			return r == Link || slices.Contains(supported, r)
		})
	}
	return slices.Compact(slices.Sorted(slices.Values(awaited)))
}

func chooseResources(from []Resource, isChosen func(Resource) bool) []Resource {
	chosen := []Resource{} // [] in JSON, and not null
	for _, r := range from {
		if isChosen(r) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// accountResources returns the resources that an account can await, of all providers.
func accountResources() []Resource {
	var all []Resource
	for _, p := range Providers() {
		all = append(all, p.accountResources()...)
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// accountResources returns the provider's resources that an account can await. A completion that
// names only a person has no account, and nobody knows whether an account will have a notice.
func (p Provider) accountResources() []Resource {
	var resources []Resource
	for _, t := range catalogue {
		if t.Provider != p || t.NamesEndUser {
			continue
		}
		for _, r := range t.Workers {
			if r != Notices && !slices.Contains(resources, r) {
				resources = append(resources, r)
			}
		}
	}
	return resources
}

// isList reports whether the provider tells of the resource in parts, and at last that the whole
// past is there.
func (p Provider) isList(r Resource) bool {
	return slices.ContainsFunc(catalogue, func(t WebhookType) bool {
		return t.Provider == p && t.Resource == r && t.Action == ActionFullySynced
	})
}
