package kubernetes

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/wagewire/wagewire/deploy/console"
	"github.com/wagewire/wagewire/deploy/doctor"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

// pod is the template of a component's pods.
type pod struct {
	component string
	labels    map[string]string
	meta      metav1.ObjectMeta
	spec      core.PodSpec
	// runs is true for pods that run until they are stopped.
	runs bool
}

// containers are the init containers and the containers.
func (p pod) containers() []core.Container {
	return slices.Concat(p.spec.InitContainers, p.spec.Containers)
}

// podsOf returns the pods of a rendering by component.
func podsOf(t *testing.T, r rendering) map[string]pod {
	t.Helper()
	pods := map[string]pod{}
	add := func(meta metav1.ObjectMeta, spec core.PodSpec, runs bool) {
		component := meta.Labels["app.kubernetes.io/component"]
		if _, twice := pods[component]; twice || component == "" {
			t.Errorf("component %q has two kinds of pods, or no name", component)
		}
		pods[component] = pod{component, meta.Labels, meta, spec, runs}
	}
	for _, d := range of[*apps.Deployment](r) {
		add(d.Spec.Template.ObjectMeta, d.Spec.Template.Spec, true)
	}
	for _, s := range of[*apps.StatefulSet](r) {
		add(s.Spec.Template.ObjectMeta, s.Spec.Template.Spec, true)
	}
	for _, j := range of[*batch.Job](r) {
		add(j.Spec.Template.ObjectMeta, j.Spec.Template.Spec, false)
	}
	return pods
}

