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

	"github.com/wagewire/wagewire/deploy/arrival"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/flaw"
	"github.com/wagewire/wagewire/deploy/flood"
	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// Config is how to run.
type Config struct {
	// Root is the directory of the repository.
	Root string
	// Environ is the environment of the go command.
	Environ []string
	// For is how long webhooks are sent and processes are killed.
	For  time.Duration
	Seed uint64
	// Nodes is the number of nats-servers: 1, or 3 for a cluster.
	Nodes int
	// SyncAlways lets nats-server write to the disk before each answer.
	SyncAlways bool
	// PerS is the number of webhooks sent in a second.
	PerS int
	// Break is the name of a flaw to build in, "" for none.
	Break string
	Out   io.Writer
}

// ErrViolated is the error of a run with violations.
var ErrViolated = errors.New("promises were broken")

const (
	// instances is the number of processes of each worker. The others work while one is paused.
	instances   = 3
	concurrency = "4"
	// The broker ends a wait within a second of its time, so a step of a ladder has a second.
	// retrySteps makes the ladder longer than any outage. notReadySteps is so small that a few
	// failures counted by mistake end an event.
	ladderStep    = "1s"
	retrySteps    = 80
	notReadySteps = 2
	pageMax       = 25
	// redeliverAfter is the pause before the fakes send a webhook again. Real providers wait half a
	// minute.
	redeliverAfter = 300 * time.Millisecond
	// drainFor is how long the queues may make no progress before they count as stuck.
	drainFor    = 2 * time.Minute
	reportEvery = 5 * time.Second
)

// canaries returns texts that no log may have: personal data, tokens, secrets, and a panic.
func canaries() []string {
	list := []string{
		"Notaperson-", "person.invalid", "Imaginary Lane", "fake-access-token-", "panic",
		"990000001", // the routing number of every bank account
	}
	for _, p := range schema.Providers() {
		list = append(list, fake.Secret(string(p)))
	}
	return list
}

// run is a run and all its processes.
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
	ledger    *ledger.Ledger
	load      *load
	journal   *journal
	ports     ports
	skipped   atomic.Int64

	// door is the address of ingress for webhooks.
	door string

	mu     sync.Mutex
	faults map[string]int // by name
	// floods is the number of floods by the name of the attack. flooded is the sum of their
	// figures.
	floods  map[string]int
	flooded flood.Tally
}

// journal is a file with the time of every kill and fault.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

func (j *journal) write(began time.Time, what string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(j.file, "%8.3f %s\n", time.Since(began).Seconds(), fmt.Sprintf(what, args...))
}

// Run builds the commands, runs them, and prints the report. It returns ErrViolated after a broken
// promise. No process outlives Run.
func Run(ctx context.Context, c Config) (err error) {
	if names := flaw.OfStorm(); c.Break != "" && !slices.Contains(names, c.Break) {
		return fmt.Errorf("no flaw %q: there are %s", c.Break, strings.Join(names, ", "))
	}
	dir, err := os.MkdirTemp("", "wagewire-chaos-")
	if err != nil {
		return err
	}
	defer func() { cleanUp(c, dir, errors.Is(err, ErrViolated)) }()
	r := &run{
		Config: c, dir: dir, ledger: ledger.New(), faults: map[string]int{}, ports: ports{},
		floods: map[string]int{},
	}
	fmt.Fprintf(c.Out, "chaos: seed %d, for %v, %d nats-server, %s\n",
		c.Seed, c.For, c.Nodes, r.describeBuild())
	fmt.Fprintf(c.Out, "chaos: building\n")
	bin, err := build(ctx, c.Environ, c.Root, dir, c.Break)
	if err != nil {
		return err
	}
	return r.run(ctx, bin)
}

// cleanUp removes the directory of the run. After an unexpected violation, logs, schedule and
// streams stay.
func cleanUp(c Config, dir string, violated bool) {
	if !violated || c.Break != "" {
		_ = os.RemoveAll(dir)
		return
	}
	_ = os.RemoveAll(filepath.Join(dir, "bin"))
	fmt.Fprintf(c.Out, "chaos: logs, schedule and streams are in %s\n", dir)
}

func (r *run) describeBuild() string {
	if r.Break == "" {
		return "without a flaw"
	}
	broken, _ := flaw.Lookup(r.Break)
	return "broken on purpose: " + broken.Does
}

