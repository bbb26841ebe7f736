package grafana

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Histograms of the workers: from the receipt of a webhook to the stored completion, and the same
// less the time that the provider took or made us wait.
const (
	completion    = "wagewire_completion_seconds"
	completionOwn = "wagewire_completion_own_seconds"
)

// allowance is the share of webhooks that may be late: the objective is 99 %.
const allowance = "0.01"

// freshness shows how soon webhooks are completed. Exemplars lead from a slow event to its trace.
func freshness() *builder {
	d := newDashboard("Wagewire: freshness", "wagewire-freshness",
		"How soon webhooks are completed. The objective: 99 % within five minutes.")
	addObjective(d)
	addDurations(d)
	return d
}

func addObjective(d *builder) {
	d.WithRow(dashboard.NewRowBuilder("Objective: 99 % within five minutes"))
	d.WithPanel(panel{
		title: "Late within the last hour", unit: unitShare, width: 8, none: "no completions",
		about:   "The share of completions that came more than five minutes after their webhook.",
		queries: []query{{`wagewire:late:ratio1h`, "{{provider}}"}},
	}.stats(cog.ToPtr(0.01)).Height(heightGraph))
	d.WithPanel(panel{
		title: "Burn", unit: unitTimes, width: 16, none: "no completions",
		about: "How many times as fast as allowed the allowance is used up. " +
			"From 14.4x over an hour on there is a page, and from 6x over six hours on a ticket.",
		queries: []query{
			{`wagewire:late:ratio1h / ` + allowance, "{{provider}}, an hour"},
			{`wagewire:late:ratio6h / ` + allowance, "{{provider}}, six hours"},
		},
	}.graph())
}

func addDurations(d *builder) {
	d.WithRow(dashboard.NewRowBuilder("From the webhook to the completion"))
	for _, row := range []struct{ title, about, histogram string }{
		{"All of the time", "From the receipt of a webhook to the stored completion.", completion},
		{"Our part of the time", "The same, less the time that the provider took or made us wait.",
			completionOwn},
	} {
		d.WithPanel(quantiles(panel{
			title: row.title, about: row.about, unit: unitSeconds, width: 12,
			none: "no completions",
			queries: []query{
				{quantile(row.histogram, 0.5, "provider"), "{{provider}}, half of them"},
				{quantile(row.histogram, 0.9, "provider"), "{{provider}}, 90 %"},
				{quantile(row.histogram, 0.99, "provider"), "{{provider}}, 99 %"},
			},
		}))
	}
	d.WithPanel(panel{
		title: "The provider's part, on average", unit: unitSeconds, width: 8,
		about:   "Mean of all of the time less our part.",
		none:    "no completions",
		queries: []query{{mean(completion) + " - " + mean(completionOwn), "{{provider}}"}},
	}.graph())
	d.WithPanel(panel{
		title: "99 % by resource", unit: unitSeconds, width: 8, none: "no completions",
		about:   "The time within which 99 % of a resource's webhooks are completed.",
		queries: []query{{quantile(completion, 0.99, "resource"), "{{resource}}"}},
	}.graph())
	d.WithPanel(panel{
		title: "Completions by resource", unit: unitPerSecond, width: 8, none: "no completions",
		about: "Completions of fresh events.",
		queries: []query{{
			`sum by (resource) (rate(` + completion + `_count[$__rate_interval]))`, "{{resource}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Calls to the provider, 90 %", unit: unitSeconds, width: 12, none: "no calls",
		about:   "The time within which 90 % of calls are answered.",
		queries: []query{{quantile("wagewire_api_call_seconds", 0.9, "provider"), "{{provider}}"}},
	}.graph())
	d.WithPanel(panel{
		title: "Wait for a turn, 90 %", unit: unitSeconds, width: 12, none: "no calls",
		about: "How long calls wait because of the provider's rate.",
		queries: []query{{
			quantile("wagewire_budget_wait_seconds", 0.9, "provider"), "{{provider}}",
		}},
	}.graph())
}

// quantiles is a graph with exemplars.
func quantiles(p panel) *timeseries.PanelBuilder {
	queries := p.queries
	p.queries = nil
	built := p.graph()
	for _, q := range queries {
		built.WithTarget(q.overTime().Exemplar(true))
	}
	return built
}

// quantile is the expression for the duration within which a share of a histogram is.
func quantile(histogram string, share float64, by string) string {
	return fmt.Sprintf(
		"histogram_quantile(%g, sum by (le, %s) (rate(%s_bucket[$__rate_interval])))",
		share, by, histogram)
}

// mean is the expression for the mean of a histogram by provider.
func mean(histogram string) string {
	return fmt.Sprintf("sum by (provider) (rate(%[1]s_sum[$__rate_interval]))"+
		" / sum by (provider) (rate(%[1]s_count[$__rate_interval]))", histogram)
}
