package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/strvals"
	core "k8s.io/api/core/v1"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// definition is a part of values.schema.json.
type definition struct {
	Ref                  string                `json:"$ref"`
	Properties           map[string]definition `json:"properties"`
	AdditionalProperties json.RawMessage       `json:"additionalProperties"`
	Definitions          map[string]definition `json:"definitions"`
}

func valuesSchema(t *testing.T) definition {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var root definition
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// names returns the paths of the values that a definition knows.
func (d definition) names(root definition, path string) []string {
	if name, ok := strings.CutPrefix(d.Ref, "#/definitions/"); ok {
		d = root.Definitions[name]
	}
	if len(d.Properties) == 0 {
		return []string{path}
	}
	var paths []string
	for name, inner := range d.Properties {
		paths = append(paths, inner.names(root, path+"."+name)...)
	}
	return paths
}

// namesOf returns the paths of values.
func namesOf(v any, path string) []string {
	inner, ok := v.(values)
	if !ok || len(inner) == 0 {
		return []string{path}
	}
	var paths []string
	for name, value := range inner {
		paths = append(paths, namesOf(value, path+"."+name)...)
	}
	return paths
}

func TestTheSchemaKnowsEveryDefault(t *testing.T) {
	known := valuesSchema(t)
	paths := known.names(known, "")
	for _, path := range namesOf(readYAML(t, filepath.Join(chartDir, "values.yaml")), "") {
		isKnown := slices.ContainsFunc(paths, func(p string) bool {
			return p == path || strings.HasPrefix(path, p+".") || strings.HasPrefix(p, path+".")
		})
		if !isKnown {
			t.Errorf("values.schema.json does not know %s", path)
		}
	}
}

func TestTheSchemaRefusesEveryUnknownName(t *testing.T) {
	var check func(path string, d definition)
	check = func(path string, d definition) {
		if len(d.Properties) > 0 && string(d.AdditionalProperties) != "false" {
			t.Errorf("%s takes further names", path)
		}
		for name, inner := range d.Properties {
			check(path+"."+name, inner)
		}
	}
	root := valuesSchema(t)
	check("", root)
	for name, d := range root.Definitions {
		check(name, d)
	}
}

func TestTheSchemaKnowsEveryWorkerAndImage(t *testing.T) {
	var commands []string
	for _, r := range schema.WorkerResources() {
		commands = append(commands, stream.WorkerRole(r))
	}
	root := valuesSchema(t).Properties
	slices.Sort(commands)
	got := slices.Sorted(maps.Keys(root["workers"].Properties["each"].Properties))
	if diff := cmp.Diff(commands, got); diff != "" {
		t.Errorf("workers.each (-want +got)\n%s", diff)
	}
	images := append(slices.Clone(commands), stream.RoleAccounts, "ingress", "providers", "wagewire")
	slices.Sort(images)
	got = slices.Sorted(maps.Keys(root["image"].Properties["digests"].Properties))
	if diff := cmp.Diff(images, got); diff != "" {
		t.Errorf("image.digests (-want +got)\n%s", diff)
	}
}

// plain are names of values that say what they are.
var plain = []string{"annotations", "cpuPercent", "interval", "labels", "port", "pullPolicy", "resources",
	"service", "type"}

// TestEveryValueIsExplained looks for the name of each value, or of a block around the value, in
// the comments of values.yaml.
func TestEveryValueIsExplained(t *testing.T) {
	file := filepath.Join(chartDir, "values.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, comment := range regexp.MustCompile(`#.*`).FindAllString(string(text), -1) {
		for _, word := range regexp.MustCompile(`[A-Za-z]+`).FindAllString(comment, -1) {
			explained[word] = true
		}
	}
	for _, path := range namesOf(readYAML(t, file), "") {
		names := strings.Split(path, ".")
		isExplained := slices.ContainsFunc(names[max(0, len(names)-3):], func(name string) bool {
			return explained[name] || slices.Contains(plain, name)
		})
		if !isExplained {
			t.Errorf("no comment of values.yaml explains %s", path)
		}
	}
}

func TestOverridesReachThePods(t *testing.T) {
	pods := podsOf(t, renderFile(t, "overrides"))
	for component, p := range pods {
		c := p.spec.Containers[0]
		for promise, holds := range map[string]bool{
			"labels":         p.labels["team"] == "payroll",
			"annotations":    p.meta.Annotations["example.com/owner"] == "payroll",
			"variables":      environmentOf(c)["HTTPS_PROXY"] != "",
			"more variables": len(c.EnvFrom) == 1,
			"volumes":        slices.ContainsFunc(p.spec.Volumes, isNamed("scratch")),
			"mounts": slices.ContainsFunc(c.VolumeMounts,
				func(m core.VolumeMount) bool { return m.Name == "scratch" }),
			"nodes":    p.spec.NodeSelector["kubernetes.io/os"] == "linux",
			"affinity": p.spec.Affinity != nil,
			"taints":   p.spec.Tolerations[0].Key == "payroll",
			"priority": strings.HasPrefix(p.spec.PriorityClassName, "payroll"),
		} {
			if !holds {
				t.Errorf("%s: the settings of all pods do not reach it: %s", component, promise)
			}
		}
	}
	for what, row := range map[string]struct{ got, want any }{
		"a text of a component counts":     {pods["ingress"].spec.PriorityClassName, "payroll-high"},
		"a map of a component is merged":   {pods["nats"].spec.NodeSelector, map[string]string{"disk": "fast", "kubernetes.io/os": "linux"}},
		"a list of a component is added":   {len(pods["shifts"].spec.Tolerations), 2},
		"a label of a component":           {pods["providers"].labels["trial"], "true"},
		"a variable of a worker":           {environmentOf(pods["paystubs"].spec.Containers[0])["EXTRA"], "paystubs"},
		"no variable of another worker":    {environmentOf(pods["income"].spec.Containers[0])["EXTRA"], "all"},
		"a variable over the chart's own":  {environmentOf(pods["income"].spec.Containers[0])["LOG_LEVEL"], "warn"},
		"the chart's own variable":         {environmentOf(pods["ingress"].spec.Containers[0])["LOG_LEVEL"], "debug"},
		"a worker's own concurrency":       {environmentOf(pods["paystubs"].spec.Containers[0])["WORKER_CONCURRENCY"], "32"},
		"the concurrency of other workers": {environmentOf(pods["income"].spec.Containers[0])["WORKER_CONCURRENCY"], "8"},
		"a worker's own memory":            {pods["paystubs"].spec.Containers[0].Resources.Limits.Memory().String(), "1Gi"},
		"what a worker's resources omit":   {pods["paystubs"].spec.Containers[0].Resources.Requests.Memory().String(), "128Mi"},
		"the memory of other workers":      {pods["income"].spec.Containers[0].Resources.Limits.Memory().String(), "512Mi"},
	} {
		if diff := cmp.Diff(row.want, row.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
}

func isNamed(name string) func(core.Volume) bool {
	return func(v core.Volume) bool { return v.Name == name }
}

func TestAProviderCanBeLeftOut(t *testing.T) {
	for file, provider := range map[string]schema.Provider{
		"pinwheel-only": schema.Pinwheel, "truv-only": schema.Truv,
	} {
		t.Run(file, func(t *testing.T) {
			var want []string
			for _, r := range schema.WorkerResources() {
				if slices.ContainsFunc(schema.QueuesOf(r), isOf(provider)) {
					want = append(want, stream.WorkerRole(r))
				}
			}
			rendered := renderFile(t, file)
			pods := podsOf(t, rendered)
			var got []string
			for _, component := range slices.Sorted(maps.Keys(pods)) {
				if !slices.Contains([]string{
					"ingress", stream.RoleAccounts, "provision", "tool", "metrics",
				}, component) {
					got = append(got, component)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("workers (-want +got)\n%s", diff)
			}
			variables := fmt.Sprint(environmentOf(pods["ingress"].spec.Containers[0]))
			for _, p := range schema.Providers() {
				if strings.Contains(variables, p.Variable("SECRETS_FILE")) != (p == provider) {
					t.Errorf("ingress knows of %s: %s", p, variables)
				}
				if p == provider {
					continue
				}
				for _, worker := range got {
					spec := pods[worker].spec
					needs := fmt.Sprint(environmentOf(spec.Containers[0]), spec.Volumes)
					if strings.Contains(strings.ToLower(needs), string(p)) {
						t.Errorf("%s needs something of %s: %s", worker, p, needs)
					}
				}
				for worker, object := range scaledObjects(rendered) {
					scales := fmt.Sprint(object.Spec.Triggers, object.Spec.Advanced)
					if strings.Contains(strings.ToLower(scales), string(p)) {
						t.Errorf("queues of %s scale %s: %s", p, worker, scales)
					}
				}
			}
		})
	}
}

func isOf(p schema.Provider) func(schema.Queue) bool {
	return func(q schema.Queue) bool { return q.Provider == p }
}

func TestTheNotesSayWhatToDo(t *testing.T) {
	for file, lines := range map[string][]string{
		"trial": {
			"kubectl -n payroll create secret generic wagewire-keys --from-file=keys",
			"kubectl -n payroll create secret generic wagewire-pinwheel --from-file=secret=pinwheel.secret",
			"kubectl -n payroll create secret generic wagewire-truv --from-file=secret=truv.secret",
			"kubectl -n payroll exec deployment/wagewire-tool -- /app status", "rollout status deployment",
			"wagewire console token NAME --roles read,act >>console.tokens",
			"create secret generic wagewire-console --from-file=console.tokens=console.tokens",
			"pages are at http://127.0.0.1:8090, after this command",
			"kubectl -n payroll port-forward service/wagewire-console 8090:8090",
			"nats.enabled is for trying out", "providers.enabled is for trying out",
		},
		"production": {
			"create secret generic pinwheel-live --from-file=api-secret=pinwheel.secret",
			"create secret generic console-tokens --from-file=persons=console.tokens",
			"pages are at https://wagewire.example.com\n",
			"create secret generic nats-ca --from-file=ca.crt=ca.pem",
		},
	} {
		notes := renderFile(t, file).notes
		for _, line := range lines {
			if !strings.Contains(notes, line) {
				t.Errorf("%s: the notes do not say %q:\n%s", file, line, notes)
			}
		}
	}
	if notes := renderFile(t, "without-autoscaling").notes; strings.Contains(notes, "KEDA") {
		t.Errorf("the notes speak of KEDA:\n%s", notes)
	}
	if notes := renderFile(t, "truv-only").notes; strings.Contains(notes, "console") {
		t.Errorf("the notes speak of the console:\n%s", notes)
	}
}

// TestANumberIsTakenFromAFileAndFromSet renders each setting as a file of values has it, and as
// helm's --set has it: --set makes a text of 0.5, and a whole number of 2.
func TestANumberIsTakenFromAFileAndFromSet(t *testing.T) {
	for setting, want := range map[string]string{
		"accounts.concurrency=4":                             `name: WORKER_CONCURRENCY value: "4"`,
		"accounts.readyWhen=income":                          `name: ACCOUNT_READY_WHEN value: income`,
		"provision.run=2":                                    `provision-run: "2"`,
		"provision.run=20261126":                             `provision-run: "20261126"`,
		"provision.run=again":                                `provision-run: again`,
		"pinwheel.ratePerSecond=10":                          `name: PINWHEEL_RATE_PER_S value: "10"`,
		"pinwheel.ratePerSecond=0.5":                         `name: PINWHEEL_RATE_PER_S value: "0.5"`,
		"truv.ratePerSecond=2.5":                             `name: TRUV_RATE_PER_S value: "2.5"`,
		"autoscaling.latencySeconds=6.5":                     `maxReplicaCount: 5`,
		"pinwheel.signatureAgeMax=0":                         `name: PINWHEEL_SIGNATURE_AGE_MAX value: "0"`,
		"provision.maxAge.WAGEWIRE_COMPLETIONS=0":            `--max-age=WAGEWIRE_COMPLETIONS=0`,
		"provision.maxAge.WAGEWIRE_COMPLETIONS=30d":          `--max-age=WAGEWIRE_COMPLETIONS=30d`,
		"provision.maxBytes.KV_WAGEWIRE_BUDGETS=2GiB":        `--max-bytes=KV_WAGEWIRE_BUDGETS=2GiB`,
		"provision.maxMessages.WAGEWIRE_COMPLETIONS=5000000": `--max-messages=WAGEWIRE_COMPLETIONS=5000000`,
		"console.url=https://wagewire.example.com":           `name: CONSOLE_URL value: https://wagewire.example.com`,
		"nats.memory=4Gi":                                    `name: NATS_MEMORY value: 4GiB`,
	} {
		bySet := with(t, "trial")
		if err := strvals.ParseInto(setting, bySet); err != nil {
			t.Fatal(err)
		}
		for source, v := range map[string]values{"a file": with(t, "trial", setting), "--set": bySet} {
			t.Run(setting+" by "+source, func(t *testing.T) {
				templates, err := renderWithHelm4(v)
				if err != nil {
					t.Fatal(err)
				}
				all := strings.Join(slices.Collect(maps.Values(templates)), "\n")
				if !strings.Contains(strings.Join(strings.Fields(all), " "), want) {
					t.Errorf("no template has %s", want)
				}
			})
		}
	}
}
