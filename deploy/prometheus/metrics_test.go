package prometheus

import (
	"slices"
	"strings"
)

// exported are the metrics that rules and dashboards may read, by who serves them. A histogram has
// the series _bucket, _count and _sum.
var exported = map[string][]string{
	"wagewire metrics": {
		"wagewire_up", "wagewire_finding_active",
		"wagewire_stream_messages", "wagewire_stream_bytes", "wagewire_stream_max_bytes",
		"wagewire_stream_oldest_timestamp_seconds", "wagewire_stream_full_in_seconds",
		"wagewire_stream_replicas_behind",
		"wagewire_queue_ready", "wagewire_queue_replays", "wagewire_queue_in_hand",
		"wagewire_queue_redelivered", "wagewire_queue_requests",
		"wagewire_queue_oldest_ready_timestamp_seconds",
		"wagewire_queue_waiting", "wagewire_queue_oldest_waiting_timestamp_seconds",
		"wagewire_queue_next_try_timestamp_seconds",
		"wagewire_queue_refused", "wagewire_queue_paused_until_timestamp_seconds",
		"wagewire_dead_letters", "wagewire_quarantined", "wagewire_advisories",
		"wagewire_provider_last_webhook_timestamp_seconds", "wagewire_provider_silent_after_seconds",
		"wagewire_provider_hold_until_timestamp_seconds",
		"wagewire_provider_recent_calls", "wagewire_provider_recent_signatures",
		"wagewire_provider_clock_skew_seconds",
		"wagewire_processes", "wagewire_processes_lost",
		"wagewire_team_pending", "wagewire_team_oldest_timestamp_seconds",
	},
	"ingress": {
		"wagewire_ingress_webhooks_total", "wagewire_ingress_rejected_total",
		"wagewire_ingress_duplicates_total", "wagewire_ingress_answer_seconds",
	},
	"workers": {
		"wagewire_completion_seconds", "wagewire_completion_own_seconds",
		"wagewire_worker_jobs_total", "wagewire_worker_dead_letters_total",
		"wagewire_api_call_seconds", "wagewire_budget_wait_seconds",
	},
}

// exists reports whether a process serves the metric, or the series of a histogram.
func exists(name string) bool {
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		base := strings.TrimSuffix(name, suffix)
		for _, names := range exported {
			if slices.Contains(names, base) {
				return true
			}
		}
	}
	return false
}
