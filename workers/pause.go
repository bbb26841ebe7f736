package workers

import (
	"context"
	"sync"
	"time"
)

// pause holds a queue's jobs while the provider refuses our credentials. One job at a time probes, each after a rest;
// the first that is let through opens it for all.
type pause struct {
	rest  time.Duration
	probe chan struct{} // holds one token while a job probes
	// stopping ends every wait: a paused job goes back at once.
	stopping <-chan struct{}

	mu     sync.Mutex
	opened chan struct{} // nil while open; closed when it opens
}

// answer is what a call tells of our credentials.
type answer int

const (
	// silent: nothing, it never got that far.
	silent answer = iota
	accepted
	refused
)

func newPause(rest time.Duration) *pause { return &pause{rest: rest, probe: make(chan struct{}, 1)} }

// enter returns at once where the queue is open. Where it is shut, it returns when it opens or when this job is the one
// to probe. The job then calls leave with what it was answered; leave tells whether that shut or opened the queue. Only a
// probe opens it: a call that was under way when it shut is no news.
func (p *pause) enter(ctx context.Context) (leave func(answer) (changed bool), err error) {
	opened := p.shut()
	if opened == nil {
		return p.note, nil
	}
	select {
	case <-opened:
		return p.note, nil
	case <-p.stopping:
		return nil, context.Canceled
	case <-ctx.Done():
		return nil, ctx.Err()
	case p.probe <- struct{}{}:
	}
	end := func() { <-p.probe }
	rested := time.NewTimer(p.rest)
	defer rested.Stop()
	select {
	case <-opened:
		end()
		return p.note, nil
	case <-p.stopping:
		end()
		return nil, context.Canceled
	case <-ctx.Done():
		end()
		return nil, ctx.Err()
	case <-rested.C:
		return func(a answer) bool { defer end(); return a != silent && p.set(a == refused) }, nil
	}
}

func (p *pause) note(a answer) (changed bool) { return a == refused && p.set(true) }

func (p *pause) shut() (opened chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

func (p *pause) set(shut bool) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch isShut := p.opened != nil; {
	case shut == isShut:
		return false
	case shut:
		p.opened = make(chan struct{})
	default:
		close(p.opened)
		p.opened = nil
	}
	return true
}
