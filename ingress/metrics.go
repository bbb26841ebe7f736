package ingress

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
)

type metrics struct {
	webhooks    *prometheus.CounterVec
	rejected    *prometheus.CounterVec
	duplicates  prometheus.Counter
	quarantined *prometheus.CounterVec
	published   *prometheus.CounterVec
	answerTime  prometheus.Histogram
	skew        prometheus.Histogram
}

// newMetrics registers the metrics. Labels hold names of fixed lists, never an id.
func newMetrics(registry prometheus.Registerer, inFlight func() float64) (*metrics, error) {
	m := &metrics{
		webhooks: counters("webhooks_total", "Requests to a provider's endpoint, by outcome.",
			"provider", "type", "outcome"),
		rejected: counters("rejected_total", "Requests answered 4xx, by reason.", "reason"),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts(
			options("duplicates_total", "Webhooks that were stored before."))),
		quarantined: counters("quarantined_total", "Signed webhooks that are no event, by reason.",
			"provider", "reason"),
		published: counters("publish_total", "Events handed to the broker, by its answer.",
			"result"),
		answerTime: histogram("answer_seconds", "Time from a request's header to its answer.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 4, 5, 10, 15),
		skew: histogram("clock_skew_seconds",
			"Age of signatures when they came; below zero the provider's clock is ahead of ours.",
			-60, -10, -1, 0, 1, 5, 10, 30, 60, 300, 600, 900, 1200),
	}
	inHand := prometheus.NewGaugeFunc(
		prometheus.GaugeOpts(options("in_flight", "Webhooks in hand.")), inFlight)
	var errs []error
	for _, c := range []prometheus.Collector{
		m.webhooks, m.rejected, m.duplicates, m.quarantined, m.published, m.answerTime, m.skew,
		inHand,
	} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts(options(name, help)), labels)
}

func histogram(name, help string, buckets ...float64) prometheus.Histogram {
	o := options(name, help)
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: o.Namespace,
		Subsystem: o.Subsystem,
		Name:      o.Name,
		Help:      o.Help,
		Buckets:   buckets,
	})
}

func options(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "wagewire", Subsystem: "ingress", Name: name, Help: help}
}

// countWebhook counts a webhook that was answered.
func (m *metrics) countWebhook(got receipt, resp response, took time.Duration) {
	outcome := outcomeOf(got, resp)
	m.answerTime.Observe(took.Seconds())
	if resp.reason != "" {
		m.rejected.WithLabelValues(resp.reason).Inc()
	}
	if outcome == outcomeDuplicate {
		m.duplicates.Inc()
	}
	if got.provider != "" {
		m.webhooks.WithLabelValues(string(got.provider), typeLabel(got.event), outcome).Inc()
	}
}

// Results of a publish, in wagewire_ingress_publish_total. A webhook that is shed was never
// published.
const (
	resultStored    = "stored"
	resultDuplicate = "duplicate"
	resultConflict  = "conflict"
	resultTimeout   = "timeout"
	resultFull      = "full"
	resultTooLarge  = "too_large"
	resultError     = "error"
	resultShed      = "shed"
)

// resultOf names the broker's answer for the metrics. responseFor alone decides the answer to the
// sender.
func resultOf(duplicate bool, err error) string {
	switch {
	case errors.Is(err, schema.ErrIDConflict):
		return resultConflict
	case errors.Is(err, schema.ErrFull):
		return resultFull
	case errors.Is(err, schema.ErrTooLarge):
		return resultTooLarge
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
