package simulation

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// visit sends a webhook as a provider does: with retries, and perhaps a second time.
func (w *world) visit(v Visit) {
	webhook, err := w.webhookOf(v)
	if err != nil {
		w.violate("simulation", v.ID, "the fake cannot make a webhook: %v", err)
		return
	}
	known := ledger.NewWebhook(ledger.Kind(v.Kind), webhook)
	w.ledger.AddWebhook(known)
	w.send(v, known, webhook)
	for range v.Copies - 1 {
		w.pass(v.Again)
		w.send(v, known, webhook)
	}
}

// webhookOf makes the webhook of a visit, and changes the fake provider's data as the webhook says.
func (w *world) webhookOf(v Visit) (fake.Webhook, error) {
	p := w.people[v.Person]
	options := fake.EventOptions{ID: v.ID, Outcome: v.Outcome}
	if providerOf(v.Type) == schema.Truv {
		options.Outcome = ""
		options.Status = taskStatus(v.Outcome)
		options.EmploymentID = p.EmploymentIDs()[v.Employment]
	}
	webhook, err := w.fake.Event(p, v.Type, options)
	switch v.Kind {
	case Undecodable:
		webhook.Body = fmt.Appendf(nil,
			`{"event_id": %q, "event": %q, "payload": {"account_id": %q, "outcome": 7}}`,
			v.ID, v.Type, p.AccountID)
	case Unreadable:
		webhook = fake.Webhook{Provider: webhook.Provider, Body: fmt.Appendf(nil, "{%q", v.ID)}
	}
	return webhook, err
}

// taskStatus returns the status of Truv's task for a word about a provider's job.
func taskStatus(outcome string) string {
	switch outcome {
	case "pending":
		return "full_parse"
	case "error":
		return "login_error"
	default:
		return "done"
	}
}

func (w *world) send(v Visit, known ledger.Webhook, webhook fake.Webhook) {
	w.sent.Add(1)
	// A webhook may be stored although its sender got no answer.
	options := fake.SendOptions{Retry: true, BadSignature: v.Kind == Forged}
	answer, err := w.fake.SendWith(context.WithoutCancel(w.ctx), webhook, options)
	if err != nil {
		answer.Status = 0
	}
	w.ledger.AddAnswer(known, answer.Status)
	if answer.Status != http.StatusOK {
		w.unanswered.Add(1)
		return
	}
	if v.Kind == Unreadable {
		return
	}
	e := known.Event()
	for _, r := range known.Workers() {
		w.watch.begin(e, queueFor(e, r))
	}
}

// queueFor returns the queue in which a resource's worker takes the event.
func queueFor(e schema.Event, r schema.Resource) schema.Queue {
	if e.Erases() {
		return queueOf(schema.ErasuresName(e.Provider))
	}
	return queueOf(schema.QueueName(e.Provider, r))
}
