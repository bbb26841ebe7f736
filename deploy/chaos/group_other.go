//go:build unix && !linux

package chaos

import "syscall"

// own gives a process a group of its own, which Ctrl-C does not reach.
func own() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// peakOf is the most memory that a running process has had: not known here.
func peakOf(int) int64 { return 0 }
