package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	repository = ".."
	ours       = "github.com/wagewire/wagewire/"
	everything = "..."
)

// row is a line of the import law: the imports of a package besides the standard library. Packages
// of ours are named from the repository's root, others by a prefix of their path. "..." is
// everything.
type row struct {
	packages  string // "a/*" is every package directly below a, "a/..." a and every package below it
	ours      string
	libraries string
	why       string
}

// What many may import.
const (
	metrics     = "github.com/prometheus/client_golang"
	zap         = "go.uber.org/zap"
	group       = "golang.org/x/sync/errgroup"
	budget      = "golang.org/x/sync/semaphore"
	memory      = "github.com/KimMachineGun/automemlimit"
	pace        = "golang.org/x/time/rate"
	proxies     = "github.com/pires/go-proxyproto"
	nats        = "github.com/nats-io/nats.go"
	nkeys       = "github.com/nats-io/nkeys"
	tracing     = "go.opentelemetry.io/otel"
	roots       = "golang.org/x/crypto/x509roots/fallback"
	environment = "github.com/caarlos0/env/v11"
	terminal    = "golang.org/x/term"
	lock        = "github.com/gofrs/flock"
)

// The import law. The first row that matches a package counts. Every module may import schema;
// ingress and workers never import each other; deploy imports every module, and no module imports
// deploy.
var law = []row{
	{"schema", "schema/rawjson", "", "the contract depends on nothing"},
	{"schema/rawjson", "", "", "it reads text, and knows nothing of what the text says"},
	{"schema/client", "schema schema/normal schema/rawjson", nats, "for other teams' programs: the contract and the broker"},
	{"schema/normal", "schema", "", "a record is turned into the model without network and library"},
	{"schema/jsonschema", "schema schema/rawjson", "", "it is read by programs that need no validator"},
	{"schema/jsonschema/jsonschematest", "schema schema/jsonschema",
		"github.com/santhosh-tekuri/jsonschema", "for tests and deploy"},
	{"schema/process", "schema",
		environment + " " + zap + " " + metrics + " " + tracing + " " + roots + " " + terminal + " " +
			memory,
		"the settings, logs and listeners of every process, and no more"},
	{"schema/stream", "schema schema/rawjson", nats + " " + nkeys + " " + zap, "the contract bound to JetStream"},
	{"schema/stream/broker", "schema", "github.com/nats-io/nats-server " + lock,
		"a server in the process: for deploy, and for tests through streamtest"},
	{"schema/stream/streamtest", "schema schema/stream schema/stream/broker",
		"github.com/nats-io/nats-server " + nkeys + " " + zap,
		"for _test.go files only"},
	{"schema/clients/...", "schema/normal", "", "tests of the kits in other languages"},
	{"schema/examples/...", "schema schema/client schema/normal", "", "programs of other teams: a kit, and nothing else"},

	{"ingress/webhook", "schema schema/rawjson", "", "signatures and bodies need no network"},
	{"ingress", "schema schema/process ingress/webhook",
		metrics + " " + zap + " " + group + " " + pace + " " + proxies + " " + tracing,
		"it declares its Publisher: never workers, not even schema/stream"},
	{"ingress/cmd/*", "ingress/... schema schema/process schema/stream", metrics + " " + zap,
		"its own module, and the schema"},

	{"workers/api", "schema/rawjson", "github.com/cenkalti/backoff " + budget,
		"it knows no provider, and nothing of the contract"},
	{"workers/api/pace", "schema", "", "it knows no broker: schema/stream keeps the budgets"},
	{"workers/api/pace/pacetest", "schema", "", "for _test.go files only"},
	{"workers", "schema schema/jsonschema schema/process schema/stream workers/api workers/api/pace",
		metrics + " " + zap + " " + group + " " + budget + " " + tracing, "never ingress"},
	{"workers/fetch", "schema schema/process workers workers/* workers/api/...",
		metrics + " " + zap,
		"it asks; workers judge and publish"},
	{"workers/*", "schema/rawjson workers/api", "", "a provider's API, of use to any program"},
	{"workers/cmd/*", "schema workers workers/fetch", "", "which resource, which handler"},

	{"deploy/fake", "deploy/fake/signature", "", "the fake shares no code with the real thing"},
	{"deploy/fake/signature", "", "", "it signs for programs that do not carry the fakes"},
	{"deploy/kubernetes/...", everything, "", "tests of the chart, with libraries of their own"},
	{"deploy/...", everything, everything, "deploy runs and proves everything"},
}

// forTests are packages of ours that the tests of every row may import, besides the packages of the
// row and the packages below their own. Tests may import every library.
const forTests = "schema schema/rawjson schema/jsonschema schema/jsonschema/jsonschematest schema/process schema/stream schema/stream/broker schema/stream/streamtest"

