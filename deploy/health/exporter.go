package health

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// Exporter exports a state as Prometheus metrics. It is safe for concurrent use.
type Exporter struct {
	*gauges

	console process.Console

	mu sync.Mutex
	// state is nil before the first Show.
	state *State
}

// NewExporter registers the metrics. The address of the console is exported too, for the links of
// alerts, unless it is empty.
func NewExporter(registry prometheus.Registerer, console process.Console) *Exporter {
	e := &Exporter{gauges: newGauges(), console: console}
	registry.MustRegister(e)
	return e
}

// Show makes the state the one to export.
func (e *Exporter) Show(s State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state = &s
}

// Ready returns nil if the last reading of the broker was successful.
func (e *Exporter) Ready(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.state == nil:
		return errors.New("the broker was not read yet")
	case e.state.Away != "":
		return errors.New(e.state.Away)
	default:
		return nil
	}
}

// Metric describes a metric of the Exporter. All of them are gauges. A time is in Unix seconds. The
// series of something that is not there is absent.
type Metric struct {
	Name   string
	Help   string
	Labels []string
}

// Metrics lists the metrics of the Exporter.
func Metrics() []Metric { return newGauges().all }

// gauges are the metrics with their descriptors.
type gauges struct {
	all   []Metric
	descs []*prometheus.Desc

	up, finding, consoleInfo                                *prometheus.Desc
	messages, bytes, bytesMax, oldest, full, behind         *prometheus.Desc
	messagesMax, memory, memoryMax                          *prometheus.Desc
	ready, replays, inHand, redeliver, requests, unfinished *prometheus.Desc
	waiting, oldestWaiting, next, last, refused, paused     *prometheus.Desc
	letters, unread, advisories                             *prometheus.Desc
	webhook, silentAfter, hold, calls, signatures, skew     *prometheus.Desc
	running, lost                                           *prometheus.Desc
	pending, teamOldest                                     *prometheus.Desc
}

// define adds a metric.
func (g *gauges) define(name, help string, labels ...string) *prometheus.Desc {
	name = "wagewire_" + name
	g.all = append(g.all, Metric{name, help, labels})
	desc := prometheus.NewDesc(name, help, labels, nil)
	g.descs = append(g.descs, desc)
	return desc
}

func newGauges() *gauges {
	g := &gauges{}
	g.up = g.define("up", "1 if the last reading of the broker was successful.")
	g.finding = g.define("finding_active", "1 for each finding of wagewire status; "+
		"0 for a kind without a finding.", "finding", "severity", "about")
	g.consoleInfo = g.define("console_info",
		"1 if there is a console; url is the public address of its pages.", "url")
	g.messages = g.define("stream_messages", "Messages of a stream.", "stream")
	g.bytes = g.define("stream_bytes", "Bytes of a stream.", "stream")
	g.bytesMax = g.define("stream_max_bytes", "Limit of a stream's bytes.", "stream")
	g.messagesMax = g.define("stream_max_messages", "Limit of a stream's messages.", "stream")
	g.memory = g.define("nats_memory_needed_bytes",
		"Memory that a server of NATS needs for the messages of its streams, by our measurement.")
	g.memoryMax = g.define("nats_memory_bytes", "Memory of a server of NATS, by NATS_MEMORY.")
	g.oldest = g.define("stream_oldest_timestamp_seconds",
		"When the oldest message of a stream was stored.", "stream")
	g.full = g.define("stream_full_in_seconds",
		"Time until a stream is full at its present rate.", "stream")
	g.behind = g.define("stream_replicas_behind",
		"Copies of a stream that are away or not up to date.", "stream")
	g.ready = g.define("queue_ready", "Events to take now.", "queue")
	g.replays = g.define("queue_replays", "Replayed events to take now.", "queue")
	g.inHand = g.define("queue_in_hand", "Events that a worker has.", "queue")
	g.redeliver = g.define("queue_redelivered",
		"Events in hand that were delivered again.", "queue")
	g.requests = g.define("queue_requests", "Open requests of workers for events.", "queue")
	g.unfinished = g.define("queue_oldest_ready_timestamp_seconds",
		"Since when the oldest event is ready or in hand.", "queue")
	g.waiting = g.define("queue_waiting", "Events that wait for their next try, by class.",
		"queue", "class")
	g.oldestWaiting = g.define("queue_oldest_waiting_timestamp_seconds",
		"When the oldest of the waiting events was received.", "queue", "class")
	g.next = g.define("queue_next_try_timestamp_seconds",
		"When the first of the waiting events is tried again.", "queue", "class")
	g.last = g.define("queue_last_try_timestamp_seconds",
		"When the last of the waiting events is tried again.", "queue", "class")
	g.refused = g.define("queue_refused",
		"1 while the provider refuses our credentials for the queue.", "queue")
	g.paused = g.define("queue_paused_until_timestamp_seconds",
		"When the pause of an operator ends.", "queue")
	g.letters = g.define("dead_letters", "Dead letters, by class.", "queue", "class")
	g.unread = g.define("quarantined", "Webhooks in quarantine, by reason.", "provider", "reason")
	g.advisories = g.define("advisories",
		"Events whose deliveries ran out within the last hour.")
	g.webhook = g.define("provider_last_webhook_timestamp_seconds",
		"When the last verified webhook came.", "provider")
	g.silentAfter = g.define("provider_silent_after_seconds",
		"The configured limit of the time without a webhook.", "provider")
	g.hold = g.define("provider_hold_until_timestamp_seconds",
		"Until when the provider wants no calls.", "provider")
	g.calls = g.define("provider_recent_calls",
		"Calls of the last five minutes, result ok or failed.", "provider", "result")
	g.signatures = g.define("provider_recent_signatures",
		"Webhooks of the last five minutes, by signature, result ok or mismatch.",
		"provider", "result")
	g.skew = g.define("provider_clock_skew_seconds",
		"How much older than our clock the last date too far from it was.", "provider")
	g.running = g.define("processes", "Processes that report.", "role")
	g.lost = g.define("processes_lost",
		"Processes that ended without a stop within the last hour.", "role")
	g.pending = g.define("team_pending", "Completions that a team has not acknowledged.", "team")
	g.teamOldest = g.define("team_oldest_timestamp_seconds",
		"When the oldest completion was stored that a team has not acknowledged.", "team")
	return g
}

