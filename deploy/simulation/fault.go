package simulation

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Fault is something that goes wrong, or that an operator does, for a time.
type Fault struct {
	Kind Kind
	// At is the beginning, and For how long the fault lasts.
	At, For time.Duration
	// Provider and Resource limit faults of providers. Empty: all.
	Provider schema.Provider
	Resource schema.Resource
	// Person limits a fault to a person, by number from 1. 0: all.
	Person int
	// Status is the status of the answers. RetryAfter belongs to a 429.
	Status     int
	RetryAfter string
	// Process is the name of a process, Queue of a queue, and Stream of a stream.
	Process string
	Queue   string
	Stream  string
	// Moment is what a process writes to the broker just before it is killed, "" for anything. Skip
	// is how many such moments pass before.
	Moment Moment
	Skip   int
}

// Moment is a part of a message to the broker, in the protocol of NATS. No virtual time passes
// between two messages of a job, so a kill at a random time would never come between them.
type Moment string

// The moments of a kill.
const (
	// AfterAck is after the acknowledgement of an event.
	AfterAck Moment = "PUB $JS.ACK."
	// AfterPublish is after a completion, a schedule, a dead letter or an event was sent.
	AfterPublish Moment = "HPUB wagewire."
)

// String describes the fault in a line.
func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "at %v for %v: %s", f.At.Round(time.Second), f.For.Round(time.Second), f.Kind)
	for _, field := range []string{
		string(f.Provider), string(f.Resource), f.Process, f.Queue, f.Stream,
	} {
		if field != "" {
			b.WriteString(" " + field)
		}
	}
	if f.Person > 0 {
		fmt.Fprintf(&b, " of person %d", f.Person)
	}
	if f.Status > 0 {
		fmt.Fprintf(&b, " %d", f.Status)
	}
	if f.RetryAfter != "" {
		fmt.Fprintf(&b, " retry-after %s", f.RetryAfter)
	}
	if f.Moment != "" {
		fmt.Fprintf(&b, " after %d and %q", f.Skip, f.Moment)
	}
	return b.String()
}

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	// Outage lets a provider answer with a status from 500 on, or 408.
	Outage Kind = "outage"
	// Cut closes the connection in the middle of each answer.
	Cut Kind = "cut"
	// Slow delays each answer for longer than a call may take.
	Slow Kind = "slow"
	// Lag lets each answer come some seconds late. It is planned around the deletion of a link, so
	// that a worker has the data of an account that is erased meanwhile.
	Lag Kind = "lag"
	// Garbled lets a provider answer 200 with a body that is no JSON.
	Garbled Kind = "garbled"
	// Throttle lets a provider answer 429.
	Throttle Kind = "throttle"
	// Refuse lets a provider refuse every secret.
	Refuse Kind = "refuse"
	// Reject lets a provider answer a call about a person with 400, 403, 404, 409, 410 or 422.
	Reject Kind = "reject"
	// Stale lets a provider serve data that is a day old.
	Stale Kind = "stale"
	// Stop ends a process as SIGTERM does, and starts it at the end of the fault.
	Stop Kind = "stop"
	// Kill ends a process with all of its connections at once.
	Kill Kind = "kill"
	// KillBetween kills a process once, between two messages of a job, and starts it soon after.
	KillBetween Kind = "kill-between"
	// Idle stops every process of a resource, or ingress.
	Idle Kind = "idle"
	// Broker stops the broker, and starts it on its files.
	Broker Kind = "broker"
	// Full lets a stream take no more messages.
	Full Kind = "full"
	// Pause is an operator who pauses a queue, and resumes it.
	Pause Kind = "pause"
	// Retry is an operator who lets every waiting event of a queue try now.
	Retry Kind = "retry"
	// Redrive is an operator who sends every dead letter through its queue again.
	Redrive Kind = "redrive"
	// Replay is an operator who sends the events of a person through a queue again.
	Replay Kind = "replay"
	// Rebuild is an operator who lets the states of accounts be made anew.
	Rebuild Kind = "rebuild"
	// Behind is a team that takes no completions.
	Behind Kind = "behind"
	// Upgrade stops the workers, puts the waiting events where the release before kept them, and
	// provisions.
	Upgrade Kind = "upgrade"
	// Newer adds what only a newer release writes to the waiting events of a queue.
	Newer Kind = "newer"
)

// row is what is known about a kind of fault.
type row struct {
	kind Kind
	// weight is how often the kind is planned, compared with others.
	weight int
	// ends is true if processes or the broker end. A calm schedule has no such fault.
	ends bool
	// least and most are the limits of the time.
	least, most time.Duration
	// fill chooses the other fields.
	fill func(r *rand.Rand, f *Fault, people int)
	// delays reports whether events of the queue that are ready may have to wait because of the
	// fault, until tail after its end. nil: none.
	delays func(f Fault, q schema.Queue) bool
	tail   time.Duration
	// begin begins the fault, and returns how to end it.
	begin func(w *world, f Fault) (end func())
}

