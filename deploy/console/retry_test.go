package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const retryPath = "/queues/pinwheel_income/retry"

// retryFast is the form of a plan for the waiting events of a class, all with "".
func retryFast(class string) url.Values {
	return url.Values{"do": {"retry"}, "rate": {"1000"}, "class": {class}}
}

// waits are the ids of the events that wait in the income queue, in their order.
func (b *bench) waits() []string {
	b.Helper()
	ids := []string{}
	b.must(b.op.Waiting(b.Context(), "pinwheel_income", "*", func(w stream.Waiting) error {
		ids = append(ids, w.Event.ID)
		return nil
	}))
	return ids
}

// letWait stores a webhook about income, and lets its event wait after a failure of the class since
// the given time.
func (b *bench) letWait(id string, class schema.Class, since time.Time) {
	b.Helper()
	e := schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: "income.added", Resource: schema.Income,
		Action: schema.ActionAdded, AccountID: "a-1", OccurredAt: stateAt, ReceivedAt: stateAt,
		Body: []byte(`{"event":"income.added","payload":{"account_id":"a-1"}}`),
	}
	_, err := b.op.PublishEvent(b.Context(), e)
	b.must(err)
	q, _ := schema.QueueNamed("pinwheel_income")
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.must(b.op.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
		defer cancel()
		b.must(d.Err)
		b.must(d.Wait(schema.Wait{
			Class: class, Step: 3, Steps: 12, Since: since, Until: tomorrow,
			Failures: schema.Failures{class: 1},
		}))
	}))
}

