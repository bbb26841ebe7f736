package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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

func TestRun(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("a-secret-for-tests-only"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, row := range map[string]struct {
		args   []string
		env    map[string]string
		stdout string // a pattern
		code   int
		stderr string
	}{
		"--help says what it does":           {[]string{"--help"}, nil, `(?s)^ingress receives webhooks.*Usage:.*Exit codes:.*Environment:.*Examples:`, 0, ""},
		"-h too":                             {[]string{"-h"}, nil, `^ingress receives webhooks`, 0, ""},
		"--version names a version and Go's": {[]string{"--version"}, nil, `^ingress \S+ go1\.\S+\n$`, 0, ""},
		"an unknown flag is an error":        {[]string{"--port=1"}, nil, `^$`, 2, "flag provided but not defined: -port: see ingress --help"},
		"so is a value that it cannot have":  {[]string{"--version=maybe"}, nil, `^$`, 2, `invalid boolean value "maybe" for -version: parse error: see ingress --help`},
		"an argument is an error":            {[]string{"serve"}, nil, `^$`, 2, `unexpected argument "serve": it takes none but healthcheck, see ingress --help`},
		"also after a flag":                  {[]string{"--version", "now"}, nil, `^$`, 2, `unexpected argument "now": it takes none but healthcheck, see ingress --help`},
		"also after healthcheck":             {[]string{"healthcheck", "now"}, nil, `^$`, 2, `unexpected argument "healthcheck": it takes none but healthcheck, see ingress --help`},
		"healthcheck says what it needs": {[]string{"healthcheck"}, nil, `^$`, 1,
			"ADMIN_ADDR is not set: set it to where the process serves /readyz, such as :9090"},
		"healthcheck asks where ADMIN_ADDR says": {[]string{"healthcheck"}, map[string]string{"ADMIN_ADDR": "127.0.0.1:1"}, `^$`, 1,
			"ask http://127.0.0.1:1/readyz: dial tcp 127.0.0.1:1: connect: connection refused"},
		"no secrets are an error":       {nil, nil, `^$`, 1, "neither PINWHEEL_SECRETS_FILE nor TRUV_SECRETS_FILE is set: set one or both to a file with one secret a line"},
		"a wrong age is an error":       {nil, map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "x"}, `^$`, 1, `PINWHEEL_SIGNATURE_AGE_MAX: "x" is not a duration such as 20m, or 0 for no limit`},
		"a wrong log level is an error": {nil, map[string]string{"LOG_LEVEL": "loud"}, `^$`, 1, `LOG_LEVEL: "loud" is none of debug, info, warn, error`},
		"an admin address in use is an error": {nil, map[string]string{
			"TRUV_SECRETS_FILE": secrets, "INGRESS_ADDR": "127.0.0.1:0", "ADMIN_ADDR": taken.Addr().String(), "NATS_URL": "nats://127.0.0.1:1", "LOG_LEVEL": "error",
		}, `^$`, 1, "ADMIN_ADDR: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		"28: without a broker it runs, and stops when it is told to": {nil, map[string]string{
			"TRUV_SECRETS_FILE": secrets, "INGRESS_ADDR": "127.0.0.1:0", "NATS_URL": "nats://127.0.0.1:1", "LOG_LEVEL": "error",
		}, `^$`, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if row.code == 0 {
				stop()
			}
			var stdout, stderr bytes.Buffer
			code := run(ctx, row.args, func(key string) string { return row.env[key] }, &stdout, &stderr)
			want := ""
			if row.stderr != "" {
				want = "ingress: " + row.stderr + "\n"
			}
			if code != row.code || stderr.String() != want {
				t.Errorf("exit %d with %q, want %d with %q", code, &stderr, row.code, want)
			}
			if !regexp.MustCompile(row.stdout).Match(stdout.Bytes()) {
				t.Errorf("printed:\n%s", &stdout)
			}
		})
	}
}

func TestHelpNamesEveryVariable(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("a-secret-for-tests-only"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	asked := map[string]bool{}
	var stderr bytes.Buffer
	code := run(ctx, nil, func(key string) string {
		asked[key] = true
		return map[string]string{"PINWHEEL_SECRETS_FILE": secrets, "INGRESS_ADDR": "127.0.0.1:0", "NATS_URL": "nats://127.0.0.1:1", "LOG_LEVEL": "error"}[key]
	}, &bytes.Buffer{}, &stderr)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	for key := range asked {
		if !strings.Contains(usage, "\n  "+key+" ") {
			t.Errorf("--help does not name %s", key)
		}
	}
	for _, match := range regexp.MustCompile(`(?m)^  ([A-Z_]+) +\S`).FindAllStringSubmatch(usage, -1) {
		if !asked[match[1]] {
			t.Errorf("--help names %s, which nobody reads", match[1])
		}
	}
}
