package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/fake/signature"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/process"
)

// triggerOptions is the command line of wagewire trigger.
type triggerOptions struct {
	sendOptions
	fixture string
	control string
}

func newTriggerCommand(t terminal) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use:     "trigger [TYPE]",
		GroupID: groupBuild,
		Short:   "Let a webhook happen, with a good or a bad end",
		Long: `wagewire trigger lets a webhook of the TYPE happen, for those who build a program on
completions. The fake providers of the sandbox make a person with a payroll account, and send a
signed webhook about the account. So the completion has records.

` + fixtureHelp() + `

A file of wagewire record is a fixture too: the fakes give the recorded answers, and send the
recorded webhook.

With --url the command needs no fakes: it signs a sample of the TYPE and sends the sample to ingress
there. At a loopback address the command signs with the secret of the sandbox unless another one is
given. Only error and pending are fixtures of a sample.

Each answer of ingress is printed on a line, with the type of the webhook and the account or the end
user. Trigger exits 0 if ingress stored the webhook.`,
		Example: `  In the sandbox that make run starts:
    wagewire trigger paystubs.added
  A completion that has its records elsewhere, because they are large:
    wagewire trigger --fixture large
  What happened once at the provider, as wagewire record kept it:
    wagewire trigger --fixture pinwheel.paystubs.added.fixture.json
  An account that exists, and then its deletion:
    wagewire trigger link-connected
    wagewire trigger link-deleted --account ID
  To an ingress without fakes:
    wagewire trigger income.added --url https://hooks.test.example.com/webhooks \
      --secret-file pinwheel.secret`,
		ValidArgsFunction: cobra.FixedCompletions(typeNames(), cobra.ShellCompDirectiveNoFileComp),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 0 && !o.list && o.fixture == "" {
				return command.UsageError(
					"give one TYPE, not %d: trigger --list has the types", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.list {
				return listFixtures(t.stdout)
			}
			typeName := strings.Join(args, "")
			if isFile(o.fixture) {
				return o.playFile(cmd.Context(), t, typeName)
			}
			return o.run(cmd.Context(), t, typeName)
		},
	}
	o.addFlags(cmd)
	command.AddEnvironment(cmd, secretVariables())
	return cmd
}

func (o *triggerOptions) addFlags(cmd *cobra.Command) {
	o.times = 1
	flags := cmd.Flags()
	addParsed(flags, &o.fixture, "fixture", "name", "", "let it end badly, or be special: "+
		plain.List(fixtureNames())+" or a file of wagewire record", parseFixture)
	completeFixtures(cmd)
	flags.StringVar(&o.account, "account", "",
		"`id` of the account that the webhook is about: the fakes must know it "+
			"(default a new account)")
	flags.StringVar(&o.endUser, "end-user", "",
		"`id` of the end user of the account (default a new id)")
	flags.StringVar(&o.id, "id", "", "`id` of the webhook (default a new id)")
	addNumber(flags, &o.times, "times",
		"how often to send the webhook; all but the first are duplicates", 1, timesMax)
	addProvider(cmd, &o.provider, "whose webhook it is:")
	flags.StringVar(&o.control, "control", controlDefault,
		"`address` of the control tree of the fake providers")
	flags.StringVar(&o.url, "url", "",
		"`address` of an ingress without fakes, without the provider")
	flags.StringVar(&o.secretFile, "secret-file", "",
		"with --url: `file` whose first line signs (default the provider's variable, see below)")
	flags.BoolVar(&o.list, "list", false,
		"list the types and the fixtures of each, and send nothing")
}

// run sends the webhook of the type, or without a type the usual one of the fixture.
func (o *triggerOptions) run(ctx context.Context, t terminal, typeName string) error {
	f := findEnding(o.fixture)
	name := cmp.Or(typeName, f.usual)
	w, isType, err := o.findType(name)
	if err != nil {
		return err
	}
	if !isType {
		return command.UsageError("%q is not a type of webhook%s",
			name, command.Suggest(name, typeNames()))
	}
	if err := o.check(w, f); err != nil {
		return err
	}
	if o.url != "" {
		return o.sendSample(ctx, t, w, f)
	}
	return o.letFakesSend(ctx, t, w, f)
}

