package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// cluster starts three servers that know each other, and returns them with their URLs.
func cluster(t *testing.T) (nodes []*server.Server, urls string) {
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
		node := serve(t, server.Options{
			ServerName: fmt.Sprintf("node-%d", i),
			Port:       server.RANDOM_PORT,
			JetStream:  true,
			StoreDir:   t.TempDir(),
			Cluster:    server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes:     server.RoutesFromStr(strings.Join(routes, ",")),
		})
		nodes = append(nodes, node)
		clients = append(clients, node.ClientURL())
	}
	return nodes, strings.Join(clients, ",")
}

// clusterTry is how long one try may take before the test tries again. A cluster that chooses a
// leader may not answer at all.
const clusterTry = 10 * time.Second

// clusterEventually is streamtest.Eventually for conditions that ask the cluster.
func clusterEventually(t *testing.T, what string, holds func(context.Context) bool) {
	t.Helper()
	streamtest.Eventually(t, what, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), clusterTry)
		defer cancel()
		return holds(ctx)
	})
}

// provisionCluster connects to a cluster, and makes the streams and queues of a topology.
func provisionCluster(t *testing.T, urls string, topology schema.Topology) *stream.Conn {
	t.Helper()
	c, err := stream.Connect(stream.Config{URL: urls}, t.Name(), zap.NewNop())
	must(t, err)
	t.Cleanup(c.Close)
	clusterEventually(t, "streams of three replicas", func(ctx context.Context) bool {
		return operator(c).Provision(ctx, topology) == nil
	})
	return c
}

// clusterTopology is the topology with three replicas.
func clusterTopology() schema.Topology {
	topology := streamtest.Topology()
	topology.Replicas = 3
	return topology
}

// completeAll completes every event of a queue, until the test ends.
func completeAll(t *testing.T, c *stream.Conn, q schema.Queue) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		_ = c.Queue(q).Consume(ctx, stream.Taking{Hands: 4}, func(d *stream.Delivery) {
			completion := schema.NewCompletion(d.Event, q.Resource, schema.Succeeded, time.Now())
			// After an error the lease of the event ends, and the event comes again.
			if _, err := c.PublishCompletion(ctx, d.Event, completion); err == nil {
				_ = d.Done()
			}
		})
	}()
	t.Cleanup(func() { stop(); <-worked })
}

func TestLeadersMoveAndANodeStopsAndNothingIsLostOrStoredTwice(t *testing.T) {
	t.Parallel()
	nodes, urls := cluster(t)
	topology := clusterTopology()
	topology.Lease = 5 * time.Second
	c := provisionCluster(t, urls, topology)
	completeAll(t, c, paystubsQueue)

	nc, err := nats.Connect(urls, nats.MaxReconnects(-1))
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	move := func(api string) { // a lost answer does no harm: there are more moves
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = nc.RequestWithContext(ctx, "$JS.API."+api, nil)
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
		case 45: // the leader of the events stops for good
			stopLeader(t, js, nodes)
		}
		clusterEventually(t, "the event is stored", func(ctx context.Context) bool {
			_, err := c.PublishEvent(ctx, e)
			return err == nil
		})
	}
	clusterEventually(t, "every event has its completion", func(ctx context.Context) bool {
		return count(ctx, js, schema.CompletionsStream) >= uint64(len(events))
	})
	clusterEventually(t, "the queue is empty", func(ctx context.Context) bool {
		q, err := js.Consumer(ctx, schema.EventsStream, paystubsQueue.Name)
		return err == nil && q.CachedInfo().NumPending == 0 && q.CachedInfo().NumAckPending == 0
	})
	for _, name := range []string{schema.EventsStream, schema.CompletionsStream} {
		var n uint64
		clusterEventually(t, "the stream's state", func(ctx context.Context) bool {
			n = count(ctx, js, name)
			return n > 0
		})
		if n != uint64(len(events)) {
			t.Errorf("%d messages on %s, want %d", n, name, len(events))
		}
	}
}

// A worker that is connected to another server than the leader gets its events over a route. An
// event that arrives there after the end of the subscription would be dropped.
func TestNoEventStaysOnLeaseAfterAStopOfABusyQueueInACluster(t *testing.T) {
	t.Parallel()
	nodes, urls := cluster(t)
	var conns []*stream.Conn
	for _, node := range nodes {
		config := stream.Config{URL: node.ClientURL()}
		c, err := stream.Connect(config, t.Name(), zap.NewNop())
		must(t, err)
		t.Cleanup(c.Close)
		conns = append(conns, c)
	}
	topology := clusterTopology()
	topology.Lease = 24 * time.Hour
	c := provisionCluster(t, urls, topology)
	const rounds, events = 12, 8
	for _, e := range numbered(0, rounds*events) {
		clusterEventually(t, "the event is stored", func(ctx context.Context) bool {
			_, err := c.PublishEvent(ctx, e)
			return err == nil
		})
	}
	var done sync.Map
	work := func(d *stream.Delivery) {
		streamtest.Eventually(t, "the event is settled", func() bool {
			err := d.Done()
			return err == nil || errors.Is(err, jetstream.ErrMsgAlreadyAckd)
		})
		done.Store(d.Event.ID, true)
	}
	for round := range rounds {
		ctx, stop := context.WithCancel(t.Context())
		must(t, conns[round%len(conns)].Queue(paystubsQueue).Consume(ctx,
			stream.Taking{Hands: events}, func(d *stream.Delivery) {
				stop() // the other events of the request are on their way
				work(d)
			}))
	}
	completeRest(t, c, &done, rounds*events, work)
}

// completeRest works on a queue until all events with the ids from 0 are done.
func completeRest(
	t *testing.T, c *stream.Conn, done *sync.Map, events int, work func(*stream.Delivery),
) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		must(t, c.Queue(paystubsQueue).Consume(ctx, stream.Taking{Hands: 8}, work))
	})
	for id := range events {
		streamtest.Eventually(t, fmt.Sprintf("event %d comes", id), func() bool {
			_, ok := done.Load(fmt.Sprint(id))
			return ok
		})
	}
	stop()
	working.Wait()
}

// count returns the number of messages on a stream, and 0 if the cluster does not answer.
func count(ctx context.Context, js jetstream.JetStream, name string) uint64 {
	s, err := js.Stream(ctx, name)
	if err != nil {
		return 0
	}
	return s.CachedInfo().State.Msgs
}

// stopLeader stops the node that leads the events stream.
func stopLeader(t *testing.T, js jetstream.JetStream, nodes []*server.Server) {
	t.Helper()
	clusterEventually(t, "a leader to stop", func(ctx context.Context) bool {
		s, err := js.Stream(ctx, schema.EventsStream)
		if err != nil {
			return false
		}
		for _, node := range nodes {
			if node.Name() == s.CachedInfo().Cluster.Leader {
				node.Shutdown()
				return true
			}
		}
		return false
	})
}
