//go:build containers

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	logging "github.com/testcontainers/testcontainers-go/log"
	docker "github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// stacksMax is how many stacks of containers run at a time. The engine needs a core to start
	// and remove them.
	stacksMax = 3
	// startFor is longer than a test: the wait for a container ends with the context of the stack.
	startFor = 24 * time.Hour
	// getFor is how long a request to a container may take, on a machine however busy.
	getFor = time.Minute
)

// scriptsOfEveryPush are stories that need what containers add: processes that stop and start, a
// broker with an account for each role, secrets as files, and one story of each kind of ending.
var scriptsOfEveryPush = []string{
	"straight", "accounts_state", "large", "link_deleted", "nats_restarted", "provider_down",
	"quarantine", "stream_full", "truv", "unauthorized", "worker_stopped",
}

// TestScriptsAgainstContainers runs the scripts against the images, each with containers of its
// own: every script, and with -short those of every push.
func TestScriptsAgainstContainers(t *testing.T) {
	slots := make(chan struct{}, stacksMax)
	freePort := func() int { return streamtest.FreePort(t) }
	start := func(ctx context.Context, _ string, variables map[string]string) (stack, error) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		c, err := startContainers(ctx, freePort, variables, composeFile)
		if err != nil {
			<-slots
			return nil, err
		}
		return &slotted{c, slots}, nil
	}
	var names []string
	if testing.Short() {
		names = scriptsOfEveryPush
	}
	runScripts(t, start, names...)
}

// slotted is a stack that frees its slot when it is closed.
type slotted struct {
	*containers
	slots chan struct{}
}

func (s *slotted) Close() error {
	defer func() { <-s.slots }()
	return s.containers.Close()
}

// containers is a stack of containers: the services of the compose files, with their own network
// and volumes.
type containers struct {
	ctx      context.Context
	freePort func() int
	project  *types.Project
	engine   *testcontainers.DockerProvider
	network  *testcontainers.DockerNetwork
	volumes  map[string]string // names of the compose files to names of the engine
	http     *http.Client

	mu    sync.Mutex
	parts map[string]*part
}

// startContainers starts every service that .env enables, and waits until all are ready.
func startContainers(
	ctx context.Context, freePort func() int, variables map[string]string, files ...string,
) (_ *containers, err error) {
	project, err := composed(ctx, demonstration(variables, freePort), files...)
	if err != nil {
		return nil, err
	}
	for name := range variables {
		if !passes(project, name) {
			return nil, fmt.Errorf("%s=: no service of %s passes it on", name, composeFile)
		}
	}
	quiet := testcontainers.WithLogger(logging.NewNoopLogger())
	options := testcontainers.Generic2DockerOptions(quiet)
	engine, err := testcontainers.NewDockerProvider(append(options,
		testcontainers.WithDefaultBridgeNetwork(testcontainers.Bridge))...)
	if err != nil {
		return nil, err
	}
	c := &containers{
		ctx: ctx, freePort: freePort, project: project, engine: engine,
		volumes: map[string]string{}, parts: map[string]*part{},
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: getFor},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.remove())
		}
	}()
	c.network, err = docker.New(ctx)
	if err != nil {
		return nil, err
	}
	for name := range project.Volumes {
		c.volumes[name] = c.network.Name + "-" + name
		_, err := engine.Client().VolumeCreate(ctx,
			client.VolumeCreateOptions{Name: c.volumes[name],
				Labels: testcontainers.GenericLabels()})
		if err != nil {
			return nil, err
		}
	}
	return c, c.begin()
}

