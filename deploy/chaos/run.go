package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// Config is how to run.
type Config struct {
	// Root is the repository, Environ the environment for the go command.
	Root    string
	Environ []string
	// For is how long webhooks are sent and things break.
	For  time.Duration
	Seed uint64
	// Nodes is how many nats-servers there are: one, or a cluster of three.
	Nodes int
	// SyncAlways has nats-server write through to the disk before it answers.
	SyncAlways bool
	// PerS is how many webhooks are sent a second.
	PerS int
	// Break is the name of a flaw to build in, "" for none.
	Break string
	Out   io.Writer
}

// ErrViolated says that the run ended and found violations.
var ErrViolated = errors.New("promises were broken")

const (
	pinwheelSecret = "chaos-pinwheel-secret"
	truvSecret     = "chaos-truv-secret"
	truvClientID   = fake.TruvClientID

	// instances of each worker: so that an event of one that is paused is worked on by another.
	instances   = 2
	concurrency = "4"
	// The ladders are short, and longer than anybody dies in a run.
	retrySteps, notReadyLadder = 80, "100ms,300ms,1s,1s"
	pageMax                    = 25
	// redeliverAfter is what the fakes wait before they send again, in place of half a minute.
	redeliverAfter = 300 * time.Millisecond
	// drainFor is how long nothing may move on the queues before they are said to be stuck.
	drainFor    = 2 * time.Minute
	reportEvery = 5 * time.Second
)

// run is one run.
type run struct {
	Config
	dir       string
	began     time.Time
	processes []*process
	brokers   []string
	doors     []string
	workers   []string
	broker    *broker
	fake      *fake.Providers
	gate      *gate
	ledger    *ledger
	load      *load
	journal   *journal
	ports     ports
	skipped   atomic.Int64
	faults    map[string]int
}

// journal is the file that says what was done when.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

func (j *journal) say(began time.Time, what string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(j.file, "%8.3f %s\n", time.Since(began).Seconds(), fmt.Sprintf(what, args...))
}

// Run runs once and prints what it finds. ErrViolated: a promise was broken. Nothing it started outlives it.
func Run(ctx context.Context, c Config) (err error) {
	if _, ok := flaws[c.Break]; c.Break != "" && !ok {
		return fmt.Errorf("no flaw %q: there are %s", c.Break, strings.Join(Flaws(), ", "))
	}
	dir, err := os.MkdirTemp("", "wagewire-chaos-")
	if err != nil {
		return err
	}
	defer func() {
		if !errors.Is(err, ErrViolated) || c.Break != "" {
			_ = os.RemoveAll(dir)
			return
		}
		_ = os.RemoveAll(filepath.Join(dir, "bin"))
		fmt.Fprintf(c.Out, "chaos: logs, schedule and streams are kept in %s\n", dir)
	}()
	r := &run{Config: c, dir: dir, ledger: newLedger(), faults: map[string]int{}, ports: ports{}}
	fmt.Fprintf(c.Out, "chaos: seed %d, for %v, %d nats-server, %s\n", c.Seed, c.For, c.Nodes, r.what())
	fmt.Fprintf(c.Out, "chaos: building\n")
	bin, err := build(ctx, c.Environ, c.Root, dir, c.Break)
	if err != nil {
		return err
	}
	return r.run(ctx, bin)
}

func (r *run) what() string {
	if r.Break == "" {
		return "as it is"
	}
	return "broken on purpose: " + flaws[r.Break].does
}

func (r *run) run(ctx context.Context, bin string) error {
	alive, kill := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer func() { // whatever happens, nothing is left
		kill()
		group.Wait()
		if r.broker != nil {
			r.broker.nats.Close()
		}
	}()
	file, err := os.Create(filepath.Join(r.dir, "journal"))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // a help to read, no result
	r.journal = &journal{file: file}

	nodes, err := r.prepare(bin)
	if err != nil {
		return err
	}
	providers, err := r.providers(nodes, bin)
	if err != nil {
		return err
	}
	defer func() { _ = providers.Close() }() // what the workers think of it is over
	for _, p := range r.processes {
		if slices.Contains(r.brokers, p.name) {
			group.Go(func() { p.run(alive) })
		}
	}
	if r.broker, err = connect(urls(nodes)); err != nil {
		return err
	}
	if err := provision(ctx, urls(nodes), topology(r.Nodes, r.Break != "no-fence")); err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	for _, p := range r.processes {
		if !slices.Contains(r.brokers, p.name) {
			group.Go(func() { p.run(alive) })
		}
	}

	check := newCheck(r.ledger, &r.gate.served, func(ref schema.RecordsRef) ([]byte, error) {
		ask, cancel := context.WithTimeout(ctx, 6*askFor)
		defer cancel()
		return r.broker.records(ask, ref)
	})
	var completed atomic.Int64
	watching, endWatch := context.WithCancel(alive)
	watched := make(chan error, 1)
	go func() { watched <- r.broker.watch(watching, &completed, check.seen) }()
	defer endWatch()

	r.began = time.Now()
	r.storm(ctx, &completed)
	lasted := time.Since(r.began)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := r.drain(ctx, check, &completed); err != nil {
		return err
	}
	drained := time.Since(r.began) - lasted
	endWatch()
	if err := <-watched; err != nil {
		return err
	}
	r.stop(check, append(slices.Clone(r.doors), r.workers...))
	if err := r.compare(ctx, check); err != nil {
		return err
	}
	r.stop(check, r.brokers)
	r.report(check, lasted, drained)
	if len(check.violations) > 0 {
		return fmt.Errorf("%w: %d violations with seed %d", ErrViolated, len(check.violations), r.Seed)
	}
	return nil
}

