package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/bench/least"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/fetch"
)

// setting is how the broker stores.
type setting struct {
	key, name string
	// servers is how many servers the broker has, which is also the number of replicas.
	servers int
	// sync is the sync_interval of nats-server.
	sync string
}

// syncLater is the default of nats-server.
const syncLater = "2m"

// settings are all settings. The first is the one of a single server with the default.
var settings = []setting{
	{"r1-later", "one server, fsync later", 1, syncLater},
	{"r1-always", "one server, fsync always", 1, "always"},
	{"r3-later", "three servers, fsync later", 3, syncLater},
	{"r3-always", "three servers, fsync always", 3, "always"},
}

// SettingKeys are the keys of all settings, for Config.Settings.
func SettingKeys() []string {
	var keys []string
	for _, s := range settings {
		keys = append(keys, s.key)
	}
	return keys
}

// chosenSettings returns the settings with the keys, or all settings if there are no keys.
func chosenSettings(keys []string) ([]setting, error) {
	var chosen []setting
	for _, s := range settings {
		if len(keys) == 0 || slices.Contains(keys, s.key) {
			chosen = append(chosen, s)
		}
	}
	for _, key := range keys {
		if !slices.Contains(SettingKeys(), key) {
			return nil, fmt.Errorf("--settings: %q is none of %s", key,
				strings.Join(SettingKeys(), ", "))
		}
	}
	return chosen, nil
}

// broker is the servers of a setting, and a plain connection to count with.
type broker struct {
	// dir has the files of all servers, and url has their addresses for clients.
	dir     string
	url     string
	servers []*process
	js      jetstream.JetStream
}

// line is a program to measure with its processes: ours or the least.
type line struct {
	*broker

	webhooksURL string
	ingress     *process
	workers     []*process
	events      jetstream.Stream
	completions jetstream.Stream
}

// startBroker starts the servers of a setting, provisions the streams and connects.
func (b *bench) startBroker(ctx context.Context, s setting) (*broker, error) {
	configs, err := natsConfigs(ctx, filepath.Join(b.dir, s.key), s)
	if err != nil {
		return nil, err
	}
	return b.startServers(ctx, s, configs, s.servers)
}

// startServers starts the servers of the configurations, provisions the streams with the number of
// replicas, and connects.
func (b *bench) startServers(
	ctx context.Context, s setting, configs []natsConfig, replicas int,
) (*broker, error) {
	on := &broker{dir: filepath.Join(b.dir, s.key), servers: make([]*process, s.servers)}
	var group errgroup.Group
	for i, c := range configs {
		// A server of a cluster is healthy when the cluster has a leader, so all start together.
		group.Go(func() (err error) {
			on.servers[i], err = startNATS(ctx, filepath.Join(b.config.Bin, "nats-server"), c)
			return err
		})
	}
	err := group.Wait()
	var urls []string
	for i, server := range on.servers {
		if server != nil {
			b.undo = append(b.undo, server.stop)
		}
		urls = append(urls, "nats://"+configs[i].addr)
	}
	if err != nil {
		return nil, err
	}
	on.url = strings.Join(urls, ",")
	topology := b.topology
	topology.Replicas = replicas
	if err := provision(ctx, on.url, topology); err != nil {
		return nil, err
	}
	client, err := nats.Connect(on.url)
	if err != nil {
		return nil, err
	}
	b.undo = append(b.undo, func() error { client.Close(); return nil })
	on.js, err = jetstream.New(client)
	return on, err
}

// startOurs starts ingress and the workers with the names.
func (b *bench) startOurs(ctx context.Context, on *broker, workers []string) (*line, error) {
	l := &line{broker: on}
	env := b.environment(on.url)
	webhooks := b.webhooksAddr
	var err error
	if webhooks == "" {
		webhooks, err = freeAddr(ctx)
	}
	if err != nil {
		return nil, err
	}
	l.webhooksURL = "http://" + webhooks + "/webhooks/"
	l.ingress, err = b.startBinary(ctx, on.dir, "ingress", append(env, "INGRESS_ADDR="+webhooks))
	if err != nil {
		return nil, err
	}
	for _, name := range workers {
		worker, err := b.startBinary(ctx, on.dir, name, env)
		if err != nil {
			return nil, err
		}
		l.workers = append(l.workers, worker)
	}
	return l, l.lookUp(ctx, schema.EventsStream, schema.CompletionsStream)
}

// leastHands is how many events the least worker has in work: the default of ours.
const leastHands = 16