func metaOf(t *testing.T, object runtime.Object) metav1.Object {
	t.Helper()
	found, err := meta.Accessor(object)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// onEveryPod calls judge for each pod of each file of values.
func onEveryPod(t *testing.T, judge func(t *testing.T, p pod)) {
	t.Helper()
	for _, file := range valuesFiles(t) {
		for component, p := range podsOf(t, renderFile(t, file)) {
			t.Run(file+"/"+component, func(t *testing.T) { judge(t, p) })
		}
	}
}

func TestEveryPodIsRestrictedByPodSecurity(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	onEveryPod(t, func(t *testing.T, p pod) {
		for _, result := range evaluator.EvaluatePod(level, &p.meta, &p.spec) {
			if !result.Allowed {
				t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	})
}

func TestEveryPodIsConfined(t *testing.T) {
	onEveryPod(t, func(t *testing.T, p pod) {
		for promise, holds := range map[string]bool{
			"it has no token":           isFalse(p.spec.AutomountServiceAccountToken),
			"it sees no other services": isFalse(p.spec.EnableServiceLinks),
			"it shares nothing of the node's": !p.spec.HostNetwork && !p.spec.HostPID &&
				!p.spec.HostIPC,
		} {
			if !holds {
				t.Errorf("broken promise: %s", promise)
			}
		}
		for _, c := range p.containers() {
			for promise, holds := range map[string]bool{
				"its root is read-only": c.SecurityContext != nil &&
					c.SecurityContext.ReadOnlyRootFilesystem != nil &&
					*c.SecurityContext.ReadOnlyRootFilesystem,
				"its memory has a limit":     !c.Resources.Limits.Memory().IsZero(),
				"it says what it needs":      !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero(),
				"its last line can be read":  c.TerminationMessagePolicy == core.TerminationMessageFallbackToLogsOnError,
				"it is not ready unasked":    !p.runs || c.ReadinessProbe != nil,
				"it is not pulled each time": c.ImagePullPolicy == core.PullIfNotPresent,
			} {
				if !holds {
					t.Errorf("%s: broken promise: %s", c.Name, promise)
				}
			}
		}
	})
}

func isFalse(b *bool) bool { return b != nil && !*b }

// drainFor is how long ingress serves requests in hand after it has left the load balancers:
// process.Serve gives them so long.
const drainFor = 8 * time.Second

func TestEveryPodHasTheTimeToStop(t *testing.T) {
	stop := map[string]time.Duration{
		"ingress": ingress.DefaultDrainFor + drainFor, stream.RoleAccounts: workers.StopFor,
	}
	for _, r := range schema.WorkerResources() {
		stop[stream.WorkerRole(r)] = workers.StopFor
	}
	onEveryPod(t, func(t *testing.T, p pod) {
		needs, ok := stop[p.component]
		if !ok {
			return // Kubernetes' own 30 s
		}
		for _, c := range p.containers() {
			if c.Lifecycle != nil {
				needs += time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
			}
		}
		grace := time.Duration(*p.spec.TerminationGracePeriodSeconds) * time.Second
		if grace <= needs {
			t.Errorf("the pod is killed after %s, and needs %s", grace, needs)
		}
	})
}

func TestIngressWaitsUntilOthersSendElsewhere(t *testing.T) {
	p := podsOf(t, renderFile(t, "trial"))["ingress"]
	if sleep := p.spec.Containers[0].Lifecycle.PreStop.Sleep; sleep == nil || sleep.Seconds < 1 {
		t.Error("ingress has no sleep before it stops")
	}
}

func TestTheCollectorKnowsLessThanTheLimit(t *testing.T) {
	onEveryPod(t, func(t *testing.T, p pod) {
		for _, c := range p.containers() {
			text := environmentOf(c)["GOMEMLIMIT"]
			if text == "" {
				if p.component == "nats" {
					t.Error("GOMEMLIMIT is not set") // our own processes read their limit
				}
				continue
			}
			var mebibytes int64
			if _, err := fmt.Sscanf(text, "%dMiB", &mebibytes); err != nil {
				t.Fatal(err)
			}
			if limit := c.Resources.Limits.Memory().Value(); mebibytes<<20 >= limit {
				t.Errorf("GOMEMLIMIT is %s, and the limit %d bytes", text, limit)
			}
		}
	})
}

// environmentOf returns the variables of a container with a value of their own.
func environmentOf(c core.Container) map[string]string {
	environment := map[string]string{}
	for _, v := range c.Env {
		environment[v.Name] = v.Value
	}
	return environment
}

// variablesOf returns the variables that the process of a component reads.
func variablesOf(component string) []process.Variable {
	broker := process.Variables(stream.Config{})
	every := process.Variables(stream.Config{}, process.Config{})
	pages := process.Variables(process.ConsoleConfig{})
	switch component {
	case "ingress":
		return slices.Concat(every, ingress.Variables())
	case stream.RoleAccounts:
		return slices.Concat(every, workers.AccountsVariables())
	case "metrics":
		return slices.Concat(every, health.Variables(), pages)
	case "console":
		return slices.Concat(every, console.Variables(), health.Variables())
	case "provision", "tool": // the same command
		return slices.Concat(broker, health.Variables(), pages)
	case "backfill":
		variables := slices.Concat(broker, health.Variables(), doctor.Variables(), pages)
		for _, p := range schema.Providers() {
			variables = append(variables, fetch.Variables(p)...)
		}
		return variables
	}
	i := slices.IndexFunc(schema.WorkerResources(), func(r schema.Resource) bool {
		return stream.WorkerRole(r) == component
	})
	if i < 0 {
		return nil
	}
	variables := slices.Concat(every, workers.Variables())
	for _, q := range schema.QueuesOf(schema.WorkerResources()[i]) {
		if q.CallsProvider() {
			variables = append(variables, fetch.Variables(q.Provider)...)
		}
	}
	return variables
}

func TestEveryVariableIsThereOnce(t *testing.T) {
	onEveryPod(t, func(t *testing.T, p pod) {
		for _, c := range p.containers() {
			if names := len(environmentOf(c)); names != len(c.Env) {
				t.Errorf("%s: %d variables have %d names", c.Name, len(c.Env), names)
			}
		}
	})
}

// ofTheOperator are variables that testdata/values sets by extraEnv, as an operator does.
var ofTheOperator = []string{"HTTPS_PROXY", "EXTRA"}

func TestEveryVariableIsKnownToItsProcess(t *testing.T) {
	onEveryPod(t, func(t *testing.T, p pod) {
		if p.component == "nats" || p.component == "providers" {
			return
		}
		known := map[string]bool{}
		for _, v := range variablesOf(p.component) {
			known[v.Name] = true
		}
		for _, c := range p.containers() {
			for name := range environmentOf(c) {
				if !known[name] && !slices.Contains(ofTheOperator, name) {
					t.Errorf("%s: the process does not know %s", c.Name, name)
				}
			}
		}
	})
}

func TestEveryVariableCanBeSet(t *testing.T) {
	set := map[string]map[string]bool{}
	for _, file := range valuesFiles(t) {
		for component, p := range podsOf(t, renderFile(t, file)) {
			for _, c := range p.containers() {
				for name := range environmentOf(c) {
					if set[component] == nil {
						set[component] = map[string]bool{}
					}
					set[component][name] = true
				}
			}
		}
	}
	for component, has := range set {
		for _, v := range variablesOf(component) {
			if !has[v.Name] {
				t.Errorf("%s: no values of testdata set %s: give it a value in values.yaml",
					component, v.Name)
			}
		}
	}
}

// secretsOf returns the secrets that a component may mount, as "secret key": its own key of the
// broker, and the secrets of its providers.
func secretsOf(component string) []string {
	key := func(role string) string {
		return "wagewire-keys nats_" + strings.ReplaceAll(role, "-", "_") + ".nk"
	}
	var secrets []string
	switch component {
	case "nats":
		return []string{"wagewire-keys keys.conf", "wagewire-keys teams.conf"}
	case "providers":
		return nil
	case "provision", "tool", "metrics":
		return []string{key(stream.RoleOperator)}
	case "console":
		return []string{key(stream.RoleOperator), "wagewire-console console.tokens"}
	case "backfill", "ingress":
		role := stream.RoleIngress
		if component == "backfill" {
			role = stream.RoleOperator
		}
		secrets = append(secrets, key(role))
		for _, p := range schema.Providers() {
			secrets = append(secrets, "wagewire-"+string(p)+" secret")
		}
		return secrets
	}
	secrets = append(secrets, key(component))
	for _, q := range schema.Queues() {
		secret := "wagewire-" + string(q.Provider) + " secret"
		isOf := stream.WorkerRole(q.Resource) == component && q.CallsProvider()
		if isOf && !slices.Contains(secrets, secret) {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

func TestEveryPodHasItsOwnSecrets(t *testing.T) {
	for component, p := range podsOf(t, renderFile(t, "trial")) {
		t.Run(component, func(t *testing.T) {
			if diff := cmp.Diff(secretsOf(component), mountedSecrets(p)); diff != "" {
				t.Errorf("(-want +has)\n%s", diff)
			}
		})
	}
}

// mountedSecrets returns the keys of secrets in the volumes of a pod. A volume without items would
// have all keys, and "*" stands for them.
func mountedSecrets(p pod) []string {
	var mounted []string
	add := func(secret string, items []core.KeyToPath) {
		if len(items) == 0 {
			mounted = append(mounted, secret+" *")
		}
		for _, item := range items {
			mounted = append(mounted, secret+" "+item.Key)
		}
	}
	for _, v := range p.spec.Volumes {
		if v.Secret != nil {
			add(v.Secret.SecretName, v.Secret.Items)
		}
		if v.Projected != nil {
			for _, source := range v.Projected.Sources {
				if source.Secret != nil {
					add(source.Secret.Name, source.Secret.Items)
				}
			}
		}
	}
	return mounted
}

func TestEveryFileOfAVariableIsMounted(t *testing.T) {
	onEveryPod(t, func(t *testing.T, p pod) {
		for _, c := range p.containers() {
			files := filesOf(t, p, c)
			for name, value := range environmentOf(c) {
				if strings.HasSuffix(name, "_FILE") && !slices.Contains(files, value) {
					t.Errorf("%s: %s is %s, and the mounted files are %s", c.Name, name, value, files)
				}
			}
		}
	})
}

// filesOf returns the paths of the files of secrets in a container, and complains about a volume
// that is mounted in another way than as a whole: a changed secret would not arrive.
func filesOf(t *testing.T, p pod, c core.Container) []string {
	t.Helper()
	var files []string
	for _, mount := range c.VolumeMounts {
		if mount.SubPath != "" || mount.SubPathExpr != "" {
			t.Errorf("%s: %s is mounted by subPath", c.Name, mount.Name)
		}
		i := slices.IndexFunc(p.spec.Volumes, isNamed(mount.Name))
		if i < 0 {
			if p.component != "nats" { // its volume is a claim
				t.Errorf("%s: there is no volume %s", c.Name, mount.Name)
			}
			continue
		}
		if secret := p.spec.Volumes[i].Secret; secret != nil {
			for _, item := range secret.Items {
				files = append(files, path.Join(mount.MountPath, item.Path))
			}
		}
	}
	return files
}

func TestImagesCanBePinned(t *testing.T) {
	r := renderFile(t, "production")
	for component, p := range podsOf(t, r) {
		for _, c := range p.containers() {
			const begin = "images.example.com/payroll/wagewire/"
			name, digest, pinned := strings.Cut(c.Image, "@sha256:")
			if !pinned || len(digest) != 64 || !strings.HasPrefix(name, begin) {
				t.Errorf("%s: the image %s has no digest", component, c.Image)
			}
		}
		if len(p.spec.ImagePullSecrets) != 1 {
			t.Errorf("%s: the pod has no credentials for the registry", component)
		}
	}
}
