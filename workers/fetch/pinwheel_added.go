package fetch

import (
	"context"
	"iter"

	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelAdded is the handler for the records that a webhook of Pinwheel names, if no endpoint for
// a single record is of use. Their list begins at a cursor.
type pinwheelAdded func(
	ctx context.Context, accountID, cursor string,
) iter.Seq2[api.Page, error]

// Fetch gets the announced records: the ids in `added`.
func (pages pinwheelAdded) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	search := added{
		lists: []func(string) iter.Seq2[api.Page, error]{
			func(cursor string) iter.Seq2[api.Page, error] {
				return pages(ctx, job.Event.AccountID, cursor)
			},
		},
		idOf: pinwheel.RecordID,
	}
	return search.fetch(ctx, job)
}
