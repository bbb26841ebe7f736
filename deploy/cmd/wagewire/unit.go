package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/docker/go-units"
	"github.com/xhit/go-str2duration/v2"

	"github.com/wagewire/wagewire/schema"
)

const (
	day = 24 * time.Hour
	// sizeMax is an exbibyte. Larger sizes could overflow, because go-units counts in float64.
	sizeMax = 1 << 60
)

var (
	errAge  = errors.New("write 14d, 336h or 90m")
	errSize = errors.New("write 4GiB, 512MiB or a number of bytes")
)

// parseAge reads a duration of zero or more: 14d, 336h, 90m.
func parseAge(text string) (time.Duration, error) {
	age, err := str2duration.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, errAge
	}
	return age, nil
}

// formatAge prints a duration, in days if the days are whole.
func formatAge(age time.Duration) string {
	if age%day == 0 && age > 0 {
		return fmt.Sprintf("%dd", age/day)
	}
	return age.String()
}

// formatAgo prints how long ago a time was, in its two largest units, and "-" for the zero time.
func formatAgo(at, now time.Time) string {
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

// formatIn prints how far ahead a time is, in its two largest units: "in 4m3s". A time that is over
// is "now", and the zero time is "-".
func formatIn(at, now time.Time) string {
	switch {
	case at.IsZero():
		return "-"
	case !at.After(now):
		return "now"
	default:
		return "in " + formatAgo(now, at)
	}
}

// parseSize reads a number of bytes above zero: 4GiB, 512MiB, 1048576. Units count in 1024, so 4G
// is 4GiB.
func parseSize(text string) (int64, error) {
	size, err := units.RAMInBytes(text)
	if err != nil || size <= 0 || size > sizeMax {
		return 0, errSize
	}
	return size, nil
}

// formatSize prints a number of bytes with four digits at most: 4GiB, 1.5MiB, 0B.
func formatSize[T int64 | uint64](size T) string { return units.BytesSize(float64(size)) }

// parseTime reads a time on the command line. The zero time is earlier than everything stored.
func parseTime(text string, now time.Time) (time.Time, error) {
	switch text {
	case "now":
		return now, nil
	case "all":
		return time.Time{}, nil
	}
	if age, err := parseAge(text); err == nil {
		return now.Add(-age), nil
	}
	at, err := schema.ParseTime(text)
	if err != nil {
		return time.Time{}, errors.New("write 1h, 2d, 2026-01-12T02:36:00Z, all or now")
	}
	return at, nil
}
