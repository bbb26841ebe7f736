package chaos

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// own gives a process a group of its own, which Ctrl-C does not reach, and has it killed when we die, however we do.
func own() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// peakOf is the most memory that a running process has had, in bytes; 0 where that is not known. What the kernel tells of
// one that has ended is no use: it counts ours, too, from before the process became another program.
func peakOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(after, &kib) // without the line it stays 0
	return kib << 10
}
