//go:build !linux

package main

import (
	"errors"
	"syscall"
	"time"
)

func dieWithParent() *syscall.SysProcAttr { return nil }

// cpuUsed is the processor time that a process has used.
func cpuUsed(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

// memoryPeak is the most memory, in bytes, that a running process has ever had resident.
func memoryPeak(int) (int64, error) { return 0, errors.ErrUnsupported }
