package chaos

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/ledger"
)

const (
	// players is how many goroutines send at the same time. Each sends about one person at a time.
	players = 48
	// twicePercent of the webhooks are sent twice.
	twicePercent = 30
	// latePercent of the webhooks are sent much later than the others.
	latePercent = 4
	// deletedPercent of the links are deleted.
	deletedPercent = 40
	// Every forbiddenEvery-th person is forbidden: every call about the person is answered with
	// 403.
	forbiddenEvery = 20
	// settleFor is how long the broker and ingress may take to store webhooks after a restart.
	settleFor = 4 * time.Second
	// Every largeEvery-th person has largePaystubs, more than fit into one message.
	largeEvery    = 40
	largePaystubs = 450
)

// sending is a webhook of a plan. place is its order in the plan.
type sending struct {
	kind    ledger.Kind
	webhook fake.Webhook
	place   float64
	// overtaken is true for a webhook about a link just before its deletion. The deletion is sent
	// while the answer about the link is on its way, and overtakes the answer.
	overtaken bool
}

// load sends webhooks about an endless row of people.
type load struct {
	seed   uint64
	fake   *fake.Providers
	ledger *ledger.Ledger
	gate   *gate
	// calmSince returns the time since which ingress and the brokers run undisturbed.
	calmSince func() (since time.Time, calm bool)
	calm      calm
	people    atomic.Uint64

	mu sync.Mutex
	// accounts are the accounts at Pinwheel of all people so far, and links those at Truv.
	accounts, links []string
}

// send sends a webhook every pace until ctx ends, and then waits for the last answers.
func (l *load) send(ctx context.Context, pace time.Duration) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var group sync.WaitGroup
	for range players {
		group.Go(func() {
			for ctx.Err() == nil {
				l.play(ctx, l.plan(l.people.Add(1)), tick.C)
			}
		})
	}
	group.Wait()
}

// play sends the webhooks about a person, one a tick.
func (l *load) play(ctx context.Context, plan []sending, tick <-chan time.Time) {
	for _, s := range plan {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		if s.overtaken {
			l.sendOvertaken(ctx, s)
		} else {
			l.sendWebhook(ctx, s)
		}
	}
}

// sendOvertaken sends the webhook, and waits until the answer about its account is made. After
// askedFor it does not wait any more: the queue may be busy.
func (l *load) sendOvertaken(ctx context.Context, s sending) {
	const askedFor = 2 * time.Second
	made := l.gate.delayNext(s.webhook.Account)
	l.sendWebhook(ctx, s)
	select {
	case <-ctx.Done():
	case <-made:
	case <-time.After(askedFor):
	}
}

// sendWebhook sends a webhook as a provider does, with retries, and notes the answer. The retries
// go on after the end of ctx.
func (l *load) sendWebhook(ctx context.Context, s sending) {
	w := ledger.NewWebhook(s.kind, s.webhook)
	l.ledger.AddWebhook(w)
	options := fake.SendOptions{Retry: true, Tried: l.noteAttempt}
	if s.kind == ledger.Forged {
		options = fake.SendOptions{BadSignature: true}
	}
	answer, err := l.fake.SendWith(context.WithoutCancel(ctx), s.webhook, options)
	if err != nil {
		answer.Status = 0
	}
	l.ledger.AddAnswer(w, answer.Status)
}

// noteAttempt notes an attempt to send a signed webhook, if nothing but a flood disturbed ingress.
// Processes that have just started need a moment.
func (l *load) noteAttempt(began time.Time, status int) {
	since, calm := l.calmSince()
	if calm && began.After(since.Add(settleFor)) {
		l.calm.addAttempt(status)
	}
}

// account returns the account of a recent person at Pinwheel, or at Truv, "" before the first
// person.
func (l *load) account(thousandths int, atTruv bool) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	recent := l.accounts
	if atTruv {
		recent = l.links
	}
	if len(recent) == 0 {
		return ""
	}
	recent = recent[max(0, len(recent)-2*players):]
	return recent[thousandths*len(recent)/1000]
}

// plan makes a person, and all webhooks about this person in the order of sending.
func (l *load) plan(n uint64) []sending {
	r := random(l.seed, streamPeople+n)
	paystubs := 2 + r.IntN(6)
	shifts := 3 + r.IntN(9)
	if n%largeEvery == 0 {
		paystubs = largePaystubs
	}
	forbidden := n%forbiddenEvery == forbiddenEvery/2 // not the people of largeEvery
	p := l.fake.Person(fake.PersonOptions{
		Paystubs: paystubs, Shifts: shifts, Seed: 1 + r.Uint64N(1<<62), Forbidden: forbidden,
	})
	records := ledger.NewPerson(p)
	records.Forbidden = forbidden
	for _, id := range []string{p.AccountID, p.EndUserID, p.LinkID} {
		l.ledger.AddPerson(id, records)
	}

	var plan []sending
	add := func(k ledger.Kind, w fake.Webhook) {
		place := float64(len(plan)) + 4*r.Float64()
		plan = append(plan, sending{kind: k, webhook: w, place: place})
	}
	deleted := r.IntN(100) < deletedPercent
	for _, w := range l.fake.Timeline(p) {
		if w.Type != "link-deleted" {
			add(ledger.Genuine, w)
		} else if deleted {
			add(ledger.Genuine, w)
			plan = append(plan, l.beforeDeletion(p, plan[len(plan)-1].place))
		}
	}
	for _, w := range l.extras(r, n, p) {
		add(w.kind, w.webhook)
	}
	plan = repeatSome(r, plan)
	slices.SortStableFunc(plan, func(a, b sending) int { return cmp.Compare(a.place, b.place) })

	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts = append(l.accounts, p.AccountID)
	l.links = append(l.links, p.LinkID)
	return plan
}

