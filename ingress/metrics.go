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
	cutOff      *prometheus.CounterVec
	answerTime  prometheus.Histogram
	skew        prometheus.Histogram
}

// gauges are the numbers that are read when the metrics are.
type gauges struct {
	inFlight        func() int
	connections     func() int
	unverifiedBytes func() int64
}

// Reasons in wagewire_ingress_cut_off_total.
const (
	cutBytes       = "bytes"        // unverified bodies used up their room
	cutConnections = "connections"  // there were too many
	cutHeader      = "header_lines" // a header had too many
)

// newMetrics registers the metrics. Labels hold names of fixed lists, never an id.
func newMetrics(registry prometheus.Registerer, g gauges) (*metrics, error) {
	m := &metrics{
		webhooks: counters("webhooks_total", "Requests to a provider's endpoint, by outcome.",
			"provider", "type", "outcome"),
		rejected: counters("rejected_total", "Requests answered 4xx, by reason.", "reason"),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts(
			options("duplicates_total", "Webhooks that were stored before."))),
		quarantined: counters("quarantined_total", "Signed webhooks kept in quarantine, by reason.",
			"provider", "reason"),
		published: counters("publish_total", "Events handed to the broker, by its answer.",
			"result"),
		cutOff: counters("cut_off_total",
			"Connections without a verified webhook that were cut off, by reason.", "reason"),
		answerTime: histogram("answer_seconds", "Time from a request's header to its answer.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 4, 5, 10, 15),
		skew: histogram("clock_skew_seconds",
			"Age of signatures when they came; below zero the provider's clock is ahead of ours.",
			-7*day, -day, -hour, -1200, -300, -60, -10, -1, 0,
			1, 5, 10, 30, 60, 300, 600, 900, 1200, hour, 6*hour, day, 7*day),
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.webhooks, m.rejected, m.duplicates, m.quarantined, m.published, m.cutOff, m.answerTime,
		m.skew,
		gauge("in_flight", "Verified webhooks in hand.", g.inFlight),
		gauge("connections", "Open connections.", g.connections),
		gauge("unverified_bytes", "Memory for unverified bodies, beyond the first 16 KiB of each.",
			g.unverifiedBytes),
	} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

// Seconds, for buckets.
const (
	hour = 60 * 60
	day  = 24 * hour
)

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts(options(name, help)), labels)
}

func gauge[N int | int64](name, help string, read func() N) prometheus.Collector {
	return prometheus.NewGaugeFunc(
		prometheus.GaugeOpts(options(name, help)), func() float64 { return float64(read()) })
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
