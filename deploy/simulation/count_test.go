package simulation

import (
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

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

// countedOnce is the metrics of a process that has completed one event of income, with one call.
func countedOnce(completions, fenced, calls int) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	counter := func(name string, labels prometheus.Labels, n int) {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, ConstLabels: labels})
		c.Add(float64(n))
		registry.MustRegister(c)
	}
	income := prometheus.Labels{"queue": "pinwheel_income"}
	counter("wagewire_worker_fenced_total", income, fenced)
	counter("wagewire_worker_jobs_total",
		prometheus.Labels{"queue": "pinwheel_income", "outcome": "succeeded"}, completions)
	for _, name := range []string{"wagewire_api_call_seconds", "wagewire_budget_turns_total"} {
		counter(name, prometheus.Labels{"provider": "pinwheel"}, calls)
	}
	counter("wagewire_ingress_webhooks_total", prometheus.Labels{"outcome": "stored"}, 1)
	return registry
}

func TestAMetricThatCountsSomethingElseIsFound(t *testing.T) {
	for _, test := range []struct {
		promise                    string
		completions, fenced, calls int
		calm                       bool
		want                       int
	}{
		{"equal counts are right", 1, 0, 1, true, 0},
		{"a completion that was not stored again does not count", 2, 1, 1, true, 0},
		{"a completion too many is found", 2, 0, 1, true, 1},
		{"a completion that is not counted is found", 0, 0, 1, true, 1},
		{"a call too many is found in both metrics of calls", 1, 0, 2, true, 2},
		{"counts that died with a process prove nothing", 0, 0, 0, false, 0},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w := &world{schedule: Schedule{Calm: test.calm}}
			w.gate = newGate(w)
			w.gate.noteCall(callTo(schema.Pinwheel))
			w.sent.Add(1)
			w.metrics.add(countedOnce(test.completions, test.fenced, test.calls))
			w.checkMetrics([]string{"pinwheel:e-1:income"})
			expect(t, w, slices.Repeat([]string{"metric"}, test.want)...)
		})
	}
}
