package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFlood(t *testing.T) {
	answering := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(status)
			}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	for promise, row := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"help lists the attacks": {
			args: []string{"--help"}, stdout: "slow bodies         1200 connections: each sends",
		},
		"answers 200 are 0": {
			args: []string{"gets", "--ingress", answering(200)}, stdout: "answers: 200:",
		},
		"attacks joined by + run together": {
			args:   []string{"gets+small forgeries", "--ingress", answering(200)},
			stdout: "small forgeries: 16 connections",
		},
		"other answers are 1": {
			args: []string{"gets", "--ingress", answering(503)}, code: exitBroken,
			stderr: "not answered 200 beside: gets",
		},
		"an unknown attack is 2": {
			args: []string{"tickling"}, code: exitFailed, stderr: `no attack "tickling"`,
		},
		"another machine is 2": {
			args: []string{"--ingress", "192.0.2.1:80"}, code: exitFailed,
			stderr: "--ingress, --sources: address of ingress: 192.0.2.1:80 is not on",
		},
		"no webhooks at all are 2": {
			args: []string{"gets", "--webhooks", "0"}, code: exitFailed,
			stderr: "--webhooks: 0 is not over 0",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			args := append([]string{"flood", "--webhooks", "5"}, row.args...)
			var stdout, stderr strings.Builder
			getenv := func(string) string { return "" }
			code := run(t.Context(), args, getenv, nil, &stdout, &stderr)
			if code != row.code || !strings.Contains(stdout.String(), row.stdout) ||
				!strings.Contains(stderr.String(), row.stderr) {
				t.Errorf("exit code %d, want %d with %q and %q:\n%s%s",
					code, row.code, row.stdout, row.stderr, &stdout, &stderr)
			}
		})
	}
}
