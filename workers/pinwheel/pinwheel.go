// Package pinwheel gets the data that Pinwheel's webhooks announce: a method an endpoint, each
// record exactly as Pinwheel wrote it. For operators, it registers for webhooks and lists jobs and
// accounts.
//
// Package api paces, holds, limits and retries the calls, and has every error. Pinwheel's own
// promises come from
//
//	docs.pinwheelapi.com/public/v2022-09-09/docs/api    hosts, headers, versions
//	docs.pinwheelapi.com/public/docs/api-pagination     pages
//	docs.pinwheelapi.com/public/docs/api-errors         the error object
//	docs.pinwheelapi.com/public/reference               the objects
//
// Pinwheel adds fields and enum values without notice, and sends null where its reference shows a
// value (docs.pinwheelapi.com/public/docs/change-management). The client therefore reads only the
// fields that we need, and keeps a record as bytes.
package pinwheel

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema/rawjson"
	"github.com/wagewire/wagewire/workers/api"
)

// listLimit is the largest number of records on a page.
const listLimit = "100"

// Config is how a process calls Pinwheel.
type Config struct {
	// Config's URL is https://api.getpinwheel.com, or the URL of the sandbox or development mode.
	// Each of its Secrets, the x-api-secret, works in one mode only. Pinwheel publishes no limit
	// for the Pace.
	api.Config
	// Version is the Pinwheel-Version, a date. Pinwheel answers a retired version with 400.
	Version string
}

// Client gets records from Pinwheel. It is safe for concurrent use.
type Client struct {
	api     *api.Client
	version string
}

// New makes a Client. It sends nothing.
func New(c Config) (*Client, error) {
	if c.Version == "" {
		return nil, errors.New("no pinwheel version")
	}
	dialect := api.Dialect{
		Header: func(secret string) http.Header {
			h := http.Header{}
			h.Set("x-api-secret", secret)
			h.Set("Pinwheel-Version", c.Version)
			return h
		},
		ErrorOf:         errorOf,
		Codes:           codes(),
		RequestIDHeader: "X-Pinwheel-Request-Id",
	}
	client, err := api.New(c.Config, dialect)
	if err != nil {
		return nil, err
	}
	return &Client{api: client, version: c.Version}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.api.Close() }

// Employment gets an account's employment.
func (c *Client) Employment(ctx context.Context, accountID string) (api.Snapshot, error) {
	return c.snapshot(ctx, api.Path("/v1/accounts/{account_id}/employment", accountID))
}

// Identity gets an account's identity.
func (c *Client) Identity(ctx context.Context, accountID string) (api.Snapshot, error) {
	return c.snapshot(ctx, api.Path("/v1/accounts/{account_id}/identity", accountID))
}

// Income gets an account's income. Income was seen to change when the paystubs finish, without an
// event of its own.
func (c *Client) Income(ctx context.Context, accountID string) (api.Snapshot, error) {
	return c.snapshot(ctx, api.Path("/v1/accounts/{account_id}/income", accountID))
}

// DirectDepositAllocations gets where an account's pay goes: GET
// /v1/accounts/{account_id}/direct_deposit_allocations. The account numbers are masked.
func (c *Client) DirectDepositAllocations(
	ctx context.Context, accountID string,
) (api.Snapshot, error) {
	e := api.Path("/v1/accounts/{account_id}/direct_deposit_allocations", accountID)
	return c.snapshot(ctx, e)
}

// Account is a person's account on a payroll platform.
type Account struct {
	api.Snapshot
	// EndUserID is the operator's own name for the person. Empty if the operator gave none.
	EndUserID string
	// PlatformID is the id of the payroll platform.
	PlatformID string
	// Connected is false if Pinwheel cannot get new data from the account.
	Connected bool
	// MonitoringStatus is active, degraded, user_action_required, customer_disabled, unavailable,
	// or a status that Pinwheel added later.
	MonitoringStatus string
	// LinkTokenID is the id of the link token with which the person connected the account.
	LinkTokenID string
	// CreatedAt is when the person connected the account, zero if Pinwheel does not say.
	CreatedAt time.Time
	// UpdatedAt is when Pinwheel last found changed data of a job, such as "income". A job without
	// data is absent.
	UpdatedAt map[string]time.Time
}

