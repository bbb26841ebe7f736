package deploy_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	natsconf "github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema/stream"
)

// pattern is what may not stand in a file of the repository.
type pattern struct {
	name string
	is   *regexp.Regexp
	// random says that the second group must look random to count, and the first name no id.
	random bool
	// hints are texts, in lower case, of which a line must hold one to be looked at more closely:
	// the scan is quick.
	hints []string
}

var patterns = []pattern{
	{name: "private key", hints: []string{"private key"},
		is: regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----`)},
	{name: "NATS credentials", hints: []string{"-----begin"},
		is: regexp.MustCompile(`-----BEGIN (NATS USER JWT|[A-Z]+ NKEY SEED)-----`)},
	{name: "nkey seed", is: regexp.MustCompile(`\bS[UACONX][A-Z2-7]{56}\b`)},
	{name: "AWS key", hints: []string{"akia", "asia"},
		is: regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{name: "GitHub token", hints: []string{"gh", "github"},
		is: regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{22}`)},
	{name: "Slack token", hints: []string{"xox", "hooks."},
		is: regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10}|hooks\.slack\.com/services/T[A-Z0-9]{6}`)},
	{name: "Google key", hints: []string{"aiza"},
		is: regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{name: "JWT", hints: []string{"eyj"},
		is: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`)},
	{name: "provider's secret", hints: []string{"sandbox-", "prod-"},
		is: regexp.MustCompile(`\b(sandbox|prod)-[A-Za-z0-9][A-Za-z0-9-]{10,}`)},
	{name: "random text named as a secret",
		hints:  []string{"secret", "token", "passw", "passphrase", "key", "credential"},
		random: true,
		is:     regexp.MustCompile(`(?i)((?:secret|token|passw(?:or)?d|passphrase|api_?key|private_?key|credential)[a-z0-9_]*)["'` + "`" + `]?\s*(?::=|[:=,])\s*(?:[a-z.]+\()?["'` + "`" + `]?([A-Za-z0-9+/=_-]{20,})`)},

	{name: "path of somebody's machine", hints: []string{"/root", "/home", "/users", "/work", "/tmp", "../"}, is: regexp.MustCompile(`(^|[\s"'=:(` + "`" + `])/(root|home|Users|work|tmp/bash_jobs)/[A-Za-z0-9._]|(^|[^.\w])\.\./shared\b`)},
	{name: "registry", hints: []string{".io", "pkg.dev", "ecr.aws", "goproxy", "golang.org", "registry.", "artifactory", "nexus"}, is: regexp.MustCompile(`\b(docker\.io|ghcr\.io|quay\.io|gcr\.io|[a-z0-9-]+\.pkg\.dev|public\.ecr\.aws|proxy\.golang\.org|goproxy\.[a-z]+|registry\.[a-z0-9.-]+\.[a-z]{2,}|[a-z0-9.-]*(artifactory|nexus)\.[a-z0-9.-]+\.[a-z]{2,})\b`)},
}

// secretFiles are names of files that hold nothing else.
var secretFiles = []string{"*.creds", "*.nk", "*.pem", "*.key", "*.p12", "*.secret", "*.tokens", "id_rsa*", "id_ed25519*", ".env", ".netrc"}

// allowed are findings that are none, and why.
var allowed = []struct{ text, why string }{
	{"sandbox-pinwheel-secret", "the sandbox's, documented for everybody: it signs for fakes on the loopback interface"},
	{"sandbox-truv-secret", "likewise"},
	{"sandbox-truv-client", "likewise; a client id"},
}

// demo is the directory of the demonstration's secrets. The secrets are published, so docker
// compose up needs no configuration: broker and fakes listen on the loopback interface, and
// wagewire nkeys makes secret keys. A test of deploy/nats compares the seeds with keys.conf.
const demo = "deploy/compose/demo/"

// published are the files that may exist although their names promise secrets. Each file must match
// its expression.
var published = func() map[string]*regexp.Regexp {
	files := map[string]*regexp.Regexp{
		demo + "pinwheel.secret": regexp.MustCompile(`^sandbox-pinwheel-secret\n$`),
		demo + "truv.secret":     regexp.MustCompile(`^sandbox-truv-secret\n$`),
		demo + "console.tokens":  regexp.MustCompile(`^# [^\n]+\ndemo read,act,reveal [0-9a-f]{64}\n$`),
		// What docker compose up has with nothing configured; secrets are files in SECRETS_DIR.
		".env": regexp.MustCompile(`^(#.*\n|\n)*COMPOSE_PROFILES=demo\n(#.*\n|\n)*$`),
	}
	seeds := []string{natsconf.TeamSeedFile("lending")}
	for _, role := range stream.Roles() {
		seeds = append(seeds, natsconf.SeedFile(role))
	}
	for _, name := range seeds {
		files[demo+name] = regexp.MustCompile(`^SU[A-Z2-7]{56}\n$`)
	}
	for _, name := range []string{natsconf.CAFile, natsconf.NodeFile} {
		files[demo+name] = regexp.MustCompile(`^-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n$`)
	}
	files[demo+natsconf.NodeKeyFile] = regexp.MustCompile(`^-----BEGIN EC[ ]PRIVATE KEY-----[^-]+-----END EC PRIVATE KEY-----\n$`)
	return files
}()

