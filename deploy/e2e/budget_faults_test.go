package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// onTheWay is how long a call may be on the way: from the last look at the budget, before the
	// call is sent, to the API.
	onTheWay = 500 * time.Millisecond
	// takenMax is how many calls three processes may still make: each in the turns of half a
	// second, and one that is on its way. takenFor is how long these turns may be used, with the
	// delay of each.
	takenMax = 18
	takenFor = 2500 * time.Millisecond
	// quietFor is how long no call may come. A process waits 5 s for an answer of the broker.
	quietFor = 8 * time.Second
	// aheadMax is how many replays may be called between a fresh event and its call: the turns of
	// 0.4 s. A busy machine may hand a fresh event out late, with aheadEverMax replays before it.
	aheadMax     = 4
	aheadEverMax = 2 * ratePerS
	// warmUp is how many calls come before a fault.
	warmUp = 3 * ratePerS
)

// storedBudget is Pinwheel's budget as the bucket holds it.
type storedBudget struct {
	schema.Budget
	value []byte
	at    time.Time // the broker's time of the last change
}

func (in *installation) budget() storedBudget {
	in.Helper()
	s, err := in.js.Stream(in.Context(), schema.BudgetsStream)
	if err != nil {
		in.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(in.Context(), schema.BudgetSubject(schema.Pinwheel))
	if err != nil {
		in.Fatal(err)
	}
	b, err := schema.ParseBudget(m.Data)
	if err != nil {
		in.Fatalf("the budget %s: %v", m.Data, err)
	}
	return storedBudget{b, m.Data, m.Time}
}

// replaceBudget stores another value in the place of the budget.
func (in *installation) replaceBudget(value []byte) {
	in.Helper()
	subject := schema.BudgetSubject(schema.Pinwheel)
	if _, err := in.js.Publish(in.Context(), subject, value); err != nil {
		in.Fatal(err)
	}
}

// standStill waits for some seconds. It fails the row if three processes make more calls meanwhile
// than they had turns at the beginning.
func (in *installation) standStill(from time.Time) {
	in.Helper()
	quiet := from.Add(takenFor)
	to := quiet.Add(quietFor)
	streamtest.Eventually(in, "some seconds have passed", func() bool { return time.Now().After(to) })
	if n := len(between(in.api.all(), from, to)); n > takenMax {
		in.Errorf("%d more calls, want %d at most", n, takenMax)
	}
	in.noCall(quiet, to)
}

// noCall fails the row if a call arrived between two times.
func (in *installation) noCall(from, to time.Time) {
	in.Helper()
	if calls := between(in.api.all(), from, to); len(calls) > 0 {
		in.Errorf("%d calls between %v and %v, the first at %v, want none", len(calls),
			from, to, calls[0].at)
	}
}

// allCompleted waits until each event has a completion.
func (in *installation) allCompleted() {
	in.Helper()
	s, err := in.js.Stream(in.Context(), schema.CompletionsStream)
	if err != nil {
		in.Fatal(err)
	}
	streamtest.Eventually(in, "each event has a completion", func() bool {
		info, err := s.Info(in.Context())
		return err == nil && info.State.Msgs >= uint64(len(in.ids))
	})
	if n := in.checkCompletions(); n != len(in.ids) {
		in.Errorf("%d completions of %d events", n, len(in.ids))
	}
}

// The API answers one call 429 and asks for half a minute.
func showAHold(t *testing.T, binaries string) {
	const asked = 30 * time.Second
	in, _ := newInstallation(t, binaries)
	in.publish("event", 2*warmUp, budgetResources()...)
	in.startEach(2, budgetResources()...)
	in.api.await(t, warmUp)
	refused := make(chan time.Time, 1)
	in.api.answerNext(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", fmt.Sprintf("%.0f", asked.Seconds()))
		w.WriteHeader(http.StatusTooManyRequests)
		refused <- time.Now()
	})
	at := <-refused
	var held storedBudget
	streamtest.Eventually(t, "the budget has a hold", func() bool {
		held = in.budget()
		return !held.Hold.Until.IsZero()
	})
	in.allCompleted()
	until := held.Hold.Until
	if length := until.Sub(at); length < asked-onTheWay {
		t.Errorf("the hold ends %v after the answer, want %v", length, asked)
	}
	// If the machine stops, a call that was on the way is noted late.
	in.noCall(held.at.Add(onTheWay+in.control.away(held.at, until)), until)
	calls := in.api.all()
	in.check(fmt.Sprintf("the hold was stored %v after the answer, %d calls were on the way, and "+
		"the first call came %v after the end of the hold", held.at.Sub(at),
		len(between(calls, held.at, until)), between(calls, until, time.Now())[0].at.Sub(until)))
}

