package simulation

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// ladderFor is the time of the shortest schedule: the whole long ladder and four hours.
	ladderFor = 72 * time.Hour
	// Every longEvery-th seed makes a schedule of longFor.
	longEvery = 10
	longFor   = 14 * 24 * time.Hour
	// Every calmEvery-th seed makes a schedule in which no process and no broker ends. The counts
	// of metrics are then exact.
	calmEvery = 5

	linkDeleted = "link-deleted"
	taskUpdated = "task-status-updated"
)

// Schedule is everything that happens to the line in a run. The same seed makes the same schedule.
// The order of goroutines is not in it.
type Schedule struct {
	Seed uint64
	// For is the virtual time after which every fault has ended.
	For time.Duration
	// Rates are the calls a second that each provider allows.
	Rates map[schema.Provider]float64
	// Calm is true if no process and no broker ends.
	Calm   bool
	People []Person
	Visits []Visit
	Faults []Fault
}

// Person is somebody who links accounts.
type Person struct {
	// Seed makes the person of package fake.
	Seed             uint64
	Paystubs, Shifts int
	// Earlier is the number of pay statements of an earlier employment, -1 without one.
	Earlier int
}

// Visit is a webhook that a provider begins to send.
type Visit struct {
	At     time.Duration
	Person int
	Kind   VisitKind
	Type   string
	ID     string
	// Outcome is the provider's word about its own job, "" for success.
	Outcome string
	// Employment is the number of the employment at Truv that the webhook is about: 0 or 1.
	Employment int
	// Copies is how often the provider sends the webhook, although the first is answered with 200.
	Copies int
	Again  time.Duration
}

// VisitKind is the purpose of a webhook.
type VisitKind string

// The kinds of visits.
const (
	Genuine     VisitKind = "genuine"
	Undecodable VisitKind = "undecodable"
	Unreadable  VisitKind = "unreadable"
	Forged      VisitKind = "forged"
)

// Plan makes the schedule of a seed.
func Plan(seed uint64) Schedule {
	r := rand.New(rand.NewPCG(seed, seed))
	s := Schedule{
		Seed: seed,
		For:  ladderFor + time.Duration(r.Int64N(int64(12*time.Hour))),
		Calm: seed%calmEvery == 0,
		Rates: map[schema.Provider]float64{
			schema.Pinwheel: []float64{1, 2, 10}[r.IntN(3)],
			schema.Truv:     []float64{0.5, 1, 5}[r.IntN(3)],
		},
	}
	if seed%longEvery == longEvery-1 {
		s.For = longFor
	}
	const peopleMin, peopleMax = 4, 9
	people := peopleMin + r.IntN(peopleMax-peopleMin+1)
	s.Faults = planFaults(r, s, people)
	for n := range people {
		s.addPerson(r, n)
	}
	during := rand.New(rand.NewPCG(seed, ^seed)) // apart, so that it changes nothing above
	for _, f := range s.Faults {
		s.addDuring(during, f)
	}
	for _, v := range slices.Clone(s.Visits) {
		if v.Type == linkDeleted && during.IntN(2) == 0 {
			s.addLag(during, v)
		}
	}
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(s.Visits, func(a, b Visit) int { return cmp.Compare(a.At, b.At) })
	return s
}

// addPerson plans the life of a person: accounts are linked, refreshed, and perhaps deleted.
func (s *Schedule) addPerson(r *rand.Rand, n int) {
	const (
		largeEvery    = 30 // persons
		largePaystubs = 450
		deletedShare  = 0.5
	)
	p := Person{
		Seed: s.Seed<<8 + uint64(n) + 1, Paystubs: 2 + r.IntN(6), Shifts: 3 + r.IntN(9),
		Earlier: []int{-1, 1, 3}[r.IntN(3)],
	}
	if r.IntN(largeEvery) == 0 {
		p.Paystubs = largePaystubs
	}
	s.People = append(s.People, p)
	at := s.linkTime(r)
	for _, typ := range linkTypes() {
		at += time.Duration(r.Int64N(int64(2 * time.Second)))
		s.add(r, Visit{At: at, Person: n, Type: typ})
	}
	s.addOdd(r, n, at)
	deleted := s.For
	if r.Float64() < deletedShare {
		deleted = at + between(r, time.Minute, s.For-at)
	}
	for at < s.For {
		at += between(r, 6*time.Hour, 72*time.Hour)
		for range 1 + r.IntN(4) {
			at += time.Duration(r.Int64N(int64(time.Minute)))
			typ := refreshTypes()[r.IntN(len(refreshTypes()))]
			isGone := providerOf(typ) == schema.Truv && at >= deleted
			if at < s.For && !isGone {
				s.add(r, Visit{At: at, Person: n, Type: typ})
			}
		}
	}
	if deleted < s.For {
		s.addDeletion(r, n, deleted)
	}
}

