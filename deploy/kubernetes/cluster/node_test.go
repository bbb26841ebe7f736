//go:build cluster

package cluster

import (
	"os"
	"strings"
	"testing"
)

// node is the directory with the scripts of the one-node cluster.
const node = "../node/"

// startCluster returns the surroundings for the cluster of KUBECONFIG. Without KUBECONFIG it brings
// up the one-node cluster, without KEDA, and takes it down when the test ends.
func startCluster(t *testing.T) (s surroundings, isOwn bool) {
	t.Helper()
	if os.Getenv("KUBECONFIG") != "" {
		return ours(), false
	}
	t.Log("KUBECONFIG is empty: bringing up the one-node cluster of deploy/kubernetes/node")
	ours().must(t, node+"build", "keda")
	t.Cleanup(func() { ours().clean(t, node+"down", "node") })
	return s.exported(t, ours().must(t, node+"up", "node")), true
}

// startKEDA brings up KEDA on the one-node cluster.
func startKEDA(t *testing.T) {
	t.Helper()
	ours().must(t, node+"up", "node", "keda")
}

// exported returns the variables that a script exports, and those of this process.
func (surroundings) exported(t *testing.T, script string) surroundings {
	t.Helper()
	text := ours().must(t, "bash", "-c", script+"\nenv")
	return strings.Split(strings.TrimSpace(text), "\n")
}
