package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// duplicatesFor is the window in which the broker itself knows an id: short, so that the fence does the work.
	duplicatesFor = time.Second
	// leaseFor is short, so that the events of a killed or paused worker go elsewhere soon.
	leaseFor = 3 * time.Second
	// streamBytesMax is enough for the longest runs that people have patience for.
	streamBytesMax = 2 << 30
	// readyFor is how long the broker may take to come up.
	readyFor = 60 * time.Second
	askFor   = 5 * time.Second
)

// node is one nats-server.
type node struct {
	name          string
	client, route int // ports
}

// newNodes chooses ports below those that the kernel deals out: a killed server must find its port free.
func newNodes(n int, free ports) ([]node, error) {
	var nodes []node
	for i := range n {
		client, err := free.one()
		if err != nil {
			return nil, err
		}
		route, err := free.one()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node{fmt.Sprintf("nats-%d", i+1), client, route})
	}
	return nodes, nil
}

// ports are those that were given out.
type ports map[int]bool

func (p ports) one() (int, error) {
	const tries = 100
	for range tries {
		port := 20_000 + rand.N(12_000)
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil && !p[port] {
			p[port] = true
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port was found between 20000 and 32000")
}

// configure writes the node's configuration.
func (n node) configure(dir string, nodes []node, syncAlways bool) (path string, err error) {
	sync := "2m" // the server's own
	if syncAlways {
		sync = "always"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "server_name: %s\nlisten: 127.0.0.1:%d\nmax_payload: 1MB\n", n.name, n.client)
	fmt.Fprintf(&b, "jetstream { store_dir: %q, sync_interval: %q }\n", filepath.Join(dir, n.name), sync)
	if len(nodes) > 1 {
		var routes []string
		for _, other := range nodes {
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", other.route))
		}
		fmt.Fprintf(&b, "cluster { name: chaos, listen: \"127.0.0.1:%d\", routes: [%s] }\n", n.route, strings.Join(routes, ", "))
	}
	path = filepath.Join(dir, n.name+".conf")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

func urls(nodes []node) string {
	var list []string
	for _, n := range nodes {
		list = append(list, fmt.Sprintf("nats://127.0.0.1:%d", n.client))
	}
	return strings.Join(list, ",")
}

// topology is the contract's, with little memory and short patience.
func topology(nodes int, fence bool) schema.Topology {
	t := schema.DefaultTopology()
	t.Replicas, t.Lease = nodes, leaseFor
	for i := range t.Streams {
		s := &t.Streams[i]
		s.MaxBytes = streamBytesMax
		switch s.Name {
		case schema.EventsStream:
			s.Duplicates = duplicatesFor
		case schema.CompletionsStream:
			s.Duplicates, s.CreateOnce = duplicatesFor, fence
		}
	}
	t.Records.MaxBytes = streamBytesMax
	return t
}

// broker is how the harness itself talks to nats-server.
type broker struct {
	nats *nats.Conn
	js   jetstream.JetStream
}

func connect(url string) (*broker, error) {
	nc, err := nats.Connect(url, nats.Name("chaos"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond), nats.PingInterval(2*time.Second), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	return &broker{nc, js}, err
}

// provision tries until the streams and queues are there.
func provision(ctx context.Context, url string, t schema.Topology) error {
	conn, err := stream.Connect(stream.Config{URL: url}, "chaos", zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	return until(ctx, readyFor, func(ctx context.Context) error { return stream.NewOperator(conn).Provision(ctx, t) })
}

// until tries again, a few times a second, until do has no error; the last one is returned when the time is over.
func until(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	for began := time.Now(); ; {
		try, cancel := context.WithTimeout(ctx, askFor)
		err := do(try)
		cancel()
		if err == nil || time.Since(began) > limit {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// waiting counts the events that are in a queue: not taken yet, or taken and not settled.
func (b *broker) waiting(ctx context.Context) (total int, queues []string, err error) {
	for _, q := range schema.Queues() {
		ask, cancel := context.WithTimeout(ctx, askFor)
		consumer, err := b.js.Consumer(ask, schema.EventsStream, q.Name)
		cancel()
		if err != nil {
			return 0, nil, fmt.Errorf("queue %s: %w", q.Name, err)
		}
		info := consumer.CachedInfo()
		if n := int(info.NumPending) + info.NumAckPending; n > 0 {
			total += n
			queues = append(queues, fmt.Sprintf("%s %d+%d", q.Name, info.NumPending, info.NumAckPending))
		}
	}
	return total, queues, nil
}

// healthy reports whether each stream has a leader and all its replicas are up to date: then one node may be killed.
func (b *broker) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, name := range streams() {
		s, err := b.js.Stream(ctx, name)
		if err != nil {
			return false
		}
		cluster := s.CachedInfo().Cluster
		if cluster == nil || cluster.Leader == "" {
			return false
		}
		for _, replica := range cluster.Replicas {
			if replica.Offline || !replica.Current {
				return false
			}
		}
	}
	return true
}

func streams() []string {
	return []string{schema.EventsStream, schema.CompletionsStream, schema.DeadLettersStream, schema.QuarantineStream}
}
