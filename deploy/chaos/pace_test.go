package chaos

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/deploy/arrival"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

func TestTheBusiestSecondMayBeginAtAnyCall(t *testing.T) {
	const ms = time.Millisecond
	for _, row := range []struct {
		name  string
		calls []time.Duration
		most  int
	}{
		{
			"calls that were sent within a second count together",
			[]time.Duration{0, 500 * ms, judgedFor - 1}, 3,
		},
		{
			"calls that may be a second apart do not",
			[]time.Duration{0, judgedFor, 2 * judgedFor}, 1,
		},
		{
			"a second across two full seconds counts",
			[]time.Duration{100 * ms, 900 * ms, 950 * ms, 1050 * ms, 1790 * ms}, 4,
		},
		{"an early busy second is kept", []time.Duration{0, 1 * ms, 2 * ms, 5000 * ms}, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p pace
			for _, at := range row.calls {
				p.addCall(time.Unix(0, 0).Add(at), "income-1")
			}
			if len(p.busiest) != row.most {
				t.Errorf("%d calls in the busiest second, want %d", len(p.busiest), row.most)
			}
		})
	}
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // moves the fake clock
}

func TestTheBurstIsHalfOfTheRate(t *testing.T) {
	for p, rate := range ratesPerS {
		if got := 2 * callsMax(p); got != 3*rate {
			t.Errorf("%s: %d calls in 2 s, want 3 times %d", p, got, rate)
		}
	}
}

func TestACallInAHoldIsAViolation(t *testing.T) {
	const length = 7 * time.Second
	began := func(ago time.Duration) func(string) (time.Time, bool) {
		return func(string) (time.Time, bool) { return time.Now().Add(-ago), true }
	}
	for _, row := range []struct {
		name   string
		steady func(string) (time.Time, bool)
		after  time.Duration // from the answer to the call
		inside int
	}{
		{"when every process must know of the hold", began(time.Hour), 2 * time.Second, 1},
		{"until just before the end of the hold", began(time.Hour), length - lateMax - 1, 1},
		{"but not at the end", began(time.Hour), length - lateMax, 0},
		{"but not when the hold may be unknown yet", began(time.Hour), heldAfter - 1, 0},
		{"but not when the caller was restarted", began(heldAfter / 2), 2 * time.Second, 0},
		{"but not when the caller is gone", neverSteady, 2 * time.Second, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fakes := fake.New(fake.Config{})
				p := fakes.Person(fake.PersonOptions{})
				g := newGate(fakes, row.steady)
				path := "/pinwheel/v1/accounts/" + p.AccountID
				g.shut("income", outage{
					until: time.Now().Add(time.Hour), refusal: 429, retryAfter: "7",
				})
				ask(t, g, path+"/income")
				pass(row.after)
				synctest.Wait()
				ask(t, g, path+"/identity")
				got := g.copyPaces()[schema.Pinwheel]
				if got.asked != 1 || got.inside != row.inside {
					t.Errorf("%d holds and %d calls inside, want 1 and %d: %s",
						got.asked, got.inside, row.inside, got.firstInside)
				}
			})
		})
	}
}

func TestAfterAStallOfTheMachineCallsAreNotJudged(t *testing.T) {
	for _, row := range []struct {
		name  string
		stall time.Duration
		after time.Duration // from the stall to the calls
		want  int
	}{
		{"in the second after", lateMax + 1, arrival.RecoverFor - 1, 0},
		{"but later", lateMax + 1, arrival.RecoverFor, 3},
		{"and a short stall does not matter", lateMax, 0, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(fake.New(fake.Config{}), neverSteady)
				g.pulse.Beat(time.Now())
				pass(row.stall)
				g.pulse.Beat(time.Now())
				for until := time.Now().Add(row.after); time.Now().Before(until); {
					pass(min(lateMax, time.Until(until)))
					g.pulse.Beat(time.Now())
				}
				for range 3 {
					ask(t, g, "/truv/v1/links/x/")
				}
				if got := g.copyPaces()[schema.Truv].busiest; len(got) != row.want {
					t.Errorf("%d calls counted, want %d", len(got), row.want)
				}
			})
		})
	}
}

func TestAHoldOfAFakeCountsLikeOneOfTheGate(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault fake.Fault
		asked int
	}{
		{"with a length", fake.Fault{Status: 429, RetryAfter: "2"}, 1},
		{"but not without a length", fake.Fault{Status: 429}, 0},
		{"but not in an answer that was cut", fake.Fault{Status: 429, RetryAfter: "2", Cut: 1}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			fakes := fake.New(fake.Config{})
			p := fakes.Person(fake.PersonOptions{})
			if _, err := fakes.AddFault(row.fault); err != nil {
				t.Fatal(err)
			}
			g := newGate(fakes, neverSteady)
			ask(t, g, "/truv/v1/links/"+p.LinkID+"/")
			if got := g.copyPaces()[schema.Truv].asked; got != row.asked {
				t.Errorf("%d holds, want %d", got, row.asked)
			}
		})
	}
}

func TestAnAnswerToAKilledProcessBeginsNoHold(t *testing.T) {
	p := newProcess(t.TempDir(), "identity-2", "/bin/sh", inherit, "-c", "echo up; exec sleep 100000")
	r := &run{processes: []*process{p}}
	go p.run(t.Context())
	awaitStart(t, p, 1)
	if _, steady := r.steadySince(callerName("identity-2", 1)); !steady {
		t.Error("the running process is not steady")
	}
	p.kill(0)
	awaitStart(t, p, 2)
	if _, steady := r.steadySince(callerName("identity-2", 1)); steady {
		t.Error("the killed process is steady: its holds would count")
	}
	if _, steady := r.steadySince(callerName("identity-2", 2)); !steady {
		t.Error("the second start is not steady")
	}
	p.kill(time.Hour)
}

func TestTheBusiestSecondSaysWhoseItsCallsWere(t *testing.T) {
	var p pace
	for i, caller := range []string{"link-1.4", "income-2.1", "link-1.4"} {
		p.addCall(time.Unix(0, 0).Add(time.Duration(i)*100*time.Millisecond), caller)
	}
	const want = "income-2.1 1 from 100ms to 100ms, link-1.4 2 from 0s to 200ms"
	if got := p.describeBusiest(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
