package workers

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

const (
	// shareFor limits one comparison with the broker's state.
	shareFor = 10 * time.Second
	// shareAgainParts divides the rest: after so long a comparison is repeated that another process
	// disturbed.
	shareAgainParts = 10
)

// share keeps the state of the pause on the broker and in this process the same, until ctx ends.
// While the queue is paused, share takes the turn to probe whenever no process has probed for a
// rest.
func (p *pause) share(ctx context.Context) {
	stop, err := p.queue.WatchPause(p.wakeUp)
	if err != nil { // without a watch, this process learns of a pause by a refusal of its own
		p.log.Warn("pause not watched", zap.String("queue", p.name), zap.Error(err))
	} else {
		defer stop()
	}
	for ctx.Err() == nil {
		next, err := p.shareOnce(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.Warn("pause not shared with the broker",
				zap.String("queue", p.name), zap.Error(err))
		}
		sleep(ctx, p.wake, next)
	}
}

// sleep waits for a value of wake, for the end of ctx, or for d unless d is 0.
func sleep(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	var due <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-due:
	}
}

// wakeUp makes share compare the states again.
func (p *pause) wakeUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wakeLocked()
}

// shareOnce compares both states once. It returns the time until the next comparison, 0 if only a
// change in this process makes one necessary.
func (p *pause) shareOnce(ctx context.Context) (next time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, shareFor)
	defer cancel()
	read, err := p.queue.PauseState(ctx)
	if err != nil {
		return p.rest, err
	}
	found := p.reconcile(read.Pause)
	if found.store {
		stored, err := p.queue.StorePause(ctx, read, found.state)
		if err != nil || !stored {
			p.noteUnshared(found)
			return p.rest / shareAgainParts, err
		}
		p.noteStored(found)
	}
	if !found.state.Paused || found.probing {
		return 0, nil
	}
	return max(time.Until(found.state.ProbeAt), time.Millisecond), nil
}

// comparison is what a comparison of both states found out.
type comparison struct {
	// state is the state that holds.
	state schema.Pause
	// store is true if the broker must store the state: news of this process, or its turn to probe.
	store bool
	news  bool
	// probing is true while an event of this process asks the provider.
	probing bool
}

// reconcile compares the broker's state with the state of this process.
func (p *pause) reconcile(read schema.Pause) comparison {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.unshared:
		p.unshared = false
		isNews := read.Paused != p.state.Paused || p.state.Probes > read.Probes
		return comparison{state: p.state, store: isNews, news: isNews}
	case read.Paused && p.probing:
		return comparison{state: read, probing: true}
	case read.Paused && time.Now().Before(read.ProbeAt): // another process has the turn
		p.adoptLocked(read, p.turn && read.ProbeAt.Equal(p.state.ProbeAt))
		return comparison{state: read}
	case read.Paused:
		read.ProbeAt = time.Now().Add(p.rest)
		return comparison{state: read, store: true}
	case p.state.Paused: // another process ended the pause
		p.adoptLocked(schema.Pause{}, false)
		return comparison{}
	default:
		return comparison{}
	}
}

// noteUnshared keeps news that the broker did not store for the next comparison.
func (p *pause) noteUnshared(found comparison) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unshared = p.unshared || found.news
}

// noteStored takes the turn to probe, now that the broker has stored the time of the next probe.
func (p *pause) noteStored(found comparison) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !found.news && !p.unshared {
		p.adoptLocked(found.state, true)
	}
}

// adoptLocked takes over a state that the broker has.
func (p *pause) adoptLocked(state schema.Pause, turn bool) {
	if state.Paused != p.state.Paused {
		p.show(state.Paused)
		text := "queue resumed"
		if state.Paused {
			text = "queue is paused: the provider refuses our credentials"
		}
		p.log.Info(text, zap.String("queue", p.name), zap.Time("since", state.Since))
	}
	p.state = state
	p.turn = turn
	p.announceLocked()
}
