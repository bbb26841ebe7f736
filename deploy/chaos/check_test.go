package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/flood"
	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// scene is what the checks of this harness look at, besides the streams. A row of the table changes
// the scene to break a promise.
type scene struct {
	gate    *gate
	calm    calm
	flooded flood.Tally
}

// call lets a provider get n calls in a moment.
func (s *scene) call(provider string, n int) {
	for range n {
		s.gate.paces[schema.Provider(provider)].addCall(time.Unix(1, 0), "income-1")
	}
}

// violations checks the scene and returns the violations.
func (s *scene) violations() []ledger.Violation {
	c := ledger.NewCheck(ledger.New(), s.gate.served, ledger.Steps{}, nil)
	c.Finish()
	checkCalm(c, &s.calm)
	checkFloods(c, s.flooded)
	checkPaces(c, s.gate.copyPaces())
	return c.Violations()
}

func TestCheckFinds(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(s *scene)
		want []string
	}{
		{"nothing when every promise was kept", func(*scene) {}, nil},
		{"nothing when two of few attempts in calm failed", func(s *scene) {
			for _, status := range []int{200, 503, 0} {
				s.calm.addAttempt(status)
			}
		}, nil},
		{"signed webhooks that a flood crowds out", func(s *scene) {
			for range 96 {
				s.calm.addAttempt(200)
			}
			for _, status := range []int{503, 503, 0, 0} {
				s.calm.addAttempt(status)
			}
		}, []string{crowded}},
		{"nothing when a flood is refused", func(s *scene) {
			s.flooded.Add(flood.Tally{Answers: map[int]int{401: 7, 429: 8, 405: 1}})
		}, nil},
		{"an unsigned request that is answered 503", func(s *scene) {
			s.flooded.Add(flood.Tally{Answers: map[int]int{401: 7, 503: 1}})
		}, []string{ledger.Custody}},
		{"nothing when a second had all calls of rate and burst", func(s *scene) {
			s.call(fake.Truv, callsMax(schema.Truv))
		}, nil},
		{"a second with a call more than rate and burst", func(s *scene) {
			s.call(fake.Truv, callsMax(schema.Truv)+1)
		}, []string{fast}},
		{"a call in a hold", func(s *scene) {
			p := s.gate.paces[schema.Pinwheel]
			p.judge(p.addHold(time.Unix(0, 0), time.Minute))
			s.call(fake.Pinwheel, 1)
		}, []string{fast}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &scene{gate: newGate(nil, neverSteady)}
			row.do(s)
			var got []string
			for _, v := range s.violations() {
				got = append(got, v.What)
				t.Logf("%s %s: %s", v.What, v.ID, v.Why)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("violations: %v, want %v", got, row.want)
			}
		})
	}
}