func TestARetryTriesExactlyWhatWasPlanned(t *testing.T) {
	for _, test := range []struct {
		promise string
		class   string
		plans   string
		// meanwhile happens between the plan and its start.
		meanwhile   func(b *bench)
		tried, gone int
		left        []string
	}{
		{"all events of a queue", "", "Retry 3 events", func(*bench) {}, 3, 0, []string{}},
		{
			"only those of a class", "forbidden", "Retry 1 event", func(*bench) {}, 1, 0,
			[]string{"e-1", "e-2"},
		},
		{
			"an event that was tried meanwhile is counted", "transient", "Retry 2 events",
			func(b *bench) { b.start(b.plan(retryPath, retryFast("transient")), nil) }, 0, 2,
			[]string{"e-3"},
		},
		{
			"an event that began to wait meanwhile is left alone, whatever its worker's clock says",
			"", "Retry 3 events",
			func(b *bench) {
				b.letWait("e-4", schema.ClassTransient, stateAt.Add(-time.Hour))
				b.letWait("e-5", schema.ClassTransient, time.Time{})
			},
			3, 0, []string{"e-4", "e-5"},
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			b := newBench(t)
			b.letWait("e-1", schema.ClassTransient, stateAt)
			b.letWait("e-2", schema.ClassTransient, time.Time{})
			b.letWait("e-3", schema.ClassForbidden, stateAt.Add(time.Second))
			path := b.plan(retryPath, retryFast(test.class))
			b.wants(b.get(path, annaToken), http.StatusOK, test.plans, "Nothing is done yet",
				"wagewire retry pinwheel_income")
			if got := len(b.waits()); got != 3 {
				t.Fatalf("%d events wait after a plan", got)
			}
			test.meanwhile(b)
			last := b.start(path, nil)
			counts := last.Result.counts
			if last.State != runDone || counts[shelf.Sent] != test.tried ||
				counts[shelf.Gone] != test.gone {
				t.Errorf("the report is %+v", last)
			}
			b.wants(b.get(path, ritaToken), http.StatusOK, "tried now", "no longer waited")
			if diff := cmp.Diff(test.left, b.waits()); diff != "" {
				t.Errorf("still waiting (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoOperatorsRetryEachEventOnce(t *testing.T) {
	b := newBench(t)
	const events = 20
	for i := range events {
		b.letWait(fmt.Sprintf("e-%d", i), schema.ClassTransient, stateAt)
	}
	first := b.plan(retryPath, retryFast(""))
	second := b.plan(retryPath, retryFast(""))
	b.wants(b.post(first+"/start", annaToken, nil), http.StatusSeeOther)
	b.wants(b.post(second+"/start", annaToken, nil), http.StatusSeeOther)
	b.runs.wait()
	total := map[shelf.Result]int{}
	for _, path := range []string{first, second} {
		last := b.run(path).get(time.Now())
		if last.State != runDone || last.Done != events {
			t.Errorf("the report is %+v", last)
		}
		for result, count := range last.Result.counts {
			total[result] += count
		}
	}
	if total[shelf.Sent] != events || total[shelf.Gone] != events || len(b.waits()) > 0 {
		t.Errorf("of %d events they report %v; waiting: %q", events, total, b.waits())
	}
}

func TestARetryIsBounded(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"e-1", "e-2", "e-3"} {
		b.letWait(id, schema.ClassTransient, stateAt)
	}
	form := retryFast("transient")
	form.Set("most", "2")
	path := b.plan(retryPath, form)
	b.wants(b.get(path, annaToken), http.StatusOK, "This would retry 2 events",
		"1 event that the filter chooses stay",
		"wagewire retry pinwheel_income --class transient --rate 1000")
	b.start(path, nil)
	if diff := cmp.Diff([]string{"e-3"}, b.waits()); diff != "" {
		t.Errorf("still waiting (-want +got):\n%s", diff)
	}
	b.wants(b.get("/queues/pinwheel_income", ritaToken), http.StatusOK, "The newest runs", path)
	for _, line := range []string{
		`"action":"plan retry","person":"anna"`, `"action":"retry","person":"anna"`,
		`"action":"retry ended","person":"anna"`, `"messages":2,"sent":2`,
		`"chosen":["pinwheel_income","--class","transient"],"most":2,"rate":1000`,
	} {
		if logged := b.logged.String(); !strings.Contains(logged, line) {
			t.Errorf("the log lacks %s: %s", line, logged)
		}
	}
}

func TestAPlanSaysThatTheQueueRests(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	b.wants(b.post("/queues/pinwheel_income/pause", annaToken, nil), http.StatusSeeOther)
	b.wants(b.get(b.plan(retryPath, retryFast("")), annaToken), http.StatusOK,
		"the queue is paused until resumed", "are taken when the pause ends")
	nothing := b.plan("/queues/pinwheel_paystubs/retry", retryFast(""))
	b.wants(b.get(nothing, annaToken), http.StatusOK, "There is no such event")
}

func TestARetryThatIsRefused(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	for promise, form := range map[string]url.Values{
		"an unknown class": retryFast("other"), "without an action": {},
		"waiting events are not discarded": {"do": {"discard"}},
		"no rate of 0":                     {"do": {"retry"}, "rate": {"0"}},
	} {
		t.Run(promise, func(t *testing.T) {
			if got := b.post(retryPath, annaToken, form); got.status != http.StatusBadRequest {
				t.Errorf("status %d: %s", got.status, short(got.body))
			}
		})
	}
	if diff := cmp.Diff([]string{"e-1"}, b.waits()); diff != "" {
		t.Errorf("still waiting (-want +got):\n%s", diff)
	}
}

func TestARetryStopsWithTheRole(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	b.letWait("e-2", schema.ClassTransient, stateAt)
	path := b.plan(retryPath, retryFast(""))
	one := b.run(path)
	may := one.may
	one.may = func(ctx context.Context, p person) error {
		b.writeTokens(strings.ReplaceAll(persons, annaToken, "another-token-of-anna"))
		return may(ctx, p)
	}
	last := b.start(path, nil)
	if last.State != runStopped || !strings.Contains(last.Why, "anna may act no more") ||
		len(b.waits()) != 2 {
		t.Errorf("the report is %+v; waiting: %q", last, b.waits())
	}
}
