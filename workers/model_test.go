package workers_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// The model of an event. It has its own table of what an answer means, and calls no function of
// the workers. A change of the default ladders is a change of this file too.

const (
	hour = time.Hour
	// lease is how long the broker waits for a silent worker.
	lease = time.Minute
	// killsMin and killsMax are around the number of kills in a row that end an event: the model
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
	more := maps.Clone(f)
	if more == nil {
		more = failures{}
	}
	more[c]++
	return more
}

func (f failures) attempt() int {
	n := 1
	for _, count := range f {
		n += count
	}
	return n
}

// event is the state of an event. An event without a completion always has a message or a wait.
type event struct {
	schema.Event
	published bool
	// messages are the unsettled messages of the event, in any lane. A crash between two steps may
	// leave a second one.
	messages   []message
	wait       *wait
	completion *completion
	// completedAt is when the completion was seen first.
	completedAt time.Time
	letters     []letter
}

// message is an unsettled message in a lane of the queue.
type message struct {
	id       int
	failures failures
	// hands is how many workers have the message. lapsed is true if the lease may have ended
	// meanwhile, so that another worker may get the message too.
	hands  int
	lapsed bool
	// kills counts the workers that died with the message in hand.
	kills int
	// maybe is true if the message may be settled.
	maybe bool
}

