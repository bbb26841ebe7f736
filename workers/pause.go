package workers

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
)

// pause decides how many events a queue takes at the moment: as many as there are free hands, none
// during a hold after a 429, and one at a time while the provider refuses our credentials. The one
// event is a probe: if the provider accepts the probe, the pause ends for every event.
//
// The state of a refusal is on the broker (stream.PauseState), so that operators see the pause, a
// new process knows of it, and only one process probes at a time.
type pause struct {
	queue    *stream.Queue
	name     string
	rest     time.Duration
	closures *closures
	log      *zap.Logger
	metrics  *metrics

	mu        sync.Mutex
	heldUntil time.Time
	// state is the pause as this process knows it.
	state schema.Pause
	// unshared is true if the broker does not know of the last change of state yet.
	unshared bool
	// turn is true while this process may take an event as a probe, and probing while it has one.
	turn    bool
	probing bool
	// forbidden are the accounts of the last answers 403, since the last success.
	forbidden map[string]bool
	// stops are the times in which the queue took no events, as far as they are remembered.
	stops stops
	// changed is closed at the next change of the number of events to take.
	changed chan struct{}
	// wake ends the sleep of share.
	wake chan struct{}
}

func newPause(
	queue *stream.Queue, name string, rest time.Duration, c *closures, log *zap.Logger, m *metrics,
) *pause {
	return &pause{
		queue: queue, name: name, rest: rest, closures: c, log: log, metrics: m,
		forbidden: map[string]bool{},
		changed:   make(chan struct{}),
		wake:      make(chan struct{}, 1),
	}
}

// Admit returns how many events the queue may take now, of free hands. The channel is closed when
// the number changes.
func (p *pause) Admit(free, _ int) (n int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case time.Now().Before(p.heldUntil):
		return 0, p.changed
	case !p.state.Paused:
		return free, p.changed
	case p.turn && !p.probing:
		return min(free, 1), p.changed
	default:
		return 0, p.changed
	}
}

// announceLocked notes whether the queue takes events, and tells the takers to ask Admit again.
func (p *pause) announceLocked() {
	now := time.Now()
	p.stops.note(p.state.Paused || now.Before(p.heldUntil), now)
	close(p.changed)
	p.changed = make(chan struct{})
}

// stoppedFor is how long the queue was stopped between two times.
func (p *pause) stoppedFor(from, to time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stops.within(from, to)
}

// turn is the permission for a call to the provider. The caller must record the result.
type turn struct {
	pause  *pause
	probes bool
}

// enter returns the permission for a call. ok is false if the queue is paused and another event
// probes: the event must go back.
func (p *pause) enter() (t turn, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.state.Paused {
		return turn{pause: p}, true
	}
	if !p.turn || p.probing {
		return turn{}, false
	}
	p.probing = true
	p.announceLocked()
	return turn{pause: p, probes: true}, true
}

// record notes the result of the call about the account. It returns err, wrapped in errRefused if
// refusals about many accounts mean that the provider refuses our credentials. Only a probe can end
// a pause: a call that was under way when the pause began is no news.
func (t turn) record(account string, err error) error {
	p := t.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := classifyCredentials(err)
	if seen == forbidden {
		p.forbidden[account] = true
		if p.state.Paused || len(p.forbidden) >= ForbiddenAccountsMax {
			seen = refused
			err = errors.Join(errRefused, err)
		}
	}
	if t.probes {
		p.probing = false
		p.turn = false
		p.state.ProbeAt = time.Now().Add(p.rest)
		p.wakeLocked()
	}
	switch {
	case seen == refused:
		p.refuseLocked(t.probes, err)
	case seen == accepted && (t.probes || !p.state.Paused):
		p.acceptLocked()
	}
	p.holdLocked(err)
	return err
}

// refuseLocked begins the pause, or counts a refused probe.
func (p *pause) refuseLocked(probes bool, err error) {
	status, endpoint := lastAnswer(err)
	if !p.state.Paused {
		now := time.Now()
		p.state = schema.Pause{Paused: true, Since: now, ProbeAt: now.Add(p.rest)}
		p.turn = false
		p.show(true)
		p.log.Error("queue paused: the provider refuses our credentials",
			zap.String("queue", p.name), zap.Error(err))
	} else if !probes {
		return
	} else {
		p.state.Probes++
	}
	p.state.Class = schema.ClassUnauthorized
	if errors.Is(err, errRefused) {
		p.state.Class = schema.ClassForbidden
	}
	p.state.Status = status
	p.state.Endpoint = endpoint
	p.changeLocked()
}

// acceptLocked ends the pause, if there is one.
func (p *pause) acceptLocked() {
	clear(p.forbidden)
	if !p.state.Paused {
		return
	}
	p.state = schema.Pause{Since: time.Now()}
	p.show(false)
	p.log.Info("queue resumed", zap.String("queue", p.name))
	p.changeLocked()
}

// show tells the metrics and the autoscaler that the pause begins or ends.
func (p *pause) show(paused bool) {
	p.metrics.setPaused(p.name, paused)
	p.closures.refuse(paused)
}

func (p *pause) changeLocked() {
	p.unshared = true
	p.announceLocked()
	p.wakeLocked()
}

func (p *pause) wakeLocked() {
	select {
	case p.wake <- struct{}{}:
	default: // share has not seen the last one yet
	}
}

// holdLocked begins a hold if err is a 429.
func (p *pause) holdLocked(err error) {
	status, ok := errors.AsType[*api.StatusError](err)
	if !ok || status.Status != http.StatusTooManyRequests || status.RetryAfter <= 0 {
		return
	}
	p.closeLocked(status.RetryAfter)
}

// hold closes the queue for a hold that some process began, and opens it if left is 0. During a
// short hold, the calls wait in hand.
func (p *pause) hold(left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case left > api.HoldInHandMax:
		p.closeLocked(left)
	case left <= 0:
		p.heldUntil = time.Time{}
		p.closures.hold(time.Time{})
		p.announceLocked()
	}
}

// closeLocked lets the queue take no events for a time, and never shortens it.
func (p *pause) closeLocked(left time.Duration) {
	until := time.Now().Add(left)
	if !until.After(p.heldUntil) {
		return
	}
	p.heldUntil = until
	if left > api.HoldInHandMax {
		p.closures.hold(until)
	}
	p.announceLocked()
	time.AfterFunc(left, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.announceLocked()
	})
}

// credentials is the state of our credentials, as far as a call to the provider shows.
type credentials int

const (
	// unseen means that the call failed before the provider looked at the credentials.
	unseen credentials = iota
	accepted
	refused
	// forbidden means that the provider refuses this record.
	forbidden
)

// classifyCredentials returns the state of our credentials after a call with the error.
func classifyCredentials(err error) credentials {
	if err == nil {
		return accepted
	}
	switch (Ladders{}).judge(Fetched{}, err, nil).Class {
	case schema.ClassUnauthorized:
		return refused
	case schema.ClassForbidden:
		return forbidden
	case schema.ClassNotReady, schema.ClassPermanent, schema.ClassContract:
		return accepted
	default:
		return unseen
	}
}

// fetchInTurn calls the handler, unless the queue is paused.
func (w *Worker) fetchInTurn(ctx context.Context, q *queue, job Job) (Fetched, error) {
	turn, ok := q.pause.enter()
	if !ok {
		return Fetched{}, errPaused
	}
	fetched, err := w.callHandler(ctx, q, job)
	q.closures.record(job.Event.Key(), err)
	return fetched, turn.record(job.Event.Account(), err)
}
