package fetch

import (
	"context"
	"encoding/json"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
)

// pinwheelNotices is the handler of the webhooks about data that no worker fetches. It calls no
// provider.
type pinwheelNotices struct{}

// Fetch adds the webhook's payload as the only record, as received. The payload tells of some data
// of the account and never of all of it, so the record is a Delta.
func (pinwheelNotices) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	var body struct {
		Payload json.RawMessage `json:"payload"`
	}
	if err := readPinwheel(job.Event, &body); err != nil {
		return workers.Fetched{}, err
	}
	if err := job.Records.Add(ctx, api.Record{JSON: body.Payload}); err != nil {
		return workers.Fetched{}, err
	}
	return workers.Fetched{Scope: schema.Delta}, nil
}

// decodePinwheelNotice reads what every completion says of its webhook. The other members of the
// payload are partly undocumented, and go to the subscribers as they are.
func decodePinwheelNotice(e schema.Event) (workers.Payload, error) {
	var body struct {
		Payload struct {
			EndUserID string   `json:"end_user_id"`
			Outcome   string   `json:"outcome"`
			ErrorCode string   `json:"error_code"`
			ErrorType string   `json:"error_type"`
			Timestamp api.Text `json:"timestamp"`
		} `json:"payload"`
	}
	if err := readPinwheel(e, &body); err != nil {
		return workers.Payload{}, err
	}
	b := body.Payload
	return workers.Payload{
		EndUserID: b.EndUserID,
		Outcome:   pinwheelOutcome(b.Outcome, b.ErrorCode),
		ErrorCode: b.ErrorCode,
		ErrorType: b.ErrorType,
		Timestamp: timeOrZero(string(b.Timestamp)),
	}, nil
}
