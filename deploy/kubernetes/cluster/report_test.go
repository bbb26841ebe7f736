//go:build cluster

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// labels of the objects of a release.
const (
	componentLabel = "app.kubernetes.io/component"
	ofRelease      = "app.kubernetes.io/instance="
)

// pods lists the pods of the release with a component, or with any if component is empty.
func (r *release) pods(ctx context.Context, component string) ([]corev1.Pod, error) {
	selector := ofRelease + r.name
	if component != "" {
		selector += "," + componentLabel + "=" + component
	}
	var list corev1.PodList
	err := r.get(ctx, &list, "pods", "--selector", selector)
	return list.Items, err
}

// get reads objects of the namespace.
func (r *release) get(ctx context.Context, into any, args ...string) error {
	args = append([]string{"get", "--namespace", r.namespace, "--output", "json"}, args...)
	text, err := r.run(ctx, "kubectl", args...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// isReady reports whether a pod works.
func isReady(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// restarts returns a line for each container that has ended and was started again.
func restarts(pods []corev1.Pod) (lines []string) {
	for _, p := range pods {
		for _, c := range p.Status.ContainerStatuses {
			if c.RestartCount == 0 {
				continue
			}
			why := ""
			if end := c.LastTerminationState.Terminated; end != nil {
				why = fmt.Sprintf(", the last time with %d: %s", end.ExitCode, end.Message)
			}
			lines = append(lines,
				fmt.Sprintf("%s was restarted %d times%s", p.Name, c.RestartCount, why))
		}
	}
	return lines
}

// stuck returns which pods cannot start and why, such as a missing image. It returns "" if all can.
func (r *release) stuck(ctx context.Context) (why string) {
	pods, err := r.pods(ctx, "")
	if err != nil {
		return ""
	}
	for _, p := range pods {
		for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			w := c.State.Waiting
			if w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
				why += fmt.Sprintf("; %s: %s", p.Name, w.Reason)
			}
		}
	}
	return why
}

// lastWords returns what the containers of the pods said when they ended.
func lastWords(pods []corev1.Pod) (words []string) {
	for _, p := range pods {
		for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			for _, state := range []corev1.ContainerState{c.State, c.LastTerminationState} {
				if state.Terminated != nil && state.Terminated.ExitCode != 0 {
					words = append(words, strings.TrimSpace(state.Terminated.Message))
				}
			}
		}
	}
	return words
}

// reportFailure prints the state of the release when the test has failed, unless a subtest has done
// so.
func (r *release) reportFailure(t *testing.T) {
	t.Helper()
	before := r.reports
	t.Cleanup(func() {
		if t.Failed() && r.reports == before {
			r.report(t)
		}
	})
}

// report prints the pods of the release, the warnings, and the last lines of every container.
func (r *release) report(t *testing.T) {
	t.Helper()
	r.reports++
	ctx := context.WithoutCancel(t.Context())
	for _, args := range [][]string{
		{"get", "pods,jobs,deployments", "--output", "wide"},
		{"get", "scaledobjects,horizontalpodautoscalers"},
		{"get", "events", "--field-selector", "type=Warning", "--sort-by", ".lastTimestamp"},
		{"logs", "--selector", ofRelease + r.name, "--all-containers", "--prefix",
			"--tail", "4", "--max-log-requests", "50", "--ignore-errors"},
	} {
		text, err := r.run(ctx, "kubectl", append(args, "--namespace", r.namespace)...)
		if err != nil {
			text = err.Error()
		}
		t.Logf("kubectl %s\n%s", strings.Join(args, " "), lastLines(text, 60))
	}
}

// lastLines returns the end of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
