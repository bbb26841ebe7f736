package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestConsoleToken(t *testing.T) {
	for promise, row := range map[string]struct {
		args []string
		code int
		want string // all of stdout, or of stderr with another code, as a pattern
	}{
		"a reader":              {[]string{"anna"}, 0, `anna read [0-9a-f]{64}\n`},
		"a person who acts":     {[]string{"anna", "--roles", "read,act"}, 0, `anna read,act [0-9a-f]{64}\n`},
		"nobody without a name": {nil, 2, `wagewire console token: give the name of one person, such as anna\n(.|\n)*`},
		"no name with a blank":  {[]string{"anna b"}, 2, `wagewire console token: "anna b" is no name: (.|\n)*`},
		"no role of others":     {[]string{"anna", "--roles=root"}, 2, `wagewire console token: "root" is no role: (.|\n)*`},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env(), append([]string{"console", "token"}, row.args...)...)
			text, other := got.stdout, got.stderr
			if row.code != 0 {
				text, other = got.stderr, got.stdout
			}
			if got.code != row.code || other != "" ||
				!regexp.MustCompile("^"+row.want+"$").MatchString(text) {
				t.Errorf("got %+v, want exit %d and %s", got, row.code, row.want)
			}
		})
	}
}

func TestTheConsoleRefusesAPublishedTokenBesideARealProvider(t *testing.T) {
	demo, err := os.ReadFile("../../compose/demo/console.tokens")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "console.tokens")
	if err := os.WriteFile(file, demo, 0o600); err != nil {
		t.Fatal(err)
	}
	got := wagewire(t, env("CONSOLE_TOKENS_FILE", file, "PINWHEEL_URL", "https://api.getpinwheel.com"),
		"console")
	const want = "the demonstration's keys are public, and the host of PINWHEEL_URL is real"
	if got.code != 1 || !strings.HasPrefix(got.stderr, "wagewire console: CONSOLE_TOKENS_FILE: "+file) ||
		!strings.Contains(got.stderr, want) {
		t.Errorf("got %+v", got)
	}
}
