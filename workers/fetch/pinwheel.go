package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelRow is Pinwheel's row of the registry.
var pinwheelRow = row[pinwheelConfig, *pinwheel.Client]{
	secretFile: "PINWHEEL_API_SECRET_FILE",
	ratePerS:   func(c pinwheelConfig) rate { return c.RatePerS },
	// Pinwheel's reference names no limit.
	ratePerSMax: 50,
	rateSource: "Pinwheel documents no limit; a public list of limits has 50 calls a second in " +
		"production, and 10 in the sandbox and the development mode",
	newClient: newPinwheel,
	decode:    decodePinwheel,
	handlers: map[schema.Resource]func(*pinwheel.Client) workers.Handler{
		schema.Employment: func(c *pinwheel.Client) workers.Handler {
			return snapshot{schema.Employment, c.Employment}
		},
		schema.Identity: func(c *pinwheel.Client) workers.Handler {
			return snapshot{schema.Identity, c.Identity}
		},
		// Income is also fetched for paystubs.fully_synced, because income was seen to change
		// when the paystubs finish.
		schema.Income: func(c *pinwheel.Client) workers.Handler {
			return snapshot{schema.Income, c.Income}
		},
		schema.Paystubs: func(c *pinwheel.Client) workers.Handler {
			return pinwheelPaystubs{c}
		},
		schema.Shifts: func(c *pinwheel.Client) workers.Handler {
			return pinwheelShifts{c}
		},
		// The account numbers are masked.
		schema.BankAccounts: func(c *pinwheel.Client) workers.Handler {
			return snapshot{pinwheelAllocations, c.DirectDepositAllocations}
		},
		// A form by itself has its document, whose link is good for 15 minutes, and on demand its
		// boxes, for which Pinwheel bills. No completion has them.
		schema.TaxForms: func(c *pinwheel.Client) workers.Handler {
			return pinwheelAdded(c.TaxForms)
		},
		schema.Link: func(c *pinwheel.Client) workers.Handler {
			return pinwheelLink{c}
		},
		schema.VerificationReports: func(c *pinwheel.Client) workers.Handler {
			return pinwheelReports{c}
		},
	},
	withoutCalls: map[schema.Resource]workers.Source{
		schema.Notices: {Decode: decodePinwheelNotice, Handler: pinwheelNotices{}},
	},
}

// pinwheelConfig has the environment variables of Pinwheel's API.
type pinwheelConfig struct {
	URL        string `env:"PINWHEEL_URL" envDefault:"https://api.getpinwheel.com" help:"Pinwheel's API, or that of its sandbox or development mode"`
	SecretFile string `env:"PINWHEEL_API_SECRET_FILE" help:"file with the API secrets, one a line (required); it is read again when it changes"`
	Version    string `env:"PINWHEEL_VERSION" envDefault:"2025-07-08" help:"version of the API"`
	RatePerS   rate   `env:"PINWHEEL_RATE_PER_S" envDefault:"10" help:"calls a second of the whole installation, whatever the number of processes"`
}

func newPinwheel(c pinwheelConfig, shared api.Config) (*pinwheel.Client, error) {
	shared.URL = c.URL
	client, err := pinwheel.New(pinwheel.Config{Config: shared, Version: c.Version})
	if err != nil { // of the URL: nothing else can be wrong here
		return nil, fmt.Errorf("PINWHEEL_URL: %w", err)
	}
	return client, nil
}

// pinwheelOutcome returns the outcome of a Pinwheel job that leaves nothing to fetch, by the words
// in the webhook (docs.pinwheelapi.com, income and employment events). The result is empty if
// there is data to fetch.
func pinwheelOutcome(outcome, errorCode string) schema.Outcome {
	switch outcome {
	case "pending":
		return schema.Pending
	case "error":
		if isPinwheelAbsence(errorCode) {
			return schema.Unavailable
		}
		return schema.Failed
	default:
		return ""
	}
}