// linkTime is when a person links: often just after the beginning of a fault.
func (s *Schedule) linkTime(r *rand.Rand) time.Duration {
	if len(s.Faults) > 0 && r.IntN(2) == 0 {
		f := s.Faults[r.IntN(len(s.Faults))]
		return f.At + time.Duration(r.Int64N(int64(max(time.Second, min(f.For, time.Minute)))))
	}
	return time.Duration(r.Int64N(int64(s.For / 2)))
}

// addDeletion plans the end of a link, with webhooks of the link around the end.
func (s *Schedule) addDeletion(r *rand.Rand, n int, at time.Duration) {
	for range r.IntN(3) { // some are sent before, and some come late
		near := at + time.Duration(r.Int64N(int64(2*time.Minute))) - time.Minute
		s.add(r, Visit{At: max(0, near), Person: n, Type: "link-connected"})
	}
	s.add(r, Visit{At: at, Person: n, Type: linkDeleted})
}

// addOdd plans webhooks that are not as they should be.
func (s *Schedule) addOdd(r *rand.Rand, n int, at time.Duration) {
	const oddShare = 0.15
	for _, kind := range []VisitKind{Undecodable, Unreadable, Forged} {
		if r.Float64() < oddShare {
			s.add(r, Visit{At: at, Person: n, Kind: kind, Type: "income.added"})
		}
	}
}

// addDuring plans webhooks in the first minute of a fault of the providers, so that a short fault
// has an effect, too.
func (s *Schedule) addDuring(r *rand.Rand, f Fault) {
	if !isOfProviders(f.Kind) && f.Kind != Stale {
		return
	}
	person := f.Person - 1
	if person < 0 {
		person = r.IntN(len(s.People))
	}
	isDeletion := func(v Visit) bool { return v.Person == person && v.Type == linkDeleted }
	var types []string
	for _, typ := range refreshTypes() {
		p := providerOf(typ)
		isAbout := f.Resource == "" || slices.Contains(schema.Lookup(p, typ).Workers, f.Resource)
		isDeleted := p == schema.Truv && slices.ContainsFunc(s.Visits, isDeletion)
		if (f.Provider == "" || f.Provider == p) && isAbout && !isDeleted {
			types = append(types, typ)
		}
	}
	for range min(len(types), 1+r.IntN(2)) {
		at := f.At + time.Duration(r.Int64N(int64(min(f.For, time.Minute))))
		typ := oneOf(r, types...)
		s.add(r, Visit{At: at, Person: person, Type: typ})
		if !s.Calm && r.IntN(3) == 0 {
			s.addKills(r, f, typ)
		}
	}
}

// providerOf returns the provider of a type. Only Truv's types have no dot.
func providerOf(typ string) schema.Provider {
	if !strings.Contains(typ, ".") {
		return schema.Truv
	}
	return schema.Pinwheel
}

// addKills plans kills between two messages of a job that meets the fault: both processes of the
// worker are killed, because either may take the event.
func (s *Schedule) addKills(r *rand.Rand, during Fault, typ string) {
	moment := oneOf(r, AfterAck, AfterPublish)
	worker := stream.WorkerRole(schema.Lookup(providerOf(typ), typ).Workers[0])
	for n := range replicas {
		s.Faults = append(s.Faults, Fault{
			Kind: KillBetween, At: during.At, For: during.For,
			Process: instance(worker, n), Moment: moment,
		})
	}
}

