package stream_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// cluster starts three nodes that store everything three times, and returns them and their URLs.
func cluster(t *testing.T) (nodes []*server.Server, urls string) {
	t.Helper()
	var routes []string
	var ports []int
	for range 3 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		must(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		must(t, l.Close())
		ports, routes = append(ports, port), append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	var clients []string
	for i, port := range ports {
		node, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("node-%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
			NoLog: true, NoSigs: true, Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes: server.RoutesFromStr(strings.Join(routes, ",")),
		})
		must(t, err)
		node.Start()
		t.Cleanup(func() { node.Shutdown(); node.WaitForShutdown() })
		if !node.ReadyForConnections(waitFor) {
			t.Fatal("a node does not start")
		}
		nodes, clients = append(nodes, node), append(clients, node.ClientURL())
	}
	return nodes, strings.Join(clients, ",")
}

// clusterFor caps what takes an election: seconds, on a busy machine more.
const clusterFor = 2 * time.Minute

// until asks again until it holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	end := time.After(clusterFor)
	for !holds() {
		select {
		case <-end:
			t.Fatalf("not within %s: %s", clusterFor, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestLeadersMoveAndANodeGoesAndNothingIsLostOrToldTwice(t *testing.T) {
	t.Parallel()
	nodes, urls := cluster(t)
	c, err := stream.Connect(stream.Config{URL: urls}, t.Name(), zap.NewNop())
	must(t, err)
	t.Cleanup(c.Close)
	topology := streamtest.Topology()
	topology.Replicas, topology.Lease = 3, 5*time.Second
	until(t, "streams of three replicas", func() bool { return stream.NewOperator(c).Provision(t.Context(), topology) == nil })

	ctx, stop := context.WithCancel(t.Context())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		_ = c.Queue(paystubsQueue).Consume(ctx, 4, func(d *stream.Delivery) {
			if _, err := c.PublishCompletion(context.WithoutCancel(ctx), d.Event, schema.NewCompletion(d.Event, schema.Paystubs, schema.Succeeded, time.Now())); err == nil {
				_ = d.Done() // else its lease ends, and it comes again
			}
		})
	}()
	t.Cleanup(func() { stop(); <-worked })

	nc, err := nats.Connect(urls, nats.MaxReconnects(-1))
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	move := func(api string) { // an answer that gets lost is no harm: there are more moves
		asked, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = nc.RequestWithContext(asked, "$JS.API."+api, nil)
	}

	events := numbered(0, 60)
	for i, e := range events {
		switch i {
		case 15:
			move("STREAM.LEADER.STEPDOWN." + schema.EventsStream)
		case 25:
			move("STREAM.LEADER.STEPDOWN." + schema.CompletionsStream)
			move("CONSUMER.LEADER.STEPDOWN." + schema.EventsStream + "." + paystubsQueue.Name)
		case 35:
			move("META.LEADER.STEPDOWN")
		case 45: // the node that leads the events goes for good
			s, err := js.Stream(t.Context(), schema.EventsStream)
			must(t, err)
			for _, node := range nodes {
				if node.Name() == s.CachedInfo().Cluster.Leader {
					node.Shutdown()
				}
			}
		}
		within, cancel := context.WithTimeout(t.Context(), clusterFor)
		_, err := c.PublishEvent(within, e)
		cancel()
		must(t, err)
	}
	count := func(name string) (n uint64) {
		if s, err := js.Stream(t.Context(), name); err == nil {
			n = s.CachedInfo().State.Msgs
		}
		return n
	}
	until(t, "every event has its completion", func() bool { return count(schema.CompletionsStream) >= uint64(len(events)) })
	until(t, "the queue is empty", func() bool {
		q, err := js.Consumer(t.Context(), schema.EventsStream, paystubsQueue.Name)
		return err == nil && q.CachedInfo().NumPending == 0 && q.CachedInfo().NumAckPending == 0
	})
	if e, d := count(schema.EventsStream), count(schema.CompletionsStream); e != uint64(len(events)) || d != uint64(len(events)) {
		t.Errorf("%d events and %d completions, want %d of each", e, d, len(events))
	}
}
