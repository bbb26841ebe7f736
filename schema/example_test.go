package schema_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The programs in the other languages are run by the tests of their kits.
func TestTheProgramInGoReadsCompletionsUntilASignal(t *testing.T) {
	program := filepath.Join(t.TempDir(), "consumer")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/consumer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	team, err := serveTeam(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(team.stop)

	consumer := exec.CommandContext(t.Context(), program)
	consumer.Dir = t.TempDir()
	consumer.Env = append(os.Environ(), "NATS_URL="+team.url, "NATS_SEED_FILE="+team.seed)
	consumer.Stderr = t.Output()
	stdout, err := consumer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := consumer.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for printed := bufio.NewScanner(stdout); printed.Scan(); {
			lines <- printed.Text()
		}
	}()
	want := []string{
		"pinwheel:e-1:paystubs succeeded 1",
		"pinwheel:e-2:paystubs succeeded 2",
		"truv:e-3:link deleted",
	}
	var got []string
	for range want {
		select {
		case line := <-lines:
			got = append(got, line)
		case <-streamtest.Late(t):
			t.Fatalf("it printed only %q", got)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it printed (-want +got):\n%s", diff)
	}
	if err := consumer.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line, more := <-lines; more {
		t.Errorf("it also printed %q", line)
	}
	if err := consumer.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// The subscribers' README shows programs that are run.
func TestTheExamplesOfTheREADMEAreTheOnesThatRun(t *testing.T) {
	const readme = "README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for _, example := range []struct{ language, file string }{
		{"go", "examples/consumer/main.go"},
		{"python", "clients/python/example.py"},
		{"js", "clients/typescript/example.mjs"},
	} {
		program, err := os.ReadFile(example.file)
		if err != nil {
			t.Fatal(err)
		}
		begin := "```" + example.language + "\n"
		before, rest, begins := strings.Cut(want, begin)
		_, after, ends := strings.Cut(rest, "```\n")
		if !begins || !ends {
			t.Fatalf("%s has no block of %s", readme, example.language)
		}
		want = before + begin + string(program) + "```\n" + after
	}
	current(t, readme, want)
}
