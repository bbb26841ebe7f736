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
	// duplicatesFor is the broker's own window for duplicates. It is short, so that the fence of
	// the completions stream does the work.
	duplicatesFor = time.Second
	// leaseFor is short, so that other workers soon get the events of a killed or paused worker.
	leaseFor = 3 * time.Second
	// streamBytesMax is enough for runs of many hours.
	streamBytesMax = 2 << 30
	// readyFor is how long the broker may take to start.
	readyFor = 60 * time.Second
	// askFor is how long a request to the broker may take.
	askFor = 5 * time.Second
)

// node is a nats-server with its ports for clients and for routes.
type node struct {
	name          string
	client, route int
}

// newNodes names n nodes and chooses their ports.
func newNodes(n int, used ports) ([]node, error) {
	var nodes []node
	for i := range n {
		client, err := used.choose()
		if err != nil {
			return nil, err
		}
		route, err := used.choose()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node{fmt.Sprintf("nats-%d", i+1), client, route})
	}
	return nodes, nil
}

// ports are the ports in use by a run.
type ports map[int]bool

// choose returns a free port outside of the range that the kernel gives to outgoing connections. A
// killed server must find its port free.
func (p ports) choose() (int, error) {
	const (
		portMin = 20_000
		portMax = 32_000
		tries   = 100
	)
	for range tries {
		port := portMin + rand.N(portMax-portMin)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		if err == nil && !p[port] {
			p[port] = true
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("found no free port from %d to %d", portMin, portMax)
}

// writeConfig writes the configuration of the node.
func (n node) writeConfig(dir string, nodes []node, syncAlways bool) (path string, err error) {
	sync := "2m" // the default of nats-server
	if syncAlways {
		sync = "always"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "server_name: %s\nlisten: 127.0.0.1:%d\nmax_payload: 1MB\n", n.name, n.client)
	fmt.Fprintf(&b, "jetstream { store_dir: %q, sync_interval: %q }\n",
		filepath.Join(dir, n.name), sync)
	if len(nodes) > 1 {
		var routes []string
		for _, other := range nodes {
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", other.route))
		}
		fmt.Fprintf(&b, "cluster { name: chaos, listen: \"127.0.0.1:%d\", routes: [%s] }\n",
			n.route, strings.Join(routes, ", "))
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

// topology is the topology of the contract with small streams and a short lease.
func topology(nodes int, fence bool) schema.Topology {
	t := schema.DefaultTopology()
	t.Replicas = nodes
	t.Lease = leaseFor
	for i := range t.Streams {
		s := &t.Streams[i]
		if s.MaxBytes > 0 { // a stream of schedules must have no limit
			s.MaxBytes = streamBytesMax
		}
		switch s.Name {
		case schema.EventsStream:
			s.Duplicates = duplicatesFor
		case schema.CompletionsStream:
			s.Duplicates = duplicatesFor
			s.CreateOnce = fence
		}
	}
	t.Records.MaxBytes = streamBytesMax
	return t
}

// broker is the harness's own connection to the broker.
type broker struct {
	nats *nats.Conn
	js   jetstream.JetStream
}

func connect(url string) (*broker, error) {
	ignore := func(*nats.Conn, *nats.Subscription, error) {}
	nc, err := nats.Connect(url,
		nats.Name("chaos"),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond),
		nats.PingInterval(2*time.Second),
		nats.ErrorHandler(ignore))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	return &broker{nc, js}, err
}

// provision makes the streams and queues. It retries while the broker starts.
func provision(ctx context.Context, url string, t schema.Topology) error {
	conn, err := stream.Connect(stream.Config{URL: url}, "chaos", zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	operator := stream.NewOperator(conn)
	return retry(ctx, readyFor, func(ctx context.Context) error {
		return operator.Provision(ctx, t)
	})
}

// retry calls do until it returns nil, a few times a second. After the limit, retry returns the
// last error.
func retry(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	began := time.Now()
	for {
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

// countUnsettled counts the events of all queues that are not settled: the waiting events, and then
// those in each lane of each queue. queues says where these events are:
// "<queue> <not delivered>+<delivered>".
func (b *broker) countUnsettled(ctx context.Context) (total int, queues []string, err error) {
	for _, q := range schema.Queues() {
		n, err := b.countWaiting(ctx, q)
		if err != nil {
			return 0, nil, fmt.Errorf("waiting events of %s: %w", q.Name, err)
		}
		total += n
	}
	if total > 0 {
		queues = append(queues, fmt.Sprintf("%d for their next try", total))
	}
	for _, q := range schema.Queues() {
		for _, lane := range q.Lanes() {
			pending, delivered, err := b.countInLane(ctx, lane)
			if err != nil {
				return 0, nil, fmt.Errorf("%s of queue %s: %w", lane.Name, q.Name, err)
			}
			if n := pending + delivered; n > 0 {
				total += n
				queues = append(queues, fmt.Sprintf("%s %d+%d", lane.Consumer, pending, delivered))
			}
		}
	}
	accounts := schema.Lane{Stream: schema.CompletionsStream, Consumer: schema.AccountsConsumer}
	pending, delivered, err := b.countInLane(ctx, accounts)
	if err != nil {
		return 0, nil, fmt.Errorf("completions for the states of accounts: %w", err)
	}
	if n := pending + delivered; n > 0 {
		total += n
		queues = append(queues, fmt.Sprintf("%s %d+%d", accounts.Consumer, pending, delivered))
	}
	return total, queues, nil
}

// countWaiting counts the schedules of a queue.
func (b *broker) countWaiting(ctx context.Context, q schema.Queue) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	s, err := b.js.Stream(ctx, q.WaitingStream())
	if err != nil {
		return 0, err
	}
	filter := jetstream.WithSubjectFilter(schema.AccountWaiting(q.Name, "*"))
	info, err := s.Info(ctx, filter)
	if err != nil {
		return 0, err
	}
	return len(info.State.Subjects), nil
}

// countInLane counts the messages of a lane.
func (b *broker) countInLane(
	ctx context.Context, lane schema.Lane,
) (pending, delivered int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	consumer, err := b.js.Consumer(ctx, lane.Stream, lane.Consumer)
	if err != nil {
		return 0, 0, err
	}
	info := consumer.CachedInfo()
	return int(info.NumPending), info.NumAckPending, nil
}

// isHealthy reports whether each stream has a leader and current replicas. A cluster in this state
// can lose a node.
func (b *broker) isHealthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, name := range streamNames() {
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

func streamNames() []string {
	names := []string{
		schema.EventsStream, schema.CompletionsStream, schema.DeadLettersStream,
		schema.QuarantineStream, schema.PausesStream, schema.ClosuresStream,
		schema.BudgetsStream,
	}
	for _, q := range schema.Queues() {
		names = append(names, q.WaitingStream())
	}
	return names
}
