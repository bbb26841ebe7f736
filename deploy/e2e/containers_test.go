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
)

// stacksAtOnce is how many stacks of containers run at a time: the engine needs a core to start and remove them.
const stacksAtOnce = 3

// TestScriptsAgainstContainers runs every script against the images, each with containers of its own.
func TestScriptsAgainstContainers(t *testing.T) {
	slots := make(chan struct{}, stacksAtOnce)
	runScripts(t, func(ctx context.Context, _ string, variables map[string]string) (stack, error) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		c, err := startContainers(ctx, variables, composeFile)
		if err != nil {
			<-slots
			return nil, err
		}
		return &slotted{c, slots}, nil
	})
}

// slotted is a stack that gives its slot back.
type slotted struct {
	*containers
	slots chan struct{}
}

func (s *slotted) Close() error {
	defer func() { <-s.slots }()
	return s.containers.Close()
}

// containers is a stack of containers: the services of the compose files, on a network and with volumes of their own.
type containers struct {
	ctx     context.Context
	project *types.Project
	engine  *testcontainers.DockerProvider
	network *testcontainers.DockerNetwork
	volumes map[string]string // the compose files' names: the engine's
	http    *http.Client

	mu    sync.Mutex
	parts map[string]*part
}

// startContainers starts every service of the compose files that .env enables, and returns when all are ready.
func startContainers(ctx context.Context, variables map[string]string, files ...string) (_ *containers, err error) {
	all, err := demonstration(variables)
	if err != nil {
		return nil, err
	}
	project, err := composed(ctx, all, files...)
	if err != nil {
		return nil, err
	}
	for name := range variables {
		if !passes(project, name) {
			return nil, fmt.Errorf("%s=: no service of %s passes it on", name, composeFile)
		}
	}
	options := testcontainers.Generic2DockerOptions(testcontainers.WithLogger(logging.NewNoopLogger()))
	engine, err := testcontainers.NewDockerProvider(append(options, testcontainers.WithDefaultBridgeNetwork(testcontainers.Bridge))...)
	if err != nil {
		return nil, err
	}
	c := &containers{
		ctx: ctx, project: project, engine: engine, volumes: map[string]string{}, parts: map[string]*part{},
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.remove())
		}
	}()
	if c.network, err = docker.New(ctx); err != nil {
		return nil, err
	}
	for name := range project.Volumes {
		c.volumes[name] = c.network.Name + "-" + name
		_, err := engine.Client().VolumeCreate(ctx, client.VolumeCreateOptions{Name: c.volumes[name], Labels: testcontainers.GenericLabels()})
		if err != nil {
			return nil, err
		}
	}
	return c, c.begin()
}

// begin makes and starts the services, each after those that it depends on.
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
func (c *containers) create(ctx context.Context, service types.ServiceConfig, name string) (*part, error) {
	p, err := newPart(c.project, service, name)
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
		r.WaitingFor = wait.ForExec(service.HealthCheck.Test[1:]).WithStartupTimeout(patience)
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

// run starts a container and returns when it is ready, or has ended with 0 if that is what it is for.
func (c *containers) run(ctx context.Context, p *part) error {
	err := p.Start(ctx)
	switch service := c.project.Services[p.service]; {
	case err != nil:
	case oneShot(c.project, p.service):
		err = c.ended(ctx, p)
	case isProcess(c.project, service):
		err = c.ready(ctx, p)
	}
	if err != nil && ctx.Err() == nil {
		logs, _ := c.logsOf(context.WithoutCancel(ctx), p)
		return fmt.Errorf("%s: %w\n%s", p.name, err, strings.Join(logs, "\n"))
	}
	return err
}

// ended waits until a container has ended, and fails where not with 0.
func (c *containers) ended(ctx context.Context, p *part) error {
	if err := wait.ForExit().WithExitTimeout(patience).WaitUntilReady(ctx, p); err != nil {
		return err
	}
	p.away = true
	return c.exited(ctx, p)
}

// exited fails where a container that stopped did not exit 0.
func (c *containers) exited(ctx context.Context, p *part) error {
	state, err := p.State(ctx)
	if err == nil && state.ExitCode != 0 {
		err = fmt.Errorf("%s exited %d", p.name, state.ExitCode)
	}
	return err
}

// ready waits until a process says that it is.
func (c *containers) ready(ctx context.Context, p *part) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(askEvery)
	defer again.Stop()
	for {
		text, err := c.get(ctx, "http://"+p.address(adminPort)+"/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("waited %s until it is ready: %w: %s", patience, err, text)
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

// named is the part that a script means: a service, or a resource's worker.
func (c *containers) named(name string) (*part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.parts[strings.ReplaceAll(name, "_", "-")]
	if !ok {
		return nil, fmt.Errorf("none is called %s: there are %s", name, slices.Sorted(maps.Keys(c.parts)))
	}
	return p, nil
}

// all are the parts, in the order of their names.
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
	return a
}

// Stop ends a part by SIGTERM, and by SIGKILL where it takes longer than the compose files give it, which is an error.
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
	return c.exited(c.ctx, p)
}

// Kill ends a part by SIGKILL.
func (c *containers) Kill(name string) error {
	p, err := c.named(name)
	if err != nil {
		return err
	}
	p.away = true
	_, err = c.engine.Client().ContainerKill(c.ctx, p.GetContainerID(), client.ContainerKillOptions{Signal: "SIGKILL"})
	return err
}

// Start starts a part again, and returns when it is ready.
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

// Logs is what all parts have logged since they were made, each line with the part's name, in the order of time.
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

// logsOf are a part's lines, each with the time and the part's name before it.
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
		at, said, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines = append(lines, at+" "+p.name+" "+said)
	}
	return lines, nil
}

// Metrics are those of all parts that run.
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

// Close removes everything. It fails where a part did not run any more, or had to be started again by the engine.
func (c *containers) Close() error {
	var errs []error
	for _, p := range c.all() {
		if p.away {
			continue
		}
		switch is, err := p.Inspect(context.WithoutCancel(c.ctx)); {
		case err != nil:
			errs = append(errs, err)
		case is.RestartCount > 0 || !is.State.Running:
			errs = append(errs, fmt.Errorf("%s stopped by itself: exit code %d, started again %d times", p.name, is.State.ExitCode, is.RestartCount))
		}
	}
	return errors.Join(append(errs, c.remove())...)
}

// remove takes away all that was made, also where the context has ended.
func (c *containers) remove() error {
	ctx := context.WithoutCancel(c.ctx)
	err := c.removeParts(ctx)
	if c.network != nil {
		err = errors.Join(err, c.network.Remove(ctx))
	}
	for _, volume := range c.volumes {
		_, removed := c.engine.Client().VolumeRemove(ctx, volume, client.VolumeRemoveOptions{Force: true})
		err = errors.Join(err, removed)
	}
	return errors.Join(err, c.engine.Close())
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
