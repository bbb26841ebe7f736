package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Commands of the pipeline, by the name of their binary.
const (
	ingressCommand = "ingress"
	natsCommand    = "nats-server"
)

var workerCommands = []string{"employment", "identity", "income", "link", "paystubs", "shifts", "verification-reports"}

// flaw is a build that is broken on purpose: a run of it must find violations.
type flaw struct {
	does string
	// file, from the root of the repository, has the first text of each edit once; it becomes the second. Without a file it is
	// the streams that are broken.
	file  string
	edits [][2]string
}

var flaws = map[string]flaw{
	"ack-first": {"ingress answers before the event is stored", "ingress/handler.go", [][2]string{{
		"\tduplicate, err = s.publisher.PublishEvent(ctx, e)\n",
		"\tgo func() {\n\t\tctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.PublishFor)\n\t\tdefer cancel()\n" +
			"\t\t_, _ = s.publisher.PublishEvent(ctx, e)\n\t}()\n",
	}}},
	"no-fence": {does: "the completions stream takes a second completion of an event"},
	"settle-first": {"a worker settles an event when it takes it", "workers/worker.go", [][2]string{{
		"\tjob, fetched, err := w.fetch(ctx, q, d)\n",
		"\t_ = d.Done()\n\tjob, fetched, err := w.fetch(ctx, q, d)\n",
	}}},
	"no-tombstone": {"a completion does not ask whether its account is erased", "schema/stream/publish.go", [][2]string{{
		"\tif completion.Data.Outcome != schema.Deleted {\n",
		"\tif false {\n",
	}}},
	"no-dead-letter": {"what is given up is completed, and no dead letter kept", "workers/worker.go", [][2]string{{
		"\tif verdict.Kind == Never {\n\t\tif err := w.storeDeadLetter(",
		"\tif false {\n\t\tif err := w.storeDeadLetter(",
	}}},
	"float": {"records take a round trip through float64", "workers/job.go", [][2]string{
		{"\tc.Data.Records = append(c.Data.Records, fetched.Records...)\n",
			"\tfor _, r := range fetched.Records {\n\t\tvar v any\n\t\t_ = json.Unmarshal(r, &v)\n\t\tb, _ := json.Marshal(v)\n" +
				"\t\tc.Data.Records = append(c.Data.Records, b)\n\t}\n"},
	}},
}

// Flaws are the names of the builds that are broken on purpose.
func Flaws() []string { return slices.Sorted(maps.Keys(flaws)) }

// build makes the commands of the repository at root in dir/bin, with the flaw if there is one.
func build(ctx context.Context, environ []string, root, dir, broken string) (bin string, err error) {
	bin = filepath.Join(dir, "bin")
	args := []string{"build", "-o", bin + string(filepath.Separator)}
	if f := flaws[broken]; f.file != "" {
		overlay, err := f.overlay(root, dir)
		if err != nil {
			return "", fmt.Errorf("break the build by %s: %w", broken, err)
		}
		args = append(args, "-overlay", overlay)
	}
	args = append(args, "./ingress/cmd/"+ingressCommand, "github.com/nats-io/nats-server/v2")
	for _, name := range workerCommands {
		args = append(args, "./workers/cmd/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // what is built is named above
	cmd.Dir, cmd.SysProcAttr = root, own()
	cmd.Env = append(slices.Clone(environ), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return bin, nil
}

// overlay writes the broken copy of the file, and the file that tells the go command of it.
func (f flaw) overlay(root, dir string) (path string, err error) {
	original := filepath.Join(root, filepath.FromSlash(f.file))
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	code := string(text)
	for _, edit := range f.edits {
		if n := strings.Count(code, edit[0]); n != 1 {
			return "", fmt.Errorf("%s has %d times, and must have once:\n%s", f.file, n, edit[0])
		}
		code = strings.Replace(code, edit[0], edit[1], 1)
	}
	patched := filepath.Join(dir, "broken.go")
	if err := os.WriteFile(patched, []byte(code), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: patched}})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}
