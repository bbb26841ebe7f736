package seeds

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/wagewire/wagewire/deploy/flaw"
)

// simulated is the directory of the simulation's package, from the root of the repository.
const simulated = "deploy/simulation"

// build builds the test binary of the simulation in dir. broken names a flaw, or is "".
func (c Config) build(ctx context.Context, dir, broken string) (*simulation, error) {
	s := &simulation{
		binary:  filepath.Join(dir, "simulation.test"),
		dir:     filepath.Join(c.Root, filepath.FromSlash(simulated)),
		environ: c.Environ,
		kept:    dir,
	}
	args := []string{"test", "-c", "-o", s.binary}
	if broken == "" {
		c.print("building")
	} else {
		f, _ := flaw.Lookup(broken)
		c.print("building with the flaw %s: %s", broken, f.Does)
		overlay, err := flaw.Overlay(c.Root, dir, broken)
		if err != nil {
			return nil, err
		}
		if overlay == "" {
			s.flaw = broken
		} else {
			args = append(args, "-overlay", overlay)
		}
	}
	args = append(args, "./"+simulated)
	cmd := inOwnGroup(ctx, "go", args...)
	cmd.Dir = c.Root
	cmd.Env = append(slices.Clone(c.Environ), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return s, nil
}

// inOwnGroup returns a command in a process group of its own. The end of ctx kills the group.
func inOwnGroup(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // go, or what it has built
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}
