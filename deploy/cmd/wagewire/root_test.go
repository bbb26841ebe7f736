package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var update = flag.Bool("update", false, "write testdata/help again")

// result is all that a run of the command leaves behind.
type result struct {
	code           int
	stdout, stderr string
}

func diffResults(want, got result) string {
	return cmp.Diff(want, got, cmp.AllowUnexported(result{}))
}

// wagewire runs the command to its end, with an empty standard input.
func wagewire(t *testing.T, getenv func(string) string, args ...string) result {
	t.Helper()
	return wagewireReading(t, getenv, "", args...)
}

func wagewireReading(
	t *testing.T, getenv func(string) string, stdin string, args ...string,
) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, getenv, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// env is an environment of the given pairs.
func env(pairs ...string) func(string) string {
	return func(key string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// begun is a run that goes on while the test does. The test ends it, or its own end does.
type begun struct {
	stdout, stderr *watched
	interrupt      context.CancelFunc
	code           chan int
}

func begin(t *testing.T, getenv func(string) string, args ...string) *begun {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := &begun{newWatched(), newWatched(), cancel, make(chan int, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.code <- run(ctx, args, getenv, strings.NewReader(""), b.stdout, b.stderr)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

// ends waits for the run's exit code.
func (b *begun) ends(t *testing.T) int {
	t.Helper()
	select {
	case code := <-b.code:
		return code
	case <-streamtest.Late(t):
		t.Fatalf("it does not end, after\n%s%s", b.stdout, b.stderr)
		return -1
	}
}

// watched is a writer that a test waits on.
type watched struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newWatched() *watched { return &watched{wrote: make(chan struct{}, 1)} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.wrote <- struct{}{}:
	default:
	}
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await returns when the text has been written.
func (w *watched) await(t *testing.T, text string) {
	t.Helper()
	w.awaitMatch(t, regexp.MustCompile(regexp.QuoteMeta(text)))
}

// awaitMatch returns when text has been written that matches.
func (w *watched) awaitMatch(t *testing.T, pattern *regexp.Regexp) {
	t.Helper()
	late := streamtest.Late(t)
	for !pattern.MatchString(w.String()) {
		select {
		case <-w.wrote:
		case <-late:
			t.Fatalf("%q is not written, but\n%s", pattern, w)
		}
	}
}

// allCommands are the commands of the tree, without those that command.Run adds.
func allCommands() []*cobra.Command {
	var all []*cobra.Command
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		all = append(all, cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(terminal{}))
	return all
}

// words are the words of the command line that call the command.
func words(cmd *cobra.Command) []string { return strings.Fields(cmd.CommandPath())[1:] }

func TestHelpSaysHowACommandIsUsed(t *testing.T) {
	for _, cmd := range allCommands() {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			help := wagewire(t, env(), append(words(cmd), "--help")...).stdout
			contains(t, help, "\nUsage:\n  "+cmd.CommandPath(), "\nExit codes:\n")
			if cmd.Long != "" {
				contains(t, help, "\nExamples:\n  ")
			}
			if cmd.Flags().Lookup("wait") != nil {
				contains(t, help, "\nEnvironment:\n  NATS_URL ")
			}
			if cmd.HasParent() && cmd.Short == "" {
				t.Error("it has no short text")
			}
		})
	}
}

func TestHelpIsPrintedHoweverItIsAskedFor(t *testing.T) {
	for _, cmd := range allCommands() {
		golden := filepath.Join("testdata", "help",
			strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".golden")
		ways := [][]string{
			append([]string{"help"}, words(cmd)...),
			append(words(cmd), "--help"), append(words(cmd), "-h"),
		}
		if !cmd.HasSubCommands() {
			ways = append(ways, append(words(cmd), "something", "--help"))
		}
		if *update {
			help := wagewire(t, env(), ways[0]...).stdout
			if err := os.WriteFile(golden, []byte(help), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range ways {
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				got := wagewire(t, env(), args...)
				if diff := diffResults(result{stdout: string(want)}, got); diff != "" {
					t.Errorf("-%s (repair: go test -update) +printed:\n%s", golden, diff)
				}
			})
		}
	}
}

func TestTheVersionIsPrinted(t *testing.T) {
	for _, args := range [][]string{{"--version"}, {"version"}} {
		got := wagewire(t, env(), args...)
		if want := "wagewire " + process.Version() + "\n"; got.code != 0 || got.stdout != want {
			t.Errorf("%v: got %+v, want %q", args, got, want)
		}
	}
}

func TestShellsCompleteWithoutABroker(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := wagewire(t, env("NATS_URL", nowhere), "completion", shell)
		if got.code != 0 || got.stderr != "" ||
			!strings.Contains(got.stdout, shell+" completion") &&
				!strings.HasPrefix(got.stdout, "#compdef wagewire") {
			t.Errorf("completion %s: got %+v", shell, got)
		}
	}
	for promise, test := range map[string]struct {
		args []string
		want []string
	}{
		"commands":            {[]string{""}, []string{"provision\t", "send\t", "completion\t"}},
		"subcommands":         {[]string{"dead", ""}, []string{"list\t", "redrive\t"}},
		"commands with help":  {[]string{"help", "dead", ""}, []string{"list\t", "redrive\t"}},
		"queues of a flag":    {[]string{"dead", "list", "--queue", ""}, queueNames()},
		"queues of a command": {[]string{"pause", ""}, queueNames()},
		"classes": {[]string{"dead", "redrive", "--class", ""},
			[]string{"transient", "poison"}},
		"queues to retry":   {[]string{"retry", ""}, queueNames()},
		"classes that wait": {[]string{"retry", "--class", ""}, []string{"transient", "forbidden"}},
		"resources of a team": {[]string{"team", "add", "lending", "--resources", ""},
			toStrings(schema.WorkerResources())},
		"providers":        {[]string{"tail", "--provider", ""}, toStrings(schema.Providers())},
		"types to trigger": {[]string{"trigger", ""}, typeNames()},
		"types to send":    {[]string{"send", ""}, typeNames()},
		"types to replay":  {[]string{"replay", "--type", ""}, typeNames()},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env("NATS_URL", nowhere),
				append([]string{"__complete"}, test.args...)...)
			if got.code != 0 {
				t.Errorf("got %+v", got)
			}
			contains(t, got.stdout, test.want...)
		})
	}
}

