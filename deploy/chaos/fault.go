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

// The streams of random numbers of a seed. Every schedule has a stream of its own, so a change of
// one schedule does not change the others.
const (
	streamKills = iota + 1
	streamFaults
	streamSieges
	streamWaves
	streamPeople
)

func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// between returns a random duration from a to b.
func between(r *rand.Rand, a, b time.Duration) time.Duration {
	return a + time.Duration(r.Int64N(int64(b-a)))
}

// kill is the kill or the pause of a process.
type kill struct {
	at     time.Duration
	victim string
	// pause stops the process for a while in place of a kill. A pause over the lease sends the
	// process's events to other workers.
	pause time.Duration
	// down is how long a killed process stays away. Mostly it is 0.
	down time.Duration
}

func (k kill) String() string {
	at := k.at.Round(time.Millisecond)
	if k.pause > 0 {
		return fmt.Sprintf("%v pause %s for %v", at, k.victim, k.pause.Round(time.Millisecond))
	}
	return fmt.Sprintf("%v kill %s, back after %v", at, k.victim, k.down.Round(time.Millisecond))
}

// kills makes the schedule of kills of a run.
func kills(seed uint64, length time.Duration, brokers, doors, workers []string) []kill {
	const (
		pauseMin = 500 * time.Millisecond
		pauseMax = 1500 * time.Millisecond
	)
	r := random(seed, streamKills)
	var list []kill
	at := between(r, time.Second, 2*time.Second)
	for at < length {
		list = append(list, randomKill(r, at, brokers, doors, workers))
		at += between(r, pauseMin, pauseMax)
	}
	// Every seed has a broker that stays away longer than ingress tries to publish. The promises
	// are hardest to keep in such a time.
	list = append(list, kill{at: length / 3, victim: brokers[0], down: 5 * time.Second})
	slices.SortStableFunc(list, func(a, b kill) int { return cmp.Compare(a.at, b.at) })
	return list
}

func randomKill(r *rand.Rand, at time.Duration, brokers, doors, workers []string) kill {
	k := kill{at: at}
	victims := workers
	n := r.IntN(100)
	switch {
	case n < 15:
		victims = brokers
	case n < 30:
		victims = doors
	}
	k.victim = victims[r.IntN(len(victims))]
	n = r.IntN(100)
	switch {
	case n < 20:
		k.pause = between(r, time.Second, 6*time.Second)
	case n < 40:
		k.down = between(r, 200*time.Millisecond, 1500*time.Millisecond)
	case n < 50: // longer than ingress tries to publish
		k.down = between(r, 4500*time.Millisecond, 6*time.Second)
	}
	return k
}

// misbehaviour is a fault or an outage of the providers.
type misbehaviour struct {
	at    time.Duration
	name  string
	fault fake.Fault
	// aimed is true if the fault is about one person. whom chooses the person among the people of
	// that moment, in thousandths.
	aimed bool
	whom  int
	// atTruv is true if the fault is about the person's link at Truv, and not about the account at
	// Pinwheel.
	atTruv bool
	// outage is the resource of an outage, "" for a fault.
	outage string
	lasts  time.Duration
	cut    bool
}

var (
	// endpoints are the names of endpoints in faults.
	endpoints = []string{
		"employment", "identity", "income", "paystubs", "paystub", "shifts", "end_user_accounts",
		"voe", "voie", "link", "direct_deposit_allocations", "tax_forms", "employments", "profile",
		"statements", "truv_shifts", "bank_accounts", "income_report",
	}
	// resources are the names of resources in paths, for outages.
	resources = []string{
		"employment", "identity", "income", "paystubs", "shifts", "verification_reports", "link",
		"bank_accounts", "tax_forms",
	}
)

const (
	// outageForMax is longer than the calls of one attempt, so that events climb the ladder.
	outageForMin = 6 * time.Second
	outageForMax = 24 * time.Second
	outageEvery  = 25 * time.Second
)

