package sandbox

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// part is a component that runs in a goroutine until stop.
type part struct {
	run    func(context.Context) error
	cancel context.CancelFunc
	ended  chan error // holds the error after the end
}

// start runs a new part.
func (s *Sandbox) start(name string, run func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &part{run: run}
	s.parts[name] = p
	s.runPart(name, p)
}

// startReporting runs a new part that reports to operators as a process of its role does.
func (s *Sandbox) startReporting(
	name string, conn *stream.Conn, r stream.Reporter, run func(context.Context) error,
) {
	r.Version = process.Version()
	s.start(name, func(ctx context.Context) error { return conn.ReportWhile(ctx, r, run) })
}

// untilEnd is a part that only waits.
func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// runPart runs a part in a goroutine. Sandbox.mu is held.
func (s *Sandbox) runPart(name string, p *part) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	p.cancel = cancel
	p.ended = ended
	go func() {
		err := p.run(ctx)
		if err != nil && ctx.Err() == nil {
			select {
			case s.failed <- fmt.Errorf("%s: %w", name, err):
			default: // the first failure ends the sandbox
			}
		}
		ended <- err
	}()
}

// stop stops a part and returns the part's error. A part that never started has no error.
func (s *Sandbox) stop(name string) error {
	s.mu.Lock()
	p, ok := s.parts[name]
	if !ok {
		s.mu.Unlock()
		return nil
	}
	cancel := p.cancel
	ended := p.ended
	s.mu.Unlock()
	cancel()
	err := <-ended
	ended <- err // the next stop finds the error too
	return err
}

// Resources lists the resources with a worker.
func (s *Sandbox) Resources() []schema.Resource { return slices.Sorted(maps.Keys(s.sources)) }

// StopWorker stops one worker as SIGTERM would, and returns when the worker has stopped.
func (s *Sandbox) StopWorker(r schema.Resource) error {
	if err := s.checkWorker(r); err != nil {
		return fmt.Errorf("stop worker: %w", err)
	}
	return s.stop(string(r))
}

// StartWorker starts a stopped worker.
func (s *Sandbox) StartWorker(r schema.Resource) error {
	if err := s.checkWorker(r); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[string(r)]
	if len(p.ended) == 0 {
		return fmt.Errorf("start worker: %s runs", r)
	}
	s.runPart(string(r), p)
	return nil
}

// checkWorker returns an error if the resource has no worker.
func (s *Sandbox) checkWorker(r schema.Resource) error {
	if _, ok := s.sources[r]; !ok {
		return fmt.Errorf("no worker %s: there are %s", r, s.Resources())
	}
	return nil
}
