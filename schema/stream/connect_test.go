package stream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestConnectDoesNotWaitForAServerThatIsDown(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	s.Stop()
	c := s.Connect(t)
	if err := c.Connected(); err == nil {
		t.Error("Connected is nil without a server")
	}
	if err := c.Ready(t.Context()); err == nil {
		t.Error("Ready is nil without a server")
	}
	must(t, s.Restart())
	streamtest.Eventually(t, "connected", func() bool { return c.Connected() == nil })
	streamtest.Provision(t, c, streamtest.Topology())
	publish(t, c, numbered(0, 1)...)
}

// A broker that accepts a connection and stays silent blocks the NATS client for as long as a dial
// may take. Our own answers come before that. Status asks the client, and so shows that the client
// is still blocked. If the client was between two dials, Status returns at once, and the next round
// shows the same.
func TestALongDialDelaysNoAnswer(t *testing.T) {
	t.Parallel()
	c := connectToSilence(t)
	streamtest.Eventually(t, "Ready and PublishEvent return while the client dials", func() bool {
		dialed := make(chan struct{})
		go func() {
			defer close(dialed)
			_, _, _ = operator(c).Status(t.Context())
		}()
		err := c.Ready(t.Context())
		if err == nil || !strings.Contains(err.Error(), "not connected") {
			t.Errorf("Ready: error %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = c.PublishEvent(ctx, numbered(0, 1)[0])
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("PublishEvent: error %v", err)
		}
		select {
		case <-dialed:
			return false
		default:
			<-dialed
			return true
		}
	})
}

// connectToSilence connects to a listener that accepts connections and sends nothing.
func connectToSilence(t *testing.T) *stream.Conn {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		var conns []net.Conn
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		must(t, listener.Close())
		<-accepted
	})
	config := stream.Config{URL: "nats://" + listener.Addr().String()}
	c, err := stream.Connect(config, "test", zap.NewNop())
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestConnectNamesTheVariableToChange(t *testing.T) {
	t.Parallel()
	garbage := filepath.Join(t.TempDir(), "garbage")
	must(t, os.WriteFile(garbage, []byte("garbage"), 0o600))
	const creds, ca, address = "NATS_CREDS_FILE", "NATS_CA_FILE", "NATS_URL"
	accountSeed := seedIn(t, nkeys.CreateAccount)
	seed := seedText(t, seedIn(t, nkeys.CreateUser))
	for promise, env := range map[string][3]string{
		"credentials that are not there":    {creds, garbage + "-", "no such file"},
		"credentials that are none":         {creds, garbage, "wagewire nkeys makes seeds"},
		"an account's seed":                 {creds, accountSeed, "a user's nkey"},
		"a seed in quotes":                  {creds, textIn(t, `"`+seed+`"`), "line 1: there are quotes"},
		"a seed's variable":                 {creds, textIn(t, "SEED="+seed), "line 1: it is an assignment"},
		"a seed in UTF-16":                  {creds, textIn(t, "\xff\xfe"+seed), "in UTF-16"},
		"two seeds":                         {creds, textIn(t, seed+"\n"+seed), "it holds 2 keys"},
		"a directory, made by a container":  {creds, t.TempDir(), "the file was missing"},
		"a certificate that is not there":   {ca, garbage + "-", "no such file"},
		"a certificate that is none":        {ca, garbage, "root certificate"},
		"an address that cannot be parsed":  {address, "nats://[", address},
		"an address with a port that isn't": {address, "nats://127.0.0.1:none", address},
	} {
		t.Run(promise, func(t *testing.T) {
			config := map[string]stream.Config{
				"NATS_URL":        {URL: env[1]},
				"NATS_CREDS_FILE": {CredsFile: env[1]},
				"NATS_CA_FILE":    {CAFile: env[1]},
			}[env[0]]
			c, err := stream.Connect(config, "test", zap.NewNop())
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			text := err.Error()
			if !strings.HasPrefix(text, env[0]+": ") || !strings.Contains(text, env[2]) {
				t.Errorf("error %q, want one of %s that says %q", err, env[0], env[2])
			}
			if strings.Contains(text, seed) {
				t.Errorf("the error %q shows the seed", err)
			}
		})
	}
}

// seedIn writes a new key's seed to a file.
func seedIn(t *testing.T, create func() (nkeys.KeyPair, error)) string {
	t.Helper()
	pair, err := create()
	must(t, err)
	seed, err := pair.Seed()
	must(t, err)
	path := filepath.Join(t.TempDir(), "seed.nk")
	must(t, os.WriteFile(path, append(seed, '\n'), 0o600))
	return path
}

// seedText is the seed in a file of seedIn.
func seedText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return strings.TrimSpace(string(text))
}

