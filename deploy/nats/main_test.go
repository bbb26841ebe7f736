package nats_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
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
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for a server more than they compute.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// waitFor is a cap on what comes in milliseconds; only a broken test or program reaches it.
const waitFor = 20 * time.Second

// broker is a server that runs by this directory's configuration.
type broker struct{ url string }

// start runs a node with the demonstration's keys. What a test must have its own way is the place and the ports.
func start(t testing.TB, change func(*server.Options)) broker {
	t.Helper()
	o := install(t, "nats.conf")
	o.Host, o.Port, o.HTTPPort, o.StoreDir, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, 0, t.TempDir(), true, true
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(waitFor) {
		t.Fatal("the server does not take connections")
	}
	return broker{s.ClientURL()}
}

// process is a role's connection by package stream, as its process has it, and what its log says.
type process struct {
	*stream.Operator
	log *observer.ObservedLogs
}

func (b broker) config(role string) stream.Config {
	return stream.Config{URL: b.url, CredsFile: filepath.Join(demo, nats.SeedFile(role))}
}

// connect connects as a process of the role. The test fails where the broker refuses it anything.
func (b broker) connect(t testing.TB, role string) process {
	t.Helper()
	core, log := observer.New(zapcore.WarnLevel)
	conn, err := stream.Connect(b.config(role), "wagewire-"+role, zap.New(core))
	must(t, err)
	t.Cleanup(func() {
		conn.Close()
		for _, entry := range log.FilterMessage("nats error").All() {
			t.Errorf("%s: %v", role, entry.ContextMap())
		}
	})
	eventually(t, role+" is connected", func() bool { return conn.Connected() == nil })
	return process{stream.NewOperator(conn), log}
}

// client is a role's connection past package stream, with what the broker refuses.
type client struct {
	*natsgo.Conn
	refused chan error
}

// dial connects a client of any program with the role's seed.
func (b broker) dial(t testing.TB, role string) client {
	t.Helper()
	key, err := natsgo.NkeyOptionFromSeed(filepath.Join(demo, nats.SeedFile(role)))
	must(t, err)
	refused := make(chan error, 100)
	nc, err := natsgo.Connect(b.url, key, natsgo.CustomInboxPrefix("_INBOX."+role),
		natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) { refused <- err }))
	must(t, err)
	t.Cleanup(nc.Close)
	return client{nc, refused}
}

func (c client) jetstream(t testing.TB) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(c.Conn)
	must(t, err)
	return js
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	late := time.After(waitFor)
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not within %s: %s", waitFor, what)
		}
	}
}

func next[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(waitFor):
		t.Fatalf("not within %s: %s", waitFor, what)
		panic("unreachable")
	}
}

// background runs what ends with its context until the test does.
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

// webhook is an event of one of the catalogue's types.
func webhook(of schema.WebhookType, id, account string) schema.Event {
	at := time.Date(2026, 1, 12, 2, 36, 2, 0, time.UTC)
	return schema.Event{
		Provider: of.Provider, ID: id, Type: of.Name, Resource: of.Resource, Action: of.Action, AccountID: account,
		OccurredAt: at, ReceivedAt: at,
		Body: fmt.Appendf(nil, `{"id":%q,"link_id":%[2]q,"payload":{"account_id":%[2]q,"end_user_id":%[2]q}}`, id, account),
	}
}

// typeOf is a type that the queue's worker reads, and that asks for no erasure.
func typeOf(q schema.Queue) schema.WebhookType {
	for _, of := range schema.Catalogue() {
		if of.Provider == q.Provider && of.Resource == q.Resource && of.Action != schema.ActionDeleted {
			return of
		}
	}
	panic("no type for " + q.Name)
}
