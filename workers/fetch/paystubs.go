package fetch

import (
	"context"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// Paystubs fetches GET /v1/accounts/{account_id}/paystubs, and what its pages lack from …/paystubs/{paystub_id}.
func Paystubs(c *pinwheel.Client) workers.Handler { return paystubs{c} }

type paystubs struct{ client *pinwheel.Client }

// Fetch gets the paystubs the event announces: the ids in `added`, the chunk between the params' dates, or all there are.
func (p paystubs) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	switch job.Event.Action {
	case schema.ActionAdded:
		return p.added(ctx, job)
	case schema.ActionFullySynced:
		return list(p.client.Paystubs(ctx, job.Event.AccountID, pinwheel.PaystubQuery{}), job, nil)
	default:
		return list(p.client.Paystubs(ctx, job.Event.AccountID, around(job.Payload)), job, func(r pinwheel.Record) bool {
			from, to := job.Payload.FromPayDate, job.Payload.ToPayDate
			return (from == "" || r.PayDate >= from) && (to == "" || r.PayDate <= to) // YYYY-MM-DD sorts as text
		})
	}
}

func (p paystubs) added(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	fetched, err := listed(p.client.Paystubs(ctx, job.Event.AccountID, around(job.Payload)), job)
	if err != nil {
		return workers.Fetched{}, err
	}
	// A paystub dated outside the chunk's dates is in none of these pages.
	unlisted := fetched.Missing
	fetched.Missing = nil
	for _, id := range unlisted {
		r, err := p.client.Paystub(ctx, job.Event.AccountID, id)
		switch {
		case absent(err):
			fetched.Missing = append(fetched.Missing, id)
		case err != nil:
			return workers.Fetched{}, err
		default:
			fetched.Records = append(fetched.Records, r.JSON)
		}
	}
	return fetched, nil
}

// around is the chunk's dates, a day wider on each side: whether the API includes its bounds is not documented
// (its reference says "after" and "before"), and was seen to differ.
func around(p workers.Payload) pinwheel.PaystubQuery {
	return pinwheel.PaystubQuery{FromPayDate: shifted(p.FromPayDate, -1), ToPayDate: shifted(p.ToPayDate, +1)}
}

// shifted moves a date by days; one that cannot be read is no bound.
func shifted(date string, days int) string {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return d.AddDate(0, 0, days).Format(time.DateOnly)
}