// tailFor is how long the effect of a lost process or connection lasts: a lease, and the time to
// connect again.
const tailFor = 3 * time.Minute

func rows() []row {
	return []row{
		{
			kind: Outage, weight: 8, least: time.Minute, most: 30 * time.Hour,
			fill: ofProvider(500, 502, 503, 504, 408), begin: (*world).answerWith,
		},
		{
			kind: Outage, weight: 1, least: 60 * time.Hour, most: 90 * time.Hour,
			fill: ofProvider(500, 503), begin: (*world).answerWith,
		},
		{kind: Cut, weight: 2, least: time.Minute, most: 4 * time.Hour,
			fill: ofProvider(), begin: (*world).answerWith},
		{
			kind: Slow, weight: 2, least: time.Minute, most: time.Hour,
			fill: ofProvider(), begin: (*world).answerWith, delays: sameProvider, tail: tailFor,
		},
		{kind: Lag, begin: (*world).answerWith}, // see Schedule.addLag
		{kind: Garbled, weight: 2, least: time.Minute, most: 12 * time.Hour,
			fill: ofProvider(), begin: (*world).answerWith},
		{
			kind: Throttle, weight: 5, least: time.Second, most: 2 * time.Hour,
			fill: throttled, begin: (*world).answerWith,
			delays: sameProvider, tail: 20 * time.Minute,
		},
		{
			kind: Refuse, weight: 4, least: 10 * time.Second, most: 90 * time.Minute,
			fill: refused, begin: (*world).answerWith, delays: sameProvider, tail: tailFor,
		},
		{
			kind: Reject, weight: 5, least: 5 * time.Second, most: 8 * time.Hour,
			fill: rejected, begin: (*world).answerWith,
		},
		{kind: Stale, weight: 2, least: 5 * time.Second, most: time.Hour,
			fill: ofPerson, begin: (*world).serveStale},
		{
			kind: Stop, weight: 5, ends: true, least: time.Second, most: time.Hour,
			fill: ofProcess, begin: (*world).stopProcess, delays: sameProcess, tail: tailFor,
		},
		{
			kind: Kill, weight: 10, ends: true, least: time.Second, most: 10 * time.Minute,
			fill: ofProcess, begin: (*world).killProcess, delays: sameProcess, tail: tailFor,
		},
		{
			kind: KillBetween, weight: 20, ends: true, least: time.Hour, most: 30 * time.Hour,
			fill: killed, begin: (*world).killProcess,
		},
		{
			kind: Idle, weight: 3, ends: true, least: time.Minute, most: 12 * time.Hour,
			fill: ofCommand, begin: (*world).stopAll, delays: sameProcess, tail: tailFor,
		},
		{
			kind: Broker, weight: 5, ends: true, least: time.Second, most: 2 * time.Hour,
			begin: (*world).stopBroker, delays: every, tail: tailFor,
		},
		{
			kind: Full, weight: 4, least: time.Minute, most: 6 * time.Hour,
			fill: func(r *rand.Rand, f *Fault, _ int) {
				f.Stream = oneOf(r, fillable()...)
			},
			begin: (*world).fill, delays: every, tail: 15 * time.Minute,
		},
		{
			kind: Pause, weight: 4, least: time.Minute, most: 30 * time.Hour,
			fill: ofQueue, begin: (*world).pauseQueue, delays: sameQueue, tail: tailFor,
		},
		{kind: Retry, weight: 6, fill: ofQueue, begin: (*world).retryQueue},
		{kind: Redrive, weight: 4, begin: (*world).redriveAll},
		{kind: Replay, weight: 3, fill: func(r *rand.Rand, f *Fault, people int) {
			ofQueue(r, f, people)
			ofPerson(r, f, people)
		}, begin: (*world).replayEvents},
		{kind: Rebuild, weight: 3, begin: (*world).rebuildAccounts},
		{kind: Behind, weight: 2, least: time.Hour, most: 60 * time.Hour, begin: (*world).holdTeam},
		{
			kind: Upgrade, weight: 2, ends: true, least: time.Second, most: 10 * time.Minute,
			begin: (*world).upgrade, delays: every, tail: tailFor,
		},
		{kind: Newer, weight: 2, fill: ofQueue, begin: (*world).writeNewer},
	}
}

