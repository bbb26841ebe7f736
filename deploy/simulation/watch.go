package simulation

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
)

// Headers of a message of a waiting event. The simulation spells them itself, so that it finds a
// header that is written wrong.
const (
	headerQueue    = "Wagewire-Queue"
	headerClass    = "Wagewire-Class"
	headerStep     = "Wagewire-Step"
	headerSince    = "Wagewire-Waiting-Since"
	headerUntil    = "Wagewire-Next-Try"
	headerFailures = "Wagewire-Failures"
)

const (
	// promptFor is how long an event that is ready may take until its next word, besides the times
	// in which a fault delays the queue. It includes a backlog that waits for the provider's rate.
	promptFor = 20 * time.Minute
	// roundFor is the resolution of the broker's schedules.
	roundFor = time.Second
	// spread is how much longer than its step a wait may be, as a part.
	spread = 0.1
)

// watch follows every event from the webhook to its last word, as the broker sees it.
type watch struct {
	world *world

	mu    sync.Mutex
	lives map[string]*eventLife // by key and queue
	waits int
	// completed are the ids of all completions, without the accounts of persons.
	completed map[string]bool
	// erased are the accounts with a tombstone: <provider>.<account>.
	erased map[string]bool
	// letters counts the dead letters of each queue, by the event.
	letters map[string]map[string]int
}

// eventLife is an event in a queue.
type eventLife struct {
	key     string
	queue   schema.Queue
	targets []ledger.Target
	// account is the token of the account.
	account string
	// ready is when the event was last ready.
	ready time.Time
	// attempts are what the event has had: the first attempt, and one after each wait.
	attempts []attempt
	ended    bool
}

// attempt is a try of an event.
type attempt struct {
	// failures are those before the attempt.
	failures schema.Failures
	// since is the beginning of the wait before the attempt, or when the event came.
	since time.Time
}

// last is the newest attempt.
func (l *eventLife) last() *attempt { return &l.attempts[len(l.attempts)-1] }

func newWatch(w *world) *watch {
	return &watch{world: w, lives: map[string]*eventLife{}, completed: map[string]bool{},
		erased: map[string]bool{}, letters: map[string]map[string]int{}}
}

func lifeKey(key, queue string) string { return key + " in " + queue }

// subscribe subscribes to the words of the line.
func (w *watch) subscribe(nc *nats.Conn) error {
	for subject, hear := range map[string]func(*nats.Msg){
		"wagewire.waiting.>":      w.hearWait,
		"wagewire.completions.>":  w.hearCompletion,
		"wagewire.dead_letters.>": w.hearDeadLetter,
		"wagewire.tombstones.>":   w.hearTombstone,
	} {
		if _, err := nc.Subscribe(subject, hear); err != nil {
			return err
		}
	}
	return nil
}

// begin notes that an event is ready in a queue: stored, or sent again.
func (w *watch) begin(e schema.Event, q schema.Queue) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := lifeKey(e.Key(), q.Name)
	targets := ledger.TargetsOf(q.Provider, e.AccountID, q.Resource)
	if l := w.lives[id]; l != nil {
		l.targets = targets // it began to wait before the sender had its answer
		return
	}
	now := time.Now()
	w.lives[id] = &eventLife{
		key: e.Key(), queue: q, targets: targets, account: e.Account(),
		ready: now, attempts: []attempt{{schema.Failures{}, now}},
		ended: w.completed[e.CompletionKey(q.Resource)], // before the sender had its answer
	}
}

