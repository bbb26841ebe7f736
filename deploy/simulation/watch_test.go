package simulation

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// newWatchedWorld is a world without parts, that hears of one event.
func newWatchedWorld() (*world, schema.Event) {
	w := &world{began: time.Now().Add(-30 * time.Hour)}
	w.gate = newGate(w)
	w.watch = newWatch(w)
	e := schema.Event{
		Provider: schema.Pinwheel, ID: "e-1", Type: "income.added",
		Resource: schema.Income, AccountID: "a-1",
	}
	w.watch.begin(e, queueOf("pinwheel_income"))
	return w, e
}

// wait is the message of a waiting event. Its fields are those that a worker writes.
type wait struct {
	class, step, failures string
	since                 time.Time
	length                time.Duration
}

func (m wait) message() *nats.Msg {
	h := nats.Header{}
	h.Set("ce-id", "e-1")
	h.Set("ce-source", "urn:wagewire:provider:pinwheel")
	h.Set(headerQueue, "pinwheel_income")
	h.Set(headerClass, m.class)
	h.Set(headerStep, m.step)
	h.Set(headerFailures, m.failures)
	h.Set(headerSince, m.since.Format(time.RFC3339Nano))
	h.Set(headerUntil, m.since.Add(m.length).Format(time.RFC3339Nano))
	return &nats.Msg{Header: h}
}

// expect checks the names of a world's violations.
func expect(t *testing.T, w *world, want ...string) {
	t.Helper()
	var got []string
	for _, v := range w.violations {
		got = append(got, v.What)
	}
	if !slices.Equal(got, want) {
		t.Errorf("violations %v, want %q", w.violations, want)
	}
}

// only returns a list of the name, and no list for "".
func only(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

func TestTheWatchFindsAWrongWait(t *testing.T) {
	now := time.Now()
	failed := now.Add(-time.Second)
	for _, test := range []struct {
		promise string
		wait    wait
		answer  schema.Class
		want    string
	}{
		{
			"a step after a failure of its class is right",
			wait{"transient", "1/12", "transient=1", now, 31 * time.Second}, "transient", "",
		},
		{
			"a step without any failure is found",
			wait{"transient", "1/12", "transient=1", now, 31 * time.Second}, "", "ladder",
		},
		{
			"a step after a failure of another class is found",
			wait{"transient", "1/12", "transient=1", now, 31 * time.Second}, "not_ready", "ladder",
		},
		{
			"two steps for a failure are found",
			wait{"transient", "2/12", "transient=2", now, 2 * time.Minute}, "transient", "ladder",
		},
		{
			"a failure counted for an answer 429 is found",
			wait{"throttled", "0/0", "throttled=1", now, time.Minute}, "", "ladder",
		},
		{
			"a wait for credentials that the provider did not refuse is found",
			wait{"unauthorized", "0/0", "", now, 31 * time.Second}, "forbidden", "ladder",
		},
		{
			"a hold without a failure is right",
			wait{"throttled", "0/0", "", now, time.Minute}, "", "",
		},
		{
			"a wait that is too long is found",
			wait{"transient", "1/12", "transient=1", now, 40 * time.Second}, "transient", "wait",
		},
		{
			"a wait that is too short is found",
			wait{"transient", "1/12", "transient=1", now, 20 * time.Second}, "transient", "wait",
		},
		{
			"a step after the end of the ladder is found",
			wait{"not_ready", "5/4", "not_ready=1", now, 10 * time.Minute}, "not_ready", "wait",
		},
		{
			"a schedule without failures that can be read is found",
			wait{"transient", "1/12", "many", now, 31 * time.Second}, "transient", "wait",
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w, e := newWatchedWorld()
			target := ledger.Target{Account: e.AccountID, Resource: "income"}
			w.gate.bad[target] = []badAnswer{{failed, test.answer}}
			w.watch.hearWait(test.wait.message())
			expect(t, w, only(test.want)...)
		})
	}
}

func TestOneOfSeveralRecordsThatIsGoneExplainsAWait(t *testing.T) {
	w, e := newWatchedWorld()
	w.gate.noteClass(ledger.Call{
		Target: ledger.Target{Account: e.AccountID, Resource: "income"}, Provider: e.Provider,
	}, http.StatusGone, nil)
	w.watch.hearWait(wait{
		"not_ready", "1/4", "not_ready=1", time.Now(), 5 * time.Second,
	}.message())
	expect(t, w)
}

func TestTheWatchAllowsAnEarlierAttemptOnlyAfterAnEnd(t *testing.T) {
	began := time.Now().Add(-time.Hour)
	for _, test := range []struct {
		promise string
		// ended is when a process ended, after the first attempt.
		ended time.Duration
		class schema.Class
		again string
		want  string
	}{
		{"the next step is right", 0, "transient", "transient=3", ""},
		{"a step for a failure of another class is right", 0, "not_ready",
			"not_ready=1 transient=2", ""},
		{"a ladder from its beginning is found", 0, "transient", "transient=1", "ladder"},
		{"a repeated step is found", 0, "transient", "transient=2", "ladder"},
		{"a delivery that came again may repeat the first step", time.Minute, "transient",
			"transient=1", ""},
		{"a delivery that came again may repeat a later step", 10 * time.Minute, "transient",
			"transient=2", ""},
		{"an end before an attempt does not explain that it is repeated", time.Minute, "transient",
			"transient=2", "ladder"},
		{"no end explains two steps", 20 * time.Minute, "transient", "transient=4", "ladder"},
		{"no end explains a step without a count", 20 * time.Minute, "transient", "", "ladder"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w, e := newWatchedWorld()
			l := w.watch.lives[lifeKey(e.Key(), "pinwheel_income")]
			l.attempts = []attempt{
				{schema.Failures{}, began},
				{schema.Failures{"transient": 1}, began.Add(5 * time.Minute)},
				{schema.Failures{"transient": 2}, began.Add(15 * time.Minute)},
			}
			w.lastEnd = began.Add(test.ended - time.Second)
			failures, err := schema.ParseFailures(test.again)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := w.watch.follows(l, test.class, failures); ok != (test.want == "") {
				t.Errorf("follows is %v", ok)
			}
		})
	}
}

