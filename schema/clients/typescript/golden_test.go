package typescript_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

// A value of a file has no member that its type lacks, and lacks none that its type requires: the
// compiler has said so while the kit was built.
func TestTheTypesTakeTheFrozenWire(t *testing.T) {
	built(t)
	for want, change := range map[string]func(string) string{
		`'"colour"' does not exist`: func(text string) string {
			return strings.Replace(text, `"outcome":`, `"colour": "red", "outcome":`, 1)
		},
		"'attempts' is missing": func(text string) string {
			return strings.Replace(text, `"attempts": 1, `, "", 1)
		},
		"is not assignable to type 'bigint'": func(text string) string {
			return strings.Replace(text, `0n`, `0`, 1)
		},
	} {
		t.Run("and refuse others: "+want, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(workshop, "test", "golden.ts"))
			if err != nil {
				t.Fatal(err)
			}
			other := filepath.Join(workshop, "test", "other.ts")
			if err := os.WriteFile(other, []byte(change(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			err = command(workshop, "node_modules/.bin/tsc", "--ignoreConfig", "--noEmit", "--strict",
				"--skipLibCheck", "--target", "es2022", "--module", "nodenext", "test/other.ts")
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the compiler says %v, want %s", err, want)
			}
		})
	}
}

// goldenType is a set of files with values of one type.
type goldenType struct {
	pattern string
	typ     string
	// member is the part of the file that has the type. Empty: the file.
	member string
	// digits is how a number of a provider is written.
	digits string
}

// writeGolden writes a program that assigns the frozen wire to the generated types.
func writeGolden(path string) error {
	types := []goldenType{
		{"../../testdata/completion.*.golden.json", "Completion", "", `n("%s")`},
		{"../../testdata/former/completion.*.json", "Completion", "", `n("%s")`},
		{"../../testdata/account.*.golden.json", "Account", "", `n("%s")`},
		{"../../normal/testdata/*.json", "NormalRecord", "normal", `%sn`},
	}
	for _, q := range schema.Queues() {
		for _, kind := range jsonschema.Kinds(q.Provider, q.Resource) {
			types = append(types, goldenType{
				fmt.Sprintf("../../jsonschema/records/samples/%s.%s.json", q.Provider, kind),
				fmt.Sprintf("Records[%q]", string(q.Provider)+"."+string(q.Resource)), "", `n("%s")`,
			})
		}
	}
	var b strings.Builder
	b.WriteString("import { LosslessNumber } from \"lossless-json\";\n" +
		"import type { Account, Completion, NormalRecord, Records } from \"../types.js\";\n" +
		"const n = (digits: string) => new LosslessNumber(digits);\n")
	values := 0
	for _, t := range types {
		written, err := t.write(&b, values)
		if err != nil {
			return err
		}
		values += written
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// write writes the values of the files, numbered from first, and returns their number.
func (t goldenType) write(b *strings.Builder, first int) (written int, err error) {
	paths, err := filepath.Glob(t.pattern)
	if err != nil || len(paths) == 0 {
		return 0, fmt.Errorf("no file is %s: %w", t.pattern, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		if t.member != "" {
			value = value.(map[string]any)[t.member]
		}
		if value == nil { // a vector of an error
			continue
		}
		isOurs := t.typ == "Completion" || t.typ == "Account"
		fmt.Fprintf(b, "// %s\nexport const value%d: %s = %s;\n", path, first+written, t.typ,
			t.literal(value, isOurs))
		written++
	}
	return written, nil
}

// literal writes a value as the kit gives it to programs: Wagewire's own counts are numbers.
func (t goldenType) literal(value any, isOurs bool) string {
	switch value := value.(type) {
	case json.Number:
		if isOurs {
			return value.String()
		}
		return fmt.Sprintf(t.digits, value)
	case []any:
		var all []string
		for _, one := range value {
			all = append(all, t.literal(one, isOurs))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case map[string]any:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			isTheirs := name == "records" || name == "basis"
			all = append(all, fmt.Sprintf("%q: %s", name, t.literal(value[name], isOurs && !isTheirs)))
		}
		return "{ " + strings.Join(all, ", ") + " }"
	default:
		text, _ := json.Marshal(value) // a text, true, false or null
		return string(text)
	}
}
