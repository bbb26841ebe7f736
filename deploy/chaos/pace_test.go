package chaos

import (
	"testing"
	"testing/synctest"
	"time"

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
			"calls less than a second apart count together",
			[]time.Duration{0, 500 * ms, 999 * ms}, 3,
		},
		{"calls a second apart do not", []time.Duration{0, 1000 * ms, 2000 * ms}, 1},
		{
			"a second across two full seconds counts",
			[]time.Duration{100 * ms, 900 * ms, 950 * ms, 1050 * ms, 1850 * ms}, 4,
		},
		{"an early busy second is kept", []time.Duration{0, 1 * ms, 2 * ms, 5000 * ms}, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p pace
			for _, at := range row.calls {
				p.addCall(time.Unix(0, 0).Add(at), "income-1")
			}
			if p.most != row.most {
				t.Errorf("%d calls in the busiest second, want %d", p.most, row.most)
			}
		})
	}
}

func TestTheBurstIsHalfOfTheRate(t *testing.T) {
	for p, row := range providers {
		if got := 2 * callsMax(p); got != 3*row.ratePerS {
			t.Errorf("%s: %d calls in 2 s, want 3 times %d", p, got, row.ratePerS)
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
		{"until the very end of the hold", began(time.Hour), length - 1, 1},
		{"but not at the end", began(time.Hour), length, 0},
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
				time.Sleep(row.after)
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