// isPinwheelAbsence reports whether the error code of a job means that the account has no such
// data. dataNotAvailable, of type platformError, was seen in a webhook paystubs.fully_synced.
// The documented codes (docs.pinwheelapi.com/public/docs/job-errors) that we know are failures.
func isPinwheelAbsence(errorCode string) bool { return errorCode == "dataNotAvailable" }

// pinwheelBody is the part of a webhook's body that a worker needs.
type pinwheelBody struct {
	Payload struct {
		EndUserID string      `json:"end_user_id"`
		Outcome   string      `json:"outcome"`
		ErrorCode string      `json:"error_code"`
		ErrorType string      `json:"error_type"`
		Timestamp string      `json:"timestamp"`
		Added     pinwheelIDs `json:"added"`
		Deleted   pinwheelIDs `json:"deleted"`
		Params    struct {
			FromPayDate string `json:"from_pay_date"`
			ToPayDate   string `json:"to_pay_date"`
		} `json:"params"`
		Availability struct {
			VOE  pinwheelAvailability `json:"voe"`
			VOIE pinwheelAvailability `json:"voie"`
		} `json:"availability"`
	} `json:"payload"`
}

type pinwheelIDs []struct {
	ID string `json:"id"`
}

type pinwheelAvailability struct {
	Status      string `json:"status"`
	RefreshedAt string `json:"refreshed_at"`
}

// pinwheelAllocations is the resource of the webhooks about direct deposits, and the name of
// Pinwheel's job.
const pinwheelAllocations schema.Resource = "direct_deposit_allocations"

// decodePinwheel reads a webhook's body. Ingress has checked that the body is one JSON object
// without repeated keys.
func decodePinwheel(e schema.Event) (workers.Payload, error) {
	if e.Resource == pinwheelAllocations {
		return decodePinwheelNotice(e) // its other members are not documented, and not needed
	}
	var body pinwheelBody
	if err := readPinwheel(e, &body); err != nil {
		return workers.Payload{}, err
	}
	b := body.Payload
	added, ok := b.Added.all()
	if !ok {
		return workers.Payload{}, fmt.Errorf("%w: %s: an id in payload.added is empty",
			workers.ErrUndecodable, e.Type)
	}
	deleted, ok := b.Deleted.all()
	if !ok {
		return workers.Payload{}, fmt.Errorf("%w: %s: an id in payload.deleted is empty",
			workers.ErrUndecodable, e.Type)
	}
	return workers.Payload{
		EndUserID:   b.EndUserID,
		Outcome:     pinwheelOutcome(b.Outcome, b.ErrorCode),
		ErrorCode:   b.ErrorCode,
		ErrorType:   b.ErrorType,
		Timestamp:   timeOrZero(b.Timestamp),
		FromPayDate: dateOf(b.Params.FromPayDate),
		ToPayDate:   dateOf(b.Params.ToPayDate),
		Added:       added,
		Deleted:     deleted,
		VOE:         b.Availability.VOE.decode(),
		VOIE:        b.Availability.VOIE.decode(),
	}, nil
}

// readPinwheel reads the event's body into a struct with the members that the caller needs.
func readPinwheel(e schema.Event, body any) error {
	err := json.Unmarshal(e.Body, body)
	if err == nil {
		return nil
	}
	// Err is not wrapped, because err quotes the value.
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w: %s: %s is of another type",
			workers.ErrUndecodable, e.Type, wrong.Field)
	}
	return fmt.Errorf("%w: %s: not JSON", workers.ErrUndecodable, e.Type)
}

// all returns the ids, or false if any id is empty. An empty id cannot be fetched, nor reported
// as missing.
func (ids pinwheelIDs) all() (list []string, ok bool) {
	for _, item := range ids {
		if item.ID == "" {
			return nil, false
		}
		list = append(list, item.ID)
	}
	return list, true
}

func (a pinwheelAvailability) decode() workers.Availability {
	return workers.Availability{Status: a.Status, RefreshedAt: timeOrZero(a.RefreshedAt)}
}

// timeOrZero reads a time. Times only decide whether data is stale, and an unreadable time is no
// reason to fail an event.
func timeOrZero(s string) time.Time {
	t, _ := schema.ParseTime(s)
	return t
}
