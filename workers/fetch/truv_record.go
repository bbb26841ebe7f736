package fetch

import (
	"context"
	"iter"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/truv"
)

// truvData is the handler of Truv's data. Truv does not say how old the data is, so the time of our
// fetch orders it: of two fetches, the later has the newer data, whatever their events.
type truvData struct{ workers.Handler }

// Fetch gets the data. It is as new as the attempt's beginning.
func (t truvData) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	fetched, err := t.Handler.Fetch(ctx, job)
	fetched.DataAt = job.Started
	return fetched, err
}

// truvEmployments is the handler of Truv's employments, and of the incomes in them: GET
// /v1/links/{link_id}/employments/.
type truvEmployments struct{ client *truv.Client }

// Fetch gets every employment of the link, of which the webhook names one. So an employment that is
// gone leaves the subscribers' data too.
func (t truvEmployments) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	return fetchNamed(ctx, t.client.Employments(ctx, job.Event.AccountID), job)
}

// fetchNamed gets a whole list. The object that the webhook names is missing if the list lacks it.
func fetchNamed(
	ctx context.Context, pages iter.Seq2[api.Page, error], job workers.Job,
) (workers.Fetched, error) {
	named := job.Payload.ObjectID
	found := named == ""
	fetched, err := fetchAll(ctx, pages, job, func(r api.Record) bool {
		found = found || r.ID == named
		return true
	})
	if err != nil {
		return workers.Fetched{}, err
	}
	if !found {
		fetched.Missing = []string{named}
	}
	return fetched, nil
}

// truvIdentity is the handler of Truv's profiles: GET /v1/links/{link_id}/identity/.
type truvIdentity struct{ client *truv.Client }

// Fetch gets the profile of the link. The profile that the webhook names is missing if Truv has
// another one.
func (t truvIdentity) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	got, err := t.client.Identity(ctx, job.Event.AccountID)
	if err != nil {
		return workers.Fetched{}, err
	}
	defer got.Answer.Release()
	fetched := workers.Fetched{Scope: schema.Snapshot}
	named := job.Payload.ObjectID
	if named != "" && got.ID != "" && got.ID != named {
		fetched.Missing = []string{named}
	}
	return fetched, job.Records.Add(ctx, got.Record)
}

// truvStatements is the handler of Truv's pay statements: GET /v1/links/{link_id}/statements/.
type truvStatements struct{ client *truv.Client }

// Fetch gets the statements of the employment that the webhook names. They are a Delta, because the
// link may have other employments with statements, which must stay.
func (t truvStatements) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	pages := func(ctx context.Context, linkID string) iter.Seq2[api.Page, error] {
		return t.client.Statements(ctx, linkID, job.Payload.EmploymentID)
	}
	fetched, err := truvCounted{pages}.Fetch(ctx, job)
	if err != nil {
		return workers.Fetched{}, err
	}
	fetched.Scope = schema.Delta
	return fetched, nil
}

// truvShifts is the handler of Truv's shifts: GET /v1/links/{link_id}/shifts/.
type truvShifts struct{ client *truv.Client }

// Fetch gets the shifts of the link. If some are lacking, the others are a Delta: a Snapshot would
// make subscribers drop those that are lacking.
func (t truvShifts) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	fetched, err := truvCounted{t.client.Shifts}.Fetch(ctx, job)
	if err == nil && fetched.Stale {
		fetched.Scope = schema.Delta
	}
	return fetched, err
}

// truvCounted is the handler for a list of which the webhook says the count.
type truvCounted struct {
	pages func(ctx context.Context, linkID string) iter.Seq2[api.Page, error]
}

// Fetch gets every record. Fewer than the webhook or the list counts are stale: Truv's API is
// behind its webhook. The webhook's count is of one employment and the list may be of several, so
// more are right.
func (t truvCounted) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	fetched, err := fetchAll(ctx, t.pages(ctx, job.Event.AccountID), job, nil)
	if err != nil {
		return workers.Fetched{}, err
	}
	fetched.Stale = fetched.Stale || job.Records.Count() < job.Payload.ObjectsCount
	return fetched, nil
}
