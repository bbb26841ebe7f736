package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// size is the sum of pods and of what their containers ask for.
type size struct{ pods, milliCPU, bytes int64 }

func (s *size) add(pods int64, pod core.PodSpec) {
	s.pods += pods
	for _, c := range pod.Containers {
		s.milliCPU += pods * c.Resources.Requests.Cpu().MilliValue()
		s.bytes += pods * c.Resources.Requests.Memory().Value()
	}
}

// installation is an installation without work, and with all of its autoscalers at their maximum.
type installation struct {
	least, most size
	// workers are the least and the largest numbers of pods, by worker.
	workers map[string][2]int64
}

// measure adds up the pods of a rendering that run all the time.
func measure(r rendering) installation {
	scaled := map[string][2]int64{}
	workers := map[string][2]int64{}
	for worker, o := range scaledObjects(r) {
		pods := [2]int64{int64(*o.Spec.MinReplicaCount), int64(*o.Spec.MaxReplicaCount)}
		scaled[o.Spec.ScaleTargetRef.Name] = pods
		workers[worker] = pods
	}
	for _, o := range of[*autoscaling.HorizontalPodAutoscaler](r) {
		scaled[o.Spec.ScaleTargetRef.Name] = [2]int64{
			int64(*o.Spec.MinReplicas), int64(o.Spec.MaxReplicas),
		}
	}
	all := installation{workers: workers}
	for _, d := range of[*apps.Deployment](r) {
		pods, ok := scaled[d.Name]
		if !ok {
			pods = [2]int64{int64(*d.Spec.Replicas), int64(*d.Spec.Replicas)}
		}
		all.add(pods, d.Spec.Template.Spec)
	}
	for _, s := range of[*apps.StatefulSet](r) {
		all.add([2]int64{int64(*s.Spec.Replicas), int64(*s.Spec.Replicas)}, s.Spec.Template.Spec)
	}
	return all
}

func (i *installation) add(pods [2]int64, pod core.PodSpec) {
	i.least.add(pods[0], pod)
	i.most.add(pods[1], pod)
}

// addOfficialNATS adds the servers of nats-values.yaml, with their reloaders.
func (i *installation) addOfficialNATS(t *testing.T) {
	t.Helper()
	v := readYAML(t, "nats-values.yaml")
	servers := int64(at(t, v, "config", "cluster", "replicas").(float64))
	var pod core.PodSpec
	for _, path := range []string{"container", "reloader"} {
		requests := at(t, v, path, "merge", "resources", "requests").(values)
		pod.Containers = append(pod.Containers, core.Container{Resources: core.ResourceRequirements{
			Requests: core.ResourceList{
				core.ResourceCPU:    resource.MustParse(requests["cpu"].(string)),
				core.ResourceMemory: resource.MustParse(requests["memory"].(string)),
			},
		}})
	}
	i.add([2]int64{servers, servers}, pod)
}

// at returns the value below a path of names.
func at(t *testing.T, v values, path ...string) any {
	t.Helper()
	var value any = v
	for _, name := range path {
		value = value.(values)[name]
	}
	if value == nil {
		t.Fatalf("no value %s", strings.Join(path, "."))
	}
	return value
}

// describeWorkers says how many pods a worker has: first what most workers have.
func describeWorkers(workers map[string][2]int64) string {
	of := map[[2]int64][]string{}
	for _, worker := range slices.Sorted(maps.Keys(workers)) {
		of[workers[worker]] = append(of[workers[worker]], "`"+worker+"`")
	}
	kinds := slices.SortedFunc(maps.Keys(of), func(a, b [2]int64) int {
		return cmp.Or(len(of[b])-len(of[a]), int(b[1]-a[1]))
	})
	text := fmt.Sprintf("%d to %d", kinds[0][0], kinds[0][1])
	for _, kind := range kinds[1:] {
		text += fmt.Sprintf(", %s to %d", strings.Join(of[kind], " and "), kind[1])
	}
	return text
}

func TestTheTableOfSizesIsWhatTheChartAsksFor(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	cluster := []string{
		"nats={enabled: false, url: 'nats://nats:4222', monitoring: 'nats-headless:8222'}",
		"providers.enabled=false",
	}
	for beginning, row := range map[string]struct {
		settings []string
		official bool // nats-values.yaml has the servers of NATS
	}{
		"| trial | `nats.enabled`, `providers.enabled` |":   {},
		"| 10 calls/s, answers in 2 s | defaults, 3 NATS |": {cluster, true},
		"| 40 calls/s, answers in 4 s | `pinwheel.ratePerSecond=40`, `autoscaling.latencySeconds=4` |": {
			slices.Concat(cluster,
				[]string{"pinwheel.ratePerSecond=40", "autoscaling.latencySeconds=4"}), true},
		"| 200 calls/s, answers in 2 s | `pinwheel.ratePerSecond=200` |": {
			slices.Concat(cluster, []string{"pinwheel.ratePerSecond=200"}), true},
	} {
		t.Run(beginning, func(t *testing.T) {
			settings := slices.Concat(row.settings, []string{"console.enabled=false"})
			all := measure(render(t, with(t, "trial", settings...)))
			if row.official {
				all.addOfficialNATS(t)
			}
			const gibibyte = 1 << 30
			want := fmt.Sprintf("%s %s | %d to %d | %.1f to %.1f | %.1f to %.1f GiB |\n",
				beginning, describeWorkers(all.workers), all.least.pods, all.most.pods,
				float64(all.least.milliCPU)/1000, float64(all.most.milliCPU)/1000,
				float64(all.least.bytes)/gibibyte, float64(all.most.bytes)/gibibyte)
			if got := lineOf(string(readme), beginning); got != want {
				t.Errorf("README.md has %q, want\n%s", got, want)
			}
		})
	}
}