func TestAWrongCommandLineExits2AndSaysWhatIsRight(t *testing.T) {
	for promise, test := range map[string]struct {
		args []string
		want string
	}{
		"no command: all of them are named": {nil,
			"give a command: accounts, backfill, budget, certs, completion, console, dead, doctor, drift, explain, find, healthcheck, listen, metrics, nkeys, pause, provision, quarantine, record, replay, resume, retry, send, status, tail, team, trace, trigger or version"},
		"a command with a letter wrong is suggested": {[]string{"provison"},
			"did you mean provision?"},
		"a command unlike any is not": {[]string{"frobnicate"},
			`no command "frobnicate"` + "\n"},
		"help of no command": {[]string{"help", "tial"},
			"did you mean tail or team?"},
		"an unknown flag": {[]string{"tail", "--colour"},
			"unknown flag: --colour\nsee: wagewire tail --help"},
		"an unknown flag behind an argument": {[]string{"provision", "plan", "--dry"},
			"unknown flag: --dry"},
		"a flag without its value": {[]string{"tail", "--since"},
			"needs an argument: --since"},
		"an argument that is not taken": {[]string{"tail", "income"},
			`unexpected argument "income"`},
		"provision without a verb": {[]string{"provision"},
			"give a command: apply, autoscaler or plan"},
		"provision with a wrong one": {[]string{"provision", "aply"},
			"did you mean apply?"},
		"provision with two": {[]string{"provision", "plan", "apply"},
			`unexpected argument "apply"`},
		"a stream that is none": {[]string{"provision", "plan", "--max-bytes",
			"EVENTS=1GiB"}, `stream EVENTS: not one of WAGEWIRE_EVENTS, WAGEWIRE_COMPLETIONS, WAGEWIRE_ACCOUNTS, WAGEWIRE_DEAD_LETTERS, WAGEWIRE_QUARANTINE, WAGEWIRE_PAUSES, WAGEWIRE_CLOSURES, WAGEWIRE_REPORTS, KV_WAGEWIRE_BUDGETS, WAGEWIRE_ADVISORIES, WAGEWIRE_RECORDS`},
		"a size without its stream": {[]string{"provision", "plan", "--max-bytes",
			"1GiB"}, "write STREAM=VALUE"},
		"a size in no unit": {[]string{"provision", "plan", "--max-bytes",
			"WAGEWIRE_EVENTS=1Q"}, "write 4GiB, 512MiB or a number of bytes"},
		"a size of nothing": {[]string{"provision", "plan", "--max-bytes",
			"WAGEWIRE_EVENTS=0"}, "write 4GiB"},
		"a size over all measure": {[]string{"provision", "plan", "--max-bytes",
			"WAGEWIRE_EVENTS=9999999TiB"}, "write 4GiB"},
		"an age in no unit": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_EVENTS=14"}, "write 14d, 336h or 90m"},
		"an age below zero": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_EVENTS=-1h"}, "write 14d"},
		"an age over all measure": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_EVENTS=999999d"}, "write 14d"},
		"an age below the window of duplicates": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_EVENTS=12h"}, "WAGEWIRE_EVENTS must keep messages 1d at least"},
		"events that outlive their completions": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_EVENTS=20d"}, "with WAGEWIRE_EVENTS at 20d, WAGEWIRE_COMPLETIONS must be kept 23d at least"},
		"events for ever and completions not": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_EVENTS=0"}, "WAGEWIRE_COMPLETIONS must be kept 0, for ever"},
		"completions that outlive their records": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_COMPLETIONS=60d"}, "WAGEWIRE_RECORDS must be kept 60d at least"},
		"an age of waiting events of their own": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_WAITING_TRUV_LINK=1d"}, "stream WAGEWIRE_WAITING_TRUV_LINK: not one of "},
		"a size of pauses": {[]string{"provision", "plan", "--max-bytes",
			"WAGEWIRE_PAUSES=1GiB"}, "WAGEWIRE_PAUSES has no limit of bytes"},
		"an age of closures": {[]string{"provision", "plan", "--max-age",
			"WAGEWIRE_CLOSURES=1h"}, "WAGEWIRE_CLOSURES has no age"},
		"no replicas": {[]string{"provision", "plan", "--replicas",
			"0"}, `"0" for "--replicas" flag: not a number from 1 to 5`},
		"too many replicas": {[]string{"provision", "plan", "--replicas",
			"6"}, "not a number from 1 to 5"},
		"send without a webhook": {[]string{"send"},
			"give one TYPE or FILE, not 0"},
		"send with two": {[]string{"send", "income.added",
			"identity.added"}, "not 2"},
		"a type with a letter wrong is suggested": {[]string{"send", "link-delted"},
			"did you mean link-deleted?"},
		"a file that is not there": {[]string{"send", "recorded.json",
			"--provider", "truv"}, `"recorded.json" is neither a type of webhook nor a file` + "\n"},
		"a type without a sample": {[]string{"send", "order-created"},
			"no sample of order-created, which is stored and not worked on: send a file with --provider truv"},
		"a type of another provider": {[]string{"send", "income.added",
			"--provider", "truv"}, "income.added is a type of pinwheel, not of truv"},
		"a provider that is none": {[]string{"send", "-", "--provider", "plaid"},
			`"plaid" for "--provider" flag: not one of pinwheel, truv`},
		"standard input of nobody": {[]string{"send", "-"},
			"--provider with pinwheel or truv"},
		"a file with another id": {[]string{"send", "-", "--provider", "truv",
			"--id", "x"}, "a file is sent unchanged"},
		"an outcome that is none": {[]string{"send", "income.added", "--outcome",
			"succeeded"}, `not one of success, pending, error`},
		"an outcome of a link": {[]string{"send", "link-deleted", "--outcome",
			"error"}, "link-deleted has no payload.outcome"},
		"an outcome of a report": {[]string{"send",
			"verification_reports.refreshed", "--outcome", "error"},
			"verification_reports.refreshed has no payload.outcome"},
		"an end user of a link": {[]string{"send", "link-deleted",
			"--end-user", "x"}, "link-deleted has no payload.end_user_id"},
		"an account of a report": {[]string{"send",
			"verification_reports.refreshed", "--account", "x"}, "use --end-user"},
		"an address without a scheme": {[]string{"send", "income.added", "--url",
			"127.0.0.1:8080"}, "is not an http or https address, such as http://127.0.0.1:8080/webhooks"},
		"an address to forward to without a scheme": {[]string{"listen", "--forward",
			"127.0.0.1:3000"}, "--forward: write an http or https address, such as http://127.0.0.1:3000/hook"},
		"an address to forward to that is readable on the way": {[]string{"listen", "--forward",
			"http://app.example.com/hook"}, "http:// to another machine shows payroll data on the way"},
		"the same, of a name that DNS has": {[]string{"listen", "--forward",
			"http://app.localhost:3000/hook"}, "http:// to another machine"},
		"the same, of a neighbour": {[]string{"listen", "--forward", "http://app:3000/hook"},
			"http:// to another machine"},
		"no time for an answer": {[]string{"listen", "--forward", "http://127.0.0.1:3000",
			"--timeout", "0"}, "--timeout: an answer needs more than no time"},
		"forward and print": {[]string{"listen", "--forward", "http://127.0.0.1:3000",
			"--json"}, "--json prints completions, and --forward sends them: choose one"},
		"a way without TLS to nowhere": {[]string{"listen", "--allow-http"},
			"--allow-http is for --forward"},
		"what is aside nowhere": {[]string{"listen", "--retry-aside"},
			"--retry-aside: say with --aside which directory"},
		"listen without a hand": {[]string{"listen", "--hands", "0"}, "not a number from 1 to 100"},
		"listen to a resource that is none": {[]string{"listen", "--resources", "income,paystub"},
			"did you mean paystubs?"},
		"trigger of nothing": {[]string{"trigger"},
			"give one TYPE, not 0: trigger --list has the types"},
		"trigger of a type with a letter wrong": {[]string{"trigger", "paystub.added"},
			"did you mean paystubs.added?"},
		"trigger of a file": {[]string{"trigger", "recorded.json"},
			`"recorded.json" is not a type of webhook` + "\n"},
		"a fixture that is none": {[]string{"trigger", "--fixture", "down"},
			"there is no such file, and it is not one of error, pending, failed, late, forbidden, large, deleted"},
		"a fixture with a letter wrong": {[]string{"trigger", "--fixture", "larrge"},
			"did you mean large?"},
		"a type with a fixture that has one": {[]string{"trigger", "income.added", "--fixture",
			"root_test.go"}, "the file of --fixture has a webhook of its own"},
		"an account of a fixture that has one": {[]string{"trigger", "--account", "a",
			"--fixture", "root_test.go"}, "only --control goes with it"},
		"a fixture of another type": {[]string{"trigger", "income.added", "--fixture", "large"},
			"--fixture large is not for income.added: trigger --list has the fixtures of each type"},
		"a fixture that needs the fakes": {[]string{"trigger", "--fixture", "large", "--url",
			"http://127.0.0.1:1/webhooks"},
			"--fixture large needs the fake providers, which send to their own ingress"},
		"a fixture with an account of its own": {[]string{"trigger", "--fixture", "forbidden",
			"--account", "a"}, "--fixture forbidden makes an account of its own"},
		"a secret of the fakes": {[]string{"trigger", "income.added", "--secret-file", "x"},
			"the fake providers sign with their own secret"},
		"an end user of a known account": {[]string{"trigger", "income.added", "--account", "a",
			"--end-user", "u"}, "the account of --account has its own end user"},
		"a control tree without a scheme": {[]string{"trigger", "income.added", "--control",
			"127.0.0.1:8081"}, "--control: \"127.0.0.1:8081\" is not an http or https address"},
		"no times at all": {[]string{"send", "income.added", "--times",
			"0"}, "not a number from 1 to 10000"},
		"a time that is none": {[]string{"tail", "--since", "yesterday"},
			`"yesterday" for "--since" flag: write 1h, 2d`},
		"a count below zero": {[]string{"tail", "-n", "-1"},
			"not a number from 0"},
		"a resource without a worker": {[]string{"tail", "--resource", "orders"},
			"not one of employment, identity, income, paystubs, shifts, verification_reports, link, " +
				"notices"},
		"an outcome of no completion": {[]string{"tail", "--outcome", "success"},
			"not one of succeeded, pending, unavailable, failed, disconnected, deleted"},
		"completions of no provider": {[]string{"tail", "--provider", "plaid"},
			"not one of pinwheel, truv"},
		"an interval that is none": {[]string{"status", "--watch", "soon"},
			`"soon" for "--watch" flag: write 14d`},
		"an interval of nothing": {[]string{"status", "--watch=0s"},
			"--watch: an interval needs more than no time"},
		"a status of something": {[]string{"status", "queues"},
			`unexpected argument "queues"`},
		"a trace of nothing": {[]string{"trace"},
			"give one event id, not 0"},
		"a trace of two": {[]string{"trace", "a", "b"},
			"give one event id, not 2"},
		"dead without a verb": {[]string{"dead"},
			"give a command: discard, list, redrive or show"},
		"dead with a wrong one": {[]string{"dead", "redrvie", "1"},
			"did you mean redrive?"},
		"a list of one": {[]string{"dead", "list", "1"},
			"wagewire dead show prints one dead letter"},
		"show of none": {[]string{"dead", "show"},
			"show takes one number, not 0"},
		"a redrive of nobody knows what": {[]string{"dead", "redrive", "--yes"},
			"say which to redrive: numbers, flags that choose, or --all"},
		"the same, of time without end": {[]string{"dead", "discard", "--since", "all",
			"--yes"}, "say which to discard"},
		"a number that is none": {[]string{"dead", "redrive", "one"},
			`"one" is not a number`},
		"the number nought": {[]string{"dead", "discard", "0"},
			`"0" is not a number`},
		"a queue that is none": {[]string{"dead", "list", "--queue",
			"pinwheel_incom"}, "did you mean pinwheel_income?"},
		"a class that is none": {[]string{"dead", "list", "--class", "fatal"},
			`"fatal" for "--class" flag: not one of transient`},
		"dead letters of no provider": {[]string{"dead", "list", "--provider",
			"plaid"}, "not one of pinwheel, truv"},
		"a time that is none, until": {[]string{"dead", "list", "--until", "soon"},
			`"soon" for "--until" flag: write 1h`},
		"a time that ends before it begins": {[]string{"dead", "list", "--since", "1h",
			"--until", "2h"}, " is before --since "},
		"a rate below zero": {[]string{"dead", "redrive", "--all",
			"--rate", "-1"}, "not a number from 0 to 100000"},
		"quarantine without a verb": {[]string{"quarantine"},
			"give a command: discard, list, release or show"},
		"a reason that is none": {[]string{"quarantine", "list", "--reason",
			"xml"}, `"xml" for "--reason" flag: not one of json`},
		"quarantine of no provider": {[]string{"quarantine", "list", "--provider",
			"plaid"}, "not one of pinwheel, truv"},
		"a release of nobody knows what": {[]string{"quarantine", "release"},
			"say which to release"},
		"a list of one in quarantine": {[]string{"quarantine", "list", "3"},
			"wagewire quarantine show prints one webhook"},
		"a reset of no budget": {[]string{"budget", "reset"}, "give one provider: pinwheel or truv"},
		"a reset of an unknown provider's budget": {[]string{"budget", "reset", "pinwhel"},
			"provider \"pinwhel\": not one of pinwheel, truv: did you mean pinwheel?"},
		"a budget that is neither shown nor reset": {[]string{"budget", "rest"}, "reset"},
		"a replay to no queue": {[]string{"replay", "--since", "1h"},
			"say which queue gets the events"},
		"a replay of nobody knows what": {[]string{"replay", "--queue", "truv_link"},
			"say which events: --since, --until, --type or --account"},
		"a replay of a type that the queue is not": {[]string{"replay", "--queue",
			"pinwheel_income", "--type", "income.addd"}, "does not read \"income.addd\": did you mean income.added?"},
		"a replay with an argument": {[]string{"replay", "pinwheel_income"},
			`unexpected argument "pinwheel_income"`},
		"a pause of nothing": {[]string{"pause"},
			"give a queue, such as pinwheel_employment"},
		"a pause of no queue": {[]string{"pause", "truv_lnk"},
			"did you mean truv_link?"},
		"a pause of no time": {[]string{"pause", "truv_link", "--for", "0"},
			"--for: a pause needs more than no time"},
		"a pause of a time that is none": {[]string{"pause", "truv_link", "--for",
			"long"}, `"long" for "--for" flag: write 14d`},
		"a resumption of nothing": {[]string{"resume"}, "give a queue"},
		"team without a verb":     {[]string{"team"}, "give a command: add, list or remove"},
		"a team without a name":   {[]string{"team", "add"}, "give one team, not 0"},
		"a team with a capital letter": {[]string{"team", "add", "Lending"},
			`team: "Lending" is not a name of 1 to 32 lower-case letters, digits and hyphens`},
		"a durable with an underscore": {[]string{"team", "add", "lending", "--durable", "a_b"},
			`--durable: "a_b" is not a name`},
		"a resource with a letter wrong": {[]string{"team", "add", "lending", "--resources",
			"income,paystub"}, "did you mean paystubs?"},
		"a team that reads nothing": {[]string{"team", "add", "lending", "--resources", ""},
			"write some of employment"},
		"a team that reads what does not exist": {[]string{"team", "add", "lending", "--resources",
			"orders"}, "not one of employment"},
		"a seed in place of a public key": {[]string{"team", "add", "lending", "--key", "SUAX"},
			"--key: write the public key of a user, which begins with U"},
		"a new key without a place": {[]string{"team", "add", "lending", "--new-key"},
			"--new-key: say with --dir where the seed goes"},
		"a removal of nothing": {[]string{"team", "remove", "--yes"},
			"say what to delete: TEAM, or --durable"},
		"a removal without an answer": {[]string{"team", "remove", "lending"},
			"nobody is there to answer a question: give --yes, or --dry-run"},
		"a retry of nobody knows what": {[]string{"retry", "--yes"},
			"say which events: QUEUE, EVENT, --class or --account; wagewire status shows what waits"},
		"a retry of a queue with a letter wrong": {[]string{"retry", "truv_lnk", "--yes"},
			"did you mean truv_link?"},
		"a retry of no name": {[]string{"retry", "", "--yes"}, `queue "": not one of pinwheel_`},
		"a retry of a class with a letter wrong": {[]string{"retry", "--class", "transent"},
			"did you mean transient?"},
		"a retry without an answer": {[]string{"retry", "truv_link"},
			"nobody is there to answer a question: give --yes, or --dry-run"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env("NATS_URL", nowhere), test.args...)
			if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, test.want) ||
				!strings.Contains(got.stderr, "see: wagewire") {
				t.Errorf("%q: got %+v, want exit code 2 and %q", test.args, got, test.want)
			}
		})
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for promise, test := range map[string]struct {
		args []string
		want string
	}{
		"before the arguments": {[]string{"--wait", "0", "truv_link", "pinwheel_income"},
			"no answer within 0s"},
		"between the arguments": {[]string{"truv_link", "--wait=0", "pinwheel_income"},
			"no answer within 0s"},
		"after the arguments": {[]string{"truv_link", "pinwheel_income", "--wait", "0"},
			"no answer within 0s"},
		"but not after --": {[]string{"truv_link", "--", "--wait", "0"}, `queue "--wait"`},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env("NATS_URL", nowhere), append([]string{"pause"}, test.args...)...)
			contains(t, got.stderr, test.want)
		})
	}
}

func TestSizesAndAgesAreReadAndPrinted(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1B", "1000": "1000B", "1KiB": "1KiB", "512MiB": "512MiB", "3GiB": "3GiB",
		"4GiB": "4GiB", "2TiB": "2TiB", "1536KiB": "1.5MiB", "1G": "1GiB",
	} {
		if size, err := parseSize(text); err != nil || plain.Size(size) != want {
			t.Errorf("parseSize(%q) = %d, %v, which prints as %q, want %q", text, size, err,
				plain.Size(size), want)
		}
	}
	if size, err := parseSize("4GiB"); err != nil || size != 4<<30 {
		t.Errorf("parseSize(4GiB) = %d, %v", size, err)
	}
	for text, want := range map[string]string{
		"14d": "14d", "336h": "14d", "336h0m0s": "14d", "2w": "14d", "90m": "1h30m0s", "0": "0s",
		"0s": "0s",
	} {
		if age, err := plain.ParseAge(text); err != nil || plain.Age(age) != want {
			t.Errorf("plain.ParseAge(%q) = %s, %v, which prints as %q, want %q", text, age, err,
				plain.Age(age), want)
		}
	}
}
