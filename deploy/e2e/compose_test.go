//go:build containers

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
)

const (
	repository  = "../.."
	composeFile = "docker-compose.yml"
	clusterFile = "deploy/compose/cluster.yml"
	loopback    = "127.0.0.1"

	natsPort  = 4222
	adminPort = 9090
)

// composed reads the compose files, merged, as docker compose does: with .env, and the variables over it.
func composed(ctx context.Context, variables map[string]string, files ...string) (*types.Project, error) {
	root, err := filepath.Abs(repository)
	if err != nil {
		return nil, err
	}
	var paths, environment []string
	for _, file := range files {
		paths = append(paths, filepath.Join(root, file))
	}
	for name, value := range variables {
		environment = append(environment, name+"="+value)
	}
	options, err := cli.NewProjectOptions(paths, cli.WithName("e2e"), cli.WithWorkingDirectory(root), cli.WithEnv(environment),
		cli.WithEnvFiles(filepath.Join(root, ".env")), cli.WithDotEnv, cli.WithDefaultProfiles())
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return nil, err
	}
	for _, service := range project.Services {
		if err := mapped(service); err != nil {
			return nil, err
		}
	}
	return project, nil
}

// passes reports whether a service's process has the variable.
func passes(project *types.Project, variable string) bool {
	for _, service := range project.Services {
		if _, has := service.Environment[variable]; has {
			return true
		}
	}
	return false
}

// mapped reports what a service has in the compose files that its container would not have here.
func mapped(service types.ServiceConfig) error {
	known := []string{
		"build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck", "image", "logging", "mem_limit", "networks",
		"pids_limit", "ports", "profiles", "read_only", "restart", "secrets", "security_opt", "stop_grace_period", "volumes",
	}
	text, err := json.Marshal(service)
	if err != nil {
		return err
	}
	var has map[string]json.RawMessage
	if err := json.Unmarshal(text, &has); err != nil {
		return err
	}
	for key := range has {
		if !slices.Contains(known, key) {
			return fmt.Errorf("service %s has %s: add it to the containers of these tests", service.Name, key)
		}
	}
	return nil
}

// oneShot tells services that others wait for to end.
func oneShot(project *types.Project, name string) bool {
	for _, service := range project.Services {
		if service.DependsOn[name].Condition == types.ServiceConditionCompletedSuccessfully {
			return true
		}
	}
	return false
}

// isProcess tells our own processes, which serve readiness and metrics at adminPort.
func isProcess(project *types.Project, service types.ServiceConfig) bool {
	_, has := service.Environment["NATS_URL"]
	return has && !oneShot(project, service.Name)
}

// request is a service as the engine is asked for it, on a network and with volumes of a stack. Its ports are those of p.
func request(project *types.Project, service types.ServiceConfig, p *part, on string, volumes map[string]string) (testcontainers.ContainerRequest, error) {
	environment := map[string]string{}
	for name, value := range service.Environment {
		if value != nil {
			environment[name] = *value
		}
	}
	mounts, err := mountsOf(project, service, volumes)
	if err != nil {
		return testcontainers.ContainerRequest{}, err
	}
	health, err := healthOf(service)
	if err != nil {
		return testcontainers.ContainerRequest{}, err
	}
	bindings := network.PortMap{}
	var exposed []string
	for inside, outside := range p.ports {
		port := fmt.Sprintf("%d/tcp", inside)
		exposed = append(exposed, port)
		bindings[network.MustParsePort(port)] = []network.PortBinding{{HostIP: netip.MustParseAddr(loopback), HostPort: strconv.Itoa(outside)}}
	}
	return testcontainers.ContainerRequest{
		Image: service.Image, Entrypoint: service.Entrypoint, Cmd: service.Command, Env: environment, ExposedPorts: exposed,
		Networks: []string{on}, NetworkAliases: map[string][]string{on: p.aliases},
		ConfigModifier: func(c *container.Config) {
			c.Healthcheck = health
		},
		HostConfigModifier: func(h *container.HostConfig) {
			h.ReadonlyRootfs, h.CapDrop, h.SecurityOpt = service.ReadOnly, service.CapDrop, service.SecurityOpt
			h.Memory, h.PidsLimit = int64(service.MemLimit), &service.PidsLimit
			h.Mounts, h.PortBindings = mounts, bindings
			h.RestartPolicy.Name = container.RestartPolicyMode(service.Restart)
			if service.Logging != nil {
				h.LogConfig = container.LogConfig{Type: service.Logging.Driver, Config: service.Logging.Options}
			}
		},
	}, nil
}

