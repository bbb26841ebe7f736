package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Limits of the prose law. They are figures of well-written repositories, a little widened.
const (
	pronounsMax = 4.5 // in 100 words of a module's comments
	parallelMax = 1.5 // percent of a module's assignments
)

var (
	comment = regexp.MustCompile(`(?m)^\s*//\s?(.*)$|\s//\s(.*)$`)
	word    = regexp.MustCompile(`[a-z']+`)
	// pronoun is a word that sends the reader back to look for its noun.
	pronoun = regexp.MustCompile(
		`^(it|its|that|which|what|who|whom|whose|ones?|these|those|this|they|them|he|she)$`)
	// tagless is "switch x := f(); {": a statement hidden in front of the cases.
	tagless    = regexp.MustCompile(`^\s*switch [^{]*:?=[^{]*; \{`)
	assignment = regexp.MustCompile(`^\s*(?:var )?([\w.\[\]"]+(?:, *[\w.\[\]"]+)*) :?= (.*)$`)
	// nested is what stands in brackets or quotes: a comma inside separates no values.
	nested = regexp.MustCompile(`"[^"]*"|\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]`)
)

// prose counts how plainly Go code speaks.
type prose struct {
	name                  string
	words, pronouns       int
	assignments, parallel int
	switches              []string // file:line
}

func (p *prose) pronounsIn100() float64 {
	return 100 * float64(p.pronouns) / float64(max(p.words, 1))
}

func (p *prose) parallelPercent() float64 {
	return 100 * float64(p.parallel) / float64(max(p.assignments, 1))
}

// add counts one file.
func (p *prose) add(name, code string) {
	for _, match := range comment.FindAllStringSubmatch(code, -1) {
		for _, w := range word.FindAllString(strings.ToLower(match[1]+match[2]), -1) {
			p.words++
			if pronoun.MatchString(w) {
				p.pronouns++
			}
		}
	}
	line := 0
	for text := range strings.Lines(code) {
		line++
		if tagless.MatchString(text) {
			p.switches = append(p.switches, fmt.Sprintf("%s:%d", name, line))
		}
		if match := assignment.FindStringSubmatch(strings.TrimRight(text, "\n")); match != nil {
			p.assignments++
			if isParallel(match[1], match[2]) {
				p.parallel++
			}
		}
	}
}

// isParallel reports whether each of several variables gets a value of its own, as in a, b = x, y.
// The call a, b := f() is not parallel.
func isParallel(left, right string) bool {
	for before := ""; before != right; {
		before = right
		right = nested.ReplaceAllString(right, "")
	}
	n := strings.Count(right, ",")
	return n > 0 && n == strings.Count(left, ",")
}

// TestProse is the law of plain words: few pronouns, no switch with a hidden statement, one
// assignment a line.
func TestProse(t *testing.T) {
	var modules, each []*prose
	for _, name := range []string{"schema", "ingress", "workers", "deploy"} {
		modules = append(modules, &prose{name: name})
	}
	for _, name := range files(t, repository) {
		first, _, _ := strings.Cut(name, "/")
		i := slices.IndexFunc(modules, func(p *prose) bool { return p.name == first })
		if i < 0 || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		code, err := os.ReadFile(filepath.Join(repository, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(code), "// Code generated ") {
			continue // nobody writes it: the console's components are written in .templ files
		}
		file := &prose{name: name}
		file.add(name, string(code))
		modules[i].add(name, string(code))
		each = append(each, file)
	}
	for _, m := range modules {
		t.Logf("%s: %.1f pronouns in 100 words of comments, %.1f %% of assignments parallel",
			m.name, m.pronounsIn100(), m.parallelPercent())
		for _, place := range m.switches {
			t.Errorf("%s: a switch with a statement and no tag: assign on a line of its own", place)
		}
		if m.pronounsIn100() > pronounsMax {
			t.Errorf("%s: %.1f pronouns in 100 words of comments, at most %.1f: name the thing. Worst: %s",
				m.name, m.pronounsIn100(), pronounsMax,
				worst(m.name, each, func(p *prose) int { return p.pronouns }))
		}
		if m.parallelPercent() > parallelMax {
			t.Errorf("%s: %.1f %% of assignments are parallel, at most %.1f: assign one a line. Worst: %s",
				m.name, m.parallelPercent(), parallelMax,
				worst(m.name, each, func(p *prose) int { return p.parallel }))
		}
	}
}

// worst names the five files of a module with the highest count.
func worst(module string, each []*prose, count func(*prose) int) string {
	const most = 5
	sorted := slices.Clone(each)
	slices.SortStableFunc(sorted, func(a, b *prose) int { return count(b) - count(a) })
	var names []string
	for _, file := range sorted {
		if len(names) < most && strings.HasPrefix(file.name, module+"/") {
			names = append(names, fmt.Sprintf("%s (%d)", file.name, count(file)))
		}
	}
	return strings.Join(names, ", ")
}

func TestProseCounts(t *testing.T) {
	for promise, row := range map[string]struct {
		code                          string
		pronouns, switches, parallels int
	}{
		"pronouns of comments": {code: "// It is what they said.\nx() // that\n",
			pronouns: 4},
		"no pronouns of code":            {code: "it := that(\"what it is\")\n"},
		"a switch with a statement":      {code: "\tswitch x := f(); {\n", switches: 1},
		"no switch with a tag":           {code: "\tswitch x := f(); x {\n\tswitch x {\n\tswitch {\n"},
		"two values for two variables":   {code: "\ta, b := 1, 2\n", parallels: 1},
		"no call with two results":       {code: "\ta, b := f(1, 2)\n"},
		"no list":                        {code: "\ta := []int{1, 2}\n"},
		"no comma of a string or a call": {code: "\ta, b := g(f(1, 2), \"x, y\")\n"},
	} {
		t.Run(promise, func(t *testing.T) {
			var p prose
			p.add("a.go", row.code)
			if p.pronouns != row.pronouns || len(p.switches) != row.switches ||
				p.parallel != row.parallels {
				t.Errorf("%d pronouns, %d switches, %d parallel: want %d, %d, %d",
					p.pronouns, len(p.switches), p.parallel, row.pronouns, row.switches,
					row.parallels)
			}
		})
	}
}
