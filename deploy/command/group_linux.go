package command

import "syscall"

// OwnGroup gives a process its own group, without the Ctrl-C of the terminal. The kernel kills the
// process when this one ends in any way.
func OwnGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
