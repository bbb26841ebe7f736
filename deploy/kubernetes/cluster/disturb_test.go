//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	policyv1 "k8s.io/api/policy/v1"

	"github.com/wagewire/wagewire/schema"
)

// loadMin is how many webhooks are stored before a test disturbs the release.
const loadMin = 60

// useBusy upgrades the release to the values of the scenarios with load.
func (r *release) useBusy(t *testing.T, more ...string) {
	t.Helper()
	r.upgrade(t, append([]string{
		"--values", "testdata/fakes.yaml", "--values", "testdata/busy.yaml",
	}, more...)...)
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

// workerNames are the components that are workers: their names are those of their commands.
func workerNames() (names []string) {
	for _, q := range schema.Queues() {
		name := strings.ReplaceAll(string(q.Resource), "_", "-")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
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
	r.kubectl(t, "delete", "pods", "--selector", r.ofComponents(append(workerNames(), "ingress")...),
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
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	drained := make(chan error, 1)
	go func() {
		_, err := r.run(ctx, "kubectl", "drain", node, "--ignore-daemonsets",
			"--delete-emptydir-data", "--timeout", "15m",
			"--pod-selector", r.ofComponents(append(workerNames(), "ingress")...))
		drained <- err
	}()
	least := r.watchDrain(t, node)
	before := r.ledger.accepted()
	r.moreStored(t, before)
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

// watchDrain waits until all pods have left the node that may leave: a disruption budget keeps the
// last ready pod of a component that had two. It returns the least number of ready ingress pods in
// the cluster.
func (r *release) watchDrain(t *testing.T, node string) (least int) {
	t.Helper()
	least = 1 << 20
	until(t, "the pods have left the node", func(ctx context.Context) error {
		pods, err := r.pods(ctx, "")
		if err != nil {
			return err
		}
		ready := 0
		left := map[string]int{}
		for _, p := range pods {
			component := p.Labels[componentLabel]
			if component == "ingress" && isReady(p) {
				ready++
			}
			if p.Spec.NodeName == node && p.DeletionTimestamp == nil {
				left[component]++
			}
		}
		least = min(least, ready)
		return r.mayLeave(ctx, left)
	})
	return least
}

// mayLeave returns an error if a disruption budget lets one more of these pods leave. left counts
// the pods by their component.
func (r *release) mayLeave(ctx context.Context, left map[string]int) error {
	var budgets policyv1.PodDisruptionBudgetList
	err := r.get(ctx, &budgets, "poddisruptionbudgets", "--selector", ofRelease+r.name)
	if err != nil {
		return err
	}
	for _, b := range budgets.Items {
		component := b.Labels[componentLabel]
		if left[component] > 0 && b.Status.DisruptionsAllowed > 0 {
			return fmt.Errorf("%d pods of %s are there", left[component], component)
		}
	}
	return nil
}

// isWorker reports whether a component is a worker.
func isWorker(component string) bool {
	for _, name := range workerNames() {
		if name == component {
			return true
		}
	}
	return false
}
