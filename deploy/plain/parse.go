package plain

import (
	"errors"
	"time"

	"github.com/xhit/go-str2duration/v2"

	"github.com/wagewire/wagewire/schema"
)

var errAge = errors.New("write 14d, 336h or 90m")

// ParseAge reads a duration of zero or more: 14d, 336h, 90m. The error says what to write.
func ParseAge(text string) (time.Duration, error) {
	age, err := str2duration.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, errAge
	}
	return age, nil
}

// ParseTime reads a time as people write it: an age before now, a time of RFC 3339, "now" or "all".
// The zero time, for "all", is earlier than everything stored. The error says what to write.
func ParseTime(text string, now time.Time) (time.Time, error) {
	switch text {
	case "now":
		return now, nil
	case "all":
		return time.Time{}, nil
	}
	if age, err := ParseAge(text); err == nil {
		return now.Add(-age), nil
	}
	at, err := schema.ParseTime(text)
	if err != nil {
		return time.Time{}, errors.New("write 1h, 2d, 2026-01-12T02:36:00Z, all or now")
	}
	return at, nil
}
