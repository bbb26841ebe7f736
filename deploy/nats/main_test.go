package nats_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(configVariable); config != "" {
		if err := serveProcess(config, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	// The tests wait for a server more than they compute.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// pullFor is how long one pull waits for a message. A test repeats the pull until a message comes.
const pullFor = 5 * time.Second

// askFor is how long a request may take, on a machine however busy.
const askFor = 5 * time.Minute

// broker is a server with the configuration of this directory.
type broker struct {
	url string
	// ca is the file of the certificate to trust, "" for a server without TLS.
	ca string
}

// start starts a node with the keys of the demonstration. The store and the ports are the test's
// own.
func start(t testing.TB, change func(*server.Options)) broker {
	t.Helper()
	return startIn(t, copyInstallation(t), "nats.conf", change)
}

// startIn starts a node with a configuration file of a directory.
func startIn(t testing.TB, dir, main string, change func(*server.Options)) broker {
	t.Helper()
	return broker{url: startNode(t, filepath.Join(dir, main), change).ClientURL()}
}

// startNode starts a node with a configuration file.
func startNode(t testing.TB, path string, change func(*server.Options)) *server.Server {
	t.Helper()
	o := readConfig(t, path)
	o.Host = "127.0.0.1"
	o.Port = server.RANDOM_PORT
	o.HTTPPort = 0
	o.StoreDir = t.TempDir()
	o.NoLog = true
	o.NoSigs = true
	o.AuthTimeout = askFor.Seconds() // a busy client may take longer than the usual two seconds
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	streamtest.Eventually(t, "the server takes connections", func() bool {
		return s.ReadyForConnections(time.Second)
	})
	return s
}

// process is the connection of a role's process, and its log.
type process struct {
	*stream.Operator
	log *observer.ObservedLogs
}

func (b broker) config(role string) stream.Config {
	return stream.Config{
		URL: b.url, CredsFile: filepath.Join(demo, seedFile(role)), Domain: stream.Domain,
		CAFile: b.ca,
	}
}

// seedFile is the file with the seed of a role, or of the team of the demonstration.
func seedFile(role string) string {
	if role == team {
		return nats.TeamSeedFile(team)
	}
	return nats.SeedFile(role)
}

// team is the team of the demonstration.
const team = "lending"

// connect connects as a process of the role. The test fails if the broker refuses anything.
func (b broker) connect(t testing.TB, role string) process {
	t.Helper()
	return b.connectWith(t, b.config(role), role)
}

// connectPatiently is connect with tries that wait for the answer. After a late answer, nobody
// knows whose completion is stored, and a closure is asked for only once.
func (b broker) connectPatiently(t testing.TB, role string) process {
	t.Helper()
	config := b.config(role)
	config.TryFor = askFor
	return b.connectWith(t, config, role)
}

func (b broker) connectWith(t testing.TB, config stream.Config, role string) process {
	t.Helper()
	core, log := observer.New(zapcore.WarnLevel)
	conn, err := stream.Connect(config, "wagewire-"+role, zap.New(core))
	must(t, err)
	t.Cleanup(func() {
		conn.Close()
		for _, entry := range log.FilterMessage("nats error").All() {
			t.Errorf("%s: %v", role, entry.ContextMap())
		}
	})
	streamtest.Eventually(t, role+" is connected", func() bool { return conn.Connected() == nil })
	return process{stream.NewOperator(conn), log}
}

// becomesReady waits until a process is ready. The broker serves a stream that was just made in the
// account of the operator first, and a little later in that of a role.
func becomesReady(t *testing.T, process interface{ Ready(context.Context) error }) {
	t.Helper()
	var last string
	streamtest.Eventually(t, "a process is ready", func() bool {
		err := process.Ready(t.Context())
		if err != nil && err.Error() != last {
			last = err.Error()
			t.Logf("not ready yet: %v", err)
		}
		return err == nil
	})
}

// provision makes the streams and queues as the operator.
func provision(t testing.TB, operator process, topology schema.Topology) {
	t.Helper()
	streamtest.Provision(t, operator.Conn, topology)
}

// makeDurables makes the durable consumers of a team as the operator.
func makeDurables(t testing.TB, full jetstream.JetStream, team stream.Team) {
	t.Helper()
	for _, durable := range team.Durables {
		_, err := full.CreateOrUpdateConsumer(t.Context(), schema.CompletionsStream,
			jetstream.ConsumerConfig{
				Durable: durable, FilterSubjects: team.Filters(),
				AckPolicy: jetstream.AckExplicitPolicy,
			})
		must(t, err)
	}
}

// client is a role's connection without package stream. refused has the refusals of the broker.
type client struct {
	*natsgo.Conn
	refused chan error
}

// dial connects a client with the seed of the role.
func (b broker) dial(t testing.TB, role string) client {
	t.Helper()
	return b.dialSeed(t, filepath.Join(demo, seedFile(role)))
}

// dialSeed connects a client with the seed in a file.
func (b broker) dialSeed(t testing.TB, path string, options ...natsgo.Option) client {
	t.Helper()
	c, err := b.tryDial(path, options...)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func (b broker) tryDial(path string, options ...natsgo.Option) (client, error) {
	key, err := natsgo.NkeyOptionFromSeed(path)
	if err != nil {
		return client{}, err
	}
	refused := make(chan error, 100)
	options = append(options, key, natsgo.NoEcho(), natsgo.Timeout(askFor),
		natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) {
			refused <- err
		}))
	nc, err := natsgo.Connect(b.url, options...)
	return client{nc, refused}, err
}

// Flush waits for the broker's answer, however busy the machine is.
func (c client) Flush() error { return c.FlushTimeout(askFor) }

func (c client) jetstream(t testing.TB) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.NewWithDomain(c.Conn, stream.Domain,
		jetstream.WithDefaultTimeout(askFor))
	must(t, err)
	return js
}