// misbehaviours makes the schedule of faults and outages of a run.
func misbehaviours(seed uint64, length time.Duration) []misbehaviour {
	r := random(seed, streamFaults)
	var list []misbehaviour
	nextOutage := between(r, 2*time.Second, 8*time.Second)
	for at := time.Second; at < length; at += between(r, 200*time.Millisecond,
		1200*time.Millisecond) {
		if at >= nextOutage {
			nextOutage += outageEvery
			list = append(list, misbehaviour{
				at: at, name: "outage", outage: resources[r.IntN(len(resources))],
				lasts: between(r, outageForMin, outageForMax), cut: r.IntN(2) == 0,
			})
		}
		list = append(list, randomFault(r, at))
	}
	return list
}

// randomFault chooses one of the faults below, with the frequency of its row in percent.
func randomFault(r *rand.Rand, at time.Duration) misbehaviour {
	m := misbehaviour{at: at}
	m.fault.Path = endpoints[r.IntN(len(endpoints))]
	m.fault.Times = 1 + r.IntN(4)
	n := r.IntN(100)
	for _, row := range faults {
		if n < row.percent {
			m.name = row.name
			row.set(r, &m)
			break
		}
		n -= row.percent
	}
	return m
}

// faults are the faults of the providers. The percentages add up to 100.
var faults = []struct {
	name    string
	percent int
	set     func(r *rand.Rand, m *misbehaviour)
}{
	{"5xx", 25, func(r *rand.Rand, m *misbehaviour) {
		m.fault.Status = []int{500, 502, 503, 504}[r.IntN(4)]
		m.fault.Times = 1 + r.IntN(12)
	}},
	{"429", 10, func(r *rand.Rand, m *misbehaviour) {
		m.fault.Status = 429
		m.fault.RetryAfter = fmt.Sprint(2 + r.IntN(2)) // longer than heldAfter
	}},
	{"time-out", 3, func(_ *rand.Rand, m *misbehaviour) {
		m.fault.Delay = fake.Duration(api.TryFor + time.Second)
		m.fault.Times = 1
	}},
	{"delay", 7, func(r *rand.Rand, m *misbehaviour) {
		m.fault.Delay = fake.Duration(between(r, 300*time.Millisecond, 4*time.Second))
	}},
	{"cut", 15, func(r *rand.Rand, m *misbehaviour) { m.fault.Cut = 1 + r.IntN(300) }},
	{"not json", 8, func(r *rand.Rand, m *misbehaviour) {
		m.fault.Body = []string{`{"data": 1`, "<h1>Welcome</h1>"}[r.IntN(2)]
	}},
	{"stale", 10, func(r *rand.Rand, m *misbehaviour) {
		m.fault.Stale = true
		m.fault.Times = 1 + r.IntN(60) // the ladder may end before the fault
	}},
	{"missing", 8, func(r *rand.Rand, m *misbehaviour) {
		m.aimed = true
		m.whom = r.IntN(1000)
		m.atTruv = r.IntN(2) == 0
		m.fault.Missing.Announced = true
		m.fault.Times = 1 + r.IntN(60)
	}},
	{"repeated cursor", 4, func(r *rand.Rand, m *misbehaviour) {
		m.aimed = true
		m.whom = r.IntN(1000)
		m.fault.RepeatCursor = true
	}},
	{"404", 5, func(_ *rand.Rand, m *misbehaviour) { m.fault.Status = 404 }},
	{"410", 2, func(_ *rand.Rand, m *misbehaviour) {
		m.fault.Status = 410
		m.fault.Times = 1
	}},
	{"422", 2, func(_ *rand.Rand, m *misbehaviour) {
		m.fault.Status = 422
		m.fault.Times = 1
	}},
	{"redirect", 1, func(_ *rand.Rand, m *misbehaviour) {
		m.fault.Redirect = "http://elsewhere.invalid/"
		m.fault.Times = 1
	}},
}

// follow does every item of a schedule at its time.
func follow[T any](
	ctx context.Context, began time.Time, list []T, at func(T) time.Duration, do func(T),
) {
	for _, item := range list {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(began.Add(at(item)))):
			do(item)
		}
	}
}