func TestTheAnswerToARepeatedAttemptMayBeOlderThanTheLastWait(t *testing.T) {
	began := time.Now().Add(-time.Hour)
	for promise, want := range map[string]string{
		"no process has ended": "ladder",
		"a process has ended":  "",
	} {
		t.Run(promise, func(t *testing.T) {
			w, e := newWatchedWorld()
			l := w.watch.lives[lifeKey(e.Key(), "pinwheel_income")]
			l.attempts = []attempt{
				{schema.Failures{}, began},
				{schema.Failures{"transient": 1}, began.Add(time.Minute)},
				{schema.Failures{"transient": 1}, began.Add(10 * time.Minute)}, // came again
			}
			l.ready = time.Now()
			if want == "" {
				w.lastEnd = began.Add(2 * time.Minute)
			}
			target := ledger.Target{Account: e.AccountID, Resource: "income"}
			w.gate.bad[target] = []badAnswer{{began.Add(9 * time.Minute), "transient"}}
			w.watch.hearWait(wait{
				"transient", "2/12", "transient=2", began.Add(10*time.Minute + 3*time.Second),
				2 * time.Minute,
			}.message())
			expect(t, w, only(want)...)
		})
	}
}

func TestTheWatchFindsAnEventThatStaysWithoutAWord(t *testing.T) {
	for _, test := range []struct {
		promise string
		late    time.Duration
		faults  []Fault
		want    string
	}{
		{"a word in time is right", promptFor - time.Minute, nil, ""},
		{"a late word is found", promptFor + time.Minute, nil, "late"},
		{
			"a pause of the queue explains a late word", 2 * time.Hour,
			[]Fault{{Kind: Pause, Queue: "pinwheel_income", At: 28 * time.Hour, For: 2 * time.Hour}}, "",
		},
		{
			"a pause of another queue explains nothing", 2 * time.Hour,
			[]Fault{{Kind: Pause, Queue: "truv_link", At: 28 * time.Hour, For: 2 * time.Hour}}, "late",
		},
		{
			"two faults at the same time explain the time once", 3 * time.Hour,
			[]Fault{
				{Kind: Broker, At: 27 * time.Hour, For: time.Hour},
				{Kind: Pause, Queue: "pinwheel_income", At: 27 * time.Hour, For: time.Hour},
			}, "late",
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w, e := newWatchedWorld()
			w.schedule.Faults = test.faults
			w.watch.lives[lifeKey(e.Key(), "pinwheel_income")].ready = time.Now().Add(-test.late)
			h := nats.Header{}
			h.Set(nats.MsgIdHdr, e.CompletionKey(schema.Income))
			w.watch.hearCompletion(&nats.Msg{Header: h})
			expect(t, w, only(test.want)...)
			if left := w.watch.unended(); len(left) > 0 {
				t.Errorf("%v has a last word", left)
			}
		})
	}
}

func TestAnEventWithoutALastWordIsFound(t *testing.T) {
	w, e := newWatchedWorld()
	if left := w.watch.unended(); len(left) != 1 {
		t.Errorf("%v, want the event %s", left, e.Key())
	}
}

func TestCallsOverTheRateAreFound(t *testing.T) {
	began := time.Now()
	for _, test := range []struct {
		promise string
		calls   []time.Duration
		want    string
	}{
		{"calls at the rate are right", []time.Duration{0, time.Second, 2 * time.Second}, ""},
		{"a burst is right", []time.Duration{0, 0, 0}, ""},
		{"a call over the burst is found", []time.Duration{0, 0, 0, time.Second / 2}, "fast"},
		{
			"a call that leaves the second is right",
			[]time.Duration{0, 0, 0, time.Second}, "",
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w := &world{schedule: Schedule{Rates: map[schema.Provider]float64{schema.Pinwheel: 2}}}
			w.gate = newGate(w)
			for _, at := range test.calls {
				w.gate.calls[schema.Pinwheel] = append(w.gate.calls[schema.Pinwheel], began.Add(at))
			}
			w.gate.checkRates()
			expect(t, w, only(test.want)...)
		})
	}
}

func callTo(p schema.Provider) ledger.Call { return ledger.Call{Provider: p} }

func TestACallInAHoldIsFound(t *testing.T) {
	w := &world{}
	w.gate = newGate(w)
	now := time.Now()
	w.gate.holds[schema.Pinwheel] = []holding{{now.Add(-time.Minute), now.Add(time.Minute)}}
	w.gate.noteCall(callTo(schema.Truv)) // another provider
	expect(t, w)
	w.gate.noteCall(callTo(schema.Pinwheel))
	expect(t, w, "fast")
}

func TestATeamThatMissesACompletionIsFound(t *testing.T) {
	w := &world{}
	w.team = &team{world: w, seen: map[string]int{"once": 1, "twice": 2}}
	w.team.check([]string{"once", "twice", "never"})
	expect(t, w, "twice", "lost")
}
