package plain

import (
	"fmt"
	"time"

	"github.com/docker/go-units"
)

const day = 24 * time.Hour

// Age is a duration, in days if the days are whole.
func Age(age time.Duration) string {
	if age%day == 0 && age > 0 {
		return fmt.Sprintf("%dd", age/day)
	}
	return age.String()
}

// Ago is how long ago a time was, in its two largest units, and "-" for the zero time.
func Ago(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	d := max(now.Sub(at), 0)
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

// In is how far ahead a time is, in its two largest units: "in 4m3s". A time that is over
// is "now", and the zero time is "-".
func In(at, now time.Time) string {
	switch {
	case at.IsZero():
		return "-"
	case !at.After(now):
		return "now"
	default:
		return "in " + Ago(now, at)
	}
}

// Size is a number of bytes with four digits at most: 4GiB, 1.5MiB, 0B.
func Size[T int64 | uint64](size T) string { return units.BytesSize(float64(size)) }
