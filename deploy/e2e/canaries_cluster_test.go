//go:build canaries

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// goneFor is how long the files of a cluster may hold data after an erasure.
	goneFor = 15 * time.Minute
	// lookAtFiles is the pause between two looks at the files.
	lookAtFiles = time.Second
	// tellEvery is the pause between two lines about the files.
	tellEvery = 30 * time.Second
	// loopbackHost is the address of the servers.
	loopbackHost = "127.0.0.1"
)

// startCluster starts three servers that know each other. It returns their URLs and their
// directories.
func startCluster(t *testing.T) (urls string, stores []string) {
	t.Helper()
	var ports []int
	var routes []string
	for range 3 {
		port := streamtest.FreePort(t)
		ports = append(ports, port)
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	var clients []string
	for i, port := range ports {
		store := t.TempDir()
		node, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("node-%d", i),
			Host:       loopbackHost,
			Port:       server.RANDOM_PORT,
			JetStream:  true,
			StoreDir:   store,
			SyncAlways: true,
			MaxPayload: 1 << 20,
			NoLog:      true,
			NoSigs:     true,
			Cluster:    server.ClusterOpts{Name: "canaries", Host: loopbackHost, Port: port},
			Routes:     server.RoutesFromStr(strings.Join(routes, ",")),
		})
		if err != nil {
			t.Fatal(err)
		}
		node.Start()
		t.Cleanup(func() { node.Shutdown(); node.WaitForShutdown() })
		streamtest.Eventually(t, "the node takes connections", func() bool {
			return node.ReadyForConnections(time.Second)
		})
		clients = append(clients, node.ClientURL())
		stores = append(stores, store)
	}
	return strings.Join(clients, ","), stores
}

// provisionCluster makes streams of three replicas. A new cluster needs some time to choose a
// leader.
func provisionCluster(t *testing.T, urls string) {
	t.Helper()
	conn, err := stream.Connect(stream.Config{URL: urls}, t.Name(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	topology := streamtest.Topology()
	topology.Replicas = 3
	streamtest.Eventually(t, "streams of three replicas", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), askFor)
		defer cancel()
		return stream.NewOperator(conn).Provision(ctx, topology) == nil
	})
}

// Each server of a cluster keeps a log of what it agreed on with the others (the Raft log), with
// the messages. The server cuts the log about every two to three minutes.
func TestADeletedLinkLeavesTheFilesOfACluster(t *testing.T) {
	urls, stores := startCluster(t)
	provisionCluster(t, urls)
	l := startCanaryLine(t, urls, stores...)
	l.fill()
	l.send("deleted", schema.ActionDeleted)
	deleted := canaryEvent("deleted", schema.ActionDeleted).CompletionSubject(schema.Link)
	l.await("the completion deleted", schema.CompletionsStream, deleted)
	l.awaitSettled()
	erased := time.Now()
	l.checkLeft("after the erasure")

	look := time.NewTicker(lookAtFiles)
	defer look.Stop()
	told := erased
	for files := l.filesWith(canaries...); len(files) > 0; files = l.filesWith(canaries...) {
		if took := time.Since(erased); took > goneFor {
			t.Fatalf("%s after the erasure, data of the person is in %v", took, files)
		}
		if time.Since(told) >= tellEvery {
			told = time.Now()
			t.Logf("%s after the erasure: %d files have data of the person",
				time.Since(erased).Round(time.Second), len(files))
		}
		<-look.C
	}
	t.Logf("%s after the erasure: no file of the %d servers has data of the person",
		time.Since(erased).Round(time.Second), len(stores))
}