// begin makes and starts the services. Each starts after its dependencies.
func (c *containers) begin() error {
	group, ctx := errgroup.WithContext(c.ctx)
	done := map[string]chan struct{}{}
	for name := range c.project.Services {
		done[name] = make(chan struct{})
	}
	for name, service := range c.project.Services {
		group.Go(func() error {
			p, err := c.create(ctx, service, name)
			if err != nil {
				return err
			}
			for _, before := range slices.Sorted(maps.Keys(service.DependsOn)) {
				select {
				case <-done[before]:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if err := c.run(ctx, p); err != nil {
				return err
			}
			close(done[name])
			return nil
		})
	}
	return group.Wait()
}

// create makes a container of a service.
func (c *containers) create(ctx context.Context, service types.ServiceConfig, name string) (*part,
	error) {
	p, err := newPart(c.project, service, name, c.freePort)
	if err != nil {
		return nil, err
	}
	r, err := request(c.project, service, p, c.network.Name, c.volumes)
	if err != nil {
		return nil, err
	}
	_, err = c.engine.Client().ImageInspect(ctx, service.Image)
	if errdefs.IsNotFound(err) && service.Build != nil {
		return nil, fmt.Errorf("image %s is not here: run: make images", service.Image)
	}
	if !isProcess(c.project, service) && service.HealthCheck != nil {
		r.WaitingFor = wait.ForExec(service.HealthCheck.Test[1:]).WithStartupTimeout(startFor)
	}
	p.Container, err = c.engine.CreateContainer(ctx, r)
	if p.Container != nil {
		c.mu.Lock()
		c.parts[name] = p
		c.mu.Unlock()
	}
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", service.Name, err)
	}
	return p, nil
}

// run starts a container and waits until it is ready. A container for one job must end with 0.
func (c *containers) run(ctx context.Context, p *part) error {
	err := p.Start(ctx)
	service := c.project.Services[p.service]
	switch {
	case err != nil:
	case oneShot(c.project, p.service):
		err = c.waitEnded(ctx, p)
	case isProcess(c.project, service):
		err = c.waitReady(ctx, p)
	}
	if err != nil && ctx.Err() == nil {
		logs, _ := c.logsOf(context.WithoutCancel(ctx), p)
		return fmt.Errorf("%s: %w\n%s", p.name, err, strings.Join(logs, "\n"))
	}
	return err
}

// waitEnded waits until a container has ended with 0.
func (c *containers) waitEnded(ctx context.Context, p *part) error {
	if err := wait.ForExit().WithExitTimeout(startFor).WaitUntilReady(ctx, p); err != nil {
		return err
	}
	p.away = true
	return c.checkExit(ctx, p)
}

// checkExit returns an error if a stopped container did not exit 0.
func (c *containers) checkExit(ctx context.Context, p *part) error {
	state, err := p.State(ctx)
	if err == nil && state.ExitCode != 0 {
		err = fmt.Errorf("%s exited %d", p.name, state.ExitCode)
	}
	return err
}

// waitReady waits until /readyz of a process answers 200.
func (c *containers) waitReady(ctx context.Context, p *part) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		text, err := c.get(ctx, "http://"+p.address(adminPort)+"/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w: %w: %s", context.Cause(ctx), err, text)
		}
	}
}

func (c *containers) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("GET %s: status %d", url, response.StatusCode)
	}
	return text, err
}

// named returns the part with a name: a service, or a resource's worker.
func (c *containers) named(name string) (*part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.parts[strings.ReplaceAll(name, "_", "-")]
	if !ok {
		return nil, fmt.Errorf("no worker %s: there are %s", name,
			slices.Sorted(maps.Keys(c.parts)))
	}
	return p, nil
}

// all returns the parts in the order of their names.
func (c *containers) all() []*part {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []*part
	for _, name := range slices.Sorted(maps.Keys(c.parts)) {
		parts = append(parts, c.parts[name])
	}
	return parts
}

func (c *containers) Addresses() addresses {
	var brokers []string
	var a addresses
	for _, p := range c.all() {
		switch {
		case p.name == "ingress":
			a.Webhooks = "http://" + p.address(8080) + "/webhooks"
		case p.name == "providers":
			a.Providers = "http://" + p.address(8081)
		case p.ports[natsPort] > 0:
			brokers = append(brokers, "nats://"+p.address(natsPort))
		}
	}
	a.NATS = strings.Join(brokers, ",")
	a.Credentials = c.project.Secrets["nats_wagewire"].File
	a.CA = c.project.Secrets["nats_ca"].File
	return a
}

