package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// everything stands in place of a type.
const everything = "all"

// sendFor is long enough to send one webhook of a timeline three times.
const sendFor = 2 * time.Minute

// sendOptions are the flags of send.
type sendOptions struct {
	url     string
	fixture string
	retry   bool
	any     bool
}

func sendCommand() *cobra.Command {
	var options sendOptions
	c := &cobra.Command{
		Use:   "send TYPE|" + everything,
		Short: "Let the running fakes send a webhook",
		Long: `send makes a person with a payroll account at the running fakes and lets the fakes
send a webhook about the person. With ` + everything + ` in place of a type the fakes send every
webhook of an account that is linked and removed again, in order, and then each other type that a
worker completes.

With --fixture the fakes play a file of wagewire record: they give the recorded answers to the
recorded calls from now on, and send the recorded webhook, with a new id if they sent it before.

It prints a line for each response. The exit code is 0 if every response was 200: ingress has stored
the webhook.`,
		Example: `  providers send paystubs.added
  providers send link-connected --retry
  providers send all --providers http://127.0.0.1:8081
  providers send moon.landed --any
  providers send --fixture pinwheel.paystubs.added.fixture.json`,
		ValidArgs: typeNames(),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case options.fixture != "" && (len(args) > 0 || options.any || options.retry):
				return command.UsageError("--fixture goes with --providers alone")
			case options.fixture == "" && len(args) != 1:
				return command.UsageError("give one TYPE, or %s", everything)
			default:
				return nil
			}
		},
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), sendFor)
			defer cancel()
			if options.fixture != "" {
				return sendFixture(ctx, options, c.OutOrStdout())
			}
			return send(ctx, args[0], options, c.OutOrStdout())
		},
	}
	flags := c.Flags()
	flags.StringVar(&options.url, "providers", "http://"+defaultAddr,
		"the `URL` at which the fakes listen")
	flags.StringVar(&options.fixture, "fixture", "",
		"play the `FILE` of wagewire record in place of a TYPE")
	flags.BoolVar(&options.retry, "retry", false,
		"repeat a webhook as its provider does: after a 5xx or no response about 30 s later, "+
			"and again later")
	flags.BoolVar(&options.any, "any", false,
		"send a type that no provider documents, as the provider that spells its types alike")
	return c
}

// typeNames lists what may stand in place of TYPE.
func typeNames() []string {
	list := []string{everything}
	for _, t := range schema.Catalogue() {
		list = append(list, t.Name)
	}
	return list
}

// typeOf returns the documented type with the name.
func typeOf(name string) (_ schema.WebhookType, found bool) {
	for _, t := range schema.Catalogue() {
		if t.Name == name {
			return t, true
		}
	}
	return schema.WebhookType{}, false
}

// send lets the fakes send webhooks of a type and prints the responses.
func send(ctx context.Context, webhookType string, options sendOptions, stdout io.Writer) error {
	sent, err := sendWebhooks(ctx, webhookType, options)
	if err != nil {
		return err
	}
	return printSent(sent, stdout)
}

// sendFixture lets the fakes play a fixture and prints the response.
func sendFixture(ctx context.Context, options sendOptions, stdout io.Writer) error {
	text, err := os.ReadFile(options.fixture)
	if err != nil {
		return fmt.Errorf("--fixture: %w", err)
	}
	if !json.Valid(text) {
		return fmt.Errorf("--fixture: %s is not JSON", options.fixture)
	}
	sent := make([]fake.Sent, 1)
	err = post(ctx, options.url, "fixtures", json.RawMessage(text), &sent[0])
	if err != nil {
		return err
	}
	return printSent(sent, stdout)
}

// printSent prints the responses. It fails if a webhook is not stored.
func printSent(sent []fake.Sent, stdout io.Writer) error {
	stored := 0
	for _, w := range sent {
		if w.Status == http.StatusOK {
			stored++
		}
		_, err := fmt.Fprintf(stdout, "%-8s  %-30s  %s  %d %s\n",
			w.Provider, w.Type, w.ID, w.Status, resultOf(w))
		if err != nil {
			return err
		}
	}
	if stored < len(sent) {
		return fmt.Errorf("%d of %d webhooks are not stored", len(sent)-stored, len(sent))
	}
	return nil
}

// resultOf describes what became of a webhook.
func resultOf(w fake.Sent) string {
	switch w.Status {
	case 0:
		return w.Error
	case http.StatusOK:
		return "stored"
	default:
		return http.StatusText(w.Status)
	}
}

func unknownType(name string) error {
	return command.UsageError("no provider documents the webhook type %q (--any sends it)%s",
		name, command.Suggest(name, typeNames()))
}

// sendWebhooks makes a person and lets the fakes send a webhook of the type, or everything, about
// the person.
func sendWebhooks(
	ctx context.Context,
	webhookType string,
	options sendOptions,
) ([]fake.Sent, error) {
	instruction := map[string]any{"retry": options.retry}
	if webhookType != everything {
		documented, found := typeOf(webhookType)
		switch {
		case found:
			instruction["provider"] = documented.Provider
		case !options.any:
			return nil, unknownType(webhookType)
		}
		instruction["type"] = webhookType
	}
	var person struct{ ID string }
	if err := post(ctx, options.url, "people", struct{}{}, &person); err != nil {
		return nil, err
	}
	if webhookType == everything {
		return sendEverything(ctx, person.ID, options)
	}
	sent := make([]fake.Sent, 1)
	err := post(ctx, options.url, "webhooks", instruction, &sent[0])
	return sent, err
}

// sendEverything lets the fakes play a person's account, and then send the types with a worker that
// no account of the fakes has by itself.
func sendEverything(ctx context.Context, person string, options sendOptions) ([]fake.Sent, error) {
	var sent []fake.Sent
	instruction := map[string]any{"retry": options.retry}
	if err := post(ctx, options.url, "people/"+person+"/play", instruction, &sent); err != nil {
		return nil, err
	}
	for _, t := range schema.Catalogue() {
		isSent := func(w fake.Sent) bool {
			return w.Provider == string(t.Provider) && w.Type == t.Name
		}
		if len(t.Workers) == 0 || slices.ContainsFunc(sent, isSent) {
			continue
		}
		instruction := map[string]any{
			"retry": options.retry, "provider": t.Provider, "type": t.Name, "account": person,
		}
		var one fake.Sent
		if err := post(ctx, options.url, "webhooks", instruction, &one); err != nil {
			return nil, err
		}
		sent = append(sent, one)
	}
	return sent, nil
}

// post sends an instruction to the control tree of the fakes and reads the response.
func post(ctx context.Context, base, path string, instruction, response any) error {
	body, err := json.Marshal(instruction)
	if err != nil {
		return err
	}
	target, err := url.JoinPath(base, "control", path)
	if err != nil {
		return fmt.Errorf("--providers: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--providers: %w", err)
	}
	received, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("--providers: the fakes do not answer: %w", err)
	}
	defer received.Body.Close()
	text, err := io.ReadAll(received.Body)
	if err != nil {
		return fmt.Errorf("--providers: %w", err)
	}
	if received.StatusCode >= http.StatusMultipleChoices {
		var refusal struct{ Error string }
		_ = json.Unmarshal(text, &refusal) // a body that is no JSON holds no reason
		return fmt.Errorf("the fakes answered %d: %s", received.StatusCode, refusal.Error)
	}
	return json.Unmarshal(text, response)
}
