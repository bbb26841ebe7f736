package schema

import (
	"sync"
	"time"
)

const (
	// A Tally counts tallySteps steps of tallyStep.
	tallySteps = 10
	tallyStep  = 30 * time.Second
)

// Tally counts the successes and failures of the last five minutes, for a Report. The zero value is
// ready for use, and safe for concurrent use.
type Tally struct {
	mu     sync.Mutex
	steps  [tallySteps]tallyCount
	recent Recent
}

// tallyCount has the counts of one step.
type tallyCount struct {
	step       int64
	ok, failed int
}

// Note counts a success or a failure.
func (t *Tally) Note(ok bool) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	step := stepAt(now)
	count := &t.steps[step%tallySteps]
	if count.step != step {
		*count = tallyCount{step: step}
	}
	if ok {
		count.ok++
		t.recent.LastOK = now.UTC()
		t.recent.InARow = 0
		t.recent.Since = time.Time{}
		return
	}
	count.failed++
	t.recent.LastFailed = now.UTC()
	if t.recent.InARow == 0 {
		t.recent.Since = now.UTC()
	}
	t.recent.InARow++
}

func stepAt(at time.Time) int64 { return at.UnixNano() / int64(tallyStep) }

// Read returns the counts of the last five minutes. They are exact to half a minute.
func (t *Tally) Read() Recent {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := t.recent
	first := stepAt(time.Now()) - tallySteps + 1
	for _, c := range t.steps {
		if c.step >= first {
			counts.OK += c.ok
			counts.Failed += c.failed
		}
	}
	return counts
}
