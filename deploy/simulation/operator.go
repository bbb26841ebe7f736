package simulation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
)

// nothing is the end of a fault that lasts for a moment.
func nothing() {}

// answerWith lets the providers answer as the fault says.
func (w *world) answerWith(f Fault) (end func()) {
	w.gate.begin(f)
	return func() { w.gate.end(f) }
}

func (w *world) serveStale(f Fault) (end func()) {
	w.setStale(f.Person, 1)
	return func() { w.setStale(f.Person, -1) }
}

func (w *world) stopProcess(f Fault) (end func()) {
	p := w.processes[f.Process]
	w.end(p, (*life).finish)
	return p.release
}

func (w *world) killProcess(f Fault) (end func()) {
	p := w.processes[f.Process]
	kill := func() {
		if w.end(p, (*life).kill) {
			w.kills.Add(1)
		}
	}
	l := p.current()
	if f.Moment == "" || l == nil {
		kill()
		return p.release
	}
	var restarts sync.WaitGroup
	l.wires.onWrite(string(f.Moment), f.Skip, func() {
		kill()
		restarts.Go(func() {
			w.pass(restartFor)
			p.release()
		})
	})
	return func() {
		l.wires.onWrite("", 0, nil)
		restarts.Wait()
	}
}

// restartFor is how long a process is away that was killed at a moment.
const restartFor = 10 * time.Second

func (w *world) stopAll(f Fault) (end func()) {
	return w.stopCommands(f.Process)
}

// stopCommands stops every process of the commands at the same time.
func (w *world) stopCommands(commands ...string) (end func()) {
	var all sync.WaitGroup
	var stopped []*process
	for _, p := range w.processes {
		if slices.Contains(commands, p.command) {
			stopped = append(stopped, p)
			all.Go(func() { w.end(p, (*life).finish) })
		}
	}
	all.Wait()
	return func() {
		for _, p := range stopped {
			p.release()
		}
	}
}

// end keeps a process from running. how ends its life, if there is one.
func (w *world) end(p *process, how func(*life)) (ended bool) {
	l := p.hold()
	if l == nil {
		return false
	}
	how(l)
	return true
}

func (w *world) stopBroker(Fault) (end func()) {
	if !w.brokerHolds.hold() {
		return w.releaseBroker
	}
	w.broker.stop()
	w.stops.Add(1)
	return w.releaseBroker
}

func (w *world) releaseBroker() {
	if !w.brokerHolds.release() {
		return
	}
	if err := w.broker.start(w.watch.subscribe); err != nil {
		w.violate("broker", "", "it does not start on its files: %v", err)
	}
}

// holds counts what keeps something from running.
type holds struct {
	mu sync.Mutex
	n  int
}

// hold reports whether nothing else keeps it.
func (h *holds) hold() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	return h.n == 1
}

// release reports whether nothing keeps it any more.
func (h *holds) release() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n--
	return h.n == 0
}

// fill lets a stream take no more messages.
func (w *world) fill(f Fault) (end func()) {
	limit := func(bytes func(*jetstream.StreamInfo) int64) {
		js := w.broker.jetStream()
		if js == nil {
			return
		}
		ctx, cancel := context.WithTimeout(w.ctx, askFor)
		defer cancel()
		s, err := js.Stream(ctx, f.Stream)
		if err != nil {
			return // the broker has stopped
		}
		config := s.CachedInfo().Config
		config.MaxBytes = bytes(s.CachedInfo())
		_, _ = js.UpdateStream(ctx, config)
	}
	limit(func(i *jetstream.StreamInfo) int64 { return int64(i.State.Bytes) + 1 })
	return func() {
		limit(func(*jetstream.StreamInfo) int64 { return streamBytesMax })
		if w.broker.jetStream() == nil {
			w.fullStreams.Add(1) // heal makes room
		}
	}
}

// askFor limits a question of the simulation to the broker.
const askFor = 10 * time.Second

// streamBytesMax is the room of a stream that is not full.
const streamBytesMax = 64 << 20

