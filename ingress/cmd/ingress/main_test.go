package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"go.uber.org/goleak"
)

// commandVariable makes this test binary the command.
const commandVariable = "WAGEWIRE_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandVariable) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// secretsFile is a file with one secret.
func secretsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func getenvOf(env map[string]string) func(string) string {
	return func(key string) string { return env[key] }
}

func TestRun(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	// serving is an environment in which the command serves, without a broker.
	serving := func(more ...string) map[string]string {
		env := map[string]string{
			"TRUV_SECRETS_FILE": secretsFile(t),
			"INGRESS_ADDR":      "127.0.0.1:0",
			"NATS_URL":          "nats://127.0.0.1:1",
			"LOG_LEVEL":         "error",
		}
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return env
	}
	for name, row := range map[string]struct {
		args   []string
		env    map[string]string
		stdout string // a pattern, nothing if empty
		code   int
		stderr string // without "ingress: "
	}{
		"--help says what the command does": {
			args: []string{"--help"},
			stdout: `(?s)^ingress receives webhooks.*Usage:.*` +
				`webhooks of a provider: pinwheel, truv\..*Exit codes:.*Environment:.*Examples:`,
		},
		"-h says the same": {
			args: []string{"-h"}, stdout: `^ingress receives webhooks`,
		},
		"--version names the version and that of Go": {
			args: []string{"--version"}, stdout: `^ingress \S+ go1\.\S+\n$`,
		},
		"an unknown flag is an error": {
			args: []string{"--port=1"}, code: 2,
			stderr: "flag provided but not defined: -port: see ingress --help",
		},
		"a value that the flag cannot have is an error": {
			args: []string{"--version=maybe"}, code: 2,
			stderr: `invalid boolean value "maybe" for -version: parse error: see ingress --help`,
		},
		"an argument is an error": {
			args: []string{"serve"}, code: 2,
			stderr: `unexpected argument "serve": ` +
				`the only argument is healthcheck, see ingress --help`,
		},
		"an argument after a flag is an error": {
			args: []string{"--version", "now"}, code: 2,
			stderr: `unexpected argument "now": ` +
				`the only argument is healthcheck, see ingress --help`,
		},
		"an argument after healthcheck is an error": {
			args: []string{"healthcheck", "now"}, code: 2,
			stderr: `unexpected argument "healthcheck": ` +
				`the only argument is healthcheck, see ingress --help`,
		},
		"healthcheck names the variable that it needs": {
			args: []string{"healthcheck"}, code: 1,
			stderr: "ADMIN_ADDR is not set: " +
				"set it to where the process serves /readyz, such as :9090",
		},
		"healthcheck asks at ADMIN_ADDR": {
			args: []string{"healthcheck"}, code: 1,
			env: map[string]string{"ADMIN_ADDR": "127.0.0.1:1"},
			stderr: "ask http://127.0.0.1:1/readyz: " +
				"dial tcp 127.0.0.1:1: connect: connection refused",
		},
		"no secrets are an error": {
			code: 1,
			stderr: "neither PINWHEEL_SECRETS_FILE nor TRUV_SECRETS_FILE is set: " +
				"set one or more to a file with one secret a line",
		},
		"a wrong age is an error": {
			env: map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "x"}, code: 1,
			stderr: `PINWHEEL_SIGNATURE_AGE_MAX: "x" ` +
				`is not a duration such as 20m, or 0 for no limit`,
		},
		"a wrong log level is an error": {
			env: map[string]string{"LOG_LEVEL": "loud"}, code: 1,
			stderr: `LOG_LEVEL: "loud" is none of debug, info, warn, error`,
		},
		"an admin address in use is an error": {
			env: serving("ADMIN_ADDR", taken.Addr().String()), code: 1,
			stderr: "ADMIN_ADDR: listen tcp " + taken.Addr().String() +
				": bind: address already in use",
		},
		"without a broker the command runs, and stops when told": {env: serving()},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if row.code == 0 {
				stop()
			}
			var stdout, stderr bytes.Buffer
			code := run(ctx, row.args, getenvOf(row.env), &stdout, &stderr)
			want := ""
			if row.stderr != "" {
				want = "ingress: " + row.stderr + "\n"
			}
			if code != row.code || stderr.String() != want {
				t.Errorf("exit %d with %q, want %d with %q", code, &stderr, row.code, want)
			}
			wanted := regexp.MustCompile(row.stdout).Match(stdout.Bytes())
			if !wanted || row.stdout == "" && stdout.Len() > 0 {
				t.Errorf("printed:\n%s", &stdout)
			}
		})
	}
}

func TestHelpNamesEveryVariable(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	env := map[string]string{
		"PINWHEEL_SECRETS_FILE": secretsFile(t),
		"INGRESS_ADDR":          "127.0.0.1:0",
		"NATS_URL":              "nats://127.0.0.1:1",
		"LOG_LEVEL":             "error",
	}
	asked := map[string]bool{}
	getenv := func(key string) string {
		asked[key] = true
		return env[key]
	}
	var stderr bytes.Buffer
	if code := run(ctx, nil, getenv, &bytes.Buffer{}, &stderr); code != 0 {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	var help bytes.Buffer
	printHelp(&help)
	named := map[string]bool{}
	row := regexp.MustCompile(`(?m)^  ([A-Z_]+) +\S`)
	for _, match := range row.FindAllStringSubmatch(help.String(), -1) {
		if named[match[1]] {
			t.Errorf("--help names %s twice", match[1])
		}
		named[match[1]] = true
	}
	for key := range asked {
		if !named[key] {
			t.Errorf("--help does not name %s", key)
		}
	}
	for key := range named {
		if !asked[key] {
			t.Errorf("--help names %s, and the command does not read it", key)
		}
	}
	for i, line := range bytes.Split(help.Bytes(), []byte("\n")) {
		if len(line) > 100 {
			t.Errorf("line %d of --help is longer than 100 columns: %s", i+1, line)
		}
	}
}
