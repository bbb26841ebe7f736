package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/fake"
)

// costing is the cost of a line with a rate, and with memory.
func costing(perS int, memory int64) cost {
	took := figure{n: perS, took: time.Second, cpu: cpu{broker: 100 * time.Millisecond}}
	return cost{
		figures:  []figure{took},
		p99s:     []time.Duration{4 * time.Millisecond},
		resident: memory, live: memory / 2, stored: 8 << 20,
	}
}

// stepsOf are steps of the numbers, whose broker has as much memory.
func stepsOf(memory func(n int) int64, numbers ...int) (steps []step) {
	for _, n := range numbers {
		steps = append(steps, step{
			n: n, grown: costing(1000, memory(n)), baseline: costing(1000, memory(1)),
		})
	}
	return steps
}

func TestGrowthIsMeasuredAsAPowerOfTheLoad(t *testing.T) {
	tests := map[string]struct {
		steps []step
		want  float64
	}{
		"a cost that stays": {
			stepsOf(func(int) int64 { return 1 << 20 }, 1, 10, 100), 0,
		},
		"a cost that falls": {
			stepsOf(func(n int) int64 { return 1 << 20 / int64(n) }, 1, 10, 100), 0,
		},
		"a linear cost": {
			stepsOf(func(n int) int64 { return 1000 * int64(n) }, 1, 10, 100), 1,
		},
		"a quadratic cost": {
			stepsOf(func(n int) int64 { return 1000 * int64(n) * int64(n) }, 1, 10, 100), 2,
		},
		"the steepest of several steps": {
			stepsOf(func(n int) int64 { return max(1<<20, 1<<20*int64(n)/10) }, 1, 10, 100), 1,
		},
		"a load of 0, which has no power": {
			stepsOf(func(n int) int64 { return int64(1 + n) }, 0, 10), 0,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := steepest(tt.steps, residentMeasure.of)
			if diff := got - tt.want; diff > 0.01 || diff < -0.01 {
				t.Errorf("steepest() = %.3f, want %.3f", got, tt.want)
			}
		})
	}
}

func TestASlowerMachineIsNoGrowth(t *testing.T) {
	steps := stepsOf(func(int) int64 { return 1 << 20 }, 1, 10)
	steps[1].grown.p99s = []time.Duration{400 * time.Millisecond}
	steps[1].baseline.p99s = []time.Duration{400 * time.Millisecond}
	if got := steepest(steps, latencyMeasure.of); got != 0 {
		t.Errorf("steepest() = %.2f, want 0", got)
	}
}

func TestTheTableOfGrowthSaysWhatIsMeasured(t *testing.T) {
	linear := func(n int) int64 { return int64(n) << 20 }
	tests := map[string]struct {
		steps []step
		want  []string
	}{
		"each figure, with the baseline in brackets": {
			stepsOf(linear, 1, 1000),
			[]string{"| 1,000 | 1000 (1000) | 100 (100) | 4.0 (4.0) | 1000 (1) | 500.0 (0.5) | " +
				"1.00 (1.00 – 1.00) | 1.00 (1.00 – 1.00) | 8 |"},
		},
		"how far the baseline moved": {
			stepsOf(linear, 1, 10),
			[]string{"The baseline at the first and at the last step: 1000 and 1000 a second, " +
				"p99 4.0 and 4.0 ms."},
		},
		"that nothing is worse than linear": {
			stepsOf(linear, 1, 10),
			[]string{"broker's memory 1.00", "Nothing is worse than linear."},
		},
		"what is worse than linear": {
			stepsOf(func(n int) int64 { return int64(n) * int64(n) << 20 }, 1, 10),
			[]string{"Worse than linear: [broker's memory live heap]."},
		},
		"why a step has no figure": {
			append(stepsOf(linear, 1), step{n: 3_000_000, unreached: "no room"}),
			[]string{"| 3,000,000 | not measured: no room |"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			reportGrowth(&text, []growth{{load{name: "completions kept"}, tt.steps}})
			for _, want := range tt.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("the table has no %q:\n%s", want, text.String())
				}
			}
		})
	}
}

func TestALogarithmicAxisHoldsItsValues(t *testing.T) {
	tests := map[string]struct {
		values []float64
		want   axis
		labels string
	}{
		"whole powers of ten":             {[]float64{10, 1000}, axis{1, 3, false}, "10 100 1 k"},
		"values between powers of ten":    {[]float64{3, 4000}, axis{0, 4, false}, "1 10 100 1 k 10 k"},
		"values below 1":                  {[]float64{0.3, 2}, axis{-1, 1, false}, "0.1 1 10"},
		"a single value":                  {[]float64{100}, axis{2, 3, false}, "100 1 k"},
		"0, a decade before all others":   {[]float64{0, 1e5, 3e6}, axis{4, 7, true}, "0 100 k 1 M 10 M"},
		"no value that has a logarithm":   {[]float64{0}, axis{0, 1, true}, "0 10"},
		"no value, as if nothing reached": {nil, axis{0, 1, false}, "1 10"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := axisOf(tt.values)
			if got != tt.want {
				t.Errorf("axisOf() = %v, want %v", got, tt.want)
			}
			var labels []string
			for _, tick := range got.ticks() {
				labels = append(labels, tick.Text)
			}
			if diff := cmp.Diff(tt.labels, strings.Join(labels, " ")); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			for _, v := range tt.values {
				if at := got.at(v); at < 0 || at > 1 {
					t.Errorf("%g is at %.2f, outside of the axis", v, at)
				}
			}
		})
	}
}

func TestThePlotHasAPanelForEachMeasureAndLoad(t *testing.T) {
	linear := func(n int) int64 { return int64(n+1) << 20 }
	unreached := step{n: 100, unreached: "no room"}
	var text strings.Builder
	err := plotGrowth(&text, []growth{
		{load{name: "completions kept"}, stepsOf(linear, 1, 10)},
		{load{name: "waiting events"}, append(stepsOf(linear, 0, 10), unreached)},
	})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for decoder := xml.NewDecoder(strings.NewReader(text.String())); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
		if element, ok := token.(xml.StartElement); ok {
			count[element.Name.Local]++
		}
	}
	const panels = 6 // 3 measures, 2 loads
	if count["g"] != panels || count["polyline"] != 2*panels || count["circle"] != 4*panels {
		t.Errorf("the plot has %v", count)
	}
	if !strings.Contains(text.String(), "prefers-color-scheme: dark") {
		t.Error("the plot has no colours for dark pages")
	}
}

func TestACopyOfASampleIsAboutAnotherEvent(t *testing.T) {
	original := sampleOf(&jetstream.RawStreamMsg{
		Subject: "wagewire.completions.pinwheel.identity.a1.e1",
		Header: nats.Header{
			jetstream.MsgIDHeader: {"pinwheel:e1:identity"}, "Tombstone": {"of a1"},
		},
		Data: []byte(`{"id":"pinwheel:e1:identity","account_id":"a1"}`),
	}, fake.Webhook{ID: "e1", Account: "a1"})
	want := &nats.Msg{
		Subject: "wagewire.completions.pinwheel.identity.a2.e2",
		Header:  nats.Header{"Tombstone": {"of a2"}},
		Data:    []byte(`{"id":"pinwheel:e2:identity","account_id":"a2"}`),
	}
	got := original.copyWith("e2", "a2")
	if got.Subject != want.Subject || string(got.Data) != string(want.Data) {
		t.Errorf("copyWith() = %s %s", got.Subject, got.Data)
	}
	if diff := cmp.Diff(want.Header, got.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
