package pinwheel

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/wagewire/wagewire/workers/api"
)

// Webhook is a registration for webhooks.
type Webhook struct {
	ID  string
	URL string
	// Status is "active" or "paused". Pinwheel pauses a registration whose URL has failed for 30
	// days.
	Status string
	// Events are the types that Pinwheel sends.
	Events []string
}

// The statuses of a registration.
const (
	WebhookActive = "active"
	WebhookPaused = "paused"
)

// Webhooks lists the registrations of the API key (docs.pinwheelapi.com/public/docs/webhooks-1).
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	var all []Webhook
	for page, err := range c.pages(ctx, api.Path("/v1/webhooks"), "") {
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			all = append(all, readWebhook(record))
		}
	}
	return all, nil
}

func readWebhook(record api.Record) Webhook {
	var known struct {
		URL    api.Text   `json:"url"`
		Status api.Text   `json:"status"`
		Events []api.Text `json:"enabled_events"`
	}
	_ = json.Unmarshal(record.JSON, &known) // the page has checked that it is an object
	w := Webhook{ID: record.ID, URL: string(known.URL), Status: string(known.Status)}
	for _, event := range known.Events {
		w.Events = append(w.Events, string(event))
	}
	return w
}

// CreateWebhook registers a URL for the types, active, with the version of the Client. Pinwheel
// allows ten registrations for each API key.
func (c *Client) CreateWebhook(ctx context.Context, target string, events []string) error {
	return c.api.Change(ctx, http.MethodPost, api.Path("/v1/webhooks"), map[string]any{
		"url": target, "status": WebhookActive, "enabled_events": events, "version": c.version,
	})
}

// ActivateWebhook makes a registration active, for the types. Its URL and version stay.
func (c *Client) ActivateWebhook(ctx context.Context, w Webhook, events []string) error {
	e := api.Path("/v1/webhooks/{webhook_id}", w.ID)
	return c.api.Change(ctx, http.MethodPut, e, map[string]any{
		"url": w.URL, "status": WebhookActive, "enabled_events": events,
	})
}
