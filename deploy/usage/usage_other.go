//go:build !linux

package usage

import "errors"

func memoryPeak(int) (int64, error) { return 0, errors.ErrUnsupported }
func memory(int) (int64, error)     { return 0, errors.ErrUnsupported }