// Describe implements prometheus.Collector.
func (e *Exporter) Describe(descriptions chan<- *prometheus.Desc) {
	for _, desc := range e.descs {
		descriptions <- desc
	}
}

// Collect implements prometheus.Collector.
func (e *Exporter) Collect(out chan<- prometheus.Metric) {
	x := export{e.gauges, out}
	if e.console != "" {
		x.gauge(x.consoleInfo, 1, string(e.console))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == nil {
		return
	}
	x.findings(*e.state)
	if e.state.Away != "" {
		x.gauge(x.up, 0)
		return
	}
	x.gauge(x.up, 1)
	x.streams(*e.state)
	x.queues(*e.state)
	x.leftovers(*e.state)
	x.providers(*e.state)
	x.processes(*e.state)
	x.teams(*e.state)
}

// export is an export under way.
type export struct {
	*gauges

	out chan<- prometheus.Metric
}

func (x export) gauge(m *prometheus.Desc, value float64, labels ...string) {
	x.out <- prometheus.MustNewConstMetric(m, prometheus.GaugeValue, value, labels...)
}

// time exports a time, unless it is zero.
func (x export) time(m *prometheus.Desc, at time.Time, labels ...string) {
	if !at.IsZero() {
		x.gauge(m, float64(at.UnixMilli())/1000, labels...)
	}
}

func (x export) findings(s State) {
	type key struct {
		name  Name
		about string
	}
	told := map[key]bool{}
	active := map[Name]bool{}
	for _, f := range s.Findings() {
		active[f.Name] = true
		k := key{f.Name, f.About}
		if !told[k] {
			told[k] = true
			x.gauge(x.finding, 1, string(f.Name), string(f.Severity), f.About)
		}
	}
	for _, k := range kinds {
		if !active[k.Name] {
			x.gauge(x.finding, 0, string(k.Name), string(k.Severity), "")
		}
	}
}

func (x export) streams(s State) {
	x.gauge(x.memory, float64(s.Needed))
	if s.NATSMemory > 0 {
		x.gauge(x.memoryMax, float64(s.NATSMemory))
	}
	for _, l := range s.Streams {
		x.gauge(x.messages, float64(l.Messages), l.Name)
		x.gauge(x.bytes, float64(l.Bytes), l.Name)
		if l.BytesMax > 0 {
			x.gauge(x.bytesMax, float64(l.BytesMax), l.Name)
		}
		if l.MessagesMax > 0 {
			x.gauge(x.messagesMax, float64(l.MessagesMax), l.Name)
		}
		x.time(x.oldest, l.Oldest, l.Name)
		if left, fills := fullIn(l, s.At); fills {
			x.gauge(x.full, left.Seconds(), l.Name)
		}
		x.gauge(x.behind, float64(len(l.Behind)), l.Name)
	}
}

func (x export) queues(s State) {
	for _, q := range s.Queues {
		x.gauge(x.ready, float64(q.Ready), q.Name)
		x.gauge(x.replays, float64(q.Replays), q.Name)
		x.gauge(x.inHand, float64(q.InHand), q.Name)
		x.gauge(x.redeliver, float64(q.Redelivered), q.Name)
		x.gauge(x.requests, float64(q.Requests), q.Name)
		x.time(x.unfinished, q.Oldest, q.Name)
		for _, c := range q.WaitingByClass {
			x.gauge(x.waiting, float64(c.Count), q.Name, classLabel(c.Class))
			x.time(x.oldestWaiting, c.Oldest, q.Name, classLabel(c.Class))
			x.time(x.next, c.Next, q.Name, classLabel(c.Class))
			x.time(x.last, c.Last, q.Name, classLabel(c.Class))
		}
		refused := 0.0
		if q.Refusal != nil {
			refused = 1
		}
		x.gauge(x.refused, refused, q.Name)
		x.time(x.paused, q.PausedUntil, q.Name)
	}
}

// other is the label of what this release does not know: a newer release may have written it.
const other = "other"

// classLabel keeps the label within the classes of this release.
func classLabel(c schema.Class) string {
	return labelFrom(c, append(schema.Classes(), stream.ClassUnread))
}

// labelFrom returns the value if it is among the known ones, else other.
func labelFrom[T ~string](value T, known []T) string {
	if slices.Contains(known, value) {
		return string(value)
	}
	return other
}

func queueNames() []string {
	var names []string
	for _, q := range schema.Queues() {
		names = append(names, q.Name)
	}
	return names
}

func (x export) leftovers(s State) {
	letters := map[[2]string]int{}
	for _, d := range s.DeadLetters {
		letters[[2]string{labelFrom(d.Queue, queueNames()), classLabel(d.Class)}] += d.Count
	}
	for labels, count := range letters {
		x.gauge(x.letters, float64(count), labels[:]...)
	}
	unread := map[[2]string]int{}
	for _, u := range s.Unread {
		reason := labelFrom(u.Reason, append(schema.QuarantineReasons(), ReasonUnread))
		unread[[2]string{labelFrom(u.Provider, schema.Providers()), reason}] += u.Count
	}
	for labels, count := range unread {
		x.gauge(x.unread, float64(count), labels[:]...)
	}
	x.gauge(x.advisories, float64(s.Exhausted))
}

func (x export) providers(s State) {
	for _, p := range s.Providers {
		name := string(p.Provider)
		x.time(x.webhook, p.LastWebhook, name)
		if p.SilentAfter > 0 {
			x.gauge(x.silentAfter, p.SilentAfter.Seconds(), name)
		}
		x.gauge(x.calls, float64(p.Calls.OK), name, "ok")
		x.gauge(x.calls, float64(p.Calls.Failed), name, "failed")
		x.gauge(x.signatures, float64(p.Signatures.OK), name, "ok")
		x.gauge(x.signatures, float64(p.Signatures.Failed), name, "mismatch")
		if p.Dates.InARow > 0 {
			x.gauge(x.skew, p.SkewS, name)
		}
	}
	for _, b := range s.Budgets {
		x.time(x.hold, b.Hold.Until, string(b.Provider))
	}
}

func (x export) processes(s State) {
	for _, r := range s.Processes {
		x.gauge(x.running, float64(r.Running), r.Role)
		x.gauge(x.lost, float64(r.Lost), r.Role)
	}
}

func (x export) teams(s State) {
	pending := map[string]uint64{}
	oldest := map[string]time.Time{}
	for _, d := range s.Durables {
		pending[d.Team] += d.Lag()
		if at := oldest[d.Team]; at.IsZero() || !d.Oldest.IsZero() && d.Oldest.Before(at) {
			oldest[d.Team] = d.Oldest
		}
	}
	for team, n := range pending {
		x.gauge(x.pending, float64(n), team)
		x.time(x.teamOldest, oldest[team], team)
	}
}
