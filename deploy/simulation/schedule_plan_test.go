package simulation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/simulation"
	"github.com/wagewire/wagewire/schema"
)

func TestTheSameSeedMakesTheSameSchedule(t *testing.T) {
	for seed := range uint64(20) {
		if diff := cmp.Diff(simulation.Plan(seed), simulation.Plan(seed)); diff != "" {
			t.Errorf("seed %d:\n%s", seed, diff)
		}
	}
}

func TestSchedulesCoverWhatTheyPromise(t *testing.T) {
	const seeds = 300
	kinds := map[simulation.Kind]int{}
	visits := map[simulation.VisitKind]int{}
	var long, calm int
	for seed := range uint64(seeds) {
		s := simulation.Plan(seed)
		if s.For < 72*time.Hour {
			t.Errorf("seed %d lasts %v", seed, s.For)
		}
		if s.For >= 14*24*time.Hour {
			long++
		}
		if s.Calm {
			calm++
		}
		if len(s.Faults) == 0 {
			t.Errorf("seed %d has no fault", seed)
		}
		for _, f := range s.Faults {
			kinds[f.Kind]++
			if f.At < 0 || f.At+f.For > s.For {
				t.Errorf("seed %d: not within %v: %s", seed, s.For, f)
			}
		}
		for _, v := range s.Visits {
			visits[v.Kind]++
		}
	}
	if long != seeds/10 || calm != seeds/5 {
		t.Errorf("%d of %d schedules last a fortnight, %d are calm", long, seeds, calm)
	}
	for _, kind := range simulation.Kinds() {
		if kinds[kind] == 0 {
			t.Errorf("no schedule has a fault of kind %s", kind)
		}
	}
	for _, kind := range []simulation.VisitKind{
		simulation.Genuine, simulation.Undecodable, simulation.Unreadable, simulation.Forged,
	} {
		if visits[kind] == 0 {
			t.Errorf("no schedule has a webhook of kind %s", kind)
		}
	}
}

func TestARejectionMeetsAWebhookOfItsPerson(t *testing.T) {
	for seed := range uint64(100) {
		s := simulation.Plan(seed)
		for _, f := range s.Faults {
			if f.Kind != simulation.Reject || f.Provider != schema.Pinwheel {
				continue
			}
			isMet := func(v simulation.Visit) bool {
				t := schema.Lookup(f.Provider, v.Type)
				isAbout := f.Resource == "" || slices.Contains(t.Workers, f.Resource)
				return v.Person == f.Person-1 && v.At >= f.At && v.At <= f.At+f.For && isAbout
			}
			if !slices.ContainsFunc(s.Visits, isMet) {
				t.Errorf("seed %d: nothing meets %s", seed, f)
			}
		}
	}
}

func TestALinkIsDeletedWhileAnAnswerIsLate(t *testing.T) {
	met := 0
	for seed := range uint64(100) {
		s := simulation.Plan(seed)
		for _, f := range s.Faults {
			isMet := func(v simulation.Visit) bool {
				return v.Type == "link-deleted" && v.At >= f.At && v.At < f.At+f.For
			}
			if f.Kind == simulation.Lag && slices.ContainsFunc(s.Visits, isMet) {
				met++
			}
		}
	}
	if met < 50 {
		t.Errorf("in 100 schedules it happens %d times", met)
	}
}

func TestACalmScheduleEndsNothing(t *testing.T) {
	ends := []simulation.Kind{
		simulation.Stop, simulation.Kill, simulation.KillBetween, simulation.Idle,
		simulation.Broker, simulation.Upgrade,
	}
	for seed := uint64(0); seed < 300; seed += 5 {
		for _, f := range simulation.Plan(seed).Faults {
			for _, kind := range ends {
				if f.Kind == kind {
					t.Errorf("seed %d has %s", seed, f)
				}
			}
		}
	}
}

func TestAFaultLeftOutChangesNothingElse(t *testing.T) {
	s := simulation.Plan(1)
	less := s.Without(0, 2)
	if len(less.Faults) != len(s.Faults)-2 {
		t.Fatalf("%d of %d faults are left", len(less.Faults), len(s.Faults))
	}
	if diff := cmp.Diff(s.Faults[1], less.Faults[0]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s.Visits, less.Visits); diff != "" {
		t.Error(diff)
	}
}

// Each of these seeds has found a fault in the line.
func TestASeedThatFoundAFaultFindsNoneAnyMore(t *testing.T) {
	for _, test := range []struct {
		promise string
		seed    uint64
	}{
		{"probes of refused credentials use up no deliveries of other events", 5},
	} {
		t.Run(test.promise, func(t *testing.T) {
			r := run(t, simulation.Plan(test.seed), simulation.Config{})
			for _, v := range r.Violations {
				t.Errorf("%s: %s: %s", v.What, v.ID, v.Why)
			}
			if r.Fired == 0 || r.Waits == 0 {
				t.Errorf("%d faults took effect, %d waits: the run proves nothing", r.Fired, r.Waits)
			}
		})
	}
}
