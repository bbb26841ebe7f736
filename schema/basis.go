package schema

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// AccountBasis has the facts that a state must remember of the completions, so that one more
// completion gives the same state as all completions at once: for each question the greatest
// answer.
type AccountBasis struct {
	// EndUser and Supported are from the completion with the greatest order among the completions
	// with such a field.
	EndUser   *OrderedEndUser `json:"end_user,omitempty"`
	Supported *OrderedSupport `json:"supported,omitempty"`
	// Reported and Told are what the tasks of a Truv account said: see addTask.
	Reported  []Resource                  `json:"reported,omitzero"`
	Told      []Resource                  `json:"told,omitzero"`
	Resources map[Resource]*ResourceBasis `json:"resources"`
}

// OrderedEndUser is an end_user_id and the order of its completion.
type OrderedEndUser struct {
	ID       string `json:"id"`
	Sequence string `json:"sequence"`
}

// OrderedSupport is the resources that the account can have, and the order of their completion.
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
	// Reached is the greatest word of a link that says whether the provider reaches the account,
	// or the newest task of Truv's that is done.
	Reached *AccountWord `json:"reached,omitempty"`
	// Statements are the newest good lists of statements of Truv's, by the token of their
	// employment.
	Statements map[string]*AccountWord `json:"statements,omitempty"`
	// Synced is the greatest fetched part of the past.
	Synced string `json:"synced,omitempty"`
	// Events are the failed, the refused and the redriven events, newest first: of each event the
	// word with the greatest number of redrives. The events covered by Snapshot are left out.
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
	// Employment is the token of the employment of statements. See employmentOf.
	Employment string `json:"employment,omitempty"`
}

// WordOfEvent is the last word about a failed, refused or redriven event.
type WordOfEvent struct {
	// EventID is a token, so the list has a limit in bytes too.
	EventID     string     `json:"event_id"`
	OccurredAt  time.Time  `json:"occurred_at"`
	Redrive     int        `json:"redrive,omitempty"`
	Outcome     Outcome    `json:"outcome"`
	RefreshedAt *time.Time `json:"refreshed_at,omitempty"`
	Sequence    string     `json:"sequence"`
	Class       Class      `json:"class,omitempty"`
	Employment  string     `json:"employment,omitempty"`
}

// with returns the basis with one more completion. The basis itself stays as it is.
func (b *AccountBasis) with(c Completion) *AccountBasis {
	next := &AccountBasis{}
	if b != nil {
		*next = *b
	}
	next.Resources = maps.Clone(next.Resources)
	if next.Resources == nil {
		next.Resources = map[Resource]*ResourceBasis{}
	}
	order := c.Order()
	isNewer := next.EndUser == nil || next.EndUser.Sequence < order
	if c.Data.EndUserID != nil && isNewer {
		next.EndUser = &OrderedEndUser{*c.Data.EndUserID, order}
	}
	if c.isWithoutReport() {
		return next
	}
	isNewer = next.Supported == nil || next.Supported.Sequence < order
	switch {
	case c.isOfTask():
		next.addTask(c)
	case c.Data.Supported != nil && isNewer:
		next.Supported = &OrderedSupport{joinResources(c.Data.Supported), order}
	}
	next.Resources[c.Data.Resource] = next.Resources[c.Data.Resource].with(c)
	return next
}

// joinResources returns all resources of the lists, sorted.
func joinResources(lists ...[]Resource) []Resource {
	all := append([]Resource{}, slices.Concat(lists...)...) // [] in JSON, and not null
	slices.Sort(all)
	return slices.Compact(all)
}

// supported returns the resources that the account can have, nil while nobody has said it.
func (b *AccountBasis) supported() []Resource {
	if b.Supported != nil {
		return b.Supported.Resources
	}
	return b.ofTasks()
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
	if c.isOfTask() {
		next.addEnd(word)
		return next
	}
	isList := c.Data.Provider.isList(c.Data.Resource)
	if isList && word.Action == ActionFullySynced {
		next.Full = newestWord(next.Full, word)
	}
	if isList && word.Outcome == Succeeded && syncedRank(word.Action) > syncedRank(next.Synced) {
		next.Synced = word.Action
	}
	if c.Data.Resource == Link && (word.Outcome.HasRecords() || word.tellsOfBreak()) {
		next.Reached = newestWord(next.Reached, word)
	}
	if word.Outcome.HasRecords() && c.isSnapshot(isList) {
		next.Snapshot = newestData(next.Snapshot, word)
	}
	if isGood := word.Outcome == Succeeded && !c.Data.Stale; isGood && word.Employment != "" {
		next.addStatements(word)
	}
	next.Events = next.limitEvents(addEvent(next.Events, word))
	return next
}

