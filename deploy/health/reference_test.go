package health_test

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/console"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
)

var update = flag.Bool("update", false, "write metrics.md anew")

// metricsFile is the reference of the metrics.
const metricsFile = "../metrics.md"

const metricsAbout = `# Metrics

Every metric that a process serves at ` + "`/metrics`" + `, beside those of the Go runtime and of the process. Generated from the code; repair: ` + "`make generate`" + `.
A name ends in its unit, and in ` + "`_total`" + ` if it is a counter. No label has an id of an account, an event or a person.
`

// metric is a row of the reference.
type metric struct{ name, kind, labels, help string }

func TestMetricsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(metricsAbout)
	for _, section := range []struct {
		title    string
		register func(*testing.T, *prometheus.Registry)
	}{
		{"wagewire metrics", registerExporter},
		{"wagewire console", registerConsole},
		{"ingress", registerIngress},
		{"Workers of a resource", registerWorkers},
		{"The worker accounts", registerAccounts},
	} {
		registry := prometheus.NewRegistry()
		section.register(t, registry)
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | |\n|---|---|---|---|\n", section.title)
		for _, m := range readMetrics(t, registry) {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
		}
	}
	if *update {
		if err := os.WriteFile(metricsFile, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(metricsFile)
	if err != nil || string(have) != b.String() {
		t.Errorf("deploy/metrics.md is not what the code has (repair: make generate): %v", err)
	}
}

func registerExporter(_ *testing.T, registry *prometheus.Registry) {
	health.NewExporter(registry, "https://wagewire.example.com")
}

func registerConsole(t *testing.T, registry *prometheus.Registry) {
	pages, err := console.New(
		console.Config{Addr: "127.0.0.1:0"}, nil, health.Config{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	registry.MustRegister(pages.Metric())
}

func registerIngress(t *testing.T, registry *prometheus.Registry) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	secrets := filepath.Join(t.TempDir(), "truv.secret")
	secret := fake.Secret(string(schema.Truv))
	if err := os.WriteFile(secrets, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := ingress.ConfigFromEnv(func(name string) string {
		return map[string]string{
			"TRUV_SECRETS_FILE": secrets, "TRUV_URL": "http://127.0.0.1",
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	config.Listener = listener
	if _, err := ingress.New(config, nil, zap.NewNop(), registry); err != nil {
		t.Fatal(err)
	}
}

func registerWorkers(t *testing.T, registry *prometheus.Registry) {
	sources := map[schema.Provider]workers.Source{}
	for _, p := range schema.Providers() {
		sources[p] = workers.Source{}
	}
	workers.New(schema.Link, sources, unconnected(t), workers.Config{}, zap.NewNop(), registry)
	workers.NewAPIMetrics(registry, string(schema.Truv), 1)
}

func registerAccounts(t *testing.T, registry *prometheus.Registry) {
	workers.NewAccounts(unconnected(t), workers.AccountsConfig{}, zap.NewNop(), registry)
}

// unconnected is a connection to nobody.
func unconnected(t *testing.T) *stream.Conn {
	t.Helper()
	conn, err := stream.Connect(stream.Config{URL: "nats://127.0.0.1:1"}, "test", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

var describing = regexp.MustCompile(
	`^Desc\{fqName: "([^"]+)", help: (".*"), unit: .*, constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// readMetrics returns the metrics of the registry in the order of their names.
func readMetrics(t *testing.T, registry *prometheus.Registry) []metric {
	t.Helper()
	kinds := map[string]string{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		kinds[family.GetName()] = strings.ToLower(family.GetType().String())
	}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		registry.Describe(descriptions)
	}()
	var metrics []metric
	for desc := range descriptions {
		parts := describing.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("cannot read %s", desc)
		}
		help, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatalf("cannot read %s: %v", desc, err)
		}
		m := metric{name: parts[1], help: help, kind: kinds[parts[1]]}
		m.labels = labelsOf(parts[3], parts[4])
		if m.kind == "" {
			m.kind = kindOf(t, m.name)
		}
		metrics = append(metrics, m)
	}
	slices.SortFunc(metrics, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	return metrics
}

// labelsOf returns the names of constant labels, and after them those of variable labels.
func labelsOf(constant, variable string) string {
	var names []string
	for _, text := range []string{constant, variable} {
		for label := range strings.SplitSeq(text, ",") {
			if name, _, _ := strings.Cut(label, "="); name != "" {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ", ")
}

// kindOf is the type of a metric that has no series before its first use.
func kindOf(t *testing.T, name string) string {
	t.Helper()
	isExporters := slices.ContainsFunc(health.Metrics(), func(m health.Metric) bool {
		return m.Name == name
	})
	switch {
	case isExporters:
		return "gauge"
	case strings.HasSuffix(name, "_total"):
		return "counter"
	case strings.HasSuffix(name, "_seconds"):
		return "histogram"
	default:
		t.Errorf("of which type is %s? it has no series, and no suffix that says it", name)
		return ""
	}
}
