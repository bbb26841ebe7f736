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

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	serving "github.com/wagewire/wagewire/schema/process"
)

// Config is how to run.
type Config struct {
	// Bin is the directory of the binaries, nats-server too.
	Bin string
	// Rounds is how often each figure is measured. A round for warming up is not counted.
	Rounds int
	// Senders is how many requests are in flight, in the figures of a rate.
	Senders int
	// Slice is how long the rate of ingress is measured.
	Slice time.Duration
	// Events is how many webhooks must be completed for the rate of small snapshots. Larger kinds
	// have fewer.
	Events int
	// OpenFor is how long a constant rate of webhooks comes, in the figures of latency.
	OpenFor time.Duration
	// Settings are the settings of the broker to measure, by their keys. Empty means all.
	Settings []string
}

const (
	// requestsMax keeps a run on a fast machine from filling the streams.
	requestsMax = 40_000
	// completionsFor is how long the completions of a figure may take.
	completionsFor = 60 * time.Second
	// ratePerS is too high to be a limit. The bench would measure a lower rate.
	ratePerS      = "1000000"
	readHeaderFor = 5 * time.Second
)

// storedType is a type without a worker: ingress stores the webhook and nothing follows.
const storedType = "bill.added"

// kind is a kind of work for the workers.
type kind struct {
	name   string
	types  []string
	person fake.PersonOptions
	// share divides Config.Events.
	share int
	// wanted is the least ratio that the project wants.
	wanted float64
}

// wantedOfIngress is the least ratio of ingress that the project wants.
const wantedOfIngress = 0.95

// kinds are the small snapshots, and lists of one page and of several pages. The records of the
// last kind go to the object store. Income is not among them: its worker reads fully synced
// paystubs too, and each of these would have a second completion.
var kinds = []kind{
	{
		name:  "small snapshots",
		types: []string{"employment.added", "identity.added"},
		share: 1, wanted: 0.90,
	},
	{
		name: "90 shifts", types: []string{"shifts.fully_synced"},
		person: fake.PersonOptions{Shifts: 90}, share: 5, wanted: 0.85,
	},
	{
		name: "31 paystubs", types: []string{"paystubs.fully_synced"},
		person: fake.PersonOptions{Paystubs: 31}, share: 5, wanted: 0.85,
	},
	{
		name: "400 paystubs", types: []string{"paystubs.fully_synced"},
		person: fake.PersonOptions{Paystubs: 400}, share: 50, wanted: 0.85,
	},
}

// workedTypes are the types of all kinds, each once.
func workedTypes() []string {
	var types []string
	for _, k := range kinds {
		for _, t := range k.types {
			if !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	return types
}

// bench holds what every setting uses.
type bench struct {
	config Config
	dir    string
	client *http.Client
	fake   *fake.Providers
	// worked are the webhooks of each kind, and stored is a webhook of storedType.
	worked [][]fake.Webhook
	stored fake.Webhook

	fakeURL string
	// webhooksAddr is where ingress listens, if the fake providers send the webhooks. Otherwise
	// each line chooses an address.
	webhooksAddr string
	// topology is what a broker is provisioned with.
	topology schema.Topology
	undo     []func() error
}

// Run starts everything, measures, prints the report, and leaves nothing behind.
func Run(ctx context.Context, c Config, stdout io.Writer) (err error) {
	chosen, err := chosenSettings(c.Settings)
	if err != nil {
		return err
	}
	b, err := newBench(c, benchTopology())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, stdout); err != nil {
		return err
	}
	for _, s := range chosen {
		r, err := b.measure(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r.print(stdout)
	}
	return nil
}

// newBench returns a bench with a directory of its own. The caller must call stop.
func newBench(c Config, topology schema.Topology) (*bench, error) {
	bin, err := filepath.Abs(c.Bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(bin, "bench-")
	if err != nil {
		return nil, err
	}
	c.Bin = bin
	b := &bench{config: c, dir: dir, client: newClient(c.Senders), topology: topology}
	b.undo = append(b.undo, func() error { return os.RemoveAll(dir) })
	return b, nil
}

// start prints the machine, and starts what every setting uses.
func (b *bench) start(ctx context.Context, stdout io.Writer) error {
	machine, err := machineOf(b.config, b.dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, machine)
	for _, step := range []func(context.Context) error{
		b.writeSecrets, b.startFake, b.makeWebhooks,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop stops everything, in the reverse order of the start.
func (b *bench) stop() error {
	b.client.CloseIdleConnections()
	return b.stopTo(0)
}

// stopTo stops what was started after the first n steps.
func (b *bench) stopTo(n int) error {
	var errs []error
	for _, undo := range slices.Backward(b.undo[n:]) {
		errs = append(errs, undo())
	}
	b.undo = b.undo[:n]
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

// people is the number of accounts of each kind. Completions of one account wait for each other at
// a broker with several servers, which is no common load.
const people = 128

// makeWebhooks makes the people of each kind, and the webhooks to send later.
func (b *bench) makeWebhooks(context.Context) error {
	for _, k := range kinds {
		var webhooks []fake.Webhook
		for range people {
			person := b.fake.Person(k.person)
			for _, name := range k.types {
				webhook, err := b.fake.Event(person, name, fake.EventOptions{})
				if err != nil {
					return err
				}
				webhooks = append(webhooks, webhook)
			}
		}
		b.worked = append(b.worked, webhooks)
	}
	person := b.fake.Person(fake.PersonOptions{})
	var err error
	b.stored, err = b.fake.Event(person, storedType, fake.EventOptions{})
	return err
}

const (
	// loadedBytesMax is the size of a stream that the load fills, more than the load can fill.
	loadedBytesMax = 1 << 30
	// otherBytesMax is the size of every other stream.
	otherBytesMax = 64 << 20
)

// benchTopology is the default topology with sizes for the load, so that it needs little disk.
func benchTopology() schema.Topology {
	topology := schema.DefaultTopology()
	topology.Records.MaxBytes = loadedBytesMax
	for i := range topology.Streams {
		s := &topology.Streams[i]
		s.MaxBytes = otherBytesMax
		if s.Name == schema.EventsStream || s.Name == schema.CompletionsStream {
			s.MaxBytes = loadedBytesMax
		}
	}
	return topology
}
