package compose

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/console"
	"github.com/wagewire/wagewire/deploy/doctor"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/limit"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

// update writes the generated documents instead of comparing them.
var update = flag.Bool("update", false, "write .env.example and the generated parts of deploy/README.md")

// The generated documents.
const (
	exampleFile    = ".env.example"
	readmeFile     = "deploy/README.md"
	variablesBegin = "<!-- variables:begin -->"
	variablesEnd   = "<!-- variables:end -->"
	typesBegin     = "<!-- types:begin -->"
	typesEnd       = "<!-- types:end -->"
)

// section is a group of variables in the documents.
type section struct {
	title     string
	variables []process.Variable
}

// ofTheStack are the variables that only docker-compose.yml reads, and deploy/compose/up.
var ofTheStack = section{"The stack", []process.Variable{
	{Name: "COMPOSE_PROFILES",
		Help: "demo starts the fake providers too, and sight a Prometheus and a Grafana: " +
			"demo,sight for both; leave it empty for real providers without them"},
	{Name: "WAGEWIRE_IMAGES",
		Help: "first part of the name of every image: <images>/<command>:<version>"},
	{Name: "WAGEWIRE_VERSION", Help: "version of every image"},
	{Name: "NATS_IMAGE",
		Help: "image of the broker; a release names it by digest: nats@sha256:…"},
	{Name: "PROMETHEUS_IMAGE", Help: "image of Prometheus, of the profile sight"},
	{Name: "GRAFANA_IMAGE", Help: "image of Grafana, of the profile sight"},
	{Name: "BIND_ADDR", Help: "address of this machine at which the ports below are published"},
	{Name: "INGRESS_PORT",
		Help: "port of ingress; the providers must reach it, through a proxy with TLS"},
	{Name: "INGRESS_NEXT_PORT",
		Help: "port of ingress-next, which receives while ingress is replaced"},
	{Name: "PROVIDERS_PORT", Help: "port of the fake providers"},
	{Name: "NATS_PORT", Help: "port of the broker, for programs that subscribe"},
	{Name: "PROMETHEUS_PORT", Help: "port of Prometheus, of the profile sight"},
	{Name: "GRAFANA_PORT", Help: "port of Grafana, of the profile sight: everybody who reaches it may look"},
	{Name: "CONSOLE_PORT", Help: "port of the console"},
	{Name: "CONSOLE_BIND_ADDR", Help: "address of this machine at which the port of the console is " +
		"published; beyond 127.0.0.1, set CONSOLE_ANYONE_READS too"},
	{Name: "PINWHEEL_SECRET_PATH", Help: "where the containers have Pinwheel's secret; " +
		"leave it empty if you do not use Pinwheel"},
	{Name: "TRUV_SECRET_PATH", Help: "where the containers have Truv's secret; " +
		"leave it empty if you do not use Truv"},
	{Name: "SECRETS_DIR",
		Help: "directory of the secrets: <provider>.secret with one secret a line, " +
			"console.tokens with the people of the console, and the keys nats_<role>.nk, keys.conf and teams.conf, which wagewire nkeys DIR makes"},
}}

// ofTheProcesses are the variables that our processes read. A variable that several processes read
// for the same purpose is in the first section that has it.
func ofTheProcesses() []section {
	sections := []section{
		{"Every process", process.Variables(stream.Config{}, process.Config{})},
		{"The command wagewire provision", process.Variables(limit.Config{})},
		{"Ingress", ingress.Variables()},
		{"The console", console.Variables()},
		{"The worker accounts", workers.AccountsVariables()},
		{"Every worker of a resource", workers.Variables()},
	}
	for _, p := range schema.Providers() {
		sections = append(sections, section{"Workers of " + p.Title(), fetch.Variables(p)})
	}
	sections = append(sections, section{"The operator's command",
		slices.Concat(doctor.Variables(), health.Variables())})
	known := map[process.Variable]bool{}
	for i := range sections {
		sections[i].variables = slices.DeleteFunc(sections[i].variables,
			func(v process.Variable) bool {
				before := known[v]
				known[v] = true
				return before
			})
	}
	return sections
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+):?-([^}]*)\}`)

// composeDefaults returns the variables of the compose files with their defaults.
func composeDefaults(t *testing.T) map[string]string {
	t.Helper()
	defaults := map[string]string{"COMPOSE_PROFILES": "demo"} // read by docker compose itself
	for _, file := range []string{composeFile, clusterFile} {
		text, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		if rest := variable.ReplaceAll(text, nil); bytes.ContainsRune(rest, '$') {
			t.Errorf("%s: a variable has no default: write ${NAME:-default}, or ${NAME-default} "+
				"if it may be set to nothing", file)
		}
		for _, match := range variable.FindAllStringSubmatch(string(text), -1) {
			name, value := match[1], match[2]
			if before, known := defaults[name]; known && before != value {
				t.Errorf("%s: the default of %s is %q here and %q elsewhere", file, name, value,
					before)
			}
			defaults[name] = value
		}
	}
	return defaults
}

// example is the text of .env.example.
func example(t *testing.T) string {
	t.Helper()
	defaults := composeDefaults(t)
	var b strings.Builder
	b.WriteString(`# Every variable of docker-compose.yml, with its default. Generated: to change a help text, change the
