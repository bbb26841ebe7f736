// Package broker runs a real nats-server in the process: for the sandbox, for a small installation, and for tests, which
// take it through package streamtest. It starts in a few milliseconds and stores on disk like any other server.
package broker

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wagewire/wagewire/schema"
)

const readyFor = 20 * time.Second

// Config is how to run a server. The zero value takes a free port of the loopback interface.
type Config struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// Dir keeps what is stored.
	Dir string
	// SyncAlways writes through to the disk before each answer.
	SyncAlways bool
}

// Server is a running nats-server with JetStream.
type Server struct {
	config Config
	nats   *server.Server
}

// Start starts a server and returns when it takes connections.
func Start(config Config) (*Server, error) {
	s := &Server{config: config}
	return s, s.start()
}

func (s *Server) start() error {
	port := s.config.Port
	if port == 0 {
		port = server.RANDOM_PORT
	} else if err := portFree(port); err != nil {
		return err
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: "wagewire", Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: s.config.Dir,
		SyncAlways: s.config.SyncAlways, NoLog: true, NoSigs: true, MaxPayload: 1 << 20,
	})
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(readyFor) {
		ns.Shutdown()
		return fmt.Errorf("start nats-server: not ready after %s: is %s writable?", readyFor, s.config.Dir)
	}
	s.nats = ns
	s.config.Port = ns.Addr().(*net.TCPAddr).Port // a restart comes back where the clients look for it
	return nil
}

// portFree reports a port that is taken: the server itself would only log it.
func portFree(port int) error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	return l.Close()
}

// URL is where clients connect.
func (s *Server) URL() string { return fmt.Sprintf("nats://127.0.0.1:%d", s.config.Port) }

// Stop stops the server. What is stored stays in Dir.
func (s *Server) Stop() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

// Restart starts a stopped server again, on the same port and store.
func (s *Server) Restart() error { return s.start() }

// SmallTopology is the default topology with streams that fit on any disk.
func SmallTopology() schema.Topology {
	t := schema.DefaultTopology()
	for i := range t.Streams {
		t.Streams[i].MaxBytes = 64 << 20
	}
	t.Records.MaxBytes = 64 << 20
	return t
}
