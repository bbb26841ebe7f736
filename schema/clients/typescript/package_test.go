package typescript_test

import (
	"bufio"
	"context"
	"encoding/json"
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

const exampleFile = "example.mjs"

func TestTheExampleReadsCompletionsUntilASignal(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			w := serve(t)
			want := []string{
				w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`) + " succeeded 1",
				w.publish(deletionOf("e-2", "l-1")) + " deleted",
			}
			example := exec.CommandContext(t.Context(), "node", exampleFile)
			example.Dir = workshop
			example.Env = append(os.Environ(), "NATS_URL="+w.url, "NATS_SEED_FILE="+w.seed)
			example.Stderr = t.Output()
			stdout, err := example.StdoutPipe()
			w.must(err)
			w.must(example.Start())
			lines := make(chan string)
			go func() {
				defer close(lines)
				for all := bufio.NewScanner(stdout); all.Scan(); {
					lines <- all.Text()
				}
			}()
			got := []string{nextLine(t, lines), nextLine(t, lines)}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			w.must(example.Process.Signal(signal))
			if more, ok := <-lines; ok {
				t.Errorf("it also prints %s", more)
			}
			if err := example.Wait(); err != nil {
				t.Errorf("it ends with %v", err)
			}
			w.settled()
		})
	}
}

func nextLine(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case text := <-lines:
		return text
	case <-streamtest.Late(t):
		t.Fatal("it prints nothing")
		return ""
	}
}

func TestTheExampleOfTheREADMEIsTheOneThatRuns(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```js\n")
	block, _, _ = strings.Cut(block, "```\n")
	if diff := cmp.Diff(string(example), block); diff != "" {
		t.Errorf("README.md has another example (-want +got):\n%s", diff)
	}
}

// consumer is a program of another team, which has only the package.
const consumer = `import { connect, normalOf, type PinwheelPaystub, type Handler } from "@wagewire/client";

export const handler: Handler = {
  async store(completion) {
    for await (const paystub of completion.records<PinwheelPaystub>()) {
      const pay: bigint | undefined = normalOf("pinwheel", "paystubs", paystub).paystub?.gross_pay?.minor;
      if (pay === 169000n && paystub.currency === "USD") return;
    }
  },
  remove() {},
};
export const client = (team: string) => connect({ team });
`

func TestThePackageHasWhatAProgramNeeds(t *testing.T) {
	built(t)
	pack := exec.CommandContext(t.Context(), "npm", "pack", "--json", "--loglevel=error")
	pack.Dir = workshop
	pack.Stderr = t.Output()
	out, err := pack.Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, begins, ok := strings.Cut(string(out), "\n["); ok { // behind what the scripts print
		out = []byte("[" + begins)
	}
	var packed []struct {
		Filename string
		Files    []struct{ Path string }
	}
	if err := json.Unmarshal(out, &packed); err != nil || len(packed) != 1 {
		t.Fatalf("npm pack says %s: %v", out, err)
	}
	var files []string
	for _, file := range packed[0].Files {
		files = append(files, file.Path)
	}
	slices.Sort(files)
	want := []string{
		"LICENSE", "README.md", "dist/normal.d.ts", "dist/normal.js", "dist/types.d.ts",
		"dist/types.js", "dist/wagewire.d.ts", "dist/wagewire.js", "package.json",
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("the package (-want +got):\n%s", diff)
	}

	program := t.TempDir()
	for name, text := range map[string]string{
		"package.json": `{"type":"module","private":true}`, "program.ts": consumer,
	} {
		if err := os.WriteFile(filepath.Join(program, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err = command(program, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund",
		"--loglevel=error", filepath.Join(workshop, packed[0].Filename))
	if err != nil {
		t.Fatal(err)
	}
	err = command(program, filepath.Join(workshop, "node_modules/.bin/tsc"), "--ignoreConfig",
		"--strict", "--target", "es2022", "--module", "nodenext", "--types", "", "program.ts")
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "program.js")
	run.Dir = program
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
