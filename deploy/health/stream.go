package health

import (
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// SumWaiting puts the streams of the waiting events into one line, the last one. The table of the
// queues has the waiting events of each.
func SumWaiting(streams []stream.Level) []stream.Level {
	var levels []stream.Level
	sum := stream.Level{Name: schema.EveryWaitingStream}
	isThere := false
	for _, l := range streams {
		if !schema.IsWaitingStream(l.Name) {
			levels = append(levels, l)
			continue
		}
		isThere = true
		sum.Messages += l.Messages
		sum.Bytes += l.Bytes
		if sum.Oldest.IsZero() || !l.Oldest.IsZero() && l.Oldest.Before(sum.Oldest) {
			sum.Oldest = l.Oldest
		}
	}
	if isThere {
		levels = append(levels, sum)
	}
	return levels
}