// UserActionRequired is the monitoring status of an account that the person must connect again.
const UserActionRequired = "user_action_required"

// Account gets an account. The answer has no refreshed_at.
func (c *Client) Account(ctx context.Context, accountID string) (Account, error) {
	got, err := c.snapshot(ctx, api.Path("/v1/accounts/{account_id}", accountID))
	if err != nil {
		return Account{}, err
	}
	return readAccount(got), nil
}

// readAccount reads an account object. Snapshot or page has checked that it is an object.
func readAccount(got api.Snapshot) Account {
	known := struct {
		EndUserID        api.Text `json:"end_user_id"`
		PlatformID       api.Text `json:"platform_id"`
		MonitoringStatus api.Text `json:"monitoring_status"`
		Connected        any
		LinkTokenID      api.Text                   `json:"link_token_id"`
		CreatedAt        api.Stamp                  `json:"created_at"`
		UpdatedAt        map[string]json.RawMessage `json:"data_updated_at"`
	}{}
	_ = json.Unmarshal(got.JSON, &known) // another type says nothing
	updated := map[string]time.Time{}
	for job, raw := range known.UpdatedAt {
		var at api.Stamp
		if json.Unmarshal(raw, &at) == nil && !at.IsZero() {
			updated[job] = at.Time
		}
	}
	return Account{
		Snapshot:         got,
		EndUserID:        string(known.EndUserID),
		PlatformID:       string(known.PlatformID),
		Connected:        known.Connected != false, // absent or null: nothing says otherwise
		MonitoringStatus: string(known.MonitoringStatus),
		LinkTokenID:      string(known.LinkTokenID),
		CreatedAt:        known.CreatedAt.Time,
		UpdatedAt:        updated,
	}
}

// SupportedJobs gets the names of the jobs that Pinwheel runs on a payroll platform, such as
// paystubs: GET /v1/platforms/{platform_id}, supported_jobs.
func (c *Client) SupportedJobs(ctx context.Context, platformID string) ([]string, error) {
	got, err := c.snapshot(ctx, api.Path("/v1/platforms/{platform_id}", platformID))
	if err != nil {
		return nil, err
	}
	defer got.Answer.Release()
	var known struct {
		SupportedJobs []api.Text `json:"supported_jobs"`
	}
	_ = json.Unmarshal(got.JSON, &known) // another type says nothing
	var jobs []string
	for _, job := range known.SupportedJobs {
		jobs = append(jobs, string(job))
	}
	return jobs, nil
}

// Report is a kind of verification report.
type Report string

// The reports of Pinwheel.
const (
	VOE  Report = "voe"  // verification of employment
	VOIE Report = "voie" // verification of income and employment
)

// VerificationReport gets the latest report, VOE or VOIE, of a person. The endUserID is a string
// of any form, given to Pinwheel by our side.
func (c *Client) VerificationReport(
	ctx context.Context, endUserID string, kind Report,
) (api.Snapshot, error) {
	template := "/v1/end_users/{end_user_id}/verification_reports/" + string(kind)
	return c.snapshot(ctx, api.Path(template, endUserID))
}

// Paystub gets one paystub. Its document's download URL is a new one each time.
func (c *Client) Paystub(ctx context.Context, accountID, paystubID string) (api.Snapshot, error) {
	e := api.Path("/v1/accounts/{account_id}/paystubs/{paystub_id}", accountID, paystubID)
	return c.snapshot(ctx, e)
}

