package prometheus

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"

	"github.com/wagewire/wagewire/deploy"
	"github.com/wagewire/wagewire/deploy/health"
)

const (
	rulesFile = "rules.yml"
	// every is the time between two scrapes, and between two evaluations.
	every = 15 * time.Second
)

var update = flag.Bool("update", false, "write rules.yml")

func TestRulesAreCurrent(t *testing.T) {
	if *update {
		if err := os.WriteFile(rulesFile, []byte(Rules()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Rules(), string(got)); diff != "" {
		t.Errorf("%s is not current (repair: make generate) (-want +is)\n%s", rulesFile, diff)
	}
}

// loadGroups returns the groups of the rules in the order of the file, as Prometheus loads them.
func loadGroups(t *testing.T, options rules.ManagerOptions) []*rules.Group {
	t.Helper()
	options.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	options.NotifyFunc = func(context.Context, string, ...*rules.Alert) {}
	options.Parser = parser.NewParser(parser.Options{})
	groups, errs := rules.NewManager(&options).LoadGroups(
		every, labels.EmptyLabels(), "", nil, false, rulesFile)
	for _, err := range errs {
		t.Fatal(err)
	}
	var names []string
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	var ordered []*rules.Group
	for _, name := range names {
		ordered = append(ordered, groups[name])
	}
	return ordered
}

// alertRules returns the alerts of the rules by name.
func alertRules(t *testing.T) map[string]*rules.AlertingRule {
	t.Helper()
	found := map[string]*rules.AlertingRule{}
	for _, group := range loadGroups(t, rules.ManagerOptions{}) {
		for _, rule := range group.AlertingRules() {
			found[rule.Name()] = rule
		}
	}
	return found
}

// alertsAt returns the alerts that fire at each of the times, by evaluating the rules every 15 s
// over the series. The first sample of a series is at 0, and the next 15 s later, as in the
// notation of Prometheus' own tests. An alert is its labels as text, without the name's prefix.
func alertsAt(t *testing.T, series []string, times ...time.Duration) map[time.Duration][]string {
	t.Helper()
	input := fmt.Sprintf("load %s\n", every)
	for _, s := range series {
		input += "  " + s + "\n"
	}
	loader, err := promqltest.NewLazyLoader(input, promqltest.LazyLoaderOpts{
		EnableAtModifier: true, EnableNegativeOffset: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = loader.Close() })
	groups := loadGroups(t, rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(loader.QueryEngine(), loader.Storage()),
		AppendableV2: loader.Storage(),
		Queryable:    loader.Storage(),
		Context:      t.Context(),
	})
	firing := map[time.Duration][]string{}
	for at := time.Duration(0); at <= slices.Max(times); at += every {
		now := time.Unix(0, 0).UTC().Add(at)
		loader.WithSamplesTill(now, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, group := range groups {
				evaluate(t, group, now)
			}
		})
		if slices.Contains(times, at) {
			firing[at] = firingAlerts(groups)
		}
	}
	return firing
}

func evaluate(t *testing.T, group *rules.Group, now time.Time) {
	t.Helper()
	for _, rule := range group.AlertingRules() {
		rule.SetRestored(true) // there is no former state to read
	}
	group.Eval(t.Context(), now)
	for _, rule := range group.Rules() {
		if err := rule.LastError(); err != nil {
			t.Fatalf("rule %s: %v", rule.Name(), err)
		}
	}
}

