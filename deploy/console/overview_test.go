package console

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

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
	away := health.Unknown(errors.New("no \x1b[31m<b>answer</b>"))
	b.watch.show(away)
	again := health.Unknown(errors.New("still none"))
	again.At = away.At.Add(time.Minute)
	b.watch.show(again)
	got := b.get("/", ritaToken)
	b.wants(got, http.StatusOK, "NATS has not answered since", "still none", "The numbers below are",
		away.At.UTC().Format("15:04:05Z"), "pinwheel_paystubs", "BAD")
	if strings.Contains(got.body, "<b>answer") {
		t.Error("an error is HTML")
	}
	if err := b.Ready(t.Context()); err == nil {
		t.Error("the console is ready without a broker")
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
