package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/usage"
	"github.com/wagewire/wagewire/schema"
	serving "github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/fetch"
)

// NullCommand is the argument of the process that serves the null handler.
const NullCommand = "null"

// Config is how to run.
type Config struct {
	// Bin is the directory of the binaries, nats-server too.
	Bin string
	// Rounds is how often each figure is measured. A round for warming up is not counted.
	Rounds int
	// Senders is how many requests or publishes are in flight.
	Senders int
	// Slice is how long a figure is measured.
	Slice time.Duration
	// Events is how many webhooks must be completed for a figure.
	Events int
}

const (
	// requestsMax keeps a run on a fast machine from filling the streams.
	requestsMax = 40_000
	// completionsFor is how long the completions of a figure may take.
	completionsFor = 30 * time.Second
	// ratePerS is too high to be a limit. The bench would measure a lower rate.
	ratePerS = "1000000"
	// eventsBytesMax is the size of the events stream, more than the load can fill.
	eventsBytesMax = 1 << 30
	// otherBytesMax is the size of every other stream.
	otherBytesMax = 256 << 20
	readHeaderFor = 5 * time.Second
)

// completedTypes are webhooks of every resource that a worker fetches.
var completedTypes = []string{
	"employment.added", "identity.added", "income.added", "paystubs.added", "shifts.added",
	"verification_reports.refreshed", "link-connected",
}

// storedType is a type without a worker: ingress stores the webhook and nothing follows.
const storedType = "bill.added"

// bench holds the running processes.
type bench struct {
	config Config
	dir    string
	client *http.Client
	fake   *fake.Providers
	// completed are webhooks of completedTypes, stored is a webhook of storedType.
	completed []fake.Webhook
	stored    fake.Webhook

	fakeURL string
	// webhooksAddr is where ingress listens, if the fake providers send the webhooks. Otherwise
	// each line chooses an address.
	webhooksAddr string
	// topology is what a broker is provisioned with.
	topology schema.Topology

	nullURL string
	null    *process
	// lines are equal except for the fsync of their brokers.
	lines [settings]*line
	undo  []func() error
}

// The settings of the broker to compare.
const (
	syncLater = iota
	syncAlways
	settings
)

// line is a broker and its processes.
type line struct {
	// dir has the broker's files, and url is the broker's address for clients.
	dir         string
	url         string
	webhooksURL string
	nats        *process
	ingress     *process
	workers     []*process
	events      jetstream.Stream
	completions jetstream.Stream
	js          jetstream.JetStream
}

// Run starts everything, measures, prints the report, and leaves nothing behind.
func Run(ctx context.Context, c Config, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp(c.Bin, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.Bin, err = filepath.Abs(c.Bin)
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	machine, err := machineOf(c, dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, machine)

	b, err := start(ctx, c, dir)
	defer func() { err = errors.Join(err, b.stop()) }()
	if err != nil {
		return err
	}
	rounds, err := b.measure(ctx)
	if err != nil {
		return err
	}
	memory, err := b.memory()
	if err != nil {
		return err
	}
	report(stdout, rounds, memory)
	return nil
}

// start starts everything. The caller must call stop, after an error too.
func start(ctx context.Context, c Config, dir string) (*bench, error) {
	b := &bench{config: c, dir: dir, client: newClient(c.Senders), topology: smallTopology()}
	steps := []func(context.Context) error{
		b.writeSecrets, b.startFake, b.makeWebhooks, b.startNull,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return b, err
		}
	}
	for setting := range b.lines {
		if err := b.startLine(ctx, setting); err != nil {
			return b, err
		}
	}
	return b, nil
}

