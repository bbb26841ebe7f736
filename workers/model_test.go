package workers_test

import (
	"slices"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// The model of the events of a walk. The model has its own table of answers, and calls no function
// of the workers. A change of the default ladders is a change of this file, too.

const (
	hour = time.Hour
	// lease is how long the broker waits for a silent worker.
	lease = time.Minute
	// killsMin and killsMax are around the number of kills in a row that end an event. The model
	// does not see the deliveries that a worker gives back at once.
	killsMin = schema.DeliveriesMax - 2*schema.DeliveriesInPlace
	killsMax = schema.DeliveriesMax + 2*schema.DeliveriesInPlace
)

var (
	longLadder = []time.Duration{
		30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * hour, 5 * hour,
		10 * hour, 10 * hour, 10 * hour, 10 * hour, 10 * hour, 10 * hour,
	}
	shortLadder = []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
	}
	// fullLadder has the waits for room on the completions stream. The last one repeats.
	fullLadder = []time.Duration{
		30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute,
	}
)

// answer is an answer of the provider.
type answer string

// meaning is what an answer means for an event.
type meaning struct {
	class schema.Class
	// ladder has the waits after the first failures of the class.
	ladder []time.Duration
	// wait is a wait that is no failure, and that nothing limits.
	wait time.Duration
	// outcome and reason are the end, behind the ladder. Without a reason, there is no dead letter.
	outcome schema.Outcome
	reason  schema.Reason
	// hold is how long the provider wants no calls.
	hold time.Duration
	// accepts and refuses say what the answer shows about our credentials.
	accepts bool
	refuses bool
}

var meanings = map[answer]meaning{
	"200":   {outcome: schema.Succeeded, accepts: true},
	"503":   transient,
	"cut":   transient,
	"404":   notReady(schema.ClassNotReady, schema.Unavailable, true),
	"409":   notReady(schema.ClassNotReady, schema.Unavailable, true),
	"stale": notReady(schema.ClassNotReady, schema.Succeeded, true),
	"403":   notReady(schema.ClassForbidden, schema.Unavailable, false),
	"broken": {
		class: schema.ClassContract, ladder: longLadder[:4], outcome: schema.Failed,
		reason: schema.ReasonContract, accepts: true,
	},
	"400":   final(schema.ClassPermanent, schema.Failed, schema.ReasonRejected, true),
	"410":   final(schema.ClassPermanent, schema.Unavailable, schema.ReasonRejected, true),
	"302":   final(schema.ClassPermanent, schema.Failed, schema.ReasonRedirected, true),
	"panic": final(schema.ClassPoison, schema.Failed, schema.ReasonPanic, false),
	"401":   {class: schema.ClassUnauthorized, wait: 30 * time.Second, refuses: true},
	"429":   {class: schema.ClassThrottled, wait: time.Second},
	"429+7m": {
		class: schema.ClassThrottled, wait: 7 * time.Minute, hold: 7 * time.Minute,
	},
}

var transient = meaning{
	class: schema.ClassTransient, ladder: longLadder, outcome: schema.Failed,
	reason: schema.ReasonLadderEnded,
}

func notReady(class schema.Class, end schema.Outcome, accepts bool) meaning {
	return meaning{class: class, ladder: shortLadder, outcome: end, accepts: accepts}
}

func final(
	class schema.Class, outcome schema.Outcome, reason schema.Reason, accepts bool,
) meaning {
	return meaning{class: class, outcome: outcome, reason: reason, accepts: accepts}
}

// plus counts one more failure of the class.
func plus(f schema.Failures, c schema.Class) schema.Failures {
	more := schema.Failures{c: 1}
	for class, n := range f {
		more[class] += n
	}
	return more
}

// attempt is the number of the attempt after the failures.
func attempt(f schema.Failures) int {
	n := 1
	for _, count := range f {
		n += count
	}
	return n
}

// event is the state of an event: not published, due or taken (message), waiting, or completed.
type event struct {
	schema.Event
	published bool
	message   *message
	wait      *schema.Wait
	// spread is how much longer the wait may be. The broker alone knows, until somebody looks.
	spread     time.Duration
	completion *ending
	letters    []ending
}

// message is the unsettled message of an event, in some lane of the queue.
type message struct {
	failures schema.Failures
	// hands is how many workers have the message: 1, or more after a lapse.
	hands int
	// lapsed is true if the lease may have ended although a worker has the message.
	lapsed bool
	// kills counts the workers that died with the message in hand.
	kills int
}

// ending is a completion, or a dead letter. how is the outcome of a completion, and the reason of a
// dead letter.
type ending struct {
	how      string
	class    schema.Class
	attempts int
}

// model is the state of all events, and of what they share.
type model struct {
	events []event
	// erased are the accounts with a tombstone. Only their completions `deleted` stay.
	erased map[string]bool
	// full is true while the completions stream has no room.
	full bool
	// paused is true while the queue is paused. unsure is true if only the broker knows.
	paused bool
	unsure bool
	// knowsFrom is when the worker surely knows of a pause. Until then, a new worker may call the
	// provider before it has heard of the pause.
	knowsFrom time.Time
	// heldUntil is the end of a hold.
	heldUntil time.Time
}

