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
		!strings.HasPrefix(got.stdout, "wrote 13 seeds, "+filepath.Join(dir, "keys.conf")) ||
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

func TestNkeysAddsTheKeysThatAnEarlierReleaseDidNotHave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	path := filepath.Join(dir, "keys.conf")
	read := func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	wagewire(t, env(), "nkeys", dir)
	former, _, _ := strings.Cut(read(), "\nACCOUNTS: ")
	former += "\n"
	if err := os.WriteFile(path, []byte(former), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := wagewire(t, env(), "nkeys", dir, "--missing"); got.code != 1 ||
		!strings.Contains(got.stderr, "nats_accounts.nk exists already") {
		t.Errorf("with the seed of nobody: %+v", got)
	}
	if err := os.Remove(filepath.Join(dir, "nats_accounts.nk")); err != nil {
		t.Fatal(err)
	}
	got := wagewire(t, env(), "nkeys", dir, "--missing")
	if got.code != 0 || !strings.Contains(got.stdout, "nats_accounts.nk") ||
		!strings.HasPrefix(read(), former+"ACCOUNTS: U") {
		t.Errorf("got %+v, and keys.conf is\n%s", got, read())
	}
	added := read()
	if again := wagewire(t, env(), "nkeys", dir, "--missing"); again.code != 0 ||
		!strings.Contains(again.stdout, "nothing to add") || read() != added {
		t.Errorf("again: %+v", again)
	}
}
