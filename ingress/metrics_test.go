package ingress

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// Dashboards and alerts name these.
func TestMetricNamesArePinned(t *testing.T) {
	_, registry := handler(t, testConfig(t), &fakePublisher{})
	descriptions := make(chan *prometheus.Desc, 64)
	registry.Describe(descriptions)
	close(descriptions)
	var got []string
	parts := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: (\{.*\})\}`)
	for d := range descriptions {
		match := parts.FindStringSubmatch(d.String())
		if match == nil {
			t.Fatalf("a description reads %s", d)
		}
		got = append(got, match[1]+match[2])
	}
	slices.Sort(got)
	want := []string{
		"wagewire_ingress_answer_seconds{}",
		"wagewire_ingress_clock_skew_seconds{}",
		"wagewire_ingress_connections{}",
		"wagewire_ingress_cut_off_total{reason}",
		"wagewire_ingress_duplicates_total{}",
		"wagewire_ingress_in_flight{}",
		"wagewire_ingress_publish_total{result}",
		"wagewire_ingress_quarantined_total{provider,reason}",
		"wagewire_ingress_rejected_total{reason}",
		"wagewire_ingress_unverified_bytes{}",
		"wagewire_ingress_webhooks_total{provider,type,outcome}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the metrics differ (-want +got):\n%s", diff)
	}
}

func TestMetricsOfTimes(t *testing.T) {
	s, registry := handler(t, testConfig(t), &fakePublisher{})
	serve(s, request(pinwheelPath, income))
	serve(s, request(truvPath, connected))
	serve(s, signedAt(income, time.Now().Add(-time.Hour)))
	if n := count(t, registry, "wagewire_ingress_answer_seconds"); n != 3 {
		t.Errorf("%d answers are timed, want 3", n)
	}
	if n := count(t, registry, "wagewire_ingress_clock_skew_seconds"); n != 2 {
		t.Errorf("the skew of %d webhooks is known, want 2: a fresh one and a stale one of "+
			"Pinwheel; Truv signs no time", n)
	}
}

func TestLabelsHoldNoTypeOfTheSenders(t *testing.T) {
	s, registry := handler(t, testConfig(t), &fakePublisher{})
	serve(s, request(truvPath, `{"webhook_id":"w1","event_type":"made-up"}`))
	const metric = "wagewire_ingress_webhooks_total"
	if n := count(t, registry, metric, "truv", "other", "stored"); n != 1 {
		t.Errorf("%d webhooks are counted as other, want 1", n)
	}
	if n := count(t, registry, metric, "made-up"); n != 0 {
		t.Errorf("%d webhooks are counted under a name of their own, want 0", n)
	}
}
