package fetch

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
)

// list is the handler for a resource with a list per account. It gets the whole list.
type list func(ctx context.Context, accountID string) iter.Seq2[api.Page, error]

// Fetch gets every record.
func (pages list) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	return fetchAll(ctx, pages(ctx, job.Event.AccountID), job, nil)
}

// fetchAll reads every page and adds the records for which keep is true, or all if keep is nil, to
// job.Records. A record can move to the next page between two calls, and is added once. Records
// without an id are all added. A list with fewer records than the list itself counts is stale.
func fetchAll(
	ctx context.Context, pages iter.Seq2[api.Page, error], job workers.Job,
	keep func(api.Record) bool,
) (workers.Fetched, error) {
	fetched := workers.Fetched{Scope: schema.Snapshot}
	seen := map[string]bool{}
	read := 0
	total := 0
	for page, err := range pages {
		if err != nil {
			return workers.Fetched{}, err
		}
		noteAge(&fetched, page, job)
		total = page.Total
		for _, r := range page.Records {
			if seen[r.ID] {
				continue
			}
			seen[r.ID] = r.ID != ""
			read++
			if keep != nil && !keep(r) {
				continue
			}
			if err := job.Records.Add(ctx, r); err != nil {
				return workers.Fetched{}, err
			}
		}
	}
	fetched.Stale = fetched.Stale || read < total
	return fetched, nil
}

// noteAge notes how old a list is: as old as the first page that has a time.
func noteAge(fetched *workers.Fetched, page api.Page, job workers.Job) {
	if fetched.RefreshedAt.IsZero() {
		fetched.RefreshedAt = page.RefreshedAt
		fetched.Stale = isBehind(page.RefreshedAt, job.Payload.Timestamp)
	}
}

// isAbsent reports whether the provider does not have a record, or not yet. The fetch of the
// other records goes on.
func isAbsent(err error) bool {
	status, ok := errors.AsType[*api.StatusError](err)
	if !ok {
		return false
	}
	switch status.Status {
	case http.StatusNotFound, http.StatusConflict, http.StatusGone:
		return true
	default:
		return false
	}
}