// scan returns a line for each finding in a file. It does not repeat what it found.
func scan(name string, text []byte) (found []string) {
	holds, ours := published[name]
	switch {
	case ours && !holds.Match(text):
		found = append(found, fmt.Sprintf("%s: it may hold %s and nothing else", name, holds))
	case ours && strings.HasPrefix(name, demo):
		return nil
	}
	for _, glob := range secretFiles {
		if ok, _ := path.Match(glob, path.Base(name)); ok && !ours {
			found = append(found, fmt.Sprintf("%s: a file of this name holds secrets", name))
		}
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		lower := bytes.ToLower(line)
		for _, p := range patterns {
			hinted := func(hint string) bool { return bytes.Contains(lower, []byte(hint)) }
			if len(p.hints) > 0 && !slices.ContainsFunc(p.hints, hinted) {
				continue
			}
			for _, match := range p.is.FindAllSubmatch(line, -1) {
				if p.random && (strings.HasSuffix(string(match[1]), "_id") || !looksRandom(string(match[2]))) {
					continue
				}
				if isAllowed(string(match[0])) {
					continue
				}
				found = append(found, fmt.Sprintf("%s:%d: %s", name, n, p.name))
			}
		}
	}
	return found
}

// isAllowed reports whether a finding is in the list allowed.
func isAllowed(text string) bool {
	for _, a := range allowed {
		if a.text == text {
			return true
		}
	}
	return false
}

// looksRandom tells keys from words: letters and digits mixed, and over 3.5 bits a character.
func looksRandom(s string) bool {
	if !strings.ContainsAny(s, "0123456789") || !strings.ContainsFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }) {
		return false
	}
	const bitsMin = 3.5
	counts := map[rune]float64{}
	for _, r := range s {
		counts[r]++
	}
	bits := 0.0
	for _, n := range counts {
		bits -= n / float64(len(s)) * math.Log2(n/float64(len(s)))
	}
	return bits > bitsMin
}

