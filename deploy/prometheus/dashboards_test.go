package prometheus

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// dashboardExprs returns the expressions of a dashboard of Grafana, by panel.
func dashboardExprs(t *testing.T, file string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	exprs := map[string][]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			exprs[p.Title] = append(exprs[p.Title], target.Expr)
		}
	}
	return exprs
}

// recorded returns the names of the series that the rules make.
func recorded(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, group := range loadGroups(t, rules.ManagerOptions{}) {
		for _, rule := range group.Rules() {
			if _, isRecord := rule.(*rules.RecordingRule); isRecord {
				names[rule.Name()] = true
			}
		}
	}
	return names
}

// selectorsOf returns the names of the metrics that an expression reads.
func selectorsOf(t *testing.T, expr string) []string {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(
		strings.ReplaceAll(expr, "$__rate_interval", "5m"))
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	var names []string
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, isSelector := node.(*parser.VectorSelector); isSelector {
			names = append(names, selector.Name)
		}
		return nil
	})
	return names
}

func TestDashboardsReadOnlyMetricsThatExist(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "grafana", "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	made := recorded(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			asked := 0
			for title, exprs := range dashboardExprs(t, file) {
				for _, expr := range exprs {
					for _, name := range selectorsOf(t, expr) {
						asked++
						if !made[name] && !exists(t, name) {
							t.Errorf("%s reads %s, and no process has the metric", title, name)
						}
					}
				}
			}
			if asked == 0 {
				t.Error("no panel reads a metric")
			}
		})
	}
}