# code that reads the variable, or deploy/compose/variables_test.go, and run make generate.
#
# Write the lines that you change into a file of your own: docker compose --env-file mine.env up.
# A secret is not a variable, but a file in SECRETS_DIR.
`)
	sections := append([]section{ofTheStack}, ofTheProcesses()...)
	last := map[string]int{} // the last section of a variable has the most to say
	for i, s := range sections {
		for _, v := range s.variables {
			last[v.Name] = i
		}
	}
	for i, s := range sections {
		titled := false
		for _, v := range s.variables {
			value, used := defaults[v.Name]
			if !used || last[v.Name] != i {
				continue
			}
			delete(defaults, v.Name)
			if !titled {
				fmt.Fprintf(&b, "\n##### %s\n", s.title)
				titled = true
			}
			fmt.Fprintf(&b, "\n%s%s=%s\n", commented(v.Help), v.Name, value)
		}
	}
	for name := range defaults {
		t.Errorf("%s: no process lists the variable: add it to the Variables of the process that reads it, "+
			"or to ofTheStack in deploy/compose/variables_test.go", name)
	}
	return b.String()
}

// commented returns the text as comment lines.
func commented(text string) string {
	const columns = 100
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > columns {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// tables are the tables of variables in deploy/README.md, one for each kind of process.
func tables() string {
	var b strings.Builder
	for _, s := range ofTheProcesses() {
		fmt.Fprintf(&b, "**%s**\n\n", s.title)
		process.MarkdownVariables(&b, s.variables)
		b.WriteString("\n")
	}
	return b.String()
}

// checkGenerated compares a file of the repository with its generated text, or writes the file.
func checkGenerated(t *testing.T, file, want string) {
	t.Helper()
	path := filepath.Join(repository, file)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s is not current (repair: make generate) (-is +should be)\n%s", file, diff)
	}
}

func TestGeneratedExampleOfTheEnvironment(t *testing.T) {
	checkGenerated(t, exampleFile, example(t))
}

// typesToEnable lists the webhook types that each provider's registration needs.
func typesToEnable() string {
	var b strings.Builder
	for _, p := range schema.Providers() {
		needed, refused := doctor.EventsOf(p)
		fmt.Fprintf(&b, "- %s, %d types: `%s`.", p.Title(), len(needed),
			strings.Join(needed, "`, `"))
		if len(refused) > 0 {
			fmt.Fprintf(&b, " `%s` has a worker too, and cannot be enabled: %s takes no "+
				"registration for it.", strings.Join(refused, "`, `"), p.Title())
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestGeneratedPartsOfTheReadme(t *testing.T) {
	for _, part := range []struct{ name, begin, end, text string }{
		{"the list of types", typesBegin, typesEnd, typesToEnable()},
		{"the table of variables", variablesBegin, variablesEnd, tables()},
	} {
		t.Run(part.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(repository, readmeFile))
			if err != nil {
				t.Fatal(err)
			}
			before, rest, begins := strings.Cut(string(text), part.begin)
			_, after, ends := strings.Cut(rest, part.end)
			if !begins || !ends {
				t.Fatalf("%s must have the lines %s and %s, for %s between them", readmeFile,
					part.begin, part.end, part.name)
			}
			checkGenerated(t, readmeFile, before+part.begin+"\n"+part.text+part.end+after)
		})
	}
}
