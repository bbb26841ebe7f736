package main

import (
	"context"
	"encoding/json"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// taskStatus returns the status that the webhook of a completion tells, such as "login_error" of a
// task. Without it, the completions of a task on its way would look all the same. It is "" for a
// type without a status, and for an event that is no longer stored.
func taskStatus(
	ctx context.Context, operator *stream.Operator, c schema.Completion,
) (status string, err error) {
	if c.Data.Action != schema.ActionStatusUpdated || c.Data.AccountID == nil {
		return "", nil
	}
	account := schema.Token(*c.Data.AccountID)
	which := stream.Selection{
		Filters: []string{
			schema.AccountEvents(c.Data.Provider, "*", schema.ActionStatusUpdated, account),
		},
	}
	err = operator.Scan(ctx, schema.EventsStream, which, func(m stream.Stored) error {
		var body struct {
			Status string `json:"status"`
		}
		// An event that cannot be read is another one: this one was worked on.
		event, err := stream.DecodeEvent(m)
		isRead := err == nil && event.ID == c.Data.Event.ID
		if isRead && json.Unmarshal(event.Body, &body) == nil {
			status = body.Status
		}
		return nil
	})
	return status, err
}