// startLeast starts the least ingress, and a least worker for each type of webhook.
func (b *bench) startLeast(ctx context.Context, on *broker) (*line, error) {
	types := workedTypes()
	if err := least.Prepare(ctx, on.js, len(on.servers), types); err != nil {
		return nil, err
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	l := &line{broker: on, webhooksURL: "http://" + addr + "/"}
	secret := fake.Secret(fake.Pinwheel)
	l.ingress, err = b.startSelf(ctx, on.dir, "least ingress", "http://"+addr,
		LeastCommand, "ingress", "--nats", on.url, "--addr", addr, "--secret", secret)
	if err != nil {
		return nil, err
	}
	api := fake.Environment(fake.Pinwheel, b.fakeURL)["URL"]
	for _, t := range types {
		worker, err := b.startSelf(ctx, on.dir, "least "+t, "",
			LeastCommand, "worker", "--nats", on.url, "--secret", secret,
			"--type", t, "--api", api, "--hands", strconv.Itoa(leastHands))
		if err != nil {
			return nil, err
		}
		l.workers = append(l.workers, worker)
	}
	return l, l.lookUp(ctx, least.EventsStream, least.CompletionsStream)
}

// LeastCommand is the command of the bench that runs a least program.
const LeastCommand = "least"

// lookUp looks up the streams of the line.
func (l *line) lookUp(ctx context.Context, events, completions string) (err error) {
	l.events, err = l.js.Stream(ctx, events)
	if err != nil {
		return err
	}
	l.completions, err = l.js.Stream(ctx, completions)
	return err
}

// workerCommands returns the names of all worker binaries that fetch: one for each resource.
func workerCommands() []string {
	var names []string
	for _, q := range schema.Queues() {
		if name := stream.WorkerRole(q.Resource); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// workersOf returns the names of the worker binaries that the types of webhook need.
func workersOf(types []string) []string {
	var names []string
	for _, t := range types {
		resource, _, _ := strings.Cut(t, ".")
		name := stream.WorkerRole(schema.Resource(resource))
		if !slices.Contains(names, name) {
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

// startProcess starts a process and registers its end with stop.
func (b *bench) startProcess(ctx context.Context, what program) (*process, error) {
	p, err := startProcess(ctx, what)
	if err == nil {
		b.undo = append(b.undo, p.stop)
	}
	return p, err
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

// startSelf starts a command of the bench. Without a healthURL it does not wait.
func (b *bench) startSelf(
	ctx context.Context, dir, name, healthURL string, args ...string,
) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.startProcess(ctx, program{
		name: name, path: self, args: args,
		log: filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".log"), healthURL: healthURL,
	})
}

// codeNoPeers is the broker's error while the servers of a new cluster do not know each other yet.
const codeNoPeers jetstream.ErrorCode = 10005

// provision makes the streams and queues. It waits for the servers of a new cluster.
func provision(ctx context.Context, url string, topology schema.Topology) error {
	conn, err := stream.Connect(stream.Config{URL: url}, "wagewire-bench", zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, healthyFor)
	defer cancel()
	every := time.NewTicker(settleEvery)
	defer every.Stop()
	for {
		err := stream.NewOperator(conn).Provision(ctx, topology)
		refused, ok := errors.AsType[*jetstream.APIError](err)
		if !ok || refused.ErrorCode != codeNoPeers {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-every.C:
		}
	}
}

// natsConfig is the configuration of one server.
type natsConfig struct {
	name, dir, addr, monitor, route string
	sync                            string
	// routes are the routes of all servers of a cluster.
	routes []string
	// extra is added to the configuration file.
	extra string
}

// serverDir is the directory of a server, in that of its broker.
func serverDir(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("nats-%d", i+1)) }

// natsConfigs chooses the addresses and makes the directories of all servers of a setting.
func natsConfigs(ctx context.Context, dir string, s setting) ([]natsConfig, error) {
	configs := make([]natsConfig, s.servers)
	var routes []string
	for i := range configs {
		c := &configs[i]
		c.dir = serverDir(dir, i)
		c.name = filepath.Base(c.dir)
		c.sync = s.sync
		err := os.MkdirAll(c.dir, 0o700)
		for _, addr := range []*string{&c.addr, &c.monitor, &c.route} {
			var unbound error
			*addr, unbound = freeAddr(ctx)
			err = errors.Join(err, unbound)
		}
		if err != nil {
			return nil, err
		}
		routes = append(routes, "nats://"+c.route)
	}
	if s.servers > 1 {
		for i := range configs {
			configs[i].routes = routes
		}
	}
	return configs, nil
}
