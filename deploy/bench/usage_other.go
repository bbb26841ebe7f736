//go:build !linux

package bench

import (
	"errors"
	"syscall"
	"time"
)

func dieWithParent() *syscall.SysProcAttr { return nil }

// cpuUsed returns the processor time of a process.
func cpuUsed(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

// memoryPeak returns the peak memory of a running process, in bytes.
func memoryPeak(int) (int64, error) { return 0, errors.ErrUnsupported }
