package workers_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// deed is a kind of input.
type deed string

const (
	answers    deed = "answer"     // the event comes into a hand, and the provider answers
	takes      deed = "take"       // the event comes into a hand, and stays there
	passes     deed = "pass"       // time passes
	stops      deed = "stop"       // the worker stops, and gets an answer about the event meanwhile
	kills      deed = "kill"       // the worker is killed
	starts     deed = "start"      // another worker starts
	crashes    deed = "crash"      // the event comes into a hand, the worker is killed, another starts
	restarts   deed = "restart"    // the same with a worker that stops
	brokerEnds deed = "broker off" // the broker stops
	brokerRuns deed = "broker on"  // the broker starts
	fills      deed = "fill"       // the completions stream has no room
	drains     deed = "drain"      // the completions stream has room again
	retries    deed = "retry now"  // an operator ends the wait of the event
	erases     deed = "erase"      // the provider reports the deletion of the event's account
	redrives   deed = "redrive"    // an operator sends a dead letter through the line again
)

// input is a step of a walk. An input that cannot happen in a state is left out.
type input struct {
	do     deed
	event  int
	answer answer
	times  int
	pass   time.Duration
}

// GoString is the input in the output of a failed walk.
func (i input) GoString() string {
	return fmt.Sprintf("\n\t%s event %d: %s ×%d, %v", i.do, i.event, i.answer, i.times, i.pass)
}

// generator draws inputs. A deed is as often in its list as it should come.
var generator = rapid.Custom(func(t *rapid.T) input {
	i := input{
		do: rapid.SampledFrom(slices.Concat(
			slices.Repeat([]deed{answers}, 12),
			slices.Repeat([]deed{takes, starts, restarts, brokerRuns, drains, retries, redrives}, 2),
			[]deed{passes, stops, kills, crashes, brokerEnds, fills, erases},
		)).Draw(t, "do"),
		event: rapid.IntRange(0, 4).Draw(t, "event"),
		times: 1,
	}
	switch i.do {
	case answers, stops:
		i.answer = rapid.SampledFrom([]answer{
			"200", "200", "200", "503", "503", "503", "cut", "404", "404", "409", "stale", "403",
			"403", "broken", "broken", "400", "410", "302", "panic", "401", "401", "429", "429+7m",
		}).Draw(t, "answer")
		if i.do == answers {
			i.times = rapid.SampledFrom([]int{1, 1, 1, 1, 2, 3, 5}).Draw(t, "times")
		}
	case passes:
		i.pass = rapid.SampledFrom([]time.Duration{
			time.Second, 20 * time.Second, 2 * time.Minute, 15 * time.Minute, 3 * time.Hour,
		}).Draw(t, "pass")
	case crashes:
		i.times = rapid.SampledFrom([]int{1, 1, 2, 4, 13, 25}).Draw(t, "times")
	case restarts:
		i.times = rapid.SampledFrom([]int{1, 5}).Draw(t, "times")
	default:
	}
	return i
})

// TestARandomWalkEndsWhereTheModelSays walks through the states that the package comment of workers
// draws. -rapid.checks is the number of walks.
func TestARandomWalkEndsWhereTheModelSays(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		inputs := rapid.SliceOfN(generator, 1, 30).Draw(r, "walk")
		if err := walk(t, inputs, nil); err != nil {
			r.Log(err)
			r.Fatal("the walk does not go as the model says") // the same words: rapid compares them
		}
	})
}

// answered is an input: the provider answers a call about the event.
func answered(event int, a answer, times int) input {
	return input{do: answers, event: event, answer: a, times: times}
}

// once is an input about the event.
func once(do deed, event int) input { return input{do: do, event: event, times: 1} }

