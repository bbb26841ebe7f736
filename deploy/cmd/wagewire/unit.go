package main

import (
	"errors"
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

// parseSize reads a number of bytes above zero: 4GiB, 512MiB, 1048576. Units count in 1024, so 4G
// is 4GiB.
func parseSize(text string) (int64, error) {
	size, err := units.RAMInBytes(text)
	if err != nil || size <= 0 || size > sizeMax {
		return 0, errSize
	}
	return size, nil
}

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
