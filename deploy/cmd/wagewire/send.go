package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

const (
	urlDefault = "http://127.0.0.1:8080/webhooks"
	// bodyBytesMax is more than ingress takes, so that an operator can see the refusal.
	bodyBytesMax = 1 << 20
	timesMax     = 10_000
	// stdinName stands for standard input in place of a file name.
	stdinName = "-"
)

// sendOptions is the command line of wagewire send.
type sendOptions struct {
	url        string
	secretFile string
	times      int
	backfill   bool
	provider   schema.Provider
	list       bool
	overrides
}

func newSendCommand(t terminal) *cobra.Command {
	var o sendOptions
	cmd := &cobra.Command{
		Use:     "send TYPE|FILE",
		GroupID: groupObserve,
		Short:   "Sign a webhook as its provider does, and send it to ingress",
		Long: `wagewire send signs a webhook as its provider does, and sends it to ingress.

TYPE is a type of webhook, such as paystubs.added: send --list prints the types. The command sends a
sample of the type, with an id and a time of its own.

FILE is a file whose bytes are sent unchanged, and - is standard input. A FILE needs --provider.

For accounts that were linked long ago, --backfill lets the workers take the webhook after all fresh
ones, as they take what wagewire replay sends.

Each answer is printed on a line: status, id, whether the webhook was a duplicate, time taken. Send
exits 0 if ingress stored the webhook each time.`,
		Example: `  Send to the sandbox that make run starts:
    printf sandbox-pinwheel-secret > pinwheel.secret
    wagewire send employment.added --secret-file pinwheel.secret
  Send the same webhook three times, to see it stored once:
    PINWHEEL_SECRETS_FILE=pinwheel.secret wagewire send paystubs.added --times 3
  Send a webhook about a job that failed at the provider:
    PINWHEEL_SECRETS_FILE=pinwheel.secret wagewire send income.added --outcome error
  Send a recorded body, byte for byte:
    wagewire send recorded.json --provider truv --secret-file truv.secret
  Fetch the income of an account that was linked before Wagewire was there:
    wagewire send income.added --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --backfill`,
		ValidArgsFunction: cobra.FixedCompletions(typeNames(), cobra.ShellCompDirectiveDefault),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && !o.list {
				return command.UsageError(
					"give one TYPE or FILE, not %d: send --list has the types", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.list {
				return listTypes(t.stdout)
			}
			r, err := o.newRequest(t, args[0])
			if err != nil {
				return err
			}
			return r.sendTimes(cmd.Context(), t.stdout, o.times)
		},
	}
	o.addFlags(cmd)
	command.AddEnvironment(cmd, secretVariables())
	return cmd
}

func (o *sendOptions) addFlags(cmd *cobra.Command) {
	o.times = 1
	flags := cmd.Flags()
	flags.StringVar(&o.url, "url", urlDefault,
		"`address` of ingress for webhooks, without the provider")
	flags.StringVar(&o.secretFile, "secret-file", "",
		"`file` whose first line signs (default the provider's variable, see below)")
	addNumber(flags, &o.times, "times",
		"how often to send the webhook; all but the first are duplicates", 1, timesMax)
	flags.BoolVar(&o.backfill, "backfill", false,
		"mark the webhook as a backfill: workers take it after fresh webhooks")
	addProvider(cmd, &o.provider, "whose webhook a FILE is:")
	flags.BoolVar(&o.list, "list", false,
		"list the types and which of them have a sample, and send nothing")
	flags.StringVar(&o.id, "id", "", "`id` of the webhook of a TYPE (default a new id)")
	flags.StringVar(&o.account, "account", "",
		"`id` of the account that a TYPE is about (default the sample's)")
	flags.StringVar(&o.endUser, "end-user", "",
		"`id` of the end user that a TYPE is about (default the sample's)")
	addChoice(cmd, &o.outcome, "outcome",
		"outcome of the job that a TYPE is about: "+command.OneOf(outcomes()), outcomes())
}

// newRequest reads the webhook, its address and its secret.
func (o *sendOptions) newRequest(t terminal, typeOrFile string) (request, error) {
	p, body, err := o.readWebhook(typeOrFile, t.stdin)
	if err != nil {
		return request{}, err
	}
	target, err := o.target(p)
	if err != nil {
		return request{}, err
	}
	secret, err := o.readSecret(p, t.getenv)
	return request{
		provider: p, body: body, url: target, secret: secret, backfill: o.backfill,
	}, err
}

// readWebhook returns the sample of a type, or the bytes of a file.
func (o *sendOptions) readWebhook(
	typeOrFile string, stdin io.Reader,
) (schema.Provider, []byte, error) {
	w, isType, err := o.findType(typeOrFile)
	if err != nil {
		return "", nil, err
	}
	if isType {
		body, err := newSample(w, o.overrides, time.Now())
		return w.Provider, body, err
	}
	if _, err := os.Stat(typeOrFile); typeOrFile != stdinName && errors.Is(err, fs.ErrNotExist) {
		return "", nil, command.UsageError("%q is neither a type of webhook nor a file%s",
			typeOrFile, command.Suggest(typeOrFile, typeNames()))
	}
	if o.overrides != (overrides{}) {
		return "", nil, command.UsageError("a file is sent unchanged: " +
			"--id, --account, --end-user and --outcome are for a TYPE")
	}
	if o.provider == "" {
		return "", nil, command.UsageError("say whose webhook it is: --provider with %s",
			command.OneOf(schema.Providers()))
	}
	body, err := readBody(typeOrFile, stdin)
	return o.provider, body, err
}

// findType finds the type of the name. With --provider, another provider's type is an error.
func (o *sendOptions) findType(name string) (w schema.WebhookType, isType bool, err error) {
	var owners []schema.Provider
	for _, known := range schema.Catalogue() {
		if known.Name != name {
			continue
		}
		if known.Provider == o.provider {
			return known, true, nil
		}
		w = known
		owners = append(owners, known.Provider)
	}
	switch {
	case len(owners) > 0 && o.provider != "":
		return w, false, command.UsageError("%s is a type of %s, not of %s",
			name, command.OneOf(owners), o.provider)
	case len(owners) > 1:
		return w, false, command.UsageError("say whose %s it is: --provider with %s",
			name, command.OneOf(owners))
	default:
		return w, len(owners) == 1, nil
	}
}

func readBody(path string, stdin io.Reader) ([]byte, error) {
	in := io.NopCloser(stdin)
	if path != stdinName {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		in = file
	}
	defer in.Close()
	body, err := io.ReadAll(io.LimitReader(in, bodyBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read webhook: %w", err)
	}
	if len(body) > bodyBytesMax {
		return nil, fmt.Errorf("read webhook: %s has more than %d bytes", path, bodyBytesMax)
	}
	return body, nil
}

// target is the address of ingress for the provider's webhooks.
func (o *sendOptions) target(p schema.Provider) (string, error) {
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", command.UsageError("--url: %q is not an http or https address, such as %s",
			o.url, urlDefault)
	}
	return u.JoinPath(string(p)).String(), nil
}

