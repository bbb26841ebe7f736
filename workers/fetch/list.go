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

// list is the handler of a resource of which an account has a list.
type list func(ctx context.Context, accountID string) iter.Seq2[api.Page, error]

// Fetch gets the records that the event announces: those in `added`, or all.
func (pages list) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	if job.Event.Action == schema.ActionAdded {
		return fetchAdded(pages(ctx, job.Event.AccountID), job)
	}
	return fetchAll(pages(ctx, job.Event.AccountID), job, nil)
}

// fetchAll reads every page and keeps the records that keep wants; a nil keep wants all. A record
// that moves to the next page between two calls is kept once.
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

// fetchAdded reads pages until every id in `added` is found. Ids that no page has are missing.
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

// noteAge notes the time of a list: the time of its first page that has one.
func noteAge(fetched *workers.Fetched, page api.Page, job workers.Job) {
	if fetched.RefreshedAt.IsZero() {
		fetched.RefreshedAt = page.RefreshedAt
		fetched.Stale = isBehind(page.RefreshedAt, job.Payload.Timestamp)
	}
}

// isAbsent reports whether the provider says that it does not have a record, or not yet. The fetch
// of the other records goes on.
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
