package workers_test

import (
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

// deeds are the kinds of input. n is the place of the event.
var deeds = map[string]func(w *walker, n int, i input){
	// The event comes into a hand. The provider answers, or the event stays in the hand.
	"answer": func(w *walker, n int, i input) { w.bring(n); w.answer(n, i.answer) },
	"take":   func(w *walker, n int, _ input) { w.bring(n) },
	"pass":   func(w *walker, _ int, i input) { w.passTime(i.pass) },
	// The worker stops, and gets an answer about the event meanwhile.
	"stop":  func(w *walker, n int, i input) { w.stop(n, i.answer) },
	"kill":  func(w *walker, _ int, _ input) { w.kill() },
	"start": func(w *walker, _ int, _ input) { w.start() },
	// The event comes into a hand, the worker is killed, and another one starts.
	"crash":      func(w *walker, n int, _ input) { w.crash(n) },
	"broker off": func(w *walker, _ int, _ input) { w.stopBroker() },
	"broker on":  func(w *walker, _ int, _ input) { w.startBroker() },
	// The completions stream has no room, and has room again.
	"fill":  func(w *walker, _ int, _ input) { w.fill(true) },
	"drain": func(w *walker, _ int, _ input) { w.fill(false) },
	// An operator ends the wait of the event, or sends its dead letter through the line again.
	"retry now": func(w *walker, n int, _ input) { w.retryNow(n) },
	"redrive":   func(w *walker, n int, _ input) { w.redrive(n) },
	// The provider reports the deletion of the event's account.
	"erase": func(w *walker, n int, _ input) { w.reportDeletion(n) },
}

// input is a step of a walk. An input that cannot happen in a state is left out.
type input struct {
	do     string
	event  int
	answer answer
	times  int
	pass   time.Duration
}

// generator draws inputs. A deed is as often in its list as it should come.
var generator = rapid.Custom(func(t *rapid.T) input {
	i := input{
		do: rapid.SampledFrom(slices.Concat(
			slices.Repeat([]string{"answer"}, 12),
			slices.Repeat([]string{"take", "start", "broker on", "drain", "retry now", "redrive"}, 2),
			[]string{"pass", "stop", "kill", "crash", "broker off", "fill", "erase"},
		)).Draw(t, "do"),
		event: rapid.IntRange(0, 4).Draw(t, "event"),
		times: 1,
	}
	switch i.do {
	case "answer", "stop":
		i.answer = rapid.SampledFrom([]answer{
			"200", "200", "200", "503", "503", "503", "cut", "404", "404", "409", "stale", "403",
			"403", "broken", "broken", "400", "410", "302", "panic", "401", "401", "429", "429+7m",
		}).Draw(t, "answer")
		if i.do == "answer" {
			i.times = rapid.SampledFrom([]int{1, 1, 1, 1, 2, 3, 5}).Draw(t, "times")
		}
	case "pass":
		i.pass = rapid.SampledFrom([]time.Duration{
			time.Second, 20 * time.Second, 2 * time.Minute, 15 * time.Minute, 3 * time.Hour,
		}).Draw(t, "pass")
	case "crash":
		i.times = rapid.SampledFrom([]int{1, 1, 2, 4, 13, 25}).Draw(t, "times")
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
	return input{do: "answer", event: event, answer: a, times: times}
}

// once is an input about the event.
func once(do string, event int) input { return input{do: do, event: event, times: 1} }

// TestAWalkToARareStateEndsThere walks where random walks seldom go.
func TestAWalkToARareStateEndsThere(t *testing.T) {
	passed := input{do: "pass", pass: 2 * time.Minute, times: 1}
	tests := []struct {
		promise string
		inputs  []input
		want    ending
	}{
		{"an outage longer than the ladder ends failed, and no restart or kill takes a step",
			[]input{answered(0, "503", 3), once("take", 0), once("stop", 0), once("start", 0),
				{do: "crash", times: 5}, answered(0, "503", 10)},
			ending{"failed", schema.ClassTransient, 13}},
		{"neither a pause nor a hold takes a step",
			[]input{answered(0, "404", 2), answered(0, "401", 3), answered(0, "429", 3),
				answered(0, "429+7m", 3), answered(0, "404", 3)},
			ending{"unavailable", schema.ClassNotReady, 5}},
		{"a call from before a pause does not end the pause",
			[]input{once("take", 0), answered(2, "401", 1), answered(0, "200", 1)},
			ending{"succeeded", "", 1}},
		{"a full stream ends no event",
			[]input{once("fill", 0), answered(0, "200", 6), once("drain", 0), answered(0, "200", 1)},
			ending{"succeeded", "", 7}},
		{"an event that kills every worker is exhausted",
			[]input{{do: "crash", times: killsMax}, once("take", 0)},
			ending{"failed", schema.ClassExhausted, 1}},
		{"two workers with the same event store one completion",
			[]input{once("take", 0), once("broker off", 0), passed, once("broker on", 0), passed,
				answered(0, "400", 1)},
			ending{"failed", schema.ClassPermanent, 1}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			err := walk(t, test.inputs, func(w *walker) {
				got := w.events[0].completion
				if got == nil || *got != test.want {
					failf("the completion is %v, want %v", got, test.want)
				}
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
	calls chan call
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
// everything end. It returns what differs from the model.
func walk(t *testing.T, inputs []input, look func(*walker)) (err error) {
	streamtest.InBubble(t, true, func(t *testing.T, s *streamtest.BubbleServer) {
		w := &walker{
			calls: make(chan call, 1000), reported: map[string]bool{},
			model: &model{erased: map[string]bool{}, events: []event{
				newEvent("1", "link-connected", "a"),
				newEvent("2", "link-disconnected", "a"),
				newEvent("3", "link-connected", "b"),
			}},
		}
		at := "the start"
		began := time.Now()
		defer func() {
			switch failed := recover().(type) {
			case nil:
			case failure:
				err = fmt.Errorf("at %s, after %v: %w", at, time.Since(began), failed)
			default:
				panic(failed)
			}
			if w.worker != nil {
				w.worker.kill()
			}
		}()
		w.broker = openBroker(t, s)
		w.start()
		for n, i := range inputs {
			at = fmt.Sprintf("input %d, %+v", n, i)
			for range i.times {
				if time.Since(began) < walkMax {
					deeds[i.do](w, i.event%len(w.events), i)
					w.check()
				}
			}
		}
		at = "the end"
		if look != nil {
			look(w)
		}
		w.end()
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

// settle waits until nothing moves without time, and hears the calls of the handler.
func (w *walker) settle() {
	for {
		synctest.Wait()
		select {
		case c := <-w.calls:
			w.hear(c)
		default:
			return
		}
	}
}

func (w *walker) hear(c call) {
	i := w.find(c.event.Key())
	if i < 0 {
		failf("a call about %s, which nobody published", c.event.Key())
	}
	probing := slices.ContainsFunc(w.hands, func(h holding) bool { return h.surely })
	w.hands = append(w.hands, holding{w.take(i, c.attempt, c.at, probing), c})
}

// check compares the model with the broker.
func (w *walker) check() {
	w.settle()
	if w.down {
		return
	}
	s := w.look()
	for account := range s.tombstones {
		if !w.reported[account] {
			failf("a tombstone of %s, and nobody reported its deletion", account)
		}
		if !w.erased[account] {
			w.erase(account)
		}
	}
	for i, e := range w.events {
		isExhausted := func(end ending) bool { return end.class == schema.ClassExhausted }
		if slices.ContainsFunc(s.completions[e.Key()], isExhausted) {
			w.exhaust(i)
		}
	}
	if late := w.compare(s); late > 0 {
		return // no worker has dropped them yet
	}
	for account := range w.erased {
		if s.reports[account] == 0 {
			s.requireErased(account, w.events)
		}
	}
}

// passTime lets virtual time pass.
func (w *walker) passTime(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // virtual time
	w.settle()
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
func (w *walker) bring(i int) {
	w.publish(i)
	for came := true; came; {
		w.check()
		e := &w.events[i]
		mayProbe := func(h holding) bool { return h.probes }
		if w.handOf(i) != nil || w.worker == nil || w.down || e.completion != nil ||
			w.erased[e.Account()] || w.paused && slices.ContainsFunc(w.hands, mayProbe) {
			return
		}
		came = w.awaitCall(e)
	}
}

// awaitCall waits for a call about any event, as long as the event may take. It returns false if
// the event ends without a call, exhausted or erased.
func (w *walker) awaitCall(e *event) (came bool) {
	limit := time.Now()
	if e.wait != nil {
		limit = e.wait.Until
	}
	if w.heldUntil.After(limit) {
		limit = w.heldUntil
	}
	select {
	case c := <-w.calls:
		w.hear(c)
		return true
	case <-time.After(time.Until(limit) + lease + time.Minute):
	}
	w.check()
	if e.completion == nil && !w.erased[e.Account()] {
		failf("event %s does not come: message %+v, wait %+v", e.Key(), e.message, e.wait)
	}
	return false
}

// publish stores the event, unless it is stored.
func (w *walker) publish(i int) {
	e := &w.events[i]
	if e.published || w.down {
		return
	}
	e.ReceivedAt = time.Now()
	e.OccurredAt = e.ReceivedAt
	e.published = true
	if !w.erased[e.Account()] {
		e.message = &message{}
	}
	_, err := w.operator.PublishEvent(w.t.Context(), e.Event)
	require(err)
}

// answer answers the calls about the event. There are two if a lease has ended. While the broker is
// down, an answer is lost with its hand. An answer about a pause is not given then.
func (w *walker) answer(i int, a answer) {
	if w.down && (w.paused || a == "401") {
		return
	}
	for h := w.handOf(i); h != nil; h = w.handOf(i) {
		answered := *h
		w.hands = slices.DeleteFunc(w.hands, func(o holding) bool {
			return o.reply == answered.reply
		})
		answered.reply <- a
		synctest.Wait()
		if w.down {
			w.model.hear(answered.hand, meanings[a], time.Now())
			w.giveBack(answered.hand, true)
			w.passTime(time.Minute) // until the worker gives up
			continue
		}
		w.model.settle(answered.hand, a, time.Now())
		if w.unsure {
			w.paused = w.isPaused()
			w.unsure = false
		}
	}
	w.check()
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

func (w *walker) kill() {
	if w.worker != nil {
		w.worker.kill()
		w.loseWorker(true)
	}
}

// stop stops the worker. If the event is in a hand, the provider gives the answer during the stop,
// unless the answer is "". A worker that stops may not tell the broker of a pause.
func (w *walker) stop(i int, a answer) {
	if w.worker == nil {
		return
	}
	w.worker.cancel()
	if a != "" && !w.down {
		synctest.Wait()
		w.unsure = w.paused || a == "401"
		w.answer(i, a)
	}
	w.worker.end()
	w.loseWorker(w.down)
}

func (w *walker) start() {
	if w.worker == nil {
		w.knowsFrom = time.Now().Add(time.Minute)
		w.worker = startWorker(w.server, w.calls)
	}
}

// crash kills a worker that has the event in a hand, and starts another one. It leaves out a crash
// before an event without deliveries left could be completed.
func (w *walker) crash(i int) {
	if w.full || w.down {
		return
	}
	w.bring(i)
	if w.handOf(i) != nil {
		w.kill()
		w.start()
	}
}

func (w *walker) stopBroker() {
	if !w.down {
		w.server.Stop()
		w.down = true
	}
}

// startBroker starts the broker. The broker forgets heartbeats in its restart: a lease counts from
// the delivery again, and may be over.
func (w *walker) startBroker() {
	if !w.down {
		return
	}
	require(w.server.Start())
	w.down = false
	w.knowsFrom = time.Now().Add(time.Minute)
	for _, e := range w.events {
		if e.message != nil {
			e.message.lapsed = e.message.hands > 0
		}
	}
	w.passTime(5 * time.Second) // until all are connected again
}

// fill takes the room from the completions stream, or gives it back.
func (w *walker) fill(full bool) {
	for _, e := range w.events {
		if full && e.message != nil && e.message.kills > 1 {
			return // an event without deliveries left could not be completed
		}
	}
	if !w.down && w.full != full {
		w.full = full
		w.setFull(full)
	}
}

// retryNow ends the wait of the event.
func (w *walker) retryNow(i int) {
	e := &w.events[i]
	if w.down || e.wait == nil {
		return
	}
	done := 0
	require(w.operator.WaitingOf(w.t.Context(), e.Event, func(waiting stream.Waiting) error {
		retried, err := w.operator.RetryNow(w.t.Context(), waiting)
		if retried {
			done++
		}
		return err
	}))
	if done != 1 {
		failf("%d waits were ended", done)
	}
	e.ripen()
}

// reportDeletion publishes the provider's report that the account of the event is deleted.
func (w *walker) reportDeletion(i int) {
	account := w.events[i].Account()
	if w.down || w.reported[account] {
		return
	}
	report := newEvent("deleted-"+account, "link-deleted", account)
	report.ReceivedAt = time.Now()
	report.OccurredAt = report.ReceivedAt
	w.reported[account] = true
	_, err := w.operator.PublishEvent(w.t.Context(), report.Event)
	require(err)
	w.check()
	if w.worker != nil && !w.full && !w.erased[account] {
		failf("account %s is not erased", account)
	}
}

// redrive sends the dead letter of the event through the line again.
func (w *walker) redrive(i int) {
	e := w.events[i]
	again := e.Event
	again.Redrive = 1
	if w.down || len(e.letters) == 0 || e.Redrive > 0 || w.find(again.Key()) >= 0 {
		return
	}
	decoded, err := w.look().letters[e.Key()][0].Decode()
	require(err)
	stored, err := w.operator.Redrive(w.t.Context(), decoded, w.queue.Name, 1)
	require(err)
	if !stored {
		failf("the redrive of %s is not stored", e.Key())
	}
	again.Queue = w.queue.Name
	w.events = append(w.events, event{Event: again, published: true, message: &message{}})
}

// end lets every event end, with a broker, a worker, room and good answers. Afterwards every
// published event of a living account has a completion, and the broker has nothing else to do.
func (w *walker) end() {
	w.startBroker()
	w.fill(false)
	w.start()
	const roundsMax = 20
	for range roundsMax {
		for i := range w.events {
			if w.events[i].published {
				w.bring(i)
				w.answer(i, "200")
			}
		}
		w.passTime(15 * time.Minute) // more than the wait of a report for room
		w.check()
		if w.isDone() {
			return
		}
	}
	failf("it does not end")
}

// isDone reports whether nothing is left to do. It fails if an event has no completion then.
func (w *walker) isDone() bool {
	s := w.look()
	if s.lag > 0 || len(s.waits) > 0 || len(s.reports) > 0 {
		return false
	}
	for account := range w.reported {
		s.requireErased(account, w.events)
	}
	for _, e := range w.events {
		if e.published && e.completion == nil && !w.erased[e.Account()] {
			failf("event %s has no completion", e.Key())
		}
	}
	return true
}
