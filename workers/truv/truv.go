// Package truv gets what Truv's webhooks announce: links, and the records and reports of a link.
// For operators, it registers for webhooks and reads the log of those that were sent.
//
//	truv.go     Config, Client, Link, and the errors of the API
//	record.go   employments, identity, statements, shifts, bank accounts: lists in pages
//	report.go   the reports of income and employment
//	cut.go      what no record may show
//	webhook.go  registrations, and the log of webhooks
//
// # What a record may show
//
// A record is what Truv wrote, byte for byte, without any access_token: that is a credential to a
// person's payroll account. Only BankAccounts has bank_accounts, with whole account numbers. A
// report and an employment have them too, and there they are cut out.
//
// # Lists
//
// Truv documents an array for some lists, and pages for others: count, next, previous, results.
// Each list is read in both forms. The pages are asked for by number, and the address in next is
// never called, because its path is not the documented one and its host is Truv's to choose. A page
// that comes again is the end of a list whose records have all come. Before that, it breaks the
// contract, as does a list of over a thousand pages.
//
// # Sources
//
// Package api paces, holds, limits and retries the calls, and has every error. Truv's own
// promises come from
//
//	docs.truv.com/api-reference/authentication    host, headers
//	docs.truv.com/api-reference/errors            error bodies, 300 calls a minute
//	github.com/truvhq/demo-apps                   the body of a throttled answer
//
// Truv's demo waits ten seconds longer than a 429 asks for. All workers of the demo started when
// the wait ended, and were throttled at once. Our calls come out of a hold at the usual pace, so
// we add nothing.
package truv

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/wagewire/wagewire/workers/api"
)

// Config is how a process calls Truv.
type Config struct {
	// Config's URL is https://prod.truv.com for every environment: the prefix of a secret, the
	// X-Access-Secret, chooses between sandbox and production. Truv allows 300 calls a minute for
	// all users of a secret together.
	api.Config
	// ClientID is the X-Access-Client-Id.
	ClientID string
}

// Client gets links and their data from Truv. It is safe for concurrent use.
type Client struct {
	api     *api.Client
	secrets func() ([]string, error)
}

// New makes a Client. It sends nothing.
func New(c Config) (*Client, error) {
	if c.ClientID == "" {
		return nil, errors.New("no truv client id")
	}
	dialect := api.Dialect{
		Header: func(secret string) http.Header {
			h := http.Header{}
			h.Set("X-Access-Client-Id", c.ClientID)
			h.Set("X-Access-Secret", secret)
			return h
		},
		ErrorOf: errorOf,
		Codes:   codes(),
	}
	client, err := api.New(c.Config, dialect)
	if err != nil {
		return nil, err
	}
	return &Client{api: client, secrets: c.Secrets}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.api.Close() }

// Link is a person's connection to an employer or payroll provider.
type Link struct {
	ID        string
	UpdatedAt time.Time // zero if Truv did not say
	DeletedAt time.Time // zero unless the link is deleted
	// UserExternalID is the operator's own name for the person, the user's external_user_id. Empty
	// if the operator gave none.
	UserExternalID string

	// JSON is the link as Truv wrote it, byte for byte, but without any access_token, which is a
	// credential to a person's payroll account, and without any bank_accounts.
	JSON json.RawMessage

	// Answer holds the bytes of JSON. Who gets a Link releases it.
	Answer api.Answer
}

// Link gets a link. Truv does not document whether a deleted link comes with DeletedAt or is a
// 404.
func (c *Client) Link(ctx context.Context, linkID string) (Link, error) {
	e := api.Path("/v1/links/{link_id}/", linkID)
	answer, err := c.api.Get(ctx, e)
	if err != nil {
		return Link{}, err
	}
	link, err := readLink(e, answer.Body)
	if err != nil {
		answer.Release()
		return Link{}, err
	}
	link.Answer = answer
	return link, nil
}

// readLink reads a link. It changes body: the link's JSON is a part of body.
func readLink(e api.Endpoint, body []byte) (Link, error) {
	var known struct {
		ID        string
		UpdatedAt api.Stamp `json:"updated_at"`
		DeletedAt api.Stamp `json:"deleted_at"`
		User      api.Text  `json:"user_external_id"`
	}
	if json.Unmarshal(body, &known) != nil || known.ID == "" {
		return Link{}, &api.ContractError{Endpoint: e.Template, Why: "not an object with an id"}
	}
	return Link{
		ID:             known.ID,
		UpdatedAt:      known.UpdatedAt.Time,
		DeletedAt:      known.DeletedAt.Time,
		UserExternalID: string(known.User),
		JSON:           cut(body, accessToken, bankAccounts),
	}, nil
}

// codes returns the codes of Truv's errors, as docs.truv.com/api-reference/errors lists them.
func codes() []string {
	return []string{
		"incorrect_parameters",  // 400
		"authentication_failed", // 401
		"not_authenticated",     // 403
		"expired_token",         // 410
		"throttled",             // 429
	}
}

// throttled matches the text in which Truv's framework says how long to wait.
var throttled = regexp.MustCompile(`available in (\d{1,6}) second`)

// errorOf reads {"error":{"code","message"}} and {"detail"}: a 404 and some 429 have the latter.
// If a 429 has no Retry-After, errorOf reads how long to wait from the message.
func errorOf(body []byte, e *api.StatusError) {
	var envelope struct {
		Error  struct{ Code, Message string }
		Detail string
	}
	_ = json.Unmarshal(body, &envelope) // even on an error, the other fields are read
	e.Code = envelope.Error.Code
	e.Message = cmp.Or(envelope.Error.Message, envelope.Detail)
	if e.Status != http.StatusTooManyRequests || e.RetryAfter > 0 {
		return
	}
	hint := throttled.FindStringSubmatch(envelope.Error.Message + " " + envelope.Detail)
	if hint != nil {
		seconds, _ := strconv.Atoi(hint[1])
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
}