// operate lets an operator do something. Without a broker the operator gives up.
func (w *world) operate(do func(ctx context.Context, o *stream.Operator) error) {
	if w.broker.jetStream() == nil {
		return
	}
	conn, err := stream.Connect(
		stream.Config{Dialer: w, PingEvery: pingEvery}, "wagewire-operator", w.log("operator"))
	if err != nil {
		w.violate("operator", "", "it cannot connect: %v", err)
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	stops := w.stops.Load()
	err = do(ctx, stream.NewOperator(conn))
	isDisturbed := w.stops.Load() != stops || ctx.Err() != nil || errors.Is(err, stream.ErrNoQueue)
	if err != nil && !isDisturbed {
		w.violate("operator", "", "a command failed: %v", err)
	}
}

func (w *world) pauseQueue(f Fault) (end func()) {
	q := queueOf(f.Queue)
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		return o.Pause(ctx, q, time.Now().Add(f.For))
	})
	return func() {
		w.operate(func(ctx context.Context, o *stream.Operator) error {
			_, err := o.Resume(ctx, q)
			return err
		})
	}
}

func (w *world) retryQueue(f Fault) (end func()) {
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		var waiting []stream.Waiting
		err := o.Waiting(ctx, f.Queue, "*", func(found stream.Waiting) error {
			waiting = append(waiting, found)
			return nil
		})
		for _, each := range waiting {
			retried, failed := o.RetryNow(ctx, each)
			err = errors.Join(err, failed)
			if retried {
				w.watch.retried(each.Event.Key(), each.Queue)
			}
		}
		return err
	})
	return nothing
}

func (w *world) redriveAll(Fault) (end func()) {
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		var letters []stream.Letter
		err := o.Scan(ctx, schema.DeadLettersStream, stream.Selection{},
			func(m stream.Stored) error {
				letters = append(letters, stream.ReadLetter(m))
				return nil
			})
		for _, letter := range letters {
			e, undecodable := letter.Decode()
			if undecodable == nil {
				err = errors.Join(err, w.sendAgain(ctx, o, e, letter.Queue))
			}
		}
		return err
	})
	return nothing
}

func (w *world) replayEvents(f Fault) (end func()) {
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		which := stream.Selection{Filters: queueOf(f.Queue).Subjects}
		var events []schema.Event
		err := o.Headings(ctx, which, func(h stream.Heading) error {
			m, found, err := o.Message(ctx, schema.EventsStream, h.Sequence)
			if err != nil || !found {
				return err
			}
			e, undecodable := stream.DecodeEvent(m)
			if undecodable == nil && e.Redrive == 0 && w.isAbout(e.AccountID, f.Person) {
				events = append(events, e)
			}
			return nil
		})
		for _, e := range events {
			err = errors.Join(err, w.sendAgain(ctx, o, e, f.Queue))
		}
		return err
	})
	return nothing
}

// sendAgain redrives an event, as wagewire dead redrive and wagewire replay do.
func (w *world) sendAgain(
	ctx context.Context, o *stream.Operator, e schema.Event, queue string,
) error {
	erased, err := o.Erased(ctx, e.Provider, e.Account())
	if err != nil || erased || e.Erases() {
		return err
	}
	original := e
	original.Redrive = 0
	w.mu.Lock()
	w.redrives[original.Key()]++
	n := w.redrives[original.Key()]
	w.mu.Unlock()
	w.ledger.AddRedrive(original.Key(), queue, n)
	stored, err := o.Redrive(ctx, e, queue, n)
	if q := queueOf(queue); stored && w.getsWord(e, q.Resource) {
		e.Redrive = n
		w.watch.begin(e, q)
	}
	return err
}

func (w *world) holdTeam(Fault) (end func()) {
	w.team.held.Add(1)
	return func() { w.team.held.Add(-1) }
}

// upgrade puts the waiting events into the stream of the release before, as if that release had
// run, and provisions this release again.
func (w *world) upgrade(f Fault) (end func()) {
	w.gate.forgetHolds()
	restart := w.stopCommands(commands()[1:]...)
	if js := w.broker.jetStream(); js != nil {
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		if err := moveBack(ctx, js); err != nil {
			w.violate("upgrade", "", "the simulation cannot move the waiting events back: %v", err)
		}
	}
	return func() {
		w.operate(func(ctx context.Context, o *stream.Operator) error {
			return o.Provision(ctx, broker.SmallTopology())
		})
		restart()
	}
}

