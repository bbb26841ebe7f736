package python_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

// python returns a command on the kit, which ends with the test.
func python(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	needsPython(t)
	path, _ := library()
	command := exec.CommandContext(t.Context(), "python3", arguments...)
	command.Env = environment(path)
	command.Stderr = t.Output()
	return command
}

// The tests in Python are those that need no broker.
func TestThePythonTestsPass(t *testing.T) {
	t.Parallel()
	command := python(t, "-W", "error", "-m", "unittest", "discover", "-s", "tests", "-v")
	command.Stdout = t.Output()
	must(t, command.Run())
}

func TestEveryPythonFileCompiles(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.py", "*/*.py", "*/*/*.py", "*/*/*/*.py"} {
		found, err := filepath.Glob(pattern)
		must(t, err)
		files = append(files, found...)
	}
	const program = "import pathlib, sys\n" +
		"for path in sys.argv[1:]: compile(pathlib.Path(path).read_text(), path, 'exec')"
	command := python(t, append([]string{"-W", "error", "-c", program}, files...)...)
	must(t, command.Run())
	if len(files) < 10 {
		t.Errorf("only %q", files)
	}
}

func TestTokensOrdersAndResourcesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	var asked struct {
		IDs         []string `json:"ids"`
		Completions []string `json:"completions"`
	}
	var want struct {
		Tokens []string `json:"tokens"`
		Orders []string `json:"orders"`

		Resources []schema.Resource `json:"resources"`
	}
	want.Resources = schema.WorkerResources()
	slices.Sort(want.Resources)
	asked.IDs = []string{
		"a-1", "449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65", "_", "h_x", "a b", "ü", "", "a.b", "*", ">",
		strings.Repeat("a", 64), strings.Repeat("a", 65), "a\n",
	}
	for _, id := range asked.IDs {
		want.Tokens = append(want.Tokens, schema.Token(id))
	}
	var texts [][]byte
	for _, pattern := range []string{"completion.*.golden.json", "former/completion.*.json"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "testdata", pattern))
		must(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(t, err)
			texts = append(texts, text)
		}
	}
	former, err := os.ReadFile("../../testdata/former/completion.succeeded.json")
	must(t, err)
	for _, refreshed := range []string{
		"2026-01-12T02:36:01+02:00", "2026-02-28T23:59:59.123456789-01:00", "0000-01-01T00:00:00Z",
		"0000-01-01T00:00:00+01:00", "0000-12-31T23:00:00.5-01:00", "9999-12-31T23:59:59Z",
		"2024-02-29T12:00:00.100Z", "2024-03-01T00:30:00+00:45",
	} {
		var c map[string]any
		must(t, json.Unmarshal(former, &c))
		c["data"].(map[string]any)["refreshed_at"] = refreshed
		text, err := json.Marshal(c)
		must(t, err)
		texts = append(texts, text)
	}
	for _, text := range texts {
		var c schema.Completion
		must(t, json.Unmarshal(text, &c))
		asked.Completions = append(asked.Completions, string(text))
		want.Orders = append(want.Orders, c.Order())
	}
	input, err := json.Marshal(asked)
	must(t, err)
	command := python(t, "tests/words.py")
	command.Stdin = bytes.NewReader(input)
	output, err := command.Output()
	must(t, err)
	got := want
	got.Tokens = nil
	got.Orders = nil
	got.Resources = nil
	must(t, json.Unmarshal(output, &got))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The example ends on SIGTERM like any program of the kit.
func TestTheExampleOfTheREADMERuns(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("example.py")
	must(t, err)
	readme, err := os.ReadFile("README.md")
	must(t, err)
	if !strings.Contains(string(readme), "```python\n"+string(program)+"```\n") {
		t.Error("README.md does not have example.py as it is")
	}
	i := serve(t)
	i.complete(t, "a-1", "e-1", `{"id":"p-1"}`, `{"id":"p-2"}`)
	i.completeLink(t, "l-1", "e-2", schema.Deleted)
	path, _ := library()
	command := python(t, "example.py")
	command.Env = append(environment(path), "NATS_URL="+i.server.URL())
	var said bytes.Buffer
	command.Stdout = &said
	must(t, command.Start())
	i.waitUntilSettled(t)
	must(t, command.Process.Signal(syscall.SIGTERM))
	must(t, command.Wait())
	lines := strings.Fields(said.String())
	slices.Sort(lines)
	want := strings.Fields("2 deleted pinwheel:e-1:paystubs succeeded truv:e-2:link")
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
