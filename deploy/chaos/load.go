package chaos

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
)

const (
	// players send at the same time, each about one person.
	players = 48
	// again is the share of webhooks that is sent twice, in percent; gone that of links that are deleted.
	again, gone = 30, 40
	// everyLarge people have more paystubs than fit into one message.
	everyLarge, paystubsLarge = 40, 450
)

// sending is one webhook of a plan.
type sending struct {
	kind    kind
	webhook fake.Webhook
	place   float64
}

// load sends webhooks about people who never end.
type load struct {
	seed   uint64
	fake   *fake.Providers
	ledger *ledger
	people atomic.Uint64

	mu       sync.Mutex
	accounts []string // of people who were begun
}

// send sends one webhook every pace until ctx ends; what is under way then is sent to its end.
func (l *load) send(ctx context.Context, pace time.Duration) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var group sync.WaitGroup
	for range players {
		group.Go(func() {
			for ctx.Err() == nil {
				for _, s := range l.plan(l.people.Add(1)) {
					select {
					case <-ctx.Done():
						return
					case <-tick.C:
						l.one(ctx, s)
					}
				}
			}
		})
	}
	group.Wait()
}

// one sends a webhook as its provider would, and notes the answer. The provider does not give up because we stop.
func (l *load) one(ctx context.Context, s sending) {
	w := noted(s.kind, s.webhook)
	l.ledger.send(w)
	answer, err := l.fake.SendWith(context.WithoutCancel(ctx), s.webhook, fake.SendOptions{
		Retry: s.kind != forged, BadSignature: s.kind == forged,
	})
	if err != nil {
		answer.Status = 0
	}
	l.ledger.answer(w, answer.Status)
}

// account is one of the people who were begun, "" where there is none.
func (l *load) account(thousandths int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.accounts) == 0 {
		return ""
	}
	recent := l.accounts[max(0, len(l.accounts)-2*players):]
	return recent[thousandths*len(recent)/1000]
}

// plan makes a person and all that is sent about them, in the order in which it is sent.
func (l *load) plan(n uint64) []sending {
	r := random(l.seed, streamPeople+n)
	paystubs, shifts := 2+r.IntN(6), 3+r.IntN(9)
	if n%everyLarge == 0 {
		paystubs = paystubsLarge
	}
	p := l.fake.Person(fake.PersonOptions{Paystubs: paystubs, Shifts: shifts, Seed: 1 + r.Uint64N(1<<62)})
	l.ledger.meet(p.AccountID, person{p.PaystubIDs(), p.ShiftIDs()})

	var plan []sending
	add := func(k kind, w fake.Webhook) {
		plan = append(plan, sending{k, w, float64(len(plan)) + 4*r.Float64()})
	}
	isGone := r.IntN(100) < gone
	for _, w := range l.fake.Timeline(p) {
		if w.Type != "link-deleted" || isGone {
			add(genuine, w)
		}
	}
	for _, w := range l.others(r, n, p) {
		add(w.kind, w.webhook)
	}
	for _, s := range slices.Clone(plan) {
		switch late := r.IntN(100); {
		case s.kind != forged && late < again:
			s.place += 30 * r.Float64() * r.Float64()
			plan = append(plan, s)
		case late > 95: // much later than the others: also after its link was deleted
			s.place += 30
		}
	}
	slices.SortStableFunc(plan, func(a, b sending) int { return cmp.Compare(a.place, b.place) })

	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts = append(l.accounts, p.AccountID)
	return plan
}

// others are webhooks beside a person's timeline.
func (l *load) others(r *rand.Rand, n uint64, p *fake.Person) []sending {
	var list []sending
	event := func(k kind, percent int, typ string, opts fake.EventOptions) {
		if r.IntN(100) >= percent {
			return
		}
		w, err := l.fake.Event(p, typ, opts)
		if err != nil {
			panic(err) // a wrong line below
		}
		list = append(list, sending{kind: k, webhook: w})
	}
	raw := func(k kind, w fake.Webhook, body string, args ...any) {
		if r.IntN(100) < 5 {
			w.Body = fmt.Appendf(nil, body, args...)
			list = append(list, sending{kind: k, webhook: w})
		}
	}
	odd := func(i int) string { return fmt.Sprintf("odd.id %d * > %d-%d", i, n, r.Uint32()) }
	event(genuine, 40, "employment.added", fake.EventOptions{Outcome: "pending"})
	event(genuine, 40, "income.added", fake.EventOptions{Outcome: "error", ErrorCode: "accountLocked", ErrorType: "userActionRequired"})
	event(genuine, 30, "account.added", fake.EventOptions{})
	event(genuine, 30, "payslip.imagined", fake.EventOptions{})
	event(genuine, 30, "identity.added", fake.EventOptions{ID: odd(1)})
	event(genuine, 20, "link-connected", fake.EventOptions{ID: odd(2)})
	event(genuine, 20, "paystubs.added", fake.EventOptions{Added: p.PaystubIDs()[:1], Deleted: []string{"old-" + odd(3)}})
	event(forged, 5, "employment.added", fake.EventOptions{})
	event(forged, 5, "link-deleted", fake.EventOptions{})

	id := fmt.Sprintf("undecodable-%d-%d", n, r.Uint32())
	raw(undecodable, fake.Webhook{Provider: fake.Pinwheel, ID: id, Type: "shifts.added", Account: p.AccountID},
		`{"event_id": %q, "event": "shifts.added", "payload": {"account_id": %q, "added": 7}}`, id, p.AccountID)
	id = fmt.Sprintf("nobody-%d-%d", n, r.Uint32())
	raw(undecodable, fake.Webhook{Provider: fake.Pinwheel, ID: id, Type: "income.added"},
		`{"event_id": %q, "event": "income.added", "payload": {"outcome": "success"}}`, id)
	raw(unreadable, fake.Webhook{Provider: fake.Pinwheel}, `{"event_id": "cut-%d-%d`, n, r.Uint32())
	raw(unreadable, fake.Webhook{Provider: fake.Truv}, `["webhook_id", "%d-%d"]`, n, r.Uint32())
	return list
}
