package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("a-secret-for-tests-only"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		args   []string
		env    map[string]string
		stdout string // a pattern
		err    string
	}{
		"--help says what it does":           {[]string{"--help"}, nil, `(?s)^ingress receives webhooks.*Usage:.*Environment:.*Examples:`, ""},
		"-h too":                             {[]string{"-h"}, nil, `^ingress receives webhooks`, ""},
		"--version names a version and Go's": {[]string{"--version"}, nil, `^ingress \S+ go1\.\S+\n$`, ""},
		"an unknown flag is an error":        {[]string{"--port=1"}, nil, `^$`, "flag provided but not defined: -port; see ingress --help"},
		"an argument is an error":            {[]string{"serve"}, nil, `^$`, `unknown argument "serve"; see ingress --help`},
		"no secrets are an error":            {nil, nil, `^$`, "neither PINWHEEL_SECRETS_FILE nor TRUV_SECRETS_FILE is set: set one or both to a file with one secret a line"},
		"a wrong age is an error":            {nil, map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "x"}, `^$`, `PINWHEEL_SIGNATURE_AGE_MAX: "x" is not a duration such as 20m, or 0 for no limit`},
		"a wrong log level is an error":      {nil, map[string]string{"LOG_LEVEL": "loud"}, `^$`, `LOG_LEVEL: "loud" is none of debug, info, warn, error`},
		"28: without a broker it runs, and stops when it is told to": {nil, map[string]string{
			"TRUV_SECRETS_FILE": secrets, "INGRESS_ADDR": "127.0.0.1:0", "NATS_URL": "nats://127.0.0.1:1", "LOG_LEVEL": "error",
		}, `^$`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			var stdout bytes.Buffer
			err := run(ctx, row.args, func(key string) string { return row.env[key] }, &stdout)
			if (err == nil) != (row.err == "") || err != nil && err.Error() != row.err {
				t.Errorf("error %v, want %q", err, row.err)
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
	err := run(ctx, nil, func(key string) string {
		asked[key] = true
		return map[string]string{"PINWHEEL_SECRETS_FILE": secrets, "INGRESS_ADDR": "127.0.0.1:0", "NATS_URL": "nats://127.0.0.1:1", "LOG_LEVEL": "error"}[key]
	}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
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
