package fetch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// snapshot is the fetch of a resource of which an account has one: the newest is all there is.
type snapshot func(ctx context.Context, accountID string) (pinwheel.Snapshot, error)

// Employment fetches GET /v1/accounts/{account_id}/employment.
func Employment(c *pinwheel.Client) workers.Handler { return snapshot(c.Employment) }

// Identity fetches GET /v1/accounts/{account_id}/identity.
func Identity(c *pinwheel.Client) workers.Handler { return snapshot(c.Identity) }

// Income fetches GET /v1/accounts/{account_id}/income: for income.added, and again for paystubs.fully_synced, because
// income was seen to change when the paystubs finish.
func Income(c *pinwheel.Client) workers.Handler { return snapshot(c.Income) }

// Fetch gets the snapshot.
func (get snapshot) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	s, err := get(ctx, job.Event.AccountID)
	if err != nil {
		return workers.Fetched{}, err
	}
	// Another resource's event says nothing about when this one was refreshed: income keeps its time while paystubs finish.
	own := job.Event.Action == schema.ActionAdded
	return workers.Fetched{
		Records: []json.RawMessage{s.JSON}, RefreshedAt: s.RefreshedAt, Stale: own && behind(s.RefreshedAt, job.Payload.Timestamp),
	}, nil
}

// behind says that data was last refreshed before its event. In every recording the two are under a second apart, the
// data later; nothing documents it, so a missing time counts as fresh.
func behind(refreshedAt, announced time.Time) bool {
	return !refreshedAt.IsZero() && refreshedAt.Before(announced)
}
