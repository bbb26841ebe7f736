package truv

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema/rawjson"
	"github.com/wagewire/wagewire/workers/api"
)

// Webhook is a registration for webhooks.
type Webhook struct {
	ID  string
	URL string
	// Environment is sandbox, dev or prod.
	Environment string
	// Events are the types that Truv sends.
	Events []string
	// Enabled is false if Truv has disabled the registration, because its URL failed for long.
	Enabled bool
}

// webhookPagesMax limits the pages of registrations.
const webhookPagesMax = 20

// Webhooks lists the registrations (docs.truv.com/api-reference/webhooks), of every environment.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	var all []Webhook
	for page := 1; page <= webhookPagesMax; page++ {
		e := api.Path("/v1/webhooks/")
		e.Query = url.Values{"page": {strconv.Itoa(page)}}
		webhooks, more, err := c.webhookPage(ctx, e)
		if err != nil {
			return nil, err
		}
		all = append(all, webhooks...)
		if !more {
			return all, nil
		}
	}
	return nil, &api.ContractError{Endpoint: "/v1/webhooks/", Why: "over 20 pages"}
}

func (c *Client) webhookPage(
	ctx context.Context, e api.Endpoint,
) (webhooks []Webhook, more bool, err error) {
	answer, err := c.api.Get(ctx, e)
	if err != nil {
		return nil, false, err
	}
	defer answer.Release()
	var list struct {
		Next    api.Text
		Results []webhookObject
	}
	if json.Unmarshal(answer.Body, &list) != nil {
		// Truv's own demonstration takes a bare array, too.
		if json.Unmarshal(answer.Body, &list.Results) != nil {
			why := "not a list of webhooks"
			return nil, false, &api.ContractError{Endpoint: e.Template, Why: why}
		}
	}
	for _, w := range list.Results {
		webhooks = append(webhooks, w.read())
	}
	return webhooks, list.Next != "", nil
}

// webhookObject is a registration as Truv writes it. Some copies of the documentation lack enabled.
type webhookObject struct {
	ID      api.Text
	URL     api.Text `json:"webhook_url"`
	Env     api.Text `json:"env_type"`
	Events  []api.Text
	Enabled any
}

func (w webhookObject) read() Webhook {
	read := Webhook{
		ID: string(w.ID), URL: string(w.URL), Environment: string(w.Env),
		Enabled: w.Enabled != false,
	}
	for _, event := range w.Events {
		read.Events = append(read.Events, string(event))
	}
	return read
}

// Environment is the environment that the active secret opens, by the beginning of the secret:
// sandbox, dev or prod.
func (c *Client) Environment() (string, error) {
	secrets, err := c.secrets()
	if err != nil {
		return "", err
	}
	for _, secret := range secrets {
		for _, environment := range []string{"sandbox", "dev"} {
			if strings.HasPrefix(secret, environment+"-") {
				return environment, nil
			}
		}
	}
	return "prod", nil
}

// CreateWebhook registers a URL for the types in the environment of the secret.
func (c *Client) CreateWebhook(
	ctx context.Context, name, target string, events []string,
) error {
	environment, err := c.Environment()
	if err != nil {
		return err
	}
	return c.api.Change(ctx, http.MethodPost, api.Path("/v1/webhooks/"), map[string]any{
		"name": name, "webhook_url": target, "env_type": environment, "events": events,
	})
}

// EnableWebhook enables a registration, for the types. Its URL stays.
func (c *Client) EnableWebhook(ctx context.Context, id string, events []string) error {
	e := api.Path("/v1/webhooks/{webhook_id}/", id)
	return c.api.Change(ctx, http.MethodPatch, e, map[string]any{"enabled": true, "events": events})
}

// Sending is an entry of Truv's log: one try to send a webhook.
type Sending struct {
	// URL is where Truv sent the webhook.
	URL string
	// Status is the status of the answer, 0 without one.
	Status int
	// Body is the webhook as the log has it. The spaces of its JSON may differ from the bytes that
	// were sent and signed.
	Body json.RawMessage
}

// Sendings lists the log of the webhooks sent since a time, of 30 days at most
// (docs.truv.com/api-reference/webhooks, Webhook requests). Nothing follows an error. See api.Pages
// for the errors.
func (c *Client) Sendings(ctx context.Context, since time.Time) iter.Seq2[Sending, error] {
	const template = "/v1/webhook-requests/"
	pages := api.Pages(template, func(cursor string) (api.Page, string, error) {
		e := api.Path(template)
		e.Query = url.Values{"created_at__gte": {since.UTC().Format(time.RFC3339)}}
		if cursor != "" {
			e.Query.Set("cursor", cursor)
		}
		answer, err := c.api.Get(ctx, e)
		if err != nil {
			return api.Page{}, "", err
		}
		page, next, err := readSendings(e, answer.Body)
		page.Answer = answer
		return page, next, err
	})
	return func(yield func(Sending, error) bool) {
		for page, err := range pages {
			if err != nil {
				yield(Sending{}, err)
				return
			}
			for _, record := range page.Records {
				if !yield(readSending(record), nil) {
					return
				}
			}
		}
	}
}

// readSendings reads a page of the log. The records are parts of body.
func readSendings(e api.Endpoint, body []byte) (page api.Page, next string, err error) {
	hasResults := false
	for name, value := range rawjson.Members(body) {
		switch name {
		case "next":
			var link api.Text
			_ = link.UnmarshalJSON(value) // never fails
			next = cursorOf(string(link))
		case "results":
			hasResults = len(value) > 0 && value[0] == '['
			for raw := range rawjson.Elements(value) {
				page.Records = append(page.Records, api.Record{JSON: raw})
			}
		}
	}
	if !hasResults {
		return page, "", &api.ContractError{Endpoint: e.Template, Why: "not an object with results"}
	}
	return page, next, nil
}

// cursorOf returns the cursor in the link to the next page. Only the cursor is used, because the
// link's host and path are Truv's to choose.
func cursorOf(link string) string {
	if link == "" {
		return ""
	}
	parsed, err := url.Parse(link)
	if err != nil {
		return link
	}
	return cmp.Or(parsed.Query().Get("cursor"), link)
}

// readSending reads an entry of the log. It copies the webhook, because the bytes of a page do not
// stay. The log may have the webhook as an object or as a text.
func readSending(record api.Record) Sending {
	var known struct {
		URL     api.Text        `json:"webhook_url"`
		Status  json.Number     `json:"status_code"`
		Payload json.RawMessage `json:"webhook_payload"`
	}
	_ = json.Unmarshal(record.JSON, &known) // another type says nothing
	status, _ := strconv.Atoi(known.Status.String())
	body := known.Payload
	var text string
	if json.Unmarshal(body, &text) == nil && text != "" {
		body = json.RawMessage(text)
	}
	return Sending{URL: string(known.URL), Status: status, Body: body}
}