// wait is a schedule at the broker.
type wait struct {
	class    schema.Class
	step     int
	steps    int
	failures failures
	// least is the length of the wait without the spread. since is the time of the answer, or
	// later. until is the end as the broker has it, zero until somebody has looked.
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

// certainty is yes, no, or not known.
type certainty int

const (
	no certainty = iota
	yes
	unsure
)

// model is the state of all events, and of what they share.
type model struct {
	events   []event
	messages int // made until now
	// erased are the accounts with a tombstone. Nothing but their completions `deleted` may stay.
	erased map[string]bool
	// full is true while the completions stream has no room.
	full bool
	// paused says whether the queue is paused. After a restart it is not known until sureFrom: the
	// new process may ask the provider before it hears of the pause.
	paused   certainty
	sureFrom time.Time
	// heldUntil is the end of a hold.
	heldUntil time.Time
}

func (m *model) clone() *model {
	c := *m
	c.events = slices.Clone(m.events)
	for i := range c.events {
		c.events[i].messages = slices.Clone(c.events[i].messages)
		c.events[i].letters = slices.Clone(c.events[i].letters)
		if w := c.events[i].wait; w != nil {
			copied := *w
			c.events[i].wait = &copied
		}
	}
	return &c
}

// find returns the place of the event with the key, -1 for none.
func (m *model) find(key string) int {
	return slices.IndexFunc(m.events, func(e event) bool { return e.published && e.Key() == key })
}

// add gives an event one more message. What an erased account has, nobody counts.
func (m *model) add(i int, f failures) {
	if m.erased[m.events[i].Account()] {
		return
	}
	m.messages++
	e := &m.events[i]
	e.messages = append(e.messages, message{id: m.messages, failures: f})
}

// ripen ends the wait of an event whose time has come.
func (m *model) ripen(i int) {
	w := m.events[i].wait
	m.events[i].wait = nil
	m.add(i, w.failures)
}

// message returns a message of the event, nil if it is settled.
func (e *event) message(id int) *message {
	i := slices.IndexFunc(e.messages, func(msg message) bool { return msg.id == id })
	if i < 0 {
		return nil
	}
	return &e.messages[i]
}

func (e *event) settle(id int) {
	e.messages = slices.DeleteFunc(e.messages, func(msg message) bool { return msg.id == id })
}

// hand is a worker with an event, as the model knows it.
type hand struct {
	event    int
	message  int
	failures failures
	// probes says whether the call is the probe of a paused queue.
	probes certainty
}

// take gives the event to a worker for the attempt. probing is true while another call probes.
func (m *model) take(i, attempt int, at time.Time, probing bool) (hand, error) {
	e := &m.events[i]
	h := hand{event: i, probes: m.paused}
	if at.Before(m.heldUntil) {
		return h, errors.New("a call in a hold")
	}
	if m.paused == yes && probing {
		return h, errors.New("two probes at the same time")
	}
	if m.erased[e.Account()] {
		return h, nil
	}
	// A worker with a second message may have looked for the completion before it was stored.
	if e.completion != nil && at.After(e.completedAt) {
		return h, errors.New("a call about a completed event")
	}
	if w := e.wait; w != nil && w.failures.attempt() == attempt && !at.Before(w.due()) {
		m.ripen(i)
	}
	for n := range e.messages {
		msg := &e.messages[n]
		if msg.failures.attempt() != attempt || msg.hands > 0 && !msg.lapsed {
			continue
		}
		if msg.kills > killsMax {
			return h, fmt.Errorf("a delivery after %d kills", msg.kills)
		}
		msg.hands++
		msg.lapsed = false
		h.message = msg.id
		h.failures = msg.failures
		return h, nil
	}
	return h, fmt.Errorf("attempt %d, and no message for it", attempt)
}

// release takes the event from the worker. unsettled says that the broker did not hear of it.
func (m *model) release(h hand, unsettled bool) {
	msg := m.events[h.event].message(h.message)
	if msg == nil {
		return
	}
	msg.hands--
	switch {
	case unsettled:
		msg.kills++
	case msg.kills >= schema.DeliveriesInPlace: // published anew
		msg.kills = 0
	}
}

// effect is a change that an answer makes at the broker.
type effect func(*model)

// after returns the effects of an answer, in their order. There are two possible lists if the
// answer means one thing in a paused queue, and another thing otherwise.
func (m *model) after(h hand, a answer, at time.Time) [][]effect {
	if m.erased[m.events[h.event].Account()] {
		return [][]effect{nil}
	}
	said := m.effects(h, meanings[a], at)
	if a != "403" || m.paused == no {
		return [][]effect{said}
	}
	// In a paused queue, the refusal of a record counts as a refusal of our credentials.
	refusal := m.effects(h, meanings["401"], at)
	if m.paused == yes {
		return [][]effect{refusal}
	}
	return [][]effect{refusal, said}
}

func (m *model) effects(h hand, means meaning, at time.Time) []effect {
	settled := func(m *model) { m.events[h.event].settle(h.message) }
	waits := func(w wait) effect {
		w.since = at
		return func(m *model) {
			copied := w
			m.events[h.event].wait = &copied
		}
	}
	step := h.failures[means.class] + 1
	switch {
	case means.wait > 0:
		w := wait{class: means.class, failures: h.failures, least: means.wait}
		return []effect{waits(w), settled}
	case step <= len(means.ladder):
		w := wait{
			class: means.class, step: step, steps: len(means.ladder),
			failures: h.failures.plus(means.class), least: means.ladder[step-1],
		}
		return []effect{waits(w), settled}
	}
	var all []effect
	attempts := h.failures.attempt()
	if means.reason != "" {
		all = append(all, func(m *model) {
			e := &m.events[h.event]
			e.letters = append(e.letters, letter{means.class, means.reason, attempts})
		})
	}
	if m.full && m.events[h.event].completion == nil {
		before := h.failures[schema.ClassNotStored]
		w := wait{
			class: schema.ClassNotStored, step: before + 1,
			failures: h.failures.plus(schema.ClassNotStored),
			least:    fullLadder[min(before, len(fullLadder)-1)],
		}
		return append(all, waits(w), settled)
	}
	c := completion{outcome: means.outcome, class: means.class, attempts: attempts}
	if c.outcome == schema.Succeeded {
		c.class = ""
	}
	completed := func(m *model) {
		e := &m.events[h.event]
		e.completion = cmp.Or(e.completion, &c)
	}
	return append(all, completed, settled)
}

// hear notes what an answer says about the queue.
func (m *model) hear(h hand, a answer, at time.Time) {
	means := meanings[a]
	if until := at.Add(means.hold); means.hold > 0 && until.After(m.heldUntil) {
		m.heldUntil = until
	}
	shows := means.shows
	switch {
	case shows == refused:
		m.paused = yes
	case shows != accepted || m.paused == no || h.probes == no:
		// Only a probe ends a pause.
	case m.paused == yes && h.probes == yes:
		m.paused = no
	default:
		m.doubtPause(at)
	}
}

// doubtPause says that the state of the pause is known again only after a while.
func (m *model) doubtPause(at time.Time) {
	m.paused = unsure
	m.sureFrom = at.Add(time.Minute)
}

// loseWorker says that the process of the workers is gone. was is the pause before its last answer,
// which the broker may not know of.
func (m *model) loseWorker(was certainty, at time.Time) {
	m.heldUntil = time.Time{}
	if was != no || m.paused != no {
		m.doubtPause(at)
	}
}

// exhaust completes an event whose workers all died at the attempt.
func (m *model) exhaust(i, attempt int) {
	e := &m.events[i]
	n := slices.IndexFunc(e.messages, func(msg message) bool {
		return msg.kills >= killsMin && msg.hands == 0 && msg.failures.attempt() == attempt
	})
	if n < 0 {
		return
	}
	const class = schema.ClassExhausted
	e.letters = append(e.letters, letter{class, schema.ReasonDeliveriesMax, attempt})
	e.completion = &completion{schema.Failed, class, attempt}
	e.settle(e.messages[n].id)
}

// erase says that the account has a tombstone.
func (m *model) erase(account string) {
	m.erased[account] = true
	for i := range m.events {
		e := &m.events[i]
		if e.Account() == account {
			e.messages = nil
			e.wait = nil
			e.completion = nil
			e.letters = nil
		}
	}
}
