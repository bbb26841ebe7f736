package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/deploy/health"
)

func TestTheOverviewSaysWhatStatusSays(t *testing.T) {
	b := newBench(t)
	state, err := health.Read(b.Context(), b.op, noHealth)
	b.must(err)
	b.watch.show(state)
	verdict := state.Judge(state.Findings())
	b.wants(b.get("/", ritaToken), http.StatusOK, verdict.Text, "pinwheel_paystubs", "truv_link")
}

func TestWhatIsKnownWhileTheBrokerIsAway(t *testing.T) {
	b := newBench(t)
	b.wants(b.get("/", ritaToken), http.StatusOK, "pinwheel_paystubs")
	read, _ := b.watch.get()
	away := health.Unknown(errors.New("no \x1b[31m<b>answer</b>"))
	b.watch.show(away)
	again := health.Unknown(errors.New("still none"))
	again.At = away.At.Add(time.Minute)
	b.watch.show(again)
	got := b.get("/", ritaToken)
	b.wants(got, http.StatusOK, "NATS has not answered since", "still none", "The numbers below are",
		read.At.UTC().Format("15:04:05Z"), "pinwheel_paystubs", "BAD")
	if strings.Contains(got.body, "<b>answer") {
		t.Error("an error is HTML")
	}
	b.read()
	if got := b.get("/", ritaToken); strings.Contains(got.body, "has not answered") {
		t.Errorf("the broker is back: %s", short(got.body))
	}
}

func TestNothingIsKnownBeforeTheFirstReading(t *testing.T) {
	b := newBench(t)
	b.watch.now = known{}
	b.watch.show(health.Unknown(errors.New("no servers")))
	b.wants(b.get("/", ritaToken), http.StatusOK, "no servers", "nothing is known", "BAD")
}

func TestAFinding(t *testing.T) {
	b := newBench(t)
	b.wants(b.get("/findings/broker-away", ritaToken), http.StatusOK, "What it means",
		"There is none at the moment", "wagewire explain broker-away")
	b.wants(b.get("/findings/WagewireBrokerAway", ritaToken), http.StatusOK, "broker-away")
	b.watch.show(health.Unknown(errors.New("no servers")))
	b.wants(b.get("/findings/broker-away", ritaToken), http.StatusOK, "no servers")
	if got := b.get("/findings/stream-full", ritaToken); strings.Contains(got.body, "There is none") {
		t.Error("the page says that there is none, and nobody knows")
	}
	b.wants(b.get("/findings/<script>", ritaToken), http.StatusNotFound, "no finding")
}

func TestOpenPagesHearOfChanges(t *testing.T) {
	b := newBench(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.pages.URL+"/changes", nil)
	b.must(err)
	r.Header.Set("Authorization", "Bearer "+ritaToken)
	got, err := http.DefaultClient.Do(r)
	b.must(err)
	defer got.Body.Close()
	events := linesOf(got.Body)
	if line := <-events; line != ": open" {
		t.Errorf("it begins with %q", line)
	}
	hears := func(event string) {
		for line := range events {
			if line == "event: "+event {
				return
			}
		}
	}
	// A change before the page listens is not lost.
	hears("state")
	hears("completion")
	hears("run")
	b.read()
	hears("state")
	b.writeTokens(strings.ReplaceAll(persons, ritaToken, "another-token-of-rita"))
	b.read()
	for range events { // it ends, because rita may read no more
	}
}

func TestAPageSaysHowOldItIs(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.watch.show(health.State{At: stateAt})
	const paused = "?live=no"
	for _, path := range []string{"/", "/feed", "/queues", "/providers", "/teams", "/findings/broker-away"} {
		got := b.get(path, ritaToken)
		b.wants(got, http.StatusOK, "Read at ", "2024-05-06 07:08:09Z", `id="lost"`, "/static/live.js",
			`href="`+paused+`"`)
		got = b.get(path+paused, ritaToken)
		b.wants(got, http.StatusOK, "Read at ", "2024-05-06 07:08:09Z", `href="?"`)
		if strings.Contains(got.body, "hx-sse") || strings.Contains(got.body, "<script") {
			t.Errorf("%s%s follows the changes", path, paused)
		}
	}
	b.wants(b.get("/feed?outcome=failed&live=no", ritaToken), http.StatusOK,
		`href="?outcome=failed"`)
}

