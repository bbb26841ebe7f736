package console

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// stateAt is when the states of these tests were read.
var stateAt = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// hostile is a text of an attacker: HTML, an escape of a terminal, and a mark that turns text
// around.
const hostile = "<script>alert(1)</script>\x1b[31m\u202e"

// wantsText fails the test if the hostile text is more than text on the page.
func (b *bench) wantsText(got answer) {
	b.Helper()
	for _, part := range []string{"<script>alert", "\x1b", "\u202e"} {
		if strings.Contains(got.body, part) {
			b.Errorf("%q is on the page: %s", part, short(got.body))
		}
	}
	if !strings.Contains(got.body, "&lt;script&gt;") {
		b.Errorf("the text is not shown: %s", short(got.body))
	}
}

// busyState has a queue of each kind of trouble.
func busyState() health.State {
	return health.State{
		At: stateAt,
		Queues: []stream.QueueStatus{
			{
				Name: "pinwheel_paystubs", Ready: 1_234_567, InHand: 8, Redelivered: 3, Replays: 44,
				Requests: 0, Oldest: stateAt.Add(-90 * time.Second), Waiting: 12_345,
				Closures: []schema.ClosureReason{schema.ClosureDown},
				WaitingByClass: []stream.WaitingCount{{
					Class: schema.ClassTransient, Count: 12_345,
					Oldest: stateAt.Add(-2 * time.Hour),
					Next:   stateAt.Add(90 * time.Second), Last: stateAt.Add(6 * time.Hour),
				}},
			},
			{
				Name: "pinwheel_income",
				Refusal: &schema.Pause{
					Paused: true, Since: stateAt.Add(-time.Hour), Class: schema.ClassUnauthorized,
					Status: 401, Endpoint: hostile, ProbeAt: stateAt.Add(time.Minute), Probes: 4,
				},
			},
			{Name: "truv_link", PausedUntil: stateAt.Add(100 * 365 * 24 * time.Hour)},
			{Name: "pinwheel_shifts", PausedUntil: stateAt.Add(2 * time.Hour)},
		},
		DeadLetters: []health.DeadCount{
			{
				Queue: "pinwheel_paystubs", Class: schema.ClassPermanent, Count: 1_001,
				Oldest: stateAt.Add(-time.Hour),
			},
			{Queue: "pinwheel_paystubs", Class: hostile, Count: 2},
		},
	}
}

func TestAQueuePageSaysWhatTheStateSays(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.watch.now = known{}
	state := busyState()
	b.watch.show(state)
	state.At = stateAt.Add(sampleEvery)
	b.watch.show(state)
	b.watch.show(health.Unknown(errors.New("no servers"))) // so nothing is asked of the broker
	for _, test := range []struct {
		promise string
		path    string
		texts   []string
	}{
		{"exact numbers of every queue", "/queues", []string{
			"1\u202f234\u202f567", "12\u202f345", "pinwheel_paystubs", "truv_link", "pinwheel_shifts",
		}},
		{"why queues take no events", "/queues", []string{
			"refused", "provider down", "until resumed", "ends in 1h59m",
		}},
		{"waiting events by class", "/queues", []string{"transient", "in 1m20s", "in 5h59m", "2h0m"}},
		{"a chart of each queue", "/queues", []string{
			`id="lag-pinwheel_paystubs"`, `id="lag-truv_link"`,
			"pinwheel_paystubs <strong>100 s</strong>", "up to 100, the last 10s",
		}},
		{"the facts of a queue", "/queues/pinwheel_paystubs", []string{
			"1\u202f234\u202f567", "12\u202f345", ">44<", ">3<", "provider down", "transient",
		}},
		{"its dead letters, with a link to the list", "/queues/pinwheel_paystubs", []string{
			`href="/dead?class=permanent&amp;queue=pinwheel_paystubs"`, "1\u202f001",
			`href="/dead?class=%3Cscript%3E`,
		}},
		{"why the provider refuses", "/queues/pinwheel_income", []string{
			"the provider refuses our credentials", "unauthorized, 401 from", "4 probes", "in 50s",
		}},
		{"until when it is paused", "/queues/truv_link", []string{"the queue is paused until resumed"}},
		{"the commands", "/queues/truv_link", []string{
			"wagewire pause truv_link", "wagewire resume truv_link", "wagewire retry truv_link",
		}},
		{"that the numbers are old", "/queues/truv_link", []string{"NATS has not answered since"}},
		{"that the broker lacks it", "/queues/truv_erasures", []string{"wagewire provision apply"}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			b := &bench{T: t, Console: b.Console, pages: b.pages}
			b.wants(b.get(test.path, ritaToken), http.StatusOK, test.texts...)
		})
	}
	for _, path := range []string{"/queues/pinwheel_paystubs", "/queues/pinwheel_income"} {
		b.wantsText(b.get(path, ritaToken))
	}
}

func TestAQueuePageLinksToFindingsAboutIt(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	state := busyState()
	b.watch.show(state)
	b.watch.now.AwaySince = stateAt
	b.wants(b.get("/queues/pinwheel_shifts", ritaToken), http.StatusOK,
		`href="/findings/queue-paused"`, `href="/findings/refused-credentials"`)
	got := b.get("/queues/truv_link", ritaToken)
	b.wants(got, http.StatusOK, `href="/findings/queue-paused"`)
	if strings.Contains(got.body, "refused-credentials") {
		t.Errorf("a finding about another provider: %s", short(got.body))
	}
}

func TestAnUnknownQueue(t *testing.T) {
	b := newBench(t)
	for _, ask := range []func() answer{
		func() answer { return b.get("/queues/nothing", annaToken) },
		func() answer { return b.post("/queues/nothing/pause", annaToken, nil) },
		func() answer { return b.post("/queues/nothing/resume", annaToken, nil) },
		func() answer { return b.post("/queues/nothing/retry", annaToken, nil) },
	} {
		b.wants(ask(), http.StatusNotFound, "There is no such queue", "pinwheel_income")
	}
}