// next waits for a value. what says in the failure which value did not come.
func next[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-streamtest.Late(t):
		t.Fatalf("the test binary's time is up, and still not: %s", what)
		panic("unreachable")
	}
}

// nextMessage waits for a message of a consumer that must acknowledge. A message that comes after a
// pull has ended is delivered again.
func nextMessage(t testing.TB, what string, consumer jetstream.Consumer) jetstream.Msg {
	t.Helper()
	var msg jetstream.Msg
	streamtest.Eventually(t, what, func() bool {
		m, err := consumer.Next(jetstream.FetchMaxWait(pullFor))
		if isTimeout(err) {
			return false
		}
		must(t, err)
		msg = m
		return true
	})
	return msg
}

func isTimeout(err error) bool {
	return errors.Is(err, natsgo.ErrTimeout) || errors.Is(err, jetstream.ErrNoMessages) ||
		errors.Is(err, jetstream.ErrNoHeartbeat)
}

// background runs a function until the end of the test.
func background(t testing.TB, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// webhook returns an event of a type of the catalogue.
func webhook(of schema.WebhookType, id, account string) schema.Event {
	at := time.Date(2026, 1, 12, 2, 36, 2, 0, time.UTC)
	return schema.Event{
		Provider: of.Provider, ID: id, Type: of.Name, Resource: of.Resource, Action: of.Action,
		AccountID:  account,
		OccurredAt: at, ReceivedAt: at,
		Body: fmt.Appendf(nil,
			`{"id":%q,"link_id":%[2]q,"payload":{"account_id":%[2]q,"end_user_id":%[2]q}}`, id,
			account),
	}
}

// typeOf returns a type that the queue delivers.
func typeOf(q schema.Queue) schema.WebhookType {
	for _, of := range schema.Catalogue() {
		isOf := slices.Contains(of.Workers, q.Resource)
		if of.Provider == q.Provider && isOf && of.Erases == q.Erases {
			return of
		}
	}
	panic("no type for " + q.Name)
}
