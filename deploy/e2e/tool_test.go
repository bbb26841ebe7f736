package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// tool builds the command of operators at its first use, and returns its path.
type tool func() (path string, err error)

func newTool(t *testing.T) tool {
	dir := t.TempDir()
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(dir, "wagewire")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./deploy/cmd/wagewire")
		build.Dir = checkout
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build wagewire: %w\n%s", err, out)
		}
		return path, nil
	})
}

// wagewire ARGUMENT ...
func (build tool) wagewire(s *script, ts *testscript.TestScript, args arguments) error {
	if err := args.only(); err != nil {
		return err
	}
	run, err := build.command(s, args.words...)
	if err != nil {
		return err
	}
	run.Stdout = ts.Stdout()
	run.Stderr = ts.Stderr()
	return run.Run()
}

// command returns the command with arguments, for the deployment of the script.
func (build tool) command(s *script, args ...string) (*exec.Cmd, error) {
	path, err := build()
	if err != nil {
		return nil, err
	}
	addresses := s.stack.Addresses()
	run := exec.CommandContext(s.ctx, path, args...)
	run.Env = append(os.Environ(),
		"NATS_URL="+addresses.NATS, "NATS_CREDS_FILE="+addresses.Credentials,
		"NATS_CA_FILE="+addresses.CA, "NATS_JS_DOMAIN=")
	return run, nil
}

// prints runs the command, which must succeed, and returns all that it prints.
func (build tool) prints(t *testing.T, s *script, args ...string) string {
	t.Helper()
	run, err := build.command(s, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("wagewire %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