// find returns the place of the event with the key, -1 for none.
func (m *model) find(key string) int {
	return slices.IndexFunc(m.events, func(e event) bool { return e.published && e.Key() == key })
}

// ripen makes a waiting event due.
func (e *event) ripen() {
	e.message = &message{failures: e.wait.Failures}
	e.wait = nil
}

// hand is a worker with an event.
type hand struct {
	event    int
	failures schema.Failures
	// probes is true if the call may be the probe of a paused queue, and surely if it must be.
	probes bool
	surely bool
}

// take gives the event to a worker. tried is the attempt as the worker counts it, and probing is
// true while another call surely probes.
func (m *model) take(i, tried int, at time.Time, probing bool) hand {
	e := &m.events[i]
	h := hand{event: i, probes: m.paused, surely: m.paused && at.After(m.knowsFrom)}
	if e.wait != nil && !at.Before(e.wait.Until) {
		e.ripen()
	}
	msg := e.message
	switch {
	case at.Before(m.heldUntil):
		failf("a call about %s in a hold", e.Key())
	case h.surely && probing:
		failf("a call about %s, and another one probes", e.Key())
	case m.erased[e.Account()]:
		return h
	case msg == nil:
		failf("a call about %s: completion %v, wait %+v", e.Key(), e.completion, e.wait)
	case attempt(msg.failures) != tried:
		failf("attempt %d at %s after the failures %v", tried, e.Key(), msg.failures)
	case msg.hands > 0 && !msg.lapsed:
		failf("two workers have %s", e.Key())
	case msg.kills > killsMax:
		failf("a delivery of %s after %d kills", e.Key(), msg.kills)
	}
	msg.hands++
	msg.lapsed = false
	h.failures = msg.failures
	return h
}

// giveBack takes the event from its worker, which died or gave the event back.
func (m *model) giveBack(h hand, died bool) {
	msg := m.events[h.event].message
	if msg == nil {
		return
	}
	msg.hands--
	switch {
	case died:
		msg.kills++
	case msg.kills >= schema.DeliveriesInPlace: // published anew
		msg.kills = 0
	}
}

// settle moves the event along the edge of the answer.
func (m *model) settle(h hand, a answer, at time.Time) {
	means := meanings[a]
	if a == "403" && m.paused {
		means = meanings["401"]
	}
	m.hear(h, means, at)
	e := &m.events[h.event]
	if m.erased[e.Account()] {
		return
	}
	e.message = nil
	step := h.failures[means.class] + 1
	switch {
	case means.wait > 0:
		e.letWait(means.class, h.failures, at, means.wait)
		return
	case step <= len(means.ladder):
		failures := plus(h.failures, means.class)
		e.letWait(means.class, failures, at, means.ladder[step-1])
		e.wait.Step = step
		e.wait.Steps = len(means.ladder)
		return
	}
	tried := attempt(h.failures)
	if means.reason != "" {
		e.letters = append(e.letters, ending{string(means.reason), means.class, tried})
	}
	switch {
	case e.completion != nil: // another worker had the event, too
	case m.full:
		const class = schema.ClassNotStored
		step := h.failures[class] + 1
		least := fullLadder[min(step, len(fullLadder))-1]
		e.letWait(class, plus(h.failures, class), at, least)
		e.wait.Step = step
	case means.outcome == schema.Succeeded:
		e.completion = &ending{string(means.outcome), "", tried}
	default:
		e.completion = &ending{string(means.outcome), means.class, tried}
	}
}

func (e *event) letWait(
	class schema.Class, f schema.Failures, at time.Time, least time.Duration,
) {
	e.wait = &schema.Wait{Class: class, Failures: f, Since: at, Until: at.Add(least)}
	e.spread = least / 10
}

// hear notes what an answer says about the queue. Only a probe ends a pause.
func (m *model) hear(h hand, means meaning, at time.Time) {
	if until := at.Add(means.hold); means.hold > 0 && until.After(m.heldUntil) {
		m.heldUntil = until
	}
	switch {
	case means.refuses:
		m.paused = true
	case means.accepts && h.surely:
		m.paused = false
	case means.accepts && h.probes:
		m.unsure = true
	}
}

// exhaust completes an event whose workers all died at an attempt.
func (m *model) exhaust(i int) {
	e := &m.events[i]
	msg := e.message
	if msg == nil || msg.kills < killsMin || msg.hands > 0 {
		return
	}
	const class = schema.ClassExhausted
	tried := attempt(msg.failures)
	e.letters = append(e.letters, ending{string(schema.ReasonDeliveriesMax), class, tried})
	e.completion = &ending{string(schema.Failed), class, tried}
	e.message = nil
}

// erase says that the account has a tombstone.
func (m *model) erase(account string) {
	m.erased[account] = true
	for i, e := range m.events {
		if e.Account() == account {
			m.events[i] = event{Event: e.Event, published: e.published}
		}
	}
}
