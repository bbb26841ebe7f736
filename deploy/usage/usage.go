// Package usage says what a running process has used of the machine.
package usage

// MemoryPeak returns the peak memory of a running process, in bytes. The error is
// errors.ErrUnsupported on systems other than Linux. The kernel's figure for an ended process is
// not usable: it includes the memory of the parent before exec.
func MemoryPeak(pid int) (int64, error) { return memoryPeak(pid) }

// Memory returns the memory that a running process uses now, in bytes. The error is
// errors.ErrUnsupported on systems other than Linux.
func Memory(pid int) (int64, error) { return memory(pid) }
