package console

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
)

// readEvery is the least time between two readings of the broker.
const readEvery = 5 * time.Second

// firstFor is how long a page waits for the first reading.
const firstFor = 3 * time.Second

// known is what is known of the installation at a time.
type known struct {
	// State is the last state that could be read.
	health.State

	Findings []health.Finding
	Verdict  health.Verdict
	// AwaySince is when the broker stopped to answer, zero if it answers. Why says how it fails.
	AwaySince time.Time
	Why       string
	// Samples are the recent past, oldest first.
	Samples []sample
	// Number grows with each reading. It is 0 before the first.
	Number uint64
}

// isRead reports whether the broker was read at least once.
func (k known) isRead() bool { return !k.At.IsZero() && k.Away == "" }

// watch keeps what is known. It is safe for concurrent use.
type watch struct {
	mu      sync.Mutex
	now     known
	changed chan struct{} // closed at the next reading
}

func newWatch() *watch { return &watch{changed: make(chan struct{})} }

// show takes a new reading. While the broker is away, the last state stays.
func (w *watch) show(s health.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.Findings = s.Findings()
	w.now.Verdict = s.Judge(w.now.Findings)
	w.now.Number++
	if s.Away == "" || !w.now.isRead() {
		w.now.State = s
	}
	switch {
	case s.Away == "":
		w.now.AwaySince = time.Time{}
		w.now.Samples = keepSamples(w.now.Samples, sampleOf(s))
	case w.now.AwaySince.IsZero():
		w.now.AwaySince = s.At
	}
	w.now.Why = s.Away
	close(w.changed)
	w.changed = make(chan struct{})
}

// get returns what is known, and a channel that is closed at the next reading.
func (w *watch) get() (now known, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.changed
}

// known returns what is known, after the first reading if it comes soon.
func (c *Console) known(ctx context.Context) known {
	now, changed := c.watch.get()
	if now.Number > 0 {
		return now
	}
	late := time.NewTimer(firstFor)
	defer late.Stop()
	select {
	case <-changed:
	case <-late.C:
	case <-ctx.Done():
	}
	now, _ = c.watch.get()
	return now
}

func (w *watch) ready() error {
	now, _ := w.get()
	switch {
	case now.Number == 0:
		return errors.New("the broker was not read yet")
	case now.Why != "":
		return errors.New(now.Why)
	default:
		return nil
	}
}
