package plain_test

import (
	"os/exec"
	"testing"

	"github.com/wagewire/wagewire/deploy/plain"
)

func TestAShellReadsAWordAsItIs(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"--since", "1h", "2026-01-12T02:36:00Z", "2026-01-12 02:36:00Z", "", "it's", "'", "''",
		`"`, `\`, "$(id)", "`id`", "h_;reboot${IFS}-f", "a|b&c>d<e", "*", "~", "#", "!x", "(a)",
		"pinwheel:5a14:r1", "müller",
	} {
		line := plain.CommandLine("printf", "%s.", word)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
		if err != nil || string(out) != word+"." {
			t.Errorf("a shell makes %q of %s: %v", out, line, err)
		}
	}
}

func TestACommandLineIsQuotedWhereItMustBe(t *testing.T) {
	t.Parallel()
	for want, words := range map[string][]string{
		"wagewire dead list --since 1h":   {"wagewire", "dead", "list", "--since", "1h"},
		"wagewire trace pinwheel:5a14:r1": {"wagewire", "trace", "pinwheel:5a14:r1"},
		"--since '2026-01-12 02:36:00Z'":  {"--since", "2026-01-12 02:36:00Z"},
		`'a;b' 'it'\''s' ''`:              {"a;b", "it's", ""},
		`'\x1b[31mred\u202e'`:             {"\x1b[31mred\u202e"},
	} {
		if got := plain.CommandLine(words...); got != want {
			t.Errorf("%q is %s, and not %s", words, got, want)
		}
	}
}
