//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// commandFor is longer than any command takes, on a machine however busy.
const commandFor = 20 * time.Minute

// surroundings are the variables of the commands that a test runs.
type surroundings []string

// run runs a command in this directory, and returns what it wrote to standard output. The error has
// what it wrote to standard error.
func (s surroundings) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandFor)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Env = s
	var stdout, stderr bytes.Buffer
	command.Stdout = &stdout
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err,
			strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// must runs a command that has to succeed.
func (s surroundings) must(t *testing.T, name string, args ...string) (stdout string) {
	t.Helper()
	stdout, err := s.run(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return stdout
}

// clean runs a command at the end of a test, when the context of the test has ended.
func (s surroundings) clean(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := s.run(context.WithoutCancel(t.Context()), name, args...); err != nil {
		t.Error(err)
	}
}

// with returns the variables and some more.
func (s surroundings) with(pairs ...string) surroundings {
	return append(append(surroundings{}, s...), pairs...)
}

// ours are the variables of this process.
func ours() surroundings { return os.Environ() }