// newWord returns the word of a completion.
func newWord(c Completion) *AccountWord {
	word := &AccountWord{
		Outcome: c.Data.Outcome, Action: c.Data.Action, Event: c.Data.Event,
		Redrive: RedriveOf(c.ID), RefreshedAt: c.Data.RefreshedAt, Sequence: c.Order(),
		Employment: c.employmentOf(),
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
	if have != nil && compareData(have, word) >= 0 {
		return have
	}
	return word
}

// compareData orders words by the time of their data.
func compareData(x, y *AccountWord) int {
	return cmp.Or(x.dataTime().Compare(y.dataTime()), strings.Compare(x.Sequence, y.Sequence))
}

// dataTime is the time of the word's data on the provider's clock.
func (w *AccountWord) dataTime() time.Time {
	if w.RefreshedAt == nil {
		return w.Event.OccurredAt
	}
	return *w.RefreshedAt
}

// addEvent returns the list with the last word about an event, if the word lacks data, or is of a
// redrive. A redrive has the id and the time of its event, so all words about an event meet in one
// entry, and the entry has one place in the order of the list whatever the order of the words.
func addEvent(events []WordOfEvent, w *AccountWord) []WordOfEvent {
	events = slices.Clone(events)
	if !lacksData(w.Outcome, w.Class) && w.Redrive == 0 {
		return events
	}
	entry := WordOfEvent{
		EventID: Token(w.Event.ID), OccurredAt: w.Event.OccurredAt, Redrive: w.Redrive,
		Outcome: w.Outcome, RefreshedAt: w.RefreshedAt, Sequence: w.Sequence, Class: w.Class,
		Employment: w.Employment,
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

// isOfEvent reports whether the entry is about the event of the word.
func (w *AccountWord) isOfEvent(e WordOfEvent) bool {
	return e.isSameEvent(WordOfEvent{
		EventID: Token(w.Event.ID), OccurredAt: w.Event.OccurredAt,
	})
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

// present returns the word of the resource, or the newest completion while there is no word. A word
// gives way to a later redrive of its event: the data of the redrive may be older than the event,
// so the redrive need not be the greater in order. A failed word gives way to the snapshot, or to
// the statements, that cover the event.
func (b *ResourceBasis) present() *AccountWord {
	word := b.Word
	if word == nil {
		return b.Pending
	}
	if word.Outcome == Failed && b.covers(word.Event.OccurredAt) {
		return b.Snapshot
	}
	if word.Outcome == Failed && b.hasStatements(word.Employment, word.Event.OccurredAt) {
		return b.Statements[word.Employment]
	}
	i := slices.IndexFunc(b.Events, word.isOfEvent)
	if i < 0 || b.Events[i].Redrive <= word.Redrive {
		return word
	}
	last := b.Events[i]
	return &AccountWord{
		Outcome: last.Outcome, Action: word.Action, Event: word.Event, Redrive: last.Redrive,
		RefreshedAt: last.RefreshedAt, Sequence: last.Sequence, Class: last.Class,
	}
}

// isFinal reports whether the part of the provider's resource in linking the account is over. A
// part of the past without data ends nothing, because the provider goes on to the next part.
// Neither does an event about something else, such as the documents of paystubs.
func (b *ResourceBasis) isFinal(p Provider, r Resource) bool {
	if b == nil || b.Word == nil {
		return false
	}
	if !p.isList(r) || b.Full != nil {
		return true
	}
	word := b.present()
	isPart := syncedRank(word.Action) > syncedRank(ActionAdded)
	isOwn := Lookup(p, word.Event.Type).Resource == r
	return isOwn && !isPart && (word.Outcome == Failed || word.Outcome == Unavailable)
}

// isGood reports whether the resource, which is final, has all its data.
func (b *ResourceBasis) isGood() bool {
	if len(b.lacking()) > 0 {
		return false
	}
	word := b.present()
	// A link says disconnected, which is a status of its own.
	return word.Outcome == Succeeded || word.Outcome == Unavailable && word.Class != ClassForbidden
}

// lacksData reports whether an event with such an end lacks data that the provider may have.
func lacksData(o Outcome, class Class) bool {
	return o == Failed || o == Unavailable && class == ClassForbidden
}

// lacking returns the events without their data. Statements that cover an event do not drop the
// event from Events: they would make room for an older event, which the list forgot before.
func (b *ResourceBasis) lacking() []WordOfEvent {
	var lacking []WordOfEvent
	for _, e := range b.Events {
		if lacksData(e.Outcome, e.Class) && !b.hasStatements(e.Employment, e.OccurredAt) {
			lacking = append(lacking, e)
		}
	}
	return lacking
}

// isDisconnected reports whether the newest word that knows says that the provider cannot reach the
// account.
func (b *AccountBasis) isDisconnected() bool {
	link := b.Resources[Link]
	if link == nil || link.Reached == nil {
		return false
	}
	isBroken := link.Reached.Outcome == Disconnected || link.Reached.tellsOfBreak()
	return isBroken && !b.hasTaskAfter(link.Reached.Event.OccurredAt)
}

// tellsOfBreak reports whether the webhook itself says that the provider reaches the account no
// more, and no answer of the provider says otherwise.
func (w *AccountWord) tellsOfBreak() bool {
	isBreak := w.Action == ActionDisconnected || w.Action == ActionRemoved
	return isBreak && w.Outcome != Succeeded
}

// syncedActions are the parts of the past, each with the parts before it.
var syncedActions = []string{
	ActionAdded, ActionSevenDaysSynced, ActionThirtyDaysSynced, ActionNinetyDaysSynced,
	ActionFullySynced,
}

// syncedRank orders the parts of the past. Any other action has the lowest rank.
func syncedRank(action string) int { return slices.Index(syncedActions, action) }

// isList reports whether the provider tells of the resource in parts, and at last that the whole
// past is there.
func (p Provider) isList(r Resource) bool {
	return slices.ContainsFunc(catalogue, func(t WebhookType) bool {
		return t.Provider == p && t.Resource == r && t.Action == ActionFullySynced
	})
}
