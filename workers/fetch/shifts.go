package fetch

import (
	"context"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// Shifts fetches GET /v1/accounts/{account_id}/shifts. There is no endpoint for one shift.
func Shifts(c *pinwheel.Client) workers.Handler { return shifts{c} }

type shifts struct{ client *pinwheel.Client }

// Fetch gets the shifts the event announces: the ids in `added`, which are among the newest, or all there are.
func (s shifts) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	pages := s.client.Shifts(ctx, job.Event.AccountID)
	if job.Event.Action == schema.ActionAdded {
		return listed(pages, job)
	}
	return list(pages, job, nil)
}
