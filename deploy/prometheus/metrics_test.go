package prometheus

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/health"
)

// source is the Go code of a directory, without tests.
func source(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no code in %s: %v", dir, err)
	}
	var code strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	return code.String()
}

// exists reports whether a process serves the metric, or the series of a histogram. The exporter
// lists its metrics. Ingress and the workers name theirs in their code, ingress without the
// beginning of the name.
func exists(t *testing.T, name string) bool {
	t.Helper()
	ingress := source(t, filepath.Join("..", "..", "ingress"))
	workers := source(t, filepath.Join("..", "..", "workers"))
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		base := strings.TrimSuffix(name, suffix)
		isExporters := slices.ContainsFunc(health.Metrics(),
			func(m health.Metric) bool { return m.Name == base })
		ofIngress, isIngress := strings.CutPrefix(base, "wagewire_ingress_")
		if isExporters || strings.Contains(workers, `"`+base+`"`) ||
			isIngress && strings.Contains(ingress, `"`+ofIngress+`"`) {
			return true
		}
	}
	return false
}

func TestAMetricThatNobodyServesIsFound(t *testing.T) {
	for name, want := range map[string]bool{
		"wagewire_up":                        true,
		"wagewire_upp":                       false,
		"wagewire_ingress_webhooks_total":    true,
		"wagewire_ingress_nothing_total":     false,
		"wagewire_completion_seconds_bucket": true,
		"wagewire_completion_bucket":         false,
	} {
		if got := exists(t, name); got != want {
			t.Errorf("%s exists: %t", name, got)
		}
	}
}
