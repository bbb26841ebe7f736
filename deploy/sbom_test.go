//go:build sbom

package deploy_test

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// bill is what a bill of materials in CycloneDX says about a binary.
type bill struct {
	BOMFormat string `json:"bomFormat"`
	Metadata  struct {
		Component material `json:"component"`
	} `json:"metadata"`
	Components []material `json:"components"`
}

type material struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// natsVersion finds the version of nats.go in a go.mod.
var natsVersion = regexp.MustCompile(`github\.com/nats-io/nats\.go (v\S+)`)

// make sbom runs this test, after it has built the binaries and written their bills.
func TestTheBillOfMaterialsNamesEveryModuleOfItsBinary(t *testing.T) {
	goMod, err := os.ReadFile(filepath.Join(repository, "schema/go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want := material{"github.com/nats-io/nats.go", string(natsVersion.FindSubmatch(goMod)[1])}
	directories, err := filepath.Glob(filepath.Join(repository, "*/cmd/*"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0 // binaries whose bill names nats.go
	for _, directory := range directories {
		command := filepath.Base(directory)
		if slices.Contains([]string{"chaos", "simulate", "bench"}, command) { // tools of this repository
			continue
		}
		t.Run(command, func(t *testing.T) {
			if slices.Contains(checkBill(t, command), want) {
				named++
			}
		})
	}
	if named < 10 { // ingress, the workers, and wagewire
		t.Errorf("only %d bills name %v", named, want)
	}
}

// checkBill compares a bill with the modules that the linker wrote into the binary, and returns the
// components.
func checkBill(t *testing.T, command string) []material {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "bin/sbom", command+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var is bill
	if err := json.Unmarshal(text, &is); err != nil {
		t.Fatal(err)
	}
	if is.BOMFormat != "CycloneDX" || is.Metadata.Component.Version == "" {
		t.Errorf("a bill of format %q, of version %q", is.BOMFormat, is.Metadata.Component.Version)
	}
	binary, err := buildinfo.ReadFile(filepath.Join(repository, "bin", command))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range binary.Deps {
		isModule := func(m material) bool {
			return m.Name == module.Path && (m.Version == module.Version || module.Replace != nil)
		}
		if !slices.ContainsFunc(is.Components, isModule) {
			t.Errorf("the bill does not name %s %s", module.Path, module.Version)
		}
	}
	return is.Components
}
