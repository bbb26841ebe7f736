package compose

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

const (
	repository  = "../.."
	composeFile = "docker-compose.yml"
	clusterFile = "deploy/compose/cluster.yml"
	demoDir     = "deploy/compose/demo"
	secretsDir  = "/run/secrets/" // in a container
)

// everyFile is what one node needs, and what three do.
var everyFile = map[string][]string{"one node": {composeFile}, "three nodes": {composeFile, clusterFile}}

// load reads the files as docker compose does from its second version on: merged, with every profile and the variables.
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
	options, err := cli.NewProjectOptions(paths, cli.WithName("test"), cli.WithWorkingDirectory(root), cli.WithEnv(variables), cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// settings reads a file of NAME=VALUE lines.
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
			t.Errorf("%s: %q is no NAME=VALUE, or there a second time", file, line)
		}
		has[name] = value
	}
	return has
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+):-([^}]*)\}`)

func TestTheExampleHasEveryVariable(t *testing.T) {
	used := map[string]string{"COMPOSE_PROFILES": "demo"}
	for _, file := range []string{composeFile, clusterFile} {
		text, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		if rest := variable.ReplaceAll(text, nil); bytes.ContainsRune(rest, '$') {
			t.Errorf("%s: a variable is not written ${NAME:-default}, so that it may be set to nothing", file)
		}
		for _, match := range variable.FindAllStringSubmatch(string(text), -1) {
			if before, again := used[match[1]]; again && before != match[2] {
				t.Errorf("%s: the default of %s is %q here and %q elsewhere", file, match[1], match[2], before)
			}
			used[match[1]] = match[2]
		}
	}
	if diff := cmp.Diff(used, settings(t, ".env.example")); diff != "" {
		t.Errorf(".env.example (-used +said)\n%s", diff)
	}
}

func TestOnlyTheFakesAreConfigured(t *testing.T) {
	if diff := cmp.Diff(map[string]string{"COMPOSE_PROFILES": "demo"}, settings(t, ".env")); diff != "" {
		t.Errorf(".env (-want +got)\n%s", diff)
	}
}

// oneShots end by themselves; a person waits for each of them, or another service does.
var oneShots = []string{"provision", "send", "wagewire"}

func TestEveryServiceIsConfined(t *testing.T) {
	for name, files := range everyFile {
		t.Run(name, func(t *testing.T) {
			for _, s := range load(t, files).Services {
				oneShot := slices.Contains(oneShots, s.Name)
				restart := types.RestartPolicyUnlessStopped
				if oneShot {
					restart = types.RestartPolicyNo
				}
				for promise, kept := range map[string]bool{
					"its root is read-only":               s.ReadOnly,
					"it has no capabilities":              slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0 && !s.Privileged,
					"it gains none":                       slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}),
					"its memory has a limit":              s.MemLimit > 0,
					"so have its processes":               s.PidsLimit > 0,
					"its logs are rotated":                s.Logging != nil && s.Logging.Options["max-size"] != "" && s.Logging.Options["max-file"] != "",
					"it is started again, or ends":        s.Restart == restart,
					"its health is asked for, or it ends": (s.HealthCheck != nil && !s.HealthCheck.Disable && len(s.HealthCheck.Test) > 1) != oneShot,
					"it shares nothing of the machine's":  s.NetworkMode == "" && s.Pid == "" && s.Ipc == "" && s.UserNSMode == "" && len(s.Devices) == 0,
				} {
					if !kept {
						t.Errorf("%s: not so: %s", s.Name, promise)
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
		"to this machine alone": {nil, map[string]string{
			"nats": "127.0.0.1:4222 to 4222", "ingress": "127.0.0.1:8080 to 8080", "providers": "127.0.0.1:8081 to 8081",
		}},
		"where one says": {[]string{"BIND_ADDR=192.0.2.1", "NATS_PORT=1", "INGRESS_PORT=2", "PROVIDERS_PORT=3"}, map[string]string{
			"nats": "192.0.2.1:1 to 4222", "ingress": "192.0.2.1:2 to 8080", "providers": "192.0.2.1:3 to 8081",
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

// secretsOf is what each service needs to be who it is, and to speak with its provider.
func secretsOf() map[string][]string {
	of := map[string][]string{
		"nats": {"nats_keys"}, "nats-2": {"nats_keys"}, "nats-3": {"nats_keys"}, // public ones
		"providers": nil, "send": nil, // the fakes have their own
		"provision": {"nats_wagewire"}, "wagewire": {"nats_wagewire"},
		"ingress": {"nats_ingress"},
	}
	for _, p := range schema.Providers() {
		of["ingress"] = append(of["ingress"], string(p))
	}
	for _, q := range schema.Queues() {
		service := strings.ReplaceAll(string(q.Resource), "_", "-")
		if of[service] == nil {
			of[service] = []string{"nats_" + string(q.Resource)}
		}
		of[service] = append(of[service], string(q.Provider))
	}
	return of
}

func TestEveryServiceHasItsOwnSecrets(t *testing.T) {
	project := load(t, everyFile["three nodes"])
	got, mounted, named := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, s := range project.Services {
		got[s.Name] = nil
		for _, secret := range s.Secrets {
			got[s.Name] = append(got[s.Name], secret.Source)
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
	if diff := cmp.Diff(secretsOf(), got, anyOrder); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(mounted, named, anyOrder); diff != "" {
		t.Errorf("(-has +its variables name)\n%s", diff)
	}
	used := map[string]bool{}
	for _, secrets := range got {
		for _, secret := range secrets {
			used[secret] = true
		}
	}
	for name := range project.Secrets {
		if !used[name] {
			t.Errorf("nobody has the secret %s", name)
		}
	}
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
			if dir := filepath.Dir(volume.Source); !strings.HasSuffix(dir, "deploy/nats") || !volume.ReadOnly {
				t.Errorf("%s: the volume of %s is not one of the repository's own configuration, to be read: make it a secret", s.Name, volume.Source)
			}
		}
	}
	for _, file := range files {
		switch info, err := os.Stat(file); {
		case err != nil:
			t.Error(err)
		case !info.Mode().IsRegular():
			t.Errorf("%s is no file", file)
		}
	}
	for name, want := range map[string]string{"pinwheel.secret": fake.Secret(fake.Pinwheel), "truv.secret": fake.Secret(fake.Truv)} {
		if text, err := os.ReadFile(filepath.Join(repository, demoDir, name)); err != nil || strings.TrimSpace(string(text)) != want {
			t.Errorf("%s is not what the fakes sign with; %v", name, err)
		}
	}
}

// foreign are variables that no process of ours reads by itself.
var foreign = []string{
	"GOMEMLIMIT",  // the Go runtime's
	"SERVER_NAME", // of nats.conf
}

func TestEveryVariableIsRead(t *testing.T) {
	commands, code := source(t)
	for _, s := range load(t, everyFile["three nodes"]).Services {
		command, ours := strings.CutPrefix(s.Image, "wagewire/")
		if command, _, _ = strings.Cut(command, ":"); ours && !slices.Contains(commands, command) {
			t.Errorf("%s: no command is named as its image %s", s.Name, s.Image)
		}
		if s.Build != nil && s.Build.Args["COMMAND"] != nil && *s.Build.Args["COMMAND"] != command {
			t.Errorf("%s: its image %s is built of the command %s", s.Name, s.Image, *s.Build.Args["COMMAND"])
		}
		for name := range s.Environment {
			if !slices.Contains(foreign, name) && !bytes.Contains(code, []byte(`"`+name+`"`)) {
				t.Errorf("%s: %s is set, and no code reads it", s.Name, name)
			}
		}
	}
}

// source is the names of our commands, and all code but tests.
func source(t *testing.T) (commands []string, text []byte) {
	t.Helper()
	for _, module := range []string{"schema", "ingress", "workers", "deploy"} {
		dirs, err := filepath.Glob(filepath.Join(repository, module, "cmd", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			commands = append(commands, filepath.Base(dir))
		}
		err = filepath.WalkDir(filepath.Join(repository, module), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := os.ReadFile(path)
			text = append(text, file...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return commands, text
}

func TestUpIsAScript(t *testing.T) {
	info, err := os.Stat("up")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o111 != 0o111 {
		t.Errorf("its mode is %s: not everybody can run it", info.Mode())
	}
	if said, err := exec.CommandContext(t.Context(), "bash", "-n", "up").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}