// TestAWalkToARareStateEndsThere walks where random walks seldom go.
func TestAWalkToARareStateEndsThere(t *testing.T) {
	passed := input{do: passes, pass: 2 * time.Minute, times: 1}
	tests := []struct {
		promise string
		inputs  []input
		event   int
		want    *completion
	}{
		{"data that stays behind its webhook is taken as it is",
			[]input{answered(0, "stale", 5)},
			0, &completion{schema.Succeeded, "", 5}},
		{"a forbidden record ends unavailable",
			[]input{answered(0, "403", 5)},
			0, &completion{schema.Unavailable, schema.ClassForbidden, 5}},
		{"a broken contract ends failed",
			[]input{answered(0, "broken", 5)},
			0, &completion{schema.Failed, schema.ClassContract, 5}},
		{"an outage longer than the ladder ends failed, and no restart or kill takes a step",
			[]input{answered(0, "503", 3), {do: restarts, times: 5}, {do: crashes, times: 5},
				{do: restarts, times: 5}, answered(0, "503", 10)},
			0, &completion{schema.Failed, schema.ClassTransient, 13}},
		{"neither a pause nor a hold takes a step",
			[]input{answered(0, "404", 2), answered(0, "401", 3), answered(0, "429", 3),
				answered(0, "429+7m", 3), answered(0, "404", 3)},
			0, &completion{schema.Unavailable, schema.ClassNotReady, 5}},
		{"a full stream ends no event",
			[]input{once(fills, 0), answered(0, "200", 6), once(drains, 0), answered(0, "200", 1)},
			0, &completion{schema.Succeeded, "", 7}},
		{"an event that kills every worker is exhausted",
			[]input{{do: crashes, times: killsMax}, once(takes, 0)},
			0, &completion{schema.Failed, schema.ClassExhausted, 1}},
		{"a redriven dead letter begins anew",
			[]input{answered(0, "400", 1), once(redrives, 0), answered(3, "503", 1),
				answered(3, "200", 1)},
			3, &completion{schema.Succeeded, "", 2}},
		{"two workers with the same event store one completion",
			[]input{once(takes, 0), once(brokerEnds, 0), passed, once(brokerRuns, 0), passed,
				answered(0, "400", 1)},
			0, &completion{schema.Failed, schema.ClassPermanent, 1}},
		{"an account erased while its event is in a hand keeps nothing",
			[]input{once(takes, 0), once(erases, 0), answered(0, "400", 1)},
			0, nil},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			err := walk(t, test.inputs, func(w *walker) error {
				got := w.events[test.event].completion
				if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
					return fmt.Errorf("the completion is %+v, want %+v", got, test.want)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// walkMax ends a walk. An event is kept for 14 days.
const walkMax = 10 * 24 * time.Hour

// walker does the inputs, and moves the model along.
type walker struct {
	*broker
	*model
	t     *testing.T
	calls chan call
	began time.Time
	// worker is nil if none runs, and down is true while the broker is stopped.
	worker *worker
	down   bool
	hands  []holding
	// reported are the accounts whose deletion the provider has reported.
	reported map[string]bool
}

// holding is a call that waits for its answer.
type holding struct {
	hand
	call
}

// walk does the inputs in a bubble of their own, calls look unless it is nil, and then lets
// everything end.
func walk(t *testing.T, inputs []input, look func(*walker) error) (err error) {
	streamtest.InBubble(t, true, func(t *testing.T, s *streamtest.BubbleServer) {
		w := &walker{
			t: t, calls: make(chan call, 1000), began: time.Now(), reported: map[string]bool{},
			model: &model{erased: map[string]bool{}, events: []event{
				newEvent("1", "link-connected", "a"),
				newEvent("2", "link-disconnected", "a"),
				newEvent("3", "link-connected", "b"),
			}},
		}
		w.broker, err = openBroker(t.Context(), s)
		if err != nil {
			return
		}
		defer w.close()
		err = w.walk(inputs, look)
		if w.worker != nil {
			err = errors.Join(err, w.worker.kill())
		}
	})
	return err
}

func newEvent(id, name, account string) event {
	row := schema.Lookup(schema.Truv, name)
	return event{Event: schema.Event{
		Provider: schema.Truv, ID: id, Type: name, Resource: row.Resource, Action: row.Action,
		AccountID: account, Body: fmt.Appendf(nil, `{"link_id":%q,"webhook_id":%q}`, account, id),
	}}
}

func (w *walker) walk(inputs []input, look func(*walker) error) error {
	if err := w.start(); err != nil {
		return err
	}
	for n, i := range inputs {
		for range i.times {
			if time.Since(w.began) > walkMax {
				return w.end()
			}
			if err := inOrder(func() error { return w.do(i) }, w.check); err != nil {
				return fmt.Errorf("input %d, after %v:%#v: %w", n, time.Since(w.began), i, err)
			}
		}
	}
	if look != nil {
		if err := look(w); err != nil {
			return err
		}
	}
	return w.end()
}

// inOrder calls functions up to the first error.
func inOrder(all ...func() error) error {
	for _, do := range all {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) do(i input) error {
	n := i.event % len(w.events)
	switch i.do {
	case answers:
		if err := w.bring(n); err != nil {
			return err
		}
		return w.answer(n, i.answer)
	case takes:
		return w.bring(n)
	case passes:
		return w.passTime(i.pass)
	case stops:
		return w.stop(n, i.answer)
	case kills:
		return w.kill()
	case starts:
		return w.start()
	case crashes:
		return w.restart(n, w.kill)
	case restarts:
		return w.restart(n, func() error { return w.stop(n, "") })
	case brokerEnds:
		return w.stopBroker()
	case brokerRuns:
		return w.startBroker()
	case fills, drains:
		return w.fill(i.do == fills)
	case retries:
		return w.retryNow(n)
	case erases:
		return w.reportDeletion(n)
	case redrives:
		return w.redrive(n)
	default:
		return fmt.Errorf("nobody knows how to do %q", i.do)
	}
}

// settle waits until nothing moves without time, and hears the calls of the handler.
func (w *walker) settle() error {
	for {
		synctest.Wait()
		select {
		case c := <-w.calls:
			if err := w.hear(c); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (w *walker) hear(c call) error {
	i := w.find(c.event.Key())
	if i < 0 {
		return fmt.Errorf("a call about %s, which nobody published", c.event.Key())
	}
	probing := slices.ContainsFunc(w.hands, func(h holding) bool { return h.surely })
	h, err := w.take(i, c.attempt, c.at, probing)
	if err != nil {
		return fmt.Errorf("event %s after %v: %w", c.event.Key(), c.at.Sub(w.began), err)
	}
	w.hands = append(w.hands, holding{h, c})
	return nil
}

// check compares the model with the broker.
func (w *walker) check() error {
	if err := w.settle(); err != nil || w.down {
		return err
	}
	s, err := w.look(w.t.Context())
	if err != nil {
		return err
	}
	for account := range s.tombstones {
		if !w.reported[account] {
			return fmt.Errorf("a tombstone of %s, and nobody reported its deletion", account)
		}
		if !w.erased[account] {
			w.erase(account)
		}
	}
	for i := range w.events {
		for _, c := range s.completions[w.events[i].Key()] {
			if got := describe(c); got.class == schema.ClassExhausted {
				w.exhaust(i, got.attempts)
			}
		}
	}
	if text := w.compare(s, time.Now()); text != "" {
		return errors.New(text)
	}
	return w.checkErased(s)
}

// checkErased checks the accounts with a tombstone. An event that comes after the erasure is there
// until a worker has dropped it.
func (w *walker) checkErased(s *sight) error {
	for account := range w.erased {
		isOfAccount := func(h holding) bool { return h.call.event.Account() == account }
		switch {
		case s.reports[account] > 0:
			continue
		case s.deleted[account] != 1:
			return fmt.Errorf("%s is erased, with %d completions", account, s.deleted[account])
		case w.worker == nil, w.paused, time.Now().Before(w.heldUntil),
			slices.ContainsFunc(w.hands, isOfAccount):
			continue
		}
		if text := s.compareErased(account, w.events); text != "" {
			return fmt.Errorf("%s is erased, and has %s", account, text)
		}
	}
	return nil
}

// passTime lets virtual time pass.
func (w *walker) passTime(d time.Duration) error {
	time.Sleep(d) //nolint:forbidigo // virtual time
	return w.settle()
}

// handOf returns a worker's hand with the event, nil if no worker has the event.
func (w *walker) handOf(i int) *holding {
	n := slices.IndexFunc(w.hands, func(h holding) bool { return h.hand.event == i })
	if n < 0 {
		return nil
	}
	return &w.hands[n]
}

// bring lets time pass until the event is in a hand, unless that cannot happen.
func (w *walker) bring(i int) error {
	if err := w.publish(i); err != nil {
		return err
	}
	for {
		if err := w.check(); err != nil {
			return err
		}
		e := &w.events[i]
		mayProbe := func(h holding) bool { return h.probes }
		switch {
		case w.handOf(i) != nil, w.worker == nil, w.down, e.completion != nil, w.erased[e.Account()],
			w.paused && slices.ContainsFunc(w.hands, mayProbe):
			return nil
		}
		if came, err := w.awaitCall(e); err != nil || !came {
			return err
		}
	}
}

// awaitCall waits for a call about any event, as long as the event may take.
func (w *walker) awaitCall(e *event) (came bool, err error) {
	limit := time.Now()
	if e.wait != nil {
		limit = e.wait.until
	}
	if w.heldUntil.After(limit) {
		limit = w.heldUntil
	}
	limit = limit.Add(lease + time.Minute)
	select {
	case c := <-w.calls:
		return true, w.hear(c)
	case <-time.After(time.Until(limit)):
	}
	if err := w.check(); err != nil {
		return false, err
	}
	if e.completion == nil { // it may be exhausted
		return false, fmt.Errorf("event %s does not come: message %+v, wait %+v",
			e.Key(), e.message, e.wait)
	}
	return false, nil
}

// publish stores the event, unless it is stored.
func (w *walker) publish(i int) error {
	e := &w.events[i]
	if e.published || w.down {
		return nil
	}
	e.ReceivedAt = time.Now()
	e.OccurredAt = e.ReceivedAt
	e.published = true
	if !w.erased[e.Account()] {
		e.message = &message{}
	}
	_, err := w.operator.PublishEvent(w.t.Context(), e.Event)
	return err
}

// answer answers the calls about the event. There are two if a lease has ended. While the broker is
// down, an answer is lost with its hand; an answer that begins or ends a pause is not given then.
func (w *walker) answer(i int, a answer) error {
	if w.down && (w.paused || a == "401") {
		return nil
	}
	for h := w.handOf(i); h != nil; h = w.handOf(i) {
		answered := *h
		w.hands = slices.DeleteFunc(w.hands, func(o holding) bool { return o.reply == answered.reply })
		answered.reply <- a
		synctest.Wait()
		if !w.down {
			w.model.settle(answered.hand, a, time.Now())
			if err := w.learnPause(); err != nil {
				return err
			}
			continue
		}
		w.model.hear(answered.hand, meanings[a], time.Now())
		w.giveBack(answered.hand, true)
		if err := w.passTime(time.Minute); err != nil { // until the worker gives up
			return err
		}
	}
	return w.check()
}

// learnPause asks the broker for the pause if the model is not sure.
func (w *walker) learnPause() error {
	if !w.unsure {
		return nil
	}
	state, err := w.operator.Queue(w.queue).PauseState(w.t.Context())
	w.paused = state.Paused
	w.unsure = false
	return err
}

// loseWorker notes the end of the worker, with everything in its hands.
func (w *walker) loseWorker(died bool) {
	for _, h := range w.hands {
		w.giveBack(h.hand, died)
	}
	w.hands = nil
	w.worker = nil
	w.heldUntil = time.Time{}
}

func (w *walker) kill() error {
	if w.worker == nil {
		return nil
	}
	err := w.worker.kill()
	w.loseWorker(true)
	return err
}

// stop stops the worker. If the event is in a hand, the provider gives the answer during the stop,
// unless the answer is "". A worker that stops may not tell the broker of a pause.
func (w *walker) stop(i int, a answer) error {
	if w.worker == nil {
		return nil
	}
	w.worker.cancel()
	if a != "" && !w.down {
		synctest.Wait()
		w.unsure = w.paused || meanings[a].shows == refused
		if err := w.answer(i, a); err != nil {
			return err
		}
	}
	err := w.worker.end()
	w.loseWorker(w.down)
	return err
}

func (w *walker) start() error {
	if w.worker != nil {
		return nil
	}
	w.knowsFrom = time.Now().Add(time.Minute)
	var err error
	w.worker, err = startWorker(w.server, w.calls)
	return err
}

// restart ends a worker that has the event in a hand, and starts another one.
func (w *walker) restart(i int, end func() error) error {
	if w.full || w.down { // an event without deliveries left could not be completed
		return nil
	}
	if err := w.bring(i); err != nil || w.handOf(i) == nil {
		return err
	}
	return inOrder(end, w.start)
}

func (w *walker) stopBroker() error {
	if !w.down {
		w.server.Stop()
		w.down = true
	}
	return nil
}

// startBroker starts the broker. The broker forgets heartbeats in its restart: a lease counts from
// the delivery again, and may be over.
func (w *walker) startBroker() error {
	if !w.down {
		return nil
	}
	if err := w.server.Start(); err != nil {
		return err
	}
	w.down = false
	w.knowsFrom = time.Now().Add(time.Minute)
	for _, e := range w.events {
		if e.message != nil {
			e.message.lapsed = e.message.hands > 0
		}
	}
	return w.passTime(5 * time.Second) // until all are connected again
}

// fill takes the room from the completions stream, or gives it back.
func (w *walker) fill(full bool) error {
	for _, e := range w.events {
		if full && e.message != nil && e.message.kills > 1 {
			return nil // an event without deliveries left could not be completed
		}
	}
	if w.down || w.full == full {
		return nil
	}
	w.full = full
	return w.setFull(w.t.Context(), full)
}

// retryNow ends the wait of the event.
func (w *walker) retryNow(i int) error {
	e := &w.events[i]
	if w.down || e.wait == nil {
		return nil
	}
	done := 0
	err := w.operator.WaitingOf(w.t.Context(), e.Event, func(waiting stream.Waiting) error {
		retried, err := w.operator.RetryNow(w.t.Context(), waiting)
		if retried {
			done++
		}
		return err
	})
	if err != nil || done != 1 {
		return fmt.Errorf("%d waits were ended: %w", done, err)
	}
	e.ripen()
	return nil
}

// reportDeletion publishes the provider's report that the account of the event is deleted.
func (w *walker) reportDeletion(i int) error {
	account := w.events[i].Account()
	if w.down || w.reported[account] {
		return nil
	}
	report := newEvent("deleted-"+account, "link-deleted", account)
	report.ReceivedAt = time.Now()
	report.OccurredAt = report.ReceivedAt
	w.reported[account] = true
	if _, err := w.operator.PublishEvent(w.t.Context(), report.Event); err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return err
	}
	if w.worker != nil && !w.full && !w.erased[account] {
		return fmt.Errorf("account %s is not erased", account)
	}
	return nil
}

// redrive sends the dead letter of the event through the line again.
func (w *walker) redrive(i int) error {
	e := w.events[i]
	again := e.Event
	again.Redrive = 1
	if w.down || len(e.letters) == 0 || e.Redrive > 0 || w.find(again.Key()) >= 0 {
		return nil
	}
	s, err := w.look(w.t.Context())
	if err != nil {
		return err
	}
	decoded, err := s.letters[e.Key()][0].Decode()
	if err != nil {
		return err
	}
	stored, err := w.operator.Redrive(w.t.Context(), decoded, w.queue.Name, 1)
	if err != nil || !stored {
		return fmt.Errorf("redrive: stored is %v: %w", stored, err)
	}
	again.Queue = w.queue.Name
	w.events = append(w.events, event{Event: again, published: true, message: &message{}})
	return nil
}

// end lets every event end, with a broker, a worker, room and good answers. Afterwards every
// published event of a living account has a completion, and the broker has nothing else to do.
func (w *walker) end() error {
	pass := func() error { return w.passTime(2 * time.Minute) }
	err := inOrder(w.startBroker, func() error { return w.fill(false) }, w.start, pass, w.check)
	if err != nil {
		return fmt.Errorf("begin of the end: %w", err)
	}
	const roundsMax = 50
	for range roundsMax {
		if err := w.hurry(); err != nil {
			return fmt.Errorf("end: %w", err)
		}
		for len(w.hands) > 0 {
			if err := w.answer(w.hands[0].hand.event, "200"); err != nil {
				return fmt.Errorf("last answer: %w", err)
			}
		}
		if err := inOrder(pass, w.check); err != nil {
			return fmt.Errorf("end: %w", err)
		}
		if done, err := w.isDone(); err != nil || done {
			return err
		}
	}
	return errors.New("it does not end")
}

// hurry ends every wait, also of the reports.
func (w *walker) hurry() error {
	for _, queue := range []string{w.queue.Name, w.erasures.Name} {
		err := w.operator.Waiting(w.t.Context(), queue, "*", func(waiting stream.Waiting) error {
			_, err := w.operator.RetryNow(w.t.Context(), waiting)
			if i := w.find(waiting.Event.Key()); i >= 0 && w.events[i].wait != nil {
				w.events[i].ripen()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return w.check()
}

// isDone reports whether the broker and the workers have nothing left to do. The error says which
// event has no completion then.
func (w *walker) isDone() (bool, error) {
	s, err := w.look(w.t.Context())
	if err != nil || s.lag > 0 || len(s.waits) > 0 {
		return false, err
	}
	for account := range w.reported {
		if s.reports[account] > 0 || !s.tombstones[account] {
			return false, nil
		}
	}
	for _, e := range w.events {
		if e.published && e.completion == nil && !w.erased[e.Account()] {
			return false, fmt.Errorf("event %s has no completion", e.Key())
		}
	}
	return true, w.checkErased(s)
}
