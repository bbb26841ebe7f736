//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// chart is the directory of the chart.
const chart = "../chart"

// release is an installation of the chart in a namespace of its own.
type release struct {
	surroundings

	namespace string
	// name is the name of the release.
	name string
	// keys is the directory that wagewire nkeys wrote.
	keys string
	// wagewire is the path of the operator's command.
	wagewire string
	// images are those of the release.
	images images
	// ledger has the webhooks that any fakes sent to the release.
	ledger *ledger
	// fakes are the fake providers outside of the release.
	fakes *fakes
	// reports counts the failures whose surroundings were printed.
	reports int
}

// newRelease makes a namespace that refuses pods with rights, and the secrets of an installation.
// The namespace goes when the test ends.
func newRelease(t *testing.T, s surroundings, wagewire, namespace string, i images) *release {
	t.Helper()
	r := &release{
		surroundings: s, namespace: namespace, name: "wagewire", images: i,
		keys: filepath.Join(t.TempDir(), "keys"), wagewire: wagewire, ledger: newLedger(),
	}
	s.must(t, "kubectl", "create", "namespace", namespace)
	t.Cleanup(func() {
		s.clean(t, "kubectl", "delete", "namespace", namespace, "--timeout", "5m")
	})
	for _, mode := range []string{"enforce", "warn"} {
		s.must(t, "kubectl", "label", "namespace", namespace,
			"pod-security.kubernetes.io/"+mode+"=restricted")
	}
	s.must(t, r.wagewire, "nkeys", r.keys)
	r.secret(t, "wagewire-keys", "--from-file="+r.keys)
	for _, p := range schema.Providers() {
		r.secret(t, "wagewire-"+string(p), "--from-literal=secret="+fake.Secret(string(p)))
	}
	r.reportFailure(t)
	return r
}

// secret makes a secret.
func (r *release) secret(t *testing.T, name, from string) {
	t.Helper()
	r.kubectl(t, "create", "secret", "generic", name, from)
}

// kubectl runs a kubectl command in the namespace.
func (r *release) kubectl(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	return r.must(t, "kubectl", append(args, "--namespace", r.namespace)...)
}

// helm runs a helm command in the namespace.
func (r *release) helm(ctx context.Context, args ...string) error {
	_, err := r.run(ctx, "helm", append(args, "--namespace", r.namespace)...)
	return err
}

// upgradeArguments are the arguments of helm that install or upgrade the release.
func (r *release) upgradeArguments(chart string, args []string) []string {
	all := []string{
		"upgrade", "--install", r.name, chart, "--values", "testdata/trial.yaml",
		"--history-max", "20",
	}
	if *valuesFlag != "" {
		all = append(all, "--values", *valuesFlag)
	}
	return slices.Concat(all, r.images.values(), args)
}

// upgrade installs or upgrades the release with the values of a trial, and the values of args.
func (r *release) upgrade(t *testing.T, args ...string) {
	t.Helper()
	r.upgradeTo(t, chart, args...)
}

// upgradeTo is upgrade with another chart.
func (r *release) upgradeTo(t *testing.T, chart string, args ...string) {
	t.Helper()
	if err := r.helm(t.Context(), r.upgradeArguments(chart, args)...); err != nil {
		t.Fatal(err)
	}
}

// ready waits until every Deployment and StatefulSet has its pods of the last revision, all of them
// work, and provision has ended.
func (r *release) ready(t *testing.T) {
	t.Helper()
	began := time.Now()
	until(t, "every pod works", func(ctx context.Context) error {
		var deployments appsv1.DeploymentList
		err := r.get(ctx, &deployments, "deployments", "--selector", ofRelease+r.name)
		if err != nil {
			return err
		}
		for _, d := range deployments.Items {
			s := d.Status
			wanted := int32(1)
			if d.Spec.Replicas != nil {
				wanted = *d.Spec.Replicas
			}
			current := s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == wanted &&
				s.AvailableReplicas == wanted && s.Replicas == wanted
			if !current {
				return fmt.Errorf("%s has %d of %d pods, %d of them updated and %d available%s", d.Name,
					s.Replicas, wanted, s.UpdatedReplicas, s.AvailableReplicas, r.stuck(ctx))
			}
		}
		return r.statefulSetsReady(ctx)
	})
	r.kubectl(t, "wait", "job", "--selector", ofRelease+r.name, "--for=condition=Complete",
		"--timeout", "15m")
	t.Logf("every pod works, after %v", time.Since(began).Round(time.Second))
}

// statefulSetsReady returns an error unless every StatefulSet has its pods of the last revision.
func (r *release) statefulSetsReady(ctx context.Context) error {
	var sets appsv1.StatefulSetList
	if err := r.get(ctx, &sets, "statefulsets", "--selector", ofRelease+r.name); err != nil {
		return err
	}
	for _, set := range sets.Items {
		s := set.Status
		current := s.ObservedGeneration >= set.Generation &&
			s.CurrentRevision == s.UpdateRevision && s.ReadyReplicas == *set.Spec.Replicas
		if !current {
			return fmt.Errorf("%s has %d of %d pods of the last revision", set.Name,
				s.ReadyReplicas, *set.Spec.Replicas)
		}
	}
	return nil
}

// startFakes starts fake providers in a pod outside of the release, which send webhooks to its
// ingress. testdata/fakes.yaml points the workers to the Service of the pod.
func (r *release) startFakes(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("testdata/pod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pod.yaml")
	text = bytes.ReplaceAll(text, []byte("IMAGE"), []byte(r.images.name("providers")))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.kubectl(t, "apply", "--filename", file)
	r.kubectl(t, "wait", "pod/fakes", "--for=condition=Ready", "--timeout", "10m")
	r.fakes = r.newFakes(t, "pod/fakes")
}
