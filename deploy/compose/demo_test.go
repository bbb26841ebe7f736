package compose

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// sumsFile has the sums of the demonstration's keys. Every process of ours has the file inside.
const sumsFile = "schema/process/demo.sha256"

// tokensFile has the people of the console: a line is NAME ROLES TOKEN.
const tokensFile = "console.tokens"

// demoSums returns a line for each key of the demonstration: the keys in demoDir, and what the fake
// providers expect. The certificate of the CA is a key as a whole: everybody has the nodes' key of
// the demonstration. The broker's own files are not among them, because no process of ours reads
// them.
func demoSums(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	known := map[string]bool{}
	add := func(key, name string) {
		isKey := len(key) >= schema.SecretBytesMin && strings.ContainsFunc(key, unicode.IsLetter)
		if isKey && !known[key] {
			known[key] = true
			fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256([]byte(key)), name)
		}
	}
	for _, pattern := range []string{"*.nk", "*.secret", nats.CAFile} {
		paths, err := filepath.Glob(filepath.Join(repository, demoDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			name := filepath.Base(path)
			add(strings.TrimSpace(demoText(t, name)), name)
		}
	}
	for line := range strings.Lines(demoText(t, tokensFile)) {
		if words := strings.Fields(line); !strings.HasPrefix(line, "#") && len(words) > 0 {
			add(words[len(words)-1], tokensFile)
		}
	}
	for _, name := range fake.Names() {
		add(fake.Secret(name), "secret of the fake "+name)
		environment := fake.Environment(name, "")
		delete(environment, "URL")
		for _, variable := range slices.Sorted(maps.Keys(environment)) {
			add(environment[variable], schema.Provider(name).Variable(variable))
		}
	}
	return b.String()
}

func TestGeneratedSumsOfTheDemonstrationsKeys(t *testing.T) {
	checkGenerated(t, sumsFile, demoSums(t))
}

