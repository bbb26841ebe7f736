package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/arrival"
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
	pulse *arrival.Pulse

	mu       sync.Mutex
	answered time.Time     // the time of the last answer
	gaps     []arrival.Gap // in which the broker was away
}

// startControl starts a control that ends with the test.
func startControl(t *testing.T, js jetstream.JetStream) *control {
	t.Helper()
	config := jetstream.StreamConfig{
		Name: controlStream, Subjects: []string{controlSubject}, MaxMsgsPerSubject: 1,
	}
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	pulse, err := arrival.NewPulse()
	if err != nil {
		t.Fatal(err)
	}
	c := &control{js: js, pulse: pulse, answered: time.Now()}
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	group.Go(func() { c.ask(ctx) })
	group.Go(func() { c.pulse.Run(ctx) })
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
	if g := c.gapUntil(time.Now()); g.To.After(g.From) {
		c.gaps = append(c.gaps, g)
	}
	c.answered = time.Now()
}

// gapUntil returns the gap since the last answer. The caller holds the lock.
func (c *control) gapUntil(now time.Time) arrival.Gap {
	return arrival.Gap{From: c.answered.Add(controlEvery + controlLate), To: now}
}

// wasLate reports whether the machine stalled between two times, or so lately before that calls may
// have arrived late and close together. A stall is a time in which the broker did not answer, or in
// which this process got no processor.
func (c *control) wasLate(from, to time.Time) bool {
	return c.away(from.Add(-arrival.RecoverFor), to) > 0 || c.pulse.WasLate(from, to)
}

// away returns for how long the broker was away between two times.
func (c *control) away(from, to time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.gapUntil(time.Now()).Overlap(from, to)
	for _, g := range c.gaps {
		sum += g.Overlap(from, to)
	}
	return sum
}