// files returns the names of the repository's files, committed or not, without ignored files.
// Without git, files returns the names of all files.
func files(t *testing.T, root string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	if out, err := list.Output(); err == nil {
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	}
	t.Log("not a git checkout: scanning every file")
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (name == ".git" || name == "bin"):
			return fs.SkipDir
		case e.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestNoSecrets(t *testing.T) {
	names := files(t, repository)
	if !slices.Contains(names, "deploy/secrets_test.go") {
		t.Fatalf("the %d files found are not the repository's", len(names))
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(repository, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range scan(name, text) {
			t.Error(finding)
		}
	}
}

func TestTheDemonstrationHasItsSecretsAndNoMore(t *testing.T) {
	var have []string
	for _, name := range files(t, repository) {
		_, err := os.Stat(filepath.Join(repository, filepath.FromSlash(name)))
		if err == nil && strings.HasPrefix(name, demo) {
			have = append(have, name)
		}
	}
	want := []string{demo + natsconf.KeysFile, demo + natsconf.TeamsFile}
	for name := range published {
		if strings.HasPrefix(name, demo) {
			want = append(want, name)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

// Planted secrets are put together here, so that this file holds none.
func TestSecretsScanFinds(t *testing.T) {
	random := "q7Rz0Yt4" + "Kp2Vn8Xw" + "Lb5Hc1Jd"
	tests := []struct {
		name, text string
		want       string // "" is nothing
	}{
		{"a private key", "-----BEGIN RSA " + "PRIVATE KEY-----", "private key"},
		{"a private key of OpenSSH", "x = `-----BEGIN OPENSSH " + "PRIVATE KEY-----", "private key"},
		{"a credentials file of NATS", "-----BEGIN NATS USER " + "JWT-----", "NATS credentials"},
		{"a user's nkey seed", "seed: SU" + strings.Repeat("AB2C4DE7", 7), "nkey seed"},
		{"an account's nkey seed", "SA" + strings.Repeat("AB2C4DE7", 7) + "\n", "nkey seed"},
		{"an AWS key", `key = "AK` + `IAABCDEFGHIJ234567"`, "AWS key"},
		{"a GitHub token", "gh" + "p_" + strings.Repeat("aB3", 12), "GitHub token"},
		{"a fine-grained GitHub token", "github" + "_pat_" + strings.Repeat("aB3", 12),
			"GitHub token"},
		{"a Slack token", "xox" + "b-123456789012-abc", "Slack token"},
		{"a Slack webhook", "https://hooks.slack" + ".com/services/T0123ABCD/B0/x", "Slack token"},
		{"a JWT", "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NSJ9.dozjgNryP4J3jVmN", "JWT"},
		{"a provider's secret", "TRUV=prod-" + "0123abcd4567ef890123abcd", "provider's secret"},
		{"a secret of a provider's sandbox", "sandbox-" + "my-own-secret-1", "provider's secret"},
		{"a secret in Go", `apiSecret := "` + random + `"`, "random text named as a secret"},
		{"a secret in YAML", `truv_access_secret: ` + random, "random text named as a secret"},
		{"a secret in JSON", `{"password": "` + random + `"}`, "random text named as a secret"},
		{"a secret in a shell", "PINWHEEL_API_KEY='" + random + "'",
			"random text named as a secret"},
		{"a home directory", `dir := "/ho` + `me/alice/wagewire"`, "path of somebody's machine"},
		{"a directory beside the repository", "see .." + "/shared/notes.md",
			"path of somebody's machine"},
		{"a registry", "FROM ghcr" + ".io/somebody/nats:2", "registry"},
		{"a private registry", "image: registry" + ".example.com/nats", "registry"},

		{"the sandbox's secret", "secret = sandbox-pinwheel-secret", ""},
		{"words named as a secret", `secret := "a-secret-for-tests-only"`, ""},
		{"an id", `"link_token_id": "0f1e2d3c-4b5a-4697-8877-665544332211"`, ""},
		{"a hash that is no secret", "sha256: " + random, ""},
		{"a variable's name", "TRUV_ACCESS_SECRET_FILE=truv.secret", ""},
		{"a path of the web", "https://example.com/home/page", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{"a.txt:2: " + tt.want}
			}
			if diff := cmp.Diff(want, scan("a.txt", []byte("first line\n"+tt.text))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	seed := "SU" + strings.Repeat("AB2C4DE7", 7)
	for promise, tt := range map[string]struct {
		name, text string
		want       []string
	}{
		"the demonstration's seed": {demo + "nats_link.nk", seed + "\n", nil},
		"the demonstration's secret": {demo + "truv.secret", "sandbox-truv-secret\n",
			nil},
		"a secret in place of the demonstration's": {demo + "truv.secret", "prod-" + random + "\n",
			[]string{": it may hold ^sandbox-truv-secret\\n$ and nothing else",
				":1: provider's secret"}},
		"two seeds in one file": {demo + "nats_link.nk",
			seed + "\n" + seed + "\n",
			[]string{": it may hold ^SU[A-Z2-7]{56}\\n$ and nothing else", ":1: nkey seed",
				":2: nkey seed"}},
		"a seed of no role": {demo + "nats_other.nk", seed + "\n",
			[]string{": a file of this name holds secrets", ":1: nkey seed"}},
		"a seed of the demonstration elsewhere": {"deploy/nats_link.nk", seed + "\n",
			[]string{": a file of this name holds secrets", ":1: nkey seed"}},
		"the environment that compose begins with": {".env",
			"# The fakes.\nCOMPOSE_PROFILES=demo\n", nil},
		"another setting in it": {".env",
			"COMPOSE_PROFILES=demo\nNATS_PORT=1\n",
			[]string{": it may hold ^(#.*\\n|\\n)*COMPOSE_PROFILES=demo\\n(#.*\\n|\\n)*$ and nothing else"}},
		"a secret in its comments": {".env",
			"# prod-" + random + "\nCOMPOSE_PROFILES=demo\n", []string{":1: provider's secret"}},
		"an environment somewhere else is a secret": {"deploy/.env", "COMPOSE_PROFILES=demo\n",
			[]string{": a file of this name holds secrets"}},
	} {
		t.Run(promise, func(t *testing.T) {
			var want []string
			for _, finding := range tt.want {
				want = append(want, tt.name+finding)
			}
			if diff := cmp.Diff(want, scan(tt.name, []byte(tt.text))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("a file that is a secret", func(t *testing.T) {
		want := []string{"deploy/nats/worker.creds: a file of this name holds secrets"}
		if diff := cmp.Diff(want, scan("deploy/nats/worker.creds", nil)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestFilesOutsideACheckout(t *testing.T) {
	root := t.TempDir()
	t.Setenv("GIT_DIR", filepath.Join(root, "none")) // whatever the temporary directory is in
	for _, name := range []string{"a", "bin/b", "c/d"} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a", "c/d"}, files(t, root)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
