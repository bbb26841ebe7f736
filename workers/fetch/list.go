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
	return fetchAll(pages(ctx, job.Event.AccountID), job, nil)
}

// addedList is a list whose events with the action added say which ids were added.
type addedList list

// Fetch gets the announced records: the ids in `added`, or all.
func (pages addedList) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	if job.Event.Action == schema.ActionAdded {
		return fetchAdded(pages(ctx, job.Event.AccountID), job)
	}
	return list(pages).Fetch(ctx, job)
}

// fetchAll reads every page and returns the records for which keep is true, or all if keep is
// nil. A record can move to the next page between two calls, and is returned once.
func fetchAll(
	pages iter.Seq2[api.Page, error], job workers.Job, keep func(api.Record) bool,
) (workers.Fetched, error) {
	var fetched workers.Fetched
	seen := map[string]bool{}
	for page, err := range pages {
		if err != nil {
			return workers.Fetched{}, err
		}
		noteAge(&fetched, page, job)
		for _, r := range page.Records {
			if !seen[r.ID] && (keep == nil || keep(r)) {
				seen[r.ID] = true
				fetched.Records = append(fetched.Records, r.JSON)
			}
		}
	}
	return fetched, nil
}

// fetchAdded reads pages until every id in `added` is found. Ids without a record on any page are
// missing.
func fetchAdded(pages iter.Seq2[api.Page, error], job workers.Job) (workers.Fetched, error) {
	fetched := workers.Fetched{Deleted: job.Payload.Deleted}
	wanted := map[string]bool{}
	for _, id := range job.Payload.Added {
		wanted[id] = true
	}
	if len(wanted) == 0 {
		return fetched, nil
	}
	for page, err := range pages {
		if err != nil {
			return workers.Fetched{}, err
		}
		noteAge(&fetched, page, job)
		for _, r := range page.Records {
			if wanted[r.ID] {
				delete(wanted, r.ID)
				fetched.Records = append(fetched.Records, r.JSON)
			}
		}
		if len(wanted) == 0 {
			break
		}
	}
	for _, id := range job.Payload.Added {
		if wanted[id] {
			delete(wanted, id) // an id that is announced twice is missing once
			fetched.Missing = append(fetched.Missing, id)
		}
	}
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
