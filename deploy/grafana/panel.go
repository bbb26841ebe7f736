package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Units of Grafana.
const (
	unitSeconds   = "s"
	unitPerSecond = "reqps"
	unitShare     = "percentunit"
	unitCount     = "short"
	unitYesNo     = "bool_yes_no"
	unitTimes     = "suffix:x"
)

// Heights of panels.
const (
	heightStat  = 5
	heightGraph = 8
)

// The classic schema of dashboards is deprecated in favour of one that only new versions of Grafana
// import.
type (
	// Dashboard is a dashboard that every version of Grafana imports.
	Dashboard = dashboard.Dashboard        //nolint:staticcheck // as said above
	builder   = dashboard.DashboardBuilder //nolint:staticcheck // as said above
)

// Dashboards returns the dashboards by file name.
func Dashboards() (map[string]Dashboard, error) {
	dashboards := map[string]Dashboard{}
	for name, made := range map[string]*builder{
		"wagewire.json":  wagewire(),
		"freshness.json": freshness(),
	} {
		built, err := made.Build()
		if err != nil {
			return nil, err
		}
		dashboards[name] = built
	}
	return dashboards, nil
}

// newDashboard returns a dashboard without panels.
func newDashboard(title, uid, about string) *builder {
	return dashboard.NewDashboardBuilder(title). //nolint:staticcheck // as said above
							Uid(uid).
							Description(about).
							Tags([]string{"wagewire"}).
							Readonly().
							Refresh("15s").
							Time("now-6h", "now").
							Timezone("utc").
							Tooltip(dashboard.DashboardCursorSyncCrosshair).
							WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").
								Label("Prometheus").
								Type("prometheus"))
}

// datasource is the Prometheus that the variable of the dashboard names.
func datasource() common.DataSourceRef {
	return common.DataSourceRef{
		Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}"),
	}
}

// query is an expression of PromQL with the name of each series.
type query struct {
	expr   string
	legend string
}

func (q query) now() *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().
		Datasource(datasource()).
		Expr(q.expr).
		LegendFormat(q.legend).
		Instant()
}

func (q query) overTime() *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().
		Datasource(datasource()).
		Expr(q.expr).
		LegendFormat(q.legend).
		Range()
}

// panel is what panels of every kind have.
type panel struct {
	title string
	// about says in one sentence what the panel shows.
	about string
	unit  string
	// width is of 24 columns.
	width   uint32
	queries []query
	// none is shown without any series.
	none string
}

// stats is a panel with the present number of each series. From redFrom on a number is red; without
// a limit, redFrom is nil.
func (p panel) stats(redFrom *float64) *stat.PanelBuilder {
	built := stat.NewPanelBuilder().
		Title(p.title).
		Description(p.about).
		Datasource(datasource()).
		Unit(p.unit).
		Span(p.width).
		Height(heightStat).
		NoValue(p.none).
		GraphMode(common.BigValueGraphModeNone).
		TextMode(common.BigValueTextModeValueAndName).
		Thresholds(thresholds(redFrom))
	for _, q := range p.queries {
		built.WithTarget(q.now())
	}
	return built
}

// graph is a panel with a line for each series.
func (p panel) graph() *timeseries.PanelBuilder {
	built := timeseries.NewPanelBuilder().
		Title(p.title).
		Description(p.about).
		Datasource(datasource()).
		Unit(p.unit).
		Min(0).
		Span(p.width).
		Height(heightGraph).
		NoValue(p.none).
		FillOpacity(10)
	for _, q := range p.queries {
		built.WithTarget(q.overTime())
	}
	return built
}

// rows is a panel with a line of text for each series, by the labels.
func (p panel) rows(hidden map[string]bool) *table.PanelBuilder {
	built := table.NewPanelBuilder().
		Title(p.title).
		Description(p.about).
		Datasource(datasource()).
		Span(p.width).
		Height(heightGraph).
		NoValue(p.none).
		WithTransformation(dashboard.DataTransformerConfig{
			Id:      "organize",
			Options: map[string]any{"excludeByName": hidden},
		})
	for _, q := range p.queries {
		built.WithTarget(q.now().Format(prometheus.PromQueryFormatTable))
	}
	return built
}

func thresholds(redFrom *float64) *dashboard.ThresholdsConfigBuilder {
	steps := []dashboard.Threshold{{Color: "green"}}
	if redFrom != nil {
		steps = append(steps, dashboard.Threshold{Value: redFrom, Color: "red"})
	}
	return dashboard.NewThresholdsConfigBuilder().
		Mode(dashboard.ThresholdsModeAbsolute).
		Steps(steps)
}
