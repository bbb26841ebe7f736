package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
	"github.com/google/go-cmp/cmp"
	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// scaledObjects returns the ScaledObjects by worker.
func scaledObjects(r rendering) map[string]*keda.ScaledObject {
	objects := map[string]*keda.ScaledObject{}
	for _, o := range of[*keda.ScaledObject](r) {
		objects[strings.TrimPrefix(o.Name, releaseName+"-")] = o
	}
	return objects
}

func TestEveryDurableOfAWorkerIsAsked(t *testing.T) {
	objects := scaledObjects(renderFile(t, "trial"))
	for _, r := range schema.WorkerResources() {
		worker := stream.WorkerRole(r)
		t.Run(worker, func(t *testing.T) {
			want := map[string]string{}
			for _, q := range schema.QueuesOf(r) {
				for _, lane := range q.Lanes() {
					want[fmt.Sprintf("%s_%s", q.Name, lane.Name)] = lane.Stream + " " + lane.Consumer
				}
				if !q.Erases {
					want[q.Name+"_closed"] = schema.ClosuresStream + " " + q.Name
				}
			}
			got := map[string]string{}
			for _, trigger := range objects[worker].Spec.Triggers {
				got[trigger.Name] = trigger.Metadata["stream"] + " " + trigger.Metadata["consumer"]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestKEDAIsToldWhereToAsk(t *testing.T) {
	for name, row := range map[string]struct {
		values values
		want   map[string]string
	}{
		"at the headless service of the chart's own NATS": {with(t, "trial"), map[string]string{
			"natsServerMonitoringEndpoint": "wagewire-nats.payroll.svc:8222",
			"useHttps":                     "false", "account": "WAGEWIRE",
		}},
		"where the values say": {with(t, "production", "nats.account=PAYROLL"), map[string]string{
			"natsServerMonitoringEndpoint": "nats-headless.nats.svc:8222",
			"useHttps":                     "true", "account": "PAYROLL",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for worker, object := range scaledObjects(render(t, row.values)) {
				for _, trigger := range object.Spec.Triggers {
					delete(trigger.Metadata, "stream")
					delete(trigger.Metadata, "consumer")
					if diff := cmp.Diff(row.want, trigger.Metadata); diff != "" {
						t.Errorf("%s: %s (-want +got)\n%s", worker, trigger.Name, diff)
					}
				}
			}
		})
	}
}

func TestKEDAAcceptsEveryScaledObject(t *testing.T) {
	for _, file := range valuesFiles(t) {
		t.Run(file, func(t *testing.T) {
			for worker, object := range scaledObjects(renderFile(t, file)) {
				if _, err := keda.ValidateAndCompileScalingModifiers(object); err != nil {
					t.Errorf("%s: %v", worker, err)
				}
				if err := keda.CheckFallbackValid(object); err != nil {
					t.Errorf("%s: %v", worker, err)
				}
				scalesToZero := *object.Spec.MinReplicaCount == 0
				if waits := object.Spec.CooldownPeriod != nil; waits != scalesToZero {
					t.Errorf("%s: KEDA knows a cooldown only if the minimum is 0", worker)
				}
			}
		})
	}
}

func TestFormulaCountsReadyWork(t *testing.T) {
	object := scaledObjects(renderFile(t, "trial"))["link"]
	program, err := keda.ValidateAndCompileScalingModifiers(object)
	if err != nil {
		t.Fatal(err)
	}
	for promise, row := range map[string]struct {
		has  map[string]float64
		want float64
	}{
		"no work is no work": {nil, 0},
		"events and retries count, of both queues": {map[string]float64{
			"truv_link_events": 40, "truv_link_retries": 2,
			"truv_erasures_events": 300, "truv_erasures_retries": 5,
		}, 347},
		"replays need one pod": {map[string]float64{"truv_link_replays": 9000}, 1},
		"a closed queue needs no pod": {map[string]float64{
			"truv_link_events": 40, "truv_link_replays": 9, "truv_link_closed": 1,
		}, 0},
		"a closed queue holds up no erasure": {map[string]float64{
			"truv_link_events": 40, "truv_link_closed": 2, "truv_erasures_events": 3,
		}, 3},
	} {
		t.Run(promise, func(t *testing.T) {
			lags := map[string]float64{}
			for _, trigger := range object.Spec.Triggers {
				lags[trigger.Name] = row.has[trigger.Name]
			}
			got, err := expr.Run(program, lags)
			if err != nil || got != row.want {
				t.Errorf("%v, %v: want %v", got, err, row.want)
			}
		})
	}
}

// alone leaves the provider of the settings as the only one.
const alone = "truv.enabled=false"

func TestMaximumIsWhatTheProviderAllows(t *testing.T) {
	for name, row := range map[string]struct {
		settings []string
		want     int32
		notes    string
	}{
		"two pods at least": {[]string{alone}, 2, "computed: 10/s x 2 s / 16"},
		"rate times latency over the hands of a pod": {
			[]string{alone, "pinwheel.ratePerSecond=40", "autoscaling.latencySeconds=4"}, 10,
			"computed: 40/s x 4 s / 16"},
		"rounded up": {[]string{alone, "pinwheel.ratePerSecond=33", "autoscaling.latencySeconds=1"}, 3,
			"computed: 33/s x 1 s / 16"},
		"a rate and a latency with fractions": {
			[]string{alone, "pinwheel.ratePerSecond=16.5", "autoscaling.latencySeconds=2.5", "workers.concurrency=8"},
			6, "computed: 16.5/s x 2.5 s / 8"},
		"a worker's own concurrency and latency": {[]string{alone, "pinwheel.ratePerSecond=20",
			"workers.each.paystubs={concurrency: 2, autoscaling: {latencySeconds: 3}}"}, 30,
			"computed: 20/s x 3 s / 2"},
		"never under the minimum": {[]string{alone, "autoscaling.minimum=7"}, 7,
			"computed: 10/s x 2 s / 16"},
		"the calls of both providers, if the worker has both": {
			[]string{"pinwheel.ratePerSecond=40", "truv.ratePerSecond=20", "autoscaling.latencySeconds=4"},
			15, "computed: 60/s x 4 s / 16"},
		"what the operator says": {[]string{"autoscaling.maximum=5"}, 5, "(autoscaling.maximum)"},
		"what the operator says for one worker": {
			[]string{"workers.each.paystubs={autoscaling: {maximum: 1}}"}, 1, "(autoscaling.maximum)"},
	} {
		t.Run(name, func(t *testing.T) {
			r := render(t, with(t, "trial", row.settings...))
			object := scaledObjects(r)["paystubs"]
			if got := *object.Spec.MaxReplicaCount; got != row.want {
				t.Errorf("maximum %d, want %d", got, row.want)
			}
			line := lineOf(r.notes, "     paystubs ")
			if !strings.Contains(line, row.notes) || !strings.Contains(line, fmt.Sprintf("to %d ", row.want)) {
				t.Errorf("the notes say %q, want %q and %d", line, row.notes, row.want)
			}
		})
	}
}

// lineOf returns the line of a text with the given beginning.
func lineOf(text, beginning string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, beginning) {
			return line
		}
	}
	return ""
}

func TestScaledObjectOfAnOverriddenWorker(t *testing.T) {
	objects := scaledObjects(renderFile(t, "overrides"))
	if objects["shifts"] != nil {
		t.Error("shifts has a ScaledObject, although its autoscaling is off")
	}
	paystubs := objects["paystubs"].Spec
	modifiers := paystubs.Advanced.ScalingModifiers
	got := []any{*paystubs.MinReplicaCount, *paystubs.MaxReplicaCount, modifiers.Target,
		paystubs.Fallback.Replicas, paystubs.Fallback.Behavior}
	want := []any{int32(3), int32(9), "5", int32(3), keda.FallbackBehaviorCurrentReplicasIfHigher}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("minimum, maximum, target, fallback (-want +got)\n%s", diff)
	}
	if target := objects["income"].Spec.Advanced.ScalingModifiers.Target; target != "8" {
		t.Errorf("the target of income is %s, want the concurrency", target)
	}
}

func TestScalingLeavesTheReplicasToItsAutoscaler(t *testing.T) {
	for name, row := range map[string]struct {
		values values
		want   map[string]int32 // 0 for none
	}{
		"with autoscaling": {with(t, "trial"), map[string]int32{"ingress": 0, "paystubs": 0, "shifts": 0}},
		"with autoscaling of some": {with(t, "overrides"),
			map[string]int32{"ingress": 0, "paystubs": 0, "shifts": 2}},
		"without autoscaling": {with(t, "without-autoscaling"),
			map[string]int32{"ingress": 3, "paystubs": 2, "shifts": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			deployments := deploymentsOf(render(t, row.values))
			for component, want := range row.want {
				var got int32
				if replicas := deployments[component].Spec.Replicas; replicas != nil {
					got = *replicas
				}
				if got != want {
					t.Errorf("%s: %d replicas, want %d", component, got, want)
				}
			}
		})
	}
}
