package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpread(t *testing.T) {
	for promise, row := range map[string]struct {
		values []float64
		want   spread
	}{
		"one value is all three":                      {[]float64{3}, spread{3, 3, 3}},
		"the median of an odd number is the middle":   {[]float64{9, 1, 4}, spread{4, 1, 9}},
		"the median of an even number is between two": {[]float64{8, 1, 2, 4}, spread{3, 1, 8}},
	} {
		t.Run(promise, func(t *testing.T) {
			before := append([]float64(nil), row.values...)
			if got := spreadOf(row.values); got != row.want {
				t.Errorf("spreadOf(%v) = %v, want %v", row.values, got, row.want)
			}
			if diff := cmp.Diff(before, row.values); diff != "" {
				t.Errorf("spreadOf changed the values (-want +got):\n%s", diff)
			}
		})
	}
}

// ofRound returns a round in which ours does the given number a second, and the least does 2,000.
func ofRound(ours int) round {
	at := func(perS int, micros int) figure {
		each := time.Duration(micros) * time.Microsecond * time.Duration(perS)
		return figure{
			n: perS, took: time.Second,
			cpu: cpu{bench: each, ingress: 2 * each, workers: 3 * each, broker: 4 * each},
		}
	}
	both := pair[figure]{ours: at(ours, 10), least: at(2000, 5)}
	r := round{ingress: both, spent: spending{turns: 1000, roundTrips: float64(ours) / 4}}
	for range kinds {
		r.kinds = append(r.kinds, both)
	}
	return r
}

func TestTheRatioIsTakenInEachRound(t *testing.T) {
	var text strings.Builder
	results{
		setting: settings[0],
		rounds:  []round{ofRound(1000), ofRound(1500), ofRound(2000)},
		memory: []memory{
			{name: "ingress", rest: 17 << 20, peak: 18 << 20},
			{name: "nats-server", rest: 30 << 20, peak: 90 << 20},
		},
	}.print(&text)
	const want = `
one server, fsync later, a second          ours                least  ratio               wanted
webhooks stored                            1500                2000   0.75 (0.50 – 1.00)  ≥ 0.95
small snapshots                            1500                2000   0.75 (0.50 – 1.00)  ≥ 0.90
90 shifts                                  1500                2000   0.75 (0.50 – 1.00)  ≥ 0.85
31 paystubs                                1500                2000   0.75 (0.50 – 1.00)  ≥ 0.85
400 paystubs                               1500                2000   0.75 (0.50 – 1.00)  ≥ 0.85
broker requests of the budget, for a call  0.38 (0.25 – 0.50)                             ≤ 1

processor time for one, µs (ours / least)  sender, API  ingress  workers  broker
webhooks stored                            10 / 5       20 / 10  30 / 15  40 / 20
small snapshots                            10 / 5       20 / 10  30 / 15  40 / 20
90 shifts                                  10 / 5       20 / 10  30 / 15  40 / 20
31 paystubs                                10 / 5       20 / 10  30 / 15  40 / 20
400 paystubs                               10 / 5       20 / 10  30 / 15  40 / 20

memory, MiB  at rest  peak
ingress      17       18
nats-server  30       90

latency at a constant rate, ms  ours p50  p99  p999  least p50  p99  p999
`
	if diff := cmp.Diff(want, trimmed(text.String())); diff != "" {
		t.Errorf("the report differs (-want +got):\n%s", diff)
	}
}

// trimmed returns the text without spaces at the ends of lines.
func trimmed(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

func TestTheReportLeavesOutWhatTheSystemDoesNotCount(t *testing.T) {
	var text strings.Builder
	results{
		setting: settings[0], rounds: []round{ofRound(1000)}, memory: []memory{{name: "ingress"}},
	}.print(&text)
	if strings.Contains(text.String(), "processor time") || strings.Contains(text.String(), "memory") {
		t.Errorf("the report has a section without figures:\n%s", &text)
	}
}

func TestAnUnknownSettingIsAnError(t *testing.T) {
	if _, err := chosenSettings([]string{"r1-later", "r5"}); err == nil ||
		!strings.Contains(err.Error(), `"r5" is none of r1-later, r1-always, r3-later, r3-always`) {
		t.Errorf("chosenSettings: %v", err)
	}
	for _, keys := range [][]string{nil, SettingKeys()} {
		if chosen, err := chosenSettings(keys); err != nil || len(chosen) != len(settings) {
			t.Errorf("chosenSettings(%v) = %d settings, %v", keys, len(chosen), err)
		}
	}
}

func TestNewIDKeepsLengthAndForm(t *testing.T) {
	const like = "5a141122-4235-4fa1-bd76-0628573880b0"
	id := newID(like)
	if id == like || len(id) != len(like) || strings.Count(id, "-") != 4 || id[8] != '-' {
		t.Errorf("newID(%q) = %q", like, id)
	}
}
