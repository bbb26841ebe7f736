//go:build cluster

package cluster

import (
	"flag"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

var (
	imagesFlag = flag.String("images", "",
		"the prefix and the tag of images that the cluster can pull, such as "+
			"images.example.org/wagewire:v1; empty: build images for the one-node cluster")
	formerFlag = flag.String("former", "", "the same for the images of the former release")
	valuesFlag = flag.String("values", "",
		"a file of values that the cluster needs, such as a storage class")
	updateFlag = flag.Bool("update", false, "write ../scaling.svg")
)

// The scenarios share an installation and run in this order. Each of them can run alone: the
// scenarios begin with an upgrade to the values that they need.
func TestCluster(t *testing.T) {
	isOwn := startCluster(t)
	s := ours()
	if isOwn {
		t.Run("without KEDA helm says what to install", func(t *testing.T) { showNoKEDA(t, s) })
		startKEDA(t)
	}
	wagewire := buildOperator(t)
	i := s.imagesOf(t, *imagesFlag, repository, "test")
	r := newRelease(t, s, wagewire, "wagewire-test", i)
	r.upgrade(t)
	r.ready(t)
	r.startFakes(t)
	for _, scenario := range []struct {
		promise string
		show    func(t *testing.T, r *release)
	}{
		{"every type of webhook is completed", showEveryType},
		{"a worker grows with its ready work and keeps the rate", showScale},
		{"a paused queue adds no pod", showPause},
		{"a provider that asks to wait adds no pod", showHold},
		{"a provider that is down adds no pod", showOutage},
		{"pods are deleted under load", showDeletedPods},
		{"a node is drained under load", showDrain},
		{"no webhook is refused while every pod is replaced", showRollingUpgrade},
		{"a wrong account is found by provision", showWrongAccount},
		{"a provision that would lose data is refused", showLossRefused},
		{"a missing kind is named by helm", showNoKinds},
		{"an uninstalled release keeps its events", showUninstall},
	} {
		t.Run(scenario.promise, func(t *testing.T) {
			r.reportFailure(t)
			scenario.show(t, r)
		})
	}
	t.Run("a release that lacks something says what", func(t *testing.T) {
		showMissingParts(t, s, wagewire, i)
	})
	t.Run("the former release is upgraded and rolled back", func(t *testing.T) {
		r.uninstall(t) // two releases are too many for one node
		showFormer(t, s, wagewire, i)
	})
}

// showEveryType installs the fakes of the chart, and lets them send a webhook of each type that has
// a worker. The deletion of the link is the last, because it erases the account.
func showEveryType(t *testing.T, r *release) {
	r.upgrade(t)
	r.ready(t)
	pods, err := r.pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range restarts(pods) {
		t.Error(line)
	}
	f := r.newFakes(t, "service/wagewire-providers")
	person, err := f.newPerson(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, erases := range []bool{false, true} {
		for _, w := range schema.Catalogue() {
			if w.Erases != erases || len(w.Workers) == 0 {
				continue
			}
			if err := f.send(t.Context(), w.Name, person); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		r.settled(t, f)
	}
	t.Logf("%d types of webhooks are completed", sent)
	status := r.must(t, "kubectl", "exec", "--namespace", r.namespace, "deployment/"+r.name+"-tool",
		"--", "/app", "status") // as the notes of the chart say
	if !strings.Contains(status, scaledQueue) {
		t.Errorf("the operator's command in the pod says\n%s", status)
	}
}
