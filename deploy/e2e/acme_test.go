package e2e

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	checkout = "../.."
	acmeTree = "testdata/acme/tree"
)

// acmeRows are the lines that the recipe "a new provider" (.github/CONTRIBUTING.md) changes, one in
// each registry: file, line, changed line.
var acmeRows = map[string][2]string{
	"schema/provider.go": {
		"var providers = []providerRow{pinwheel, truv}\n",
		"var providers = []providerRow{pinwheel, truv, acme}\n",
	},
	"ingress/webhook/webhook.go": {
		"\tschema.Truv:     truv,\n",
		"\tschema.Truv:     truv,\n\tschema.Acme:     acme,\n",
	},
	"workers/fetch/open.go": {
		"\tschema.Truv:     truvRow,\n",
		"\tschema.Truv:     truvRow,\n\tschema.Acme:     acmeRow,\n",
	},
	"deploy/fake/provider.go": {
		"var providers = []provider{pinwheel, truv}\n",
		"var providers = []provider{pinwheel, truv, acme}\n",
	},
}

// A provider that exists only in testdata goes through the whole line: with files of its own, and
// one line in each registry. No other file of the repository changes.
func TestANewProviderIsBuiltByTheRecipeAlone(t *testing.T) {
	t.Parallel()
	overlay := acmeOverlay(t, slices.Collect(maps.Keys(acmeRows))...)
	out, err := goTest(t, overlay, "./deploy/e2e", "^TestAcmeScripts$")
	if err != nil || !strings.Contains(out, "--- PASS: TestAcmeScripts/acme") {
		t.Errorf("the scripts about Acme: %v\n%s", err, out)
	}
	// Every type with a worker has a JSON Schema and a sample, which agree with the catalogue.
	out, err = goTest(t, overlay, "./schema/jsonschema", "^Test(TypesWith|ASampleIs|AWebhook)")
	passed := "--- PASS: TestASampleIsWhatTheCatalogueSays/PAY_READY"
	if err != nil || !strings.Contains(out, passed) {
		t.Errorf("the contract of Acme: %v\n%s", err, out)
	}
}

// A provider that is only in the contract: the walk through the registries names each file to add.
func TestAProviderThatARegistryLacksIsNamedWithTheFilesToAdd(t *testing.T) {
	t.Parallel()
	out, err := goTest(t, acmeOverlay(t, "schema/provider.go"), "./deploy", "^TestProviders$")
	if err == nil {
		t.Fatalf("nothing is missing:\n%s", out)
	}
	for _, file := range []string{
		"ingress/webhook/acme.go", "ingress/webhook/webhook.go",
		"workers/fetch/acme.go", "workers/fetch/open.go",
		"deploy/fake/acme.go", "deploy/fake/provider.go",
	} {
		if !strings.Contains(out, file) {
			t.Errorf("%s is not named:\n%s", file, out)
		}
	}
}

// The commands of a provider that is only in the contract do not start, and say which file to add.
func TestACommandDoesNotStartWhileARegistryLacksAProvider(t *testing.T) {
	t.Parallel()
	overlay := acmeOverlay(t, "schema/provider.go")
	for command, file := range map[string]string{
		"./ingress/cmd/ingress":  "ingress/webhook/acme.go",
		"./workers/cmd/paystubs": "workers/fetch/acme.go",
	} {
		t.Run(command, func(t *testing.T) {
			run := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay, command)
			run.Dir = checkout
			out, err := run.CombinedOutput()
			if err == nil || !strings.Contains(string(out), file) {
				t.Errorf("error %v, want %s named in:\n%s", err, file, out)
			}
		})
	}
}

func goTest(t *testing.T, overlay, dir, pattern string) (out string, err error) {
	t.Helper()
	test := exec.CommandContext(t.Context(), "go", "test",
		"-overlay", overlay, "-vet=off", "-count=1", "-v", "-run", pattern, dir)
	test.Dir = checkout
	text, err := test.CombinedOutput()
	return string(text), err
}

// acmeOverlay writes a file for go's flag -overlay. With it, go sees the files of Acme that the
// registries' modules have, and the named registries with the row of Acme.
func acmeOverlay(t *testing.T, registries ...string) string {
	t.Helper()
	root, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	replaced := map[string]string{}
	dir := t.TempDir()
	for _, file := range registries {
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		row := acmeRows[file]
		if strings.Count(string(source), row[0]) != 1 {
			t.Fatalf("%s must have this line once: %q", file, row[0])
		}
		changed := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		text := strings.Replace(string(source), row[0], row[1], 1)
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced[filepath.Join(root, file)] = changed
		module, _, _ := strings.Cut(file, "/")
		addAcmeFiles(t, replaced, root, module)
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// addAcmeFiles puts the files of Acme for one module into the overlay.
func addAcmeFiles(t *testing.T, replaced map[string]string, root, module string) {
	t.Helper()
	tree, err := filepath.Abs(acmeTree)
	if err != nil {
		t.Fatal(err)
	}
	add := func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		file, err := filepath.Rel(tree, path)
		replaced[filepath.Join(root, file)] = path
		return err
	}
	if err := filepath.WalkDir(filepath.Join(tree, module), add); err != nil {
		t.Fatal(err)
	}
}
