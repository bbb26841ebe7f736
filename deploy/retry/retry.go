package retry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Find returns the chosen events, queue by queue, and in each in the order in which they began to
// wait.
func Find(
	ctx context.Context, op *stream.Operator, c Choice,
) (chosen []stream.Waiting, err error) {
	queue := "*"
	if len(c.Queues) == 1 {
		queue = c.Queues[0]
	}
	err = op.Waiting(ctx, queue, "*", func(w stream.Waiting) error {
		if c.Matches(w) {
			chosen = append(chosen, w)
		}
		return nil
	})
	return chosen, err
}

// Count counts the waiting events of a queue and class.
type Count struct {
	Queue string
	stream.WaitingCount
}

// Counts counts by queue and class, in the order of their names.
func Counts(chosen []stream.Waiting) []Count {
	var counts []Count
	for _, w := range chosen {
		i := slices.IndexFunc(counts, func(c Count) bool {
			return c.Queue == w.Queue && c.Class == w.Class
		})
		if i < 0 {
			i = len(counts)
			counts = append(counts, Count{Queue: w.Queue})
		}
		counts[i].Add(w)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(strings.Compare(a.Queue, b.Queue), cmp.Compare(a.Class, b.Class))
	})
	return counts
}

// Rest is a queue that takes no events, and why.
type Rest struct {
	Queue schema.Queue
	trace.Rest
}

// Rests returns the counted queues that take no events now: what is tried stays ready there until
// the pause ends.
func Rests(ctx context.Context, op *stream.Operator, counts []Count) ([]Rest, error) {
	refusals, err := trace.ReadRefusals(ctx, op)
	if err != nil {
		return nil, err
	}
	var rests []Rest
	for i, c := range counts {
		q, exists := schema.QueueNamed(c.Queue)
		if !exists || i > 0 && c.Queue == counts[i-1].Queue {
			continue
		}
		rest, err := trace.ReadRest(ctx, op, q, refusals)
		if err != nil {
			return nil, err
		}
		if !rest.PausedUntil.IsZero() || rest.Refusal != nil {
			rests = append(rests, Rest{q, rest})
		}
	}
	return rests, nil
}

// Report counts what happened to the chosen events.
type Report struct {
	// Tried events are ready now.
	Tried int
	// Gone events no longer waited: they were tried meanwhile, or erased.
	Gone int
}

// Try ends the wait of an event, and counts it.
func (r *Report) Try(ctx context.Context, op *stream.Operator, w stream.Waiting) error {
	isRetried, err := op.RetryNow(ctx, w)
	switch {
	case err != nil:
		return err
	case isRetried:
		r.Tried++
	default:
		r.Gone++
	}
	return nil
}

// String is "2 events tried now, 1 no longer waited".
func (r *Report) String() string {
	return fmt.Sprintf("%s tried now, %d no longer waited", plain.Count(r.Tried, "event"), r.Gone)
}
