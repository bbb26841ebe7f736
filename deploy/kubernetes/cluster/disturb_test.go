//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// loadMin is how many webhooks are stored before a test disturbs the release.
const loadMin = 60

// busyValues are the arguments of helm with the values of the scenarios with load.
var busyValues = []string{"--values", "testdata/fakes.yaml", "--values", "testdata/busy.yaml"}

// useBusy upgrades the release to the values of the scenarios with load.
func (r *release) useBusy(t *testing.T, more ...string) {
	t.Helper()
	r.upgrade(t, slices.Concat(busyValues, more)...)
	r.ready(t)
	r.fakes.fail(t)
}

// underLoad lets the fakes send webhooks all the time, and returns when some are stored.
func (r *release) underLoad(t *testing.T, retry bool) (stop func()) {
	t.Helper()
	before := r.ledger.accepted()
	stop = r.fakes.load(t, retry)
	r.moreStored(t, before)
	return stop
}

// moreStored waits until loadMin webhooks more than before are stored.
func (r *release) moreStored(t *testing.T, before int) {
	t.Helper()
	until(t, "the load is stored", func(context.Context) error {
		if n := r.ledger.accepted() - before; n < loadMin {
			return fmt.Errorf("%d of %d webhooks", n, loadMin)
		}
		return nil
	})
}

// processNames are the components that an upgrade or a drain replaces: ingress and the workers.
func processNames() []string { return append(workerNames(), "ingress") }

// workerNames are the components that are workers: their names are those of their commands.
func workerNames() (names []string) {
	for _, r := range schema.WorkerResources() {
		names = append(names, stream.WorkerRole(r))
	}
	return append(names, stream.RoleAccounts)
}

// ofComponents selects the pods of some components.
func (r *release) ofComponents(names ...string) string {
	return fmt.Sprintf("%s%s,%s in (%s)", ofRelease, r.name, componentLabel, strings.Join(names, ","))
}

// showDeletedPods deletes every worker's pod, then one pod of ingress, and then kills all of them
// without a grace.
func showDeletedPods(t *testing.T, r *release) {
	r.useBusy(t)
	stop := r.underLoad(t, true)
	r.kubectl(t, "delete", "pods", "--selector", r.ofComponents(workerNames()...), "--wait=false")
	r.ready(t)
	r.kubectl(t, "delete", "pod", r.onePod(t, "ingress"), "--wait=false")
	r.ready(t)
	before := r.ledger.accepted()
	r.kubectl(t, "delete", "pods", "--selector", r.ofComponents(processNames()...),
		"--grace-period=0", "--force")
	r.ready(t)
	r.moreStored(t, before)
	stop()
	t.Logf("webhooks answered otherwise than 200, and repeated: %d", len(r.fakes.refusals(t)))
	r.settled(t, r.fakes)
}

// onePod returns the name of a pod of a component.
func (r *release) onePod(t *testing.T, component string) string {
	t.Helper()
	pods, err := r.pods(t.Context(), component)
	if err != nil {
		t.Fatal(err)
	}
	if len(pods) == 0 {
		t.Fatalf("%s has no pod", component)
	}
	return pods[0].Name
}

// showDrain drains the node of an ingress pod. On a cluster of one node, the replacements wait
// until the node takes pods again, and the disruption budget keeps one pod of ingress.
func showDrain(t *testing.T, r *release) {
	r.useBusy(t)
	stop := r.underLoad(t, true)
	node := r.kubectl(t, "get", "pod", r.onePod(t, "ingress"), "--output", "jsonpath={.spec.nodeName}")
	t.Cleanup(func() { r.clean(t, "kubectl", "uncordon", node) })
	pods, err := r.pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	before := podsOn(node, pods)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	drained := make(chan error, 1)
	go func() {
		_, err := r.run(ctx, "kubectl", "drain", node, "--ignore-daemonsets",
			"--delete-emptydir-data", "--timeout", "15m",
			"--pod-selector", r.ofComponents(processNames()...))
		drained <- err
	}()
	least := r.watchDrain(t, node, before)
	r.moreStored(t, r.ledger.accepted())
	r.kubectl(t, "uncordon", node)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	r.ready(t)
	stop()
	if least < 1 {
		t.Error("ingress had no ready pod while the node was drained")
	}
	t.Logf("ingress had %d ready pods at least while the node was drained", least)
	r.settled(t, r.fakes)
}

// podsOn counts the pods of a node that a drain replaces and that do not end, by their component.
func podsOn(node string, pods []corev1.Pod) map[string]int {
	count := map[string]int{}
	for _, p := range running(pods) {
		if p.Spec.NodeName == node {
			count[p.Labels[componentLabel]]++
		}
	}
	return count
}

// running returns the pods of ingress and the workers that do not end.
func running(pods []corev1.Pod) (some []corev1.Pod) {
	for _, p := range pods {
		if p.DeletionTimestamp == nil && slices.Contains(processNames(), p.Labels[componentLabel]) {
			some = append(some, p)
		}
	}
	return some
}

// watchDrain waits until a pod of each component has left the node, and all others that may leave:
// a disruption budget keeps the last ready pod of a component that had two. before counts the pods
// of the node before the drain. watchDrain returns the least number of ready ingress pods in the
// cluster.
func (r *release) watchDrain(t *testing.T, node string, before map[string]int) (least int) {
	t.Helper()
	least = 1 << 20
	until(t, "the pods have left the node", func(ctx context.Context) error {
		pods, err := r.pods(ctx, "")
		if err != nil {
			return err
		}
		ready := 0
		for _, p := range pods {
			if p.Labels[componentLabel] == "ingress" && isReady(p) {
				ready++
			}
		}
		least = min(least, ready)
		return r.wantLeft(ctx, before, podsOn(node, pods))
	})
	return least
}

// wantLeft returns an error unless each component has fewer pods now than before, and no
// disruption budget lets one more of them leave.
func (r *release) wantLeft(ctx context.Context, before, now map[string]int) error {
	var budgets policyv1.PodDisruptionBudgetList
	err := r.get(ctx, &budgets, "poddisruptionbudgets", "--selector", ofRelease+r.name)
	if err != nil {
		return err
	}
	for _, b := range budgets.Items {
		component := b.Labels[componentLabel]
		mayLeave := b.Status.DisruptionsAllowed > 0
		if now[component] > 0 && (mayLeave || now[component] == before[component]) {
			return fmt.Errorf("%d pods of %s are there", now[component], component)
		}
	}
	return nil
}
