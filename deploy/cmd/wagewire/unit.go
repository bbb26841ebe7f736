package main

import (
	"errors"
	"time"

	"github.com/docker/go-units"
)

const (
	day = 24 * time.Hour
	// sizeMax is an exbibyte. Larger sizes could overflow, because go-units counts in float64.
	sizeMax = 1 << 60
)

var errSize = errors.New("write 4GiB, 512MiB or a number of bytes")

// parseSize reads a number of bytes above zero: 4GiB, 512MiB, 1048576. Units count in 1024, so 4G
// is 4GiB.
func parseSize(text string) (int64, error) {
	size, err := units.RAMInBytes(text)
	if err != nil || size <= 0 || size > sizeMax {
		return 0, errSize
	}
	return size, nil
}
