package usage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

func memoryPeak(pid int) (int64, error) { return read(pid, "VmHWM:") }
func memory(pid int) (int64, error)     { return read(pid, "VmRSS:") }

// read returns a size of proc_pid_status(5) in bytes.
func read(pid int, name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if kilobytes, found := strings.CutPrefix(line, name); found {
			digits := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kilobytes), "kB"))
			n, err := strconv.ParseInt(digits, 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("read /proc/%d/status: no %s", pid, name)
}
