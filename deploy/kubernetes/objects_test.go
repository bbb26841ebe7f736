package kubernetes

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// deploymentsOf returns the Deployments by component.
func deploymentsOf(r rendering) map[string]*apps.Deployment {
	deployments := map[string]*apps.Deployment{}
	for _, d := range of[*apps.Deployment](r) {
		deployments[strings.TrimPrefix(d.Name, releaseName+"-")] = d
	}
	return deployments
}

// selected returns the components whose pods a selector selects.
func selected(t *testing.T, selector *metav1.LabelSelector, pods map[string]pod) []string {
	t.Helper()
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	var components []string
	for component, p := range pods {
		if matcher.Matches(labels.Set(p.labels)) {
			components = append(components, component)
		}
	}
	slices.Sort(components)
	return components
}

// onEveryRendering calls judge for each file of values.
func onEveryRendering(t *testing.T, judge func(t *testing.T, r rendering, pods map[string]pod)) {
	t.Helper()
	for _, file := range valuesFiles(t) {
		t.Run(file, func(t *testing.T) {
			r := renderFile(t, file)
			judge(t, r, podsOf(t, r))
		})
	}
}

func TestEverySelectorSelectsItsOwnPods(t *testing.T) {
	onEveryRendering(t, func(t *testing.T, r rendering, pods map[string]pod) {
		check := func(what, component string, selector *metav1.LabelSelector) {
			if got := selected(t, selector, pods); !slices.Equal(got, []string{component}) {
				t.Errorf("the %s of %s selects the pods of %q", what, component, got)
			}
		}
		component := func(object metav1.Object) string {
			return object.GetLabels()["app.kubernetes.io/component"]
		}
		for _, d := range of[*apps.Deployment](r) {
			check("Deployment", component(d), d.Spec.Selector)
			for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
				check("spread", component(d), spread.LabelSelector)
			}
		}
		for _, s := range of[*apps.StatefulSet](r) {
			check("StatefulSet", component(s), s.Spec.Selector)
		}
		for _, s := range of[*core.Service](r) {
			check("Service", component(s), &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
		}
		for _, b := range of[*disruption.PodDisruptionBudget](r) {
			check("PodDisruptionBudget", component(b), b.Spec.Selector)
		}
	})
}

func TestEveryPortIsThere(t *testing.T) {
	onEveryRendering(t, func(t *testing.T, r rendering, pods map[string]pod) {
		for component, p := range pods {
			for _, c := range p.containers() {
				probes := []*core.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe}
				for _, probe := range probes {
					if probe != nil && probe.HTTPGet != nil && !hasPort(p, probe.HTTPGet.Port) {
						t.Errorf("%s: a probe asks port %s", component, probe.HTTPGet.Port.String())
					}
				}
			}
		}
		for _, s := range of[*core.Service](r) {
			p := pods[s.Labels["app.kubernetes.io/component"]]
			for _, port := range s.Spec.Ports {
				if !hasPort(p, port.TargetPort) {
					t.Errorf("the Service %s sends to port %s", s.Name, port.TargetPort.String())
				}
			}
		}
	})
}

// hasPort reports whether a container of the pod has the port, by name or by number.
func hasPort(p pod, port intstr.IntOrString) bool {
	for _, c := range p.containers() {
		for _, has := range c.Ports {
			if port.StrVal == has.Name || port.IntVal == has.ContainerPort {
				return true
			}
		}
	}
	return false
}

func TestEveryAutoscalerHasItsDeployment(t *testing.T) {
	onEveryRendering(t, func(t *testing.T, r rendering, _ map[string]pod) {
		deployments := deploymentsOf(r)
		for _, h := range of[*autoscaling.HorizontalPodAutoscaler](r) {
			if _, ok := deployments[strings.TrimPrefix(h.Spec.ScaleTargetRef.Name, releaseName+"-")]; !ok {
				t.Errorf("there is no Deployment %s", h.Spec.ScaleTargetRef.Name)
			}
		}
		for worker, object := range scaledObjects(r) {
			if deployments[worker] == nil || object.Spec.ScaleTargetRef.Name != releaseName+"-"+worker {
				t.Errorf("the ScaledObject of %s scales %s", worker, object.Spec.ScaleTargetRef.Name)
			}
		}
	})
}

