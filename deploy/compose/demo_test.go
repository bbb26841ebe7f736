package compose

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
)

// sumsFile has the sums of the demonstration's keys. Every process of ours has the file inside.
const sumsFile = "schema/process/demo.sha256"

// demoSums returns a line for each key of the demonstration: the keys in demoDir, and what the fake
// providers expect. The broker's file of public keys holds no secret.
func demoSums(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	known := map[string]bool{}
	add := func(key, name string) {
		isKey := len(key) >= schema.SecretBytesMin && strings.ContainsFunc(key, unicode.IsLetter)
		if isKey && !known[key] {
			known[key] = true
			fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256([]byte(key)), name)
		}
	}
	entries, err := os.ReadDir(filepath.Join(repository, demoDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() == nats.KeysFile {
			continue
		}
		text, err := os.ReadFile(filepath.Join(repository, demoDir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for key := range strings.FieldsSeq(string(text)) {
			add(key, entry.Name())
		}
	}
	for _, name := range fake.Names() {
		add(fake.Secret(name), "secret of the fake "+name)
		environment := fake.Environment(name, "")
		delete(environment, "URL")
		for _, variable := range slices.Sorted(maps.Keys(environment)) {
			add(environment[variable], schema.Provider(name).Variable(variable))
		}
	}
	return b.String()
}

func TestGeneratedSumsOfTheDemonstrationsKeys(t *testing.T) {
	checkGenerated(t, sumsFile, demoSums(t))
}
