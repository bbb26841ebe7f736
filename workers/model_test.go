package workers_test

import (
	"errors"
	"fmt"
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

// credentials is what an answer shows about our credentials.
type credentials int

const (
	unseen credentials = iota
	accepted
	refused
)

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
	hold  time.Duration
	shows credentials
}

var meanings = map[answer]meaning{
	"200":   {outcome: schema.Succeeded, shows: accepted},
	"503":   transient,
	"cut":   transient,
	"404":   notReady(schema.ClassNotReady, schema.Unavailable, accepted),
	"409":   notReady(schema.ClassNotReady, schema.Unavailable, accepted),
	"stale": notReady(schema.ClassNotReady, schema.Succeeded, accepted),
	"403":   notReady(schema.ClassForbidden, schema.Unavailable, unseen),
	"broken": {
		class: schema.ClassContract, ladder: longLadder[:4], outcome: schema.Failed,
		reason: schema.ReasonContract, shows: accepted,
	},
	"400":   final(schema.ClassPermanent, schema.Failed, schema.ReasonRejected, accepted),
	"410":   final(schema.ClassPermanent, schema.Unavailable, schema.ReasonRejected, accepted),
	"302":   final(schema.ClassPermanent, schema.Failed, schema.ReasonRedirected, accepted),
	"panic": final(schema.ClassPoison, schema.Failed, schema.ReasonPanic, unseen),
	"401":   {class: schema.ClassUnauthorized, wait: 30 * time.Second, shows: refused},
	"429":   {class: schema.ClassThrottled, wait: time.Second},
	"429+7m": {
		class: schema.ClassThrottled, wait: 7 * time.Minute, hold: 7 * time.Minute,
	},
}

var transient = meaning{
	class: schema.ClassTransient, ladder: longLadder, outcome: schema.Failed,
	reason: schema.ReasonLadderEnded,
}

func notReady(class schema.Class, end schema.Outcome, shows credentials) meaning {
	return meaning{class: class, ladder: shortLadder, outcome: end, shows: shows}
}

func final(
	class schema.Class, outcome schema.Outcome, reason schema.Reason, shows credentials,
) meaning {
	return meaning{class: class, outcome: outcome, reason: reason, shows: shows}
}

// failures counts failures by class.
type failures map[schema.Class]int

func (f failures) plus(c schema.Class) failures {
	more := failures{c: 1}
	for class, n := range f {
		more[class] += n
	}
	return more
}

func (f failures) attempt() int {
	n := 1
	for _, count := range f {
		n += count
	}
	return n
}

// event is the state of an event: not published, due or taken (message), waiting, or completed.
type event struct {
	schema.Event
	published  bool
	message    *message
	wait       *wait
	completion *completion
	letters    []letter
}

// message is the unsettled message of an event, in some lane of the queue.
type message struct {
	failures failures
	// hands is how many workers have the message: 1, or more after a lapse.
	hands int
	// lapsed is true if the lease may have ended although a worker has the message.
	lapsed bool
	// kills counts the workers that died with the message in hand.
	kills int
}

// wait is a schedule at the broker.
type wait struct {
	class    schema.Class
	step     int
	steps    int
	failures failures
	// least is the length of the wait without the spread. since is the time of the answer. until is
	// the end as the broker has it, zero until somebody has looked.
	least time.Duration
	since time.Time
	until time.Time
}

// due is the earliest end of the wait.
func (w *wait) due() time.Time {
	if w.until.IsZero() {
		return w.since.Add(w.least)
	}
	return w.until
}

type completion struct {
	outcome  schema.Outcome
	class    schema.Class
	attempts int
}

type letter struct {
	class    schema.Class
	reason   schema.Reason
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
	e.message = &message{failures: e.wait.failures}
	e.wait = nil
}

// hand is a worker with an event.
type hand struct {
	event    int
	failures failures
	// probes is true if the call may be the probe of a paused queue, and surely if it must be.
	probes bool
	surely bool
}

// take gives the event to a worker for the attempt. probing is true while another call surely
// probes.
func (m *model) take(i, attempt int, at time.Time, probing bool) (hand, error) {
	e := &m.events[i]
	h := hand{event: i, probes: m.paused, surely: m.paused && at.After(m.knowsFrom)}
	if e.wait != nil && !at.Before(e.wait.due()) {
		e.ripen()
	}
	msg := e.message
	switch {
	case at.Before(m.heldUntil):
		return h, errors.New("a call in a hold")
	case h.surely && probing:
		return h, errors.New("two probes at the same time")
	case m.erased[e.Account()]:
		return h, nil
	case msg == nil:
		return h, fmt.Errorf("a call without a message: completion %+v, wait %+v",
			e.completion, e.wait)
	case msg.failures.attempt() != attempt:
		return h, fmt.Errorf("attempt %d after the failures %v", attempt, msg.failures)
	case msg.hands > 0 && !msg.lapsed:
		return h, errors.New("two workers have it")
	case msg.kills > killsMax:
		return h, fmt.Errorf("a delivery after %d kills", msg.kills)
	}
	msg.hands++
	msg.lapsed = false
	h.failures = msg.failures
	return h, nil
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
		e.wait = &wait{class: means.class, failures: h.failures, least: means.wait, since: at}
		return
	case step <= len(means.ladder):
		e.wait = &wait{
			class: means.class, step: step, steps: len(means.ladder),
			failures: h.failures.plus(means.class), least: means.ladder[step-1], since: at,
		}
		return
	}
	end := completion{means.outcome, means.class, h.failures.attempt()}
	if means.reason != "" {
		e.letters = append(e.letters, letter{end.class, means.reason, end.attempts})
	}
	if end.outcome == schema.Succeeded {
		end.class = ""
	}
	switch {
	case e.completion != nil: // another worker had the event, too
	case m.full:
		const class = schema.ClassNotStored
		step := h.failures[class] + 1
		e.wait = &wait{
			class: class, step: step, failures: h.failures.plus(class),
			least: fullLadder[min(step, len(fullLadder))-1], since: at,
		}
	default:
		e.completion = &end
	}
}

// hear notes what an answer says about the queue. Only a probe ends a pause.
func (m *model) hear(h hand, means meaning, at time.Time) {
	if until := at.Add(means.hold); means.hold > 0 && until.After(m.heldUntil) {
		m.heldUntil = until
	}
	switch {
	case means.shows == refused:
		m.paused = true
	case means.shows == accepted && h.surely:
		m.paused = false
	case means.shows == accepted && h.probes:
		m.unsure = true
	}
}

// exhaust completes an event whose workers all died at the attempt.
func (m *model) exhaust(i, attempt int) {
	e := &m.events[i]
	msg := e.message
	if msg == nil || msg.kills < killsMin || msg.hands > 0 || msg.failures.attempt() != attempt {
		return
	}
	const class = schema.ClassExhausted
	e.letters = append(e.letters, letter{class, schema.ReasonDeliveriesMax, attempt})
	e.completion = &completion{schema.Failed, class, attempt}
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
