package cluster

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// ledger holds every webhook that the fakes sent to an installation, and the statuses of the
// responses. judge compares the ledger with the completions of the installation.
type ledger struct {
	mu       sync.Mutex
	webhooks map[string]*webhook // by the event's key
}

// webhook is a sent webhook.
type webhook struct {
	fake.Sent

	// accepted is true if a response was 200, so the webhook is stored.
	accepted bool
	// refused are the statuses of the other responses, 0 for no response.
	refused map[int]bool
}

func newLedger() *ledger { return &ledger{webhooks: map[string]*webhook{}} }

// event returns the fields of the event that keys are made of.
func (w *webhook) event() schema.Event {
	return schema.Event{Provider: schema.Provider(w.Provider), ID: w.ID, Type: w.Type}
}

// documented returns what the catalogue says about the webhook's type.
func (w *webhook) documented() schema.WebhookType {
	return schema.Lookup(schema.Provider(w.Provider), w.Type)
}

// add notes sendings. A sending may be noted more than once.
func (l *ledger) add(sent []fake.Sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range sent {
		w := &webhook{Sent: s, refused: map[int]bool{}}
		key := w.event().Key()
		if l.webhooks[key] == nil {
			l.webhooks[key] = w
		}
		if s.Status == http.StatusOK {
			l.webhooks[key].accepted = true
		} else {
			l.webhooks[key].refused[s.Status] = true
		}
	}
}

// accepted counts the stored webhooks.
func (l *ledger) accepted() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.webhooks {
		if w.accepted {
			n++
		}
	}
	return n
}

// refusals lists the webhooks with a response other than 200.
func (l *ledger) refusals() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(l.webhooks)) {
		w := l.webhooks[key]
		for status := range w.refused {
			list = append(list, fmt.Sprintf("%s %s: answered %d", w.Type, key, status))
		}
	}
	return list
}

// verdict is what judge found. Each line is about one completion.
type verdict struct {
	// missing completions of stored webhooks may still come.
	missing []string
	// wrong completions should not exist: the second of a webhook and resource, one of a webhook
	// that was never sent, or one with an outcome other than success.
	wrong []string
	// refused webhooks were never stored, however often the fakes sent them.
	refused []string
	// accepted and completed count the stored webhooks, and their completions.
	accepted, completed int
}

// judge compares the webhooks with all completions of the installation. A stored webhook has one
// completion for each resource of its type. The account of a deleted link keeps only the completion
// of the deletion.
func (l *ledger) judge(completions []schema.Completion) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := verdict{completed: len(completions)}
	counts := map[string]int{}
	ended := map[string]bool{}
	for _, c := range completions {
		counts[c.ID]++
		ended[schema.WithoutAccount(c.ID)] = true
		if counts[c.ID] == 2 {
			v.wrong = append(v.wrong, c.ID+": there are two completions")
		}
		if problem := l.judgeOne(c); problem != "" {
			v.wrong = append(v.wrong, c.ID+": "+problem)
		}
	}
	erased := l.erased()
	for _, key := range slices.Sorted(maps.Keys(l.webhooks)) {
		w := l.webhooks[key]
		if !w.accepted {
			v.refused = append(v.refused, fmt.Sprintf("%s %s", w.Type, key))
			continue
		}
		v.accepted++
		if erased[w.Account] && !w.documented().Erases {
			continue
		}
		for _, resource := range w.documented().Workers {
			if id := w.event().CompletionKey(resource); !ended[id] {
				v.missing = append(v.missing, fmt.Sprintf("%s %s", w.Type, id))
			}
		}
	}
	return v
}

// judgeOne returns what is wrong with a completion, "" if nothing is.
func (l *ledger) judgeOne(c schema.Completion) string {
	event := schema.Event{Provider: c.Data.Provider, ID: c.Data.Event.ID}
	w := l.webhooks[event.Key()]
	switch {
	case w == nil:
		return "the webhook was never sent"
	case !slices.Contains(w.documented().Workers, c.Data.Resource):
		return fmt.Sprintf("%s has no worker for %s", w.Type, c.Data.Resource)
	case w.documented().Erases && c.Data.Outcome != schema.Deleted,
		!w.documented().Erases && !c.Data.Outcome.HasRecords():
		return fmt.Sprintf("%s has the outcome %s", w.Type, c.Data.Outcome)
	default:
		return ""
	}
}

// erased returns the accounts whose deletion was sent, stored or not.
func (l *ledger) erased() map[string]bool {
	accounts := map[string]bool{}
	for _, w := range l.webhooks {
		if w.documented().Erases {
			accounts[w.Account] = true
		}
	}
	return accounts
}