// moveBack makes the stream of the release before, with one stream for all queues and no replays.
func moveBack(ctx context.Context, js jetstream.JetStream) error {
	var messages []*nats.Msg
	var consumers []jetstream.ConsumerConfig
	var config jetstream.StreamConfig
	for _, q := range schema.Queues() {
		s, err := js.Stream(ctx, q.WaitingStream())
		if err != nil {
			return err
		}
		config = s.CachedInfo().Config
		found, err := unsettled(ctx, s, q)
		if err != nil {
			return err
		}
		messages = append(messages, found...)
		c, err := s.Consumer(ctx, q.Name)
		if err != nil {
			return err
		}
		consumers = append(consumers, c.CachedInfo().Config)
		if err := js.DeleteStream(ctx, q.WaitingStream()); err != nil {
			return err
		}
	}
	config.Name = schema.FormerWaitingStream
	config.Description = ""
	config.Subjects = []string{"wagewire.waiting.>", "wagewire.retries.>"}
	if _, err := js.CreateStream(ctx, config); err != nil {
		return err
	}
	for _, c := range consumers {
		if _, err := js.CreateConsumer(ctx, schema.FormerWaitingStream, c); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if _, err := js.PublishMsg(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// unsettled returns the schedules of a queue, and its retries and replays that no worker has
// settled, as the release before wrote them.
func unsettled(ctx context.Context, s jetstream.Stream, q schema.Queue) ([]*nats.Msg, error) {
	floors := map[string]uint64{}
	for _, lane := range q.Lanes()[1:] {
		c, err := s.Consumer(ctx, lane.Consumer)
		if err != nil {
			return nil, err
		}
		floors[string(lane.Name)] = c.CachedInfo().AckFloor.Stream
	}
	var found []*nats.Msg
	for sequence := uint64(1); ; sequence++ {
		m, err := s.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		sequence = m.Sequence
		lane := strings.Split(m.Subject, ".")[1] // waiting, retries or replays
		if floor, isLane := floors[lane]; isLane && sequence <= floor {
			continue
		}
		found = append(found, asFormer(m))
	}
}

// asFormer returns a message as the release before wrote it. It had no replays.
func asFormer(m *jetstream.RawStreamMsg) *nats.Msg {
	former := func(subject string) string {
		return strings.Replace(subject, "wagewire.replays.", "wagewire.retries.", 1)
	}
	header := maps.Clone(m.Header)
	for _, key := range []string{
		jetstream.MsgRollup, jetstream.MsgIDHeader, jetstream.ExpectedStreamHeader,
		jetstream.SchedulerHeader, jetstream.ScheduleNextHeader,
	} {
		header.Del(key)
	}
	if target := header.Get(jetstream.ScheduleTargetHeader); target != "" {
		header.Set(jetstream.ScheduleTargetHeader, former(target))
	}
	return &nats.Msg{Subject: former(m.Subject), Header: header}
}

// writeNewer adds a header and a class of failures that this release does not know to the waiting
// events of a queue.
func (w *world) writeNewer(f Fault) (end func()) {
	js := w.broker.jetStream()
	if js == nil {
		return nothing
	}
	ctx, cancel := context.WithTimeout(w.ctx, askFor)
	defer cancel()
	var waiting []*jetstream.RawStreamMsg
	err := w.broker.readAll(ctx, queueOf(f.Queue).WaitingStream(),
		func(m *jetstream.RawStreamMsg) {
			if strings.HasPrefix(m.Subject, "wagewire.waiting.") {
				waiting = append(waiting, m)
			}
		})
	if err != nil {
		return nothing // the stream is gone during an upgrade
	}
	for _, m := range waiting {
		header := maps.Clone(m.Header)
		header.Del(jetstream.MsgRollup)
		header.Set("Wagewire-Weather", "fine")
		failures, _ := schema.ParseFailures(header.Get(headerFailures))
		header.Set(headerFailures, failures.With("weather").String())
		_, _ = js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: header},
			jetstream.WithExpectLastSequenceForSubject(m.Sequence, m.Subject))
	}
	return nothing
}
