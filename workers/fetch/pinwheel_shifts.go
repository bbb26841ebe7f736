package fetch

import (
	"context"
	"iter"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelShifts is the handler of Pinwheel's shifts: GET /v1/accounts/{account_id}/shifts.
// Pinwheel has no endpoint for a single shift.
type pinwheelShifts struct{ client *pinwheel.Client }

// Fetch gets the announced shifts: the ids in `added`, or all.
func (p pinwheelShifts) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	if job.Event.Action != schema.ActionAdded {
		return list(p.list).Fetch(ctx, job)
	}
	return pinwheelAdded(p.client.Shifts).Fetch(ctx, job)
}

func (p pinwheelShifts) list(ctx context.Context, accountID string) iter.Seq2[api.Page, error] {
	return p.client.Shifts(ctx, accountID, "")
}
