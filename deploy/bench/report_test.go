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

// ofRound returns a round with 3,000 publishes and 6,000 requests a second, combined 2,000, and
// with the given rate of ingress. The budget takes 250 requests for 1,000 calls if ingress stores
// 1,000 webhooks, and more if ingress stores more.
func ofRound(ingress int) round {
	at := func(perS int, cpu ...time.Duration) figure {
		for i := range cpu {
			cpu[i] *= time.Duration(perS)
		}
		return figure{n: perS, took: time.Second, cpu: cpu}
	}
	const us = time.Microsecond
	some := at(700, 41*us, 42*us, 43*us, 44*us)
	some.took = 2 * time.Second
	f := figures{
		raw: at(3000, 11*us, 12*us), null: at(6000, 21*us, 22*us),
		ingress:     at(ingress, 31*us, 32*us, 33*us),
		completions: some, completionsSlow: figure{n: 700, took: 4 * time.Second},
		spent: spending{turns: 1000, roundTrips: float64(ingress) / 4},
	}
	return round{f, f}
}

func TestTheRatioIsTakenInEachRound(t *testing.T) {
	var text strings.Builder
	report(&text, []round{ofRound(1000), ofRound(1500), ofRound(2000)}, []peak{
		{"ingress", [settings]int64{17 << 20, 18 << 20}},
		{"nats-server", [settings]int64{100 << 20, 90 << 20}},
	})
	const want = `
a second                        fsync later                 fsync always
a  JetStream publishes          3000         (3000 – 3000)  3000  (3000 – 3000)
b  null handler's requests      6000         (6000 – 6000)  6000  (6000 – 6000)
   combined, 1/(1/a+1/b)        2000         (2000 – 2000)  2000  (2000 – 2000)
c  ingress's webhooks, stored   1500         (1000 – 2000)  1500  (1000 – 2000)
   ratio, c/combined            0.75         (0.50 – 1.00)  0.75  (0.50 – 1.00)
d  completions, API at once     350          (350 – 350)    350   (350 – 350)
   completions, API after 20ms  175          (175 – 175)    175   (175 – 175)

for a call of an API              fsync later                 fsync always
d  broker requests of the budget  0.38         (0.25 – 0.50)  0.38  (0.25 – 0.50)

processor time for one, µs  fsync later             fsync always
a  publisher                11           (11 – 11)  11  (11 – 11)
   nats-server              12           (12 – 12)  12  (12 – 12)
b  sender                   21           (21 – 21)  21  (21 – 21)
   null handler             22           (22 – 22)  22  (22 – 22)
c  sender                   31           (31 – 31)  31  (31 – 31)
   ingress                  32           (32 – 32)  32  (32 – 32)
   nats-server              33           (33 – 33)  33  (33 – 33)
d  sender, fake API         41           (41 – 41)  41  (41 – 41)
   ingress                  42           (42 – 42)  42  (42 – 42)
   nats-server              43           (43 – 43)  43  (43 – 43)
   all workers              44           (44 – 44)  44  (44 – 44)

peak memory, MiB  fsync later    fsync always
ingress           17             18
nats-server       100            90
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
	report(&text, []round{ofRound(1000)}, nil)
	if strings.Contains(text.String(), "processor time") || strings.Contains(text.String(), "memory") {
		t.Errorf("the report has a section without figures:\n%s", &text)
	}
}

func TestNewIDKeepsLengthAndForm(t *testing.T) {
	const like = "5a141122-4235-4fa1-bd76-0628573880b0"
	id := newID(like)
	if id == like || len(id) != len(like) || strings.Count(id, "-") != 4 || id[8] != '-' {
		t.Errorf("newID(%q) = %q", like, id)
	}
}
