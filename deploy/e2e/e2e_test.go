package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// patience is how long anything is waited for. Nothing takes that long but what never comes.
	patience = time.Minute
	// askEvery is the pause between two looks at what is waited for.
	askEvery = 10 * time.Millisecond
	// askFor is how long one look may take: a broker that goes takes what it was asked with it.
	askFor = 5 * time.Second
	// atOnce is how many scripts run at a time: they wait more than they work.
	atOnce = "6"
)

func TestMain(m *testing.M) {
	// A default, which -parallel on the command line overrides.
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// TestScripts runs every script against a deployment in this process.
func TestScripts(t *testing.T) { runScripts(t, startInProcess) }

// runScripts runs every script, each against a stack of its own.
func runScripts(t *testing.T, start starter) { testscript.Run(t, params("testdata", start)) }

func params(dir string, start starter) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			s := newScript(start)
			env.Values[scriptKey{}] = s
			env.Defer(func() {
				err := s.close()
				s.stop()
				if t, ok := env.T().(interface{ Failed() bool }); ok && t.Failed() {
					env.T().Log("the parts logged:\n" + s.lastLines())
				}
				if err != nil {
					env.T().Fatal(err)
				}
			})
			return nil
		},
	}
}

// script is one script's deployment, and its connections to it.
type script struct {
	ctx   context.Context
	stop  context.CancelFunc
	start starter
	http  *http.Client

	stack    stack // nil until up
	nats     *nats.Conn
	js       jetstream.JetStream
	conn     *stream.Conn
	person   person
	canaries []string
}

// newScript is a script that has no stack yet. An interrupt ends what it waits for, so that it fails and closes its stack; a
// second one ends the process.
func newScript(start starter) *script {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return &script{ctx: ctx, stop: stop, start: start, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

type scriptKey struct{}

// command is a command of ours. What it prints goes to w, for stdout to match.
type command func(s *script, ts *testscript.TestScript, args arguments) error

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]command{
		"up": (*script).up, "nats": (*script).switchNATS, "worker": (*script).switchWorker, "stream": (*script).switchStream,
		"person": (*script).makePerson, "play": (*script).play, "send": (*script).send, "raw": (*script).raw,
		"fault": (*script).fault, "clear": (*script).clear, "calls": (*script).calls,
		"await": (*script).await, "none": (*script).none, "redelivered": (*script).redelivered, "idle": (*script).idle,
		"verbatim": (*script).verbatim, "count": (*script).count,
		"every-id": (*script).everyID, "once": (*script).once, "no-canaries": (*script).noCanaries,
	}
	cmds := map[string]func(*testscript.TestScript, bool, []string){}
	for name, run := range all {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			s := ts.Value(scriptKey{}).(*script)
			switch {
			case neg:
				ts.Fatalf("%s: there is no ! for it: say what is expected instead", name)
			case s.stack == nil && name != "up":
				ts.Fatalf("%s: nothing runs yet: begin with up", name)
			}
			if err := run(s, ts, parse(args)); err != nil {
				ts.Fatalf("%s: %v", name, err)
			}
		}
	}
	return cmds
}

// arguments are words, then key=value pairs and bare keys.
type arguments struct {
	words []string
	pairs map[string]string
	keys  []string // of pairs, in order
}

func parse(args []string) arguments {
	a := arguments{pairs: map[string]string{}}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			a.words = append(a.words, arg)
			continue
		}
		a.pairs[key] = value
		a.keys = append(a.keys, key)
	}
	return a
}

// flag takes a bare word out of the words.
func (a *arguments) flag(name string) bool {
	for i, word := range a.words {
		if word == name {
			a.words = append(a.words[:i:i], a.words[i+1:]...)
			return true
		}
	}
	return false
}

// only reports pairs that the command does not know.
func (a *arguments) only(names ...string) error {
	for _, key := range a.keys {
		known := false
		for _, name := range names {
			known = known || key == name
		}
		if !known {
			return fmt.Errorf("%s=: it takes %s", key, strings.Join(names, "=, ")+"=")
		}
	}
	return nil
}

// up [VARIABLE=VALUE ...]
func (s *script) up(ts *testscript.TestScript, args arguments) (err error) {
	if s.stack != nil || len(args.words) > 0 {
		return fmt.Errorf("usage, once: up [VARIABLE=VALUE ...]")
	}
	if s.stack, err = s.start(s.ctx, ts.MkAbs("state"), args.pairs); err != nil {
		return err
	}
	return s.connect()
}

// connect connects to the stack's broker, as the operator.
func (s *script) connect() (err error) {
	at := s.stack.Addresses()
	options := []nats.Option{
		nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(askEvery),
		nats.PingInterval(time.Second), // finds a server that was cut off
		nats.CustomInboxPrefix("_INBOX." + stream.RoleOperator), nats.IgnoreDiscoveredServers(),
	}
	if at.Credentials != "" {
		key, err := nats.NkeyOptionFromSeed(at.Credentials)
		if err != nil {
			return err
		}
		options = append(options, key)
	}
	if s.nats, err = nats.Connect(at.NATS, options...); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.nats); err != nil {
		return err
	}
	s.conn, err = stream.Connect(stream.Config{URL: at.NATS, CredsFile: at.Credentials}, stream.RoleOperator, zap.NewNop())
	return err
}

func (s *script) disconnect() {
	if s.nats != nil {
		s.nats.Close()
	}
	if s.conn != nil {
		s.conn.Close()
	}
}

func (s *script) close() error {
	s.disconnect()
	s.http.CloseIdleConnections()
	if s.stack == nil {
		return nil
	}
	return s.stack.Close()
}

// lastLines are the end of the parts' logs, for a script that failed.
func (s *script) lastLines() string {
	const most = 40
	if s.stack == nil {
		return ""
	}
	text, err := s.stack.Logs()
	if err != nil {
		return err.Error()
	}
	lines := strings.SplitAfter(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// nats stops|starts
func (s *script) switchNATS(_ *testscript.TestScript, args arguments) error {
	return s.toggle(natsPart, strings.Join(args.words, " "))
}

// worker RESOURCE stops|starts
func (s *script) switchWorker(_ *testscript.TestScript, args arguments) error {
	if len(args.words) != 2 {
		return fmt.Errorf("usage: worker RESOURCE stops|starts")
	}
	return s.toggle(args.words[0], args.words[1])
}

func (s *script) toggle(part, how string) error {
	switch how {
	case "stops":
		return s.stack.Stop(part)
	case "starts":
		return s.stack.Start(part)
	default:
		return fmt.Errorf("%q is neither stops nor starts", how)
	}
}

// until asks again until done, or for as long as patience lasts. An error ends it, unless it is that of a broker that is away.
func (s *script) until(what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	again := time.NewTicker(askEvery)
	defer again.Stop()
	var last error
	for {
		ok, err := asked(ctx, done)
		switch {
		case err != nil && ctx.Err() == nil && !away(err):
			return err
		case ok && err == nil:
			return nil
		case err != nil && ctx.Err() == nil:
			last = err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited %s for %s", patience, what), last)
		}
	}
}

func asked(ctx context.Context, done func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	return done(ctx)
}