// run starts all processes, runs the storm, waits for empty queues, and checks.
func (r *run) run(ctx context.Context, bin string) error {
	alive, kill := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer func() {
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
	defer func() { _ = file.Close() }() // the journal is only for people
	r.journal = &journal{file: file}

	closeProviders, err := r.start(ctx, alive, &group, bin)
	if err != nil {
		return err
	}
	defer closeProviders()

	steps := ledger.Steps{NotReady: notReadySteps, Retry: retrySteps}
	check := ledger.NewCheck(r.ledger, r.gate.served, steps, func(
		ref schema.RecordsRef,
	) ([]byte, error) {
		ask, cancel := context.WithTimeout(ctx, 6*askFor)
		defer cancel()
		return r.broker.records(ask, ref)
	})
	lasted, drained, err := r.stormAndDrain(ctx, alive, check)
	if err != nil {
		return err
	}
	r.stop(check, append(slices.Clone(r.doors), r.workers...))
	if err := r.readStreams(ctx, check); err != nil {
		return err
	}
	if err := r.readLogs(check); err != nil {
		return err
	}
	check.Finish()
	checkCalm(check, &r.load.calm)
	checkFloods(check, r.flooded)
	checkPaces(check, r.gate.copyPaces())
	r.stop(check, r.brokers)
	r.report(check, lasted, drained)
	if n := len(check.Violations()); n > 0 {
		return fmt.Errorf("%w: %d violations with seed %d", ErrViolated, n, r.Seed)
	}
	return nil
}

// stormAndDrain runs the storm and waits for empty queues, and meanwhile checks every completion as
// it comes.
func (r *run) stormAndDrain(
	ctx, alive context.Context, check *ledger.Check,
) (lasted, drained time.Duration, err error) {
	var completed atomic.Int64
	watching, endWatch := context.WithCancel(alive)
	defer endWatch()
	watched := make(chan error, 1)
	go func() { watched <- r.broker.watch(watching, &completed, check.AddVersion) }()

	r.began = time.Now()
	r.storm(ctx, &completed)
	lasted = time.Since(r.began)
	if ctx.Err() != nil {
		return 0, 0, context.Cause(ctx)
	}
	if err := r.drain(ctx, check, &completed); err != nil {
		return 0, 0, err
	}
	drained = time.Since(r.began) - lasted
	endWatch()
	return lasted, drained, <-watched
}

// start starts the fake providers and all processes. The processes end with alive.
func (r *run) start(
	ctx, alive context.Context, group *sync.WaitGroup, bin string,
) (closeProviders func(), err error) {
	nodes, err := r.addBrokers(bin)
	if err != nil {
		return nil, err
	}
	closeProviders, err = r.startProviders(nodes, bin)
	if err != nil {
		return nil, err
	}
	startProcesses := func(brokers bool) {
		for _, p := range r.processes {
			if slices.Contains(r.brokers, p.name) == brokers {
				group.Go(func() { p.run(alive) })
			}
		}
	}
	r.gate.pulse, err = arrival.NewPulse()
	if err != nil {
		closeProviders()
		return nil, err
	}
	group.Go(func() { r.gate.pulse.Run(alive) })
	startProcesses(true)
	r.broker, err = connect(urls(nodes))
	if err != nil {
		closeProviders()
		return nil, err
	}
	err = provision(ctx, urls(nodes), topology(r.Nodes, r.Break != "no-fence"))
	if err != nil {
		closeProviders()
		return nil, fmt.Errorf("provision: %w", err)
	}
	startProcesses(false)
	return closeProviders, nil
}

// addBrokers configures the nats-servers. It starts none.
func (r *run) addBrokers(bin string) ([]node, error) {
	nodes, err := newNodes(r.Nodes, r.ports)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		config, err := n.writeConfig(r.dir, nodes, r.SyncAlways)
		if err != nil {
			return nil, err
		}
		r.brokers = append(r.brokers, n.name)
		path := filepath.Join(bin, natsCommand)
		r.processes = append(r.processes, newProcess(r.dir, n.name, path, inherit, "-c", config))
	}
	return nodes, nil
}

