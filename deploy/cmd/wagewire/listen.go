package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/forward"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/process"
)

const (
	forwardExample = "http://127.0.0.1:3000/hook"
	// teamDefault is the team that the sandbox has.
	teamDefault = "lending"
	// answerForDefault is how long a program may take to answer.
	answerForDefault = 10 * time.Second
	// connectEvery is the pause between two attempts to connect.
	connectEvery = 250 * time.Millisecond
)

// listenOptions is the command line of wagewire listen.
type listenOptions struct {
	forward   string
	allowHTTP bool
	timeout   time.Duration
	normal    bool
	asJSON    bool
	catchUp   bool

	team      string
	durable   string
	seedFile  string
	resources []schema.Resource
	accounts  []string
	hands     int
	aside     string
	retry     bool
	wait      *time.Duration
}

func newListenCommand(t terminal) *cobra.Command {
	o := listenOptions{timeout: answerForDefault, hands: client.HandsDefault}
	cmd := &cobra.Command{
		Use:     "listen",
		GroupID: groupBuild,
		Short:   "Send completions by HTTP to your own program, as they come",
		Long: `wagewire listen takes the completions of a team's durable and sends each by HTTP to a
program of the team. The program needs no NATS. It gets a POST request with a CloudEvent in
structured mode: the content type is application/cloudevents+json, and the body is the completion.
Records are always in data.records, also those that a large completion only refers to. The header
Wagewire-Outcome has the outcome, and traceparent the trace.

An answer of 2xx means that the program has stored the completion: listen acknowledges it, and the
durable does not deliver it again. After any other answer, or none, the completion comes again,
after 1 s, then 2 s, and so on up to 10 minutes. While nothing listens at the address, listen
keeps what it has and tries every second. A completion is printed on a line with its answer.

Without --forward the completions are printed and acknowledged.

A completion that cannot be read, or that the program refuses 20 times while it takes others, is
kept in the directory of --aside.

Deletions (outcome deleted) come whatever --resources and --account say. Completions outside of
these flags are acknowledged unseen, so use one filter for one durable.

A durable goes on where it stopped. To begin at an earlier time, let an operator make another
durable: wagewire team add TEAM --durable NAME --since TIME.

Ctrl-C finishes what is in hand, and gives back the rest.`,
		Example: `  In the sandbox that make run starts:
    wagewire listen --forward http://127.0.0.1:3000/hook
    wagewire trigger paystubs.added
  Only some resources, with the records in the normalised model as well:
    wagewire listen --forward http://127.0.0.1:3000/hook --resources paystubs,income --normal
  As a team of an installation:
    NATS_URL=tls://nats.example.com wagewire listen --team lending \
      --seed-file nats_team_lending.nk --forward http://127.0.0.1:3000/hook --aside ./aside
  Print everything that the durable has left, as JSON:
    wagewire listen --catch-up --json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), t) },
	}
	o.addFlags(cmd)
	command.AddEnvironment(cmd, teamVariables())
	return untilInterrupted(cmd, func() bool { return !o.catchUp && !o.retry })
}

func (o *listenOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.forward, "forward", "",
		"`address` of your program, such as "+forwardExample)
	addDuration(flags, &o.timeout, "timeout", o.timeout.String(),
		"how long your program may take to answer")
	flags.BoolVar(&o.allowHTTP, "allow-http", false,
		"forward to another machine without TLS: payroll data is readable on the way")
	flags.BoolVar(&o.normal, "normal", false,
		"add data.normal: the records in the model that both providers share")
	flags.BoolVar(&o.asJSON, "json", false,
		"without --forward: print each completion whole, as JSON on a line")
	flags.BoolVar(&o.catchUp, "catch-up", false, "end when the durable has nothing left")
	flags.StringVar(&o.team, "team", teamDefault, "`name` of the team")
	flags.StringVar(&o.durable, "durable", "",
		"`name` of the team's durable (default the team's name)")
	flags.StringVar(&o.seedFile, "seed-file", "",
		"`file` with the seed of the team's key (default NATS_SEED_FILE)")
	addParsed(flags, &o.resources, "resources", "names", "",
		"only completions of these resources, separated by commas (default all)", parseResources)
	flags.StringArrayVar(&o.accounts, "account", nil,
		"only completions of the account with the provider's `id`; may be given again")
	addNumber(flags, &o.hands, "hands",
		"how many completions are in work at the same time; of one account it is one",
		1, client.HandsMax)
	flags.StringVar(&o.aside, "aside", "",
		"keep in `directory` what no delivery helps (default: it comes again for ever)")
	flags.BoolVar(&o.retry, "retry-aside", false,
		"send what the directory of --aside has, remove what is taken, and end")
	o.wait = addWait(cmd)
}

// teamVariables are the variables of a team's program.
func teamVariables() []process.Variable {
	return []process.Variable{
		{Name: "NATS_URL", Default: nats.DefaultURL, Help: "where NATS is"},
		{Name: "NATS_SEED_FILE", Help: "file with the seed of the team's key (none)"},
		{Name: "NATS_CA_FILE", Help: "certificates to trust (the system's)"},
	}
}

// run connects and takes completions until ctx ends.
func (o *listenOptions) run(ctx context.Context, t terminal) error {
	l := &listener{stop: ctx.Done(), stdout: t.stdout, asJSON: o.asJSON, staysAside: o.retry}
	l.form.Normal = o.normal
	if o.retry && o.aside == "" {
		return command.UsageError("--retry-aside: say with --aside which directory")
	}
	address, err := o.address()
	if err != nil {
		return err
	}
	if address != nil {
		l.target = forward.NewTarget(address, l.form, o.timeout)
		defer l.target.Close()
	}
	c, err := o.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintln(t.stderr, o.greeting(address))
	err = o.take(ctx, c, l)
	fmt.Fprintln(t.stderr, l.summary())
	return err
}

// take hands completions to the listener: those of the durable, or those set aside.
func (o *listenOptions) take(ctx context.Context, c *client.Client, l *listener) error {
	if o.retry {
		return c.RetryAside(ctx, o.aside, l)
	}
	subscribe := c.Subscribe
	if o.catchUp {
		subscribe = c.CatchUp
	}
	return subscribe(ctx, client.Subscription{
		Durable: o.durable, Resources: o.resources, Accounts: o.accounts,
		Hands: o.hands, Aside: l.countAside(o.aside),
	}, l)
}

// address is the address of --forward, nil without one.
func (o *listenOptions) address() (*url.URL, error) {
	switch {
	case o.forward == "":
		if o.allowHTTP {
			return nil, command.UsageError("--allow-http is for --forward")
		}
		return nil, nil
	case o.asJSON:
		return nil, command.UsageError("--json prints completions, and --forward sends them: " +
			"choose one")
	case o.timeout <= 0:
		return nil, command.UsageError("--timeout: an answer needs more than no time")
	}
	address, err := url.Parse(o.forward)
	if err != nil || address.Scheme != "http" && address.Scheme != "https" ||
		address.Host == "" {
		return nil, command.UsageError("--forward: write an http or https address, such as %s",
			forwardExample)
	}
	if address.Scheme == "http" && !o.allowHTTP && !forward.IsHere(address) {
		return nil, command.UsageError("--forward: http:// to another machine shows payroll data " +
			"on the way: write https://, or give --allow-http if the way is safe")
	}
	return address, nil
}

func (o *listenOptions) greeting(address *url.URL) string {
	source := "durable " + cmp.Or(o.durable, o.team)
	if o.retry {
		source = o.aside
	}
	if address == nil {
		return fmt.Sprintf("printing the completions of %s, Ctrl-C ends. They are "+
			"acknowledged: another program does not get them", source)
	}
	return fmt.Sprintf("forwarding the completions of %s to %s, Ctrl-C ends",
		source, address.Redacted())
}

// connect connects as the team. If NATS does not answer, connect tries again until --wait is over.
func (o *listenOptions) connect(ctx context.Context, t terminal) (*client.Client, error) {
	for _, variable := range teamVariables() {
		if _, err := process.ReadVariable(t.getenv, variable.Name); err != nil {
			return nil, err
		}
	}
	config := client.ConfigFromEnv(o.team, t.getenv)
	config.Log = newKitLog(t.stderr)
	if o.seedFile != "" {
		if _, err := os.ReadFile(o.seedFile); err != nil {
			return nil, fmt.Errorf("--seed-file: %w", err)
		}
		config.SeedFile = o.seedFile
	}
	late := time.NewTimer(*o.wait)
	defer late.Stop()
	again := time.NewTicker(connectEvery)
	defer again.Stop()
	for isFirst := true; ; isFirst = false {
		c, err := client.Connect(ctx, config)
		if !errors.Is(err, nats.ErrNoServers) || *o.wait == 0 {
			return c, err
		}
		if isFirst {
			fmt.Fprintf(t.stderr, "waiting up to %s for NATS\n", *o.wait)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-late.C:
			return nil, fmt.Errorf("no answer within %s: %w", *o.wait, err)
		case <-again.C:
		}
	}
}
