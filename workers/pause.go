package workers

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

// pause holds the jobs of a queue while the provider refuses our credentials. One job at a time
// probes, each after a rest. The first accepted probe ends the pause for all jobs.
type pause struct {
	rest time.Duration
	// probe holds a token while a job probes.
	probe chan struct{}
	// stopping ends every wait when the worker stops, so that held jobs go back at once.
	stopping <-chan struct{}

	mu sync.Mutex
	// ended is closed when the pause ends. It is nil while there is no pause.
	ended chan struct{}
}

// credentials is the state of our credentials, as far as a call to the provider shows.
type credentials int

const (
	// unseen means that the call failed before the provider looked at the credentials.
	unseen credentials = iota
	accepted
	refused
)

func newPause(rest time.Duration) *pause {
	return &pause{rest: rest, probe: make(chan struct{}, 1)}
}

// turn is the permission for a call to the provider. The caller must record the result.
type turn struct {
	pause  *pause
	probes bool
}

// enter waits while the queue is paused, until the pause ends or the job may probe.
func (p *pause) enter(ctx context.Context) (turn, error) {
	ended := p.current()
	if ended == nil {
		return turn{pause: p}, nil
	}
	select {
	case <-ended:
		return turn{pause: p}, nil
	case <-p.stopping:
		return turn{}, context.Canceled
	case <-ctx.Done():
		return turn{}, ctx.Err()
	case p.probe <- struct{}{}:
	}
	rested := time.NewTimer(p.rest)
	defer rested.Stop()
	select {
	case <-ended:
		<-p.probe
		return turn{pause: p}, nil
	case <-p.stopping:
		<-p.probe
		return turn{}, context.Canceled
	case <-ctx.Done():
		<-p.probe
		return turn{}, ctx.Err()
	case <-rested.C:
		return turn{pause: p, probes: true}, nil
	}
}

// record notes the result of the call. changed is true if the call began or ended the pause. Only a
// probe can end a pause: a call that was under way when the pause began is no news.
func (t turn) record(c credentials) (changed bool) {
	if !t.probes {
		return c == refused && t.pause.set(true)
	}
	defer func() { <-t.pause.probe }()
	return c != unseen && t.pause.set(c == refused)
}

// current returns the channel that the end of the pause closes, or nil without a pause.
func (p *pause) current() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// set begins or ends the pause.
func (p *pause) set(paused bool) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if paused == (p.ended != nil) {
		return false
	}
	if paused {
		p.ended = make(chan struct{})
	} else {
		close(p.ended)
		p.ended = nil
	}
	return true
}

// fetchUnlessPaused calls the handler, and calls it again as long as the provider refuses our
// credentials. The event stays in hand meanwhile, so the wait uses up no deliveries.
func (w *Worker) fetchUnlessPaused(ctx context.Context, q *queue, job Job) (Fetched, error) {
	for {
		turn, err := q.pause.enter(ctx)
		if err != nil {
			return Fetched{}, err
		}
		fetched, err := w.callHandler(ctx, q, job)
		seen := w.classifyCredentials(err, job.Attempt)
		if changed := turn.record(seen); changed {
			w.logPause(q, seen, err)
		}
		if seen != refused {
			return fetched, err
		}
	}
}

// classifyCredentials returns the state of our credentials after a call with the error.
func (w *Worker) classifyCredentials(err error, attempt int) credentials {
	if err == nil {
		return accepted
	}
	switch w.config.Ladders.judge(Fetched{}, err, attempt).Class {
	case schema.ClassUnauthorized:
		return refused
	case schema.ClassNotReady, schema.ClassPermanent, schema.ClassContract:
		return accepted
	default:
		return unseen
	}
}

// logPause logs the begin or the end of a pause, and sets the metric.
func (w *Worker) logPause(q *queue, seen credentials, err error) {
	w.metrics.setPaused(q.name, seen == refused)
	if seen == refused {
		w.log.Error("queue paused: the provider refuses our credentials",
			zap.String("queue", q.name), zap.Error(err))
		return
	}
	w.log.Info("queue resumed", zap.String("queue", q.name))
}