// addLag plans a late answer to a call about a link that is deleted before the answer comes.
func (s *Schedule) addLag(r *rand.Rand, deletion Visit) {
	before := deletion.At - time.Duration(r.Int64N(int64(lagFor)))
	if before < lagFor {
		return
	}
	s.add(r, Visit{At: before, Person: deletion.Person, Type: "link-connected"})
	s.Faults = append(s.Faults, Fault{
		Kind: Lag, Provider: schema.Truv, At: before - time.Second,
		For: deletion.At - before + 2*time.Second,
	})
}

// add plans a webhook. Some are sent twice, and some say that the provider's job failed.
func (s *Schedule) add(r *rand.Rand, v Visit) {
	const (
		oddOutcomeShare = 0.06
		twiceShare      = 0.1
	)
	v.Kind = cmp.Or(v.Kind, Genuine)
	v.ID = fmt.Sprintf("%08x-%04x-4%03x-a000-%012x",
		uint32(s.Seed), len(s.Visits), r.IntN(1<<12), r.Int64N(1<<48))
	if v.Kind == Genuine && hasOutcome(v.Type) && r.Float64() < oddOutcomeShare {
		v.Outcome = []string{"pending", "error"}[r.IntN(2)]
	}
	if s.People[v.Person].Earlier > 0 && strings.HasPrefix(v.Type, "statements-") {
		v.Employment = r.IntN(2)
	}
	v.Copies = 1
	if v.Kind == Genuine && r.Float64() < twiceShare {
		v.Copies = 2
		v.Again = between(r, time.Second, 20*time.Hour)
	}
	s.Visits = append(s.Visits, v)
}

// hasOutcome reports whether webhooks of the type say how the provider's own job ended.
func hasOutcome(typ string) bool {
	isOfJob := !strings.HasPrefix(typ, "account.") && typ != "verification_reports.refreshed"
	return typ == taskUpdated || providerOf(typ) == schema.Pinwheel && isOfJob
}

// linkTypes are the webhooks of a new account, in order.
func linkTypes() []string {
	return []string{
		"account.added", "identity.added", "income.added", "paystubs.added",
		"paystubs.seven_days_synced", "shifts.added", "shifts.seven_days_synced",
		"paystubs.thirty_days_synced", "shifts.thirty_days_synced", "paystubs.ninety_days_synced",
		"paystubs.fully_synced", "shifts.ninety_days_synced", "shifts.fully_synced",
		"employment.added", "verification_reports.refreshed", "documents.added",
		"account.monitoring_status.updated", "direct_deposit_allocations.added",
		"tax_forms.added", "paystubs.documents.added",
		"link-connected", "employment-created", "profile-created", "statements-created",
		"shifts-created", "bank-accounts-created", taskUpdated,
	}
}

// refreshTypes are the webhooks of an account that is refreshed.
func refreshTypes() []string {
	return []string{
		"paystubs.added", "shifts.added", "income.added", "employment.added", "identity.added",
		"verification_reports.refreshed", "account.monitoring_status.updated", "documents.added",
		"tax_forms.added", "direct_deposit_allocations.added", "paystubs.documents.added",
		"link-connected", "link-disconnected", "employment-updated", "profile-updated",
		"statements-updated", "shifts-updated", "bank-accounts-updated", taskUpdated,
	}
}

// between returns a time between least and most, small ones as often as large ones.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	ratio := math.Log(float64(most) / float64(least))
	return time.Duration(float64(least) * math.Exp(r.Float64()*ratio)).Round(time.Millisecond)
}

// Without returns the schedule without some of the faults, by their numbers.
func (s Schedule) Without(numbers ...int) Schedule {
	var kept []Fault
	for i, f := range s.Faults {
		if !slices.Contains(numbers, i) {
			kept = append(kept, f)
		}
	}
	s.Faults = kept
	return s
}

// Lines describes the faults, one line each.
func (s Schedule) Lines() []string {
	lines := []string{}
	for _, f := range s.Faults {
		lines = append(lines, f.String())
	}
	return lines
}
