package workers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	stops      deed = "stop"       // the worker stops, and may get an answer in the meantime
	kills      deed = "kill"       // the worker is killed
	starts     deed = "start"      // another worker starts
	crashes    deed = "crash"      // the event comes into a hand, the worker is killed, another starts
	restarts   deed = "restart"    // the same with a worker that stops
	brokerEnds deed = "broker off" // the broker stops
	brokerRuns deed = "broker on"  // the broker starts
	fills      deed = "fill"       // the completions stream has no room
	drains     deed = "drain"      // it has room again
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
	// writes is the number of writes behind which the worker loses its connection, counted from the
	// answer. 0 means that it keeps the connection. dies says that the worker is killed there.
	writes int
	dies   bool
	pass   time.Duration
}

// GoString is the input in the output of a failed walk.
func (i input) GoString() string {
	text := string(i.do)
	switch i.do {
	case answers:
		text += fmt.Sprintf(" event %d: %s", i.event, i.answer)
	case stops:
		text += fmt.Sprintf(", event %d: %s", i.event, i.answer)
	case passes:
		text += " " + i.pass.String()
	case takes, crashes, restarts, retries, erases, redrives:
		text += fmt.Sprintf(" event %d", i.event)
	default:
	}
	if i.times > 1 {
		text += fmt.Sprintf(" ×%d", i.times)
	}
	switch {
	case i.writes > 0 && i.dies:
		text += fmt.Sprintf(", killed behind write %d", i.writes)
	case i.writes > 0:
		text += fmt.Sprintf(", connection lost behind write %d", i.writes)
	}
	return "\n\t" + text
}

// deeds are as often in the list as they should come.
var deeds = slices.Concat(
	slices.Repeat([]deed{answers}, 12),
	slices.Repeat([]deed{takes, starts, restarts, brokerRuns, drains, retries, redrives}, 2),
	[]deed{passes, stops, kills, crashes, brokerEnds, fills, erases},
)

// generator draws inputs.
var generator = rapid.Custom(func(t *rapid.T) input {
	i := input{
		do:    rapid.SampledFrom(deeds).Draw(t, "do"),
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
	if i.do == answers && i.times == 1 || i.do == erases {
		i.writes = rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 4, 5, 8}).Draw(t, "writes")
		i.dies = rapid.Bool().Draw(t, "dies")
	}
	return i
})

