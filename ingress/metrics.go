package ingress

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema"
)

// Outcomes of a webhook, in the log and in wagewire_ingress_webhooks_total.
const (
	outcomeStored      = "stored"
	outcomeDuplicate   = "duplicate"
	outcomeQuarantined = "quarantined"
	outcomeRejected    = "rejected"
	outcomeUnavailable = "unavailable"
)

// Results of a publish, in wagewire_ingress_publish_total. One that is shed was never tried.
const (
	resultStored    = "stored"
	resultDuplicate = "duplicate"
	resultConflict  = "conflict"
	resultTimeout   = "timeout"
	resultFull      = "full"
	resultError     = "error"
	resultShed      = "shed"
)

// Types that are no name of the catalogue, where a label or the log shows a type.
const (
	typeOther  = "other"
	typeUnread = "unread"
)

// unknownTypesMax is how many unknown types are warned of, each once. A sender that makes them up ends there.
const unknownTypesMax = 256

type metrics struct {
	webhooks    *prometheus.CounterVec
	rejected    *prometheus.CounterVec
	duplicates  prometheus.Counter
	quarantined *prometheus.CounterVec
	published   *prometheus.CounterVec
	answer      prometheus.Histogram
	skew        prometheus.Histogram
}

// newMetrics registers the metrics. Their labels hold names of fixed lists, never an id.
func newMetrics(registry prometheus.Registerer, inFlight func() float64) (*metrics, error) {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "wagewire", Subsystem: "ingress", Name: name, Help: help}
	}
	histogram := func(name, help string, buckets ...float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: "wagewire", Subsystem: "ingress", Name: name, Help: help, Buckets: buckets}
	}
	m := &metrics{
		webhooks: prometheus.NewCounterVec(counter("webhooks_total",
			"Requests to a provider's endpoint, by what became of them."), []string{"provider", "type", "outcome"}),
		rejected: prometheus.NewCounterVec(counter("rejected_total",
			"Requests answered 4xx, by why."), []string{"reason"}),
		duplicates: prometheus.NewCounter(counter("duplicates_total",
			"Webhooks that were stored before.")),
		quarantined: prometheus.NewCounterVec(counter("quarantined_total",
			"Signed webhooks that are no event, by why."), []string{"provider", "reason"}),
		published: prometheus.NewCounterVec(counter("publish_total",
			"Events handed to the broker, by its answer."), []string{"result"}),
		answer: prometheus.NewHistogram(histogram("answer_seconds",
			"Time from a request's header to its answer.", .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 4, 5, 10, 15)),
		skew: prometheus.NewHistogram(histogram("clock_skew_seconds",
			"Age of Pinwheel's signatures when they came; below zero their clock is ahead of ours.",
			-60, -10, -1, 0, 1, 5, 10, 30, 60, 300, 600, 900, 1200)),
	}
	flying := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "wagewire", Subsystem: "ingress", Name: "in_flight",
		Help: "Webhooks in hand."}, inFlight)
	var errs []error
	for _, c := range []prometheus.Collector{m.webhooks, m.rejected, m.duplicates, m.quarantined, m.published, m.answer, m.skew, flying} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

// tell writes the one log line of a webhook and counts it.
func (s *Server) tell(got receipt, a answer, err error, took time.Duration) {
	kind, outcome := typeLabel(got.event), outcomeOf(got, a)
	s.metrics.answer.Observe(took.Seconds())
	if a.reason != "" {
		s.metrics.rejected.WithLabelValues(a.reason).Inc()
	}
	if outcome == outcomeDuplicate {
		s.metrics.duplicates.Inc()
	}
	if got.provider != "" {
		s.metrics.webhooks.WithLabelValues(string(got.provider), kind, outcome).Inc()
	}
	if kind == typeOther && s.unknown.first(got.event.Type) {
		s.log.Warn("unknown webhook type", providerField(got.provider), zap.String("type", schema.Token(got.event.Type)))
	}

	line := s.log.Check(levelOf(got, a, outcome), "webhook")
	if line == nil {
		return
	}
	fields := []zap.Field{
		providerField(got.provider),
		zap.String("type", kind),
		zap.String("outcome", outcome),
		zap.Int("status", a.status),
		zap.Bool("duplicate", got.duplicate),
		zap.Duration("took", took),
	}
	if got.event.ID != "" {
		fields = append(fields, zap.String("event_id", schema.Token(got.event.ID)), zap.String("subject", got.event.Subject()))
	}
	if err := errors.Join(got.quarantined, err); err != nil {
		fields = append(fields, zap.Error(err))
	}
	line.Write(fields...)
}

func outcomeOf(got receipt, a answer) string {
	switch {
	case a.status == http.StatusServiceUnavailable:
		return outcomeUnavailable
	case a.status != http.StatusOK:
		return outcomeRejected
	case got.quarantined != nil:
		return outcomeQuarantined
	case got.duplicate:
		return outcomeDuplicate
	default:
		return outcomeStored
	}
}

func levelOf(got receipt, a answer, outcome string) zapcore.Level {
	switch {
	case outcome == outcomeUnavailable:
		return zapcore.ErrorLevel
	case outcome == outcomeQuarantined && got.duplicate:
		return zapcore.WarnLevel // the first body of the id is stored
	case outcome == outcomeQuarantined:
		return zapcore.ErrorLevel
	case a.quiet:
		return zapcore.DebugLevel
	default:
		return zapcore.InfoLevel
	}
}

// resultOf names the broker's answer for the metrics. It decides nothing: statusOf does.
func resultOf(duplicate bool, err error) string {
	switch {
	case errors.Is(err, schema.ErrIDConflict):
		return resultConflict
	case errors.Is(err, schema.ErrFull):
		return resultFull
	case errors.Is(err, context.DeadlineExceeded):
		return resultTimeout
	case err != nil:
		return resultError
	case duplicate:
		return resultDuplicate
	default:
		return resultStored
	}
}

func typeLabel(e schema.Event) string {
	switch known := schema.Lookup(e.Provider, e.Type).Known(); {
	case e.Type == "":
		return typeUnread
	case !known:
		return typeOther
	default:
		return e.Type
	}
}

func providerField(p schema.Provider) zap.Field { return zap.String("provider", string(p)) }

// onceEach remembers the first names it is asked about.
type onceEach struct {
	mu   sync.Mutex
	seen map[string]bool
}

// first is true once for a name, and never again when there are too many.
func (o *onceEach) first(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[name] || len(o.seen) >= unknownTypesMax {
		return false
	}
	o.seen[name] = true
	return true
}