// textIn writes a text to a file.
func textIn(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seed.nk")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// publicKey is that of the seed in a file.
func publicKey(t *testing.T, path string) string {
	t.Helper()
	pair, err := nkeys.FromSeed([]byte(seedText(t, path)))
	must(t, err)
	key, err := pair.PublicKey()
	must(t, err)
	return key
}

// guarded runs a server that lets in only clients with the key.
func guarded(t *testing.T, port int, key string) *server.Server {
	t.Helper()
	return serve(t, server.Options{Port: port, Nkeys: []*server.NkeyUser{{Nkey: key}}})
}

// What an editor or a person adds to a file of keys is no part of the seed.
func TestASeedIsTakenOutOfItsFile(t *testing.T) {
	t.Parallel()
	path := seedIn(t, nkeys.CreateUser)
	seed := seedText(t, path)
	kind := guarded(t, server.RANDOM_PORT, publicKey(t, path))
	for promise, text := range map[string]string{
		"alone":                          seed,
		"with line ends of Windows":      "\r\n" + seed + "\r\n",
		"behind a byte order mark":       "\ufeff" + seed,
		"below a comment":                "# the seed of ingress\n" + seed,
		"with blanks around it":          "  " + seed + "\t\n",
		"all of this, as Windows has it": "\ufeff# the seed\r\n\r\n " + seed + " \r\n",
	} {
		t.Run(promise, func(t *testing.T) {
			config := stream.Config{URL: kind.ClientURL(), CredsFile: textIn(t, text)}
			c, err := stream.Connect(config, "test", zap.NewNop())
			must(t, err)
			t.Cleanup(c.Close)
			streamtest.Eventually(t, "it is connected", func() bool { return c.Connected() == nil })
		})
	}
}

// A process whose credentials are refused is not ready, says why where a person looks, once, and
// goes on trying: it is the broker that is told of a new user.
func TestRefusedCredentialsAreTriedUntilTheBrokerTakesThem(t *testing.T) {
	t.Parallel()
	ours := seedIn(t, nkeys.CreateUser)
	others := seedIn(t, nkeys.CreateUser)
	for promise, file := range map[string]string{"the seed of an nkey": ours, "none": ""} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			strict := guarded(t, server.RANDOM_PORT, publicKey(t, others))
			core, log := observer.New(zapcore.InfoLevel)
			config := stream.Config{URL: strict.ClientURL(), CredsFile: file}
			c, err := stream.Connect(config, "wagewire-test", zap.New(core))
			must(t, err)
			t.Cleanup(c.Close)
			var connects uint64
			streamtest.Eventually(t, "it has tried again after it was refused twice", func() bool {
				v, err := strict.Varz(nil)
				must(t, err)
				connects = v.TotalConnections
				return connects > 3
			})
			err = c.Connected()
			if err == nil || !strings.Contains(err.Error(), "NATS_CREDS_FILE: the broker refuses") {
				t.Errorf("connected is %v", err)
			}
			if n := log.FilterMessage("nats refuses the credentials").Len(); n != 1 {
				t.Errorf("%d lines say so after %d tries, want 1", n, connects)
			}
			if n := log.FilterMessage("nats error").Len(); n != 0 {
				t.Errorf("%d more lines", n)
			}
			if file == "" {
				return
			}
			port := strict.Addr().(*net.TCPAddr).Port
			strict.Shutdown()
			strict.WaitForShutdown()
			guarded(t, port, publicKey(t, ours))
			streamtest.Eventually(t, "it is connected", func() bool { return c.Connected() == nil })
		})
	}
}

// dialer counts the tries to connect.
type dialer struct{ tries atomic.Int64 }

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.tries.Add(1)
	return new(net.Dialer).DialContext(context.Background(), network, address)
}

func TestABrokerThatIsNotThereIsALineOfTheLog(t *testing.T) {
	t.Parallel()
	former := serve(t, server.Options{Port: server.RANDOM_PORT})
	address := former.Addr().(*net.TCPAddr)
	former.Shutdown()
	former.WaitForShutdown()
	core, log := observer.New(zapcore.InfoLevel)
	dials := &dialer{}
	config := stream.Config{URL: "nats://someone:hidden@" + address.String(), Dialer: dials}
	c, err := stream.Connect(config, "wagewire-test", zap.New(core))
	must(t, err)
	t.Cleanup(c.Close)
	streamtest.Eventually(t, "it has tried again", func() bool { return dials.tries.Load() > 3 })
	lines := log.FilterMessage("nats is not reachable").All()
	if len(lines) != 1 {
		t.Fatalf("%d lines say so, want 1", len(lines))
	}
	why := fmt.Sprint(lines[0].ContextMap())
	if !strings.Contains(why, address.String()) || strings.Contains(why, "hidden") {
		t.Errorf("the line says %q", why)
	}
	serve(t, server.Options{Port: address.Port})
	streamtest.Eventually(t, "it says that it is connected", func() bool {
		return log.FilterMessage("nats connected").Len() == 1
	})
}

// The same holds if the broker removes the user of a running process.
func TestCredentialsRefusedLaterAreTriedUntilTheBrokerTakesThem(t *testing.T) {
	t.Parallel()
	ours := seedIn(t, nkeys.CreateUser)
	others := seedIn(t, nkeys.CreateUser)
	kind := guarded(t, server.RANDOM_PORT, publicKey(t, ours))
	core, log := observer.New(zapcore.InfoLevel)
	config := stream.Config{URL: kind.ClientURL(), CredsFile: ours}
	c, err := stream.Connect(config, "wagewire-test", zap.New(core))
	must(t, err)
	t.Cleanup(c.Close)
	streamtest.Eventually(t, "it is connected", func() bool { return c.Connected() == nil })
	port := kind.Addr().(*net.TCPAddr).Port
	kind.Shutdown()
	kind.WaitForShutdown()
	strict := guarded(t, port, publicKey(t, others))
	streamtest.Eventually(t, "it says so", func() bool {
		return log.FilterMessage("nats refuses the credentials").Len() == 1
	})
	streamtest.Eventually(t, "it has tried again", func() bool {
		v, err := strict.Varz(nil)
		must(t, err)
		return v.TotalConnections > 3
	})
	if err := c.Connected(); err == nil || !strings.Contains(err.Error(), "NATS_CREDS_FILE") {
		t.Errorf("connected is %v", err)
	}
	strict.Shutdown()
	strict.WaitForShutdown()
	guarded(t, port, publicKey(t, ours))
	streamtest.Eventually(t, "it is connected again", func() bool { return c.Connected() == nil })
	if n := log.FilterMessage("nats refuses the credentials").Len(); n != 1 {
		t.Errorf("%d lines say so, want 1", n)
	}
}