// listed is a package as go list shows it.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// judge returns a line for each broken law, and for each row without a package.
func judge(rows []row, packages []listed) (broken []string) {
	used := map[string]bool{}
	for _, p := range packages {
		name := short(p.ImportPath)
		i := slices.IndexFunc(rows, func(r row) bool { return matches(r.packages, name) })
		if i < 0 {
			broken = append(broken,
				fmt.Sprintf("%s has no row: say in the law what it may import", name))
			continue
		}
		r := rows[i]
		used[r.packages] = true
		for _, imported := range p.Imports {
			if !r.allows(name, imported) {
				broken = append(broken,
					fmt.Sprintf("%s imports %s: row %q allows %s (%s)", name, short(imported),
						r.packages, r.allowed(), r.why))
			}
		}
		tests := row{packages: r.packages, ours: r.ours + " " + forTests + " " + name + "/...",
			libraries: everything}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if !tests.allows(name, imported) {
				broken = append(broken,
					fmt.Sprintf("tests of %s import %s: row %q allows them %s", name,
						short(imported), r.packages, tests.allowed()))
			}
		}
	}
	for _, r := range rows {
		if !used[r.packages] {
			broken = append(broken, fmt.Sprintf("row %q has no package: delete it", r.packages))
		}
	}
	return broken
}

func (r row) allows(name, imported string) bool {
	inside, own := strings.CutPrefix(imported, ours)
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case own && strings.HasPrefix(inside, "deploy/") && !strings.HasPrefix(name+"/", "deploy/"):
		return false
	case own:
		return slices.ContainsFunc(strings.Fields(r.ours),
			func(pattern string) bool { return matches(pattern, inside) })
	case !strings.Contains(first, "."):
		return true // the standard library
	default:
		return slices.ContainsFunc(strings.Fields(r.libraries), func(prefix string) bool {
			return prefix == everything || imported == prefix ||
				strings.HasPrefix(imported, prefix+"/")
		})
	}
}

func (r row) allowed() string {
	if r.ours+r.libraries == "" {
		return "the standard library only"
	}
	return strings.Join(strings.Fields(r.ours+" "+r.libraries), ", ")
}

func short(importPath string) string { return strings.TrimPrefix(importPath, ours) }

func matches(pattern, name string) bool {
	switch {
	case pattern == everything:
		return true
	case strings.HasSuffix(pattern, "/..."):
		root := strings.TrimSuffix(pattern, "/...")
		return name == root || strings.HasPrefix(name, root+"/")
	case strings.HasSuffix(pattern, "/*"):
		return strings.TrimSuffix(pattern, "*") == name[:strings.LastIndexByte(name, '/')+1]
	default:
		return pattern == name
	}
}