func TestTheDemonstrationsCAIsRefusedBesideARealHost(t *testing.T) {
	own := filepath.Join(t.TempDir(), nats.CAFile)
	if err := os.WriteFile(own, []byte(ownCA(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	url := process.ProviderURL{Variable: "TRUV_URL"}
	for path, refused := range map[string]bool{demoFile(nats.CAFile): true, own: false} {
		err := url.CheckBrokerKey(func(name string) string {
			return map[string]string{"NATS_CA_FILE": path}[name]
		})
		if refused != (err != nil && strings.HasPrefix(err.Error(), "NATS_CA_FILE: ")) {
			t.Errorf("%s: error %v, want refused %v", path, err, refused)
		}
	}
}

// stubDocker is an engine that answers, says that the stack runs, and starts nothing. It writes its
// arguments to the file in CALLS.
const stubDocker = `#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
*" ps -q") echo container ;;
*" up -d") exit 1 ;;
esac
`

func TestUpRefusesTheDemonstrationsKeysBesideARealHost(t *testing.T) {
	const realHosts = "PINWHEEL_URL=https://api.getpinwheel.com TRUV_URL=https://prod.truv.com"
	for promise, row := range map[string]struct {
		variables string
		change    map[string]string // files of the directory of secrets with another text
		says      string            // empty: nothing is refused
	}{
		"all of them": {realHosts, nil,
			tokensFile + " has a key of the demonstration, which is public, and the host of TRUV_URL is real"},
		"beside one real host": {"PINWHEEL_URL=https://sandbox.getpinwheel.com", nil,
			"and the host of PINWHEEL_URL is real"},
		"a provider's secret": {realHosts, ownKeys(t, "truv.secret"), "truv.secret has a key"},
		"a seed":              {realHosts, ownKeys(t, "nats_link.nk"), "nats_link.nk has a key"},
		"a seed of another file": {realHosts, changed(ownKeys(t), "nats_link.nk",
			demoText(t, "nats_ingress.nk")), "nats_link.nk has a key"},
		"a secret below an own one": {realHosts, changed(ownKeys(t), "truv.secret",
			"an-own-secret-of-truv\n"+demoText(t, "truv.secret")), "truv.secret has a key"},
		"a public key":           {realHosts, ownKeys(t, nats.KeysFile), "keys.conf has a key"},
		"the key of the team":    {realHosts, ownKeys(t, nats.TeamsFile), "teams.conf has a key"},
		"a token of the console": {realHosts, ownKeys(t, tokensFile), tokensFile + " has a key"},
		"the key of the nodes": {realHosts, ownKeys(t, nats.NodeKeyFile),
			nats.NodeKeyFile + " has a key"},
		"but not own certificates": {realHosts + " TRUV_CLIENT_ID=mine", changed(ownKeys(t),
			nats.CAFile, ownCA(t)), ""},
		"the client id": {realHosts, ownKeys(t),
			"TRUV_CLIENT_ID is that of the demonstration, and the host of TRUV_URL is real"},
		"but not own keys":                    {realHosts + " TRUV_CLIENT_ID=mine", ownKeys(t), ""},
		"and not beside the fakes":            {"", nil, ""},
		"and not beside fakes on the machine": {"TRUV_URL=http://127.0.0.1:8081/truv", nil, ""},
	} {
		t.Run(promise, func(t *testing.T) {
			stderr, calls := upWithoutAnEngine(t, strings.Fields(row.variables), row.change)
			if !strings.HasPrefix(stderr, "up: ") || !strings.Contains(stderr, row.says) {
				t.Errorf("up says %q, want %q", stderr, row.says)
			}
			refused := row.says != ""
			if started := strings.Contains(calls, "up -d"); started == refused {
				t.Errorf("up has started the stack: %v, and said %q", started, stderr)
			}
		})
	}
}

func TestUpOpensTheConsoleToOthersOnlyOnPurpose(t *testing.T) {
	const refused = "up: CONSOLE_BIND_ADDR is 192.0.2.1, and everybody who reaches it would read the " +
		"console: set CONSOLE_ANYONE_READS in .env, to nothing if only people with a name read, or to 1\n"
	for promise, row := range map[string]struct {
		variables string
		isRefused bool
	}{
		"not beyond this machine without a word": {"CONSOLE_BIND_ADDR=192.0.2.1", true},
		"with another address of ingress, not at all": {
			"BIND_ADDR=192.0.2.1", false},
		"to people with a name": {"CONSOLE_BIND_ADDR=192.0.2.1 CONSOLE_ANYONE_READS=", false},
		"to everybody":          {"CONSOLE_BIND_ADDR=192.0.2.1 CONSOLE_ANYONE_READS=1", false},
		"to this machine":       {"CONSOLE_BIND_ADDR=127.0.0.2", false},
	} {
		t.Run(promise, func(t *testing.T) {
			stderr, calls := upWithoutAnEngine(t, strings.Fields(row.variables), nil)
			if row.isRefused != (stderr == refused) {
				t.Errorf("up says %q", stderr)
			}
			if started := strings.Contains(calls, "up -d"); started == row.isRefused {
				t.Errorf("up has started the stack: %v, and said %q", started, stderr)
			}
		})
	}
}

// ownKeys returns own texts for every file of the demonstration except the named ones.
func ownKeys(t *testing.T, except ...string) map[string]string {
	t.Helper()
	own := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(repository, demoDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(except, entry.Name()) {
			own[entry.Name()] = "# INGRESS and others\nan-own-key-for-" + entry.Name() + "\n"
		}
	}
	return own
}

// ownCA returns the certificate of a CA that is not the demonstration's.
func ownCA(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	if _, err := (nats.Certs{ValidFor: time.Hour}).Write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, nats.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// changed returns texts with another text for one of the files.
func changed(texts map[string]string, name, text string) map[string]string {
	texts[name] = text
	return texts
}

func demoText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, demoDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// upWithoutAnEngine runs up with a copy of the demonstration's files, some of them changed. It
// returns what up says, and the calls of docker.
func upWithoutAnEngine(
	t *testing.T, variables []string, change map[string]string,
) (stderr, calls string) {
	t.Helper()
	dir := t.TempDir()
	secrets := filepath.Join(dir, "secrets")
	if err := os.CopyFS(secrets, os.DirFS(filepath.Join(repository, demoDir))); err != nil {
		t.Fatal(err)
	}
	for name, text := range change {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	docker := filepath.Join(dir, "docker")
	if err := os.WriteFile(docker, []byte(stubDocker), 0o700); err != nil {
		t.Fatal(err)
	}
	called := filepath.Join(dir, "calls")
	up := exec.CommandContext(t.Context(), "deploy/compose/up", "-p", "wagewire-nothing",
		"-f", composeFile, "-f", clusterFile)
	up.Dir = repository
	up.Env = append([]string{
		"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH"),
		"CALLS=" + called,
		"SECRETS_DIR=" + secrets,
	}, variables...)
	var text strings.Builder
	up.Stderr = &text
	_ = up.Run() // fails at the latest because nothing starts
	log, err := os.ReadFile(called)
	if err != nil {
		t.Fatal(err)
	}
	return text.String(), string(log)
}
