package fetch

import (
	"iter"

	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// list reads every page and keeps the records that keep wants, or all of them. One that moves to the next page between
// two calls is kept once.
func list(pages iter.Seq2[pinwheel.Page, error], job workers.Job, keep func(pinwheel.Record) bool) (workers.Fetched, error) {
	var fetched workers.Fetched
	seen := map[string]bool{}
	for page, err := range pages {
		if err != nil {
			return workers.Fetched{}, err
		}
		note(&fetched, page, job)
		for _, r := range page.Records {
			if !seen[r.ID] && (keep == nil || keep(r)) {
				seen[r.ID] = true
				fetched.Records = append(fetched.Records, r.JSON)
			}
		}
	}
	return fetched, nil
}

// listed reads pages until every id in `added` is found. What no page has is missing.
func listed(pages iter.Seq2[pinwheel.Page, error], job workers.Job) (workers.Fetched, error) {
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
		note(&fetched, page, job)
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
			delete(wanted, id)
			fetched.Missing = append(fetched.Missing, id)
		}
	}
	return fetched, nil
}

// note takes the time of the first page: the one that a list is as old as.
func note(fetched *workers.Fetched, page pinwheel.Page, job workers.Job) {
	if fetched.RefreshedAt.IsZero() {
		fetched.RefreshedAt = page.RefreshedAt
		fetched.Stale = behind(page.RefreshedAt, job.Payload.Timestamp)
	}
}
