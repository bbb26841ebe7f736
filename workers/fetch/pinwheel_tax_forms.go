package fetch

import (
	"context"
	"iter"

	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelTaxForms is the handler of Pinwheel's tax forms: GET /v1/accounts/{account_id}/tax_forms.
// A form by itself has its document, whose link is good for 15 minutes, and on demand its boxes,
// for which Pinwheel bills. No completion has them.
type pinwheelTaxForms struct{ client *pinwheel.Client }

// Fetch gets the announced forms: the ids in `added`.
func (p pinwheelTaxForms) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	search := added{
		lists: []func(string) iter.Seq2[api.Page, error]{
			func(cursor string) iter.Seq2[api.Page, error] {
				return p.client.TaxForms(ctx, job.Event.AccountID, cursor)
			},
		},
		idOf: pinwheel.RecordID,
	}
	return search.fetch(ctx, job)
}
