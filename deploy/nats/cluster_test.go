package nats_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// startCluster starts three nodes with the keys of the demonstration.
func startCluster(t *testing.T) (nodes []*installation) {
	t.Helper()
	var ports []int
	var routes []string
	for range 3 {
		port := streamtest.FreePort(t)
		ports = append(ports, port)
		routes = append(routes, fmt.Sprintf(`"nats://127.0.0.1:%d"`, port))
	}
	parent := t.TempDir()
	for n, port := range ports {
		node := &installation{dir: filepath.Join(parent, fmt.Sprint("nats-", n+1)), seeds: demo}
		must(t, os.Rename(copyInstallation(t), node.dir))
		node.start(t, fmt.Sprintf("\ncluster { name: wagewire, listen: \"127.0.0.1:%d\", "+
			"routes: [%s], no_advertise: true }\n", port, strings.Join(routes, ", ")))
		nodes = append(nodes, node)
	}
	return nodes
}

// replicated is the default topology on three nodes.
func replicated() schema.Topology {
	topology := schema.DefaultTopology()
	topology.Replicas = 3
	return topology
}

// provisionCluster makes the streams of three replicas. A cluster that chooses a leader may not
// answer at first.
func provisionCluster(t *testing.T, nodes []*installation) {
	t.Helper()
	operator := nodes[0].connect(t, stream.RoleOperator)
	streamtest.Eventually(t, "the streams of three replicas", func() bool {
		return operator.Provision(t.Context(), replicated()) == nil
	})
}

// other returns a node that does not lead the stream.
func other(
	t *testing.T, nodes []*installation, full jetstream.JetStream, name string,
) *installation {
	t.Helper()
	s, err := full.Stream(t.Context(), name)
	must(t, err)
	leader := s.CachedInfo().Cluster.Leader
	i := slices.IndexFunc(nodes, func(i *installation) bool { return i.name() != leader })
	return nodes[i]
}

func TestNoAnswerIsStoredInAClusterEither(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	provisionCluster(t, nodes)
	fill(t, nodes[0].broker, replicated())
	full := nodes[0].dial(t, stream.RoleOperator).jetstream(t)
	grants := slices.DeleteFunc(everyGrant(t), func(g stream.Grant) bool {
		return !slices.Contains([]string{stream.RoleIngress, "link", team}, g.Role)
	})
	node := other(t, nodes, full, schema.EventsStream)
	attempts, stored := tellAll(t, node.broker, grants, full, withDomain)
	t.Logf("%d attempts, %d stored", attempts, total(stored))
	if len(stored) > 0 {
		t.Errorf("the broker stored its own answers: %v", stored)
	}
}

func TestTheLineWorksOnEveryNode(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	provisionCluster(t, nodes)
	full := nodes[0].dial(t, stream.RoleOperator).jetstream(t)
	var line traffic
	for n, node := range nodes {
		line.publish(t, fmt.Sprint("e-", n), node.part(t, stream.RoleIngress, stream.Domain))
		line.complete(t, node.part(t, stream.WorkerRole(schema.Paystubs), stream.Domain), every)
	}
	line.more(t, "the line works")

	public, seed := newSeed(t, t.TempDir())
	added := stream.Team{Name: "added", Durables: []string{"added"}, Key: public,
		Resources: []schema.Resource{schema.Paystubs}}
	makeDurables(t, full, added)
	for _, node := range nodes {
		node.write(t, nats.TeamsFile, nats.Teams(append(demoTeams(t), added)))
		node.reload(t)
	}
	line.more(t, "the line goes on")
	for _, node := range nodes {
		js := node.dialSeed(t, seed).jetstream(t)
		var durable jetstream.Consumer
		streamtest.Eventually(t, "the new team reaches its durable consumer", func() bool {
			var err error
			durable, err = js.Consumer(t.Context(), schema.CompletionsStream, "added")
			return err == nil
		})
		msg := nextMessage(t, "a completion for the new team", durable)
		must(t, msg.DoubleAck(t.Context()))
	}
}
