package api

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// ParseTime reads a time as the APIs write it: RFC 3339 with or without a fraction, with Z or an
// offset, with T or a space between date and time. The error does not hold s.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.Replace(s, " ", "T", 1))
	if err != nil {
		return time.Time{}, errors.New("not an RFC 3339 time")
	}
	return t, nil
}

// Stamp is a time in a body. An unreadable time is no reason to refuse the body. A null, an
// unknown format or another type is read as the zero time.
type Stamp struct{ time.Time }

// UnmarshalJSON never fails.
func (s *Stamp) UnmarshalJSON(b []byte) error {
	s.Time = time.Time{}
	var text string
	if json.Unmarshal(b, &text) == nil {
		s.Time, _ = ParseTime(text)
	}
	return nil
}
