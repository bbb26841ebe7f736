package grafana

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const dashboardsDir = "dashboards"

var update = flag.Bool("update", false, "write the dashboards")

func build(t *testing.T) map[string]Dashboard {
	t.Helper()
	dashboards, err := Dashboards()
	if err != nil {
		t.Fatal(err)
	}
	return dashboards
}

func TestDashboardsAreCurrent(t *testing.T) {
	for name, d := range build(t) {
		want, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		file := filepath.Join(dashboardsDir, name)
		if *update {
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not current (repair: make generate) (-want +is)\n%s", file, diff)
		}
	}
}

func TestEveryFileIsADashboardOfTheCode(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(dashboardsDir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, file := range files {
		if _, ok := build(t)[filepath.Base(file)]; !ok {
			t.Errorf("the code makes no %s: delete it", file)
		}
	}
}

// columns is the width of a dashboard.
const columns = 24

func TestAPanelSaysWhatItShows(t *testing.T) {
	for name, d := range build(t) {
		t.Run(name, func(t *testing.T) {
			var titles []string
			for _, p := range panelsOf(d) {
				title := *p.Title
				for promise, holds := range map[string]bool{
					"its title is its own":  title != "" && !slices.Contains(titles, title),
					"it explains itself":    p.Description != nil && *p.Description != "",
					"it asks for something": len(p.Targets) > 0,
					"it asks the chosen Prometheus": p.Datasource != nil &&
						*p.Datasource.Uid == "${datasource}",
					"it says so if there is nothing": p.FieldConfig.Defaults.NoValue != nil &&
						*p.FieldConfig.Defaults.NoValue != "",
					"its numbers have a unit": p.Type == "table" ||
						p.FieldConfig.Defaults.Unit != nil,
					"it is on the screen": p.GridPos.X+p.GridPos.W <= columns,
				} {
					if !holds {
						t.Errorf("%s: broken promise: %s", title, promise)
					}
				}
				titles = append(titles, title)
			}
		})
	}
}

func TestTheWallScreenBeginsWithTheFindings(t *testing.T) {
	if first := panelsOf(build(t)["wagewire.json"])[0]; *first.Title != "Findings" {
		t.Errorf("it begins with %s", *first.Title)
	}
}

// panelsOf returns the panels of a dashboard, also those in rows.
func panelsOf(d Dashboard) []dashboard.Panel {
	var panels []dashboard.Panel
	for _, p := range d.Panels {
		if p.Panel != nil {
			panels = append(panels, *p.Panel)
		}
		if p.RowPanel != nil {
			panels = append(panels, p.RowPanel.Panels...)
		}
	}
	return panels
}
