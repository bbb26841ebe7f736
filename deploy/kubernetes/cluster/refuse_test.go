//go:build cluster

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// showNoKEDA installs the chart on a cluster without KEDA.
func showNoKEDA(t *testing.T, s surroundings) {
	wantRefusal(t, s, "default", "autoscaling.enabled=false")
}

// wantRefusal fails the test unless helm refuses to install the chart with a line that has want in
// it.
func wantRefusal(t *testing.T, s surroundings, namespace, want string, args ...string) {
	t.Helper()
	_, err := s.run(t.Context(), "helm", append([]string{
		"install", "refused", chart, "--namespace", namespace, "--values", "testdata/trial.yaml",
	}, args...)...)
	if err == nil {
		s.clean(t, "helm", "uninstall", "refused", "--namespace", namespace)
		t.Fatal("helm installed the chart")
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("helm said %v, want %q in it", err, want)
	}
	t.Logf("helm said: %s", lastLines(err.Error(), 1))
}

// showNoKinds installs objects of kinds that the cluster lacks.
func showNoKinds(t *testing.T, r *release) {
	kinds := r.kubectl(t, "api-resources", "--output", "name")
	for _, row := range []struct{ kind, want, value string }{
		{"podmonitors.monitoring.coreos.com", "podMonitor.enabled=false", "podMonitor.enabled=true"},
		{"httproutes.gateway.networking.k8s.io", "ingress.route.kind",
			"ingress.route.kind=HTTPRoute,ingress.route.host=hooks.example.org," +
				"ingress.route.parentRefs[0].name=a-gateway"},
	} {
		if strings.Contains(kinds, row.kind) {
			t.Logf("not tried: this cluster has %s", row.kind)
			continue
		}
		wantRefusal(t, r.surroundings, r.namespace, row.want,
			"--set", "autoscaling.enabled=false,"+row.value)
	}
}

// showWrongAccount gives KEDA the name of an account that the broker does not have. Provision must
// say which value to change, and the workers go on.
func showWrongAccount(t *testing.T, r *release) {
	r.useBusy(t)
	r.badUpgrade(t, "nats.account", "--set", "nats.account=PAYROLL")
}

// showLossRefused asks provision for a limit that would delete stored events.
func showLossRefused(t *testing.T, r *release) {
	r.useBusy(t)
	r.fakes.sendMany(t, scaledType, 20)
	r.badUpgrade(t, "WAGEWIRE_EVENTS: refused", "--set", "provision.maxBytes.WAGEWIRE_EVENTS=4KiB",
		"--set", "provision.shrink={WAGEWIRE_EVENTS}")
}

// badUpgrade upgrades the release to values that provision refuses. The status of the pod of
// provision must have a line with want in it, and events must be completed all the same. Then it
// rolls back.
func (r *release) badUpgrade(t *testing.T, want string, args ...string) {
	t.Helper()
	r.upgrade(t, slices.Concat(busyValues, args)...)
	r.says(t, "provision", want)
	r.fakes.sendMany(t, scaledType, 20)
	r.settled(t, r.fakes)
	if err := r.helm(t.Context(), "rollback", r.name); err != nil {
		t.Fatal(err)
	}
	r.ready(t)
}

// says waits until the status of a pod of a component has a line with want in it: the last words of
// a container that failed.
func (r *release) says(t *testing.T, component, want string) {
	t.Helper()
	until(t, component+" has said why", func(ctx context.Context) error {
		pods, err := r.pods(ctx, component)
		if err != nil {
			return err
		}
		words := lastWords(pods)
		for _, text := range words {
			for line := range strings.Lines(text) {
				if strings.Contains(line, want) {
					t.Logf("the pod of %s says: %s", component, strings.TrimSpace(line))
					return nil
				}
			}
		}
		return fmt.Errorf("it said %.300q, want %q", words, want)
	})
}

// showMissingParts installs the chart without what it needs, in a namespace of its own.
func showMissingParts(t *testing.T, s surroundings, wagewire string, i images) {
	r := newRelease(t, s, wagewire, "wagewire-refused", i)
	only := []string{"--set", "pinwheel.enabled=false", "--set", "autoscaling.enabled=false"}
	t.Run("a missing secret is named by an event", func(t *testing.T) {
		r.upgrade(t, append(only, "--set", "truv.existingSecret=nowhere")...)
		until(t, "an event names the secret", func(ctx context.Context) error {
			var events corev1.EventList
			if err := r.get(ctx, &events, "events"); err != nil {
				return err
			}
			if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
				return strings.Contains(e.Message, `secret "nowhere" not found`)
			}) {
				return errors.New("there is none")
			}
			return nil
		})
	})
	t.Run("without NATS provision says so and no worker crashes", func(t *testing.T) {
		r.upgrade(t, append(only, "--set", "nats.enabled=false",
			"--set", "nats.url=nats://nowhere:4222", "--set", "provision.waitSeconds=5")...)
		r.says(t, "provision", "NATS_URL: nats://nowhere:4222: no answer")
		pods, err := r.pods(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range restarts(pods) {
			t.Error(line)
		}
		for _, p := range pods {
			if isReady(p) && p.Labels[componentLabel] != "providers" && p.Labels[componentLabel] != "nats" {
				t.Errorf("%s is ready", p.Name)
			}
		}
	})
}
