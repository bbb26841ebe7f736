package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
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
	w.noteEnd()
	return true
}

// noteEnd notes that a process or the broker has ended. What was not acknowledged comes again.
func (w *world) noteEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastEnd = time.Now()
}

func (w *world) hasEndedSince(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.lastEnd.Before(at)
}

func (w *world) stopBroker(Fault) (end func()) {
	if !w.brokerHolds.hold() {
		return w.releaseBroker
	}
	w.broker.close()
	w.broker.Stop()
	w.stops.Add(1)
	w.noteEnd()
	return w.releaseBroker
}

func (w *world) releaseBroker() {
	if !w.brokerHolds.release() {
		return
	}
	err := w.broker.Start()
	if err == nil {
		err = w.broker.open(w.watch.subscribe)
	}
	if err != nil {
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
	w.limitStream(f.Stream, func(now jetstream.StreamState) int64 { return int64(now.Bytes) + 1 })
	return func() { w.makeRoom(f.Stream) } // heal does so again: the broker may be stopped now
}

// makeRoom ends fill.
func (w *world) makeRoom(name string) {
	w.limitStream(name, func(jetstream.StreamState) int64 { return streamBytesMax })
}

// limitStream changes the room of a stream. Without a broker nothing changes.
func (w *world) limitStream(name string, bytesMax func(now jetstream.StreamState) int64) {
	js := w.broker.jetStream()
	if js == nil {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, askFor)
	defer cancel()
	s, err := js.Stream(ctx, name)
	if err != nil {
		return // the broker has stopped
	}
	config := s.CachedInfo().Config
	config.MaxBytes = bytesMax(s.CachedInfo().State)
	_, _ = js.UpdateStream(ctx, config)
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
	conn, err := w.connect(w, "operator", "operator")
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

// insist is operate, again after a while until it succeeds or the run ends: the broker may be
// stopped, and a stream may be full. It returns false if the run ended first.
func (w *world) insist(do func(ctx context.Context, o *stream.Operator) error) (done bool) {
	for w.ctx.Err() == nil {
		w.operate(func(ctx context.Context, o *stream.Operator) error {
			err := do(ctx, o)
			done = err == nil
			if errors.Is(err, schema.ErrFull) {
				return nil
			}
			return err
		})
		if done {
			break
		}
		w.pass(tryAgainAfter)
	}
	return done
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

// redriveAll sends every dead letter again and discards it, as `wagewire dead redrive` does.
func (w *world) redriveAll(Fault) (end func()) {
	var letters []stream.Letter
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		return o.Scan(ctx, schema.DeadLettersStream, stream.Selection{},
			func(m stream.Stored) error {
				letters = append(letters, stream.ReadLetter(m))
				return nil
			})
	})
	for _, letter := range letters {
		e, undecodable := letter.Decode()
		if undecodable != nil || !w.sendAgain(e, letter.Queue) {
			continue
		}
		w.ledger.AddDiscard(e.Key(), letter.Queue)
		w.operate(func(ctx context.Context, o *stream.Operator) error {
			return o.Discard(ctx, schema.DeadLettersStream, letter.Number)
		})
	}
	return nothing
}

// replayEvents sends the events of a person in a queue again, as `wagewire replay` does.
func (w *world) replayEvents(f Fault) (end func()) {
	var events []schema.Event
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		which := stream.Selection{Filters: queueOf(f.Queue).Subjects}
		return o.Headings(ctx, which, func(h stream.Heading) error {
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
	})
	for _, e := range events {
		w.sendAgain(e, f.Queue)
	}
	return nothing
}

// tryAgainAfter is when an operator repeats a command that did not succeed.
const tryAgainAfter = 10 * time.Minute

// sendAgain publishes the next redrive of an event. It returns false for an event that cannot be
// sent again: an erasure, or an event of an erased account. While the broker is stopped or the
// stream is full, the operator tries again: the ledger expects the redrive from now on.
func (w *world) sendAgain(e schema.Event, queue string) (sent bool) {
	if e.Erases() || w.watch.isAccountErased(e) {
		return false
	}
	e.Redrive = 0
	key := e.Key()
	w.mu.Lock()
	w.redrives[key]++
	e.Redrive = w.redrives[key]
	w.mu.Unlock()
	w.ledger.AddRedrive(key, queue, e.Redrive)
	sent = w.insist(func(ctx context.Context, o *stream.Operator) error {
		_, err := o.Redrive(ctx, e, queue, e.Redrive)
		return err
	})
	if q := queueOf(queue); w.ledger.Completes(e.Key(), q.Resource) {
		w.watch.begin(e, q)
	}
	return sent
}

// rebuildAccounts lets the states of accounts be made anew, as `wagewire accounts rebuild
// --from-scratch` does. While the broker is stopped, the operator tries again.
func (w *world) rebuildAccounts(Fault) (end func()) {
	w.insist(func(ctx context.Context, o *stream.Operator) error {
		return o.RestartAccounts(ctx, o.PurgeStates)
	})
	return nothing
}

func (w *world) holdTeam(Fault) (end func()) {
	w.team.held.Add(1)
	return func() { w.team.held.Add(-1) }
}
