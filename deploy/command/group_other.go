//go:build unix && !linux

package command

import "syscall"

// OwnGroup gives a process its own group, without the Ctrl-C of the terminal.
func OwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
