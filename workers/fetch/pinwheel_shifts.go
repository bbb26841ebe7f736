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
	pages := func(cursor string) iter.Seq2[api.Page, error] {
		return p.client.Shifts(ctx, job.Event.AccountID, cursor)
	}
	if job.Event.Action != schema.ActionAdded {
		return fetchAll(ctx, pages(""), job, nil)
	}
	search := added{
		lists: []func(string) iter.Seq2[api.Page, error]{pages},
		idOf:  pinwheel.RecordID,
	}
	return search.fetch(ctx, job)
}
