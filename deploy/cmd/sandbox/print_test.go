package main

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/fetch"
)

// shellLines are the lines of a text that a person pastes into a shell.
func shellLines(text string) string {
	const mark = "    "
	var lines []string
	for line := range strings.Lines(text) {
		if command, isShell := strings.CutPrefix(line, mark); isShell {
			lines = append(lines, command)
		}
	}
	return strings.Join(lines, "")
}

func TestWhatNextCanBePasted(t *testing.T) {
	providers := fake.New(fake.Config{})
	defer providers.Close()
	text := suggestions(&sandbox.Sandbox{
		Fake: providers, WebhooksURL: "http://127.0.0.1:1/webhooks",
		ProvidersURL: "http://127.0.0.1:2", NATSURL: "nats://127.0.0.1:3",
		ConsoleURL: "http://127.0.0.1:4", ConsoleToken: "token-for-tests-only",
	})
	if left := regexp.MustCompile(`<[a-z]+>`).FindString(text); left != "" {
		t.Errorf("%s has no value", left)
	}
	lines := shellLines(text)
	shell := exec.CommandContext(t.Context(), "sh", "-n")
	shell.Stdin = strings.NewReader(lines)
	if out, err := shell.CombinedOutput(); err != nil {
		t.Errorf("a shell cannot read it: %v: %s", err, out)
	}
	known := process.Variables(stream.Config{}, process.ConsoleConfig{})
	for _, p := range schema.Providers() {
		known = append(known, fetch.Variables(p)...)
	}
	names := regexp.MustCompile(`(?m)(?:^|\s)(\w*[A-Z]\w*[^\s=]*)=`).FindAllStringSubmatch(lines, -1)
	for _, name := range names {
		if !slices.ContainsFunc(known, func(v process.Variable) bool { return v.Name == name[1] }) {
			t.Errorf("there is no variable %s", name[1])
		}
	}
	if len(names) < 6 {
		t.Errorf("it sets %d variables", len(names))
	}
	kept := regexp.MustCompile(`/control/people/([0-9a-f]{32})/play`).FindStringSubmatch(text)
	if kept == nil {
		t.Fatalf("it does not say how to get an account that stays:\n%s", text)
	}
	link := kept[1]
	for _, part := range []string{
		"http://127.0.0.1:4.", "token-for-tests-only",
		"export CONSOLE_URL=http://127.0.0.1:4 NATS_URL=nats://127.0.0.1:3\n",
		"PINWHEEL_API_SECRET_FILE=pinwheel.secret\n",
		`/control/people/` + link + `/play -d '{"keep":true}'`,
		"wagewire accounts show " + link + "\n",
		"wagewire tail --since all -n 1 --resource paystubs --account " + link + " --json\n",
		"wagewire trace ", "wagewire status\n", "wagewire explain\n",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}

func TestWhatNextWithoutAConsole(t *testing.T) {
	providers := fake.New(fake.Config{})
	defer providers.Close()
	text := suggestions(&sandbox.Sandbox{Fake: providers, NATSURL: "nats://127.0.0.1:3"})
	if strings.Contains(text, "CONSOLE") || strings.Contains(text, "browser") {
		t.Errorf("it names a console:\n%s", text)
	}
	if !strings.Contains(text, "    export NATS_URL=nats://127.0.0.1:3\n") {
		t.Errorf("it does not name the broker:\n%s", text)
	}
}