// stop stops everything, in the reverse order of the start.
func (b *bench) stop() error {
	b.client.CloseIdleConnections()
	var errs []error
	for _, undo := range slices.Backward(b.undo) {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}

func (b *bench) writeSecrets(context.Context) error {
	for _, p := range schema.Providers() {
		secret := fake.Secret(string(p))
		if err := os.WriteFile(b.secretFile(p), []byte(secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) secretFile(p schema.Provider) string {
	return filepath.Join(b.dir, string(p)+".secret")
}

// startFake serves the fake providers inside the bench process.
func (b *bench) startFake(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.fakeURL = "http://" + listener.Addr().String()
	b.fake = fake.New(fake.Config{WebhookURL: "http://" + b.webhooksAddr + "/webhooks"})
	serveCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		server := &http.Server{Handler: b.fake, ReadHeaderTimeout: readHeaderFor}
		served <- serving.Serve(serveCtx, listener, server)
	}()
	b.undo = append(b.undo, func() error {
		stop()
		b.fake.Close()
		return <-served
	})
	return nil
}

// makeWebhooks makes a person, and the webhooks to send later.
func (b *bench) makeWebhooks(context.Context) error {
	person := b.fake.Person(fake.PersonOptions{})
	for _, name := range completedTypes {
		webhook, err := b.fake.Event(person, name, fake.EventOptions{})
		if err != nil {
			return err
		}
		b.completed = append(b.completed, webhook)
	}
	var err error
	b.stored, err = b.fake.Event(person, storedType, fake.EventOptions{})
	return err
}

func (b *bench) startNull(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	b.nullURL = "http://" + addr
	b.null, err = b.startProcess(ctx, program{
		name: "null", path: self, args: []string{NullCommand, addr},
		log: filepath.Join(b.dir, "null.log"), healthURL: b.nullURL,
	})
	return err
}

// startProcess starts a process and registers its end with stop.
func (b *bench) startProcess(ctx context.Context, what program) (*process, error) {
	p, err := startProcess(ctx, what)
	if err == nil {
		b.undo = append(b.undo, p.stop)
	}
	return p, err
}

// startLine starts a broker, ingress and all workers.
func (b *bench) startLine(ctx context.Context, setting int) error {
	dir := filepath.Join(b.dir, fmt.Sprintf("line-%d", setting))
	l := &line{dir: dir}
	b.lines[setting] = l
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	url, err := b.startBroker(ctx, l, dir, setting)
	if err != nil {
		return err
	}
	l.url = url
	env := b.environment(url)
	webhooks := b.webhooksAddr
	if webhooks == "" {
		webhooks, err = freeAddr(ctx)
	}
	if err != nil {
		return err
	}
	l.webhooksURL = "http://" + webhooks + "/webhooks/"
	l.ingress, err = b.startBinary(ctx, dir, "ingress", append(env, "INGRESS_ADDR="+webhooks))
	if err != nil {
		return err
	}
	for _, name := range workerCommands() {
		worker, err := b.startBinary(ctx, dir, name, env)
		if err != nil {
			return err
		}
		l.workers = append(l.workers, worker)
	}
	return nil
}

// startBroker starts the broker of a line, provisions it and connects.
func (b *bench) startBroker(
	ctx context.Context, l *line, dir string, setting int,
) (url string, err error) {
	path := filepath.Join(b.config.Bin, "nats-server")
	l.nats, url, err = startNATS(ctx, path, dir, setting)
	if err != nil {
		return "", err
	}
	b.undo = append(b.undo, l.nats.stop)
	if err := provision(ctx, url, b.topology); err != nil {
		return "", err
	}
	return url, b.connect(ctx, l, url)
}

// workerCommands returns the names of the worker binaries, a name for each resource.
func workerCommands() []string {
	var names []string
	for _, q := range schema.Queues() {
		if name := stream.WorkerRole(q.Resource); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// environment is the environment of ingress and of every worker.
func (b *bench) environment(natsURL string) []string {
	env := []string{"NATS_URL=" + natsURL}
	for _, p := range schema.Providers() {
		env = append(env,
			p.Variable("SECRETS_FILE")+"="+b.secretFile(p),
			fetch.SecretVariable(p)+"="+b.secretFile(p),
		)
		variables := fake.Environment(string(p), b.fakeURL)
		variables["RATE_PER_S"] = ratePerS // the fake has a lower rate
		for name, value := range variables {
			env = append(env, p.Variable(name)+"="+value)
		}
	}
	return env
}

// startBinary starts ingress or a worker and waits until /readyz answers 200.
func (b *bench) startBinary(
	ctx context.Context, dir, name string, env []string,
) (*process, error) {
	admin, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	return b.startProcess(ctx, program{
		name: name, path: filepath.Join(b.config.Bin, name),
		env:        append(slices.Clone(env), "ADMIN_ADDR="+admin),
		log:        filepath.Join(dir, name+".log"),
		healthURL:  "http://" + admin + "/readyz",
		metricsURL: "http://" + admin + "/metrics",
	})
}

// provision makes the streams and queues like wagewire provision.
func provision(ctx context.Context, url string, topology schema.Topology) error {
	conn, err := stream.Connect(stream.Config{URL: url}, "wagewire-bench", zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	return stream.NewOperator(conn).Provision(ctx, topology)
}

// smallTopology is the default topology with smaller limits.
func smallTopology() schema.Topology {
	topology := schema.DefaultTopology()
	topology.Records.MaxBytes = otherBytesMax
	for i := range topology.Streams {
		s := &topology.Streams[i]
		s.MaxBytes = otherBytesMax
		if s.Name == schema.EventsStream {
			s.MaxBytes = eventsBytesMax
		}
	}
	return topology
}

// connect opens a plain connection to the broker, to publish figure a and to count.
func (b *bench) connect(ctx context.Context, l *line, url string) error {
	client, err := nats.Connect(url)
	if err != nil {
		return err
	}
	b.undo = append(b.undo, func() error { client.Close(); return nil })
	l.js, err = jetstream.New(client)
	if err != nil {
		return err
	}
	l.events, err = l.js.Stream(ctx, schema.EventsStream)
	if err != nil {
		return err
	}
	l.completions, err = l.js.Stream(ctx, schema.CompletionsStream)
	return err
}

// memory returns the peak memory of each process, or nil if the system does not count memory.
func (b *bench) memory() ([]peak, error) {
	var peaks []peak
	for setting, l := range b.lines {
		processes := slices.Concat([]*process{l.ingress}, l.workers, []*process{l.nats})
		for i, p := range processes {
			bytes, err := usage.MemoryPeak(p.pid())
			if errors.Is(err, errors.ErrUnsupported) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			if setting == 0 {
				peaks = append(peaks, peak{name: p.name})
			}
			peaks[i].bytes[setting] = bytes
		}
	}
	return peaks, nil
}