func (o *sendOptions) readSecret(
	p schema.Provider, getenv func(string) string,
) (schema.Secret, error) {
	variable := p.Variable("SECRETS_FILE")
	setting := "--secret-file"
	path := o.secretFile
	if path == "" {
		setting = variable
		var err error
		path, err = process.ReadVariable(getenv, variable)
		if err != nil {
			return schema.Secret{}, err
		}
	}
	if path == "" {
		return schema.Secret{}, fmt.Errorf("no secret to sign with: "+
			"give --secret-file, or set %s, to a file with one secret a line", variable)
	}
	file, err := process.OpenSecretFile(setting, path, process.ProviderURL{})
	if err != nil {
		return schema.Secret{}, err
	}
	secrets, err := file.Active()
	if err != nil {
		return schema.Secret{}, err
	}
	return secrets[0], nil
}

func listTypes(w io.Writer) error {
	table := newTable(w)
	fmt.Fprintln(table, "TYPE\tPROVIDER\tSAMPLE\tCOMPLETED BY")
	for _, t := range schema.Catalogue() {
		has := "no"
		if hasSample(t) {
			has = "yes"
		}
		completers := cmp.Or(plain.List(t.Workers), "-")
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, t.Provider, has, completers)
	}
	return table.Flush()
}

func typeNames() []string {
	var names []string
	for _, w := range schema.Catalogue() {
		names = append(names, w.Name)
	}
	return names
}
