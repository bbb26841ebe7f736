// Package broker runs a real nats-server inside the process: for the sandbox, for a small
// installation, and for tests (through package streamtest). The server starts in a few milliseconds
// and stores on disk like any other server.
package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/wagewire/wagewire/schema"
)

// readyFor is how long a server may take to start.
const readyFor = 20 * time.Second

// Config says how to run a server. The zero value takes a free port of the loopback interface.
type Config struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// Dir is the directory of the store. One server at a time may use the directory.
	Dir string
	// AccountsFile is a configuration file of nats-server with the accounts and their users. The
	// other settings of the file do not count if a field of Config sets them. Empty: a single
	// account, whose clients need no key and may do everything.
	AccountsFile string
	// Account is the account of the streams in AccountsFile. Streams that an earlier release has
	// stored without accounts move there.
	Account string
	// SyncAlways writes each message through to the disk before the answer.
	SyncAlways bool
	// PayloadMax is the size of the largest message, in bytes; 0 is the default of NATS, 1 MiB.
	PayloadMax int32
}

// Server is a running nats-server with JetStream.
type Server struct {
	config Config
	nats   *server.Server
	lock   *flock.Flock
}

// Start starts a server. It returns when the server takes connections. If another process uses the
// directory of the store, the error is an *InUseError.
func Start(config Config) (*Server, error) {
	s := &Server{config: config}
	return s, s.start()
}

func (s *Server) start() (err error) {
	if s.config.Port != 0 {
		if err := checkPort(s.config.Port); err != nil {
			return err
		}
	}
	options, err := s.config.options()
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	lock, err := lockStore(s.config.Dir)
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Unlock())
		}
	}()
	if err := s.config.moveStreams(); err != nil {
		return fmt.Errorf("start nats-server: move the streams to account %s: %w",
			s.config.Account, err)
	}
	ns, err := server.NewServer(options)
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
	s.lock = lock
	s.config.Port = ns.Addr().(*net.TCPAddr).Port // kept for a restart: the clients reconnect there
	return nil
}

// SetPayloadMax changes the size of the largest message, in bytes, while the server runs. Clients
// learn of the new limit at their next connect.
func (s *Server) SetPayloadMax(bytes int32) error {
	s.config.PayloadMax = bytes
	return s.Reload()
}

// options returns the settings of nats-server.
func (c Config) options() (*server.Options, error) {
	o := &server.Options{}
	if c.AccountsFile != "" {
		var err error
		o, err = server.ProcessConfigFile(c.AccountsFile)
		if err != nil {
			return nil, err
		}
	}
	o.ServerName = "wagewire"
	o.Host = "127.0.0.1"
	o.Port = cmp.Or(c.Port, server.RANDOM_PORT)
	o.JetStream = true
	o.StoreDir = c.Dir
	o.SyncAlways = c.SyncAlways
	o.MaxPayload = cmp.Or(c.PayloadMax, 1<<20)
	o.NoLog = true
	o.NoSigs = true
	return o, nil
}

// moveStreams moves the streams of a server without accounts to Config.Account, unless the account
// has streams.
func (c Config) moveStreams() error {
	if c.Account == "" {
		return nil
	}
	to := c.accountDir(c.Account)
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Rename(c.accountDir(server.DEFAULT_GLOBAL_ACCOUNT), to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new store
	}
	return err
}

// accountDir is where nats-server stores the streams of an account.
func (c Config) accountDir(account string) string {
	return filepath.Join(c.Dir, server.JetStreamStoreDir, account)
}

// reloads is how often nats-server must load a new account. The first time makes the account, and
// the second subscribes to the subjects of its imports.
const reloads = 2

// Reload reads AccountsFile again and applies the changes. Clients of an account that did not
// change stay connected.
func (s *Server) Reload() error {
	for range reloads {
		options, err := s.config.options()
		if err == nil {
			err = s.nats.ReloadOptions(options)
		}
		if err != nil {
			return fmt.Errorf("reload nats-server: %w", err)
		}
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

// Stop stops the server. The store stays in Dir, and another server may use it.
func (s *Server) Stop() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	_ = s.lock.Unlock() // the end of the process unlocks too
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