// hearWait hears that an event begins to wait.
func (w *watch) hearWait(m *nats.Msg) {
	queue := m.Header.Get(headerQueue)
	key := keyOf(m.Header)
	class := schema.Class(m.Header.Get(headerClass))
	since, _ := time.Parse(time.RFC3339Nano, m.Header.Get(headerSince))
	until, _ := time.Parse(time.RFC3339Nano, m.Header.Get(headerUntil))
	failures, err := schema.ParseFailures(m.Header.Get(headerFailures))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits++
	l := w.lives[lifeKey(key, queue)]
	switch {
	case err != nil || since.IsZero() || until.IsZero() || class == "":
		w.world.violate("wait", key, "the schedule in %s has no class, time or failures: %v",
			queue, m.Header)
		return
	case l == nil: // stored, and the sender has no answer
		l = &eventLife{
			key: key, queue: queueOf(queue), account: m.Header.Get("ce-subject"), ready: since,
			attempts: []attempt{{schema.Failures{}, since}},
		}
		w.lives[lifeKey(key, queue)] = l
	case l.ended, w.isErased(l):
		// Repeated after the end, or refused by the tombstone.
	case len(l.attempts) > 1 && since.Equal(l.last().since): // only stored anew
		l.last().failures = failures
		return
	default:
		w.checkStep(l, class, failures, since)
		w.checkPrompt(l, time.Now(), "waited")
	}
	w.checkLength(l, class, m.Header.Get(headerStep), until.Sub(since))
	l.attempts = append(l.attempts, attempt{failures, since})
	l.ready = until
}

// checkStep checks that a wait took a step of a ladder only for a failure of its class.
func (w *watch) checkStep(
	l *eventLife, class schema.Class, failures schema.Failures, since time.Time,
) {
	from, ok := w.follows(l, class, failures)
	if !ok {
		w.world.violate("ladder", l.key, "in %s the failures were %q, and after a failure of "+
			"class %s they are %q", l.queue.Name, l.last().failures, class, failures)
		return
	}
	isProvider := class == schema.ClassTransient || class == schema.ClassNotReady ||
		class == schema.ClassForbidden || class == schema.ClassUnauthorized
	if !isProvider || len(l.targets) == 0 || l.targets[0].Account == "" {
		return
	}
	targets := l.targets[:1]
	if class == schema.ClassUnauthorized { // no other answer about another target is a failure
		targets = l.targets
	}
	hadAnswer := func(t ledger.Target) bool { return w.world.gate.had(t, class, from, since) }
	if !slices.ContainsFunc(targets, hadAnswer) {
		w.world.violate("ladder", l.key, "a step of class %s in %s, and the provider gave no such "+
			"answer about %s", class, l.queue.Name, describe(l.targets[0]))
	}
}

// follows reports whether an attempt that failed with the class has these failures afterwards, and
// since when the attempt may have called the provider. The attempt is the last one. It may be an
// earlier one if a process or the broker ended since: the wait was stored, but the delivery was not
// acknowledged, and came again after its lease. The wait may have ended before. The ladder then has
// a step more, and still a failure for each step.
func (w *watch) follows(
	l *eventLife, class schema.Class, failures schema.Failures,
) (from time.Time, ok bool) {
	takesStep := class != schema.ClassThrottled && class != schema.ClassUnauthorized
	for i, a := range l.attempts {
		after := a.failures
		if takesStep {
			after = after.With(class)
		}
		mayBe := i == len(l.attempts)-1 || w.world.hasEndedSince(a.since)
		if !mayBe || !maps.Equal(failures, after) {
			continue
		}
		if i == 0 { // the event may be stored before its sender has the answer
			return w.world.began, true
		}
		return a.since, true
	}
	return time.Time{}, false
}

// checkLength checks that a wait lasts as long as the step of the ladder.
func (w *watch) checkLength(l *eventLife, class schema.Class, step string, length time.Duration) {
	var n, of int
	_, _ = fmt.Sscanf(step, "%d/%d", &n, &of)
	least, most := lengthOf(class, n)
	most += time.Duration(spread*float64(most)) + roundFor
	if length < least-roundFor || length > most {
		w.world.violate("wait", l.key, "step %s of class %s in %s waits for %v, not for %v to %v",
			step, class, l.queue.Name, length, least, most)
	}
}

// lengthOf returns how long a wait of a step may last: the default ladders, spelled once more.
func lengthOf(class schema.Class, step int) (least, most time.Duration) {
	const minute, hour = time.Minute, time.Hour
	ladder := func(steps ...time.Duration) (least, most time.Duration) {
		if step < 1 || step > len(steps) {
			return -1, -1 // no such step
		}
		return steps[step-1], steps[step-1]
	}
	switch class {
	case schema.ClassTransient, schema.ClassContract:
		return ladder(30*time.Second, 2*minute, 10*minute, 30*minute, 2*hour, 5*hour,
			10*hour, 10*hour, 10*hour, 10*hour, 10*hour, 10*hour)
	case schema.ClassNotReady, schema.ClassForbidden:
		return ladder(5*time.Second, 30*time.Second, 2*minute, 10*minute)
	case schema.ClassThrottled:
		return time.Second, 15 * minute
	case schema.ClassUnauthorized:
		return workers.PauseFor, workers.PauseFor
	case schema.ClassNotStored:
		step = min(max(step, 1), 4)
		return ladder(30*time.Second, minute, 5*minute, 10*minute)
	default:
		return 0, 15 * minute
	}
}

