package retry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/stream"
)

var errEnough = errors.New("enough is found")

// Find returns the chosen events, queue by queue, and in each in the order in which they began to
// wait. If most is not 0, Find returns so many at most, and isCut is true if there are more.
func Find(
	ctx context.Context, op *stream.Operator, c Choice, most int,
) (chosen []stream.Waiting, isCut bool, err error) {
	queue := "*"
	if len(c.Queues) == 1 {
		queue = c.Queues[0]
	}
	err = op.Waiting(ctx, queue, "*", func(w stream.Waiting) error {
		if !c.Matches(w) {
			return nil
		}
		if most > 0 && len(chosen) == most {
			return errEnough
		}
		chosen = append(chosen, w)
		return nil
	})
	if errors.Is(err, errEnough) {
		return chosen, true, nil
	}
	return chosen, false, err
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
