package workers

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers/api"
)

// metrics are the metrics of a worker. No label names a person, an account or an event.
type metrics struct {
	jobs        *prometheus.CounterVec
	jobSeconds  *prometheus.HistogramVec
	deadLetters *prometheus.CounterVec
	fenced      *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	paused      *prometheus.GaugeVec
	drift       *prometheus.CounterVec
	// completion and completionOwn have the same labels and buckets.
	completion    *prometheus.HistogramVec
	completionOwn *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		opts := prometheus.CounterOpts{Name: name, Help: help}
		return registerOnce(registry, prometheus.NewCounterVec(opts, labels))
	}
	completion := func(name, help string) *prometheus.HistogramVec {
		opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: completionBuckets()}
		labels := []string{"provider", "resource"}
		return registerOnce(registry, prometheus.NewHistogramVec(opts, labels))
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
		drift: counter("wagewire_record_drift_total",
			"Differences between records and the provider's reference, once a stored record.",
			"provider", "resource", "kind"),
		completion: completion("wagewire_completion_seconds",
			"From the receipt of a webhook to its stored completion; no replays or backfills."),
		completionOwn: completion("wagewire_completion_own_seconds",
			"The same without the provider's part: its calls, and the waits after its failures, "+
				"refusals and holds. Waits for a turn in the budget of calls are ours."),
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

// showResource makes the counters of a resource begin at 0, so that a first completion or
// difference is an increase.
func (m *metrics) showResource(p schema.Provider, r schema.Resource) {
	m.completion.WithLabelValues(string(p), string(r))
	m.completionOwn.WithLabelValues(string(p), string(r))
	for _, kind := range jsonschema.DriftKinds() {
		m.drift.WithLabelValues(string(p), string(r), string(kind))
	}
}

func (m *metrics) countDrift(
	p schema.Provider, r schema.Resource, findings map[jsonschema.DriftKind]int,
) {
	for kind, n := range findings {
		m.drift.WithLabelValues(string(p), string(r), string(kind)).Add(float64(n))
	}
}

// completionBuckets are upper bounds in seconds: from a prompt answer to hours of retries.
func completionBuckets() []float64 {
	return []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600,
		86400}
}

// observeCompletion observes the times of a stored completion. own is the part of took that the
// provider did not cause. If the trace of ctx is kept, it is the exemplar.
func (m *metrics) observeCompletion(
	ctx context.Context, p schema.Provider, r schema.Resource, took, own time.Duration,
) {
	var exemplar prometheus.Labels // nil: none
	if id := process.KeptTrace(trace.SpanFromContext(ctx)); id != "" {
		exemplar = prometheus.Labels{"trace_id": id}
	}
	observe := func(histogram *prometheus.HistogramVec, took time.Duration) {
		observer := histogram.WithLabelValues(string(p), string(r)).(prometheus.ExemplarObserver)
		observer.ObserveWithExemplar(took.Seconds(), exemplar)
	}
	observe(m.completion, took)
	observe(m.completionOwn, own)
}

func (m *metrics) setPaused(queue string, paused bool) {
	value := 0.0
	if paused {
		value = 1
	}
	m.paused.WithLabelValues(queue).Set(value)
}

// APIMetrics are the metrics of the calls to a provider. Its methods are hooks of the packages api
// and pace.
type APIMetrics struct {
	calls     *prometheus.HistogramVec
	holdUntil prometheus.Gauge
	turns     *prometheus.CounterVec
	waits     *prometheus.HistogramVec
	lapsed    prometheus.Counter
	requests  prometheus.Counter
}

// NewAPIMetrics registers the metrics of the calls to a provider. ratePerS is the rate of the whole
// installation.
func NewAPIMetrics(
	registry prometheus.Registerer, provider string, ratePerS float64,
) *APIMetrics {
	labels := prometheus.Labels{"provider": provider}
	rate := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "wagewire_budget_rate_per_s",
		Help:        "Calls a second to a provider that all processes together may make.",
		ConstLabels: labels,
	})
	rate.Set(ratePerS)
	m := &APIMetrics{
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name:        "wagewire_budget_turns_total",
			Help:        "Turns used for calls; lane \"replay\" is for replayed events.",
			ConstLabels: labels,
		}, []string{"lane"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:        "wagewire_budget_wait_seconds",
			Help:        "How long a call waited for its turn.",
			ConstLabels: labels,
			Buckets:     prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"lane"}),
		lapsed: prometheus.NewCounter(prometheus.CounterOpts{
			Name:        "wagewire_budget_lapsed_total",
			Help:        "Turns that this process took and did not use in time.",
			ConstLabels: labels,
		}),
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Name:        "wagewire_budget_round_trips_total",
			Help:        "Requests to NATS for turns and holds.",
			ConstLabels: labels,
		}),
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
	registry.MustRegister(
		m.calls, m.holdUntil, rate, m.turns, m.waits, m.lapsed, m.requests)
	return m
}

// Call counts a call and the duration, and makes a span of the call.
func (m *APIMetrics) Call(ctx context.Context, c api.Call) {
	m.calls.WithLabelValues(c.Template, strconv.Itoa(c.Status)).Observe(c.Took.Seconds())
	traceCall(ctx, c)
}

// Hold notes how much longer the provider asked us to wait.
func (m *APIMetrics) Hold(left time.Duration) {
	m.holdUntil.Set(float64(time.Now().Add(left).Unix()))
}

// Turn counts a call that got its turn, and how long it waited.
func (m *APIMetrics) Turn(replay bool, waited time.Duration) {
	lane := "fresh"
	if replay {
		lane = "replay"
	}
	m.turns.WithLabelValues(lane).Inc()
	m.waits.WithLabelValues(lane).Observe(waited.Seconds())
}

// Lapse counts turns that were not used in time.
func (m *APIMetrics) Lapse(turns int) { m.lapsed.Add(float64(turns)) }

// Request counts a request to NATS for a budget.
func (m *APIMetrics) Request() { m.requests.Inc() }
