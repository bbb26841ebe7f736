package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// parseAge reads a duration, in days too: 14d, 336h, 90m. It is never below zero.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > uint64(math.MaxInt64/day) {
			return 0, fmt.Errorf("%q is no duration: write 14d, 336h or 90m", s)
		}
		return time.Duration(n) * day, nil
	}
	age, err := time.ParseDuration(s)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("%q is no duration: write 14d, 336h or 90m", s)
	}
	return age, nil
}

// age prints a duration as parseAge reads it, in days where they are whole.
func age(d time.Duration) string {
	if d%day == 0 && d > 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

var sizeUnits = []string{"KiB", "MiB", "GiB", "TiB"}

// parseSize reads a number of bytes over zero: 4GiB, 512MiB, 1048576.
func parseSize(s string) (int64, error) {
	digits, unit := s, int64(1)
	for i, suffix := range sizeUnits {
		if before, ok := strings.CutSuffix(s, suffix); ok {
			digits, unit = before, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size: write 4GiB, 512MiB or a number of bytes", s)
	}
	return n * unit, nil
}

// size prints a number of bytes as parseSize reads it, in the largest unit that is whole.
func size(n int64) string {
	unit := ""
	for _, larger := range sizeUnits {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, larger
	}
	return fmt.Sprintf("%d%s", n, unit)
}
