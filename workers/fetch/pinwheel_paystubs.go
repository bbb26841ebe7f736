package fetch

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelPaystubs is the handler of Pinwheel's paystubs: GET /v1/accounts/{account_id}/paystubs,
// and …/paystubs/{paystub_id} for a paystub missing from the pages.
type pinwheelPaystubs struct{ client *pinwheel.Client }

// Fetch gets the announced paystubs: the ids in `added`, all, or all with a pay date within the
// dates of `params`.
func (p pinwheelPaystubs) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	switch {
	case job.Event.Resource != schema.Paystubs:
		return p.fetchDocuments(ctx, job)
	case job.Event.Action == schema.ActionAdded:
		return p.fetchAdded(ctx, job)
	case job.Event.Action == schema.ActionFullySynced:
		all := p.client.Paystubs(ctx, job.Event.AccountID, pinwheel.PaystubQuery{})
		return fetchAll(ctx, all, job, nil)
	default:
		return p.fetchWindow(ctx, job, paidWithin(job.Payload))
	}
}

// fetchWindow gets the paystubs around the dates of `params` for which keep is true.
func (p pinwheelPaystubs) fetchWindow(
	ctx context.Context, job workers.Job, keep func(api.Record) bool,
) (workers.Fetched, error) {
	pages := p.client.Paystubs(ctx, job.Event.AccountID, queryAround(job.Payload))
	fetched, err := fetchAll(ctx, pages, job, keep)
	fetched.Scope = schema.Window
	fetched.From = job.Payload.FromPayDate
	fetched.To = job.Payload.ToPayDate
	return fetched, err
}

// fetchDocuments gets the paystubs whose documents have come. The documented webhook has dates, and
// no ids. The dates therefore count, and `added` only without them: those may be the ids of the
// paystubs or of the documents. Without either, every paystub may have a new document. `deleted` is
// ignored, because a document that is gone leaves its paystub.
//
// A window without any document is stale: Pinwheel's API is behind its webhook, and no other
// webhook would bring the documents. The time of the list says nothing, because the paystubs were
// refreshed before their documents came. A single paystub without a document is no lag either: not
// every paystub has a document, and another webhook may bring it.
func (p pinwheelPaystubs) fetchDocuments(
	ctx context.Context, job workers.Job,
) (workers.Fetched, error) {
	job.Payload.Timestamp = time.Time{}
	hasDates := job.Payload.FromPayDate != "" || job.Payload.ToPayDate != ""
	added := job.Payload.Added
	hasDocument := false
	isPaidWithin := paidWithin(job.Payload)
	fetched, err := p.fetchWindow(ctx, job, func(r api.Record) bool {
		document := pinwheel.DocumentID(r)
		isNamed := slices.Contains(added, r.ID) || slices.Contains(added, document)
		keeps := isPaidWithin(r) && (hasDates || len(added) == 0 || isNamed)
		hasDocument = hasDocument || keeps && document != ""
		return keeps
	})
	fetched.Stale = !hasDocument
	if !hasDates {
		fetched.Scope = schema.Snapshot
	}
	if !hasDates && len(added) > 0 {
		fetched.Scope = schema.Delta
	}
	return fetched, err
}

// fetchAdded searches the list between the dates of `params`, and then, if many paystubs have other
// dates, the whole list.
func (p pinwheelPaystubs) fetchAdded(
	ctx context.Context, job workers.Job,
) (workers.Fetched, error) {
	pagesOf := func(q pinwheel.PaystubQuery) func(string) iter.Seq2[api.Page, error] {
		return func(cursor string) iter.Seq2[api.Page, error] {
			q.Cursor = cursor
			return p.client.Paystubs(ctx, job.Event.AccountID, q)
		}
	}
	around := queryAround(job.Payload)
	search := added{
		lists: []func(string) iter.Seq2[api.Page, error]{pagesOf(around)},
		single: func(id string) (api.Snapshot, error) {
			return p.client.Paystub(ctx, job.Event.AccountID, id)
		},
		idOf: pinwheel.RecordID,
	}
	if whole := (pinwheel.PaystubQuery{}); around != whole {
		search.lists = append(search.lists, pagesOf(whole))
	}
	return search.fetch(ctx, job)
}

// queryAround returns the dates of `params`, a day wider on each side. Pinwheel does not document
// whether the bounds are included: the reference says "after" and "before", and the answers were
// seen to differ.
func queryAround(p workers.Payload) pinwheel.PaystubQuery {
	return pinwheel.PaystubQuery{
		FromPayDate: addDays(p.FromPayDate, -1),
		ToPayDate:   addDays(p.ToPayDate, +1),
	}
}

// paidWithin returns a function that reports whether a paystub was paid within the dates of
// `params`, both included. An empty date is no bound. Dates are YYYY-MM-DD and sort as text. A
// paystub without a pay date counts as paid within the dates: the provider lists the paystub there,
// and no other event may bring it.
func paidWithin(p workers.Payload) func(api.Record) bool {
	return func(r api.Record) bool {
		return r.PayDate == "" || (p.FromPayDate == "" || r.PayDate >= p.FromPayDate) &&
			(p.ToPayDate == "" || r.PayDate <= p.ToPayDate)
	}
}

// dateOf returns the date at the beginning of a text, as YYYY-MM-DD, or "" without one: no bound.
// So a time is read as its date.
func dateOf(text string) string { return addDays(text[:min(len(text), len(time.DateOnly))], 0) }

// addDays moves a date by days. An unreadable date becomes empty: no bound.
func addDays(date string, days int) string {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return d.AddDate(0, 0, days).Format(time.DateOnly)
}