// PaystubQuery narrows a list of paystubs. Dates are YYYY-MM-DD, empty for no bound. Pinwheel
// does not document whether a bound itself is included; the upper bound was seen to be included.
type PaystubQuery struct {
	FromPayDate, ToPayDate string
	Cursor                 string // of the first page to get, as in api.Page.Next; empty: the first
}

// DocumentID returns the id of a paystub's document, or "" for a paystub without one.
func DocumentID(paystub api.Record) string {
	var known struct {
		Document struct {
			ID api.Text `json:"id"`
		} `json:"document"`
	}
	_ = json.Unmarshal(paystub.JSON, &known) // another type says nothing
	return string(known.Document.ID)
}

// Paystubs lists an account's paystubs, newest pay date first. See api.Pages for its errors.
func (c *Client) Paystubs(
	ctx context.Context, accountID string, q PaystubQuery,
) iter.Seq2[api.Page, error] {
	e := api.Path("/v1/accounts/{account_id}/paystubs", accountID)
	e.Query = url.Values{}
	if q.FromPayDate != "" {
		e.Query.Set("from_pay_date", q.FromPayDate)
	}
	if q.ToPayDate != "" {
		e.Query.Set("to_pay_date", q.ToPayDate)
	}
	return c.pages(ctx, e, q.Cursor)
}

// Shifts lists an account's shifts, newest end date first, from a cursor on. An empty cursor is
// the first page's. See api.Pages for its errors.
func (c *Client) Shifts(
	ctx context.Context, accountID, cursor string,
) iter.Seq2[api.Page, error] {
	return c.pages(ctx, api.Path("/v1/accounts/{account_id}/shifts", accountID), cursor)
}

// TaxForms lists an account's tax forms, newest year first, from a cursor on. The list has the year
// and the type of each form. See api.Pages for its errors.
func (c *Client) TaxForms(
	ctx context.Context, accountID, cursor string,
) iter.Seq2[api.Page, error] {
	return c.pages(ctx, api.Path("/v1/accounts/{account_id}/tax_forms", accountID), cursor)
}

// pages follows meta.next_cursor until the cursor is absent, null or empty.
func (c *Client) pages(
	ctx context.Context, e api.Endpoint, cursor string,
) iter.Seq2[api.Page, error] {
	return api.PagesFrom(e.Template, cursor, func(cursor string) (api.Page, string, error) {
		at := e
		at.Query = url.Values{"limit": {listLimit}}
		maps.Copy(at.Query, e.Query)
		if cursor != "" {
			at.Query.Set("cursor", cursor)
		}
		answer, err := c.api.Get(ctx, at)
		if err != nil {
			return api.Page{}, "", err
		}
		page, next, err := readPage(at, answer.Body)
		page.Answer = answer
		return page, next, err
	})
}

// readPage reads a list with its meta, in one pass. The records are parts of body.
func readPage(e api.Endpoint, body []byte) (_ api.Page, next string, _ error) {
	var records []api.Record
	var broken error
	hasList := false
	m, ok := readEnvelope(body, func(data *rawjson.Reader) {
		hasList = data.Next() == '['
		records, broken = readList(e, data)
	})
	if !ok || !hasList {
		return api.Page{}, "", breaksContract(e, "not a list with data and meta")
	}
	if broken != nil {
		return api.Page{}, "", broken
	}
	return api.Page{Records: records, RefreshedAt: m.RefreshedAt.Time}, m.NextCursor, nil
}

// readList reads the records of the list that is next.
func readList(e api.Endpoint, from *rawjson.Reader) (records []api.Record, broken error) {
	for range from.Elements() {
		s, err := readRecord(e, from)
		if err != nil {
			broken = err // the list must be read to its end
		}
		records = append(records, s.Record)
	}
	return records, broken
}

// snapshot gets a single object. A report has refreshed_at inside it, a single paystub has none,
// the other objects have it in meta.
func (c *Client) snapshot(ctx context.Context, e api.Endpoint) (api.Snapshot, error) {
	answer, err := c.api.Get(ctx, e)
	if err != nil {
		return api.Snapshot{}, err
	}
	s, err := readSnapshot(e, answer.Body)
	if err != nil {
		answer.Release()
		return api.Snapshot{}, err
	}
	s.Answer = answer
	return s, nil
}

