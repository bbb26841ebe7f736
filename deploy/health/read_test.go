package health_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// bench is a broker with every stream, and an operator.
type bench struct {
	t  *testing.T
	op *stream.Operator
	js jetstream.JetStream
}

func newBench(t *testing.T) bench {
	t.Helper()
	server, conn := streamtest.New(t)
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return bench{t, stream.NewOperator(conn), js}
}

func (b bench) read(c health.Config) health.State {
	b.t.Helper()
	var state health.State
	streamtest.Eventually(b.t, "the broker is read", func() bool {
		var err error
		state, err = health.Read(b.t.Context(), b.op, c)
		return err == nil
	})
	return state
}

func (b bench) publish(subject string, body any) {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err == nil {
		_, err = b.js.Publish(b.t.Context(), subject, text)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// report publishes the last report of a process that was silent since.
func (b bench) report(role, instance string, r schema.Report) {
	b.t.Helper()
	r.Role = role
	r.Instance = instance
	b.publish(schema.ReportSubject(role, instance), r)
}

func TestProcessesAreCountedByTheirReports(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	now := time.Now()
	long := now.Add(-time.Hour)
	b.report("income", "runs", schema.Report{Version: "v2", Started: long, At: now})
	b.report("income", "runs-too", schema.Report{Version: "v1", Started: long, At: now})
	b.report("income", "stopped", schema.Report{Started: long, At: now, Stopped: true})
	b.report("income", "lost", schema.Report{Started: long, At: now.Add(-2 * time.Minute)})
	b.report("income", "crashed", schema.Report{
		Started: now.Add(-4 * time.Minute), At: now.Add(-2 * time.Minute),
	})
	b.report("wagewire", "of-an-operator", schema.Report{Started: long, At: now})
	want := []health.RoleState{{
		Role: "income", Running: 2, Seen: now.UTC(), Lost: 2, Crashed: 1,
		Versions: []string{"v1", "v2"},
	}}
	if diff := cmp.Diff(want, b.read(health.Config{}).Processes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASteadyProcessEndsASeriesOfCrashes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	crashedAt := now.Add(-5 * time.Minute)
	tests := map[string]struct {
		lived, started time.Duration // of the crashed process, and of the running one before now
		want           int
	}{
		"it has run for long enough":          {time.Second, health.SteadyAfter + time.Minute, 0},
		"it has not run for long enough":      {time.Second, health.SteadyAfter, 1},
		"it has outlived the crashed one":     {3 * time.Minute, 4 * time.Minute, 0},
		"it has not outlived the crashed one": {3 * time.Minute, 3 * time.Minute, 1},
		"it started before the crash":         {time.Second, 6 * time.Minute, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.report("income", "crashed", schema.Report{
				Started: crashedAt.Add(-test.lived), At: crashedAt,
			})
			b.report("income", "runs", schema.Report{Started: now.Add(-test.started), At: now})
			if got := b.read(health.Config{}).Processes[0].Crashed; got != test.want {
				t.Errorf("%d crashes, want %d", got, test.want)
			}
		})
	}
}

func TestReportsOfAProviderAreAddedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	now := time.Now().UTC()
	failedAt := now.Add(-time.Minute)
	b.report("income", "1", schema.Report{
		At: now, Providers: map[schema.Provider]schema.ProviderReport{schema.Truv: {
			Calls: schema.Recent{
				Failed: 1, InARow: 1, LastFailed: failedAt, Since: failedAt,
			},
			Status: 500,
		}},
	})
	b.report("income", "2", schema.Report{
		At: now, Providers: map[schema.Provider]schema.ProviderReport{schema.Truv: {
			Calls:  schema.Recent{OK: 3, Failed: 2, InARow: 2, LastFailed: now, Since: now},
			Status: 503, Endpoint: "/v1/links/{link_id}",
		}},
	})
	b.report("income", "gone", schema.Report{
		At: now.Add(-time.Minute), Providers: map[schema.Provider]schema.ProviderReport{
			schema.Truv: {Calls: schema.Recent{Failed: 100}},
		},
	})
	want := schema.ProviderReport{
		Calls: schema.Recent{
			OK: 3, Failed: 3, InARow: 3, Since: failedAt, LastFailed: now,
		},
		Status: 503, Endpoint: "/v1/links/{link_id}",
	}
	for _, p := range b.read(health.Config{}).Providers {
		if p.Provider != schema.Truv {
			continue
		}
		if diff := cmp.Diff(want, p.ProviderReport); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestAProviderIsSilentOverTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	event := schema.Event{
		Provider: schema.Truv, ID: "1", Type: "link-connected", Resource: schema.Link,
		Action: schema.ActionConnected, AccountID: "a", OccurredAt: at, ReceivedAt: at,
		Body: []byte("{}"),
	}
	streamtest.Eventually(t, "an event is stored", func() bool {
		_, err := b.op.PublishEvent(t.Context(), event)
		return err == nil
	})
	for limit, want := range map[time.Duration]bool{1: true, time.Hour: false} {
		limits := map[schema.Provider]time.Duration{
			schema.Truv: limit, schema.Pinwheel: limit,
		}
		for _, p := range b.read(health.Config{SilentAfter: limits}).Providers {
			isTruv := p.Provider == schema.Truv // nobody ever heard of the other one
			if got := p.Silence != nil; got != (want && isTruv) {
				t.Errorf("limit %s: %s is silent: %t", limit, p.Provider, got)
			}
			if p.LastWebhook.IsZero() == isTruv {
				t.Errorf("%s: last webhook %v", p.Provider, p.LastWebhook)
			}
		}
	}
}

func TestLookingLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.publish(schema.DeadLetterSubject("truv_link", "a"), "{}")
	b.publish(schema.QuarantineSubject(schema.Truv), "{}")
	consumers := func() map[string]int {
		counts := map[string]int{}
		list := b.js.ListStreams(t.Context())
		for info := range list.Info() {
			counts[info.Config.Name] = info.State.Consumers
		}
		if err := list.Err(); err != nil {
			t.Fatal(err)
		}
		return counts
	}
	before := consumers()
	b.read(health.Config{})
	if diff := cmp.Diff(before, consumers()); diff != "" {
		t.Errorf("consumers (-before +after):\n%s", diff)
	}
}

func TestTheExporterExportsEveryMetric(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	exporter := health.NewExporter(registry, "https://wagewire.example.com")
	if err := exporter.Ready(context.Background()); err == nil {
		t.Error("it is ready before the first reading")
	}
	exporter.Show(busy())
	if err := exporter.Ready(context.Background()); err != nil {
		t.Error(err)
	}
	exported := gather(t, registry)
	for _, m := range health.Metrics() {
		if _, ok := exported[m.Name]; !ok {
			t.Errorf("%s is not exported", m.Name)
		}
		delete(exported, m.Name)
	}
	if len(exported) > 0 {
		t.Errorf("not among the metrics: %v", exported)
	}

	exporter.Show(health.Unknown(context.DeadlineExceeded))
	if err := exporter.Ready(context.Background()); err == nil {
		t.Error("it is ready while the broker is away")
	}
	exported = gather(t, registry)
	if exported["wagewire_up"] != 1 || exported["wagewire_finding_active"] != len(health.Kinds()) ||
		exported["wagewire_console_info"] != 1 || len(exported) != 3 {
		t.Errorf("while the broker is away: %v", exported)
	}
}

func TestTheExporterHasTheConsoleAlsoBeforeTheFirstReading(t *testing.T) {
	t.Parallel()
	for promise, row := range map[string]struct {
		console process.Console
		want    map[string]int
	}{
		"a console is one series": {"https://wagewire.example.com", map[string]int{
			"wagewire_console_info": 1,
		}},
		"no console is no series": {"", map[string]int{}},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			health.NewExporter(registry, row.console)
			if diff := cmp.Diff(row.want, gather(t, registry)); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// gather returns the number of series of each metric.
func gather(t *testing.T, registry prometheus.Gatherer) map[string]int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, family := range families {
		counts[family.GetName()] = len(family.GetMetric())
	}
	return counts
}

// busy is a state with something of everything, also with what another release writes.
func busy() health.State {
	s := well()
	s.NATSMemory = 1 << 30
	s.Streams = []stream.Level{{
		Name: "S", Messages: 1, MessagesMax: 10, Bytes: 50, BytesMax: 100,
		Oldest: ago(time.Hour),
	}}
	s.Queues = []stream.QueueStatus{{
		Name: "truv_link", Ready: 1, Oldest: ago(time.Second), PausedUntil: at,
		WaitingByClass: []stream.WaitingCount{{
			Class: "weather", Count: 1, Oldest: ago(time.Hour), Next: at, Last: at,
		}},
	}}
	s.DeadLetters = []health.DeadCount{
		{Queue: "q-1", Class: "a", Count: 1}, {Queue: "q-2", Class: "b", Count: 1},
	}
	s.Unread = []health.UnreadCount{{Provider: "p", Reason: "r", Count: 1}}
	s.Budgets = []stream.BudgetStatus{{
		Provider: schema.Truv, Budget: schema.Budget{Hold: schema.BudgetHold{Until: at}},
	}}
	s.Providers[0].Dates.InARow = 1
	s.Providers[0].SilentAfter = time.Hour
	s.Durables = []stream.Durable{
		{Team: "lending", Name: "a", Pending: 1, Oldest: ago(time.Hour)},
		{Team: "lending", Name: "b"},
	}
	return s
}
