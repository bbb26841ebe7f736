package workers

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the metrics of a worker. No label names a person, an account or an event.
type metrics struct {
	jobs        *prometheus.CounterVec
	jobSeconds  *prometheus.HistogramVec
	deadLetters *prometheus.CounterVec
	fenced      *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	paused      *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		opts := prometheus.CounterOpts{Name: name, Help: help}
		return registerOnce(registry, prometheus.NewCounterVec(opts, labels))
	}
	return &metrics{
		jobs: counter("wagewire_worker_jobs_total",
			"Jobs by queue, outcome and error class; outcome \"later\" is given back.",
			"queue", "outcome", "class"),
		jobSeconds: registerOnce(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wagewire_worker_job_seconds",
			Help:    "From delivery to settlement.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 12),
		}, []string{"queue"})),
		deadLetters: counter("wagewire_worker_dead_letters_total",
			"Dead letters by queue, class and reason.", "queue", "class", "reason"),
		fenced: counter("wagewire_worker_fenced_total",
			"Completions not stored because the event had one.", "queue"),
		dropped: counter("wagewire_worker_dropped_total",
			"Completions not stored because the account is erased.", "queue"),
		paused: registerOnce(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wagewire_worker_paused",
			Help: "1 while the provider refuses our credentials.",
		}, []string{"queue"})),
	}
}

// registerOnce registers a collector, or returns the registered collector of the same name. The
// workers of a process share a registry, and the label "queue" tells the workers apart.
func registerOnce[C prometheus.Collector](registry prometheus.Registerer, c C) C {
	err := registry.Register(c)
	if err == nil {
		return c
	}
	registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
	if !ok {
		panic(err) // two metrics of the same name differ: a programmer's mistake
	}
	return registered.ExistingCollector.(C)
}

func (m *metrics) countJob(queue string, v Verdict, took time.Duration) {
	m.jobs.WithLabelValues(queue, v.LogAs, string(v.Class)).Inc()
	m.jobSeconds.WithLabelValues(queue).Observe(took.Seconds())
}

func (m *metrics) countDeadLetter(queue string, v Verdict) {
	m.deadLetters.WithLabelValues(queue, string(v.Class), string(v.Reason)).Inc()
}

func (m *metrics) countFenced(queue string) { m.fenced.WithLabelValues(queue).Inc() }

func (m *metrics) countDropped(queue string) { m.dropped.WithLabelValues(queue).Inc() }

func (m *metrics) setPaused(queue string, paused bool) {
	value := 0.0
	if paused {
		value = 1
	}
	m.paused.WithLabelValues(queue).Set(value)
}

// APIMetrics are the metrics of the calls to a provider. Call and Hold are the hooks of package
// api.
type APIMetrics struct {
	calls     *prometheus.HistogramVec
	holdUntil prometheus.Gauge
}

// NewAPIMetrics registers the metrics of the calls to a provider.
func NewAPIMetrics(registry prometheus.Registerer, provider string) *APIMetrics {
	labels := prometheus.Labels{"provider": provider}
	m := &APIMetrics{
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:        "wagewire_api_call_seconds",
			Help:        "Calls to a provider by endpoint and HTTP status, 0 where there was none.",
			ConstLabels: labels,
		}, []string{"endpoint", "status"}),
		holdUntil: prometheus.NewGauge(prometheus.GaugeOpts{
			Name:        "wagewire_api_hold_until_seconds",
			Help:        "Unix time until which the provider asked us to wait.",
			ConstLabels: labels,
		}),
	}
	registry.MustRegister(m.calls, m.holdUntil)
	return m
}

// Call counts a call and the duration.
func (m *APIMetrics) Call(endpoint string, status int, took time.Duration) {
	m.calls.WithLabelValues(endpoint, strconv.Itoa(status)).Observe(took.Seconds())
}

// Hold sets the time until which the provider asked us to wait.
func (m *APIMetrics) Hold(until time.Time) { m.holdUntil.Set(float64(until.Unix())) }