// startProviders starts the fake providers and configures ingress and the workers, which need the
// address of the fakes.
func (r *run) startProviders(nodes []node, bin string) (closeProviders func(), err error) {
	port, err := r.ports.choose()
	if err != nil {
		return nil, err
	}
	r.door = fmt.Sprintf("127.0.0.1:%d", port)
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.fake = fake.New(fake.Config{
		WebhookURL: "http://" + r.door + "/webhooks",
		PageMax:    pageMax,
		RetryWait:  redeliverAfter,
	})
	r.gate = newGate(r.fake, r.steadySince)
	r.load = &load{
		seed: r.Seed, fake: r.fake, ledger: r.ledger, gate: r.gate, calmSince: r.calmSince,
	}
	server := &http.Server{Handler: r.gate, ReadHeaderTimeout: askFor}
	go func() { _ = server.Serve(listener) }() // ends with Close

	closeProviders = func() {
		r.fake.Close()
		_ = server.Close() // a worker may lose an answer that nobody needs
	}
	if err := r.writeSecrets(); err != nil {
		closeProviders()
		return nil, err
	}
	r.addCommands(bin, nodes, "http://"+listener.Addr().String())
	return closeProviders, nil
}

func (r *run) writeSecrets() error {
	for _, p := range schema.Providers() {
		secret := fake.Secret(string(p))
		if err := os.WriteFile(r.secretFile(p), []byte(secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) secretFile(p schema.Provider) string {
	return filepath.Join(r.dir, string(p)+".secret")
}

// inherit is the environment of each start of a process that needs none of its own.
func inherit(int) []string { return nil }

// environment returns the environment of ingress or a worker. apiURL is the URL of the providers.
func (r *run) environment(nodes []node, apiURL string) []string {
	env := []string{
		"NATS_URL=" + urls(nodes),
		"LOG_FORMAT=json",
		"LOG_LEVEL=info",
		"INGRESS_ADDR=" + r.door,
		"WORKER_CONCURRENCY=" + concurrency,
		"NOT_READY_LADDER=" + ladder(notReadySteps),
		"RETRY_LADDER=" + ladder(retrySteps),
	}
	for _, p := range schema.Providers() {
		env = append(env, environmentOf(p, apiURL, r.secretFile(p))...)
	}
	return env
}

// ladder returns a ladder with so many steps.
func ladder(steps int) string {
	return strings.Join(slices.Repeat([]string{ladderStep}, steps), ",")
}

// addCommands configures ingress and the workers. It starts none.
func (r *run) addCommands(bin string, nodes []node, gateURL string) {
	add := func(name, command string) {
		env := func(start int) []string {
			return r.environment(nodes, gateURL+"/"+callerName(name, start))
		}
		path := filepath.Join(bin, command)
		r.processes = append(r.processes, newProcess(r.dir, name, path, env))
	}
	r.doors = []string{ingressCommand}
	add(ingressCommand, ingressCommand)
	for _, command := range workerCommands() {
		for i := range instances {
			name := instanceName(command, i)
			r.workers = append(r.workers, name)
			add(name, command)
		}
	}
}

// stop stops processes with SIGTERM. A process that does not end well is a violation.
func (r *run) stop(check *ledger.Check, names []string) {
	var group sync.WaitGroup
	var mu sync.Mutex
	for _, name := range names {
		group.Go(func() {
			p := r.process(name)
			if err := p.stop(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				check.Violate(ended, p.name, "%v", err)
			}
		})
	}
	group.Wait()
}

// readStreams passes every stored message to check.
func (r *run) readStreams(ctx context.Context, check *ledger.Check) error {
	states := ledger.NewStates(nil)
	type source struct {
		name string
		take func(ledger.Message)
	}
	sources := []source{
		{schema.EventsStream, check.AddEvent},
		{schema.CompletionsStream, check.AddCompletion},
		{schema.DeadLettersStream, check.AddDeadLetter},
		{schema.QuarantineStream, check.AddQuarantined},
		{schema.CompletionsStream, states.AddCompletion},
		{schema.AccountsStream, states.AddState},
	}
	for _, q := range schema.Queues() {
		sources = append(sources, source{q.WaitingStream(), check.AddWaiting})
	}
	for _, s := range sources {
		if err := r.broker.readAll(ctx, s.name, s.take); err != nil {
			return err
		}
	}
	for _, v := range states.Violations() {
		check.Violate(v.What, v.ID, "%s", v.Why)
	}
	return nil
}

// readLogs looks for unexpected ends of processes, and for canaries in their logs.
func (r *run) readLogs(check *ledger.Check) error {
	for _, p := range r.processes {
		for _, fault := range p.history().faults {
			check.Violate(ended, p.name, "%s", fault)
		}
		log, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		for _, text := range canaries() {
			if bytes.Contains(log, []byte(text)) {
				check.Violate(logged, p.name, "the log holds %q", text)
			}
		}
	}
	return nil
}
