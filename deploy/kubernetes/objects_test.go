package kubernetes

import (
	"fmt"
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
		"of ingress, and of every worker": {with(t, "trial"), []string{"accounts", "bank-accounts",
			"employment", "identity", "income", "ingress", "link", "notices", "paystubs", "shifts",
			"tax-forms", "verification-reports"}},
		"of the workers that run": {with(t, "truv-only"), []string{"accounts", "bank-accounts",
			"employment", "identity", "income", "ingress", "link", "paystubs", "shifts",
			"verification-reports"}},
		"not of accounts, if it is left out": {with(t, "truv-only", "accounts.enabled=false"),
			[]string{"bank-accounts", "employment", "identity", "income", "ingress", "link", "paystubs",
				"shifts", "verification-reports"}},
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

func TestARouteLeadsToItsService(t *testing.T) {
	const webhooks = "hooks.example.com/webhooks/ to wagewire-ingress"
	const pages = "wagewire.example.com/ to wagewire-console"
	for promise, row := range map[string]struct {
		values values
		want   []string
	}{
		"of webhooks and pages, as HTTPRoutes": {with(t, "production"),
			[]string{webhooks + ":8080", pages + ":8090"}},
		"of webhooks, as an Ingress": {with(t, "pinwheel-only"), []string{webhooks + ":http"}},
		"of pages, as an Ingress": {with(t, "trial", "console.url=https://wagewire.example.com",
			"console.route={kind: Ingress, host: wagewire.example.com, tlsSecret: console-tls}"),
			[]string{pages + ":http"}},
		"not of pages that nobody serves": {with(t, "production", "console.enabled=false"),
			[]string{webhooks + ":8080"}},
		"of nothing without a word": {with(t, "trial"), nil},
	} {
		t.Run(promise, func(t *testing.T) {
			var got []string
			r := render(t, row.values)
			for _, route := range of[*gateway.HTTPRoute](r) {
				rule := route.Spec.Rules[0]
				backend := rule.BackendRefs[0]
				got = append(got, fmt.Sprintf("%s%s to %s:%d", route.Spec.Hostnames[0],
					*rule.Matches[0].Path.Value, backend.Name, *backend.Port))
			}
			for _, route := range of[*networking.Ingress](r) {
				rule := route.Spec.Rules[0]
				path := rule.HTTP.Paths[0]
				service := path.Backend.Service
				got = append(got, fmt.Sprintf("%s%s to %s:%s", rule.Host, path.Path, service.Name,
					service.Port.Name))
				if !slices.Equal(route.Spec.TLS[0].Hosts, []string{rule.Host}) {
					t.Errorf("the certificate is for %s", route.Spec.TLS[0].Hosts)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, row.want) {
				t.Errorf("routes %q, want %q", got, row.want)
			}
		})
	}
}

func TestTheConsoleIsOnePodOnRequest(t *testing.T) {
	const name = "console"
	if deploymentsOf(renderFile(t, "truv-only"))[name] != nil {
		t.Error("it is there without a request")
	}
	d := deploymentsOf(renderFile(t, "production"))[name]
	if d == nil {
		t.Fatal("it is not there")
	}
	if *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != apps.RecreateDeploymentStrategyType {
		t.Errorf("%d pods, and %s: plans and sessions are in the memory of one", *d.Spec.Replicas,
			d.Spec.Strategy.Type)
	}
	if args := d.Spec.Template.Spec.Containers[0].Args; !slices.Equal(args, []string{name}) {
		t.Errorf("it runs wagewire %s", args)
	}
}

func TestTheConsoleKnowsWhoReads(t *testing.T) {
	for promise, row := range map[string]struct {
		values values
		want   map[string]string // of the variables of the console; "" is not set
	}{
		"people with a token": {with(t, "trial"), map[string]string{
			"CONSOLE_TOKENS_FILE": "/etc/wagewire/console/tokens", "CONSOLE_ANYONE_READS": "",
			"CONSOLE_TRUSTED_PROXIES": "", "CONSOLE_REVEAL": ""}},
		"people whom a proxy names": {with(t, "trial", "console={enabled: true, trustedProxies: 10.1.0.0/16, "+
			"roles: read=payroll, userHeader: X-User, groupsHeader: X-Groups}"), map[string]string{
			"CONSOLE_TOKENS_FILE": "", "CONSOLE_TRUSTED_PROXIES": "10.1.0.0/16",
			"CONSOLE_ROLES": "read=payroll", "CONSOLE_USER_HEADER": "X-User",
			"CONSOLE_GROUPS_HEADER": "X-Groups"}},
		"everybody, if it is wished": {with(t, "trial", "console={enabled: true, anyoneReads: true}"),
			map[string]string{"CONSOLE_TOKENS_FILE": "", "CONSOLE_ANYONE_READS": "1"}},
		"and records, if it is wished": {with(t, "trial", "console.reveal=true"),
			map[string]string{"CONSOLE_REVEAL": "1"}},
	} {
		t.Run(promise, func(t *testing.T) {
			p := podsOf(t, render(t, row.values))["console"]
			has := environmentOf(p.spec.Containers[0])
			for variable, want := range row.want {
				if has[variable] != want {
					t.Errorf("%s is %q, want %q", variable, has[variable], want)
				}
			}
			mounts := slices.ContainsFunc(p.spec.Volumes, isNamed("tokens"))
			if mounts != (has["CONSOLE_TOKENS_FILE"] != "") {
				t.Errorf("the file of tokens is mounted: %t", mounts)
			}
		})
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
