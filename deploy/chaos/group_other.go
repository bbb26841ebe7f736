//go:build unix && !linux

package chaos

import "syscall"

// ownGroup gives a process its own group, without the Ctrl-C of the terminal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// peakOf returns 0: the peak memory of a process is unknown on this system.
func peakOf(int) int64 { return 0 }
