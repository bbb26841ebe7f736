package broker_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, c broker.Config) *broker.Server {
	t.Helper()
	s, err := broker.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestOneServerAtATimeUsesAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	first := start(t, broker.Config{Dir: dir})
	refused := func(when string) {
		t.Helper()
		_, err := broker.Start(broker.Config{Dir: dir})
		inUse, ok := errors.AsType[*broker.InUseError](err)
		if !ok || inUse.Dir != dir || inUse.PID != os.Getpid() {
			t.Errorf("%s, a second server: error %v", when, err)
		}
	}
	refused("while the first runs")
	refused("after another second was refused")

	first.Stop()
	second := start(t, broker.Config{Dir: dir})
	if err := first.Restart(); err == nil {
		t.Error("while the second runs, the first started again")
	}
	second.Stop()
	if err := first.Restart(); err != nil {
		t.Fatal(err)
	}
	refused("after a restart of the first")
}

func TestAServerThatCannotStartLeavesTheStore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "accounts.conf")
	if err := os.WriteFile(file, []byte("no_auth_user: nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Start(broker.Config{Dir: dir, AccountsFile: file}); err == nil {
		t.Fatal("a server started with a wrong file")
	}
	start(t, broker.Config{Dir: dir})
}

// accounts is a configuration file with accounts, each with one key.
type accounts struct {
	path string
	keys map[string]nkeys.KeyPair
}

func (a accounts) write(t *testing.T, names ...string) {
	t.Helper()
	text := "port: 1\nstore_dir: nowhere\naccounts {\n"
	for _, name := range names {
		if a.keys[name] == nil {
			pair, err := nkeys.CreateUser()
			if err != nil {
				t.Fatal(err)
			}
			a.keys[name] = pair
		}
		key, err := a.keys[name].PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("  %s { jetstream: enabled, users: [ { nkey: %s } ] }\n", name, key)
	}
	if err := os.WriteFile(a.path, []byte(text+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// connect connects with the key of an account.
func (a accounts) connect(s *broker.Server, name string) (*nats.Conn, error) {
	key, err := a.keys[name].PublicKey()
	if err != nil {
		return nil, err
	}
	return nats.Connect(s.URL(), nats.Nkey(key, a.keys[name].Sign))
}

func TestAccountsFile(t *testing.T) {
	a := accounts{filepath.Join(t.TempDir(), "accounts.conf"), map[string]nkeys.KeyPair{}}
	a.write(t, "FIRST", "LATER")
	a.write(t, "FIRST")
	s := start(t, broker.Config{Dir: t.TempDir(), AccountsFile: a.path})

	if nc, err := nats.Connect(s.URL()); !errors.Is(err, nats.ErrAuthorization) {
		nc.Close()
		t.Errorf("a client without a key: error %v", err)
	}
	first, err := a.connect(s, "FIRST")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if nc, err := a.connect(s, "LATER"); !errors.Is(err, nats.ErrAuthorization) {
		nc.Close()
		t.Errorf("a client of an account that is not in the file: error %v", err)
	}

	a.write(t, "FIRST", "LATER")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	later, err := a.connect(s, "LATER")
	if err != nil {
		t.Errorf("a client of an account that came with a reload: %v", err)
	}
	later.Close()
	if err := first.Flush(); err != nil || first.Stats().Reconnects > 0 {
		t.Errorf("the reload disturbed a client of another account: %v", err)
	}

	if err := os.WriteFile(a.path, []byte("accounts {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a broken file was loaded")
	}
	streamtest.Eventually(t, "the client goes on", func() bool { return first.Flush() == nil })
}

// firstMessage returns the first message of a stream. If store is not empty, firstMessage makes the
// stream and stores the message first.
func firstMessage(t *testing.T, nc *nats.Conn, store string) string {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	const subject = "messages"
	if store != "" {
		config := jetstream.StreamConfig{Name: "MESSAGES", Subjects: []string{subject}}
		if _, err := js.CreateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), subject, []byte(store)); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := js.Stream(t.Context(), "MESSAGES")
	if err != nil {
		t.Fatal(err)
	}
	m, err := messages.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Data)
}

func TestStreamsOfAServerWithoutAccountsMove(t *testing.T) {
	dir := t.TempDir()
	s := start(t, broker.Config{Dir: dir})
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	firstMessage(t, nc, "kept")
	nc.Close()
	s.Stop()

	a := accounts{filepath.Join(t.TempDir(), "accounts.conf"), map[string]nkeys.KeyPair{}}
	a.write(t, "STREAMS")
	for _, when := range []string{"at the first start", "at the next start"} {
		s := start(t, broker.Config{Dir: dir, AccountsFile: a.path, Account: "STREAMS"})
		nc, err := a.connect(s, "STREAMS")
		if err != nil {
			t.Fatal(err)
		}
		if got := firstMessage(t, nc, ""); got != "kept" {
			t.Errorf("%s: the message is %q", when, got)
		}
		nc.Close()
		s.Stop()
	}
}