func firingAlerts(groups []*rules.Group) []string {
	var found []string
	for _, group := range groups {
		for _, rule := range group.AlertingRules() {
			for _, alert := range rule.ActiveAlerts() {
				if alert.State == rules.StateFiring {
					found = append(found, alert.Labels.String())
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// well are the series of an installation without findings: a series of value 0 for each kind.
func well(times string) []string {
	series := []string{"wagewire_up{} 1" + times}
	for _, k := range health.Kinds() {
		series = append(series, fmt.Sprintf(
			`wagewire_finding_active{finding=%q,severity=%q,about=""} 0%s`, k.Name, k.Severity, times))
	}
	return series
}

// without returns the series without those of a kind.
func without(series []string, kind health.Name) []string {
	return slices.DeleteFunc(slices.Clone(series), func(s string) bool {
		return strings.Contains(s, fmt.Sprintf("finding=%q", kind))
	})
}

// nameWithin is how soon after the reading with a finding its alert must fire.
const nameWithin = time.Minute

func TestEachFindingHasAnAlertWithinAMinute(t *testing.T) {
	for _, k := range health.Kinds() {
		topic := topicNamed(string(k.Name))
		t.Run(topic.Name, func(t *testing.T) {
			// The finding is about truv from 1 min on, and gone after 3 min.
			series := append(well("x24"), fmt.Sprintf(
				`wagewire_finding_active{finding=%q,severity=%q,about="truv"} _ _ _ _ 1x7 stale`,
				k.Name, k.Severity))
			begins := time.Minute
			ends := 3 * time.Minute
			got := alertsAt(t, series, begins-every, begins+nameWithin-every, ends-every,
				ends+keepFindings+every)
			var want []string
			if topic.HasAlert() {
				want = []string{fmt.Sprintf(
					`{about="truv", alertname=%q, finding=%q, severity=%q}`,
					topic.Alert(), k.Name, severity(topic))}
			}
			if diff := cmp.Diff(map[time.Duration][]string{
				begins - every:              nil,
				begins + nameWithin - every: want, // the scrape may be 15 s late
				ends - every:                want,
				ends + keepFindings + every: nil,
			}, got); diff != "" {
				t.Errorf("alerts by time (-want +got)\n%s", diff)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	refused := func(about, values string) string {
		return fmt.Sprintf(
			`wagewire_finding_active{finding="refused-credentials",severity="bad",about=%q%s`, about,
			values)
	}
	away := `wagewire_finding_active{finding="broker-away",severity="bad",about=""} `
	for promise, row := range map[string]struct {
		series []string
		at     time.Duration
		want   []string
	}{
		"an installation without findings has no alert": {
			well("x20"), 5 * time.Minute, nil,
		},
		"two providers are two alerts": {
			append(well("x20"), refused("pinwheel", "} 1x20"), refused("truv", "} 1x20")),
			time.Minute, []string{
				alert("WagewireRefusedCredentials", "page", "about=pinwheel", "finding=refused-credentials"),
				alert("WagewireRefusedCredentials", "page", "about=truv", "finding=refused-credentials"),
			},
		},
		"two processes of the exporter are one alert": {
			append(well("x20"), refused("truv", `,instance="a"} 1x20`),
				refused("truv", `,instance="b"} 1x20`)),
			time.Minute, []string{
				alert("WagewireRefusedCredentials", "page", "about=truv", "finding=refused-credentials"),
			},
		},
		"two installations are two alerts": {
			append(well("x20"), refused("truv", `,namespace="a"} 1x20`),
				refused("truv", `,namespace="b"} 1x20`)),
			time.Minute, []string{
				alert("WagewireRefusedCredentials", "page", "about=truv", "finding=refused-credentials",
					"namespace=a"),
				alert("WagewireRefusedCredentials", "page", "about=truv", "finding=refused-credentials",
					"namespace=b"),
			},
		},
		"a finding of one reading is no alert yet, as when a server restarts": {
			append(without(well("x20"), health.BrokerAway), away+"0 0 0 0 1 0x15"),
			time.Minute, nil,
		},
		"and never becomes one": {
			append(without(well("x20"), health.BrokerAway), away+"0 0 0 0 1 0x15"),
			75 * time.Second, nil,
		},
		"a finding of two readings is an alert": {
			append(without(well("x20"), health.BrokerAway), away+"0 0 0 0 1 1 0x15"),
			75 * time.Second, []string{
				alert("WagewireBrokerAway", "page", "finding=broker-away"),
			},
		},
		"an alert outlives a reading without its finding, so that it pages once": {
			append(without(well("x20"), health.BrokerAway), away+"1 1 1 0 0 1x15"),
			time.Minute, []string{
				alert("WagewireBrokerAway", "page", "finding=broker-away"),
			},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := alertsAt(t, row.series, row.at)[row.at]
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("at %s (-want +got)\n%s", row.at, diff)
			}
		})
	}
}

// alert is the text of an alert with further labels, each as name=value.
func alert(name, severity string, more ...string) string {
	set := map[string]string{labels.AlertName: name, "severity": severity}
	for _, label := range more {
		key, value, _ := strings.Cut(label, "=")
		set[key] = value
	}
	return labels.FromMap(set).String()
}

func TestMetricsAbsent(t *testing.T) {
	absent := []string{alert("WagewireMetricsAbsent", "page")}
	for promise, row := range map[string]struct {
		series []string
		at     time.Duration
		want   []string
	}{
		"no process was ever scraped": {
			[]string{"up{} 1x20"}, time.Minute, absent,
		},
		"the process is gone": {
			[]string{"wagewire_up{} 1x8 stale"}, 2*time.Minute + 45*time.Second, absent,
		},
		"a process that restarts within 30 s is not absent": {
			[]string{"wagewire_up{} 1x3 stale _ 1x8"}, 90 * time.Second, nil,
		},
		"and neither is it in between": {
			[]string{"wagewire_up{} 1x3 stale _ 1x8"}, 75 * time.Second, nil,
		},
		"a reading fails and the broker is not away": {
			[]string{"wagewire_up{} 0x20"}, time.Minute, absent,
		},
		"a reading fails because the broker is away, which has its own alert": {
			append(without(well("x20")[1:], health.BrokerAway), "wagewire_up{} 0x20",
				`wagewire_finding_active{finding="broker-away",severity="bad",about=""} 1x20`),
			time.Minute,
			[]string{alert("WagewireBrokerAway", "page", "finding=broker-away")},
		},
		"one of two processes reads": {
			[]string{`wagewire_up{instance="a"} 0x20`, `wagewire_up{instance="b"} 1x20`},
			time.Minute, nil,
		},
		"one of two installations is not read": {
			[]string{`wagewire_up{namespace="a"} 0x20`, `wagewire_up{namespace="b"} 1x20`},
			time.Minute, []string{alert("WagewireMetricsAbsent", "page", "namespace=a")},
		},
		"readings that succeed are no alert": {
			[]string{"wagewire_up{} 1x20"}, 5 * time.Minute, nil,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := alertsAt(t, row.series, row.at)[row.at]
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("at %s (-want +got)\n%s", row.at, diff)
			}
		})
	}
}

// completions are the series of completions that a process stored: of all, and those within five
// minutes. Values are in the notation of Prometheus' own tests.
func completions(more, all, inTime string) []string {
	name := `wagewire_completion_seconds_%s{provider="truv",resource="link"` + more + `%s} %s`
	return []string{
		fmt.Sprintf(name, "count", "", all),
		fmt.Sprintf(name, "bucket", `,le="300"`, inTime),
		fmt.Sprintf(name, "bucket", `,le="+Inf"`, all),
	}
}

func TestFreshness(t *testing.T) {
	const (
		hour = time.Hour
		// A sample each 15 s: 240 an hour.
		anHour   = 240
		sixHours = 6 * anHour
	)
	fast := alert("WagewireFreshnessBurnFast", "page", "provider=truv")
	slow := alert("WagewireFreshnessBurnSlow", "ticket", "provider=truv")
	steady := func(more string, each, inTimeEach float64, samples int) []string {
		return completions(more, fmt.Sprintf("0+%gx%d", each, samples),
			fmt.Sprintf("0+%gx%d", inTimeEach, samples))
	}
	for promise, row := range map[string]struct {
		series []string
		at     time.Duration
		want   []string
	}{
		"everything in time": {
			steady("", 1, 1, anHour), hour, nil,
		},
		"a late share of 14.5 % pages": {
			steady("", 1, .855, anHour), hour, []string{fast, slow},
		},
		"a late share of 14.3 % does not": {
			steady("", 1, .857, anHour), hour, []string{slow},
		},
		"a late share of 6.1 % is a ticket": {
			steady("", 1, .939, sixHours), 6 * hour, []string{slow},
		},
		"a late share of 5.9 % is none": {
			steady("", 1, .941, sixHours), 6 * hour, nil,
		},
		"ten completions in an hour are judged": {
			completions("", "0x120 10x119", "0x240"), 31 * time.Minute, []string{fast},
		},
		"nine completions in an hour are not": {
			completions("", "0x120 9x119", "0x240"), 31 * time.Minute, nil,
		},
		"sixty completions in six hours are judged": {
			completions("", "0x1380 60x59", "0x1380 55x59"), 346 * time.Minute, []string{slow},
		},
		"fifty-nine completions in six hours are not": {
			completions("", "0x1380 59x59", "0x1380 54x59"), 346 * time.Minute, nil,
		},
		"an hour ago is no page if the last five minutes were in time": {
			completions("", "0x60 100+1x180", "0x60 0+1x180"), 50 * time.Minute, []string{slow},
		},
		"without completions there is no alert": {
			completions("", "100x240", "0x240"), hour, nil,
		},
		"without the histogram there is no alert": {
			[]string{"up 1x240"}, hour, nil,
		},
		"a restart of the worker is no late completion": {
			completions("", "0+1x119 0+1x120", "0+1x119 0+1x120"), hour, nil,
		},
		"a restart of the worker hides no late completion": {
			completions("", "0+1x119 0+1x120", "0+.8x119 0+.8x120"), hour, []string{fast, slow},
		},
		"a worker that was replaced still counts": {
			append(steady(`,instance="a"`, 1, .7, anHour/2),
				completions(`,instance="b"`, "_x120 0+1x120", "_x120 0+.7x120")...),
			hour, []string{fast, slow},
		},
		"the workers of a provider are judged together": {
			append(steady(`,instance="a"`, 1, 1, anHour), steady(`,instance="b"`, .1, 0, anHour)...),
			hour, []string{slow}, // 9 % are late
		},
		"a bucket named 300.0 counts, as newer versions of Prometheus name it": {
			replaceAll(steady("", 1, .8, anHour), `le="300"`, `le="300.0"`), hour,
			[]string{fast, slow},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			series := append(well(fmt.Sprintf("x%d", sixHours)), row.series...)
			got := alertsAt(t, series, row.at)[row.at]
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("at %s (-want +got)\n%s", row.at, diff)
			}
		})
	}
}

func replaceAll(series []string, from, to string) []string {
	var replaced []string
	for _, s := range series {
		replaced = append(replaced, strings.ReplaceAll(s, from, to))
	}
	return replaced
}

func TestEachAlertHasItsSectionAndEachSectionItsAlert(t *testing.T) {
	found := alertRules(t)
	for _, topic := range deploy.Topics() {
		rule, hasRule := found[topic.Alert()]
		delete(found, topic.Alert())
		if hasRule != topic.HasAlert() {
			t.Errorf("%s has the severity %s, and an alert: %t", topic.Name, topic.Severity, hasRule)
		}
		if !hasRule {
			continue
		}
		annotations := rule.Annotations().Map()
		if want := runbook + "#" + topic.Name; annotations["runbook_url"] != want {
			t.Errorf("%s links to %s", topic.Name, annotations["runbook_url"])
		}
		if want := "wagewire explain " + topic.Name; annotations["command"] != want {
			t.Errorf("%s names the command %s", topic.Name, annotations["command"])
		}
		if !strings.HasSuffix(annotations["console"], "/findings/"+topic.Name+"{{ end }}") {
			t.Errorf("%s links to the page %s", topic.Name, annotations["console"])
		}
		if topic.Section() == "" {
			t.Errorf("the runbook has no section %s", topic.Name)
		}
	}
	for name := range found {
		t.Errorf("%s has no section in the runbook", name)
	}
}

func TestASummarySaysWhatItIsAbout(t *testing.T) {
	for about, want := range map[string]string{
		"truv": "truv: A provider refuses our API key, so its queues do not move.",
		"":     "A provider refuses our API key, so its queues do not move.",
	} {
		series := []string{fmt.Sprintf(
			`wagewire_finding_active{finding="refused-credentials",severity="bad",about=%q} 1x4`, about)}
		got := annotationsOf(t, series, "WagewireRefusedCredentials", "summary")
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("about %q (-want +got)\n%s", about, diff)
		}
	}
}

func TestAnAlertLinksToThePageOfItsFinding(t *testing.T) {
	const refused = `wagewire_finding_active{finding="refused-credentials",severity="bad",about="truv"%s} 1x4`
	const info = `wagewire_console_info{%s} 1x4`
	one := fmt.Sprintf(refused, "")
	for promise, row := range map[string]struct {
		series []string
		alert  string
		want   []string // for each alert, in the order of their labels
	}{
		"a finding has the address of its page": {
			[]string{one, fmt.Sprintf(info, `url="https://w.example.com"`)},
			"WagewireRefusedCredentials",
			[]string{"https://w.example.com/findings/refused-credentials"},
		},
		"without a console there is none": {
			[]string{one}, "WagewireRefusedCredentials", []string{""},
		},
		"two processes of the exporter are one address": {
			[]string{
				one,
				fmt.Sprintf(info, `url="https://w.example.com",instance="a"`),
				fmt.Sprintf(info, `url="https://w.example.com",instance="b"`),
			},
			"WagewireRefusedCredentials",
			[]string{"https://w.example.com/findings/refused-credentials"},
		},
		"each of two installations has its own console": {
			[]string{
				fmt.Sprintf(refused, `,namespace="a"`), fmt.Sprintf(refused, `,namespace="b"`),
				fmt.Sprintf(info, `url="https://a.example.com",namespace="a"`),
				fmt.Sprintf(info, `url="https://b.example.com",namespace="b"`),
			},
			"WagewireRefusedCredentials",
			[]string{
				"https://a.example.com/findings/refused-credentials",
				"https://b.example.com/findings/refused-credentials",
			},
		},
		"an installation without a console has not that of another": {
			[]string{
				fmt.Sprintf(refused, `,namespace="a"`),
				fmt.Sprintf(info, `url="https://b.example.com",namespace="b"`),
			},
			"WagewireRefusedCredentials", []string{""},
		},
		"an alert that is no finding has the page of its section in the runbook": {
			[]string{`wagewire_up{} 0x4`, fmt.Sprintf(info, `url="https://w.example.com"`)},
			"WagewireMetricsAbsent", []string{"https://w.example.com/findings/metrics-absent"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := annotationsOf(t, row.series, row.alert, "console")
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("addresses (-want +got)\n%s", diff)
			}
		})
	}
}

// annotationsOf returns an annotation of each alert of the name at 0, in the order of their labels.
func annotationsOf(t *testing.T, series []string, name, annotation string) []string {
	t.Helper()
	loader, err := promqltest.NewLazyLoader("load 15s\n  "+strings.Join(series, "\n  "),
		promqltest.LazyLoaderOpts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = loader.Close() })
	groups := loadGroups(t, rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(loader.QueryEngine(), loader.Storage()),
		AppendableV2: loader.Storage(),
		Context:      t.Context(),
	})
	var active []*rules.Alert
	loader.WithSamplesTill(time.Unix(0, 0), func(error) {
		for _, group := range groups {
			evaluate(t, group, time.Unix(0, 0))
			for _, rule := range group.AlertingRules() {
				if rule.Name() == name {
					active = append(active, rule.ActiveAlerts()...)
				}
			}
		}
	})
	slices.SortFunc(active, func(a, b *rules.Alert) int {
		return labels.Compare(a.Labels, b.Labels)
	})
	var values []string
	for _, a := range active {
		values = append(values, a.Annotations.Get(annotation))
	}
	return values
}

// metricName is a metric of Wagewire in an expression.
var metricName = regexp.MustCompile(`\bwagewire_[a-z_]+\b`)

func TestRulesReadOnlyMetricsThatExist(t *testing.T) {
	for _, name := range metricName.FindAllString(Rules(), -1) {
		if !exists(t, name) {
			t.Errorf("no process has the metric %s", name)
		}
	}
}
