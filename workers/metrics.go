package workers

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics have no label that names a person, an account or an event.
type metrics struct {
	jobs         *prometheus.CounterVec
	jobSeconds   *prometheus.HistogramVec
	deadLetters  *prometheus.CounterVec
	fencedTotal  *prometheus.CounterVec
	droppedTotal *prometheus.CounterVec
	pausedQueue  *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return registered(registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	return &metrics{
		jobs: counter("wagewire_worker_jobs_total", "Jobs by queue, outcome and error class; outcome \"later\" is given back.", "queue", "outcome", "class"),
		jobSeconds: registered(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "wagewire_worker_job_seconds",
			Help: "From delivery to settlement.", Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 12)}, []string{"queue"})),
		deadLetters:  counter("wagewire_worker_dead_letters_total", "Dead letters by queue, class and reason.", "queue", "class", "reason"),
		fencedTotal:  counter("wagewire_worker_fenced_total", "Completions not stored because the event had one.", "queue"),
		droppedTotal: counter("wagewire_worker_dropped_total", "Completions not stored because the account is erased.", "queue"),
		pausedQueue: registered(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "wagewire_worker_paused",
			Help: "1 while the provider refuses our credentials."}, []string{"queue"})),
	}
}

// registered registers a collector, or returns the one that is registered under its name: several workers in one process
// share a registry, and their queues keep them apart.
func registered[C prometheus.Collector](registry prometheus.Registerer, c C) C {
	if err := registry.Register(c); err != nil {
		before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
		if !ok {
			panic(err) // two metrics of one name that differ: a programmer's mistake
		}
		return before.ExistingCollector.(C)
	}
	return c
}

func (m *metrics) job(queue, outcome, class string, took time.Duration) {
	m.jobs.WithLabelValues(queue, outcome, class).Inc()
	m.jobSeconds.WithLabelValues(queue).Observe(took.Seconds())
}

func (m *metrics) deadLetter(queue string, v Verdict) {
	m.deadLetters.WithLabelValues(queue, string(v.Class), string(v.Reason)).Inc()
}

func (m *metrics) fenced(queue string)  { m.fencedTotal.WithLabelValues(queue).Inc() }
func (m *metrics) dropped(queue string) { m.droppedTotal.WithLabelValues(queue).Inc() }

func (m *metrics) paused(queue string, paused bool) {
	value := 0.0
	if paused {
		value = 1
	}
	m.pausedQueue.WithLabelValues(queue).Set(value)
}

// APIMetrics counts a provider's calls: the hooks of package api.
type APIMetrics struct {
	calls   *prometheus.HistogramVec
	holding prometheus.Gauge
}

// NewAPIMetrics registers the metrics of the calls to one provider.
func NewAPIMetrics(registry prometheus.Registerer, provider string) *APIMetrics {
	labels := prometheus.Labels{"provider": provider}
	m := &APIMetrics{
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "wagewire_api_call_seconds", ConstLabels: labels,
			Help: "Calls to a provider by endpoint and HTTP status, 0 where there was none."}, []string{"endpoint", "status"}),
		holding: prometheus.NewGauge(prometheus.GaugeOpts{Name: "wagewire_api_hold_until_seconds", ConstLabels: labels,
			Help: "Unix time until which the provider asked us to wait."}),
	}
	registry.MustRegister(m.calls, m.holding)
	return m
}

// Call counts one call.
func (m *APIMetrics) Call(endpoint string, status int, took time.Duration) {
	m.calls.WithLabelValues(endpoint, strconv.Itoa(status)).Observe(took.Seconds())
}

// Hold notes that calls wait.
func (m *APIMetrics) Hold(until time.Time) { m.holding.Set(float64(until.Unix())) }
