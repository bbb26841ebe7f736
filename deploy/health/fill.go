package health

import (
	"math"
	"time"
)

// FillSpanMin is the least history for a forecast. A burst of some minutes, such as a backfill,
// says nothing about days.
const FillSpanMin = time.Hour

// Fill is what FullIn needs to know about a stream.
type Fill struct {
	// Now is the time of Bytes and Oldest.
	Now time.Time
	// Bytes is what the stream holds, and BytesMax is its limit. A BytesMax of zero or less is no
	// limit. Both may also count messages.
	Bytes    uint64
	BytesMax int64
	// Oldest is the time of the oldest message. The zero time means that there is none.
	Oldest time.Time
	// MaxAge is how long the stream keeps a message. 0 is for ever. For a stream whose messages
	// carry a TTL, it is the TTL.
	MaxAge time.Duration
	// Earlier is the stream at an earlier time, nil if nobody looked then. Its best distance from
	// Now is a day, because the hours of a day differ.
	Earlier *FillSample
}

// FillSample is a stream at one time.
type FillSample struct {
	At     time.Time
	Bytes  uint64
	Oldest time.Time
}

// FullIn returns the time until the stream holds BytesMax, if messages keep coming at the present
// rate. fills is false if the stream never gets so full: without a limit, without messages, with
// less history than FillSpanMin, and if messages get too old before there are too many.
//
// The method assumes that the stored bytes are spread evenly over the time from Oldest until Now.
// The present rate is what was stored since Earlier, in bytes: the growth, and what left the stream
// as Oldest moved. Without an Earlier that is FillSpanMin before Now, the rate is Bytes over the
// time since Oldest. Three phases follow each other:
//
//  1. Until the oldest message has MaxAge, the stream grows by the present rate.
//  2. Until the newest message of Now has MaxAge, the stream also loses Bytes, evenly.
//  3. The stream holds rate × MaxAge for ever.
func FullIn(l Fill) (left time.Duration, fills bool) {
	if l.BytesMax <= 0 || l.Bytes == 0 || l.Oldest.IsZero() {
		return 0, false
	}
	room := float64(l.BytesMax) - float64(l.Bytes)
	if room <= 0 {
		return 0, true
	}
	span := l.span()
	rate, known := l.rate(span)
	if !known || rate <= 0 {
		return 0, false
	}
	if l.MaxAge == 0 {
		return after(room / rate)
	}
	grows := (l.MaxAge - span).Seconds()
	if room <= rate*grows {
		return after(room / rate)
	}
	// The room is smaller than before, and the rate is lower by what leaves.
	room -= rate * grows
	rate -= float64(l.Bytes) / span.Seconds()
	if rate <= 0 || room > rate*span.Seconds() {
		return 0, false
	}
	return after(grows + room/rate)
}

// span is the time over which the stored bytes are spread. Single messages, such as tombstones,
// outlive MaxAge.
func (l Fill) span() time.Duration {
	span := max(l.Now.Sub(l.Oldest), time.Second) // clocks differ
	if l.MaxAge > 0 {
		span = min(span, l.MaxAge)
	}
	return span
}

// rate returns the bytes that are stored in a second, and false if the history is too short.
func (l Fill) rate(span time.Duration) (perSecond float64, known bool) {
	density := float64(l.Bytes) / span.Seconds()
	if l.Earlier != nil {
		passed := l.Now.Sub(l.Earlier.At)
		if passed >= FillSpanMin {
			grown := float64(l.Bytes) - float64(l.Earlier.Bytes)
			return (grown + l.leftSinceEarlier(density)) / passed.Seconds(), true
		}
	}
	return density, span >= FillSpanMin
}

// leftSinceEarlier returns the bytes that left the stream since Earlier: never more than it held.
func (l Fill) leftSinceEarlier(density float64) float64 {
	held := float64(l.Earlier.Bytes)
	if held == 0 || !l.Oldest.Before(l.Earlier.At) {
		return held
	}
	moved := l.Oldest.Sub(l.Earlier.Oldest)
	if l.MaxAge > 0 && l.Earlier.At.Sub(l.Oldest) > l.MaxAge {
		// A message that outlives the others hides that the others leave.
		moved = l.Now.Sub(l.Earlier.At)
	}
	return min(density*max(moved, 0).Seconds(), held)
}

// after turns seconds into a duration. A duration ends at 292 years, and what takes longer never
// happens.
func after(seconds float64) (time.Duration, bool) {
	nanoseconds := seconds * float64(time.Second)
	if nanoseconds >= math.MaxInt64 {
		return 0, false
	}
	return time.Duration(nanoseconds), true
}
