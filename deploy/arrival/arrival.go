// Package arrival judges how fast calls arrived at a provider's API, on a machine that may stall.
// The calls of a stall arrive late and close together, so they say nothing about the workers.
package arrival

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// LateMax is how long a call may be on its way from the turn of its worker to the API.
	LateMax = 100 * time.Millisecond
	// RecoverFor is how long after a stall calls may still arrive late.
	RecoverFor = time.Second

	beatEvery = 10 * time.Millisecond
)

// Busiest returns the largest number of calls within a time, wherever the time begins: the first
// call may arrive LateMax after its turn, and the last one at once. It leaves out the times in
// which calls may have been later, and returns how many calls were the last of a time that counts.
// The arrivals are in their order.
func Busiest(
	arrivals []time.Time, within time.Duration, wasLate func(from, to time.Time) bool,
) (most, judged int) {
	window := within - LateMax
	first := 0
	for i, at := range arrivals {
		for at.Sub(arrivals[first]) >= window {
			first++
		}
		if !wasLate(at.Add(-window), at) {
			most = max(most, i-first+1)
			judged++
		}
	}
	return most, judged
}

// Pulse notices when this process gets no processor, or is late to hear of what arrives. The beats
// come over a connection of this machine to itself, as calls come to an API: a process with many
// connections may keep its timers in time and read what arrived much later. The zero value has no
// connection: only Beat gives it beats.
type Pulse struct {
	out, in net.Conn

	mu     sync.Mutex
	beat   time.Time
	stalls []Gap
}

// Gap is a time in which something was away.
type Gap struct{ From, To time.Time }

// Overlap returns how much of the gap is between two times.
func (g Gap) Overlap(from, to time.Time) time.Duration {
	if g.From.After(from) {
		from = g.From
	}
	if g.To.Before(to) {
		to = g.To
	}
	return max(0, to.Sub(from))
}

// NewPulse returns a Pulse that must Run. The error says why this machine has no connection to
// itself.
func NewPulse() (*Pulse, error) {
	ctx := context.Background() // neither waits for another process
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the pulse of this machine: %w", err)
	}
	defer func() { _ = listener.Close() }()
	out, err := new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("connect for the pulse of this machine: %w", err)
	}
	in, err := listener.Accept()
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("accept the pulse of this machine: %w", err)
	}
	return &Pulse{out: out, in: in}, nil
}

// Run sends beats and notes when they arrive, until ctx ends. It closes the connection.
func (p *Pulse) Run(ctx context.Context) {
	defer func() { _ = p.in.Close() }()
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() { p.send(ctx) })
	for beats := make([]byte, 64); ; {
		if _, err := p.in.Read(beats); err != nil {
			return
		}
		p.Beat(time.Now())
	}
}

// send sends beats until ctx ends, and then closes its end of the connection: the reader ends too.
func (p *Pulse) send(ctx context.Context) {
	defer func() { _ = p.out.Close() }()
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		if _, err := p.out.Write([]byte{0}); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Beat notes that this process was in time.
func (p *Pulse) Beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.beat.IsZero() && now.Sub(p.beat) > LateMax {
		p.stalls = append(p.stalls, Gap{p.beat, now})
	}
	p.beat = now
}

// WasLate reports whether the process stalled between two times, or so lately before that calls may
// have arrived late.
func (p *Pulse) WasLate(from, to time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	from = from.Add(-RecoverFor)
	for _, g := range p.stalls {
		if g.Overlap(from, to) > 0 {
			return true
		}
	}
	return !p.beat.IsZero() && to.Sub(p.beat) > LateMax
}

// Stalls is how many stalls have ended.
func (p *Pulse) Stalls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.stalls)
}
