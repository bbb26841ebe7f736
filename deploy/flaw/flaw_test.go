package flaw

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// TestEveryFlawAppliesToTheSource builds the edited packages. The go command keeps the result, so
// only the first run takes long.
func TestEveryFlawAppliesToTheSource(t *testing.T) {
	for _, f := range All() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			overlay, err := Overlay(root, t.TempDir(), f.Name)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := compile(t, f, overlay); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// compile builds the packages of the flaw's files.
func compile(t *testing.T, f Flaw, overlay string) (out []byte, err error) {
	t.Helper()
	if overlay == "" {
		return nil, nil
	}
	args := []string{"build", "-overlay", overlay}
	for _, edit := range f.Edits {
		args = append(args, "./"+path.Dir(edit.File))
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Dir = root
	return build.CombinedOutput()
}

func TestAFlawThatDoesNotApplyIsAnError(t *testing.T) {
	const file = "deploy/flaw/flaw.go"
	for promise, row := range map[string]struct {
		edits []Edit
		err   string
	}{
		"a text that the file does not have": {
			[]Edit{{file, "no such " + "text", ""}}, "has it 0 times",
		},
		"a text that the file has twice": {[]Edit{{file, "package", ""}}, "must have this text once"},
		"a text that an earlier edit has taken": {
			[]Edit{{file, "\npackage flaw\n", "\n"}, {file, "\npackage flaw\n", "\n"}},
			"has it 0 times",
		},
		"a file that is not there": {[]Edit{{"deploy/flaw/gone.go", "a", "b"}}, "gone.go"},
	} {
		t.Run(promise, func(t *testing.T) {
			_, err := Flaw{Name: "stale", Edits: row.edits}.overlay(root, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("error %v, want %q", err, row.err)
			}
		})
	}
}

func TestAFlawThatDoesNotCompileIsFound(t *testing.T) {
	f := Flaw{Edits: []Edit{{"deploy/flaw/flaw.go", "\npackage flaw\n", "\npackage flaw !\n"}}}
	overlay, err := f.overlay(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := compile(t, f, overlay); err == nil {
		t.Errorf("the package was built:\n%s", out)
	}
}

func TestAnOverlayReplacesEachFileByOneCopyWithEveryEdit(t *testing.T) {
	f := Flaw{Edits: []Edit{
		{"deploy/flaw/flaw.go", "\npackage flaw\n", "\npackage one\n"},
		{"deploy/flaw/table.go", "\nvar table =", "\nvar two ="},
		{"deploy/flaw/flaw.go", "\npackage one\n", "\npackage three\n"},
	}}
	path, err := f.overlay(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &overlay); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"flaw.go": "\npackage three\n", "table.go": "\nvar two =",
	} {
		original, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := os.ReadFile(overlay.Replace[original])
		if err != nil || !strings.Contains(string(copied), want) {
			t.Errorf("the copy of %s has no %q: %v", file, want, err)
		}
	}
	if len(overlay.Replace) != 2 {
		t.Errorf("replaced: %v, want two files", overlay.Replace)
	}
}

func TestEveryFlawHasAHarness(t *testing.T) {
	found := slices.Concat(OfStorm(), OfSimulation())
	slices.Sort(found)
	if diff := cmp.Diff(Names(), slices.Compact(found)); diff != "" {
		t.Errorf("flaws, and those that a harness must find (-want +got):\n%s", diff)
	}
	if names := slices.Compact(Names()); len(names) != len(table) {
		t.Errorf("%d names of %d flaws", len(names), len(table))
	}
	for _, f := range All() {
		if f.Does == "" {
			t.Errorf("%s: say what is wrong with the build", f.Name)
		}
	}
}

func TestAFlawOfTheStreamsHasNoOverlay(t *testing.T) {
	path, err := Overlay(root, t.TempDir(), "no-fence")
	if path != "" || err != nil {
		t.Errorf("overlay %q, error %v", path, err)
	}
}

func TestAnUnknownFlawIsAnError(t *testing.T) {
	_, err := Overlay(root, t.TempDir(), "luck")
	if err == nil || !strings.Contains(err.Error(), `no flaw "luck": there are ack-before-`) {
		t.Errorf("error %v", err)
	}
}