// Replays keep all processes busy, and fresh events come in. A fresh event lets those replays pass
// that have a turn already.
func showFreshBeforeReplays(t *testing.T, binaries string) {
	in, _ := newInstallation(t, binaries)
	operator := stream.NewOperator(in.conn)
	in.publishEach(callsIn(*budgetFor), "replay", budgetResources(),
		func(ctx context.Context, e schema.Event) error {
			_, err := operator.Redrive(ctx, e, "", 1)
			return err
		})
	in.startEach(1, budgetResources()...)
	in.api.await(t, warmUp)
	var ahead []int
	for i := range callsIn(*budgetFor) / 2 {
		resource := budgetResources()[i%len(budgetResources())]
		in.publish(fmt.Sprintf("fresh-%d", i), 1, resource)
		before := in.api.count()
		ahead = append(ahead, in.callOf(in.ids[len(in.ids)-1])-before)
	}
	slices.Sort(ahead)
	nine := ahead[len(ahead)*9/10]
	most := ahead[len(ahead)-1]
	if nine > aheadMax || most > aheadEverMax {
		t.Errorf("%d calls came before 9 in 10 fresh events, want %d at most, and %d before one, "+
			"want %d at most", nine, aheadMax, most, aheadEverMax)
	}
	in.check(fmt.Sprintf("%d calls at most came before 9 in 10 of %d fresh events, and %d before one",
		nine, len(ahead), most))
}

// callOf waits for the call about an account, and returns its number among all calls.
func (in *installation) callOf(account string) (number int) {
	in.Helper()
	streamtest.Eventually(in, "the call for "+account, func() bool {
		number = slices.IndexFunc(in.api.all(), func(c call) bool { return c.account == account })
		return number >= 0
	})
	return number
}

// Two accounts of a broker have an installation each. All of both have work.
func showTwoInstallations(t *testing.T, binaries string) {
	accounts := filepath.Join(t.TempDir(), "accounts.conf")
	err := os.WriteFile(accounts, []byte(`accounts {
  one { jetstream: enabled, users: [ { user: one, password: one } ] }
  two { jetstream: enabled, users: [ { user: two, password: two } ] }
}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	server := streamtest.Run(t, streamtest.Config{AccountsFile: accounts})
	n := callsIn(*budgetFor)
	var both []*installation
	for _, user := range []string{"one", "two"} {
		url := strings.Replace(server.URL(), "//", fmt.Sprintf("//%s:%s@", user, user), 1)
		in := newInstallationAt(t, binaries, url)
		in.publish("event", n+1, budgetResources()...)
		in.startEach(1, schema.Employment, schema.Identity)
		both = append(both, in)
	}
	for _, in := range both {
		in.finish(in.share(0, n))
	}
}

// The broker stops while a call is on the way, and starts again.
func showNoBroker(t *testing.T, binaries string) {
	in, server := newInstallation(t, binaries)
	in.publish("event", 2*warmUp, budgetResources()...)
	in.startEach(1, budgetResources()...)
	in.awaitReadiness(http.StatusOK, "")
	in.api.await(t, warmUp)
	arrived := make(chan struct{})
	stopped := make(chan struct{})
	in.api.answerNext(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-stopped
		writeRecord(w, r)
	})
	<-arrived
	server.Stop()
	close(stopped)
	in.standStill(time.Now())
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	in.allCompleted()
	in.check("all events completed")
}

// Somebody deletes the bucket while there is work.
func showADeletedBucket(t *testing.T, binaries string) {
	in := newBusyInstallation(t, binaries)
	if err := in.js.DeleteStream(t.Context(), schema.BudgetsStream); err != nil {
		t.Fatal(err)
	}
	in.standStill(time.Now())
	in.awaitReadiness(http.StatusServiceUnavailable, "wagewire provision apply")
	streamtest.Provision(t, in.conn, streamtest.Topology())
	in.awaitReadiness(http.StatusOK, "")
	in.allCompleted()
	in.check("all events completed")
}

// Somebody stores bytes without a meaning as the budget.
func showAnUnreadableBudget(t *testing.T, binaries string) {
	in := newBusyInstallation(t, binaries)
	in.replaceBudget([]byte("\x00\xff no budget"))
	streamtest.Eventually(t, "a process logs the fault", func() bool {
		return slices.ContainsFunc(in.workers, func(w *worker) bool {
			return strings.Contains(string(w.log.text()), schema.ErrBudgetUnreadable.Error())
		})
	})
	in.allCompleted()
	in.awaitReadiness(http.StatusOK, "")
	in.budget() // fails the row if the budget cannot be read
	in.check("all events completed")
}

// A later version of the workers has stored the budget.
func showALaterBudget(t *testing.T, binaries string) {
	in := newBusyInstallation(t, binaries)
	before := in.budget()
	in.replaceBudget([]byte(`{"version":2}`))
	in.standStill(time.Now())
	in.awaitReadiness(http.StatusServiceUnavailable, "run that release here too")
	in.replaceBudget(before.value)
	in.awaitReadiness(http.StatusOK, "")
	in.allCompleted()
	in.check("all events completed")
}

// newBusyInstallation returns an installation in which three processes are at work, and as many
// events wait again.
func newBusyInstallation(t *testing.T, binaries string) *installation {
	t.Helper()
	in, _ := newInstallation(t, binaries)
	in.publish("event", 2*warmUp, budgetResources()...)
	in.startEach(1, budgetResources()...)
	in.api.await(t, warmUp)
	return in
}
