package seeds

import "syscall"

// ownGroup gives a process its own group, without the Ctrl-C of the terminal. The kernel kills the
// process when this one ends in any way.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
