package ledger

import (
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// Entry is a webhook and the number of its answers by status. Status 0 is no answer.
type Entry struct {
	Webhook

	Answers map[int]int
}

// IsAccepted reports whether the sender got the answer 200.
func (e Entry) IsAccepted() bool { return e.Answers[200] > 0 }

// Person has the ids that a list of all records must hold.
type Person struct {
	// Paystubs and Shifts are those at Pinwheel.
	Paystubs, Shifts []string
	// Employments, Profile, Statements of each employment, and TruvShifts are those at Truv.
	Employments []string
	Profile     string
	Statements  map[string][]string
	TruvShifts  []string
	// Forbidden is true if the providers answer 403 to every call about the person. It never
	// changes.
	Forbidden bool
}

// NewPerson returns the records of a person of the fake providers.
func NewPerson(p *fake.Person) Person {
	of := Person{
		Paystubs: p.PaystubIDs(), Shifts: p.ShiftIDs(),
		Employments: p.EmploymentIDs(), Profile: p.ProfileID(),
		Statements: map[string][]string{}, TruvShifts: p.TruvShiftIDs(),
	}
	for _, employment := range of.Employments {
		of.Statements[employment] = p.StatementIDs(employment)
	}
	return of
}

// Ledger holds every webhook and every answer, and every act of an operator. A Ledger is safe for
// concurrent use.
type Ledger struct {
	mu      sync.Mutex
	entries map[string]Entry
	// passages are the events of the webhooks: by key, redrives too.
	passages map[string]passage
	// discards are the queues whose dead letters of an event are discarded, by the event's key.
	discards map[string][]string
	// people are the records of the fake providers, by account: all versions, the oldest first.
	people map[string][]Person
	sent   int
}

// passage is an event of a webhook: number 0 is the webhook's own, the others are redrives.
type passage struct {
	Webhook

	number int
	// queue is the only queue that works on a redrive, or "".
	queue string
	// version is the version of the person that was current before the event was published.
	version int
}

// Event returns the fields of the event that subjects and keys are made of.
func (p passage) Event() schema.Event {
	e := p.Webhook.Event()
	e.Redrive = p.number
	e.Queue = p.queue
	return e
}

// Workers are the resources whose workers complete the event. An erasure is repeated whatever queue
// the redrive names.
func (p passage) Workers() []schema.Resource {
	all := p.Webhook.Workers()
	if p.queue == "" || p.Event().Erases() {
		return all
	}
	for _, r := range all {
		if schema.QueueName(p.Provider, r) == p.queue {
			return []schema.Resource{r}
		}
	}
	return nil
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{
		entries:  map[string]Entry{},
		passages: map[string]passage{},
		discards: map[string][]string{},
		people:   map[string][]Person{},
	}
}

// AddWebhook notes a webhook before it is sent, because the streams may have it from then on.
func (l *Ledger) AddWebhook(w Webhook) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	key := w.Key()
	if _, known := l.entries[key]; !known {
		l.entries[key] = Entry{Webhook: w, Answers: map[int]int{}}
		l.passages[key] = passage{Webhook: w, version: l.versionOf(w.Account)}
	}
}

// AddAnswer notes the status of an answer, 0 for no answer.
func (l *Ledger) AddAnswer(w Webhook, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[w.Key()].Answers[status]++
}

// AddPerson notes the records of an account before the fake providers serve them. If the records
// grow, AddPerson is called again with the longer lists. A completion must hold the ids of the
// version that was current when its event was added, and may hold the ids of the last version.
func (l *Ledger) AddPerson(account string, p Person) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.people[account] = append(l.people[account], p)
}

// AddRedrive notes that an operator sends the event of a webhook for the nth time again: through
// one queue, or through all queues of its type if queue is "". AddRedrive is called before the
// redrive is published. From then on the redrive must be stored and completed, so the operator
// publishes until the broker has answered. key is the key of the webhook, without :r1. A number is
// used once: a second call with the same number changes nothing.
func (l *Ledger) AddRedrive(key, queue string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, known := l.entries[key]
	redriven := schema.RedriveID(key, n)
	if _, again := l.passages[redriven]; !known || again {
		return // if the webhook is unknown, its event is a violation already
	}
	l.passages[redriven] = passage{
		Webhook: e.Webhook, number: n, queue: queue, version: l.versionOf(e.Account),
	}
}

// AddDiscard notes that an operator discards the dead letters of an event in a queue, as
// `wagewire dead redrive` does after its redrive. The check then no longer wants a dead letter
// there. key is the key of the event; the key of a redrive ends in :r1, :r2 and so on.
func (l *Ledger) AddDiscard(key, queue string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.discards[key] = append(l.discards[key], queue)
}

// Accepted counts the webhooks with an answer 200.
func (l *Ledger) Accepted() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.IsAccepted() {
			n++
		}
	}
	return n
}

// Sent counts the webhooks, and those that were sent twice twice.
func (l *Ledger) Sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// Entries returns all entries with their keys, as they are at the call. The order is any order.
func (l *Ledger) Entries() iter.Seq2[string, Entry] {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := make(map[string]Entry, len(l.entries))
	for key, e := range l.entries {
		e.Answers = maps.Clone(e.Answers)
		entries[key] = e
	}
	return maps.All(entries)
}

// Completes reports whether the resource's worker completes the event with the key, a webhook's or
// a redrive's.
func (l *Ledger) Completes(key string, r schema.Resource) bool {
	p, known := l.find(key)
	return known && slices.Contains(p.Workers(), r)
}

// redrives returns the redrives with their keys.
func (l *Ledger) redrives() map[string]passage {
	l.mu.Lock()
	defer l.mu.Unlock()
	redrives := maps.Clone(l.passages)
	maps.DeleteFunc(redrives, func(_ string, p passage) bool { return p.number == 0 })
	return redrives
}

// find returns the event with the key.
func (l *Ledger) find(key string) (p passage, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known = l.passages[key]
	return p, known
}

// isDiscarded reports whether an operator discards the dead letters of the event in the queue.
func (l *Ledger) isDiscarded(key, queue string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.discards[key], queue)
}

// versionOf is the index of the current version of a person, 0 for a person who comes later. The
// caller holds the lock.
func (l *Ledger) versionOf(account string) int { return max(0, len(l.people[account])-1) }

// recordsOf returns the records that a completion of the event must hold, and those that it may
// hold.
func (l *Ledger) recordsOf(p passage) (must, may Person) {
	l.mu.Lock()
	defer l.mu.Unlock()
	versions := l.people[p.Account]
	if len(versions) == 0 {
		return Person{}, Person{}
	}
	return versions[p.version], versions[len(versions)-1]
}
