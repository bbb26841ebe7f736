//go:build containers

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// composed reads and merges the compose files as docker compose does, with .env and the variables.
func composed(ctx context.Context, variables map[string]string, files ...string) (*types.Project,
	error) {
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
	options, err := cli.NewProjectOptions(paths, cli.WithName("e2e"),
		cli.WithWorkingDirectory(root), cli.WithEnv(environment),
		cli.WithEnvFiles(filepath.Join(root, ".env")), cli.WithDotEnv, cli.WithDefaultProfiles())
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return nil, err
	}
	for _, service := range project.Services {
		if err := checkKnown(service); err != nil {
			return nil, err
		}
	}
	return project, nil
}

// passes reports whether a process of a service gets the variable.
func passes(project *types.Project, variable string) bool {
	for _, service := range project.Services {
		if _, has := service.Environment[variable]; has {
			return true
		}
	}
	return false
}

// checkKnown returns an error if a service has a setting that request does not pass on.
func checkKnown(service types.ServiceConfig) error {
	known := []string{
		"build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck",
		"image", "logging", "mem_limit", "networks",
		"pids_limit", "ports", "profiles", "read_only", "restart", "secrets", "security_opt",
		"stop_grace_period", "volumes",
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
			return fmt.Errorf("service %s has %s: add it to the containers of these tests",
				service.Name, key)
		}
	}
	return nil
}

// oneShot reports whether other services wait for the end of the service.
func oneShot(project *types.Project, name string) bool {
	for _, service := range project.Services {
		if service.DependsOn[name].Condition == types.ServiceConditionCompletedSuccessfully {
			return true
		}
	}
	return false
}

// isProcess reports whether the service is a process of ours, with readiness and metrics at
// adminPort.
func isProcess(project *types.Project, service types.ServiceConfig) bool {
	_, has := service.Environment["NATS_URL"]
	return has && !oneShot(project, service.Name)
}

// request returns the request for a container of a service, on a network, with the volumes of a
// stack and the ports of p.
func request(
	project *types.Project, service types.ServiceConfig, p *part, on string,
	volumes map[string]string,
) (testcontainers.ContainerRequest, error) {
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
		bindings[network.MustParsePort(port)] = []network.PortBinding{{
			HostIP: netip.MustParseAddr(loopback), HostPort: strconv.Itoa(outside),
		}}
	}
	return testcontainers.ContainerRequest{
		Image: service.Image, Entrypoint: service.Entrypoint, Cmd: service.Command,
		Env: environment, ExposedPorts: exposed,
		Networks: []string{on}, NetworkAliases: map[string][]string{on: p.aliases},
		ConfigModifier: func(c *container.Config) {
			c.Healthcheck = health
		},
		HostConfigModifier: func(h *container.HostConfig) {
			h.ReadonlyRootfs = service.ReadOnly
			h.CapDrop = service.CapDrop
			h.SecurityOpt = service.SecurityOpt
			h.Memory = int64(service.MemLimit)
			h.PidsLimit = &service.PidsLimit
			h.Mounts = mounts
			h.PortBindings = bindings
			h.RestartPolicy.Name = container.RestartPolicyMode(service.Restart)
			if service.Logging != nil {
				h.LogConfig = container.LogConfig{Type: service.Logging.Driver,
					Config: service.Logging.Options}
			}
		},
	}, nil
}

// mountsOf returns the volumes and secrets of a service as mounts.
func mountsOf(project *types.Project, service types.ServiceConfig,
	volumes map[string]string) ([]mount.Mount, error) {
	var mounts []mount.Mount
	for _, v := range service.Volumes {
		m := mount.Mount{Type: mount.Type(v.Type), Source: v.Source, Target: v.Target,
			ReadOnly: v.ReadOnly}
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
		mounts = append(mounts, mount.Mount{Type: mount.TypeBind,
			Source: project.Secrets[s.Source].File, Target: target, ReadOnly: true})
	}
	return mounts, nil
}

func healthOf(service types.ServiceConfig) (*container.HealthConfig, error) {
	check := service.HealthCheck
	if check == nil {
		return nil, nil //nolint:nilnil // nil means no health check
	}
	if len(check.Test) < 2 || check.Test[0] != "CMD" {
		return nil, fmt.Errorf("service %s has the health check %q: these tests run those that are [CMD, …]", service.Name, check.Test)
	}
	health := &container.HealthConfig{Test: check.Test}
	for _, d := range []struct {
		in  *types.Duration
		out *time.Duration
	}{{check.Interval, &health.Interval}, {check.Timeout, &health.Timeout},
		{check.StartPeriod, &health.StartPeriod}} {
		if d.in != nil {
			*d.out = time.Duration(*d.in)
		}
	}
	if check.Retries != nil {
		health.Retries = int(*check.Retries)
	}
	return health, nil
}

// part is a container of a service, running or stopped.
type part struct {
	testcontainers.Container
	name    string // name of the service, with a suffix such as -2 for further containers
	service string
	aliases []string
	ports   map[int]int // ports of the container to ports of the loopback interface
	away    bool        // stopped or killed by a test
}

// newPart makes a part. The ports that the compose files publish have the published numbers. The
// admin listeners, the ports of other brokers, and all ports of further containers have free
// numbers.
func newPart(project *types.Project, service types.ServiceConfig, name string,
	freePort func() int) (*part, error) {
	p := &part{name: name, service: service.Name, aliases: []string{service.Name},
		ports: map[int]int{}}
	if on := service.Networks["default"]; on != nil {
		p.aliases = append(p.aliases, on.Aliases...)
	}
	var errs []error
	free := func(inside int) { p.ports[inside] = freePort() }
	for _, port := range service.Ports {
		published, err := strconv.Atoi(port.Published)
		errs = append(errs, err)
		p.ports[int(port.Target)] = published
		if name != service.Name {
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

// address returns the address of a port of the container.
func (p *part) address(inside int) string { return fmt.Sprintf("%s:%d", loopback, p.ports[inside]) }

// demonstration returns the variables of a stack: fast rates, free ports, and the given variables.
func demonstration(variables map[string]string, freePort func() int) map[string]string {
	all := map[string]string{"LOG_LEVEL": "debug", "PINWHEEL_RATE_PER_S": "100",
		"TRUV_RATE_PER_S": "100", "BIND_ADDR": loopback}
	for _, name := range []string{"NATS_PORT", "INGRESS_PORT", "PROVIDERS_PORT", "CONSOLE_PORT"} {
		all[name] = strconv.Itoa(freePort())
	}
	maps.Copy(all, variables)
	return all
}
