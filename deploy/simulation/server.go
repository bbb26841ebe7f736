package simulation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// syncEvery is how often the broker writes through to the disk. The simulation loses no power, and
// the default of two minutes would be much of its work.
const syncEvery = time.Hour

// natsServer is nats-server without a network. It stops, and starts again on its files.
type natsServer struct {
	dir string

	mu   sync.Mutex
	nats *server.Server // nil while the broker is stopped
	// watching is the connection of the simulation itself. No other connection opens before it.
	watching *nats.Conn
	js       jetstream.JetStream
}

// start starts the broker. attach subscribes the simulation before anybody else may connect, so
// that it misses no message.
func (b *natsServer) start(attach func(*nats.Conn) error) error {
	s, err := server.NewServer(&server.Options{
		ServerName: "wagewire", DontListen: true, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(b.dir, "nats"), SyncInterval: syncEvery,
		PingInterval: pingEvery,
	})
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return errors.New("start nats-server: not ready after a minute")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.NoReconnect(),
		nats.PingInterval(pingEvery))
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
	b.nats, b.watching, b.js = s, nc, js
	return nil
}

// stop stops the broker, as SIGTERM does.
func (b *natsServer) stop() {
	b.mu.Lock()
	s, nc := b.nats, b.watching
	b.nats = nil
	b.mu.Unlock()
	if s == nil {
		return
	}
	nc.Close()
	s.Shutdown()
	s.WaitForShutdown()
}

func (b *natsServer) dial() (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nats == nil {
		return nil, errRefused
	}
	return b.nats.InProcessConn()
}

// jetStream returns the simulation's own client, nil while the broker is stopped.
func (b *natsServer) jetStream() jetstream.JetStream {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nats == nil {
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
