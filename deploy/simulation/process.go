package simulation

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/fetch"
)

const (
	// replicas is the number of processes of each command.
	replicas = 2
	// ingressCommand is the command that receives webhooks.
	ingressCommand = "ingress"

	// keepFor is how long an idle connection to a provider stays open.
	keepFor = 10 * time.Second
)

// commands returns the commands of the line: ingress, one for each resource, and accounts.
func commands() []string {
	list := []string{ingressCommand}
	for _, r := range schema.WorkerResources() {
		list = append(list, stream.WorkerRole(r))
	}
	return append(list, stream.RoleAccounts)
}

func instance(command string, n int) string { return fmt.Sprintf("%s-%d", command, n) }

// process is a process of the line, which lives several times.
type process struct {
	world   *world
	name    string
	command string
	// serve runs the command until ctx ends.
	serve func(ctx context.Context, l *life) error

	mu   sync.Mutex
	life *life // nil if the process does not run
	// holds counts the faults that keep the process from running.
	holds int
	lives sync.WaitGroup
}

// life is one life of a process.
type life struct {
	process  *process
	wires    *wires
	registry *prometheus.Registry
	stop     context.CancelFunc
	ended    chan struct{}
}

// start starts the process, unless a fault still keeps it from running.
func (p *process) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life != nil || p.holds > 0 {
		return
	}
	ctx, stop := context.WithCancel(p.world.ctx)
	l := &life{
		process: p, wires: newWires(), registry: prometheus.NewRegistry(), stop: stop,
		ended: make(chan struct{}),
	}
	p.life = l
	p.lives.Go(func() {
		defer close(l.ended)
		err := p.serve(ctx, l)
		if err != nil && !l.wires.isDead() {
			p.world.violate("process", p.name, "it ended: %v", err)
		}
		if !l.wires.isDead() {
			p.world.metrics.add(l.registry)
		}
	})
}

// hold keeps the process from running, until release. It returns the life that must end, if any.
func (p *process) hold() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds++
	l := p.life
	p.life = nil
	return l
}

// current returns the life of the process, nil if it does not run.
func (p *process) current() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

func (p *process) release() {
	p.mu.Lock()
	p.holds--
	p.mu.Unlock()
	p.start()
}

// finish ends a life as SIGTERM does, and waits for the end.
func (l *life) finish() {
	l.stop()
	<-l.ended
}

// kill ends a life at once. What runs in it goes on for a while, as in a process that has lost
// every connection, and nobody learns of it.
func (l *life) kill() {
	l.process.world.metrics.add(l.registry)
	l.wires.cut()
	l.stop()
}

// Dial connects to the broker: life is a nats.CustomDialer.
func (l *life) Dial(_, _ string) (net.Conn, error) {
	conn, err := l.process.world.broker.dial()
	return l.wires.add(conn, err)
}

// connect connects to the broker as the commands do.
func (l *life) connect() (*stream.Conn, error) {
	p := l.process
	return p.world.connect(l, p.command, p.name)
}

// serveOf returns what a command does until ctx ends.
func serveOf(command string) func(ctx context.Context, l *life) error {
	switch command {
	case ingressCommand:
		return serveIngress
	case stream.RoleAccounts:
		return serveAccounts
	}
	all := schema.WorkerResources()
	i := slices.IndexFunc(all, func(r schema.Resource) bool {
		return stream.WorkerRole(r) == command
	})
	return serveWorker(all[i])
}

// serveIngress is the command ingress.
func serveIngress(ctx context.Context, l *life) error {
	w := l.process.world
	config, err := ingress.ConfigFromEnv(w.getenv)
	if err != nil {
		return err
	}
	listener := newPipes()
	config.Listener = wired{listener, l.wires}
	conn, err := l.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	server, err := ingress.New(config, conn, w.log(l.process.name), l.registry)
	if err != nil {
		return err
	}
	w.doors.open(listener)
	defer w.doors.shut(listener)
	return conn.RunWhileOpen(ctx, server.Run)
}

// serveWorker returns the command of a resource.
func serveWorker(r schema.Resource) func(ctx context.Context, l *life) error {
	return func(ctx context.Context, l *life) error {
		w := l.process.world
		log := w.log(l.process.name)
		config, err := workers.ConfigFromEnv(w.getenv)
		if err != nil {
			return err
		}
		conn, err := l.connect()
		if err != nil {
			return err
		}
		defer conn.Close()
		calls := &http.Transport{DialContext: l.dialProvider, IdleConnTimeout: keepFor}
		defer calls.CloseIdleConnections()
		sources, err := fetch.Open(r, workers.Surroundings{
			Getenv: w.getenv, Registry: l.registry, Log: log, Transport: calls,
			Budget: func(p schema.Provider) pace.Store { return conn.Budget(p) },
		})
		if err != nil {
			return err
		}
		defer closePaces(sources)
		worker := workers.New(r, sources, conn, config, log, l.registry)
		return conn.RunWhileOpen(ctx, worker.Run)
	}
}

// serveAccounts is the command accounts.
func serveAccounts(ctx context.Context, l *life) error {
	conn, err := l.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	log := l.process.world.log(l.process.name)
	accounts := workers.NewAccounts(conn, workers.AccountsConfig{}, log, l.registry)
	return conn.RunWhileOpen(ctx, accounts.Run)
}

func closePaces(sources map[schema.Provider]workers.Source) {
	for _, s := range sources {
		if s.Pace != nil {
			s.Pace.Close()
		}
	}
}

func (l *life) dialProvider(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := l.process.world.api.dial(ctx)
	return l.wires.add(conn, err)
}

// doors are the listeners of ingress. A sender comes to each in turn, as behind a load balancer.
type doors struct {
	mu   sync.Mutex
	list []*pipes
	next int
}

func (d *doors) open(l *pipes) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, l)
}

func (d *doors) shut(l *pipes) {
	_ = l.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = slices.DeleteFunc(d.list, func(other *pipes) bool { return other == l })
}

// dial connects a sender to ingress.
func (d *doors) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d.mu.Lock()
	if len(d.list) == 0 {
		d.mu.Unlock()
		return nil, errRefused
	}
	d.next++
	l := d.list[d.next%len(d.list)]
	d.mu.Unlock()
	return l.dial(ctx)
}

// secretFile is the file with the secret of a provider.
func secretFile(dir string, p schema.Provider) string {
	return filepath.Join(dir, string(p)+".secret")
}