// TestARandomWalkOfAnEventEndsWhereTheModelSays walks through the states that the package comment
// of workers draws. -rapid.checks is the number of walks.
func TestARandomWalkOfAnEventEndsWhereTheModelSays(t *testing.T) {
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
		{"data that never comes ends unavailable",
			[]input{answered(0, "404", 5)},
			0, &completion{schema.Unavailable, schema.ClassNotReady, 5}},
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
				answered(0, "200", 1), answered(0, "400", 1)},
			0, &completion{schema.Succeeded, "", 1}},
		{"an account erased while its event is in a hand keeps nothing",
			[]input{once(takes, 0), once(erases, 0), answered(0, "400", 1)},
			0, nil},
		{"an account erased while its event is in a hand keeps nothing, though the worker is killed",
			[]input{once(takes, 0), once(erases, 0),
				{do: answers, answer: "400", times: 1, writes: 2, dies: true}},
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

// virtualMax is the longest walk: an event is kept for 14 days.
const virtualMax = 10 * 24 * time.Hour

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
	// reported are the accounts whose deletion the provider has reported. A dirty account is in the
	// middle of an erasure, or lost a worker with one of its late events.
	reported map[string]bool
	dirty    map[string]bool
	story    strings.Builder
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
			t: t, calls: make(chan call, 1000), began: time.Now(),
			model:    &model{erased: map[string]bool{}},
			reported: map[string]bool{}, dirty: map[string]bool{},
		}
		w.events = []event{
			newEvent("1", "link-connected", "a"),
			newEvent("2", "link-disconnected", "a"),
			newEvent("3", "link-connected", "b"),
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
		if err != nil {
			err = fmt.Errorf("%s\n%w", w.story.String(), err)
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
	for _, i := range inputs {
		if time.Since(w.began) > virtualMax {
			break
		}
		fmt.Fprintf(&w.story, "%v:%#v\n", time.Since(w.began), i)
		for range i.times {
			err := w.do(i)
			if err == nil {
				err = w.check()
			}
			if err != nil {
				return fmt.Errorf("%#v: %w", i, err)
			}
		}
	}
	fmt.Fprintf(&w.story, "%v: end\n", time.Since(w.began))
	if look != nil {
		if err := look(w); err != nil {
			return err
		}
	}
	return w.end()
}

func (w *walker) do(i input) error {
	n := i.event % len(w.events)
	switch i.do {
	case answers:
		h, err := w.bring(n)
		if err != nil || h == nil {
			return err
		}
		return w.answer(*h, i)
	case takes:
		_, err := w.bring(n)
		return err
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
		w.stopBroker()
		return nil
	case brokerRuns:
		return w.startBroker()
	case fills, drains:
		return w.fill(i.do == fills)
	case retries:
		return w.retryNow(n)
	case erases:
		return w.reportDeletion(n, i)
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
	probing := slices.ContainsFunc(w.hands, func(h holding) bool { return h.probes == yes })
	h, err := w.take(i, c.attempt, c.at, probing)
	if err != nil {
		return fmt.Errorf("event %s at %v: %w", c.event.Key(), c.at.Sub(w.began), err)
	}
	if c.worker != w.worker { // it was killed meanwhile
		w.release(h, true)
		return nil
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
	return w.checkSight(s)
}

func (w *walker) checkSight(s *sight) error {
	now := time.Now()
	if w.paused == unsure && w.worker != nil && !now.Before(w.sureFrom) {
		w.paused = no
		if s.paused {
			w.paused = yes
		}
	}
	for account := range s.tombstones {
		if !w.reported[account] {
			return fmt.Errorf("a tombstone of %s, and nobody reported its deletion", account)
		}
		if !w.erased[account] {
			w.erase(account)
		}
		if s.reports[account] == 0 && s.deleted[account] == 0 {
			return fmt.Errorf("the report of %s is gone, and no completion tells", account)
		}
	}
	for i := range w.events {
		e := &w.events[i]
		for _, c := range s.completions[e.Key()] {
			if got := describe(c); got.class == schema.ClassExhausted && e.completion == nil {
				w.exhaust(i, got.attempts)
			}
		}
	}
	if text := w.compare(s, now); text != "" {
		return errors.New(text)
	}
	for account := range w.erased {
		if w.dirty[account] || s.reports[account] > 0 || w.isWaitingFor(account) {
			continue
		}
		if text := s.compareErased(account, w.events); text != "" {
			return fmt.Errorf("%s is erased, and has %s", account, text)
		}
	}
	return nil
}

// isWaitingFor reports whether an event of the account is in a hand, or not taken yet.
func (w *walker) isWaitingFor(account string) bool {
	isOfAccount := func(h holding) bool { return h.call.event.Account() == account }
	return w.worker == nil || w.paused != no || time.Now().Before(w.heldUntil) ||
		slices.ContainsFunc(w.hands, isOfAccount)
}

// passTime lets virtual time pass.
func (w *walker) passTime(d time.Duration) error {
	time.Sleep(d) //nolint:forbidigo // virtual time
	return w.settle()
}

func (w *walker) handOf(i int) *holding {
	n := slices.IndexFunc(w.hands, func(h holding) bool { return h.hand.event == i })
	if n < 0 {
		return nil
	}
	return &w.hands[n]
}

// bring lets time pass until the event is in a hand. It returns nil if that cannot happen now.
func (w *walker) bring(i int) (*holding, error) {
	if err := w.publish(i); err != nil {
		return nil, err
	}
	for {
		if err := w.check(); err != nil {
			return nil, err
		}
		e := &w.events[i]
		h := w.handOf(i)
		switch {
		case h != nil, w.worker == nil, w.down, e.completion != nil, w.erased[e.Account()]:
			return h, nil
		case w.paused == unsure:
			if err := w.passTime(time.Until(w.sureFrom)); err != nil {
				return nil, err
			}
			continue
		case w.paused == yes && w.mayProbe():
			return nil, nil
		}
		if came, err := w.awaitCall(e); err != nil || !came {
			return nil, err
		}
	}
}

// mayProbe reports whether a call may be the probe of the paused queue.
func (w *walker) mayProbe() bool {
	return slices.ContainsFunc(w.hands, func(h holding) bool { return h.probes != no })
}

// awaitCall waits for a call, of whatever event, as long as the event may take.
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
	if e.completion == nil && !w.erased[e.Account()] {
		return false, fmt.Errorf("event %s does not come: %+v", e.Key(), *e)
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
	if _, err := w.operator.PublishEvent(w.t.Context(), e.Event); err != nil {
		return err
	}
	e.published = true
	w.add(i, nil)
	return nil
}

// answer gives the answer to the call, and finds the effects that it had at the broker: all of
// them, or some of the first ones if the worker lost its connection.
func (w *walker) answer(h holding, i input) error {
	if w.down { // the connection is lost already
		i.writes = 0
	}
	account := h.call.event.Account()
	at := time.Now()
	was := w.paused
	possible := w.after(h.hand, i.answer, at)
	if i.writes > 0 {
		h.worker.line.breakAt(i.writes, i.dies)
	}
	w.hands = slices.DeleteFunc(w.hands, func(o holding) bool { return o.reply == h.reply })
	h.reply <- i.answer
	synctest.Wait()
	w.release(h.hand, true)
	w.model.hear(h.hand, i.answer, at)
	switch {
	case w.down:
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time: until the worker gives up
		synctest.Wait()
	case i.writes > 0 && i.dies:
		if err := w.loseProcess(was, w.worker.kill()); err != nil {
			return err
		}
	case i.writes > 0 && h.worker.line.keep():
		time.Sleep(10 * time.Second) //nolint:forbidigo // virtual time: until it is connected again
		synctest.Wait()
	}
	partly := w.down || i.writes > 0
	if partly {
		w.soil(account)
	}
	// The broker may not hear of the pause from this worker.
	if (partly || i.do == stops) && (was != no || w.paused != no) {
		w.doubtPause(time.Now())
	}
	if w.down {
		return nil // nothing was stored
	}
	return w.findEffects(h.hand, possible, partly)
}

// findEffects moves the model along the effects that the broker shows. partly allows that only the
// first ones happened. If the broker does not show whether the last effect happened, the
// settlement, the message may still come.
func (w *walker) findEffects(h hand, possible [][]effect, partly bool) error {
	s, err := w.look(w.t.Context())
	if err != nil {
		return err
	}
	now := time.Now()
	var found *model
	var differences []string
	for _, effects := range possible {
		for done := len(effects); done >= 0 && (partly || done == len(effects)); done-- {
			next := w.clone()
			for _, do := range effects[:done] {
				do(next)
			}
			text := next.compare(s, now)
			switch {
			case text != "":
				differences = append(differences, fmt.Sprintf("not %d effects: %s", done, text))
			case found == nil:
				found = next
			case done == len(effects)-1:
				next.events[h.event].message(h.message).maybe = true
				found = next
			}
		}
	}
	if found == nil {
		return errors.New(strings.Join(differences, "\n"))
	}
	e := &found.events[h.event]
	if e.completion != nil && e.completedAt.IsZero() {
		e.completedAt = now
	}
	w.model = found
	return w.settle()
}

// soil notes that an erased account may keep something until one of its events comes again.
func (w *walker) soil(account string) {
	if w.erased[account] {
		w.dirty[account] = true
	}
}

// loseProcess notes the end of the worker with everything in its hands.
func (w *walker) loseProcess(was certainty, err error) error {
	for _, h := range w.hands {
		w.release(h.hand, true)
		w.soil(h.call.event.Account())
	}
	w.hands = nil
	w.worker = nil
	w.loseWorker(was, time.Now())
	return err
}

func (w *walker) kill() error {
	if w.worker == nil {
		return nil
	}
	return w.loseProcess(w.paused, w.worker.kill())
}

// stop stops the worker. If the event is in a hand, the provider gives the answer during the stop,
// unless the answer is "".
func (w *walker) stop(i int, a answer) error {
	if w.worker == nil {
		return nil
	}
	was := w.paused
	w.worker.cancel()
	if h := w.handOf(i); h != nil && !w.down && a != "" {
		if err := w.answer(*h, input{do: stops, answer: a}); err != nil {
			return err
		}
	}
	err := w.worker.end()
	for _, h := range w.hands {
		w.release(h.hand, w.down)
	}
	w.hands = nil
	return w.loseProcess(was, err)
}

func (w *walker) start() error {
	if w.worker != nil {
		return nil
	}
	var err error
	w.worker, err = startWorker(w.server, w.calls)
	if w.paused != no {
		w.doubtPause(time.Now())
	}
	return err
}

// restart ends a worker that has the event in a hand, and starts another one.
func (w *walker) restart(i int, end func() error) error {
	if w.full || w.down { // an event without deliveries left could not be completed
		return nil
	}
	h, err := w.bring(i)
	if err != nil || h == nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	return w.start()
}

func (w *walker) stopBroker() {
	if !w.down {
		w.server.Stop()
		w.down = true
	}
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
	time.Sleep(5 * time.Second) //nolint:forbidigo // virtual time: until all are connected again
	for i := range w.events {
		for n := range w.events[i].messages {
			msg := &w.events[i].messages[n]
			msg.lapsed = msg.hands > 0
		}
	}
	if w.paused != no {
		w.doubtPause(time.Now())
	}
	return w.settle()
}

// fill takes the room from the completions stream, or gives it back.
func (w *walker) fill(full bool) error {
	isDying := func(msg message) bool { return msg.kills > 1 }
	for _, e := range w.events {
		if full && slices.ContainsFunc(e.messages, isDying) {
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
	e := w.events[i]
	if w.down || e.wait == nil {
		return nil
	}
	done := 0
	err := w.operator.WaitingOf(w.t.Context(), e.Event, func(waiting stream.Waiting) error {
		done++
		retried, err := w.operator.RetryNow(w.t.Context(), waiting)
		if err == nil && !retried {
			err = errors.New("it no longer waits")
		}
		return err
	})
	if err == nil && done != 1 {
		err = fmt.Errorf("%d waits were ended", done)
	}
	if err != nil {
		return err
	}
	w.ripen(i)
	// The broker has the wait no more, so its time does not matter.
	return nil
}

// reportDeletion publishes the provider's report that the account of the event is deleted.
func (w *walker) reportDeletion(n int, i input) error {
	account := w.events[n].Account()
	if w.down || w.reported[account] {
		return nil
	}
	report := newEvent("deleted-"+account, "link-deleted", account)
	report.ReceivedAt = time.Now()
	report.OccurredAt = report.ReceivedAt
	isDone := w.worker != nil && !w.full && i.writes == 0
	if w.worker != nil && i.writes > 0 {
		w.worker.line.breakAt(i.writes, i.dies)
	}
	w.reported[account] = true
	if _, err := w.operator.PublishEvent(w.t.Context(), report.Event); err != nil {
		return err
	}
	synctest.Wait()
	if w.worker != nil && i.writes > 0 {
		w.dirty[account] = true
		if i.dies {
			if err := w.kill(); err != nil {
				return err
			}
		} else if w.worker.line.keep() {
			time.Sleep(10 * time.Second) //nolint:forbidigo // virtual time: as above
		}
	}
	if err := w.check(); err != nil {
		return err
	}
	if isDone && !w.erased[account] {
		return fmt.Errorf("account %s is not erased", account)
	}
	return nil
}

// redrive sends the dead letter of the event through the line again.
func (w *walker) redrive(i int) error {
	e := w.events[i]
	if w.down || len(e.letters) == 0 || e.Redrive > 0 || w.erased[e.Account()] {
		return nil
	}
	again := e.Event
	again.Redrive = 1
	if w.find(again.Key()) >= 0 {
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
	w.events = append(w.events, event{Event: again, published: true})
	w.add(len(w.events)-1, nil)
	return nil
}

// end lets every event end: with a broker, a worker, room and good answers. Afterwards every
// published event of a living account has a completion, and the broker has nothing else to do.
func (w *walker) end() error {
	for _, heal := range []func() error{
		w.startBroker,
		func() error { return w.fill(false) },
		w.start,
		func() error { return w.passTime(2 * time.Minute) },
		w.check,
	} {
		if err := heal(); err != nil {
			return err
		}
	}
	const roundsMax = 50
	for range roundsMax {
		if err := w.hurry(); err != nil {
			return err
		}
		for len(w.hands) > 0 {
			if err := w.answer(w.hands[0], input{answer: "200"}); err != nil {
				return err
			}
		}
		if err := w.passTime(2 * time.Minute); err != nil {
			return err
		}
		if err := w.check(); err != nil {
			return err
		}
		done, err := w.isDone()
		if err != nil || done {
			return err
		}
	}
	return errors.New("it does not end")
}

// hurry ends every wait.
func (w *walker) hurry() error {
	for _, queue := range []string{w.queue.Name, w.erasures.Name} {
		err := w.operator.Waiting(w.t.Context(), queue, "*", func(waiting stream.Waiting) error {
			_, err := w.operator.RetryNow(w.t.Context(), waiting)
			if i := w.find(waiting.Event.Key()); i >= 0 && w.events[i].wait != nil {
				w.ripen(i)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return w.check()
}

// isDone reports whether nothing is left to do. The error says what is left that should not be.
func (w *walker) isDone() (bool, error) {
	s, err := w.look(w.t.Context())
	if err != nil || s.lag > 0 || len(s.waits) > 0 {
		return false, err
	}
	for account := range w.reported {
		if s.reports[account] > 0 || !s.tombstones[account] {
			return false, nil
		}
		if text := s.compareErased(account, w.events); text != "" {
			return false, fmt.Errorf("%s is erased, and has %s", account, text)
		}
	}
	for _, e := range w.events {
		if e.published && e.completion == nil && !w.erased[e.Account()] {
			return false, fmt.Errorf("event %s has no completion: %+v", e.Key(), e)
		}
	}
	return true, nil
}
