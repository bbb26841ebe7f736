package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// program is a sandbox in a process of its own.
type program struct {
	*exec.Cmd
	stdout, stderr *screen
}

// startProcess starts a sandbox that keeps its streams in the directory.
func startProcess(t *testing.T, dir string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{exec.CommandContext(t.Context(), self, onFreePorts("--no-demo", "--dir", dir)...),
		&screen{}, &screen{}}
	p.Env = append(os.Environ(), asSandbox+"=1")
	p.Stdout = p.stdout
	p.Stderr = p.stderr
	// A process that the test has killed may leave its output open.
	p.WaitDelay = time.Second
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// isUp waits until the sandbox takes webhooks.
func (p *program) isUp(t *testing.T) {
	t.Helper()
	streamtest.Eventually(t, "the sandbox is up", func() bool {
		if strings.Contains(p.stderr.String(), "sandbox: ") {
			t.Fatalf("it ended: %s", p.stderr)
		}
		return strings.Contains(p.stdout.String(), "What next")
	})
}

// end ends the sandbox with a signal and waits for its end.
func (p *program) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
}

func TestOneSandboxAtATimeUsesADirectory(t *testing.T) {
	dir := t.TempDir()
	first := startProcess(t, dir)
	first.isUp(t)

	second := startProcess(t, dir)
	err := second.Wait()
	want := fmt.Sprintf("sandbox: --dir: %s/nats is in use by process %d: "+
		"end that sandbox, or choose another directory\n", dir, first.Process.Pid)
	if second.ProcessState.ExitCode() != 1 || second.stderr.String() != want {
		t.Errorf("the second sandbox: %v, stderr %q, want %q", err, second.stderr, want)
	}

	first.end(t, syscall.SIGKILL)
	third := startProcess(t, dir)
	third.isUp(t)
	third.end(t, os.Interrupt)
	if code := third.ProcessState.ExitCode(); code != 0 || third.stderr.String() != "" {
		t.Errorf("after SIGKILL of the first: exit code %d, stderr %q", code, third.stderr)
	}
}
