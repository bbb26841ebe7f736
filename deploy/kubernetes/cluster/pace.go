package cluster

import (
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
)

// lateMax is how long a call may be on its way from the turn of its worker to the fakes.
const lateMax = 100 * time.Millisecond

// busiest returns the largest number of calls within a time, wherever the time begins: the first
// call may arrive lateMax after its turn, and the last one at once. It leaves out the times in
// which calls may have been later, and returns how many calls were the last of a time that counts.
func busiest(
	calls []fake.Arrival, within time.Duration, wasLate func(from, to time.Time) bool,
) (most, judged int) {
	window := within - lateMax
	first := 0
	for i, c := range calls {
		for c.At.Sub(calls[first].At) >= window {
			first++
		}
		if !wasLate(c.At.Add(-window), c.At) {
			most = max(most, i-first+1)
			judged++
		}
	}
	return most, judged
}

// callsBetween counts the calls that arrived at from or later, and before to.
func callsBetween(calls []fake.Arrival, from, to time.Time) (n int) {
	for _, c := range calls {
		if !c.At.Before(from) && c.At.Before(to) {
			n++
		}
	}
	return n
}
