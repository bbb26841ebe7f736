package console

import (
	"context"
	"sync"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
)

// readEvery is the least time between two readings of the broker.
const readEvery = 5 * time.Second

// readFor is the limit of one reading: so soon the pages say that the broker does not answer. It is
// shorter than that of `wagewire metrics`, which nobody looks at meanwhile.
const readFor = 10 * time.Second

// slowAfter is the time after which the pages say that a reading is under way.
const slowAfter = 3 * time.Second

// firstFor is how long a page waits for the first reading.
const firstFor = 3 * time.Second

// known is what is known of the installation at a time.
type known struct {
	// State is the last state that could be read.
	health.State

	Findings []health.Finding
	Verdict  health.Verdict
	// Why says why the last reading failed, "" if it did not. AwaySince is then the time of the
	// last good one, or when the first one began if none was good, else zero.
	Why       string
	AwaySince time.Time
	// SlowSince is when the reading under way began, zero if it is not slow.
	SlowSince time.Time
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
	changed chan struct{} // closed when something else is known
	began   time.Time     // of the reading under way, or of the last
	slow    *time.Timer   // tells of a slow reading
}

func newWatch() *watch { return &watch{changed: make(chan struct{})} }

// begin notes that a reading begins, and tells of it if it is slow.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	began := time.Now()
	w.began = began
	w.slow = time.AfterFunc(slowAfter, func() { w.tellSlow(began) })
}

// tellSlow tells that the reading that began then is slow, if it is still under way.
func (w *watch) tellSlow(began time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slow == nil || !w.began.Equal(began) {
		return
	}
	w.now.SlowSince = began
	w.tell()
}

// show takes a new reading. While the broker is away, the last state stays.
func (w *watch) show(s health.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slow != nil {
		w.slow.Stop()
		w.slow = nil
	}
	w.now.SlowSince = time.Time{}
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
	case w.now.isRead():
		w.now.AwaySince = w.now.At
	case w.now.AwaySince.IsZero():
		w.now.AwaySince = s.At
		if !w.began.IsZero() {
			w.now.AwaySince = w.began
		}
	}
	w.now.Why = s.Away
	w.tell()
}

// tell tells that something else is known.
func (w *watch) tell() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// get returns what is known, and a channel that is closed when something else is.
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
