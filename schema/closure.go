package schema

// ClosureReason is why a queue needs no more workers at the moment, however many events are ready.
type ClosureReason string

// The reasons.
const (
	// ClosurePaused: an operator has paused the queue.
	ClosurePaused ClosureReason = "paused"
	// ClosureRefused: the provider refuses our credentials, and the queue takes no events.
	ClosureRefused ClosureReason = "refused"
	// ClosureHeld: the provider has answered 429, and gets no calls for a while.
	ClosureHeld ClosureReason = "held"
	// ClosureDown: the provider is down. Workers go on trying.
	ClosureDown ClosureReason = "down"
)

// ClosureReasons returns all reasons.
func ClosureReasons() []ClosureReason {
	return []ClosureReason{ClosurePaused, ClosureRefused, ClosureHeld, ClosureDown}
}

// ClosuresStream has the closures: a message without a body on each ClosureSubject, as long as the
// reason lasts.
const ClosuresStream = "WAGEWIRE_CLOSURES"

// LaneClosures has the closures of a queue. It is not among the Lanes of a queue: it has no events,
// and nobody takes its messages. An autoscaler reads how many messages are pending for its
// consumer, as it does for the other lanes. More than 0 means: add no worker for this queue.
const LaneClosures LaneName = "closures"

// ClosuresLane is the lane of the queue's closures. A queue of erasures has none: nothing that
// other events wait for may delay an erasure. A queue without calls of the provider has none of the
// provider's closures.
func (q Queue) ClosuresLane() Lane {
	subjects := []string{ClosureSubject(q.Name, "*")}
	if q.CallsProvider() {
		subjects = append(subjects, ClosureSubject(string(q.Provider), "*"))
	}
	return Lane{LaneClosures, ClosuresStream, q.Name, subjects}
}

// ClosureSubject is the subject of the queue's closure for the reason. A hold is about the
// provider, and therefore closes every queue that calls the provider.
func (q Queue) ClosureSubject(r ClosureReason) string {
	if r == ClosureHeld {
		return ClosureSubject(string(q.Provider), r)
	}
	return ClosureSubject(q.Name, r)
}
