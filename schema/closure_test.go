package schema_test

import (
	"slices"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

func TestAClosureIsSeenByTheQueuesOfItsScopeAndNoOther(t *testing.T) {
	for _, q := range schema.Queues() {
		for _, r := range schema.ClosureReasons() {
			var want, got []string
			for _, other := range schema.Queues() {
				isOfScope := other.Name == q.Name
				if r == schema.ClosureHeld {
					isOfScope = other.Provider == q.Provider && other.CallsProvider()
				}
				if isOfScope {
					want = append(want, other.Name)
				}
				seen := func(filter string) bool { return matches(filter, q.ClosureSubject(r)) }
				if slices.ContainsFunc(other.ClosuresLane().Subjects, seen) {
					got = append(got, other.Name)
				}
			}
			compare(t, "queues that see "+q.ClosureSubject(r), want, got)
		}
	}
}

func TestTheClosuresOfAQueueAreNoneOfItsEvents(t *testing.T) {
	for _, q := range schema.Queues() {
		closures := q.ClosuresLane()
		if closures.Stream != schema.ClosuresStream || closures.Consumer != q.Name {
			t.Errorf("the closures of %s are %+v", q.Name, closures)
		}
		for _, lane := range q.Lanes() {
			if lane.Name == closures.Name || lane.Stream == closures.Stream {
				t.Errorf("%s has the lane %s among those of its events", q.Name, lane.Name)
			}
		}
	}
}
