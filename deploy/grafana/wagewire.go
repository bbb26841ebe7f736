package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// wagewire is the wall screen. Whatever is wrong is in the first panel.
func wagewire() *builder {
	d := newDashboard("Wagewire", "wagewire",
		"What is wrong now, and how the line from webhook to completion does.")
	addFindings(d)
	addProviders(d)
	addLine(d)
	addLeftovers(d)
	return d
}

func addFindings(d *builder) {
	d.WithRow(dashboard.NewRowBuilder("Now"))
	d.WithPanel(panel{
		title: "Findings", width: 16,
		about: "What wagewire status says. wagewire explain NAME says what to do.",
		none:  "Nothing is wrong.",
		queries: []query{{
			`max by (severity, finding, about) (wagewire_finding_active) == 1`, "",
		}},
	}.rows(map[string]bool{"Time": true, "Value": true}))
	d.WithPanel(panel{
		title: "Processes", unit: unitCount, width: 8, none: "no process reports",
		about: "Processes that report, by role.",
		queries: []query{{
			`sum by (role) (wagewire_processes)`, "{{role}}",
		}},
	}.stats(nil).Height(heightGraph))
}

func addProviders(d *builder) {
	d.WithRow(dashboard.NewRowBuilder("Providers"))
	d.WithPanel(panel{
		title: "Last webhook", unit: unitSeconds, width: 6, none: "none",
		about: "How long ago each provider sent a webhook that was stored.",
		queries: []query{{
			`time() - max by (provider) (wagewire_provider_last_webhook_timestamp_seconds)`,
			"{{provider}}",
		}},
	}.stats(nil))
	d.WithPanel(panel{
		title: "Refuses our API key", unit: unitYesNo, width: 6, none: "no queue",
		about: "Yes if a queue of the provider stands still because of it.",
		queries: []query{{
			`max by (provider) ` +
				`(label_replace(wagewire_queue_refused, "provider", "$1", "queue", "([a-z]+)_.*"))`,
			"{{provider}}",
		}},
	}.stats(cog.ToPtr(1.0)))
	d.WithPanel(panel{
		title: "Asked for a pause", unit: unitSeconds, width: 6, none: "no provider",
		about: "How much longer no process calls the provider, after a 429.",
		queries: []query{{
			`max by (provider) (wagewire_provider_hold_until_timestamp_seconds) - time() > 0`,
			"{{provider}}",
		}},
	}.stats(nil))
	d.WithPanel(panel{
		title: "Clock", unit: unitSeconds, width: 6, none: "no provider",
		about: "How far the dates of signed webhooks are from our clock.",
		queries: []query{{
			`max by (provider) (wagewire_provider_clock_skew_seconds)`, "{{provider}}",
		}},
	}.stats(nil))
	d.WithPanel(panel{
		title: "Calls within five minutes", unit: unitCount, width: 8, none: "no calls",
		about: "Calls that the provider answered, and those that it failed: 5xx, 408 or no answer.",
		queries: []query{{
			`sum by (provider, result) (wagewire_provider_recent_calls)`, "{{provider}} {{result}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Signatures within five minutes", unit: unitCount, width: 8, none: "no webhooks",
		about: "Webhooks whose signature fits one of our secrets, and those that fit none.",
		queries: []query{{
			`sum by (provider, result) (wagewire_provider_recent_signatures)`,
			"{{provider}} {{result}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Webhooks by answer", unit: unitPerSecond, width: 8, none: "no webhooks",
		about: "Requests to the endpoints of providers, by outcome.",
		queries: []query{{
			`sum by (outcome) (rate(wagewire_ingress_webhooks_total[$__rate_interval]))`,
			"{{outcome}}",
		}},
	}.graph())
}

func addLine(d *builder) {
	d.WithRow(dashboard.NewRowBuilder("Events"))
	d.WithPanel(panel{
		title: "Oldest ready event", unit: unitSeconds, width: 8, none: "no event is ready",
		about: "The age of the oldest event that a worker could take, by queue.",
		queries: []query{{
			`time() - min by (queue) (wagewire_queue_oldest_ready_timestamp_seconds)`, "{{queue}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Oldest waiting event", unit: unitSeconds, width: 8, none: "no event waits",
		about: "The age of the oldest event that waits for its next try, by queue.",
		queries: []query{{
			`time() - min by (queue) (wagewire_queue_oldest_waiting_timestamp_seconds)`,
			"{{queue}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Waiting by class", unit: unitCount, width: 8, none: "no event waits",
		about: "Events that wait for their next try, by the class of the last failure.",
		queries: []query{{
			`sum by (class) (wagewire_queue_waiting)`, "{{class}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Ready events", unit: unitCount, width: 8, none: "no queue",
		about: "Events that workers could take, by queue.",
		queries: []query{{
			`sum by (queue) (wagewire_queue_ready)`, "{{queue}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Events in hand", unit: unitCount, width: 8, none: "no queue",
		about: "Events that workers have, by queue.",
		queries: []query{{
			`sum by (queue) (wagewire_queue_in_hand)`, "{{queue}}",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Jobs by outcome", unit: unitPerSecond, width: 8, none: "no jobs",
		about: "What workers did with events. The outcome later is given back for another try.",
		queries: []query{{
			`sum by (outcome) (rate(wagewire_worker_jobs_total[$__rate_interval]))`, "{{outcome}}",
		}},
	}.graph())
}

func addLeftovers(d *builder) {
	d.WithRow(dashboard.NewRowBuilder("For a decision, storage and teams"))
	d.WithPanel(panel{
		title: "Dead letters", unit: unitCount, width: 6, none: "none",
		about: "Events that no worker could finish, by class.",
		queries: []query{{
			`sum by (class) (wagewire_dead_letters) > 0`, "{{class}}",
		}},
	}.stats(cog.ToPtr(1.0)))
	d.WithPanel(panel{
		title: "Quarantine", unit: unitCount, width: 6, none: "none",
		about: "Signed webhooks that could not be stored as events.",
		queries: []query{{
			`sum by (provider) (wagewire_quarantined) > 0`, "{{provider}}",
		}},
	}.stats(cog.ToPtr(1.0)))
	d.WithPanel(panel{
		title: "Full in", unit: unitSeconds, width: 6, none: "no stream fills",
		about: "The time until a stream is full at its present rate.",
		queries: []query{{
			`min by (stream) (wagewire_stream_full_in_seconds)`, "{{stream}}",
		}},
	}.stats(nil))
	d.WithPanel(panel{
		title: "Processes lost", unit: unitCount, width: 6, none: "none",
		about: "Processes that ended without an orderly stop within the last hour, by role.",
		queries: []query{{
			`sum by (role) (wagewire_processes_lost) > 0`, "{{role}}",
		}},
	}.stats(cog.ToPtr(1.0)))
	d.WithPanel(panel{
		title: "Fullness", unit: unitShare, width: 12, none: "no stream has a limit",
		about: "The filled share of each stream, of bytes and of messages. From 95 % on, ingress " +
			"is not ready. And the share of the memory of NATS that the messages need.",
		queries: []query{{
			`max by (stream) (wagewire_stream_bytes / (wagewire_stream_max_bytes > 0))`,
			"{{stream}}",
		}, {
			`max by (stream) (wagewire_stream_messages / (wagewire_stream_max_messages > 0))`,
			"{{stream}}, messages",
		}, {
			`max(wagewire_nats_memory_needed_bytes / wagewire_nats_memory_bytes)`,
			"memory of NATS",
		}},
	}.graph())
	d.WithPanel(panel{
		title: "Oldest completion that a team has not read", unit: unitSeconds, width: 12,
		about: "Completions are deleted after 21 days, read or not.",
		none:  "every team has read everything",
		queries: []query{{
			`time() - min by (team) (wagewire_team_oldest_timestamp_seconds)`, "{{team}}",
		}},
	}.graph())
}
