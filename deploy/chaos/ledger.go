package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// kind is the purpose of a webhook.
type kind string

const (
	// genuine webhooks are stored and completed.
	genuine kind = "genuine"
	// undecodable webhooks are signed events with a body that no worker can read. They end with a
	// dead letter and a completion `failed`.
	undecodable kind = "undecodable"
	// unreadable webhooks are signed and not events. They go to quarantine.
	unreadable kind = "unreadable"
	// forged webhooks are signed with a wrong key. Nothing of them is stored.
	forged kind = "forged"
)

// webhook is the part of a sent webhook that the checks need.
type webhook struct {
	kind     kind
	provider schema.Provider
	id, typ  string
	account  string
	body     [sha256.Size]byte
	// outcome is the provider's word about its own job: "", "pending" or "error".
	outcome string
	// added and deleted are announced ids.
	added, deleted []string
	// from and to are the dates of an announced chunk.
	from, to string
}

// key is the event's message id. A webhook without an id has the hash of the body as its key.
func (w webhook) key() string {
	if w.kind == unreadable {
		return hex.EncodeToString(w.body[:])
	}
	return w.event().Key()
}

// event returns the fields of the event that subjects and keys are made of.
func (w webhook) event() schema.Event {
	t := schema.Lookup(w.provider, w.typ)
	return schema.Event{
		Provider: w.provider, ID: w.id, Type: w.typ,
		Resource: t.Resource, Action: t.Action, AccountID: w.account,
	}
}

// workers are the resources whose workers complete the event.
func (w webhook) workers() []schema.Resource { return schema.Lookup(w.provider, w.typ).Workers }

// newWebhook reads a webhook before it is sent.
func newWebhook(k kind, w fake.Webhook) webhook {
	n := webhook{
		kind: k, provider: schema.Provider(w.Provider),
		id: w.ID, typ: w.Type, account: w.Account, body: sha256.Sum256(w.Body),
	}
	providers[n.provider].announced(w.Body, &n)
	return n
}

// entry is a webhook and the number of its answers by status. Status 0 is no answer.
type entry struct {
	webhook

	answers map[int]int
}

func (e *entry) isAccepted() bool { return e.answers[200] > 0 }

// ledger holds every webhook and every answer.
type ledger struct {
	mu      sync.Mutex
	entries map[string]*entry
	// people are the records of the fake providers, by account.
	people map[string]person
	sent   int
	// calm is the number of attempts to send a signed webhook while the broker and ingress ran
	// undisturbed. refused is the number of attempts among these without the answer 200.
	calm, refused int
}

// person has the ids that a list of all records must hold.
type person struct {
	paystubs, shifts []string
	// forbidden is true if the providers answer 403 to every call about the person.
	forbidden bool
}

func newLedger() *ledger {
	return &ledger{entries: map[string]*entry{}, people: map[string]person{}}
}

// addWebhook notes a webhook before it is sent, because the streams may have it from then on.
func (l *ledger) addWebhook(w webhook) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if l.entries[w.key()] == nil {
		l.entries[w.key()] = &entry{webhook: w, answers: map[int]int{}}
	}
}

// addAnswer notes the status of an answer, 0 for no answer.
func (l *ledger) addAnswer(w webhook, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[w.key()].answers[status]++
}

func (l *ledger) addCalmAttempt(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calm++
	if status != http.StatusOK {
		l.refused++
	}
}

func (l *ledger) addPerson(account string, p person) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.people[account] = p
}

// accepted counts the webhooks with an answer 200.
func (l *ledger) accepted() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.isAccepted() {
			n++
		}
	}
	return n
}
