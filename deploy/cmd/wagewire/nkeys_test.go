package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNkeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	got := wagewire(t, env(), "nkeys", dir)
	if got.code != 0 || got.stderr != "" || strings.Count(got.stdout, "\n") != 2 ||
		!strings.HasPrefix(got.stdout, "wrote 9 seeds, "+filepath.Join(dir, "keys.conf")) ||
		!strings.Contains(got.stdout, "NATS_CREDS_FILE") ||
		!strings.Contains(got.stdout, "NATS_JS_DOMAIN=wagewire") {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "teams.conf")); err != nil {
		t.Error(err)
	}
	keys, err := os.ReadFile(filepath.Join(dir, "keys.conf"))
	if err != nil || !strings.Contains(string(keys), "\nVERIFICATION_REPORTS: U") {
		t.Errorf("keys.conf: %s, %v", keys, err)
	}
	for _, role := range []string{"ingress", "verification_reports", "wagewire"} {
		name := "nats_" + role + ".nk"
		seed, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(seed), "SU") {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(got.stdout, strings.TrimSpace(string(seed))) {
			t.Errorf("it prints the seed of %s", name)
		}
	}
	if again := wagewire(t, env(), "nkeys", dir); again.code != 1 ||
		!strings.Contains(again.stderr, "keys are not overwritten") {
		t.Errorf("again: %+v", again)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "keys.conf")); err != nil ||
		string(after) != string(keys) {
		t.Errorf("again: keys.conf is another, %v", err)
	}
	for _, args := range [][]string{{"nkeys"}, {"nkeys", dir, dir}} {
		if got := wagewire(t, env(), args...); got.code != 2 ||
			!strings.Contains(got.stderr, "give one directory") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
