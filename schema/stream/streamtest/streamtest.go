// Package streamtest gives tests a real broker, as net/http/httptest gives them a web server.
package streamtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
)

// Config is how to run a server.
type Config = broker.Config

// Server is a broker for tests.
type Server struct{ *broker.Server }

// Start starts a server. Most tests call New or Run instead, which also stop the server.
func Start(c Config) (*Server, error) {
	s, err := broker.Start(c)
	return &Server{s}, err
}

// Getenv is an environment that holds NATS_URL and the given pairs.
func (s *Server) Getenv(pairs ...string) func(string) string {
	env := map[string]string{"NATS_URL": s.URL()}
	for i := 0; i+1 < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return func(key string) string { return env[key] }
}

// Run starts a server without streams for a test, and stops it when the test ends. If c has no Dir,
// the server stores in a temporary directory.
func Run(t testing.TB, c Config) *Server {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// New starts a server with every stream and queue for a test, and returns a connection too. Both
// end with the test.
func New(t testing.TB) (*Server, *stream.Conn) {
	t.Helper()
	s := Run(t, Config{})
	c := s.Connect(t)
	Provision(t, c, Topology())
	return s, c
}

// Provision makes the streams and queues of a topology. A busy machine may take longer than the
// client waits for an answer, so Provision tries again after a timeout.
func Provision(t testing.TB, c *stream.Conn, topology schema.Topology) {
	t.Helper()
	Eventually(t, "streams and queues are provisioned", func() bool {
		err := stream.NewOperator(c).Provision(t.Context(), topology)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// Connect opens another connection for a test.
func (s *Server) Connect(t testing.TB) *stream.Conn {
	t.Helper()
	return ConnectTo(t, stream.Config{URL: s.URL()})
}

// ConnectPatiently opens a connection to the broker at the URL. Each try waits for the answer, on a
// machine however busy. After a late answer, a message of ours would count as stored before.
func ConnectPatiently(t testing.TB, url string) *stream.Conn {
	t.Helper()
	return ConnectTo(t, stream.Config{URL: url, TryFor: time.Hour})
}

// ConnectTo opens a connection for a test to the broker of config.
func ConnectTo(t testing.TB, config stream.Config) *stream.Conn {
	t.Helper()
	c, err := stream.Connect(config, t.Name(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Topology is the topology of test servers.
func Topology() schema.Topology { return broker.SmallTopology() }
