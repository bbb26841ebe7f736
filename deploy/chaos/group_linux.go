package chaos

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// ownGroup gives a process its own group, without the Ctrl-C of the terminal. The kernel kills the
// process when the harness ends in any way.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// peakOf returns the peak memory of a running process in bytes, 0 if unknown. The kernel's figure
// for an ended process is not usable: it includes the memory of the harness before exec.
func peakOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(after, &kib) // 0 if VmHWM is absent
	return kib << 10
}
