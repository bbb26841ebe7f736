package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema/process"
)

var update = flag.Bool("update", false, "write testdata/help again")

// result is all that a run of the command leaves behind.
type result struct {
	code           int
	stdout, stderr string
}

// wagewire runs the command to its end, with an empty standard input.
func wagewire(t *testing.T, getenv func(string) string, args ...string) result {
	t.Helper()
	return wagewireReading(t, getenv, "", args...)
}

func wagewireReading(t *testing.T, getenv func(string) string, stdin string, args ...string) result {
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
	case <-t.Context().Done():
		t.Fatal("the test ended first")
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
	for !strings.Contains(w.String(), text) {
		select {
		case <-w.wrote:
		case <-t.Context().Done():
			t.Fatalf("the test ended before %q was written, after\n%s", text, w)
		}
	}
}

func TestHelpIsComplete(t *testing.T) {
	for _, c := range commands() {
		t.Run(c.name, func(t *testing.T) {
			flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
			c.flags(flags)
			flags.VisitAll(func(f *flag.Flag) {
				dashed := "\n  --" + f.Name + " "
				if len(f.Name) == 1 {
					dashed = "\n  -" + f.Name + " "
				}
				if !strings.Contains(c.help, dashed) {
					t.Errorf("it does not tell of --%s", f.Name)
				}
			})
			for _, heading := range []string{"\nUsage:\n  wagewire " + c.name, "\nExamples:\n", "\nEnvironment:\n", "\nExit codes:"} {
				if !strings.Contains(c.help, heading) {
					t.Errorf("it has no %q", heading)
				}
			}
			if !strings.Contains(overview(), "\n  "+c.name+" ") {
				t.Error("wagewire --help does not list it")
			}
		})
	}
}

func TestHelpIsPrintedHoweverItIsAskedFor(t *testing.T) {
	asked := map[string][][]string{"wagewire": {{"--help"}, {"help"}, {"-h"}, {"help", "--help"}}}
	for _, c := range commands() {
		asked[c.name] = [][]string{{"help", c.name}, {c.name, "--help"}, {c.name, "-h"}, {"--help", c.name}, {c.name, "something", "--help"}}
	}
	for name, ways := range asked {
		golden := filepath.Join("testdata", "help", name+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(wagewire(t, env(), ways[0]...).stdout), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range ways {
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				if diff := cmp.Diff(result{stdout: string(want)}, wagewire(t, env(), args...), cmp.AllowUnexported(result{})); diff != "" {
					t.Errorf("-%s (repair: go test -update) +printed:\n%s", golden, diff)
				}
			})
		}
	}
}

