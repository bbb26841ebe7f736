package simulation

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counts of all processes that have ended, added up.
type metrics struct {
	mu     sync.Mutex
	counts []count
}

// count is a counter, or the number of observations of a histogram.
type count struct {
	name   string
	labels map[string]string
	value  float64
}

// add adds the counts of a process.
func (m *metrics) add(registry prometheus.Gatherer) {
	families, err := registry.Gather()
	if err != nil {
		return // a test of each process gathers its metrics
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range metric.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			value := metric.GetCounter().GetValue()
			value += float64(metric.GetHistogram().GetSampleCount())
			m.counts = append(m.counts, count{family.GetName(), labels, value})
		}
	}
}

// sum adds up the counts with a name and all these labels.
func (m *metrics) sum(name string, labels map[string]string) (total float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.counts {
		if c.name == name && c.has(labels) {
			total += c.value
		}
	}
	return total
}

func (c count) has(labels map[string]string) bool {
	for name, value := range labels {
		if c.labels[name] != value {
			return false
		}
	}
	return true
}
