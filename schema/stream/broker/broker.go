// Package broker runs a real nats-server inside the process: for the sandbox, for a small
// installation, and for tests (through package streamtest). The server starts in a few milliseconds
// and stores on disk like any other server.
package broker

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wagewire/wagewire/schema"
)

// readyFor is how long a server may take to start.
const readyFor = 20 * time.Second

// Config says how to run a server. The zero value takes a free port of the loopback interface.
type Config struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// Dir is the directory of the store.
	Dir string
	// SyncAlways writes each message through to the disk before the answer.
	SyncAlways bool
	// PayloadMax is the size of the largest message, in bytes; 0 is the default of NATS, 1 MiB.
	PayloadMax int32
}

// Server is a running nats-server with JetStream.
type Server struct {
	config Config
	nats   *server.Server
}

// Start starts a server. It returns when the server takes connections.
func Start(config Config) (*Server, error) {
	s := &Server{config: config}
	return s, s.start()
}

func (s *Server) start() error {
	port := s.config.Port
	if port == 0 {
		port = server.RANDOM_PORT
	} else if err := checkPort(port); err != nil {
		return err
	}
	ns, err := server.NewServer(s.options(port))
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(readyFor) {
		ns.Shutdown()
		return fmt.Errorf("start nats-server: not ready after %s: is %s writable?",
			readyFor, s.config.Dir)
	}
	s.nats = ns
	s.config.Port = ns.Addr().(*net.TCPAddr).Port // kept for a restart: the clients reconnect there
	return nil
}

func (s *Server) options(port int) *server.Options {
	return &server.Options{
		ServerName: "wagewire",
		Host:       "127.0.0.1",
		Port:       port,
		JetStream:  true,
		StoreDir:   s.config.Dir,
		SyncAlways: s.config.SyncAlways,
		MaxPayload: cmp.Or(s.config.PayloadMax, 1<<20),
		NoLog:      true,
		NoSigs:     true,
	}
}

// SetPayloadMax changes the size of the largest message, in bytes, while the server runs. Clients
// learn of the new limit at their next connect.
func (s *Server) SetPayloadMax(bytes int32) error {
	s.config.PayloadMax = bytes
	if err := s.nats.ReloadOptions(s.options(s.config.Port)); err != nil {
		return fmt.Errorf("change max_payload of nats-server: %w", err)
	}
	return nil
}

// checkPort returns an error if the port is taken. The server itself would only log the error.
func checkPort(port int) error {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	return l.Close()
}

// URL is the address for clients.
func (s *Server) URL() string { return fmt.Sprintf("nats://127.0.0.1:%d", s.config.Port) }

// Stop stops the server. The store stays in Dir.
func (s *Server) Stop() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

// Restart starts a stopped server again, on the same port and store.
func (s *Server) Restart() error { return s.start() }

// SmallTopology is the default topology with streams of at most 64 MiB. A stream without a limit
// gets none: at a limit, it would lose its oldest messages.
func SmallTopology() schema.Topology {
	t := schema.DefaultTopology()
	for i := range t.Streams {
		if t.Streams[i].MaxBytes > 0 {
			t.Streams[i].MaxBytes = 64 << 20
		}
	}
	t.Records.MaxBytes = 64 << 20
	return t
}
