package fetch

import (
	"context"
	"encoding/json"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/truv"
)

// Link fetches GET /v1/links/{link_id}/. A deleted link is not asked for: its data is gone at Truv, and goes here.
func Link(c *truv.Client) workers.Handler { return link{c} }

type link struct{ client *truv.Client }

// Fetch gets the link.
func (l link) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	if job.Event.Action == schema.ActionDeleted {
		return workers.Fetched{Outcome: schema.Deleted}, nil
	}
	got, err := l.client.Link(ctx, job.Event.AccountID)
	if err != nil {
		return workers.Fetched{}, err
	}
	return workers.Fetched{Records: []json.RawMessage{got.JSON}}, nil
}
