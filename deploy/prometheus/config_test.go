package prometheus

import (
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/dns"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func TestTheConfigurationScrapesEveryProcess(t *testing.T) {
	got, err := config.LoadFile("prometheus.yml", false, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if rule := got.RuleFiles; len(rule) != 1 || filepath.Base(rule[0]) != rulesFile {
		t.Errorf("rule files: %v", rule)
	}
	for what, value := range map[string]time.Duration{
		"scrape":     time.Duration(got.GlobalConfig.ScrapeInterval),
		"evaluation": time.Duration(got.GlobalConfig.EvaluationInterval),
	} {
		if value != every {
			t.Errorf("every %s is %s apart, and the tests of the rules assume %s", what, value, every)
		}
	}
	want := []string{"metrics", "console", stream.RoleIngress, stream.RoleAccounts}
	for _, r := range schema.WorkerResources() {
		want = append(want, strings.ReplaceAll(string(r), "_", "-")) // as in docker-compose.yml
	}
	var names []string
	for _, found := range got.ScrapeConfigs[0].ServiceDiscoveryConfigs {
		search, isDNS := found.(*dns.SDConfig)
		if !isDNS {
			t.Fatalf("it searches by %s", found.Name())
		}
		names = append(names, search.Names...)
		if search.Port != 9090 || search.Type != "A" {
			t.Errorf("it asks for type %s and port %d", search.Type, search.Port)
		}
	}
	slices.Sort(want)
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("services (-want +got)\n%s", diff)
	}
}
