//go:build cluster

package cluster

import (
	"os"
	"testing"
)

// node is the directory with the scripts of the one-node cluster.
const node = "../node/"

// startCluster uses the cluster of KUBECONFIG. Without KUBECONFIG it brings up the one-node
// cluster, without KEDA, and takes it down when the test ends.
func startCluster(t *testing.T) (isOwn bool) {
	t.Helper()
	if os.Getenv("KUBECONFIG") != "" {
		return false
	}
	t.Log("KUBECONFIG is empty: bringing up the one-node cluster of deploy/kubernetes/node")
	ours().must(t, node+"build", "keda")
	t.Cleanup(func() { ours().clean(t, node+"down", "node") })
	export(t, ours().must(t, node+"up", "node"))
	return true
}

// startKEDA brings up KEDA on the one-node cluster.
func startKEDA(t *testing.T) {
	t.Helper()
	ours().must(t, node+"up", "node", "keda")
}

// export sets the variables that the scripts of the node export, until the test ends.
func export(t *testing.T, script string) {
	t.Helper()
	for _, name := range []string{"KUBECONFIG", "PATH"} {
		t.Setenv(name, ours().must(t, "bash", "-c", script+"\nprintf %s \"$"+name+"\""))
	}
}