func TestADrainLeavesAPod(t *testing.T) {
	for name, row := range map[string]struct {
		values values
		want   []string
	}{
		"of ingress, and of every worker": {with(t, "trial"), []string{"accounts", "employment", "identity",
			"income", "ingress", "link", "notices", "paystubs", "shifts", "verification-reports"}},
		"of the workers that run": {with(t, "truv-only"), []string{"accounts", "ingress", "link"}},
		"not of accounts, if it is left out": {with(t, "truv-only", "accounts.enabled=false"),
			[]string{"ingress", "link"}},
		"of nothing, if turned off": {with(t, "without-autoscaling"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, b := range of[*disruption.PodDisruptionBudget](render(t, row.values)) {
				got = append(got, b.Labels["app.kubernetes.io/component"])
				if b.Spec.MaxUnavailable.IntValue() != 1 {
					t.Errorf("%s: maxUnavailable is %s", b.Name, b.Spec.MaxUnavailable)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, row.want) {
				t.Errorf("budgets of %q, want %q", got, row.want)
			}
		})
	}
}

func TestARouteLeadsToIngress(t *testing.T) {
	service := releaseName + "-ingress"
	for _, route := range of[*gateway.HTTPRoute](renderFile(t, "production")) {
		backend := route.Spec.Rules[0].BackendRefs[0]
		if string(backend.Name) != service || *backend.Port != 8080 || route.Spec.Hostnames[0] != "hooks.example.com" {
			t.Errorf("%s leads to %s:%d", route.Spec.Hostnames, backend.Name, *backend.Port)
		}
	}
	for _, route := range of[*networking.Ingress](renderFile(t, "pinwheel-only")) {
		rule := route.Spec.Rules[0]
		path := rule.HTTP.Paths[0]
		if path.Backend.Service.Name != service || rule.Host != "hooks.example.com" || path.Path != "/webhooks/" {
			t.Errorf("%s%s leads to %s", rule.Host, path.Path, path.Backend.Service.Name)
		}
	}
	for file, want := range map[string]int{"production": 1, "pinwheel-only": 1, "trial": 0} {
		r := renderFile(t, file)
		if got := len(of[*gateway.HTTPRoute](r)) + len(of[*networking.Ingress](r)); got != want {
			t.Errorf("%s: %d routes, want %d", file, got, want)
		}
	}
}

func TestPrometheusReadsEveryProcess(t *testing.T) {
	r := renderFile(t, "production")
	monitors := of[*monitoring.PodMonitor](r)
	if len(monitors) != 1 || monitors[0].Labels["release"] != "prometheus" {
		t.Fatalf("%d monitors, or without the labels", len(monitors))
	}
	port := *monitors[0].Spec.PodMetricsEndpoints[0].Port
	pods := podsOf(t, r)
	for _, component := range selected(t, &monitors[0].Spec.Selector, pods) {
		p := pods[component]
		isProcess := p.runs && component != "tool" && component != "backfill"
		if isProcess && !hasPort(p, intstr.FromString(port)) {
			t.Errorf("%s has no port %s", component, port)
		}
	}
}

func TestPrometheusHasTheAlertsOnRequest(t *testing.T) {
	rules := of[*monitoring.PrometheusRule](renderFile(t, "production"))
	if len(rules) != 1 || rules[0].Labels["release"] != "prometheus" {
		t.Fatalf("%d objects with rules, or without the labels", len(rules))
	}
	var want monitoring.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict([]byte(ruleFile(t)), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rules[0].Spec); diff != "" {
		t.Errorf("rules (-want +got)\n%s", diff)
	}
	if got := of[*monitoring.PrometheusRule](renderFile(t, "trial")); len(got) != 0 {
		t.Errorf("%d objects with rules, without a request", len(got))
	}
}

func TestTheExporterIsAPodThatCanBeLeftOut(t *testing.T) {
	const name = "metrics"
	for promise, row := range map[string]struct {
		values values
		want   bool
	}{
		"it is there":    {with(t, "trial"), true},
		"or is left out": {with(t, "trial", "metrics.enabled=false"), false},
	} {
		t.Run(promise, func(t *testing.T) {
			d := deploymentsOf(render(t, row.values))[name]
			if (d != nil) != row.want {
				t.Fatalf("there is a Deployment: %t", d != nil)
			}
			if d == nil {
				return
			}
			args := d.Spec.Template.Spec.Containers[0].Args
			if !slices.Equal(args, []string{name}) {
				t.Errorf("it runs wagewire %s", args)
			}
		})
	}
}

func TestThePodsOfAReleaseAreItsAccounts(t *testing.T) {
	for file, want := range map[string]string{"trial": "wagewire", "overrides": "payroll", "without-autoscaling": "default"} {
		r := renderFile(t, file)
		accounts := of[*core.ServiceAccount](r)
		for component, p := range podsOf(t, r) {
			if p.spec.ServiceAccountName != want {
				t.Errorf("%s: %s has the account %s, want %s", file, component, p.spec.ServiceAccountName, want)
			}
		}
		made := len(accounts) == 1 && accounts[0].Name == want &&
			isFalse(accounts[0].AutomountServiceAccountToken)
		if made != (want != "default") {
			t.Errorf("%s: %d accounts are made", file, len(accounts))
		}
	}
}

func TestTheWorkerOfAccountsIsADeploymentWithoutAnAutoscaler(t *testing.T) {
	const name = "accounts"
	for promise, row := range map[string]struct {
		values values
		want   int32 // pods; 0: no Deployment
	}{
		"of one pod":               {with(t, "trial"), 1},
		"of as many as the values": {with(t, "trial", "accounts.replicas=3"), 3},
		"also without KEDA":        {with(t, "without-autoscaling"), 1},
		"or there is none":         {with(t, "trial", "accounts.enabled=false"), 0},
	} {
		t.Run(promise, func(t *testing.T) {
			r := render(t, row.values)
			var pods int32
			if d := deploymentsOf(r)[name]; d != nil {
				pods = *d.Spec.Replicas
			}
			if pods != row.want {
				t.Errorf("%d pods, want %d", pods, row.want)
			}
			if scaledObjects(r)[name] != nil {
				t.Error("KEDA scales it")
			}
		})
	}
}
