package fetch

import (
	"context"
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
	switch job.Event.Action {
	case schema.ActionAdded:
		return p.fetchAdded(ctx, job)
	case schema.ActionFullySynced:
		all := p.client.Paystubs(ctx, job.Event.AccountID, pinwheel.PaystubQuery{})
		return fetchAll(all, job, nil)
	default:
		pages := p.client.Paystubs(ctx, job.Event.AccountID, queryAround(job.Payload))
		return fetchAll(pages, job, paidWithin(job.Payload))
	}
}

func (p pinwheelPaystubs) fetchAdded(
	ctx context.Context, job workers.Job,
) (workers.Fetched, error) {
	pages := p.client.Paystubs(ctx, job.Event.AccountID, queryAround(job.Payload))
	fetched, err := fetchAdded(pages, job)
	if err != nil {
		return workers.Fetched{}, err
	}
	// The pages lack a paystub with a date outside of `params`.
	unlisted := fetched.Missing
	fetched.Missing = nil
	for _, id := range unlisted {
		r, err := p.client.Paystub(ctx, job.Event.AccountID, id)
		switch {
		case isAbsent(err):
			fetched.Missing = append(fetched.Missing, id)
		case err != nil:
			return workers.Fetched{}, err
		default:
			fetched.Records = append(fetched.Records, r.JSON)
		}
	}
	return fetched, nil
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
// `params`, both included. An empty date is no bound. Dates are YYYY-MM-DD and sort as text.
func paidWithin(p workers.Payload) func(api.Record) bool {
	return func(r api.Record) bool {
		return (p.FromPayDate == "" || r.PayDate >= p.FromPayDate) &&
			(p.ToPayDate == "" || r.PayDate <= p.ToPayDate)
	}
}

// addDays moves a date by days. An unreadable date becomes empty: no bound.
func addDays(date string, days int) string {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return d.AddDate(0, 0, days).Format(time.DateOnly)
}
