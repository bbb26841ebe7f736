package compose

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	repository  = "../.."
	composeFile = "docker-compose.yml"
	clusterFile = "deploy/compose/cluster.yml"
	demoDir     = "deploy/compose/demo"
	secretsDir  = "/run/secrets/" // in a container
)

// demoFile returns the path of a file of the demonstration.
func demoFile(name string) string { return filepath.Join(repository, demoDir, name) }

// everyFile holds the compose files of an installation with one node, and with three.
var everyFile = map[string][]string{"one node": {composeFile},
	"three nodes": {composeFile, clusterFile}}

// load reads and merges the files as docker compose does, with every profile and the variables.
func load(t *testing.T, files []string, variables ...string) *types.Project {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	paths := make([]string, len(files))
	for i, file := range files {
		paths[i] = filepath.Join(root, file)
	}
	options, err := cli.NewProjectOptions(paths, cli.WithName("test"),
		cli.WithWorkingDirectory(root),
		cli.WithEnv(variables), cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// settings reads a file with lines of NAME=VALUE.
func settings(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if _, twice := has[name]; !ok || twice {
			t.Errorf("%s: %q is not NAME=VALUE, or its name is used twice", file, line)
		}
		has[name] = value
	}
	return has
}

func TestOnlyTheFakesAreConfigured(t *testing.T) {
	if diff := cmp.Diff(map[string]string{"COMPOSE_PROFILES": "demo"},
		settings(t, ".env")); diff != "" {
		t.Errorf(".env (-want +got)\n%s", diff)
	}
}

// oneShots are the services that end by themselves.
var oneShots = []string{"provision", "team", "send", "wagewire"}

func TestEveryServiceIsConfined(t *testing.T) {
	for name, files := range everyFile {
		t.Run(name, func(t *testing.T) {
			for _, s := range load(t, files).Services {
				oneShot := slices.Contains(oneShots, s.Name)
				restart := types.RestartPolicyUnlessStopped
				if oneShot {
					restart = types.RestartPolicyNo
				}
				for promise, holds := range map[string]bool{
					"its root is read-only": s.ReadOnly,
					"it has no capabilities": slices.Equal(s.CapDrop,
						[]string{"ALL"}) && len(s.CapAdd) == 0 && !s.Privileged,
					"it gains no rights": slices.Equal(s.SecurityOpt,
						[]string{"no-new-privileges:true"}),
					"its memory has a limit":     s.MemLimit > 0,
					"its processes have a limit": s.PidsLimit > 0,
					"its logs are rotated": s.Logging != nil &&
						s.Logging.Options["max-size"] != "" && s.Logging.Options["max-file"] != "",
					"it is started again, or ends": s.Restart == restart,
					"it has a health check, or it ends": (s.HealthCheck != nil &&
						!s.HealthCheck.Disable && len(s.HealthCheck.Test) > 1) != oneShot,
					"it shares nothing of the machine's": s.NetworkMode == "" && s.Pid == "" &&
						s.Ipc == "" && s.UserNSMode == "" && len(s.Devices) == 0,
				} {
					if !holds {
						t.Errorf("%s: broken promise: %s", s.Name, promise)
					}
				}
			}
		})
	}
}

func TestPublishedPorts(t *testing.T) {
	for name, row := range map[string]struct {
		variables []string
		want      map[string]string
	}{
		"on this machine only without variables": {nil, map[string]string{
			"nats": "127.0.0.1:4222 to 4222", "ingress": "127.0.0.1:8080 to 8080", "providers": "127.0.0.1:8081 to 8081",
			"ingress-next": "127.0.0.1:8082 to 8080", "prometheus": "127.0.0.1:9091 to 9090",
			"grafana": "127.0.0.1:3000 to 3000", "console": "127.0.0.1:8090 to 8090",
		}},
		"where the variables say": {[]string{"BIND_ADDR=192.0.2.1", "NATS_PORT=1", "INGRESS_PORT=2",
			"PROVIDERS_PORT=3", "INGRESS_NEXT_PORT=4", "PROMETHEUS_PORT=5", "GRAFANA_PORT=6",
			"CONSOLE_PORT=7"}, map[string]string{
			"nats": "192.0.2.1:1 to 4222", "ingress": "192.0.2.1:2 to 8080", "providers": "192.0.2.1:3 to 8081",
			"ingress-next": "192.0.2.1:4 to 8080", "prometheus": "192.0.2.1:5 to 9090",
			"grafana": "192.0.2.1:6 to 3000",
			"console": "127.0.0.1:7 to 8090", // who reaches it reads: another variable lets others
		}},
		"of the console too, where its own variable says": {[]string{"CONSOLE_BIND_ADDR=192.0.2.2"},
			map[string]string{
				"nats": "127.0.0.1:4222 to 4222", "ingress": "127.0.0.1:8080 to 8080", "providers": "127.0.0.1:8081 to 8081",
				"ingress-next": "127.0.0.1:8082 to 8080", "prometheus": "127.0.0.1:9091 to 9090",
				"grafana": "127.0.0.1:3000 to 3000", "console": "192.0.2.2:8090 to 8090",
			}},
	} {
		for nodes, files := range everyFile {
			t.Run(name+", "+nodes, func(t *testing.T) {
				got := map[string]string{}
				for _, s := range load(t, files, row.variables...).Services {
					for _, p := range s.Ports {
						got[s.Name] += fmt.Sprintf("%s:%s to %d", p.HostIP, p.Published, p.Target)
					}
				}
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
}

// secretsOf returns the secrets that each service needs with one node: the key of its role, and the
// secret of its provider. The workers of accounts and notices call no provider.
func secretsOf() map[string][]string {
	of := map[string][]string{
		"nats":      {"nats_keys", "nats_teams"}, // public ones
		"providers": nil, "send": nil,            // the fakes have their own
		"prometheus": nil, "grafana": nil,
		"provision": {"nats_wagewire"}, "team": {"nats_wagewire"}, "wagewire": {"nats_wagewire"},
		"backfill": {"nats_wagewire"}, "metrics": {"nats_wagewire"},
		"console":  {"nats_wagewire", "console_tokens"},
		"ingress":  {"nats_ingress"},
		"accounts": {"nats_accounts"},
	}
	for _, p := range schema.Providers() {
		for _, name := range []string{"ingress", "wagewire", "backfill"} {
			of[name] = append(of[name], string(p))
		}
	}
	of["ingress-next"] = of["ingress"]
	for _, q := range schema.Queues() {
		service := strings.ReplaceAll(string(q.Resource), "_", "-")
		if of[service] == nil {
			of[service] = []string{"nats_" + string(q.Resource)}
		}
		// A provider may have two queues of a resource: one of them for its erasures.
		secret := string(q.Provider)
		if q.CallsProvider() && !slices.Contains(of[service], secret) {
			of[service] = append(of[service], secret)
		}
	}
	return of
}

// secretsOfCluster returns the secrets that each service needs with three nodes: a node needs its
// certificate too, and a client of the nodes the CA.
func secretsOfCluster() map[string][]string {
	of := secretsOf()
	for name, secrets := range of {
		if isClient := slices.ContainsFunc(secrets, isSeed); isClient {
			of[name] = append(secrets, "nats_ca")
		}
	}
	node := slices.Concat(of["nats"], []string{"nats_ca", "nats_node", "nats_node_key"})
	for _, name := range []string{"nats", "nats-2", "nats-3"} {
		of[name] = node
	}
	return of
}

// isSeed reports whether the file of a secret is a seed.
func isSeed(secret string) bool {
	return strings.HasPrefix(secret, "nats_") && secret != "nats_keys" && secret != "nats_teams"
}

func TestEveryServiceHasItsOwnSecrets(t *testing.T) {
	for name, want := range map[string]map[string][]string{
		"one node": secretsOf(), "three nodes": secretsOfCluster(),
	} {
		t.Run(name, func(t *testing.T) { checkSecrets(t, load(t, everyFile[name]), want) })
	}
}

// checkSecrets checks that each service has the wanted secrets and a variable for each of them, and
// that each secret has a service.
func checkSecrets(t *testing.T, project *types.Project, want map[string][]string) {
	t.Helper()
	got := map[string][]string{}
	mounted := map[string][]string{}
	named := map[string][]string{}
	used := map[string]bool{}
	for _, s := range project.Services {
		got[s.Name] = nil
		for _, secret := range s.Secrets {
			got[s.Name] = append(got[s.Name], secret.Source)
			used[secret.Source] = true
			if strings.HasPrefix(secret.Target, secretsDir) {
				mounted[s.Name] = append(mounted[s.Name], secret.Target)
			}
		}
		for _, value := range s.Environment {
			if strings.HasPrefix(*value, secretsDir) {
				named[s.Name] = append(named[s.Name], *value)
			}
		}
	}
	anyOrder := cmpopts.SortSlices(strings.Compare)
	if diff := cmp.Diff(want, got, anyOrder); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(mounted, named, anyOrder); diff != "" {
		t.Errorf("(-has +its variables name)\n%s", diff)
	}
	for name := range project.Secrets {
		if !used[name] {
			t.Errorf("no service has the secret %s", name)
		}
	}
}

// publicDirs are the directories of files that are no secret.
var publicDirs = []string{
	"deploy/nats", "deploy/prometheus", "deploy/grafana/provisioning", "deploy/grafana/dashboards",
}

func isPublic(file string) bool {
	return slices.ContainsFunc(publicDirs, func(dir string) bool {
		return strings.HasSuffix(filepath.Dir(file), dir)
	})
}

func TestTheDemonstrationHasEveryFile(t *testing.T) {
	project := load(t, everyFile["three nodes"])
	var files []string
	for _, secret := range project.Secrets {
		files = append(files, secret.File)
	}
	for _, s := range project.Services {
		for _, volume := range s.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			files = append(files, volume.Source)
			if !isPublic(volume.Source) || !volume.ReadOnly {
				t.Errorf("%s: the volume of %s is not a read-only file of %v: make it a secret",
					s.Name, volume.Source, publicDirs)
			}
		}
	}
	for _, file := range files {
		info, err := os.Stat(file)
		switch {
		case err != nil:
			t.Error(err)
		case !info.Mode().IsRegular():
			t.Errorf("%s is not a file", file)
		}
	}
	for _, p := range schema.Providers() {
		name := string(p) + ".secret"
		text, err := os.ReadFile(filepath.Join(repository, demoDir, name))
		if err != nil || strings.TrimSpace(string(text)) != fake.Secret(string(p)) {
			t.Errorf("%s is not the secret that the fakes sign with; %v", name, err)
		}
	}
}

func TestEveryProcessKnowsHowToReachTheBroker(t *testing.T) {
	for name, want := range map[string]string{
		"one node": "nats://nats:4222", "three nodes": "tls://nats:4222",
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range load(t, everyFile[name]).Services {
				if s.Environment["NATS_CREDS_FILE"] == nil {
					continue
				}
				url, domain := s.Environment["NATS_URL"], s.Environment["NATS_JS_DOMAIN"]
				if url == nil || *url != want || domain == nil || *domain != stream.Domain {
					t.Errorf("%s: NATS_URL %v, NATS_JS_DOMAIN %v", s.Name, url, domain)
				}
			}
		})
	}
}

func TestOperatorsGetTheSizesOfTheStack(t *testing.T) {
	const sizes = "WAGEWIRE_EVENTS=4GiB"
	for name, copies := range map[string]string{"one node": "", "three nodes": "3"} {
		t.Run(name, func(t *testing.T) {
			for _, service := range []string{"provision", "wagewire"} {
				has := load(t, everyFile[name], "STREAM_MAX_BYTES="+sizes,
					"STREAM_MAX_AGE=WAGEWIRE_EVENTS=15d").Services[service].Environment
				want := map[string]string{
					"STREAM_MAX_BYTES": sizes, "STREAM_MAX_AGE": "WAGEWIRE_EVENTS=15d",
				}
				if copies != "" {
					want["STREAM_REPLICAS"] = copies
				}
				for variable, value := range want {
					if has[variable] == nil || *has[variable] != value {
						t.Errorf("%s: %s is not %q in %v", service, variable, value, has)
					}
				}
				if copies == "" && has["STREAM_REPLICAS"] != nil {
					t.Errorf("%s: one node can keep one copy only", service)
				}
			}
		})
	}
}

func TestABrokerWithoutAccountsHasNoDomain(t *testing.T) {
	project := load(t, everyFile["one node"], "NATS_JS_DOMAIN=")
	if domain := project.Services["ingress"].Environment["NATS_JS_DOMAIN"]; *domain != "" {
		t.Errorf("NATS_JS_DOMAIN is %q", *domain)
	}
}

// The team of the demonstration has the key of its seed, and every resource.
func TestTheDemonstrationsTeam(t *testing.T) {
	const name = "lending"
	key, err := nats.TeamKey(filepath.Join(repository, demoDir), name)
	if err != nil {
		t.Fatal(err)
	}
	var resources []string
	for _, q := range schema.Queues() {
		if r := string(q.Resource); !slices.Contains(resources, r) {
			resources = append(resources, r)
		}
	}
	command := load(t, everyFile["one node"]).Services["team"].Command
	flag := func(name string) string {
		at := slices.Index(command, name)
		if at < 0 || at+1 == len(command) {
			return ""
		}
		return command[at+1]
	}
	got := strings.Split(flag("--resources"), ",")
	if command[2] != name || flag("--key") != key {
		t.Errorf("the command %q does not add team %s with the key %s", command, name, key)
	}
	if diff := cmp.Diff(resources, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("resources (-want +got)\n%s", diff)
	}
}

// foreign are variables that the code of our processes does not read.
var foreign = []string{
	"GOMEMLIMIT",  // the Go runtime's
	"SERVER_NAME", // of nats.conf
}

func TestWhoReadsTheConsole(t *testing.T) {
	for promise, row := range map[string]struct {
		variables []string
		want      map[string]string
	}{
		"everybody who reaches the port of this machine, without variables": {nil,
			map[string]string{"CONSOLE_ANYONE_READS": "1", "CONSOLE_REVEAL": ""}},
		"people with a name, with a variable of nothing": {[]string{"CONSOLE_ANYONE_READS="},
			map[string]string{"CONSOLE_ANYONE_READS": ""}},
		"whom a proxy names, with its address and the roles of its groups": {
			[]string{"CONSOLE_ANYONE_READS=", "CONSOLE_TRUSTED_PROXIES=172.16.0.0/12",
				"CONSOLE_USER_HEADER=X-User", "CONSOLE_ROLES=read=payroll,act=payroll-ops",
				"CONSOLE_URL=https://wagewire.example.com"},
			map[string]string{"CONSOLE_ANYONE_READS": "", "CONSOLE_TRUSTED_PROXIES": "172.16.0.0/12",
				"CONSOLE_USER_HEADER": "X-User", "CONSOLE_GROUPS_HEADER": "X-Forwarded-Groups",
				"CONSOLE_ROLES": "read=payroll,act=payroll-ops",
				"CONSOLE_URL":   "https://wagewire.example.com"}},
		"and records, only after a variable": {[]string{"CONSOLE_REVEAL=1"},
			map[string]string{"CONSOLE_REVEAL": "1"}},
	} {
		for nodes, files := range everyFile {
			t.Run(promise+", "+nodes, func(t *testing.T) {
				has := load(t, files, row.variables...).Services["console"].Environment
				for name, want := range row.want {
					if got := has[name]; got == nil || *got != want {
						t.Errorf("%s is not %q in %v", name, want, has)
					}
				}
			})
		}
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	known := slices.Clone(foreign)
	for _, section := range ofTheProcesses() {
		for _, v := range section.variables {
			known = append(known, v.Name)
		}
	}
	for _, s := range load(t, everyFile["three nodes"]).Services {
		for name := range s.Environment {
			isGrafanas := s.Name == "grafana" && strings.HasPrefix(name, "GF_")
			if !slices.Contains(known, name) && !isGrafanas {
				t.Errorf("%s: %s is set, and no process lists the variable", s.Name, name)
			}
		}
	}
}

func TestEveryImageIsOneOfOurCommands(t *testing.T) {
	commands := commandNames(t)
	for _, s := range load(t, everyFile["three nodes"]).Services {
		name, ours := strings.CutPrefix(s.Image, "wagewire/")
		name, _, _ = strings.Cut(name, ":")
		if ours && !slices.Contains(commands, name) {
			t.Errorf("%s: no command has the name of the image %s", s.Name, s.Image)
		}
		if s.Build == nil || s.Build.Args["COMMAND"] == nil {
			continue
		}
		if built := *s.Build.Args["COMMAND"]; built != name {
			t.Errorf("%s: the image %s is built from the command %s", s.Name, s.Image, built)
		}
	}
}

// commandNames returns the names of all commands of the repository.
func commandNames(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(repository, "*", "cmd", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, dir := range dirs {
		names = append(names, filepath.Base(dir))
	}
	return names
}

func TestNobodyLogsInToGrafana(t *testing.T) {
	environment := load(t, everyFile["one node"]).Services["grafana"].Environment
	for name, want := range map[string]string{
		"GF_AUTH_ANONYMOUS_ORG_ROLE":                 "Viewer",
		"GF_AUTH_BASIC_ENABLED":                      "false",
		"GF_AUTH_DISABLE_LOGIN_FORM":                 "true",
		"GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
	} {
		if got := environment[name]; got == nil || *got != want {
			t.Errorf("%s is not %s: Grafana's first password is known to everybody", name, want)
		}
	}
}

func TestUpIsAScript(t *testing.T) {
	info, err := os.Stat("up")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o111 != 0o111 {
		t.Errorf("its mode is %s: not every user can run it", info.Mode())
	}
	output, err := exec.CommandContext(t.Context(), "bash", "-n", "up").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestTheImageOfTheBrokerMayBeADigest(t *testing.T) {
	digest := "nats@sha256:" + strings.Repeat("0123456789abcdef", 4)
	for name, files := range everyFile {
		t.Run(name, func(t *testing.T) {
			brokers := 0
			for _, service := range load(t, files, "NATS_IMAGE="+digest).Services {
				if service.Image == digest {
					brokers++
				}
				if strings.HasPrefix(service.Image, "nats:") {
					t.Errorf("%s runs %s, whatever NATS_IMAGE says", service.Name, service.Image)
				}
			}
			if brokers == 0 {
				t.Errorf("no service runs %s", digest)
			}
		})
	}
}
