package prometheus

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// listed is the name of a metric in a row of deploy/metrics.md, which is made from the code.
var listed = regexp.MustCompile("(?m)^\\| `(wagewire_[a-z_]+)` ")

// exists reports whether a process serves the metric, or the series of a histogram.
func exists(t *testing.T, name string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range listed.FindAllStringSubmatch(string(text), -1) {
		for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
			if strings.TrimSuffix(name, suffix) == match[1] {
				return true
			}
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
