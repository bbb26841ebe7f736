package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
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
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// askEvery is the pause between two looks at a condition.
	askEvery = 10 * time.Millisecond
	// askFor is how long one look may take. A broker that stops never answers.
	askFor = 5 * time.Second
	// requestFor is how long a request to a broker may take, on a machine however busy.
	requestFor = 5 * time.Minute
	// parallel is how many scripts run at a time. They wait more than they work.
	parallel = "6"
)

func TestMain(m *testing.M) {
	// A default, which -parallel on the command line overrides.
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// TestScripts runs every script against a deployment in this process.
func TestScripts(t *testing.T) { runScripts(t, startInProcess) }

// runScripts runs the scripts with the names, or every script, each against a stack of its own.
func runScripts(t *testing.T, start starter, names ...string) {
	p := params(t, "testdata", start)
	if len(names) > 0 {
		p.Dir = ""
	}
	for _, name := range names {
		p.Files = append(p.Files, filepath.Join("testdata", name+".txtar"))
	}
	testscript.Run(t, p)
}

// errLate is the cause of a context that ends shortly before the time limit of the test binary.
var errLate = errors.New("the test binary's time is up")

// untilLate returns a context that ends with the test, or shortly before the time limit of the test
// binary. Scripts and loads wait with this context, so a busy machine may take any time.
func untilLate(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cancel(nil) })
	late := streamtest.Late(t)
	go func() {
		select {
		case <-late:
			cancel(errLate)
		case <-ctx.Done():
		}
	}()
	return ctx
}

func params(t *testing.T, dir string, start starter) testscript.Params {
	ctx := untilLate(t)
	return testscript.Params{
		Dir:                 dir,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                commands(newTool(t)),
		Setup: func(env *testscript.Env) error {
			s := newScript(ctx, start)
			env.Values[scriptKey{}] = s
			env.Defer(func() {
				// The logs of containers go with the containers.
				if t, ok := env.T().(interface{ Failed() bool }); ok && t.Failed() {
					env.T().Log("the parts logged:\n" + s.lastLines())
				}
				err := s.close()
				s.stop()
				if err != nil {
					env.T().Fatal(err)
				}
			})
			return nil
		},
	}
}

// script is the deployment of a script, and the connections to it.
type script struct {
	ctx   context.Context // ends when the test binary's time is up
	stop  context.CancelFunc
	start starter
	http  *http.Client

	stack     stack // nil until up
	variables map[string]string
	nats      *nats.Conn
	js        jetstream.JetStream
	conn      *stream.Conn
	person    person
	canaries  []string
	published published
}

// newScript makes a script without a stack. An interrupt ends every wait, so the script fails and
// closes its stack. A second interrupt ends the process.
func newScript(ctx context.Context, start starter) *script {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	return &script{ctx: ctx, stop: stop, start: start, http: client}
}

type scriptKey struct{}

// command is a command of a script. It prints to ts.Stdout, for stdout to match.
type command func(s *script, ts *testscript.TestScript, args arguments) error

func commands(operators tool) map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]command{
		"up": (*script).up, "nats": (*script).switchNATS, "worker": (*script).switchWorker,
		"stream": (*script).switchStream,
		"person": (*script).makePerson, "play": (*script).play, "send": (*script).send,
		"raw": (*script).raw, "lose": (*script).lose, "backfill": (*script).backfill,
		"fault": (*script).fault, "clear": (*script).clear, "calls": (*script).calls,
		"await": (*script).await, "none": (*script).none, "retried": (*script).retried,
		"waiting": (*script).waiting, "retry": (*script).retry,
		"idle":     (*script).idle,
		"verbatim": (*script).verbatim, "count": (*script).count,
		"state": (*script).state, "changes": (*script).changes, "redrive": (*script).redrive,
		"wagewire": operators.wagewire,
		"every-id": (*script).everyID, "once": (*script).once, "no-canaries": (*script).noCanaries,
	}
	cmds := map[string]func(*testscript.TestScript, bool, []string){}
	for name, run := range all {
		cmds[name] = run.named(name)
	}
	return cmds
}

// named returns the command as testscript calls it.
func (run command) named(name string) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		s := ts.Value(scriptKey{}).(*script)
		switch {
		case neg:
			ts.Fatalf("%s: there is no ! for it: write the expected result instead", name)
		case s.stack == nil && name != "up":
			ts.Fatalf("%s: nothing runs yet: begin with up", name)
		}
		if err := run(s, ts, parse(args)); err != nil {
			ts.Fatalf("%s: %v", name, err)
		}
	}
}

// arguments are the words and the key=value pairs of a line.
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

// flag removes a word from the words. It reports whether the word was there.
func (a *arguments) flag(name string) bool {
	for i, word := range a.words {
		if word == name {
			a.words = append(a.words[:i:i], a.words[i+1:]...)
			return true
		}
	}
	return false
}

// only returns an error if there are pairs with other names.
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
	s.variables = args.pairs
	s.stack, err = s.start(s.ctx, ts.MkAbs("state"), args.pairs)
	if err != nil {
		return err
	}
	return s.connect()
}

// connect connects to the stack's broker, as the operator.
func (s *script) connect() (err error) {
	addresses := s.stack.Addresses()
	key, err := nats.NkeyOptionFromSeed(addresses.Credentials)
	if err != nil {
		return err
	}
	options := []nats.Option{
		key, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(askEvery),
		nats.PingInterval(time.Second), // detects a server that was cut off
		nats.CustomInboxPrefix("_INBOX." + stream.RoleOperator), nats.IgnoreDiscoveredServers(),
	}
	if addresses.CA != "" {
		options = append(options, nats.RootCAs(addresses.CA))
	}
	s.nats, err = nats.Connect(addresses.NATS, options...)
	if err != nil {
		return err
	}
	s.js, err = jetstream.New(s.nats, jetstream.WithDefaultTimeout(requestFor))
	if err != nil {
		return err
	}
	if err := s.published.listen(s.nats); err != nil {
		return err
	}
	config := stream.Config{
		URL: addresses.NATS, CredsFile: addresses.Credentials, CAFile: addresses.CA,
	}
	s.conn, err = stream.Connect(config, stream.RoleOperator, zap.NewNop())
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
	return errors.Join(s.stack.Close(), s.published.err())
}

// lastLines returns the end of the parts' logs, for a failed script.
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

// waitFor calls done until it returns true, or until the test binary's time is up. An error ends
// the wait, except for an error of an absent broker.
func (s *script) waitFor(what string, done func(context.Context) (bool, error)) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	var last error
	for {
		ok, err := look(s.ctx, done)
		switch {
		case s.ctx.Err() != nil:
			return errors.Join(
				fmt.Errorf("still waiting for %s: %w", what, context.Cause(s.ctx)), last)
		case err != nil && !isAbsent(err):
			return err
		case ok && err == nil:
			return nil
		case err != nil:
			last = err
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
		}
	}
}

func look(ctx context.Context, done func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	return done(ctx)
}