func TestTheBrokerIsAwaySinceTheLastGoodReading(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	const notice = "NATS has not answered since "
	away := health.Unknown(errors.New("no servers"))
	b.watch.show(health.State{At: stateAt})
	b.watch.begin()
	b.watch.show(away)
	b.wants(b.get("/", ritaToken), http.StatusOK, notice+`<time datetime="2024-05-06T07:08:09Z"`)

	b.watch = newWatch()
	b.watch.began = stateAt
	b.watch.show(away)
	b.watch.show(away)
	b.wants(b.get("/", ritaToken), http.StatusOK, notice+`<time datetime="2024-05-06T07:08:09Z"`)
}

func TestAPageSaysThatAReadingIsSlow(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	const slow = "NATS is slow: it is being read since "
	b.watch.begin()
	_, changed := b.watch.get()
	if got := b.get("/", ritaToken); strings.Contains(got.body, slow) {
		t.Error("a reading is slow from its beginning")
	}
	b.watch.tellSlow(b.watch.began)
	<-changed
	b.wants(b.get("/", ritaToken), http.StatusOK, slow)
	b.watch.show(health.State{At: stateAt})
	if got := b.get("/", ritaToken); strings.Contains(got.body, slow) {
		t.Error("it is slow after its end")
	}
	b.watch.tellSlow(b.watch.began) // the timer was late
	if got := b.get("/", ritaToken); strings.Contains(got.body, slow) {
		t.Error("a reading that has ended is slow")
	}
}

func TestStrangersDoNotLearnOfTheBroker(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.watch.show(health.Unknown(errors.New("no servers at 10.1.2.3")))
	for promise, got := range map[string]answer{
		"the login":        b.get("/login", ""),
		"a refused login":  b.post("/login", "", url.Values{"token": {"no"}}),
		"a refused action": b.post("/quarantine/plan", "", nil),
		"a form of another site": b.ask(http.MethodPost, "/logout", "", url.Values{}, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}),
	} {
		if strings.Contains(got.body, "10.1.2.3") || strings.Contains(got.body, "NATS") {
			t.Errorf("%s shows %s", promise, short(got.body))
		}
	}
}

// A page waits for the first reading. These have no number to show, so a test that takes as long as
// a page would fail.
func TestARefusalDoesNotWaitForTheBroker(t *testing.T) {
	b := newBenchOn(t, Config{TokensFile: "…"}, nil)
	began := time.Now()
	for range 20 {
		b.wants(b.get("/login", ""), http.StatusOK)
		b.wants(b.post("/quarantine/plan", "", nil), http.StatusUnauthorized)
		b.wants(b.get("/nowhere", ritaToken), http.StatusNotFound)
	}
	if took := time.Since(began); took > 10*firstFor {
		t.Errorf("they took %s", took)
	}
}

func TestTheConsoleIsReadyAlsoWithoutABroker(t *testing.T) {
	b := newBenchOn(t, Config{TokensFile: "…"}, nil)
	if err := b.Ready(t.Context()); err == nil {
		t.Error("it is ready before the first reading")
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(b.Metric())
	for promise, row := range map[string]struct {
		state health.State
		up    float64
	}{
		"the broker is away":  {health.Unknown(errors.New("no servers")), 0},
		"the broker is there": {health.State{At: stateAt}, 1},
		"it is away again":    {health.Unknown(errors.New("no servers")), 0},
	} {
		b.watch.show(row.state)
		if err := b.Ready(t.Context()); err != nil {
			t.Errorf("%s: %v", promise, err)
		}
		families, err := registry.Gather()
		b.must(err)
		if up := families[0].GetMetric()[0].GetGauge().GetValue(); up != row.up {
			t.Errorf("%s: the metric is %v", promise, up)
		}
	}
}