// check returns an error if the flags contradict each other.
func (o *triggerOptions) check(w schema.WebhookType, f ending) error {
	switch {
	case !f.fits(w):
		return command.UsageError("--fixture %s is not for %s: trigger --list has the fixtures "+
			"of each type", f.name, w.Name)
	case o.url != "" && f.needsFakes():
		return command.UsageError("--fixture %s needs the fake providers, "+
			"which send to their own ingress: leave --url out", f.name)
	case o.account != "" && f.person != nil:
		return command.UsageError("--fixture %s makes an account of its own: "+
			"leave --account out", f.name)
	case o.url == "" && o.secretFile != "":
		return command.UsageError("the fake providers sign with their own secret: " +
			"--secret-file is for --url")
	case o.url == "" && o.account != "" && o.endUser != "":
		return command.UsageError("the account of --account has its own end user: " +
			"--end-user is for a new account: leave one of the two out")
	default:
		return nil
	}
}

// sendSample signs a sample of the type and sends the sample to --url.
func (o *triggerOptions) sendSample(
	ctx context.Context, t terminal, w schema.WebhookType, f ending,
) error {
	o.outcome = f.outcome
	target, err := o.target(w.Provider)
	if err != nil {
		return err
	}
	secret, err := o.secret(w.Provider, t.getenv)
	if err != nil {
		return err
	}
	body, err := newSample(w, o.overrides, time.Now())
	if err != nil {
		return err
	}
	r := request{
		provider: w.Provider, body: body, url: target, secret: secret,
		label: w.Name + " " + formatAbout(w, textAt(body, w.Account)) + " ",
	}
	return r.sendTimes(ctx, t.stdout, o.times)
}

// secret is the secret that signs. Without a setting, a loopback address gets the published secret
// of the sandbox, and no other address does.
func (o *triggerOptions) secret(
	p schema.Provider, getenv func(string) string,
) (schema.Secret, error) {
	variable, err := process.ReadVariable(getenv, p.Variable("SECRETS_FILE"))
	if err != nil {
		return schema.Secret{}, err
	}
	if o.secretFile == "" && variable == "" && isLoopbackURL(o.url) {
		scheme, _ := signature.Of(string(p))
		return schema.NewSecret(scheme.Secret), nil
	}
	return o.readSecret(p, getenv)
}

