package kubernetes

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// update writes the generated files instead of comparing them.
var update = flag.Bool("update", false, "write the generated files of the chart")

// queues is the text of chart/files/queues.yaml.
func queues() string {
	var b strings.Builder
	b.WriteString("# Generated from the catalogue of schema. Repair: make generate.\nworkers:\n")
	for _, r := range schema.WorkerResources() {
		fmt.Fprintf(&b, "  %s:\n", stream.WorkerRole(r))
		for _, q := range schema.QueuesOf(r) {
			fmt.Fprintf(&b, "    - name: %s\n      provider: %s\n", q.Name, q.Provider)
			if !q.CallsProvider() {
				b.WriteString("      calls: false\n")
			}
			b.WriteString("      lanes:\n")
			for _, lane := range q.Lanes() {
				fmt.Fprintf(&b, "        - {name: %s, stream: %s, consumer: %s}\n",
					lane.Name, lane.Stream, lane.Consumer)
			}
			if !q.Erases {
				lane := q.ClosuresLane()
				fmt.Fprintf(&b, "      closures: {stream: %s, consumer: %s}\n", lane.Stream, lane.Consumer)
			}
		}
	}
	return b.String()
}

// brokerFile is the text of a file of the broker's configuration.
func brokerFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "nats", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ruleFile is the text of the alert rules.
func ruleFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "prometheus", "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestGeneratedFilesAreCurrent(t *testing.T) {
	for name, want := range map[string]string{
		"queues.yaml":   queues(),
		"nats.conf":     brokerFile(t, "nats.conf"),
		"accounts.conf": brokerFile(t, "accounts.conf"),
		"rules.yaml":    ruleFile(t),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(chartDir, "files", name)
			if *update {
				if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%s is not current (repair: make generate) (-want +is)\n%s", file, diff)
			}
		})
	}
}
