package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const workerMetrics = `# TYPE wagewire_budget_turns_total counter
wagewire_budget_turns_total{lane="fresh",provider="pinwheel"} 30
wagewire_budget_turns_total{lane="replay",provider="pinwheel"} 6
wagewire_budget_turns_total{lane="fresh",provider="truv"} 4
# TYPE wagewire_budget_round_trips_total counter
wagewire_budget_round_trips_total{provider="pinwheel"} 7
wagewire_budget_round_trips_total{provider="truv"} 3
# TYPE wagewire_budget_wait_seconds histogram
wagewire_budget_wait_seconds_bucket{lane="fresh",provider="truv",le="+Inf"} 4
wagewire_budget_wait_seconds_sum{lane="fresh",provider="truv"} 0.5
wagewire_budget_wait_seconds_count{lane="fresh",provider="truv"} 4
`

func TestSpendingIsTheSumOfAllWorkers(t *testing.T) {
	for _, row := range []struct {
		name    string
		answers []string // "" is an answer 503
		want    spending
		err     string
	}{
		{
			"over all providers and lanes", []string{workerMetrics},
			spending{turns: 40, roundTrips: 10}, "",
		},
		{
			"over workers with and without calls", []string{workerMetrics, "\n", workerMetrics},
			spending{turns: 80, roundTrips: 20}, "",
		},
		{
			"and an error without an answer of each", []string{workerMetrics, ""}, spending{},
			"metrics of income: answered 503",
		},
		{
			"and an error without metrics", []string{"<h1>Welcome</h1>"}, spending{},
			"metrics of income: text format parsing error",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			var workers []*process
			for _, answer := range row.answers {
				url := serve(t, answer)
				workers = append(workers, &process{program: program{
					name: "income", metricsURL: url,
				}})
			}
			got, err := spendingOf(t.Context(), workers)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Errorf("error %v, want %q", err, row.err)
				}
				return
			}
			if err != nil || got != row.want {
				t.Errorf("%+v, error %v: want %+v", got, err, row.want)
			}
		})
	}
}

// serve serves the answer, or 503 if the answer is "". It returns the URL.
func serve(t *testing.T, answer string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answer == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
