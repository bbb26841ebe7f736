package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"

	"github.com/wagewire/wagewire/schema"
)

// job returns the one Job of a rendering.
func job(t *testing.T, v values) *batch.Job {
	t.Helper()
	jobs := of[*batch.Job](render(t, v))
	if len(jobs) != 1 {
		t.Fatalf("%d jobs", len(jobs))
	}
	return jobs[0]
}

func TestAChangedJobIsAnotherJob(t *testing.T) {
	name := job(t, with(t, "trial")).Name
	for setting, another := range map[string]bool{
		"":                                            false,
		"ingress.replicas=9":                          false,
		"workers.concurrency=4":                       false,
		"provision.run=2":                             true,
		"provision.replicas=3":                        true,
		"provision.backoffLimit=1":                    true,
		"image.tag=v2":                                true,
		"keys.existingSecret=other":                   true,
		"nats.account=OTHER":                          true,
		"extraLabels={team: payroll}":                 true,
		"provision.tolerations=[{key: x}]":            true,
		"provision.maxBytes={WAGEWIRE_EVENTS: 20GiB}": true,
	} {
		t.Run(setting, func(t *testing.T) {
			var settings []string
			if setting != "" {
				settings = append(settings, setting)
			}
			if got := job(t, with(t, "trial", settings...)).Name; (got != name) != another {
				t.Errorf("the Job is %s, and was %s before the change", got, name)
			}
		})
	}
}

func TestTheJobLastsAndCanBeRead(t *testing.T) {
	spec := job(t, with(t, "trial")).Spec
	if spec.TTLSecondsAfterFinished != nil {
		t.Error("the Job removes itself, and Argo CD would make it again")
	}
	if spec.Template.Spec.RestartPolicy != core.RestartPolicyNever {
		t.Error("a pod that failed does not stay with its last line")
	}
}

func TestProvisionIsToldTheLimits(t *testing.T) {
	spec := job(t, with(t, "production")).Spec.Template.Spec
	if diff := cmp.Diff([]string{"provision", "apply", "--wait=120s", "--replicas=3",
		"--max-bytes=WAGEWIRE_COMPLETIONS=40GiB", "--max-bytes=WAGEWIRE_EVENTS=20GiB",
		"--max-age=WAGEWIRE_COMPLETIONS=30d"}, spec.InitContainers[0].Args); diff != "" {
		t.Errorf("apply (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"provision", "autoscaler",
		"--monitoring=https://nats-headless.nats.svc:8222", "--account=WAGEWIRE"},
		spec.Containers[0].Args); diff != "" {
		t.Errorf("autoscaler (-want +got)\n%s", diff)
	}
}

func TestProvisionIsToldWhatItMayShrink(t *testing.T) {
	v := with(t, "trial", "provision.shrink=[WAGEWIRE_EVENTS, WAGEWIRE_RECORDS]")
	args := job(t, v).Spec.Template.Spec.InitContainers[0].Args
	for _, want := range []string{"--shrink=WAGEWIRE_EVENTS", "--shrink=WAGEWIRE_RECORDS"} {
		if !slices.Contains(args, want) {
			t.Errorf("provision is not told %s but %s", want, args)
		}
	}
}

func TestProvisionAsksForKEDAIfAWorkerIsScaled(t *testing.T) {
	const off = "autoscaling.enabled=false"
	for name, row := range map[string]struct {
		settings []string
		want     string
	}{
		"every worker": {nil, "autoscaler"},
		"no worker":    {[]string{off}, "apply"},
		"one worker":   {[]string{off, "workers.each.paystubs.autoscaling.enabled=true"}, "autoscaler"},
	} {
		t.Run(name, func(t *testing.T) {
			v := with(t, "trial", row.settings...)
			if got := job(t, v).Spec.Template.Spec.Containers[0].Name; got != row.want {
				t.Errorf("the last step of the Job is %s, want %s", got, row.want)
			}
			asks := strings.Contains(render(t, v).notes, "4. KEDA scales")
			if asks != (row.want == "autoscaler") {
				t.Errorf("the notes speak of KEDA: %t", asks)
			}
		})
	}
}

func TestEveryStreamCanHaveALimit(t *testing.T) {
	topology := schema.DefaultTopology()
	limits := values{topology.Records.Name: "1d"}
	for _, s := range topology.Streams {
		limits[s.Name] = "1d"
	}
	v := with(t, "trial")
	set(v, []string{"provision", "maxAge"}, limits)
	args := job(t, v).Spec.Template.Spec.InitContainers[0].Args
	for name := range limits {
		if !slices.Contains(args, "--max-age="+name+"=1d") {
			t.Errorf("provision is not told the age of %s", name)
		}
	}
}

// random is an action of a template with a function that gives another result at each rendering, or
// that asks the cluster.
var random = regexp.MustCompile(
	`\{\{[^}]*\b(rand\w+|lookup|now|date\w*|uuidv4|gen[A-Z]\w*|htpasswd|bcrypt|encryptAES)\b`)

func TestNothingIsRandom(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(chartDir, "templates", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if match := random.FindSubmatch(text); match != nil {
			t.Errorf("%s uses %s", file, match[1])
		}
	}
}
