package main

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/wagewire/wagewire/schema"
	serving "github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// Secrets of the fake providers.
const (
	pinwheelSecret = "bench-pinwheel-secret"
	truvSecret     = "bench-truv-secret"
	truvClientID   = fake.TruvClientID
)

const (
	// ratePerS is no limit: with one, the bench would measure it.
	ratePerS = "1000000"
	// Room on the streams: more than the limits of the load can fill.
	eventsBytesMax, otherBytesMax = 1 << 30, 256 << 20
	readHeaderFor                 = 5 * time.Second
)

// bench is all that runs.
type bench struct {
	config config
	dir    string
	client *http.Client
	fake   *fake.Providers
	// completed are webhooks of every resource, for the workers; stored is one that no worker reads.
	completed []fake.Webhook
	stored    fake.Webhook

	fakeURL, nullURL string
	null             *process
	// lines are the same but for their brokers' fsync.
	lines [settings]*line
	undo  []func() error
}

// The settings of the broker that are compared.
const (
	syncLater = iota
	syncAlways
	settings
)

// line is one broker and what works on it.
type line struct {
	webhooksURL string
	nats        *process
	ingress     *process
	workers     []*process
	events      jetstream.Stream
	completions jetstream.Stream
	js          jetstream.JetStream
}

// up starts everything. What it has started is down's to stop, after an error too.
func up(ctx context.Context, c config, dir string) (*bench, error) {
	b := &bench{config: c, dir: dir, client: newClient(c.senders)}
	for _, start := range []func(context.Context) error{b.secrets, b.startFake, b.people, b.startNull} {
		if err := start(ctx); err != nil {
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

// down stops everything, what was started last first.
func (b *bench) down() error {
	b.client.CloseIdleConnections()
	var errs []error
	for _, undo := range slices.Backward(b.undo) {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}

func (b *bench) secrets(context.Context) error {
	for name, secret := range map[string]string{fake.Pinwheel: pinwheelSecret, fake.Truv: truvSecret} {
		if err := os.WriteFile(b.secretFile(name), []byte(secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) secretFile(name string) string { return filepath.Join(b.dir, name+".secret") }

// startFake serves the fake providers from this process.
func (b *bench) startFake(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.fakeURL = "http://" + listener.Addr().String()
	b.fake = fake.New(fake.Config{Secrets: map[string]string{fake.Pinwheel: pinwheelSecret, fake.Truv: truvSecret}})
	until, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		served <- serving.Serve(until, listener, &http.Server{Handler: b.fake, ReadHeaderTimeout: readHeaderFor})
	}()
	b.undo = append(b.undo, func() error {
		stop()
		b.fake.Close()
		return <-served
	})
	return nil
}

// people makes the person whom every webhook is about, and the webhooks.
func (b *bench) people(context.Context) (err error) {
	person := b.fake.Person(fake.PersonOptions{})
	for _, kind := range []string{"employment.added", "identity.added", "income.added", "paystubs.added", "shifts.added",
		"verification_reports.refreshed", "link-connected"} {
		webhook, err := b.fake.Event(person, kind, fake.EventOptions{})
		if err != nil {
			return err
		}
		b.completed = append(b.completed, webhook)
	}
	b.stored, err = b.fake.Event(person, "tax_forms.added", fake.EventOptions{})
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
	b.null, err = b.start(ctx, program{
		name: "null", path: self, args: []string{nullCommand, addr}, log: filepath.Join(b.dir, "null.log"), healthURL: b.nullURL,
	})
	return err
}

// start starts a process that down stops.
func (b *bench) start(ctx context.Context, what program) (*process, error) {
	p, err := start(ctx, what)
	if err == nil {
		b.undo = append(b.undo, p.stop)
	}
	return p, err
}

func (b *bench) startLine(ctx context.Context, setting int) (err error) {
	l := &line{}
	b.lines[setting] = l
	dir := filepath.Join(b.dir, fmt.Sprintf("line-%d", setting))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var url string
	if l.nats, url, err = startNATS(ctx, filepath.Join(b.config.bin, "nats-server"), dir, setting); err != nil {
		return err
	}
	b.undo = append(b.undo, l.nats.stop)
	if err := provision(ctx, url); err != nil {
		return err
	}
	if err := b.connect(ctx, l, url); err != nil {
		return err
	}

	env := []string{"NATS_URL=" + url,
		"PINWHEEL_SECRETS_FILE=" + b.secretFile(fake.Pinwheel), "TRUV_SECRETS_FILE=" + b.secretFile(fake.Truv),
		"PINWHEEL_API_SECRET_FILE=" + b.secretFile(fake.Pinwheel), "TRUV_ACCESS_SECRET_FILE=" + b.secretFile(fake.Truv),
		"PINWHEEL_URL=" + b.fakeURL + "/pinwheel", "PINWHEEL_RATE_PER_S=" + ratePerS,
		"TRUV_URL=" + b.fakeURL + "/truv", "TRUV_RATE_PER_S=" + ratePerS, "TRUV_CLIENT_ID=" + truvClientID,
	}
	webhooks, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	l.webhooksURL = "http://" + webhooks + "/webhooks/"
	if l.ingress, err = b.startBinary(ctx, dir, "ingress", append(env, "INGRESS_ADDR="+webhooks)); err != nil {
		return err
	}
	for _, name := range []string{"employment", "identity", "income", "paystubs", "shifts", "verification-reports", "link"} {
		worker, err := b.startBinary(ctx, dir, name, env)
		if err != nil {
			return err
		}
		l.workers = append(l.workers, worker)
	}
	return nil
}

// startBinary starts one of ours and waits until it is ready.
func (b *bench) startBinary(ctx context.Context, dir, name string, env []string) (*process, error) {
	admin, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	return b.start(ctx, program{
		name: name, path: filepath.Join(b.config.bin, name), env: append(slices.Clone(env), "ADMIN_ADDR="+admin),
		log: filepath.Join(dir, name+".log"), healthURL: "http://" + admin + "/readyz",
	})
}

// provision puts the streams and queues in place as wagewire provision does, with less room.
func provision(ctx context.Context, url string) error {
	conn, err := stream.Connect(stream.Config{URL: url}, "wagewire-bench", zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	topology := schema.DefaultTopology()
	topology.Records.MaxBytes = otherBytesMax
	for i := range topology.Streams {
		s := &topology.Streams[i]
		s.MaxBytes = otherBytesMax
		if s.Name == schema.EventsStream {
			s.MaxBytes = eventsBytesMax
		}
	}
	return stream.NewOperator(conn).Provision(ctx, topology)
}

// connect is a plain client of the broker: it publishes for a, and counts for all.
func (b *bench) connect(ctx context.Context, l *line, url string) error {
	client, err := nats.Connect(url)
	if err != nil {
		return err
	}
	b.undo = append(b.undo, func() error { client.Close(); return nil })
	if l.js, err = jetstream.New(client); err != nil {
		return err
	}
	if l.events, err = l.js.Stream(ctx, schema.EventsStream); err != nil {
		return err
	}
	l.completions, err = l.js.Stream(ctx, schema.CompletionsStream)
	return err
}

// memory is what every process of a line has had at most.
func (b *bench) memory() ([]peak, error) {
	var peaks []peak
	for setting, l := range b.lines {
		for i, p := range slices.Concat([]*process{l.ingress}, l.workers, []*process{l.nats}) {
			bytes, err := memoryPeak(p.pid())
			if errors.Is(err, errors.ErrUnsupported) {
				return nil, nil // not on this system
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
