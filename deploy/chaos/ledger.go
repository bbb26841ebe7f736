package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// kind is what a webhook was made to be.
type kind string

const (
	// genuine webhooks are stored and completed.
	genuine kind = "genuine"
	// undecodable ones are signed events that no worker can read: a dead letter and a completion `failed`.
	undecodable kind = "undecodable"
	// unreadable ones are signed and no events: they go to quarantine.
	unreadable kind = "unreadable"
	// forged ones are signed with another key: nothing of them is kept.
	forged kind = "forged"
)

// webhook is what the ledger keeps of one that was sent.
type webhook struct {
	kind     kind
	provider schema.Provider
	id, typ  string
	account  string
	body     [sha256.Size]byte
	// outcome is what the provider says of its own job: "", "pending" or "error".
	outcome string
	// added and deleted are the ids it announces; from and to the dates of its chunk.
	added, deleted []string
	from, to       string
}

// key is the event's name on the streams; what has no id goes by its body.
func (w webhook) key() string {
	if w.kind == unreadable {
		return hex.EncodeToString(w.body[:])
	}
	return w.event().Key()
}

// event is the webhook in the terms of the contract, as far as subjects and keys go.
func (w webhook) event() schema.Event {
	t := schema.Lookup(w.provider, w.typ)
	return schema.Event{Provider: w.provider, ID: w.id, Type: w.typ, Resource: t.Resource, Action: t.Action, AccountID: w.account}
}

func (w webhook) workers() []schema.Resource { return schema.Lookup(w.provider, w.typ).Workers }

// noted reads what the ledger must know out of a webhook that is about to be sent.
func noted(k kind, w fake.Webhook) webhook {
	n := webhook{
		kind: k, provider: schema.Provider(w.Provider), id: w.ID, typ: w.Type, account: w.Account, body: sha256.Sum256(w.Body),
	}
	var body struct {
		Payload struct {
			Outcome string `json:"outcome"`
			Added   []struct {
				ID string `json:"id"`
			} `json:"added"`
			Deleted []struct {
				ID string `json:"id"`
			} `json:"deleted"`
			Params struct {
				From string `json:"from_pay_date"`
				To   string `json:"to_pay_date"`
			} `json:"params"`
		} `json:"payload"`
	}
	if json.Unmarshal(w.Body, &body) != nil {
		return n // unreadable, and meant to be
	}
	if n.outcome = body.Payload.Outcome; n.outcome == "success" {
		n.outcome = ""
	}
	for _, item := range body.Payload.Added {
		n.added = append(n.added, item.ID)
	}
	for _, item := range body.Payload.Deleted {
		n.deleted = append(n.deleted, item.ID)
	}
	n.from, n.to = body.Payload.Params.From, body.Payload.Params.To
	return n
}

// entry is a webhook and how often it was answered what; 0 is no answer.
type entry struct {
	webhook
	answers map[int]int
}

func (e *entry) accepted() bool { return e.answers[200] > 0 }

// ledger is every webhook that was sent, and every answer.
type ledger struct {
	mu      sync.Mutex
	entries map[string]*entry
	// people are the records that the fakes have of an account.
	people map[string]person
	sent   int
}

// person is whose ids a list of all records must hold.
type person struct{ paystubs, shifts []string }

func newLedger() *ledger { return &ledger{entries: map[string]*entry{}, people: map[string]person{}} }

// send notes a webhook before it is sent: from then on its traces are allowed.
func (l *ledger) send(w webhook) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if l.entries[w.key()] == nil {
		l.entries[w.key()] = &entry{webhook: w, answers: map[int]int{}}
	}
}

// answer notes what was answered, 0 for nothing.
func (l *ledger) answer(w webhook, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[w.key()].answers[status]++
}

func (l *ledger) meet(account string, p person) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.people[account] = p
}

// accepted counts the webhooks that were answered 200, each once.
func (l *ledger) accepted() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.accepted() {
			n++
		}
	}
	return n
}
