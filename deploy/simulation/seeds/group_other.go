//go:build unix && !linux

package seeds

import "syscall"

// ownGroup gives a process its own group, without the Ctrl-C of the terminal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
