package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema/process"
)

// tree is a program with a group of commands: tool letter send, tool fail …
func tree() *cobra.Command {
	root := &cobra.Command{Use: "tool", Long: "tool does things."}
	letter := &cobra.Command{Use: "letter", Short: "Work with letters"}
	send := &cobra.Command{
		Use:     "send TYPE",
		Short:   "Send a letter",
		Example: "  tool letter send love",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			fmt.Fprintln(c.OutOrStdout(), "sent", args[0])
			return nil
		},
	}
	send.Flags().Int("copies", 1, "how many")
	command.AddEnvironment(send, []process.Variable{
		{Name: "POST_OFFICE", Help: "where", Default: "here"},
	})
	command.AddSection(send, "Exit codes", "  0  sent")
	letter.AddCommand(send)
	root.AddCommand(letter)
	for name, err := range map[string]error{
		"fail":    errors.New("no stamp"),
		"misuse":  command.UsageError("choose %s or %s", "one", "two"),
		"differs": command.Exit(3, nil),
		"broken":  command.Exit(4, errors.New("torn")),
	} {
		root.AddCommand(&cobra.Command{
			Use: name, RunE: func(*cobra.Command, []string) error { return err },
		})
	}
	return root
}

func run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, complaints bytes.Buffer
	code = command.Run(ctx, tree(), args, &out, &complaints)
	return code, out.String(), complaints.String()
}

func TestTheErrorOfACommandIsItsMessageAndItsExitCode(t *testing.T) {
	for promise, row := range map[string]struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		"a command that works ends with 0": {"letter send love", 0, "sent love\n", ""},
		"a command that fails ends with 1": {"fail", 1, "", "tool fail: no stamp\n"},
		"an error in the command line ends with 2 and points to the help": {
			"misuse", 2, "", "tool misuse: choose one or two\nsee: tool misuse --help\n",
		},
		"a code of its own is returned without a message": {"differs", 3, "", ""},
		"a code of its own is returned with a message":    {"broken", 4, "", "tool broken: torn\n"},
		"an unknown flag is an error in the command line": {
			"letter send --nosuch", 2, "",
			"tool letter send: unknown flag: --nosuch\nsee: tool letter send --help\n",
		},
		"a missing argument is an error in the command line": {
			"letter send", 2, "",
			"tool letter send: accepts 1 arg(s), received 0\nsee: tool letter send --help\n",
		},
		"an argument too many is not dropped": {
			"fail now", 2, "", "tool fail: unexpected argument \"now\"\nsee: tool fail --help\n",
		},
		"a word near to a command gets a suggestion": {
			"leter", 2, "",
			"tool: there is no command \"leter\": did you mean letter?\nsee: tool --help\n",
		},
		"a group without a command lists its commands": {
			"letter", 2, "",
			"tool letter: give a command: send\nsee: tool letter --help\n",
		},
		"help of an unknown command is an error": {
			"help leter", 2, "",
			"tool help: there is no command \"leter\": did you mean letter?\n" +
				"see: tool help --help\n",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			code, stdout, stderr := run(t.Context(), strings.Fields(row.args)...)
			if code != row.code || stdout != row.stdout || stderr != row.stderr {
				t.Errorf("exit code %d, printed %q and %q", code, stdout, stderr)
			}
		})
	}
}

func TestOnlyTheGivenArgumentsCount(t *testing.T) {
	code, _, stderr := run(t.Context()) // the test binary itself has arguments
	want := "tool: give a command: broken, completion, differs, fail, letter, misuse or version\n"
	if code != 2 || !strings.HasPrefix(stderr, want) {
		t.Errorf("exit code %d, printed %q", code, stderr)
	}
}

func TestAnInterruptedCommandSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, stderr := run(ctx, "fail")
	if want := "tool fail: interrupted: no stamp\n"; code != 1 || stderr != want {
		t.Errorf("exit code %d, printed %q", code, stderr)
	}
}

func TestHelpShowsFlagsExamplesAndSections(t *testing.T) {
	const want = `Send a letter

Usage:
  tool letter send TYPE [flags]

Examples:
  tool letter send love

Flags:
      --copies int   how many (default 1)
  -h, --help         help for send

Environment:
  POST_OFFICE  where (here)

Exit codes:
  0  sent
`
	for _, args := range []string{"letter send --help", "help letter send"} {
		code, stdout, _ := run(t.Context(), strings.Fields(args)...)
		if code != 0 || stdout != want {
			t.Errorf("%s: exit code %d, printed\n%s", args, code, stdout)
		}
	}
}

func TestEveryTreeHasVersionHelpAndCompletion(t *testing.T) {
	for _, args := range []string{"--version", "-v", "version"} {
		want := "tool " + process.Version() + "\n"
		if code, stdout, _ := run(t.Context(), args); code != 0 || stdout != want {
			t.Errorf("%s: exit code %d, printed %q", args, code, stdout)
		}
	}
	_, help, _ := run(t.Context(), "--help")
	for _, want := range []string{
		"tool does things.\n\nUsage:\n  tool COMMAND\n",
		"  letter ", "  completion ", "  version ", "--version",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("%q is not in\n%s", want, help)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, script, _ := run(t.Context(), "completion", shell)
		if code != 0 || !strings.Contains(script, "tool") {
			t.Errorf("completion %s: exit code %d, printed %d bytes", shell, code, len(script))
		}
	}
}

func TestHelpListsCommandsByGroup(t *testing.T) {
	root := tree()
	root.AddGroup(&cobra.Group{ID: "mail", Title: "Mail:"})
	for _, c := range root.Commands() {
		if c.Name() == "letter" {
			c.GroupID = "mail"
		}
	}
	var help bytes.Buffer
	command.Run(t.Context(), root, []string{"--help"}, &help, &help)
	for _, want := range []string{
		"\n\nMail:\n  letter      Work with letters\n\nOther:\n  broken", "  version     Print",
	} {
		if strings.Count(help.String(), want) != 1 {
			t.Errorf("%q is not once in\n%s", want, &help)
		}
	}
}

func TestSuggestNamesTheKnownWordsNearby(t *testing.T) {
	known := []string{"paystubs.added", "shifts.added", "link-connected", "link-deleted"}
	for word, want := range map[string]string{
		"paystub.added": ": did you mean paystubs.added?",
		"link-":         ": did you mean link-connected or link-deleted?",
		"moon.landed":   "",
		"":              "",
	} {
		if got := command.Suggest(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
