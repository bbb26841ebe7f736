package workers

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// Outcomes of a Pinwheel job, as its webhook gives them (docs.pinwheelapi.com, income and employment events).
const (
	jobPending = "pending"
	jobError   = "error"
)

// Payload is what a webhook's body says to a worker. Absent, null and empty are the same: the recorded webhooks write null
// where the documented samples leave a field out.
type Payload struct {
	// EndUserID is the operator's own name for the person, "" where none was given.
	EndUserID string
	// Outcome, ErrorCode and ErrorType are of the provider's job: success, pending or error. Truv's links have none.
	Outcome, ErrorCode, ErrorType string
	// Timestamp is when the job ended; zero where the body does not say.
	Timestamp time.Time
	// FromPayDate and ToPayDate bound the chunk that a paystubs event is about, as YYYY-MM-DD.
	FromPayDate, ToPayDate string
	// Added and Deleted are ids of paystubs or shifts.
	Added, Deleted []string
	// VOE and VOIE are the availability of the two verification reports.
	VOE, VOIE Availability
}

// Availability is what verification_reports.refreshed says of one report.
type Availability struct {
	Status      string
	RefreshedAt time.Time
}

// Available reports whether the report can be fetched. Any status but "unavailable" is tried: new ones may appear.
func (a Availability) Available() bool { return a.Status != "" && a.Status != "unavailable" }

// decodePayload reads an event's body. Ingress has made sure that it is one JSON object without repeated keys.
func decodePayload(e schema.Event) (Payload, error) {
	var p Payload
	if e.Provider != schema.Pinwheel {
		return p, nil // all that matters of a Truv link is its id, which is the account's
	}
	type ids []struct {
		ID string `json:"id"`
	}
	type availability struct {
		Status      string `json:"status"`
		RefreshedAt string `json:"refreshed_at"`
	}
	var body struct {
		Payload struct {
			EndUserID string `json:"end_user_id"`
			Outcome   string `json:"outcome"`
			ErrorCode string `json:"error_code"`
			ErrorType string `json:"error_type"`
			Timestamp string `json:"timestamp"`
			Added     ids    `json:"added"`
			Deleted   ids    `json:"deleted"`
			Params    struct {
				FromPayDate string `json:"from_pay_date"`
				ToPayDate   string `json:"to_pay_date"`
			} `json:"params"`
			Availability struct {
				VOE  availability `json:"voe"`
				VOIE availability `json:"voie"`
			} `json:"availability"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil {
		// Not err itself: it quotes the value it stumbled over.
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return p, fmt.Errorf("%w: %s: %s is of another type", errUndecodable, e.Type, wrong.Field)
		}
		return p, fmt.Errorf("%w: %s: not JSON", errUndecodable, e.Type)
	}
	b := body.Payload
	p = Payload{
		EndUserID: b.EndUserID, Outcome: b.Outcome, ErrorCode: b.ErrorCode, ErrorType: b.ErrorType,
		Timestamp: timeOrZero(b.Timestamp), FromPayDate: b.Params.FromPayDate, ToPayDate: b.Params.ToPayDate,
		VOE:  Availability{b.Availability.VOE.Status, timeOrZero(b.Availability.VOE.RefreshedAt)},
		VOIE: Availability{b.Availability.VOIE.Status, timeOrZero(b.Availability.VOIE.RefreshedAt)},
	}
	for _, list := range []struct {
		name string
		from ids
		to   *[]string
	}{{"added", b.Added, &p.Added}, {"deleted", b.Deleted, &p.Deleted}} {
		for _, item := range list.from {
			if item.ID == "" { // it cannot be fetched, nor reported as missing
				return Payload{}, fmt.Errorf("%w: %s: an id in payload.%s is empty", errUndecodable, e.Type, list.name)
			}
			*list.to = append(*list.to, item.ID)
		}
	}
	return p, nil
}

// timeOrZero reads a time that only a soft check needs: one that cannot be read is no reason to fail an event.
func timeOrZero(s string) time.Time {
	t, _ := schema.ParseTime(s)
	return t
}
