//go:build unix

package command

import (
	"context"
	"os/exec"
	"syscall"
)

// InOwnGroup returns a command in a process group of its own (OwnGroup). The end of ctx kills the
// whole group.
func InOwnGroup(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the caller knows the command
	cmd.SysProcAttr = OwnGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}