// mountsOf are a service's volumes and secrets.
func mountsOf(project *types.Project, service types.ServiceConfig, volumes map[string]string) ([]mount.Mount, error) {
	var mounts []mount.Mount
	for _, v := range service.Volumes {
		m := mount.Mount{Type: mount.Type(v.Type), Source: v.Source, Target: v.Target, ReadOnly: v.ReadOnly}
		switch v.Type {
		case types.VolumeTypeBind:
		case types.VolumeTypeVolume:
			m.Source = volumes[v.Source]
		default:
			return nil, fmt.Errorf("service %s has a volume of type %s: add it to the containers of these tests", service.Name, v.Type)
		}
		mounts = append(mounts, m)
	}
	for _, s := range service.Secrets {
		target := cmp.Or(s.Target, s.Source)
		if !path.IsAbs(target) {
			target = path.Join("/run/secrets", target)
		}
		mounts = append(mounts, mount.Mount{Type: mount.TypeBind, Source: project.Secrets[s.Source].File, Target: target, ReadOnly: true})
	}
	return mounts, nil
}

func healthOf(service types.ServiceConfig) (*container.HealthConfig, error) {
	check := service.HealthCheck
	if check == nil {
		return nil, nil //nolint:nilnil // the engine's word for none
	}
	if len(check.Test) < 2 || check.Test[0] != "CMD" {
		return nil, fmt.Errorf("service %s has the health check %q: these tests run those that are [CMD, …]", service.Name, check.Test)
	}
	health := &container.HealthConfig{Test: check.Test}
	for _, d := range []struct {
		in  *types.Duration
		out *time.Duration
	}{{check.Interval, &health.Interval}, {check.Timeout, &health.Timeout}, {check.StartPeriod, &health.StartPeriod}} {
		if d.in != nil {
			*d.out = time.Duration(*d.in)
		}
	}
	if check.Retries != nil {
		health.Retries = int(*check.Retries)
	}
	return health, nil
}

// part is a container of a service, or has been one.
type part struct {
	testcontainers.Container
	name    string // the service's, with -2 and so on behind for more containers of it
	service string
	aliases []string
	ports   map[int]int // of the container: on the loopback interface
	away    bool        // stopped or killed by a test
}

// newPart is a part whose ports are those that the compose files publish, as they say, and others at free ones: the
// brokers', and the admin listeners of our processes. The second container of a service has all of its ports at free ones.
func newPart(project *types.Project, service types.ServiceConfig, name string) (*part, error) {
	p := &part{name: name, service: service.Name, aliases: []string{service.Name}, ports: map[int]int{}}
	if on := service.Networks["default"]; on != nil {
		p.aliases = append(p.aliases, on.Aliases...)
	}
	var errs []error
	free := func(inside int) {
		port, err := freePort()
		p.ports[inside] = port
		errs = append(errs, err)
	}
	for _, port := range service.Ports {
		published, err := strconv.Atoi(port.Published)
		errs = append(errs, err)
		if p.ports[int(port.Target)] = published; name != service.Name {
			free(int(port.Target))
		}
	}
	if isProcess(project, service) {
		free(adminPort)
	}
	if strings.HasPrefix(service.Name, natsPart) && p.ports[natsPort] == 0 {
		free(natsPort)
	}
	return p, errors.Join(errs...)
}

// address is where a port of the container is reached.
func (p *part) address(inside int) string { return fmt.Sprintf("%s:%d", loopback, p.ports[inside]) }

// portsGiven counts the ports that freePort has given.
var portsGiven atomic.Uint32

// freePort is a port of the loopback interface that nobody listens at, and that it has not given before. It is none of those
// that the kernel gives to outgoing connections: one of them could sit there while its container is stopped.
func freePort() (int, error) {
	const from, most = 20_000, 10_000
	for range most {
		port := from + (os.Getpid()*100+int(portsGiven.Add(1)))%most
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", fmt.Sprintf("%s:%d", loopback, port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free", from, from+most)
}

// demonstration is what the sandbox gives its processes, and where the parts listen.
func demonstration(variables map[string]string) (map[string]string, error) {
	all := map[string]string{"LOG_LEVEL": "debug", "PINWHEEL_RATE_PER_S": "100", "TRUV_RATE_PER_S": "100", "BIND_ADDR": loopback}
	for _, name := range []string{"NATS_PORT", "INGRESS_PORT", "PROVIDERS_PORT"} {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		all[name] = strconv.Itoa(port)
	}
	maps.Copy(all, variables)
	return all, nil
}
