package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/arrival"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

var budgetFor = flag.Duration("budget", 20*time.Second,
	"how long a row of the budget's test counts calls")

const (
	// shareMin is the least part of the rate that is used while there is work.
	shareMin = 0.95
	// roundTripsMax is how many requests to the broker a call may take.
	roundTripsMax = 1
	// minuteOfWork is how long the row with all processes counts calls, or longer.
	minuteOfWork = time.Minute
)

// PINWHEEL_RATE_PER_S is the rate of an installation, whatever its processes do and whatever
// happens to them. Each row has worker processes and an API of its own, and most rows a broker of
// their own. In no row may more than the rate and its burst arrive in a second.
func TestOneBudgetForAllProcesses(t *testing.T) {
	t.Parallel()
	binaries := buildWorkers(t, "")
	rows := []struct {
		promise string
		show    func(t *testing.T, binaries string)
	}{
		{"nine processes of three resources share the rate", showNineProcesses},
		{"one busy process has all of the rate while others are idle", showOneBusyProcess},
		{"clocks of processes count for nothing", showWrongClocks},
		{"the others have the rate of a killed process", showAKilledProcess},
		{"two installations at one broker have a rate each", showTwoInstallations},
		{"all processes hold after a 429", showAHold},
		{"fresh events come before replays", showFreshBeforeReplays},
		{"no broker, no call", showNoBroker},
		{"a deleted bucket is missed, and made again", showADeletedBucket},
		{"an unreadable budget is replaced", showAnUnreadableBudget},
		{"a budget of a later version is left alone", showALaterBudget},
	}
	for _, row := range rows {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			row.show(t, binaries)
		})
	}
}

// callsIn returns how many calls the rate allows in a time.
func callsIn(d time.Duration) int { return int(ratePerS * d.Seconds()) }

// Every process of three resources has work all the time.
func showNineProcesses(t *testing.T, binaries string) {
	in, _ := newInstallation(t, binaries)
	n := callsIn(max(*budgetFor, minuteOfWork))
	in.publish("event", n, budgetResources()...)
	in.startEach(3, budgetResources()...)
	share := in.share(0, n)
	for _, r := range budgetResources() {
		if share.resources[r] == 0 {
			t.Errorf("no call for %s among %d", r, n)
		}
	}
	in.finish(share)
}

// One process has work. Two others are ready, and have none.
func showOneBusyProcess(t *testing.T, binaries string) {
	in, _ := newInstallation(t, binaries)
	n := callsIn(*budgetFor)
	in.startEach(1, budgetResources()...)
	in.awaitReadiness(http.StatusOK, "")
	in.publish("event", n+1, schema.Employment)
	in.finish(in.share(0, n))
}

// A process is killed while all have work. It takes turns of under half a second with it.
func showAKilledProcess(t *testing.T, binaries string) {
	in, _ := newInstallation(t, binaries)
	n := callsIn(*budgetFor)
	before := callsIn(5 * time.Second)
	in.publish("event", n+before+ratePerS, budgetResources()...)
	in.startEach(1, budgetResources()...)
	in.awaitReadiness(http.StatusOK, "")
	in.api.await(t, before)
	in.workers[0].kill()
	in.finish(in.share(in.api.count()-1, n))
}

// share is how much of the rate some calls used.
type share struct {
	calls int
	took  time.Duration
	// away is for how long of the time the broker did not answer.
	away      time.Duration
	resources map[schema.Resource]int
}

// share waits until n more calls than first have arrived, and returns the share of these calls.
func (in *installation) share(first, n int) share {
	in.Helper()
	calls := in.api.await(in.T, first+n+1)[first : first+n+1]
	from := calls[0].at
	to := calls[n].at
	s := share{
		calls: n, took: to.Sub(from), away: in.control.away(from, to),
		resources: map[schema.Resource]int{},
	}
	for _, c := range calls[1:] {
		s.resources[schema.Resource(c.resource)]++
	}
	return s
}

// part is the part of the rate that was used while the broker answered.
func (s share) part() float64 {
	return float64(s.calls) / (ratePerS * (s.took - s.away).Seconds())
}

func (s share) String() string {
	text := fmt.Sprintf("%d calls in %.2f s, %.2f s of them without the broker, are %.3f of the rate",
		s.calls, s.took.Seconds(), s.away.Seconds(), s.part())
	for _, r := range budgetResources() {
		text += fmt.Sprintf(", %s %d", r, s.resources[r])
	}
	return text
}

// finish fails the row if too little of the rate was used, or at the price of too many requests to
// the broker. It checks what every row promises, too.
func (in *installation) finish(s share) {
	in.Helper()
	if s.part() < shareMin {
		in.Errorf("%v, want %v at least", s, shareMin)
	}
	if trips := in.roundTrips(); trips > roundTripsMax {
		in.Errorf("%.2f round trips to the broker for a call, want %d at most", trips, roundTripsMax)
	}
	in.check(s.String())
}

// check fails the row if too many calls arrived in a second, or an event failed. It logs the
// figures of the row.
func (in *installation) check(figures string) {
	in.Helper()
	calls := in.api.all()
	busiest, judged := arrival.Busiest(arrivals(calls), time.Second, in.control.wasLate)
	row := strings.ReplaceAll(path.Base(in.Name()), "_", " ")
	in.Logf("%s: %s; of %d calls, %d of them not late on their way, at most %d in a second, "+
		"%.2f round trips to the broker a call, %.0f turns lapsed", row, figures, len(calls), judged,
		busiest, in.roundTrips(), in.sum("wagewire_budget_lapsed_total"))
	if busiest > ratePerS+burst {
		in.Errorf("%d calls in a second, want %d at most", busiest, ratePerS+burst)
	}
	in.checkCompletions()
}

// roundTrips returns how many requests to the broker a call took.
func (in *installation) roundTrips() float64 {
	return in.sum("wagewire_budget_round_trips_total") /
		max(1, in.sum("wagewire_budget_turns_total"))
}

// checkCompletions fails the row if an event failed, also if only its first attempt did. It returns
// the number of completions.
func (in *installation) checkCompletions() (count int) {
	in.Helper()
	err := stream.NewOperator(in.conn).Scan(in.Context(), schema.CompletionsStream,
		stream.Selection{}, func(m stream.Stored) error {
			count++
			var c schema.Completion
			if err := json.Unmarshal(m.Body, &c); err != nil {
				return err
			}
			if c.Data.Outcome != schema.Succeeded || c.Data.Attempts != 1 {
				in.Errorf("%s ended %s at attempt %d", c.ID, c.Data.Outcome, c.Data.Attempts)
			}
			return nil
		})
	if err != nil {
		in.Error(err)
	}
	return count
}