func readSnapshot(e api.Endpoint, body []byte) (api.Snapshot, error) {
	var s api.Snapshot
	broken := noRecord(e)
	m, ok := readEnvelope(body, func(data *rawjson.Reader) { s, broken = readRecord(e, data) })
	if !ok {
		return api.Snapshot{}, breaksContract(e, "not an object with data and meta")
	}
	if broken != nil {
		return api.Snapshot{}, broken
	}
	if at := m.RefreshedAt.Time; !at.IsZero() {
		s.RefreshedAt = at
	}
	return s, nil
}

type meta struct {
	RefreshedAt api.Stamp `json:"refreshed_at"`
	NextCursor  string    `json:"next_cursor"`
}

// readEnvelope reads the two members of an answer. It calls read when data is next: of several data
// the last counts. ok is false if body is no object, or meta has another shape.
func readEnvelope(body []byte, read func(data *rawjson.Reader)) (m meta, ok bool) {
	r := rawjson.NewReader(body)
	ok = r.Next() == '{'
	for name := range r.Members() {
		switch string(name) {
		case "data":
			read(r)
		case "meta":
			ok = json.Unmarshal(r.Value(), &m) == nil && ok
		}
	}
	return m, ok
}

// RecordID returns the id of a record, as a page or a snapshot had it.
func RecordID(raw json.RawMessage) (string, error) {
	var known struct{ ID string }
	if json.Unmarshal(raw, &known) != nil || known.ID == "" {
		return "", errors.New("read record: no id")
	}
	return known.ID, nil
}

// readRecord makes a snapshot of the object that is next, which must have a string id. The
// snapshot's JSON is a part of the document. As with json.Unmarshal, the case of a name does not
// matter, and of several members with a name the last counts.
func readRecord(e api.Endpoint, from *rawjson.Reader) (s api.Snapshot, err error) {
	begin := from.Offset()
	ok := true
	var refreshedAt api.Stamp
	for name := range from.Members() {
		switch {
		case isName(name, "id"):
			ok = rawjson.ReadText(from.Value(), &s.ID) && ok
		case isName(name, "pay_date"):
			ok = rawjson.ReadText(from.Value(), &s.PayDate) && ok
		case isName(name, "refreshed_at"):
			_ = refreshedAt.UnmarshalJSON(from.Value()) // never fails
		}
	}
	if !ok || s.ID == "" {
		return api.Snapshot{}, noRecord(e)
	}
	s.JSON = from.From(begin)
	s.RefreshedAt = refreshedAt.Time
	return s, nil
}

func isName(name []byte, want string) bool { return strings.EqualFold(string(name), want) }

func noRecord(e api.Endpoint) error {
	return breaksContract(e, "a record is not an object with an id")
}

func breaksContract(e api.Endpoint, why string) error {
	return &api.ContractError{Endpoint: e.Template, Why: why}
}

// codes returns the types and codes of Pinwheel's errors. The page api-errors has the four types
// and a single code. The codes of jobs that failed are other words, and come in webhooks only.
func codes() []string {
	return []string{
		"INVALID_REQUEST_PARAMETERS",
		"RECORD_NOT_FOUND",
		"UNAUTHORIZED_REQUEST",
		"UNKNOWN_ERROR",
		"INVALID_ROUTING_NUMBER",
	}
}

// errorOf reads {"error":{"type","code","message"}}. A field of another type stays empty.
func errorOf(body []byte, e *api.StatusError) {
	var envelope struct {
		Error struct{ Type, Code, Message string }
	}
	_ = json.Unmarshal(body, &envelope) // even on an error, the other fields are read
	e.Type = envelope.Error.Type
	e.Code = envelope.Error.Code
	e.Message = envelope.Error.Message
}
