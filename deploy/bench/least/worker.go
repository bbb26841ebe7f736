package least

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// messageMax is the size over which a list goes to the object store, as in the real line.
const messageMax = 512 << 10

// durable is the name of the consumer of a type of webhook.
func durable(webhookType string) string { return strings.ReplaceAll(webhookType, ".", "_") }

// worker has what the hands of a worker share.
type worker struct {
	Config

	client  *http.Client
	js      jetstream.JetStream
	records jetstream.ObjectStore
}

// Worker runs the least worker of a type of webhook until ctx ends, or until it fails: it repeats
// nothing.
func Worker(ctx context.Context, c Config) error {
	conn, js, err := connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	records, err := js.ObjectStore(ctx, RecordsBucket)
	if err != nil {
		return err
	}
	consumer, err := js.Consumer(ctx, EventsStream, durable(c.Type))
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2 * c.Hands))
	if err != nil {
		return err
	}
	w := &worker{
		Config: c, js: js, records: records,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.Hands}},
	}
	group, working := errgroup.WithContext(ctx)
	defer context.AfterFunc(working, messages.Stop)()
	for range c.Hands {
		group.Go(func() error {
			for {
				msg, err := messages.Next()
				if err == nil {
					err = w.complete(working, msg)
				}
				if err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// complete does one job: fetch, store, acknowledge.
func (w *worker) complete(ctx context.Context, msg jetstream.Msg) error {
	var event struct {
		ID      string `json:"event_id"`
		Payload struct {
			AccountID string `json:"account_id"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(msg.Data(), &event); err != nil {
		return err
	}
	resource, _, _ := strings.Cut(w.Type, ".")
	at := w.APIURL + "/v1/accounts/" + event.Payload.AccountID + "/" + resource
	fetch := w.get
	if resource == "paystubs" || resource == "shifts" {
		fetch = w.list
	}
	body, err := fetch(ctx, at)
	if err != nil {
		return err
	}
	if len(body) > messageMax {
		if _, err := w.records.PutBytes(ctx, event.ID, body); err != nil {
			return err
		}
		body = fmt.Appendf(nil, "{%q:%q}", "records", event.ID)
	}
	_, err = w.js.Publish(ctx, completionsSubject+resource+"."+event.ID, body,
		jetstream.WithMsgID(event.ID))
	if err != nil {
		return err
	}
	return msg.Ack()
}

// get returns the provider's answer.
func (w *worker) get(ctx context.Context, at string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Api-Secret", w.Secret)
	r.Header.Set("Pinwheel-Version", "2025-07-08")
	response, err := w.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return body, err
}

// list reads all pages, knows each record by its id, and puts the records into one answer.
func (w *worker) list(ctx context.Context, at string) ([]byte, error) {
	var all []json.RawMessage
	known := make(map[string]bool)
	for cursor := ""; ; {
		query := url.Values{"limit": {"100"}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		body, err := w.get(ctx, at+"?"+query.Encode())
		if err != nil {
			return nil, err
		}
		var page struct {
			Data []json.RawMessage `json:"data"`
			Meta struct {
				NextCursor string `json:"next_cursor"`
			} `json:"meta"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, err
		}
		for _, record := range page.Data {
			var named struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(record, &named); err != nil {
				return nil, err
			}
			if !known[named.ID] {
				known[named.ID] = true
				all = append(all, record)
			}
		}
		cursor = page.Meta.NextCursor
		if cursor == "" {
			break
		}
	}
	return json.Marshal(map[string]any{"records": all})
}