// Stop stops a part with SIGTERM. After the grace period of the compose files, SIGKILL follows,
// which is an error.
func (c *containers) Stop(name string) error {
	p, err := c.named(name)
	if err != nil {
		return err
	}
	p.away = true
	grace := time.Duration(*c.project.Services[p.service].StopGracePeriod)
	if err := p.Stop(c.ctx, &grace); err != nil {
		return err
	}
	return c.checkExit(c.ctx, p)
}

// Kill kills a part with SIGKILL.
func (c *containers) Kill(name string) error {
	p, err := c.named(name)
	if err != nil {
		return err
	}
	p.away = true
	_, err = c.engine.Client().ContainerKill(c.ctx, p.GetContainerID(),
		client.ContainerKillOptions{Signal: "SIGKILL"})
	return err
}

// Start starts a part again, and waits until it is ready.
func (c *containers) Start(name string) error {
	p, err := c.named(name)
	if err != nil {
		return err
	}
	if !p.away {
		return fmt.Errorf("%s runs", name)
	}
	if err := c.run(c.ctx, p); err != nil {
		return err
	}
	p.away = false
	return nil
}

// Logs returns the logs of all parts in the order of time, each line with the name of the part.
func (c *containers) Logs() ([]byte, error) {
	var lines []string
	for _, p := range c.all() {
		of, err := c.logsOf(context.WithoutCancel(c.ctx), p)
		if err != nil {
			return nil, err
		}
		lines = append(lines, of...)
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

// logsOf returns the lines of a part, each with the time and the name of the part.
func (c *containers) logsOf(ctx context.Context, p *part) ([]string, error) {
	stream, err := c.engine.Client().ContainerLogs(ctx, p.GetContainerID(),
		client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, stream); err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(text.String()) {
		at, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines = append(lines, at+" "+p.name+" "+text)
	}
	return lines, nil
}

// Metrics returns the metrics of all running parts.
func (c *containers) Metrics(ctx context.Context) ([]byte, error) {
	var all []byte
	for _, p := range c.all() {
		if p.away || p.ports[adminPort] == 0 {
			continue
		}
		text, err := c.metricsOf(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, text...)
	}
	return all, nil
}

func (c *containers) metricsOf(ctx context.Context, p *part) ([]byte, error) {
	return c.get(ctx, "http://"+p.address(adminPort)+"/metrics")
}

// Close removes everything. A part that stopped by itself, or that the engine restarted, is an
// error.
func (c *containers) Close() error {
	var errs []error
	for _, p := range c.all() {
		if p.away {
			continue
		}
		container, err := p.Inspect(context.WithoutCancel(c.ctx))
		switch {
		case err != nil:
			errs = append(errs, err)
		case container.RestartCount > 0 || !container.State.Running:
			errs = append(errs, fmt.Errorf("%s stopped by itself: exit code %d, restarted %d times",
				p.name, container.State.ExitCode, container.RestartCount))
		}
	}
	return errors.Join(append(errs, c.remove())...)
}

// remove removes everything, also after the end of the context.
func (c *containers) remove() error {
	ctx := context.WithoutCancel(c.ctx)
	err := c.removeParts(ctx)
	if c.network != nil {
		err = errors.Join(err, c.removeNetwork(ctx))
	}
	for _, volume := range c.volumes {
		_, removed := c.engine.Client().VolumeRemove(ctx, volume,
			client.VolumeRemoveOptions{Force: true})
		err = errors.Join(err, removed)
	}
	return errors.Join(err, c.engine.Close())
}

// removeNetwork removes the network. A busy engine may still count the endpoint of a container that
// is gone.
func (c *containers) removeNetwork(ctx context.Context) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		err := c.network.Remove(ctx)
		if err == nil || !strings.Contains(err.Error(), "has active endpoints") {
			return err
		}
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return err
		}
	}
}

// removeParts removes every container.
func (c *containers) removeParts(ctx context.Context) error {
	var group errgroup.Group
	for _, p := range c.all() {
		group.Go(func() error { return p.Terminate(ctx, testcontainers.StopTimeout(0)) })
	}
	err := group.Wait()
	c.mu.Lock()
	clear(c.parts)
	c.mu.Unlock()
	return err
}
