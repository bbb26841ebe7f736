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

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// The names of the binaries, except for the workers.
const (
	ingressCommand = "ingress"
	natsCommand    = "nats-server"
)

// workerCommands returns the names of the worker binaries, a name for each resource.
func workerCommands() []string {
	var names []string
	for _, q := range schema.Queues() {
		names = append(names, stream.WorkerRole(q.Resource))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// flaw is a mistake to build in on purpose. A run with a flaw must find violations.
type flaw struct {
	// does says what is wrong with the build.
	does string
	// file is the file to edit, from the root of the repository. A flaw without a file is a flaw of
	// the streams.
	file string
	// edits are pairs of an old and a new text. The file must have the old text once.
	edits [][2]string
}

var flaws = map[string]flaw{
	"ack-first": {"ingress answers before the event is stored", "ingress/handler.go", [][2]string{{
		"\tduplicate, err = s.publisher.PublishEvent(ctx, e)\n",
		"\tgo func() {\n" +
			"\t\tctx := context.WithoutCancel(ctx)\n" +
			"\t\tctx, cancel := context.WithTimeout(ctx, s.limits.PublishFor)\n" +
			"\t\tdefer cancel()\n" +
			"\t\t_, _ = s.publisher.PublishEvent(ctx, e)\n" +
			"\t}()\n",
	}}},
	"places-first": {
		"ingress gives a place in hand to webhooks that are not verified",
		"ingress/handler.go", [][2]string{
			{
				"\tin, err := s.receive(w, r, got.provider)\n",
				"\tif !s.hand.take(nil) {\n\t\treturn got, errShed\n\t}\n" +
					"\tdefer s.hand.giveBack(nil)\n" +
					"\tin, err := s.receive(w, r, got.provider)\n",
			},
		},
	},
	"no-fence": {does: "the completions stream takes a second completion of an event"},
	"settle-first": {"a worker settles an event before the work", "workers/worker.go", [][2]string{{
		"\tjob, fetched, err := w.fetch(ctx, q, d)\n",
		"\t_ = d.Done()\n\tjob, fetched, err := w.fetch(ctx, q, d)\n",
	}}},
	"own-holds": {
		"a worker tells no other process that a provider wants no calls",
		"workers/api/pace/hold.go", [][2]string{{
			"\t\tpause, stored := p.shareOnce(ctx, until, guesses)\n",
			"\t\t_ = guesses\n\t\tpause, stored := time.Duration(0), true\n",
		}},
	},
	"own-rates": {
		"every process has the rate of the installation for itself",
		"workers/fetch/open.go", [][2]string{{
			"of.Budget(p),",
			"of.Budget(p + schema.Provider(strconv.FormatInt(time.Now().UnixNano(), 36))),",
		}},
	},
	"no-tombstone": {
		"a completion is stored although its account is erased",
		"schema/stream/complete.go", [][2]string{{
			"\tif outcome != schema.Deleted {\n",
			"\tif false {\n",
		}},
	},
	"no-dead-letter": {
		"an event that is given up has a completion and no dead letter",
		"workers/worker.go", [][2]string{{
			"\tif verdict.Kind == Never {\n\t\tif err := w.storeDeadLetter(",
			"\tif false {\n\t\tif err := w.storeDeadLetter(",
		}},
	},
	"counts-deliveries": {
		"a delivery without a verdict counts as a failure",
		"workers/worker.go", [][2]string{{
			"\tjob, fetched, err := w.fetch(ctx, q, d)\n",
			"\tjob, fetched, err := w.fetch(ctx, q, d)\n" +
				"\tfor range d.Deliveries - 1 {\n" +
				"\t\td.Waited.Failures = d.Waited.Failures.\n" +
				"\t\t\tWith(schema.ClassNotReady).With(schema.ClassForbidden).\n" +
				"\t\t\tWith(schema.ClassTransient).With(schema.ClassContract)\n" +
				"\t}\n",
		}},
	},
	"ack-before-schedule": {
		"an event that must wait is acknowledged before its schedule is stored",
		"schema/stream/waiting.go", [][2]string{
			{
				"\tif err := d.conn.publishWaiting(ctx, d, w); err != nil {\n",
				"\tif err := d.msg.DoubleAck(ctx); err != nil {\n" +
					"\t\treturn d.settled(\"later\", err)\n" +
					"\t}\n" +
					"\tif err := d.conn.publishWaiting(ctx, d, w); err != nil {\n",
			},
			{"\treturn d.settled(\"later\", d.msg.DoubleAck(ctx))\n", "\treturn nil\n"},
		},
	},
	"float": {"records take a round trip through float64", "workers/records.go", [][2]string{
		{
			"\tc.Data.Records = append(c.Data.Records, r.small...)\n",
			"\tfor _, r := range r.small {\n" +
				"\t\tvar v any\n" +
				"\t\t_ = json.Unmarshal(r, &v)\n" +
				"\t\tb, _ := json.Marshal(v)\n" +
				"\t\tc.Data.Records = append(c.Data.Records, b)\n" +
				"\t}\n",
		},
	}},
}

// Flaws returns the names of all flaws.
func Flaws() []string { return slices.Sorted(maps.Keys(flaws)) }

// build builds the commands of the repository at root into dir/bin. broken names a flaw, or is "".
func build(
	ctx context.Context, environ []string, root, dir, broken string,
) (bin string, err error) {
	bin = filepath.Join(dir, "bin")
	args := []string{"build", "-o", bin + string(filepath.Separator)}
	if f := flaws[broken]; f.file != "" {
		overlay, err := f.writeOverlay(root, dir)
		if err != nil {
			return "", fmt.Errorf("break the build by %s: %w", broken, err)
		}
		args = append(args, "-overlay", overlay)
	}
	args = append(args, "./ingress/cmd/"+ingressCommand, "github.com/nats-io/nats-server/v2")
	for _, name := range workerCommands() {
		args = append(args, "./workers/cmd/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the names are above
	cmd.Dir = root
	cmd.Env = append(slices.Clone(environ), "CGO_ENABLED=0")
	cmd.SysProcAttr = ownGroup()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return bin, nil
}

// writeOverlay writes the edited copy of the file, and the overlay file for the go command.
func (f flaw) writeOverlay(root, dir string) (path string, err error) {
	original := filepath.Join(root, filepath.FromSlash(f.file))
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	code := string(text)
	for _, edit := range f.edits {
		if n := strings.Count(code, edit[0]); n != 1 {
			return "", fmt.Errorf("%s must have this text once, and has it %d times:\n%s",
				f.file, n, edit[0])
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
