package chaos

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/workers/api"
)

// Streams of random numbers that one seed gives: a change of one schedule does not move another.
const (
	streamKills = iota + 1
	streamFaults
	streamPeople
)

func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// between is a duration from a to b.
func between(r *rand.Rand, a, b time.Duration) time.Duration {
	return a + time.Duration(r.Int64N(int64(b-a)))
}

// kill is one act against a process.
type kill struct {
	at     time.Duration
	victim string
	// pause stops the process for a while in place of ending it: longer than the lease, so that its events go elsewhere.
	pause time.Duration
	// down is how long a killed process stays away; mostly it is started again at once.
	down time.Duration
}

func (k kill) String() string {
	if k.pause > 0 {
		return fmt.Sprintf("%v pause %s for %v", k.at.Round(time.Millisecond), k.victim, k.pause.Round(time.Millisecond))
	}
	return fmt.Sprintf("%v kill %s, back after %v", k.at.Round(time.Millisecond), k.victim, k.down.Round(time.Millisecond))
}

// kills makes the schedule of a run.
func kills(seed uint64, length time.Duration, brokers, doors, workers []string) []kill {
	r := random(seed, streamKills)
	var list []kill
	for at := between(r, time.Second, 2*time.Second); at < length; at += between(r, 500*time.Millisecond, 1500*time.Millisecond) {
		k := kill{at: at}
		from := workers
		switch n := r.IntN(100); {
		case n < 15:
			from = brokers
		case n < 30:
			from = doors
		}
		k.victim = from[r.IntN(len(from))]
		switch n := r.IntN(100); {
		case n < 20:
			k.pause = between(r, time.Second, 6*time.Second)
		case n < 40:
			k.down = between(r, 200*time.Millisecond, 1500*time.Millisecond)
		case n < 50: // longer than ingress tries to publish
			k.down = between(r, 4500*time.Millisecond, 6*time.Second)
		}
		list = append(list, k)
	}
	// One broker is away for longer than ingress tries, whatever the seed: what is answered meanwhile is the hardest promise.
	list = append(list, kill{at: length / 3, victim: brokers[0], down: 5 * time.Second})
	slices.SortStableFunc(list, func(a, b kill) int { return cmp.Compare(a.at, b.at) })
	return list
}

// misbehaviour is one act of the providers.
type misbehaviour struct {
	at    time.Duration
	name  string
	fault fake.Fault
	// aimed is set where the fault is about one person: whom, of those there are by then, in thousandths.
	aimed bool
	whom  int
	// outage of a resource, for so long.
	outage string
	lasts  time.Duration
	cut    bool
}

// endpoints are the names that faults go by; outages have those of the paths.
var (
	endpoints = []string{"employment", "identity", "income", "paystubs", "paystub", "shifts", "voe", "voie", "link"}
	resources = []string{"employment", "identity", "income", "paystubs", "shifts", "verification_reports", "link"}
)

// Outages may last longer than a worker tries inside one attempt, so that the ladder is climbed.
const (
	outageEvery                = 25 * time.Second
	outageForMin, outageForMax = 6 * time.Second, 24 * time.Second
	refusedOnceAt              = 40 * time.Second
)

// misbehaviours makes the schedule of a run.
func misbehaviours(seed uint64, length time.Duration) []misbehaviour {
	r := random(seed, streamFaults)
	var list []misbehaviour
	nextOutage := between(r, 2*time.Second, 8*time.Second)
	for at := time.Second; at < length; at += between(r, 200*time.Millisecond, 1200*time.Millisecond) {
		if at >= nextOutage {
			nextOutage += outageEvery
			list = append(list, misbehaviour{
				at: at, name: "outage", outage: resources[r.IntN(len(resources))],
				lasts: between(r, outageForMin, outageForMax), cut: r.IntN(2) == 0,
			})
		}
		list = append(list, oneFault(r, at))
	}
	if length > 2*refusedOnceAt { // the queue rests for half a minute: once a run is enough
		list = append(list, misbehaviour{
			at: refusedOnceAt, name: "401", fault: fake.Fault{Path: endpoints[r.IntN(len(endpoints))], Status: 401, Times: 1},
		})
	}
	slices.SortStableFunc(list, func(a, b misbehaviour) int { return cmp.Compare(a.at, b.at) })
	return list
}

func oneFault(r *rand.Rand, at time.Duration) misbehaviour {
	m := misbehaviour{at: at, fault: fake.Fault{Path: endpoints[r.IntN(len(endpoints))], Times: 1 + r.IntN(4)}}
	f := &m.fault
	switch n := r.IntN(100); {
	case n < 25:
		m.name, f.Status, f.Times = "5xx", 500+[]int{0, 2, 3, 4}[r.IntN(4)], 1+r.IntN(12)
	case n < 35:
		m.name, f.Status, f.RetryAfter = "429", 429, fmt.Sprint(1+r.IntN(2))
	case n < 38: // longer than a worker waits for one answer
		m.name, f.Delay, f.Times = "time-out", fake.Duration(api.TryFor+time.Second), 1
	case n < 45:
		m.name, f.Delay = "delay", fake.Duration(between(r, 300*time.Millisecond, 4*time.Second))
	case n < 60:
		m.name, f.Cut = "cut", 1+r.IntN(300)
	case n < 68:
		m.name, f.Body = "not json", []string{`{"data": 1`, "<h1>Welcome</h1>"}[r.IntN(2)]
	case n < 78: // so often that the short ladder may end
		m.name, f.Stale, f.Times = "stale", true, 1+r.IntN(30)
	case n < 86:
		m.name, m.aimed, m.whom, f.Missing.Announced = "missing", true, r.IntN(1000), true
		f.Times = 1 + r.IntN(60)
	case n < 90:
		m.name, m.aimed, m.whom, f.RepeatCursor = "repeated cursor", true, r.IntN(1000), true
	case n < 95:
		m.name, f.Status = "404", 404
	case n < 97:
		m.name, f.Status, f.Times = "410", 410, 1
	case n < 99:
		m.name, f.Status, f.Times = "422", 422, 1
	default:
		m.name, f.Redirect, f.Times = "redirect", "http://elsewhere.invalid/", 1
	}
	return m
}

// follow does what a schedule says, at its times.
func follow[T any](ctx context.Context, began time.Time, list []T, at func(T) time.Duration, do func(T)) {
	for _, item := range list {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(began.Add(at(item)))):
			do(item)
		}
	}
}
