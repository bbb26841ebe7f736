package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// controlStream is a stream of the control alone.
	controlStream  = "CONTROL"
	controlSubject = "control"
	// controlEvery is the pause between two questions of the control.
	controlEvery = 20 * time.Millisecond
	// controlLate is how long the broker may take to answer before it counts as away. Workers have
	// turns for longer.
	controlLate = 100 * time.Millisecond
)

// control asks a broker all the time to change a message of its own, as a worker changes a budget.
// A machine may stop for seconds, and no worker can then get turns. The control shows for how long.
type control struct {
	js    jetstream.JetStream
	pulse pulse

	mu       sync.Mutex
	answered time.Time // the time of the last answer
	gaps     []gap
}

// gap is a time in which the broker was away.
type gap struct{ from, to time.Time }

// startControl starts a control that ends with the test.
func startControl(t *testing.T, js jetstream.JetStream) *control {
	t.Helper()
	config := jetstream.StreamConfig{
		Name: controlStream, Subjects: []string{controlSubject}, MaxMsgsPerSubject: 1,
	}
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	c := &control{js: js, answered: time.Now()}
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	group.Go(func() { c.ask(ctx) })
	group.Go(func() { c.pulse.run(ctx) })
	return c
}

// ask asks until ctx ends.
func (c *control) ask(ctx context.Context) {
	tick := time.NewTicker(controlEvery)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		ack, err := c.js.Publish(ctx, controlSubject, nil,
			jetstream.WithExpectLastSequencePerSubject(last), jetstream.WithRetryAttempts(0))
		if err != nil {
			last = c.lastSequence(ctx, last)
			continue
		}
		last = ack.Sequence
		c.noteAnswer()
	}
}

// lastSequence returns the sequence of the control's message, or before if the broker does not
// answer. A change without an answer may have been made.
func (c *control) lastSequence(ctx context.Context, before uint64) uint64 {
	s, err := c.js.Stream(ctx, controlStream)
	if err != nil {
		return before
	}
	return s.CachedInfo().State.LastSeq
}

func (c *control) noteAnswer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.gapUntil(time.Now()); g.to.After(g.from) {
		c.gaps = append(c.gaps, g)
	}
	c.answered = time.Now()
}

// gapUntil returns the gap since the last answer. The caller holds the lock.
func (c *control) gapUntil(now time.Time) gap {
	return gap{c.answered.Add(controlEvery + controlLate), now}
}

// overlap returns how much of the gap is between two times.
func (g gap) overlap(from, to time.Time) time.Duration {
	if g.from.After(from) {
		from = g.from
	}
	if g.to.Before(to) {
		to = g.to
	}
	return max(0, to.Sub(from))
}

// recoverFor is how long after a stall calls may still arrive late.
const recoverFor = time.Second

// wasLate reports whether the machine stalled between two times, or so lately before that calls may
// have arrived late and close together. A stall is a time in which the broker did not answer, or in
// which this process got no processor.
func (c *control) wasLate(from, to time.Time) bool {
	from = from.Add(-recoverFor)
	return c.away(from, to) > 0 || c.pulse.stalled(from, to) > 0
}

// pulse notices when this process gets no processor.
type pulse struct {
	mu   sync.Mutex
	beat time.Time
	gaps []gap
}

// pulseEvery is the pause between two beats.
const pulseEvery = 10 * time.Millisecond

func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		p.note(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *pulse) note(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.beat.IsZero() && now.Sub(p.beat) > lateMax {
		p.gaps = append(p.gaps, gap{p.beat, now})
	}
	p.beat = now
}

// stalled returns for how long the process got no processor between two times.
func (p *pulse) stalled(from, to time.Time) (sum time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.gaps {
		sum += g.overlap(from, to)
	}
	return sum
}

// away returns for how long the broker was away between two times.
func (c *control) away(from, to time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.gapUntil(time.Now()).overlap(from, to)
	for _, g := range c.gaps {
		sum += g.overlap(from, to)
	}
	return sum
}