// beforeDeletion is a webhook about a link, to send just before the webhook at the place.
func (l *load) beforeDeletion(p *fake.Person, place float64) sending {
	w, err := l.fake.Event(p, "link-connected", fake.EventOptions{})
	if err != nil {
		panic(err) // the type is right
	}
	return sending{
		kind: ledger.Genuine, webhook: w, place: math.Nextafter(place, 0), overtaken: true,
	}
}

// repeatSome sends some webhooks of the plan a second time, and moves some to a much later place,
// perhaps after the deletion of the link.
func repeatSome(r *rand.Rand, plan []sending) []sending {
	for i, s := range slices.Clone(plan) {
		n := r.IntN(100)
		switch {
		case s.kind != ledger.Forged && n < twicePercent:
			s.overtaken = false
			s.place += 30 * r.Float64() * r.Float64()
			plan = append(plan, s)
		case n >= 100-latePercent:
			plan[i].place += 30
		}
	}
	return plan
}

// extras are webhooks besides a person's timeline: other outcomes, odd ids, forgeries, and bodies
// that cannot be read.
func (l *load) extras(r *rand.Rand, n uint64, p *fake.Person) []sending {
	var list []sending
	event := func(k ledger.Kind, percent int, typ string, opts fake.EventOptions) {
		if r.IntN(100) >= percent {
			return
		}
		w, err := l.fake.Event(p, typ, opts)
		if err != nil {
			panic(err) // a wrong line below
		}
		list = append(list, sending{kind: k, webhook: w})
	}
	odd := func(i int) string { return fmt.Sprintf("odd.id %d * > %d-%d", i, n, r.Uint32()) }
	event(ledger.Genuine, 40, "employment.added", fake.EventOptions{Outcome: "pending"})
	event(ledger.Genuine, 40, "income.added", fake.EventOptions{
		Outcome: "error", ErrorCode: "accountLocked", ErrorType: "userActionRequired",
	})
	event(ledger.Genuine, 30, "account.added", fake.EventOptions{})
	event(ledger.Genuine, 30, "payslip.imagined", fake.EventOptions{})
	event(ledger.Genuine, 30, "identity.added", fake.EventOptions{ID: odd(1)})
	event(ledger.Genuine, 20, "link-connected", fake.EventOptions{ID: odd(2)})
	event(ledger.Genuine, 30, "statements-updated", fake.EventOptions{
		EmploymentID: p.EmploymentIDs()[len(p.EmploymentIDs())-1],
	})
	event(ledger.Genuine, 20, "shifts-updated", fake.EventOptions{ID: odd(4)})
	event(ledger.Genuine, 10, "task-status-updated", fake.EventOptions{Status: "no_data"})
	event(ledger.Genuine, 10, "task-status-updated", fake.EventOptions{Status: "mfa_error"})
	event(ledger.Genuine, 10, "task-status-updated", fake.EventOptions{Product: "deposit_switch"})
	event(ledger.Genuine, 10, "task-status-updated", fake.EventOptions{Product: "employment"})
	event(ledger.Genuine, 20, "paystubs.added", fake.EventOptions{
		Added: p.PaystubIDs()[:1], Deleted: []string{"old-" + odd(3)},
	})
	event(ledger.Forged, 5, "employment.added", fake.EventOptions{})
	event(ledger.Forged, 5, "link-deleted", fake.EventOptions{})
	return append(list, broken(r, n, p)...)
}

// broken are webhooks with bodies that a worker or ingress cannot read.
func broken(r *rand.Rand, n uint64, p *fake.Person) []sending {
	const percent = 5
	var list []sending
	add := func(k ledger.Kind, w fake.Webhook, body string, args ...any) {
		if r.IntN(100) < percent {
			w.Body = fmt.Appendf(nil, body, args...)
			list = append(list, sending{kind: k, webhook: w})
		}
	}
	id := fmt.Sprintf("undecodable-%d-%d", n, r.Uint32())
	add(ledger.Undecodable,
		fake.Webhook{Provider: fake.Pinwheel, ID: id, Type: "shifts.added", Account: p.AccountID},
		`{"event_id": %q, "event": "shifts.added", "payload": {"account_id": %q, "added": 7}}`,
		id, p.AccountID)
	id = fmt.Sprintf("nobody-%d-%d", n, r.Uint32())
	add(ledger.Undecodable, fake.Webhook{Provider: fake.Pinwheel, ID: id, Type: "income.added"},
		`{"event_id": %q, "event": "income.added", "payload": {"outcome": "success"}}`, id)
	add(ledger.Unreadable, fake.Webhook{Provider: fake.Pinwheel},
		`{"event_id": "cut-%d-%d`, n, r.Uint32())
	add(ledger.Unreadable, fake.Webhook{Provider: fake.Truv},
		`["webhook_id", "%d-%d"]`, n, r.Uint32())
	return list
}