// prepare chooses ports and names the processes; none runs yet.
func (r *run) prepare(bin string) ([]node, error) {
	nodes, err := newNodes(r.Nodes, r.ports)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		config, err := n.configure(r.dir, nodes, r.SyncAlways)
		if err != nil {
			return nil, err
		}
		r.brokers = append(r.brokers, n.name)
		r.processes = append(r.processes, newProcess(r.dir, n.name, filepath.Join(bin, natsCommand), nil, "-c", config))
	}
	return nodes, nil
}

// providers starts the fakes, and names the processes that need to know where they are.
func (r *run) providers(nodes []node, bin string) (*http.Server, error) {
	port, err := r.ports.one()
	if err != nil {
		return nil, err
	}
	door := fmt.Sprintf("127.0.0.1:%d", port)
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.fake = fake.New(fake.Config{
		Secrets:    map[string]string{fake.Pinwheel: pinwheelSecret, fake.Truv: truvSecret},
		WebhookURL: "http://" + door + "/webhooks", PageMax: pageMax, RetryWait: redeliverAfter,
	})
	r.gate = newGate(r.fake)
	r.load = &load{seed: r.Seed, fake: r.fake, ledger: r.ledger}
	server := &http.Server{Handler: r.gate, ReadHeaderTimeout: askFor}
	server.RegisterOnShutdown(r.fake.Close)
	go func() { _ = server.Serve(listener) }() // ends with Close

	env := []string{"NATS_URL=" + urls(nodes), "LOG_FORMAT=json", "LOG_LEVEL=info", "INGRESS_ADDR=" + door,
		"PINWHEEL_URL=http://" + listener.Addr().String() + "/pinwheel", "PINWHEEL_RATE_PER_S=1000",
		"TRUV_URL=http://" + listener.Addr().String() + "/truv", "TRUV_RATE_PER_S=1000", "TRUV_CLIENT_ID=" + truvClientID,
		"WORKER_CONCURRENCY=" + concurrency, "NOT_READY_LADDER=" + notReadyLadder,
		"RETRY_LADDER=200ms,500ms" + strings.Repeat(",1s", retrySteps),
	}
	for _, secret := range []struct{ file, text, signing, calling string }{
		{"pinwheel.secret", pinwheelSecret, "PINWHEEL_SECRETS_FILE", "PINWHEEL_API_SECRET_FILE"},
		{"truv.secret", truvSecret, "TRUV_SECRETS_FILE", "TRUV_ACCESS_SECRET_FILE"},
	} {
		path := filepath.Join(r.dir, secret.file)
		if err := os.WriteFile(path, []byte(secret.text+"\n"), 0o600); err != nil {
			return nil, err
		}
		env = append(env, secret.signing+"="+path, secret.calling+"="+path)
	}
	r.doors = []string{ingressCommand}
	r.processes = append(r.processes, newProcess(r.dir, ingressCommand, filepath.Join(bin, ingressCommand), env))
	for _, name := range workerCommands {
		for i := range instances {
			instance := fmt.Sprintf("%s-%d", name, i+1)
			r.workers = append(r.workers, instance)
			r.processes = append(r.processes, newProcess(r.dir, instance, filepath.Join(bin, name), env))
		}
	}
	return server, nil
}

// stop ends commands as an operator would.
func (r *run) stop(check *check, names []string) {
	var group sync.WaitGroup
	var mu sync.Mutex
	for _, name := range names {
		group.Go(func() {
			p := r.process(name)
			if err := p.stop(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				check.violate(ended, p.name, "%v", err)
			}
		})
	}
	group.Wait()
}

// compare reads everything there is.
func (r *run) compare(ctx context.Context, check *check) error {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	r.gate.mu.Lock()
	defer r.gate.mu.Unlock()
	for _, s := range []struct {
		name string
		take func(message)
	}{
		{schema.EventsStream, check.event},
		{schema.CompletionsStream, check.completion},
		{schema.DeadLettersStream, check.deadLetter},
		{schema.QuarantineStream, check.quarantine},
	} {
		if err := r.broker.readAll(ctx, s.name, s.take); err != nil {
			return err
		}
	}
	for _, p := range r.processes {
		_, _, _, faults := p.report()
		for _, fault := range faults {
			check.violate(ended, p.name, "%s", fault)
		}
		if err := canaries(p.log, func(text string) { check.violate(logged, p.name, "its log holds %q", text) }); err != nil {
			return err
		}
	}
	check.finish()
	return nil
}

// canaries looks in a log for what must not be in any: people, tokens, panics.
func canaries(path string, found func(text string)) error {
	log, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, text := range []string{"Notaperson-", "person.invalid", "Imaginary Lane", "fake-access-token-", pinwheelSecret, truvSecret, "panic"} {
		if bytes.Contains(log, []byte(text)) {
			found(text)
		}
	}
	return nil
}
