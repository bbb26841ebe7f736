package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/glossary"
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
		{"what the classes stand for", "/queues", []string{
			"Class: the kind of failure.", "transient: the provider failed, or did not answer.",
		}},
		{"and those of dead letters", "/queues/pinwheel_paystubs", []string{
			"permanent: the provider rejects the request, and would again.",
		}},
		{"what the numbers count", "/queues", []string{"Ready: events to take now.", "Copies behind:"}},
		{"a chart of each queue with unfinished events", "/queues", []string{
			`id="lag-pinwheel_paystubs"`,
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
	state.Providers = []health.ProviderState{{
		Provider: schema.Pinwheel,
		ProviderReport: schema.ProviderReport{
			Calls: schema.Recent{InARow: 9, Failed: 9, LastFailed: stateAt},
		},
	}}
	state.Unread = []health.UnreadCount{{Provider: schema.Pinwheel, Reason: "skew", Count: 3}}
	b.watch.show(state)
	b.watch.now.AwaySince = stateAt
	all := []health.Name{
		health.QueuePaused, health.RefusedCredentials, health.ProviderFailing, health.DeadLetters,
		health.Quarantined,
	}
	for queue, about := range map[string][]health.Name{
		"pinwheel_shifts":   {health.QueuePaused},
		"truv_link":         {health.QueuePaused},
		"pinwheel_income":   {health.RefusedCredentials},
		"pinwheel_paystubs": {health.ProviderFailing, health.DeadLetters},
	} {
		got := b.get("/queues/"+queue, ritaToken)
		for _, name := range all {
			isThere := strings.Contains(got.body, `href="/findings/`+string(name)+`"`)
			if isThere != slices.Contains(about, name) {
				t.Errorf("%s: the finding %s is there: %t", queue, name, isThere)
			}
		}
	}
}

func TestThePageOfQueuesDrawsWhatWasUnfinished(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.watch.now = known{}
	state := busyState()
	b.watch.show(state)
	got := b.get("/queues", ritaToken)
	if n := strings.Count(got.body, `id="lag-`); n != 1 {
		t.Errorf("one queue has unfinished events, and there are %d charts", n)
	}
	if n := strings.Count(got.body, `href="/queues/truv_link"`); n != 1 {
		t.Errorf("a queue without waiting events is there %d times", n)
	}
	b.watch.now = known{}
	b.watch.show(health.State{At: stateAt})
	b.watch.show(health.State{At: stateAt.Add(sampleEvery)})
	b.wants(b.get("/queues", ritaToken), http.StatusOK,
		"No event was ready or in hand at the readings of the last 10s.")
}

func TestThePageOfQueuesHasTheStreams(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	waiting := func(name string) string { return schema.Queue{Name: name}.WaitingStream() }
	state := busyState()
	state.Streams = []stream.Level{
		{
			Name: schema.EventsStream, Messages: 1_234_567, Bytes: 3 << 20, BytesMax: 4 << 20,
			MessagesMax: -1, Oldest: stateAt.Add(-time.Hour), Behind: []string{"nats-2", hostile},
		},
		{Name: waiting("pinwheel_income"), Messages: 11},
		{Name: waiting("pinwheel_shifts"), Messages: 31},
	}
	b.watch.now = known{}
	b.watch.show(state)
	got := b.get("/queues", ritaToken)
	b.wants(got, http.StatusOK, schema.EventsStream, "1\u202f234\u202f567", "3MiB", "4MiB", "75%",
		"1h0m", "nats-2, ", schema.EveryWaitingStream, ">42<")
	b.wantsText(got)
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

func TestEveryClassHasAMeaning(t *testing.T) {
	for _, c := range schema.Classes() {
		if glossary.OfFailure(c) == "" {
			t.Errorf("%s has none", c)
		}
	}
}
