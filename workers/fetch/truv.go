package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/truv"
)

// truvRow is Truv's row of the registry.
var truvRow = row[truvConfig, *truv.Client]{
	secretFile:  "TRUV_ACCESS_SECRET_FILE",
	ratePerS:    func(c truvConfig) rate { return c.RatePerS },
	ratePerSMax: 5,
	rateSource: "Truv documents 300 calls a minute for each access secret, over all endpoints, " +
		"and raises the limit on request (docs.truv.com, Rate limiting)",
	newClient: newTruv,
	decode:    decodeTruv,
	handlers: map[schema.Resource]func(*truv.Client) workers.Handler{
		schema.Employment: func(c *truv.Client) workers.Handler {
			return truvData{truvEmployments{c}}
		},
		schema.Identity: func(c *truv.Client) workers.Handler { return truvData{truvIdentity{c}} },
		// An employment has the income from it. Truv has no other record of an income.
		schema.Income: func(c *truv.Client) workers.Handler {
			return truvData{truvEmployments{c}}
		},
		schema.Paystubs: func(c *truv.Client) workers.Handler {
			return truvData{truvStatements{c}}
		},
		schema.Shifts: func(c *truv.Client) workers.Handler { return truvData{truvShifts{c}} },
		schema.BankAccounts: func(c *truv.Client) workers.Handler {
			return truvData{truvCounted{c.BankAccounts}}
		},
		schema.VerificationReports: func(c *truv.Client) workers.Handler { return truvReport{c} },
		schema.Link:                func(c *truv.Client) workers.Handler { return truvLink{c} },
	},
}

// truvConfig has the environment variables of Truv's API.
type truvConfig struct {
	URL        string `env:"TRUV_URL" envDefault:"https://prod.truv.com" help:"Truv's API, for every environment"`
	ClientID   string `env:"TRUV_CLIENT_ID" help:"the client id (required)"`
	SecretFile string `env:"TRUV_ACCESS_SECRET_FILE" help:"file with the access secrets, one a line (required); it is read again when it changes"`
	RatePerS   rate   `env:"TRUV_RATE_PER_S" envDefault:"5" help:"calls a second of the whole installation: Truv allows 300 a minute over everything"`
}

func newTruv(c truvConfig, shared api.Config) (*truv.Client, error) {
	if c.ClientID == "" {
		return nil, errors.New("TRUV_CLIENT_ID is not set: " +
			"set it to the client id of your Truv account")
	}
	shared.URL = c.URL
	client, err := truv.New(truv.Config{Config: shared, ClientID: c.ClientID})
	if err != nil { // of the URL: nothing else can be wrong here
		return nil, fmt.Errorf("TRUV_URL: %w", err)
	}
	return client, nil
}

// decodeTruv reads a webhook's body. A member of another type than documented says nothing: Truv
// has changed its webhooks without a word, and every call needs only the link's id.
func decodeTruv(e schema.Event) (workers.Payload, error) {
	var body struct {
		ObjectID     api.Text        `json:"object_id"`
		EmploymentID api.Text        `json:"employment_id"`
		ObjectsCount json.RawMessage `json:"objects_count"`
		Product      api.Text        `json:"product"`
		Status       api.Text        `json:"status"`
	}
	if json.Unmarshal(e.Body, &body) != nil {
		return workers.Payload{}, fmt.Errorf("%w: %s: not an object",
			workers.ErrUndecodable, e.Type)
	}
	payload := workers.Payload{
		ObjectID:     namedID(body.ObjectID),
		EmploymentID: namedID(body.EmploymentID),
		ObjectsCount: countOf(body.ObjectsCount),
	}
	if e.Action == schema.ActionStatusUpdated {
		noteTask(&payload, string(body.Product), string(body.Status))
	}
	return payload, nil
}

// idBytesMax is the size of the largest id of an object. Truv's are 32 letters.
const idBytesMax = 256

// namedID returns an id that a webhook names. A text too large for an id says nothing: it would
// make the completion too large for a message.
func namedID(text api.Text) string {
	if len(text) > idBytesMax {
		return ""
	}
	return string(text)
}

// countOf reads a number of objects: a whole number over 0. Anything else says nothing.
func countOf(value json.RawMessage) int {
	count, err := strconv.Atoi(string(value))
	if err != nil {
		return 0
	}
	return max(0, count)
}

// truvLink is the handler of Truv's links: GET /v1/links/{link_id}/.
type truvLink struct{ client *truv.Client }

// Fetch gets the link. A deleted link needs no call, because Truv has deleted the data.
func (l truvLink) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	if job.Event.Action == schema.ActionDeleted {
		return workers.Fetched{Outcome: schema.Deleted}, nil
	}
	got, err := l.client.Link(ctx, job.Event.AccountID)
	if err != nil {
		return workers.Fetched{}, err
	}
	defer got.Answer.Release()
	fetched := workers.Fetched{Scope: schema.Snapshot, EndUserID: got.UserExternalID}
	if job.Event.Action == schema.ActionDisconnected {
		fetched.Outcome = schema.Disconnected
	}
	return fetched, job.Records.Add(ctx, api.Record{ID: got.ID, JSON: got.JSON})
}
