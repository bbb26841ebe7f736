package simulation

import (
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

func TestWhatIsLeftOfAnErasedAccountIsFound(t *testing.T) {
	erased := []erasedText{{"link-1", "link-1"}}
	for _, test := range []struct {
		promise string
		message jetstream.RawStreamMsg
		want    string
	}{
		{
			"the tombstone may name the account",
			jetstream.RawStreamMsg{Subject: "wagewire.tombstones.truv.link-1"}, "",
		},
		{
			"the completion `deleted` may name the account",
			jetstream.RawStreamMsg{
				Subject: "wagewire.completions.truv.link.link-1.e-1",
				Header:  nats.Header{"Wagewire-Outcome": {"deleted"}},
			}, "",
		},
		{
			"a message of another account is right",
			jetstream.RawStreamMsg{Subject: "wagewire.waiting.truv_link.link-2.e-1"}, "",
		},
		{
			"a subject is found",
			jetstream.RawStreamMsg{Subject: "wagewire.waiting.truv_link.link-1.e-1"}, "erased",
		},
		{
			"a header is found",
			jetstream.RawStreamMsg{
				Subject: "wagewire.x", Header: nats.Header{"ce-subject": {"link-1"}},
			}, "erased",
		},
		{
			"a body is found",
			jetstream.RawStreamMsg{Subject: "wagewire.x", Data: []byte(`{"id":"link-1"}`)}, "erased",
		},
		{
			"an access token is found",
			jetstream.RawStreamMsg{
				Subject: "wagewire.x", Data: []byte(`{"token":"fake-access-token-7"}`),
			}, "secret",
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w := &world{}
			w.checkErased("STREAM", &test.message, erased)
			expect(t, w, only(test.want)...)
		})
	}
}

// counts are what the metrics of a process count. Its zero value counts one completed event of
// income, with one webhook and one call, which is right for the world of newCountedWorld.
type counts struct {
	// more is what some metrics count besides.
	completions, fenced, calls, letters, dropped, stored, again, duplicates int
}

func (more counts) registry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	counter := func(name string, n int, labels prometheus.Labels) {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, ConstLabels: labels})
		c.Add(float64(n))
		registry.MustRegister(c)
	}
	const queue = "pinwheel_income"
	income := prometheus.Labels{"queue": queue}
	counter("wagewire_worker_fenced_total", more.fenced, income)
	counter("wagewire_worker_dead_letters_total", 1+more.letters, income)
	counter("wagewire_worker_dropped_total", more.dropped, income)
	counter("wagewire_worker_jobs_total", 1+more.completions,
		prometheus.Labels{"queue": queue, "outcome": "failed"})
	for _, name := range []string{"wagewire_api_call_seconds", "wagewire_budget_turns_total"} {
		counter(name, 1+more.calls, prometheus.Labels{"provider": "pinwheel"})
	}
	const webhooks = "wagewire_ingress_webhooks_total"
	counter(webhooks, 1+more.stored, prometheus.Labels{"outcome": "stored", "provider": "pinwheel"})
	counter(webhooks, 1+more.again, prometheus.Labels{"outcome": "duplicate", "provider": "pinwheel"})
	counter("wagewire_ingress_duplicates_total", 1+more.duplicates, nil)
	return registry
}

// newCountedWorld is a world in which a webhook came twice, with one call, a dead letter and a
// completion.
func newCountedWorld(t *testing.T) *world {
	t.Helper()
	w := &world{schedule: Schedule{Calm: true}, ledger: ledger.New()}
	w.gate = newGate(w)
	w.watch = newWatch(w)
	w.gate.noteCall(callTo(schema.Pinwheel))
	webhook := ledger.Webhook{
		Kind: ledger.Genuine, Provider: schema.Pinwheel, ID: "e-1", Type: "income.added",
	}
	w.ledger.AddWebhook(webhook)
	for range 2 {
		w.sent.Add(1)
		w.ledger.AddAnswer(webhook, 200)
	}
	h := wait{class: "permanent"}.message().Header
	w.watch.hearDeadLetter(&nats.Msg{Header: h})
	return w
}

func TestAMetricThatCountsSomethingElseIsFound(t *testing.T) {
	for _, test := range []struct {
		promise string
		more    counts
		want    int
	}{
		{"equal counts are right", counts{}, 0},
		{"a completion that was not stored again does not count", counts{completions: 1, fenced: 1}, 0},
		{"a completion too many is found", counts{completions: 1}, 1},
		{"a completion that is not counted is found", counts{completions: -1}, 1},
		{"a call too many is found in both metrics of calls", counts{calls: 1}, 2},
		{"a dead letter too many is found", counts{letters: 1}, 1},
		{"a dead letter that is not counted is found", counts{letters: -1}, 1},
		{"a completion that no erasure refused is found", counts{dropped: 1}, 1},
		{"a duplicate that counts as stored is found", counts{stored: 1, again: -1, duplicates: -1}, 1},
		{"an answer that is not counted is found", counts{again: -1, duplicates: -1}, 1},
		{"a duplicate that is counted once is found", counts{duplicates: -1}, 1},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w := newCountedWorld(t)
			w.metrics.add(test.more.registry())
			w.checkMetrics([]string{"pinwheel:e-1:income"})
			expect(t, w, slices.Repeat([]string{"metric"}, test.want)...)
		})
	}
}

func TestCountsThatDiedWithAProcessProveNothing(t *testing.T) {
	w := newCountedWorld(t)
	w.schedule.Calm = false
	w.checkMetrics(nil)
	expect(t, w)
}
