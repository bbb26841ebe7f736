package ingress

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// refusals counts the requests without a valid signature, and the connections that were cut off.
// None has a log line of its own, because anyone can cause them at any rate. They share a line a
// minute.
type refusals struct {
	log *zap.Logger
	// untold has a value while something is counted that no line tells.
	untold chan struct{}

	mu     sync.Mutex
	counts map[string]int
}

// refusalsTellEvery is the least time between two lines.
const refusalsTellEvery = time.Minute

func newRefusals(log *zap.Logger) *refusals {
	return &refusals{log: log, untold: make(chan struct{}, 1), counts: make(map[string]int)}
}

// count counts a refusal. It writes no line itself, and never blocks.
func (r *refusals) count(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[reason]++
	select {
	case r.untold <- struct{}{}:
	default:
	}
}

// run writes the lines until ctx ends: one at once, when a refusal comes after a quiet minute, and
// one a minute while refusals go on.
func (r *refusals) run(ctx context.Context) {
	defer r.tell()
	for {
		select {
		case <-r.untold:
			r.tell()
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(refusalsTellEvery):
		case <-ctx.Done():
			return
		}
	}
}

// tell writes a line with the counts since the last one.
func (r *refusals) tell() {
	r.mu.Lock()
	counts := r.counts
	r.counts = make(map[string]int)
	r.mu.Unlock()
	if len(counts) == 0 {
		return
	}
	total := 0
	var reasons []zap.Field
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		total += counts[reason]
		reasons = append(reasons, zap.Int(reason, counts[reason]))
	}
	r.log.Warn("requests without a valid signature",
		zap.Int("count", total), zap.Dict("reasons", reasons...))
}