// checkPrompt checks that an event did not stay without a word for too long.
func (w *watch) checkPrompt(l *eventLife, now time.Time, what string) {
	ready := max(0, l.ready.Sub(w.world.began))
	delay := w.world.schedule.delayOf(l.queue, ready, now.Sub(w.world.began))
	if late := now.Sub(l.ready) - delay; late > promptFor {
		w.world.violate("late", l.key,
			"ready in %s at %v, and %s %v later, of which faults explain %v",
			l.queue.Name, ready.Round(time.Second), what,
			now.Sub(l.ready).Round(time.Second), delay.Round(time.Second))
	}
}

// hearCompletion hears the last word of an event.
func (w *watch) hearCompletion(m *nats.Msg) {
	id := m.Header.Get(nats.MsgIdHdr)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.completed[schema.WithoutAccount(id)] = true
	l := w.lifeOf(id)
	if l == nil || l.ended {
		return
	}
	l.ended = true
	w.checkPrompt(l, time.Now(), "completed")
}

// hearDeadLetter hears a dead letter. A worker that could not store the completion stores the dead
// letter again.
func (w *watch) hearDeadLetter(m *nats.Msg) {
	queue := m.Header.Get(headerQueue)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.letters[queue] == nil {
		w.letters[queue] = map[string]int{}
	}
	w.letters[queue][keyOf(m.Header)]++
}

// lettersOf counts the events of a queue with a dead letter, and the messages.
func (w *watch) lettersOf(queue string) (events, messages int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.letters[queue] {
		events++
		messages += n
	}
	return events, messages
}

// hearTombstone hears that an account is erased: its events get no word any more.
func (w *watch) hearTombstone(m *nats.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.erased[strings.TrimPrefix(m.Subject, "wagewire.tombstones.")] = true
}

// retried notes that an operator let the waiting events of a queue try now.
func (w *watch) retried(key, queue string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.lives[lifeKey(key, queue)]; l != nil {
		l.ready = time.Now()
	}
}

// unended lists the events without a last word whose accounts are not erased.
func (w *watch) unended() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for id, l := range w.lives {
		if !l.ended && !w.isErased(l) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// isErased reports whether the account of an event is erased. The caller holds the lock.
func (w *watch) isErased(l *eventLife) bool {
	return w.erased[string(l.queue.Provider)+"."+l.account]
}

// isAccountErased reports whether the account of an event is erased.
func (w *watch) isAccountErased(e schema.Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.erased[string(e.Provider)+"."+e.Account()]
}

// lifeOf returns the event of a completion by its id. The caller holds the lock.
func (w *watch) lifeOf(completion string) *eventLife {
	key, r, ok := schema.ParseCompletionKey(completion)
	if !ok {
		return nil
	}
	provider, _, _ := strings.Cut(completion, ":")
	for _, q := range schema.QueuesOf(r) {
		l := w.lives[lifeKey(key, q.Name)]
		if l != nil && string(q.Provider) == provider {
			return l
		}
	}
	return nil
}

// keyOf returns the key of the event with the headers.
func keyOf(h nats.Header) string {
	id, _ := url.PathUnescape(h.Get("ce-id"))
	n, _ := strconv.Atoi(h.Get("Wagewire-Redrive"))
	p := strings.TrimPrefix(h.Get("ce-source"), "urn:wagewire:provider:")
	e := schema.Event{Provider: schema.Provider(p), ID: schema.OriginalID(id, n), Redrive: n}
	return e.Key()
}

func queueOf(name string) schema.Queue {
	all := schema.Queues()
	i := slices.IndexFunc(all, func(q schema.Queue) bool { return q.Name == name })
	if i < 0 {
		return schema.Queue{Name: name}
	}
	return all[i]
}
