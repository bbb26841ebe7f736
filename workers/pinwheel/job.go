package pinwheel

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"time"

	"github.com/wagewire/wagewire/workers/api"
)

// Job is a job that Pinwheel has finished for a person who connected an account. Refreshes of
// monitored accounts are not among the jobs of the API.
type Job struct {
	ID string
	// Name is the kind of the job, such as "paystubs".
	Name string
	// AccountID is empty if the job ended without an account.
	AccountID   string
	LinkTokenID string
	// Outcome is success, pending or error. ErrorCode and ErrorType are empty without an error.
	Outcome   string
	ErrorCode string
	ErrorType string
	// Timestamp is the time of the outcome, zero if Pinwheel does not say.
	Timestamp time.Time
	// Params are the job's own, such as the dates of paystubs. It is nil if Pinwheel has none.
	Params json.RawMessage
}

// JobQuery narrows the list of jobs. The zero value is every job.
type JobQuery struct {
	// Since is the earliest Timestamp.
	Since time.Time
	// AccountID is the account of the jobs, empty for all accounts.
	AccountID string
}

// Jobs lists finished jobs (docs.pinwheelapi.com/public/reference, List Jobs). Nothing follows an
// error. See api.Pages for the errors.
func (c *Client) Jobs(ctx context.Context, q JobQuery) iter.Seq2[Job, error] {
	e := api.Path("/v1/jobs")
	e.Query = url.Values{}
	if !q.Since.IsZero() {
		e.Query.Set("from_timestamp", q.Since.UTC().Format(time.RFC3339))
	}
	if q.AccountID != "" {
		e.Query.Set("account_id", q.AccountID)
	}
	return func(yield func(Job, error) bool) {
		for page, err := range c.pages(ctx, e, "") {
			if err != nil {
				yield(Job{}, err)
				return
			}
			for _, record := range page.Records {
				if !yield(readJob(record), nil) {
					return
				}
			}
		}
	}
}

// readJob reads a job object. It copies Params, because the bytes of a page do not stay.
func readJob(record api.Record) Job {
	var known struct {
		Name        api.Text        `json:"name"`
		AccountID   api.Text        `json:"account_id"`
		LinkTokenID api.Text        `json:"link_token_id"`
		Outcome     api.Text        `json:"outcome"`
		ErrorCode   api.Text        `json:"error_code"`
		ErrorType   api.Text        `json:"error_type"`
		Timestamp   api.Stamp       `json:"timestamp"`
		Params      json.RawMessage `json:"params"`
	}
	_ = json.Unmarshal(record.JSON, &known) // the page has checked that it is an object
	return Job{
		ID:          record.ID,
		Name:        string(known.Name),
		AccountID:   string(known.AccountID),
		LinkTokenID: string(known.LinkTokenID),
		Outcome:     string(known.Outcome),
		ErrorCode:   string(known.ErrorCode),
		ErrorType:   string(known.ErrorType),
		Timestamp:   known.Timestamp.Time,
		Params:      known.Params,
	}
}

// ConnectedAccounts lists every account from which Pinwheel can get new data
// (docs.pinwheelapi.com/public/reference, List Accounts). Nothing follows an error. The bytes of an
// account stay until the next account: the caller releases nothing. See api.Pages for the errors.
func (c *Client) ConnectedAccounts(ctx context.Context) iter.Seq2[Account, error] {
	e := api.Path("/v1/accounts")
	e.Query = url.Values{"connected": {"true"}}
	return func(yield func(Account, error) bool) {
		for page, err := range c.pages(ctx, e, "") {
			if err != nil {
				yield(Account{}, err)
				return
			}
			for _, record := range page.Records {
				if !yield(readAccount(api.Snapshot{Record: record}), nil) {
					return
				}
			}
		}
	}
}
