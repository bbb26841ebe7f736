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
