package streamtest

import (
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wagewire/wagewire/schema/stream"
)

// Times of the server and of the connections in a bubble. They are long, so that hours of virtual
// time without events cost little.
const (
	virtualPingEvery = 20 * time.Minute
	virtualIdleFor   = time.Hour
	virtualSyncEvery = 24 * time.Hour
)

// BubbleServer is a nats-server in virtual time: in a bubble of testing/synctest, without sockets.
// The server may stop and start again on its files. It is the nats.CustomDialer of its clients.
type BubbleServer struct {
	options server.Options
	// nats is nil while the server is stopped.
	nats atomic.Pointer[server.Server]
}

// InBubble runs a test with a server of its own in a bubble. Both end with the test. A test with a
// bubble is not parallel: the client library shares timers between its connections, and a timer of
// a bubble must not be used outside of it.
func InBubble(t *testing.T, jetStream bool, test func(*testing.T, *BubbleServer)) {
	t.Helper()
	forgetTimers()
	defer forgetTimers()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(tellBrokerTime()) // the last cleanup
		s := &BubbleServer{options: server.Options{
			ServerName: "wagewire", DontListen: true, NoSigs: true, NoLog: true,
			JetStream: jetStream, JetStreamDomain: stream.Domain, StoreDir: t.TempDir(),
			PingInterval: virtualPingEvery, SyncInterval: virtualSyncEvery,
		}}
		t.Cleanup(s.Stop)
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

// forgetTimers empties the client library's pool of timers. A pool keeps its content for one
// collection of garbage.
func forgetTimers() {
	runtime.GC()
	runtime.GC()
}

// Start starts the server, or starts a stopped server again on its files.
func (s *BubbleServer) Start() error {
	options := s.options // the server writes into its options
	started, err := server.NewServer(&options)
	if err != nil {
		return err
	}
	started.Start()
	if !started.ReadyForConnections(time.Minute) {
		started.Shutdown()
		return errors.New("the server does not start")
	}
	s.nats.Store(started)
	return nil
}

// Stop stops the server. Its connections break, and nobody can connect.
func (s *BubbleServer) Stop() {
	if stopped := s.nats.Swap(nil); stopped != nil {
		stopped.Shutdown()
		stopped.WaitForShutdown()
	}
}

// Dial opens a connection to the server, whatever the address.
func (s *BubbleServer) Dial(string, string) (net.Conn, error) {
	running := s.nats.Load()
	if running == nil {
		return nil, errors.New("the server is stopped")
	}
	return running.InProcessConn()
}

// Config is how a process in the bubble connects.
func (s *BubbleServer) Config() stream.Config {
	return stream.Config{Dialer: s, PingEvery: virtualPingEvery, IdleFor: virtualIdleFor}
}
