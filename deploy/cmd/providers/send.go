package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
)

const sendUsage = `providers send makes a person with a payroll account at the fakes that run, and has them send a webhook about it.

Usage:
  providers send TYPE [--providers URL]   one webhook of the type, such as paystubs.added or link-connected
  providers send all [--providers URL]    what comes when an account is linked and removed again: all 17 types, in order

It prints a line for each answer and exits 0 when every one was 200: the webhook is stored.

Flags:
  --retry          send again what is answered 5xx or not at all, as the providers do: 25 s later, and later still
  --providers URL  where the fakes listen (http://127.0.0.1:8081)
`

const sendCommand = "send"

// sendFor is long enough for one of a whole life's webhooks to be sent three times.
const sendFor = 2 * time.Minute

// everything stands in the place of a type.
const everything = "all"

func send(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("send", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	base := flags.String("providers", "http://127.0.0.1:8081", "")
	retry := flags.Bool("retry", false, "")
	var types []string
	for { // flags may stand before and behind the type
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			_, err := io.WriteString(stdout, sendUsage)
			return err
		case err != nil:
			return fmt.Errorf("send: %w; see providers send --help", err)
		}
		if flags.NArg() == 0 {
			break
		}
		types, args = append(types, flags.Arg(0)), flags.Args()[1:]
	}
	if len(types) != 1 {
		return fmt.Errorf("send: say one TYPE, or %s; see providers send --help", everything)
	}
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	sent, err := sendAbout(ctx, *base, types[0], *retry)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	stored := 0
	for _, w := range sent {
		answer := http.StatusText(w.Status)
		switch w.Status {
		case 0:
			answer = w.Error
		case http.StatusOK:
			answer = "stored"
			stored++
		}
		if _, err := fmt.Fprintf(stdout, "%-8s  %-30s  %s  %d %s\n", w.Provider, w.Type, w.ID, w.Status, answer); err != nil {
			return err
		}
	}
	if stored < len(sent) {
		return fmt.Errorf("send: %d of %d webhooks are not stored", len(sent)-stored, len(sent))
	}
	return nil
}

// sendAbout makes a person, and has a webhook of the type sent about it, or everything.
func sendAbout(ctx context.Context, base, webhookType string, retry bool) ([]fake.Sent, error) {
	var person struct{ ID string }
	if err := post(ctx, base, "people", struct{}{}, &person); err != nil {
		return nil, err
	}
	if webhookType == everything {
		var sent []fake.Sent
		err := post(ctx, base, "people/"+person.ID+"/play", map[string]any{"retry": retry}, &sent)
		return sent, err
	}
	sent := make([]fake.Sent, 1)
	err := post(ctx, base, "webhooks", map[string]any{"type": webhookType, "retry": retry}, &sent[0])
	return sent, err
}

// post tells the fakes to do something, and reads what they say of it.
func post(ctx context.Context, base, path string, instruction, answer any) error {
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
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("--providers: the fakes do not answer: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("--providers: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		var refusal struct{ Error string }
		_ = json.Unmarshal(text, &refusal) // what is no JSON has no reason
		return fmt.Errorf("the fakes answered %d: %s", response.StatusCode, refusal.Error)
	}
	return json.Unmarshal(text, answer)
}