// listPackages lists the packages of a pattern. The workspace is off for the modules of the chart
// and of the alert rules, which are outside of go.work.
func listPackages(t *testing.T, dir, pattern, workspace string) []listed {
	t.Helper()
	// With the tags, the tests against containers and clusters are under the law too.
	list := exec.CommandContext(t.Context(), "go", "list", "-tags=containers,apiserver,cluster",
		"-json=ImportPath,Imports,TestImports,XTestImports", pattern)
	list.Dir = dir
	list.Env = append(list.Environ(), "GOWORK="+workspace)
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportLaw(t *testing.T) {
	packages := slices.Concat(
		listPackages(t, repository, "work", ""),
		listPackages(t, filepath.Join(repository, "deploy", "kubernetes"), "./...", "off"),
		listPackages(t, filepath.Join(repository, "deploy", "prometheus"), "./...", "off"))
	for _, line := range judge(law, packages) {
		t.Error(line)
	}
}

func TestImportLawFinds(t *testing.T) {
	rows := []row{
		{"schema", "", "", "nothing"},
		{"schema/stream", "schema", nats, "binding"},
		{"ingress", "schema", "", "its Publisher"},
		{"ingress/cmd/*", "ingress/... schema", "", "its own"},
		{"deploy/fake", "", "", "the fake"},
		{"deploy/...", everything, everything, "all"},
	}
	// Every row has a package, so that only what a case adds is wrong.
	lawful := []listed{
		{ImportPath: ours + "schema", Imports: []string{"fmt", "encoding/json"},
			XTestImports: []string{ours + "schema", "example.org/testing"}},
		{ImportPath: ours + "schema/stream",
			Imports: []string{nats + "/jetstream", ours + "schema"}},
		{ImportPath: ours + "ingress", Imports: []string{ours + "schema"},
			TestImports: []string{ours + "schema/stream/streamtest"}},
		{ImportPath: ours + "ingress/cmd/ingress",
			Imports: []string{ours + "ingress", ours + "ingress/webhook"}},
		{ImportPath: ours + "deploy/fake", Imports: []string{"net/http"}},
		{ImportPath: ours + "deploy/e2e",
			Imports: []string{ours + "ingress", ours + "deploy/sandbox", "example.org/anything"}},
	}
	tests := []struct {
		name string
		add  listed
		want []string
	}{
		{name: "nothing where the law is kept"},
		{"a library in the contract", listed{ImportPath: ours + "schema", Imports: []string{zap}},
			[]string{`schema imports go.uber.org/zap: row "schema" allows the standard library only (nothing)`}},
		{"a library whose name only begins as one that is allowed",
			listed{ImportPath: ours + "schema/stream", Imports: []string{nats + "x/y"}},
			[]string{`schema/stream imports github.com/nats-io/nats.gox/y: row "schema/stream" allows schema, github.com/nats-io/nats.go (binding)`}},
		{"ingress that knows the stream",
			listed{ImportPath: ours + "ingress", Imports: []string{ours + "schema/stream"}},
			[]string{`ingress imports schema/stream: row "ingress" allows schema (its Publisher)`}},
		{"ingress whose tests know workers",
			listed{ImportPath: ours + "ingress", XTestImports: []string{ours + "workers"}},
			[]string{`tests of ingress import workers: row "ingress" allows them schema, ` +
				strings.Join(strings.Fields(forTests), ", ") + ", ingress/..., " + everything}},
		{"a package for tests in a program",
			listed{ImportPath: ours + "ingress/cmd/ingress",
				Imports: []string{ours + "schema/stream/streamtest"}},
			[]string{`ingress/cmd/ingress imports schema/stream/streamtest: row "ingress/cmd/*" allows ingress/..., schema (its own)`}},
		{"a fake that knows the real thing",
			listed{ImportPath: ours + "deploy/fake", Imports: []string{ours + "workers/api"}},
			[]string{`deploy/fake imports workers/api: row "deploy/fake" allows the standard library only (the fake)`}},
		{"somebody who has heard of deploy",
			listed{ImportPath: ours + "schema", XTestImports: []string{ours + "deploy/sandbox"}},
			[]string{`tests of schema import deploy/sandbox: row "schema" allows them ` +
				strings.Join(strings.Fields(forTests), ", ") + ", schema/..., " + everything}},
		{"a package without a row", listed{ImportPath: ours + "schema/util"},
			[]string{"schema/util has no row: say in the law what it may import"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packages := slices.Clone(lawful)
			if tt.add.ImportPath != "" {
				packages = append(packages, tt.add)
			}
			if diff := cmp.Diff(tt.want, judge(rows, packages)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("a row of no package", func(t *testing.T) {
		want := []string{`row "ingress" has no package: delete it`}
		if diff := cmp.Diff(want, judge([]row{{packages: "schema"}, {packages: "ingress"}},
			[]listed{{ImportPath: ours + "schema"}})); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// The top level shows the four modules and how to begin; what is hidden is for tools.
var topLevel = []string{
	"schema", "ingress", "workers", "deploy",
	"docker-compose.yml", "go.work", "go.work.sum", "Makefile", "README.md", "LICENSE",
	"bin", // what make builds, ignored by git
}

// Package names that say nothing.
var meaningless = []string{"util", "utils", "common", "pkg", "core", "base", "models", "types",
	"helpers"}

// commandLinesMax is how long a worker's main may be: which queue, which handler.
const commandLinesMax = 20

// layout returns what breaks the layout of the repository in root.
func layout(root fs.FS) (broken []string, err error) {
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topLevel, e.Name()) {
			broken = append(broken, fmt.Sprintf("%s: the top level has no place for it", e.Name()))
		}
	}
	err = fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != "." && (strings.HasPrefix(e.Name(), ".") || path == "bin"):
			return fs.SkipDir
		case e.IsDir() && slices.Contains(meaningless, e.Name()):
			broken = append(broken, fmt.Sprintf("%s: a package's name says what is in it", path))
		case !e.IsDir() && strings.HasPrefix(path, "workers/cmd/"):
			text, err := fs.ReadFile(root, path)
			if err != nil {
				return err
			}
			if lines := bytes.Count(text, []byte("\n")); lines >= commandLinesMax {
				broken = append(broken,
					fmt.Sprintf("%s has %d lines: a worker command has fewer than %d", path, lines,
						commandLinesMax))
			}
		}
		return nil
	})
	return broken, err
}

func TestLayout(t *testing.T) {
	broken, err := layout(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range broken {
		t.Error(line)
	}
}

func TestLayoutFinds(t *testing.T) {
	root := t.TempDir()
	for path, lines := range map[string]int{
		"README.md": 1000, ".ci/run": 1, ".git/common/x": 1, "bin/util/x": 1,
		"workers/cmd/link/main.go": 19, "workers/typesetting/a.go": 1,
		"notes.txt": 1, "ingress/util/a.go": 1, "workers/cmd/shifts/main.go": 20,
	} {
		file := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.Repeat([]byte("\n"), lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := layout(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"notes.txt: the top level has no place for it",
		"ingress/util: a package's name says what is in it",
		"workers/cmd/shifts/main.go has 20 lines: a worker command has fewer than 20",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
