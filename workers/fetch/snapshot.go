package fetch

import (
	"context"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
)

// snapshot is the handler for a resource with one record per account.
type snapshot struct {
	resource schema.Resource
	get      func(ctx context.Context, accountID string) (api.Snapshot, error)
}

// Fetch gets the account's record.
func (s snapshot) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	got, err := s.get(ctx, job.Event.AccountID)
	if err != nil {
		return workers.Fetched{}, err
	}
	defer got.Answer.Release()
	if err := job.Records.Add(ctx, got.Record); err != nil {
		return workers.Fetched{}, err
	}
	// The event of another resource does not say when the record was refreshed. Pinwheel's income
	// keeps its time while paystubs finish.
	isOwn := job.Event.Resource == s.resource
	return workers.Fetched{
		Scope:       schema.Snapshot,
		RefreshedAt: got.RefreshedAt,
		Stale:       isOwn && isBehind(got.RefreshedAt, job.Payload.Timestamp),
	}, nil
}

// isBehind reports whether data was last refreshed before its event. In every recording of
// Pinwheel the data is the later of the two, by under a second. Nothing documents the order. Data
// without a time counts as fresh.
func isBehind(refreshedAt, announced time.Time) bool {
	return !refreshedAt.IsZero() && refreshedAt.Before(announced)
}