// isLoopbackURL reports whether the host of an address is this machine.
func isLoopbackURL(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// ending is a way in which a webhook can end.
type ending struct {
	name string
	// about says in the help what comes of the webhook.
	about string
	// note is what to know besides about the completion.
	note string
	// usual is the type of a command line without a TYPE.
	usual string
	// fits reports whether a webhook of the type can end so.
	fits func(schema.WebhookType) bool
	// outcome is the outcome of the provider's job. Empty: success.
	outcome string
	// status is that of Truv's task. Empty: done.
	status string
	// objectsCount is how many records the webhook announces. 0: as many as there are.
	objectsCount int
	// person describes the person that the fakes make. nil: any person.
	person map[string]any
	// before is the type of a webhook that the fakes send about a new account before. Empty: none.
	before string
}

// objectsTooMany is more than the people of the fakes have of any record.
const objectsTooMany = 1000

// ladderNote says when a completion comes whose event climbs the not-ready ladder.
const ladderNote = "the worker asks again, so the completion comes after the not-ready ladder of " +
	"the workers (13 minutes unless NOT_READY_LADDER is set): " +
	"NOT_READY_LADDER=1s make run starts a sandbox with a shorter wait"

// largePaystubs is how many paystubs of the fakes have more bytes than a completion takes inline.
const largePaystubs = 400

// endings lists what --fixture takes.
func endings() []ending {
	return []ending{
		{
			name:    "error",
			about:   "the provider's job failed: outcome failed, with the class provider",
			usual:   "paystubs.added",
			fits:    hasOutcome,
			outcome: outcomeError,
		},
		{
			name:    "pending",
			about:   "the provider's job still runs: outcome pending",
			usual:   "paystubs.added",
			fits:    hasOutcome,
			outcome: "pending",
		},
		{
			name: "failed",
			about: "Truv's task failed: outcome failed, with the class provider and the code " +
				"login_error",
			usual:  "task-status-updated",
			fits:   isOfTask,
			status: "login_error",
		},
		{
			name: "late",
			about: "the webhook announces more records than there are: outcome succeeded, with " +
				"stale: true",
			usual:        "shifts-created",
			fits:         hasCount,
			note:         ladderNote,
			objectsCount: objectsTooMany,
		},
		{
			name:   "forbidden",
			about:  "the provider refuses the data: outcome unavailable, with the class forbidden",
			usual:  "employment.added",
			fits:   isFetched,
			note:   ladderNote,
			person: map[string]any{"forbidden": true},
		},
		{
			name:   "large",
			about:  "the records are elsewhere: records_ref in place of records",
			usual:  "paystubs.fully_synced",
			fits:   func(w schema.WebhookType) bool { return w.Name == "paystubs.fully_synced" },
			person: map[string]any{"paystubs": largePaystubs},
		},
		{
			name:   "deleted",
			about:  "the account is linked, and then deleted at the provider: outcome deleted",
			usual:  "link-deleted",
			fits:   func(w schema.WebhookType) bool { return w.Erases },
			before: "link-connected",
		},
	}
}

// needsFakes reports whether only the fake providers can play the fixture.
func (f ending) needsFakes() bool {
	return f.person != nil || f.before != "" || f.status != "" || f.objectsCount > 0
}

// isFile reports whether a fixture is a file, and not a name.
func isFile(fixture string) bool {
	return fixture != "" && !slices.Contains(fixtureNames(), fixture)
}

// parseFixture reads the name of a fixture, or of a file.
func parseFixture(text string) (string, error) {
	if !isFile(text) {
		return text, nil
	}
	if _, err := os.Stat(text); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no such file, and it is %w",
			notAmong(text, fixtureNames()))
	}
	return text, nil
}

// completeFixtures lets the shell complete the names and the files.
func completeFixtures(cmd *cobra.Command) {
	complete := cobra.FixedCompletions(fixtureNames(), cobra.ShellCompDirectiveDefault)
	if err := cmd.RegisterFlagCompletionFunc("fixture", complete); err != nil {
		panic(err) // the flag is unknown
	}
}

// findEnding returns the fixture with the name. The fixture without a name fits every type.
func findEnding(name string) ending {
	for _, f := range endings() {
		if f.name == name {
			return f
		}
	}
	return ending{fits: func(schema.WebhookType) bool { return true }}
}

func fixtureNames() []string {
	var names []string
	for _, f := range endings() {
		names = append(names, f.name)
	}
	return names
}

func fixtureHelp() string {
	lines := []string{"The fixtures, each with the completion that comes of it:"}
	for _, f := range endings() {
		lines = append(lines, fmt.Sprintf("  %-10s %s", f.name, f.about))
	}
	return strings.Join(lines, "\n")
}

// isFetched reports whether a worker calls the provider's API for the webhook.
func isFetched(w schema.WebhookType) bool {
	calls := func(r schema.Resource) bool { return r != schema.Notices }
	return !w.Erases && slices.ContainsFunc(w.Workers, calls)
}

// isOfTask reports whether a webhook of the type has the status of a task of Truv's.
func isOfTask(w schema.WebhookType) bool { return w.Name == "task-status-updated" }

// hasCount reports whether a webhook of the type says how many records there are.
func hasCount(w schema.WebhookType) bool {
	body, ok := jsonschema.Sample(w.Provider, w.Name)
	return ok && has(body, "objects_count")
}

func listFixtures(w io.Writer) error {
	table := newTable(w)
	fmt.Fprintln(table, "TYPE\tPROVIDER\tCOMPLETED BY\tFIXTURES")
	for _, t := range schema.Catalogue() {
		var fitting []string
		for _, f := range endings() {
			if f.fits(t) {
				fitting = append(fitting, f.name)
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, t.Provider,
			cmp.Or(plain.List(t.Workers), "-"), cmp.Or(plain.List(fitting), "-"))
	}
	return table.Flush()
}
