package schema_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The program of a downstream team reads completions from the team's durable consumer, and
// acknowledges each after its own work. The stream keeps completions for 21 days, so a team that
// was away for a weekend misses nothing.
func Example() {
	dir, err := os.MkdirTemp("", "wagewire-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	team, err := serveTeam(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer team.stop()

	ctx, stop := context.WithCancel(context.Background())
	err = consume(ctx, team.url, team.seed, subscriber{
		store: func(completion schema.Completion, records []json.RawMessage) error {
			fmt.Println(completion.ID, completion.Data.Outcome, len(records))
			return nil
		},
		remove: func(completion schema.Completion) error {
			fmt.Println(completion.ID, completion.Data.Outcome)
			stop()
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// pinwheel:e-1:paystubs succeeded 1
	// pinwheel:e-2:paystubs succeeded 2
	// truv:e-3:link deleted
}

func TestTheJavaScriptConsumerReadsCompletions(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: the JavaScript consumer needs %s on the PATH", program)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"consumer.mjs", "package.json"} {
		text, err := os.ReadFile(filepath.Join("examples", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "install",
		"--no-package-lock", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	team, err := serveTeam(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(team.stop)

	want := "pinwheel:e-1:paystubs succeeded 1\n" +
		"pinwheel:e-2:paystubs succeeded 2\n" +
		"truv:e-3:link deleted\n"
	if got := linesOf(t, team, dir, strings.Count(want, "\n")); got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
}

// linesOf runs the JavaScript consumer until it has printed n lines.
func linesOf(t *testing.T, team *servedTeam, dir string, n int) string {
	t.Helper()
	consumer := exec.CommandContext(t.Context(), "node", "consumer.mjs")
	consumer.Dir = dir
	consumer.Env = append(os.Environ(), "NATS_URL="+team.url, "NATS_SEED_FILE="+team.seed)
	consumer.Stderr = t.Output()
	stdout, err := consumer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := consumer.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = consumer.Process.Kill()
		_ = consumer.Wait()
	}()
	printed := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		var text strings.Builder
		for range n {
			line, _ := lines.ReadString('\n')
			text.WriteString(line)
		}
		printed <- text.String()
	}()
	select {
	case text := <-printed:
		return text
	case <-streamtest.Late(t):
		t.Fatalf("it did not print %d lines", n)
		return ""
	}
}

func TestThePythonConsumerCompiles(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT RUN: the Python consumer needs python3 on the PATH")
	}
	source, err := filepath.Abs("examples/consumer.py")
	if err != nil {
		t.Fatal(err)
	}
	compiled := filepath.Join(t.TempDir(), "consumer.pyc")
	const program = "import py_compile, sys; " +
		"py_compile.compile(sys.argv[1], cfile=sys.argv[2], doraise=True)"
	compile := exec.CommandContext(t.Context(), python, "-c", program, source, compiled)
	out, err := compile.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The subscribers' README shows the programs above as they are run here.
func TestTheExamplesOfTheREADMEAreTheOnesThatRun(t *testing.T) {
	const readme = "README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for _, example := range []struct{ language, file, from string }{
		{language: "go", file: "consumer_test.go", from: "// subscriber is"},
		{language: "python", file: "examples/consumer.py"},
		{language: "js", file: "examples/consumer.mjs"},
	} {
		source, err := os.ReadFile(example.file)
		if err != nil {
			t.Fatal(err)
		}
		_, program, ok := strings.Cut(string(source), example.from)
		if !ok {
			t.Fatalf("%s does not have %q", example.file, example.from)
		}
		begin := "```" + example.language + "\n"
		before, rest, begins := strings.Cut(want, begin)
		_, after, ends := strings.Cut(rest, "```\n")
		if !begins || !ends {
			t.Fatalf("%s has no block of %s", readme, example.language)
		}
		want = before + begin + example.from + program + "```\n" + after
	}
	current(t, readme, want)
}
