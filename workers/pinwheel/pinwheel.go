// Package pinwheel gets what Pinwheel's webhooks announce: a method an
// endpoint, each record exactly as Pinwheel wrote it.
//
// How calls are paced, held, limited and retried, and every error, is told in
// package api. What Pinwheel itself promises comes from
//
//	docs.pinwheelapi.com/public/v2022-09-09/docs/api    hosts, headers, versions
//	docs.pinwheelapi.com/public/docs/api-pagination     pages
//	docs.pinwheelapi.com/public/docs/api-errors         the error object
//	docs.pinwheelapi.com/public/reference               the objects
//
// Pinwheel adds fields and enum values without notice, and sends null where its
// reference shows a value (docs.pinwheelapi.com/public/docs/change-management).
// So only what we need is looked at, and a record is kept as bytes.
package pinwheel

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/wagewire/wagewire/workers/api"
)

// listLimit is the most records a page can have.
const listLimit = "100"

// Config says where Pinwheel is and who asks.
type Config struct {
	// URL is https://api.getpinwheel.com, or that of the sandbox or development
	// mode. A secret works in one mode only.
	URL string
	// Version is the Pinwheel-Version, a date. A retired one is answered with 400.
	Version string
	// APISecret returns the x-api-secret. It is asked for each try.
	APISecret func() (string, error)
	// RatePerS is how many calls may start in a second. Pinwheel publishes no
	// limit of its own.
	RatePerS float64

	Transport http.RoundTripper                                     // see api.Config
	OnCall    func(template string, status int, took time.Duration) // see api.Config
	OnHold    func(until time.Time)                                 // see api.Config
}

// Client gets records from Pinwheel. It is safe for concurrent use.
type Client struct{ api *api.Client }

// New checks c. Nothing is sent.
func New(c Config) (*Client, error) {
	if c.Version == "" {
		return nil, errors.New("no pinwheel version")
	}
	if c.APISecret == nil {
		return nil, errors.New("no pinwheel api secret")
	}
	client, err := api.New(api.Config{
		URL: c.URL,
		Header: func() (http.Header, error) {
			secret, err := c.APISecret()
			if err != nil {
				return nil, err
			}
			if secret == "" {
				return nil, errors.New("the api secret is empty")
			}
			h := http.Header{}
			h.Set("x-api-secret", secret)
			h.Set("Pinwheel-Version", c.Version)
			return h, nil
		},
		RatePerS:        c.RatePerS,
		ErrorOf:         errorOf,
		RequestIDHeader: "X-Pinwheel-Request-Id",
		Transport:       c.Transport,
		OnCall:          c.OnCall,
		OnHold:          c.OnHold,
	})
	if err != nil {
		return nil, err
	}
	return &Client{api: client}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.api.Close() }

// Record is one object of Pinwheel's, byte for byte.
type Record struct {
	ID      string
	PayDate string          // of a paystub, YYYY-MM-DD; otherwise, or if Pinwheel did not say, empty
	JSON    json.RawMessage // holds personal data
}

// Snapshot is the latest state of a record. Pinwheel keeps no earlier ones.
type Snapshot struct {
	Record
	RefreshedAt time.Time // when Pinwheel last checked with its source; zero if it did not say
}

// Page is a part of a list, in Pinwheel's order.
type Page struct {
	Records     []Record
	RefreshedAt time.Time // as in Snapshot
}

// Employment gets an account's employment.
func (c *Client) Employment(ctx context.Context, accountID string) (Snapshot, error) {
	return c.snapshot(ctx, api.Path("/v1/accounts/{account_id}/employment", accountID))
}

// Identity gets an account's identity.
func (c *Client) Identity(ctx context.Context, accountID string) (Snapshot, error) {
	return c.snapshot(ctx, api.Path("/v1/accounts/{account_id}/identity", accountID))
}

// Income gets an account's income. It was seen to change, without an event of
// its own, when the paystubs were done.
func (c *Client) Income(ctx context.Context, accountID string) (Snapshot, error) {
	return c.snapshot(ctx, api.Path("/v1/accounts/{account_id}/income", accountID))
}

// Report is a kind of verification report.
type Report string

// The reports Pinwheel makes.
const (
	VOE  Report = "voe"  // verification of employment
	VOIE Report = "voie" // verification of income and employment
)

// VerificationReport gets the latest report, VOE or VOIE, of a person.
// endUserID is a string that our side once gave to Pinwheel, of any form.
func (c *Client) VerificationReport(ctx context.Context, endUserID string, kind Report) (Snapshot, error) {
	return c.snapshot(ctx, api.Path("/v1/end_users/{end_user_id}/verification_reports/"+string(kind), endUserID))
}

// Paystub gets one paystub. Its document's download URL is a new one each time.
func (c *Client) Paystub(ctx context.Context, accountID, paystubID string) (Record, error) {
	s, err := c.snapshot(ctx, api.Path("/v1/accounts/{account_id}/paystubs/{paystub_id}", accountID, paystubID))
	return s.Record, err
}

