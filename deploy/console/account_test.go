package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// storeState stores the state of the account after the completion.
func (b *bench) storeState(c schema.Completion) {
	b.Helper()
	next, _ := schema.Account{}.Merge(c, schema.ReadyWhen{}, receivedAt)
	state, err := b.op.State(b.Context(), c.Data.Provider, c.Subject)
	b.must(err)
	if stored, err := b.op.StoreState(b.Context(), state, next); !stored {
		b.Fatal(err)
	}
}

func TestAnAccountTellsItsState(t *testing.T) {
	e := income("e-1", "a-1")
	for promise, test := range map[string]struct {
		happens func(*bench)
		path    string
		status  int
		says    []string
	}{
		"its status, since when, and its resources": {
			func(b *bench) { b.publish(e); b.storeState(b.complete(e, schema.Succeeded, `{"id":"r"}`)) },
			"/accounts/pinwheel/a-1", http.StatusOK,
			[]string{
				">linking<", `<time datetime="2024-05-06T07:08:09Z">`, "Waits for", ">succeeded<",
				"3 messages", `href="/events/pinwheel:e-1"`, "income: succeeded, 1 attempt",
				"wagewire find a-1 --provider pinwheel",
			},
		},
		"a resource without a result: what it waits for": {
			func(b *bench) { b.publish(e); b.storeState(b.complete(e, schema.Pending)) },
			"/accounts/pinwheel/a-1", http.StatusOK, []string{">pending<", "Nobody needs to act."},
		},
		"no state yet": {
			func(b *bench) { b.publish(e) }, "/accounts/pinwheel/a-1", http.StatusOK,
			[]string{"There is none", "1 message", "stored"},
		},
		"what waits, and its dead letters": {
			func(b *bench) {
				b.publish(e, income("e-2", "a-1"))
				b.die()
				b.takeNext(func(d *stream.Delivery) error { return d.Wait(outage()) })
			},
			"/accounts/pinwheel/a-1", http.StatusOK,
			[]string{"waiting", "pinwheel_income: transient, 3 failures, next try in ", `href="/dead/1"`},
		},
		"what its platform has": {
			func(b *bench) {
				link := schema.Event{
					Provider: schema.Pinwheel, ID: "e-1", Type: "account.added",
					Resource: schema.Link, Action: schema.ActionAdded, AccountID: "a-1",
					ReceivedAt: receivedAt, Body: []byte(`{}`),
				}
				c := schema.NewCompletion(link, schema.Link, schema.Succeeded, receivedAt)
				c.Data.Supported = []schema.Resource{schema.Income, schema.Shifts}
				_, err := b.op.PublishCompletion(b.Context(), link, c)
				b.must(err)
			},
			"/accounts/pinwheel/a-1", http.StatusOK, []string{"income, shifts"},
		},
		"erased": {
			func(b *bench) {
				b.publish(e)
				for _, step := range b.op.ErasureSteps(e.Provider, e.Account()) {
					b.must(step.Run(b.Context()))
				}
			},
			"/accounts/pinwheel/a-1", http.StatusOK, []string{"The account is erased"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			test.happens(b)
			got := b.get(test.path, ritaToken)
			b.wants(got, test.status, test.says...)
			if strings.Contains(got.body, canary) {
				t.Error("the page has a record or a body")
			}
		})
	}
}

func TestAnAccountWithManyMessagesShowsTheNewest(t *testing.T) {
	b := newBench(t)
	for i := range entriesMax + 2 {
		e := income(fmt.Sprintf("e-%d", i), "a-1")
		e.ReceivedAt = e.ReceivedAt.AddDate(0, 0, i)
		b.publish(e)
	}
	got := b.get("/accounts/pinwheel/a-1", ritaToken)
	b.wants(got, http.StatusOK, "500 of 502 messages", "the other 2", `"/events/pinwheel:e-501"`,
		`"/events/pinwheel:e-2"`)
	if strings.Contains(got.body, `"/events/pinwheel:e-1"`) {
		t.Error("it shows more than the newest")
	}
}

func TestWhatIsNoAccountIsSaid(t *testing.T) {
	b := newBench(t)
	b.publish(income("e-1", "a-1"), income("e-2", ""))
	for promise, test := range map[string]struct{ path, says string }{
		"nobody": {
			"/accounts/pinwheel/nobody", "Nothing of account nobody of Pinwheel is on the streams",
		},
		"another provider's account": {
			"/accounts/truv/a-1", "Nothing of account a-1 of Truv is on the streams",
		},
		"a provider that is not known":       {"/accounts/plaid/a-1", "no provider"},
		"a wildcard":                         {"/accounts/pinwheel/*", "no token"},
		"a part of a subject":                {"/accounts/pinwheel/a.b", "no token"},
		"those of events without an account": {"/accounts/pinwheel/_", "no token"},
	} {
		got := b.get(test.path, ritaToken)
		if got.status != http.StatusNotFound || !strings.Contains(got.body, test.says) {
			t.Errorf("%s: status %d: %s", promise, got.status, short(got.body))
		}
	}
}
