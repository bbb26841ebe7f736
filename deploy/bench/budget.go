package bench

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// The counters of a worker about the budgets of the providers.
const (
	turnsMetric      = "wagewire_budget_turns_total"
	roundTripsMetric = "wagewire_budget_round_trips_total"
)

// spending is how many turns the workers have used, which is how many calls they have made, and how
// many requests they have sent to the broker for these turns.
type spending struct{ turns, roundTrips float64 }

func (s spending) minus(before spending) spending {
	return spending{s.turns - before.turns, s.roundTrips - before.roundTrips}
}

// perCall is the number of requests to the broker for a call.
func (s spending) perCall() float64 { return s.roundTrips / s.turns }

// spendingOf sums the counters of all workers.
func spendingOf(ctx context.Context, workers []*process) (sum spending, err error) {
	for _, w := range workers {
		s, err := readSpending(ctx, w.metricsURL)
		if err != nil {
			return sum, fmt.Errorf("metrics of %s: %w", w.name, err)
		}
		sum.turns += s.turns
		sum.roundTrips += s.roundTrips
	}
	return sum, nil
}

// readSpending reads the counters of a worker. A counter that the worker does not have is 0.
func readSpending(ctx context.Context, url string) (s spending, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return s, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return s, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s, fmt.Errorf("answered %s", response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return s, err
	}
	sum := func(name string) (n float64) {
		for _, m := range families[name].GetMetric() {
			n += m.GetCounter().GetValue()
		}
		return n
	}
	return spending{turns: sum(turnsMetric), roundTrips: sum(roundTripsMetric)}, nil
}