// planFaults plans the faults of a schedule, in order of time.
func planFaults(r *rand.Rand, s Schedule, people int) []Fault {
	const fewest, most = 5, 20
	chosen := rows()
	if s.Calm {
		chosen = slices.DeleteFunc(chosen, func(k row) bool { return k.ends })
	}
	total := 0
	for _, k := range chosen {
		total += k.weight
	}
	var faults []Fault
	for range fewest + r.IntN(most-fewest+1) {
		n := r.IntN(total)
		i := 0
		for ; n >= chosen[i].weight; i++ {
			n -= chosen[i].weight
		}
		faults = append(faults, chosen[i].plan(r, s, people))
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return faults
}

// plan chooses the time of a fault, and the other fields.
func (k row) plan(r *rand.Rand, s Schedule, people int) Fault {
	f := Fault{Kind: k.kind, For: between(r, max(k.least, time.Millisecond), k.most)}
	if k.most == 0 {
		f.For = 0
	}
	last := max(time.Second, s.For-f.For)
	f.At = time.Duration(r.Int64N(int64(last)))
	if f.At+f.For > s.For {
		f.For = s.For - f.At
	}
	if k.fill != nil {
		k.fill(r, &f, people)
	}
	return f
}

// rowOf returns the row of a fault. The rows of a kind differ only in the times.
func rowOf(f Fault) row {
	all := rows()
	return all[slices.IndexFunc(all, func(k row) bool { return k.kind == f.Kind })]
}

// isOfProviders reports whether the fault shows only if a worker calls the provider meanwhile.
func isOfProviders(k Kind) bool {
	switch k {
	case Outage, Cut, Slow, Lag, Garbled, Throttle, Refuse, Reject:
		return true
	default:
		return false
	}
}

func oneOf[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// ofProvider chooses a provider, perhaps a resource, and a status if there are some.
func ofProvider(statuses ...int) func(*rand.Rand, *Fault, int) {
	return func(r *rand.Rand, f *Fault, _ int) {
		q := oneOf(r, callingQueues()...)
		f.Provider = q.Provider
		if r.IntN(2) == 0 {
			f.Resource = q.Resource
		}
		if len(statuses) > 0 {
			f.Status = oneOf(r, statuses...)
		}
	}
}

func refused(r *rand.Rand, f *Fault, people int) {
	ofProvider(401)(r, f, people)
	f.Resource = ""
}

func throttled(r *rand.Rand, f *Fault, people int) {
	ofProvider(429)(r, f, people)
	f.Resource = ""
	f.RetryAfter = oneOf(r, "", "1", "7", "60", "600", "86400")
}

func rejected(r *rand.Rand, f *Fault, people int) {
	ofProvider(400, 403, 403, 404, 404, 409, 410, 422)(r, f, people)
	ofPerson(r, f, people)
}

func ofPerson(r *rand.Rand, f *Fault, people int) { f.Person = 1 + r.IntN(people) }

func ofQueue(r *rand.Rand, f *Fault, _ int) { f.Queue = oneOf(r, schema.Queues()...).Name }

func ofProcess(r *rand.Rand, f *Fault, _ int) {
	f.Process = instance(oneOf(r, commands()...), r.IntN(replicas))
}

// killed chooses a process and a moment between two messages of a job.
func killed(r *rand.Rand, f *Fault, people int) {
	ofProcess(r, f, people)
	f.Moment = oneOf(r, AfterAck, AfterAck, AfterPublish)
	f.Skip = r.IntN(6)
}

func ofCommand(r *rand.Rand, f *Fault, _ int) { f.Process = oneOf(r, commands()...) }

// fillable are the streams that a fault may fill.
func fillable() []string {
	return []string{
		schema.EventsStream, schema.CompletionsStream, schema.DeadLettersStream,
		schema.AccountsStream,
	}
}

// callingQueues are the queues whose workers call a provider.
func callingQueues() []schema.Queue {
	return slices.DeleteFunc(schema.Queues(), func(q schema.Queue) bool {
		return !q.CallsProvider()
	})
}

func every(Fault, schema.Queue) bool { return true }

func sameProvider(f Fault, q schema.Queue) bool {
	return f.Provider == q.Provider && q.CallsProvider()
}

func sameQueue(f Fault, q schema.Queue) bool { return f.Queue == q.Name }

func sameProcess(f Fault, q schema.Queue) bool {
	return strings.HasPrefix(f.Process, stream.WorkerRole(q.Resource))
}

// delayOf returns how much of the time from one moment to another events of the queue may have had
// to wait because of a fault.
func (s Schedule) delayOf(q schema.Queue, from, to time.Duration) time.Duration {
	var total, covered time.Duration
	for _, f := range s.Faults { // in order of time
		k := rowOf(f)
		if k.delays == nil || !k.delays(f, q) {
			continue
		}
		begin := max(f.At, from, covered)
		end := min(f.At+f.For+k.tail, to)
		if end > begin {
			total += end - begin
			covered = end
		}
	}
	return total
}

// Kinds returns every kind of fault.
func Kinds() []Kind {
	var list []Kind
	for _, k := range rows() {
		if !slices.Contains(list, k.kind) {
			list = append(list, k.kind)
		}
	}
	return list
}