// PaystubQuery narrows a list of paystubs. Dates are YYYY-MM-DD, empty for no
// bound. Whether a bound itself is included is not documented; the upper one
// was seen to be.
type PaystubQuery struct {
	FromPayDate, ToPayDate string
}

// Paystubs lists an account's paystubs, newest pay date first, a page at a
// time. The first error is the last thing yielded: what came before it is not
// the whole list.
func (c *Client) Paystubs(ctx context.Context, accountID string, q PaystubQuery) iter.Seq2[Page, error] {
	e := api.Path("/v1/accounts/{account_id}/paystubs", accountID)
	e.Query = url.Values{}
	if q.FromPayDate != "" {
		e.Query.Set("from_pay_date", q.FromPayDate)
	}
	if q.ToPayDate != "" {
		e.Query.Set("to_pay_date", q.ToPayDate)
	}
	return c.pages(ctx, e)
}

// Shifts lists an account's shifts, newest end date first, as Paystubs does.
func (c *Client) Shifts(ctx context.Context, accountID string) iter.Seq2[Page, error] {
	return c.pages(ctx, api.Path("/v1/accounts/{account_id}/shifts", accountID))
}

// pages follows meta.next_cursor until it is absent, null or empty. That a list
// ends is Pinwheel's promise; a cursor seen before, or api.PagesMax pages, break
// it.
func (c *Client) pages(ctx context.Context, e api.Endpoint) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		e := e
		e.Query = maps.Clone(e.Query)
		if e.Query == nil {
			e.Query = url.Values{}
		}
		e.Query.Set("limit", listLimit)

		seen := map[string]bool{}
		for range api.PagesMax {
			page, next, err := c.page(ctx, e)
			if !yield(page, err) || err != nil || next == "" {
				return
			}
			if seen[next] {
				yield(Page{}, &api.ContractError{Endpoint: e.Template, Why: "a cursor came twice"})
				return
			}
			seen[next] = true
			e.Query.Set("cursor", next)
		}
		yield(Page{}, &api.ContractError{Endpoint: e.Template, Why: "over 200 pages"})
	}
}

func (c *Client) page(ctx context.Context, e api.Endpoint) (_ Page, next string, _ error) {
	body, err := c.api.Get(ctx, e)
	if err != nil {
		return Page{}, "", err
	}
	var list struct {
		Data []json.RawMessage
		Meta meta
	}
	if json.Unmarshal(body, &list) != nil || list.Data == nil {
		return Page{}, "", &api.ContractError{Endpoint: e.Template, Why: "not a list with data and meta"}
	}
	page := Page{Records: make([]Record, len(list.Data)), RefreshedAt: list.Meta.RefreshedAt.Time}
	for i, raw := range list.Data {
		r, err := read(e, raw)
		if err != nil {
			return Page{}, "", err
		}
		page.Records[i] = r.Record
	}
	return page, list.Meta.NextCursor, nil
}

// snapshot gets a single object. Reports say inside it when it was refreshed,
// the others beside it, a single paystub not at all.
func (c *Client) snapshot(ctx context.Context, e api.Endpoint) (Snapshot, error) {
	body, err := c.api.Get(ctx, e)
	if err != nil {
		return Snapshot{}, err
	}
	var answer struct {
		Data json.RawMessage
		Meta meta
	}
	if json.Unmarshal(body, &answer) != nil {
		return Snapshot{}, &api.ContractError{Endpoint: e.Template, Why: "not an object with data and meta"}
	}
	s, err := read(e, answer.Data)
	if at := answer.Meta.RefreshedAt.Time; err == nil && !at.IsZero() {
		s.RefreshedAt = at
	}
	return s, err
}

type meta struct {
	RefreshedAt api.Stamp `json:"refreshed_at"`
	NextCursor  string    `json:"next_cursor"`
}

// read makes a record of an object with a string id.
func read(e api.Endpoint, raw json.RawMessage) (Snapshot, error) {
	var known struct {
		ID          string
		PayDate     string    `json:"pay_date"`
		RefreshedAt api.Stamp `json:"refreshed_at"`
	}
	if json.Unmarshal(raw, &known) != nil || known.ID == "" {
		return Snapshot{}, &api.ContractError{Endpoint: e.Template, Why: "a record is not an object with an id"}
	}
	return Snapshot{
		Record:      Record{ID: known.ID, PayDate: known.PayDate, JSON: raw},
		RefreshedAt: known.RefreshedAt.Time,
	}, nil
}

// errorOf reads {"error":{"type","code","message"}}.
func errorOf(body []byte, e *api.StatusError) {
	var envelope struct {
		Error struct{ Type, Code, Message string }
	}
	_ = json.Unmarshal(body, &envelope) // what does not fit stays empty
	e.Type, e.Code, e.Message = envelope.Error.Type, envelope.Error.Code, envelope.Error.Message
}
