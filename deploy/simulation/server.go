package simulation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema/stream"
)

// Server is a nats-server in the bubble, without a network: a streamtest.BubbleServer.
type Server interface {
	// Start starts the server, or starts a stopped server again on its files.
	Start() error
	// Stop stops the server, as SIGTERM does.
	Stop()
	// Dial opens a connection. The arguments have no effect.
	Dial(network, address string) (net.Conn, error)
	// Config is how a process connects.
	Config() stream.Config
}

// natsServer is the Server, and the simulation's own connection to it.
type natsServer struct {
	Server

	mu sync.Mutex
	// isOpen is false while the server is stopped, and until the simulation is connected.
	isOpen   bool
	watching *nats.Conn
	js       jetstream.JetStream
}

// open lets processes connect, after the simulation itself. attach subscribes the simulation, so
// that it misses no message.
func (b *natsServer) open(attach func(*nats.Conn) error) error {
	nc, err := nats.Connect(nats.DefaultURL, nats.SetCustomDialer(b.Server), nats.NoReconnect(),
		nats.PingInterval(b.Config().PingEvery))
	if err != nil {
		return fmt.Errorf("connect the simulation: %w", err)
	}
	js, err := jetstream.New(nc)
	if err == nil {
		err = attach(nc)
	}
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		return fmt.Errorf("watch the line: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.isOpen = true
	b.watching = nc
	b.js = js
	return nil
}

// close ends the simulation's connection. From then on, nobody can connect.
func (b *natsServer) close() {
	b.mu.Lock()
	b.isOpen = false
	b.mu.Unlock()
	b.watching.Close()
}

func (b *natsServer) dial() (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isOpen {
		return nil, errRefused
	}
	return b.Dial("", "")
}

// jetStream returns the simulation's own client, nil while the broker is stopped.
func (b *natsServer) jetStream() jetstream.JetStream {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isOpen {
		return nil
	}
	return b.js
}

// readAll passes every message of a stream to take.
func (b *natsServer) readAll(
	ctx context.Context, name string, take func(*jetstream.RawStreamMsg),
) error {
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for sequence := uint64(1); ; sequence++ {
		m, err := s.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		take(m)
		sequence = m.Sequence
	}
}