func TestTheVersionIsPrinted(t *testing.T) {
	got := wagewire(t, env(), "--version")
	if want := "wagewire " + process.Version() + "\n"; got.code != 0 || got.stdout != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

func TestAWrongCommandLineExits2AndSaysWhatIsRight(t *testing.T) {
	for promise, test := range map[string]struct {
		args []string
		want string
	}{
		"no command: all of them are named":          {nil, "one of provision, send, tail, status, trace, dead, quarantine, replay, pause, resume, nkeys, healthcheck"},
		"a command with a letter wrong is suggested": {[]string{"provison"}, "did you mean provision?"},
		"a command unlike any is not":                {[]string{"frobnicate"}, `no command "frobnicate"` + "\n"},
		"help of no command":                         {[]string{"help", "tial"}, "did you mean tail?"},
		"an unknown flag":                            {[]string{"tail", "--colour"}, "-colour\nsee: wagewire tail --help"},
		"an unknown flag behind an argument":         {[]string{"provision", "plan", "--dry"}, "not defined: -dry"},
		"a flag without its value":                   {[]string{"tail", "--since"}, "needs an argument: -since"},
		"an argument that is not taken":              {[]string{"tail", "income"}, `unexpected argument "income"`},
		"provision without a verb":                   {[]string{"provision"}, "say plan or apply"},
		"provision with a wrong one":                 {[]string{"provision", "aply"}, "did you mean apply?"},
		"provision with two":                         {[]string{"provision", "plan", "apply"}, `unexpected argument "apply"`},
		"a stream that is none":                      {[]string{"provision", "plan", "--max-bytes", "EVENTS=1GiB"}, `no stream "EVENTS", only WAGEWIRE_EVENTS, WAGEWIRE_COMPLETIONS, WAGEWIRE_DEAD_LETTERS, WAGEWIRE_QUARANTINE, WAGEWIRE_ADVISORIES, WAGEWIRE_RECORDS`},
		"a size without its stream":                  {[]string{"provision", "plan", "--max-bytes", "1GiB"}, "write STREAM=VALUE"},
		"a size in no unit":                          {[]string{"provision", "plan", "--max-bytes", "WAGEWIRE_EVENTS=1G"}, `"1G" is no size: write 4GiB`},
		"a size of nothing":                          {[]string{"provision", "plan", "--max-bytes", "WAGEWIRE_EVENTS=0"}, `"0" is no size`},
		"a size over all measure":                    {[]string{"provision", "plan", "--max-bytes", "WAGEWIRE_EVENTS=9999999TiB"}, "is no size"},
		"an age in no unit":                          {[]string{"provision", "plan", "--max-age", "WAGEWIRE_EVENTS=14"}, `"14" is no duration: write 14d`},
		"an age below zero":                          {[]string{"provision", "plan", "--max-age", "WAGEWIRE_EVENTS=-1h"}, "is no duration"},
		"an age over all measure":                    {[]string{"provision", "plan", "--max-age", "WAGEWIRE_EVENTS=999999d"}, "is no duration"},
		"an age below the window of duplicates":      {[]string{"provision", "plan", "--max-age", "WAGEWIRE_EVENTS=12h"}, "WAGEWIRE_EVENTS must keep messages for 1d at least"},
		"events that outlive their completions":      {[]string{"provision", "plan", "--max-age", "WAGEWIRE_EVENTS=20d"}, "with WAGEWIRE_EVENTS at 20d, WAGEWIRE_COMPLETIONS must be kept 23d at least"},
		"events for ever and completions not":        {[]string{"provision", "plan", "--max-age", "WAGEWIRE_EVENTS=0"}, "WAGEWIRE_COMPLETIONS must be kept 0, for ever"},
		"completions that outlive their records":     {[]string{"provision", "plan", "--max-age", "WAGEWIRE_COMPLETIONS=60d"}, "WAGEWIRE_RECORDS must be kept 60d at least"},
		"no replicas":                                {[]string{"provision", "plan", "--replicas", "0"}, "--replicas: 0 is not from 1 to 5"},
		"too many replicas":                          {[]string{"provision", "plan", "--replicas", "6"}, "--replicas: 6 is not from 1 to 5"},
		"send without a webhook":                     {[]string{"send"}, "it takes one TYPE or FILE, not 0"},
		"send with two":                              {[]string{"send", "income.added", "identity.added"}, "not 2"},
		"a type with a letter wrong is suggested":    {[]string{"send", "link-delted"}, "did you mean link-deleted?"},
		"a file that is not there":                   {[]string{"send", "recorded.json", "--provider", "truv"}, `"recorded.json" is neither a catalogue type nor a file` + "\n"},
		"a type without a sample":                    {[]string{"send", "order-created"}, "no sample of order-created, which is stored and not worked on: send a file with --provider truv"},
		"a type of another provider":                 {[]string{"send", "income.added", "--provider", "truv"}, "income.added is a type of pinwheel, not of truv"},
		"a provider that is none":                    {[]string{"send", "-", "--provider", "plaid"}, `"plaid" is none of pinwheel, truv`},
		"standard input of nobody":                   {[]string{"send", "-"}, "--provider pinwheel or --provider truv"},
		"a file with another id":                     {[]string{"send", "-", "--provider", "truv", "--id", "x"}, "a file is sent as it is"},
		"an outcome that is none":                    {[]string{"send", "income.added", "--outcome", "succeeded"}, `"succeeded" is none of success, pending, error`},
		"an outcome of a link":                       {[]string{"send", "link-deleted", "--outcome", "error"}, "link-deleted has none"},
		"an outcome of a report":                     {[]string{"send", "verification_reports.refreshed", "--outcome", "error"}, "verification_reports.refreshed has none"},
		"an end user of a link":                      {[]string{"send", "link-deleted", "--end-user", "x"}, "the webhooks of truv name no end user"},
		"an account of a report":                     {[]string{"send", "verification_reports.refreshed", "--account", "x"}, "use --end-user"},
		"an address without a scheme":                {[]string{"send", "income.added", "--url", "127.0.0.1:8080"}, "is no http or https address, such as http://127.0.0.1:8080/webhooks"},
		"no times at all":                            {[]string{"send", "income.added", "--times", "0"}, "--times: 0 is not from 1 to 10000"},
		"a time that is none":                        {[]string{"tail", "--since", "yesterday"}, `"yesterday" is no time: write 1h, 2d`},
		"a count below zero":                         {[]string{"tail", "-n", "-1"}, "-n: -1 is below zero"},
		"a resource without a worker":                {[]string{"tail", "--resource", "orders"}, "none of employment, identity, income, paystubs, shifts, verification_reports, link"},
		"an outcome of no completion":                {[]string{"tail", "--outcome", "success"}, "none of succeeded, pending, unavailable, failed, deleted"},
		"completions of no provider":                 {[]string{"tail", "--provider", "plaid"}, "none of pinwheel, truv"},
		"an interval that is none":                   {[]string{"status", "--watch", "soon"}, `"soon" is no duration`},
		"an interval of nothing":                     {[]string{"status", "--watch=0s"}, `"0s" is no interval`},
		"a status of something":                      {[]string{"status", "queues"}, `unexpected argument "queues"`},
		"a trace of nothing":                         {[]string{"trace"}, "it takes one event id, not 0"},
		"a trace of two":                             {[]string{"trace", "a", "b"}, "it takes one event id, not 2"},
		"dead without a verb":                        {[]string{"dead"}, "say list, show, redrive or discard"},
		"dead with a wrong one":                      {[]string{"dead", "redrvie", "1"}, "did you mean redrive?"},
		"a list of one":                              {[]string{"dead", "list", "1"}, "one is shown by wagewire dead show"},
		"show of none":                               {[]string{"dead", "show"}, "show takes one number, not 0"},
		"a redrive of nobody knows what":             {[]string{"dead", "redrive", "--yes"}, "say which to redrive: numbers, flags that choose, or --all"},
		"the same, of time without end":              {[]string{"dead", "discard", "--since", "all", "--yes"}, "say which to discard"},
		"a number that is none":                      {[]string{"dead", "redrive", "one"}, `"one" is no number`},
		"the number nought":                          {[]string{"dead", "discard", "0"}, `"0" is no number`},
		"a queue that is none":                       {[]string{"dead", "list", "--queue", "pinwheel_incom"}, "did you mean pinwheel_income?"},
		"a class that is none":                       {[]string{"dead", "list", "--class", "fatal"}, `"fatal" is none of transient`},
		"dead letters of no provider":                {[]string{"dead", "list", "--provider", "plaid"}, "none of pinwheel, truv"},
		"a time that is none, until":                 {[]string{"dead", "list", "--until", "soon"}, `--until: "soon" is no time`},
		"a time that ends before it begins":          {[]string{"dead", "list", "--since", "1h", "--until", "2h"}, "--until: 2h is before --since"},
		"a rate below zero":                          {[]string{"dead", "redrive", "--all", "--rate", "-1"}, "--rate: -1 is not from 0 to 100000"},
		"quarantine without a verb":                  {[]string{"quarantine"}, "say list, show, release or discard"},
		"a reason that is none":                      {[]string{"quarantine", "list", "--reason", "xml"}, `"xml" is none of json`},
		"quarantine of no provider":                  {[]string{"quarantine", "list", "--provider", "plaid"}, "none of pinwheel, truv"},
		"a release of nobody knows what":             {[]string{"quarantine", "release"}, "say which to release"},
		"a list of one in quarantine":                {[]string{"quarantine", "list", "3"}, "one is shown by wagewire quarantine show"},
		"a replay to no queue":                       {[]string{"replay", "--since", "1h"}, "say which queue works on them"},
		"a replay of nobody knows what":              {[]string{"replay", "--queue", "truv_link"}, "say which events: --since, --until, --type or --account"},
		"a replay of a type that the queue is not":   {[]string{"replay", "--queue", "pinwheel_income", "--type", "income.addd"}, "does not read \"income.addd\": did you mean income.added?"},
		"a replay with an argument":                  {[]string{"replay", "pinwheel_income"}, `unexpected argument "pinwheel_income"`},
		"a pause of nothing":                         {[]string{"pause"}, "it needs a queue, such as pinwheel_paystubs"},
		"a pause of no queue":                        {[]string{"pause", "truv_lnk"}, "did you mean truv_link?"},
		"a pause of no time":                         {[]string{"pause", "truv_link", "--for", "0"}, `"0" is no time at all`},
		"a pause of a time that is none":             {[]string{"pause", "truv_link", "--for", "long"}, `"long" is no duration`},
		"a resumption of nothing":                    {[]string{"resume"}, "it needs a queue"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env("NATS_URL", nowhere), test.args...)
			if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, test.want) || !strings.Contains(got.stderr, "see: wagewire") {
				t.Errorf("%q: got %+v, want exit code 2 and %q", test.args, got, test.want)
			}
		})
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for promise, test := range map[string]struct {
		args, rest []string
		most       int
	}{
		"before":                   {[]string{"--n", "1", "a", "b"}, []string{"a", "b"}, 1},
		"between":                  {[]string{"a", "-n=2", "b"}, []string{"a", "b"}, 2},
		"behind":                   {[]string{"a", "b", "-n", "3"}, []string{"a", "b"}, 3},
		"but not behind --":        {[]string{"a", "--", "-n", "4"}, []string{"a", "-n", "4"}, 0},
		"and - is an argument":     {[]string{"-", "-n", "5"}, []string{"-"}, 5},
		"and there need be no arg": {[]string{"-n", "6"}, nil, 6},
	} {
		t.Run(promise, func(t *testing.T) {
			flags := flag.NewFlagSet("test", flag.ContinueOnError)
			most := flags.Int("n", 0, "")
			rest, err := parse(flags, test.args)
			if diff := cmp.Diff(test.rest, rest); diff != "" || *most != test.most || err != nil {
				t.Errorf("n = %d, want %d; err %v; arguments (-want +got):\n%s", *most, test.most, err, diff)
			}
		})
	}
}

func TestSizesAndAgesArePrintedAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"1", "1000", "1KiB", "512MiB", "3GiB", "1025KiB", "2TiB"} {
		if n, err := parseSize(text); err != nil || size(n) != text {
			t.Errorf("parseSize(%q) = %d, %v, which prints as %q", text, n, err, size(n))
		}
	}
	for text, want := range map[string]string{"14d": "14d", "336h": "14d", "336h0m0s": "14d", "90m": "1h30m0s", "0": "0s", "0s": "0s"} {
		if d, err := parseAge(text); err != nil || age(d) != want {
			t.Errorf("parseAge(%q) = %s, %v, which prints as %q, want %q", text, d, err, age(d), want)
		}
	}
}
