package truv

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/wagewire/wagewire/schema/rawjson"
	"github.com/wagewire/wagewire/workers/api"
)

// pageSize is the number of records that a list asks for. Truv documents neither the largest page
// nor the usual one, and may send smaller pages.
const pageSize = "100"

// Employments lists every employment of a link (docs.truv.com, Employment). Truv documents an array
// without pages. See api.Pages for the errors of this list and of the others.
func (c *Client) Employments(ctx context.Context, linkID string) iter.Seq2[api.Page, error] {
	e := api.Path("/v1/links/{link_id}/employments/", linkID)
	return c.pages(ctx, e, nil, bankAccounts)
}

// Identity gets the profile of a link: name, address, social security number.
func (c *Client) Identity(ctx context.Context, linkID string) (api.Snapshot, error) {
	e := api.Path("/v1/links/{link_id}/identity/", linkID)
	answer, err := c.api.Get(ctx, e)
	if err != nil {
		return api.Snapshot{}, err
	}
	s, err := readObject(e, answer.Body)
	if err != nil {
		answer.Release()
		return api.Snapshot{}, err
	}
	s.Answer = answer
	return s, nil
}

// Statements lists the pay statements of one employment of a link. Without an employment Truv lists
// those of the newest one. The list has all statements: the limits of the operator's template
// (docs.truv.com, Customization) do not count, because the number in a webhook does not know them.
func (c *Client) Statements(
	ctx context.Context, linkID, employmentID string,
) iter.Seq2[api.Page, error] {
	query := url.Values{"page_size": {pageSize}, "return_all_statements": {"true"}}
	if employmentID != "" {
		query.Set("employment_id", employmentID)
	}
	return c.pages(ctx, api.Path("/v1/links/{link_id}/statements/", linkID), query, bankAccounts)
}

// Shifts lists the shifts of a link, of all its employments.
func (c *Client) Shifts(ctx context.Context, linkID string) iter.Seq2[api.Page, error] {
	e := api.Path("/v1/links/{link_id}/shifts/", linkID)
	return c.pages(ctx, e, url.Values{"page_size": {pageSize}}, bankAccounts)
}

// HasShifts reports whether a link has a shift.
func (c *Client) HasShifts(ctx context.Context, linkID string) (bool, error) {
	e := api.Path("/v1/links/{link_id}/shifts/", linkID)
	for page, err := range c.pages(ctx, e, url.Values{"page_size": {"1"}}) {
		return len(page.Records) > 0, err
	}
	return false, nil
}

// BankAccounts lists the bank accounts to which a link's pay goes, with whole account numbers. The
// records have no ids.
func (c *Client) BankAccounts(ctx context.Context, linkID string) iter.Seq2[api.Page, error] {
	return c.pages(ctx, api.Path("/v1/links/{link_id}/bank_accounts/", linkID), nil)
}

// pages lists by number, beginning with page 1. Truv's answer has the address of the next page, but
// in an other form than the documented path, so only its presence counts. A list without pages, an
// array, is a single page. Members with the names in without are cut from the records.
func (c *Client) pages(
	ctx context.Context, e api.Endpoint, query url.Values, without ...string,
) iter.Seq2[api.Page, error] {
	return api.Pages(e.Template, func(cursor string) (api.Page, string, error) {
		number := 1
		at := e
		at.Query = url.Values{}
		maps.Copy(at.Query, query)
		if cursor != "" {
			number, _ = strconv.Atoi(cursor) // made below
			at.Query.Set("page", cursor)
		}
		answer, err := c.api.Get(ctx, at)
		if number > 1 && isNotFound(err) { // the list has become shorter meanwhile
			return api.Page{}, "", nil
		}
		if err != nil {
			return api.Page{}, "", err
		}
		records, more, err := readPage(at, answer.Body, without)
		next := ""
		if more {
			next = strconv.Itoa(number + 1)
		}
		return api.Page{Records: records, Answer: answer}, next, err
	})
}

// isNotFound reports whether Truv has no such page: its framework answers 404 behind the last one.
func isNotFound(err error) bool {
	status, ok := errors.AsType[*api.StatusError](err)
	return ok && status.Status == http.StatusNotFound
}

// readPage reads {"count","next","previous","results"}, or an array. more reports whether another
// page follows. The records are parts of body, which is changed.
func readPage(
	e api.Endpoint, body []byte, without []string,
) (records []api.Record, more bool, _ error) {
	body, err := cut(body, append(without, accessToken)...)
	if err != nil {
		return nil, false, noJSON(e)
	}
	r := rawjson.NewReader(body)
	if r.Next() == '[' {
		records, err := readList(e, r)
		return records, false, err
	}
	broken := error(&api.ContractError{Endpoint: e.Template, Why: "not a list with results"})
	if r.Next() != '{' {
		return nil, false, broken
	}
	for name := range r.Members() {
		switch string(name) {
		case "results":
			if r.Next() == '[' {
				records, broken = readList(e, r)
			}
		case "next":
			var next string
			more = rawjson.ReadText(r.Value(), &next) && next != ""
		}
	}
	return records, more, broken
}

// readList reads the records of the list that is next.
func readList(e api.Endpoint, from *rawjson.Reader) (records []api.Record, broken error) {
	for range from.Elements() {
		record, err := readRecord(e, from)
		if err != nil {
			broken = err // the list must be read to its end
		}
		records = append(records, record)
	}
	return records, broken
}

// readRecord reads the object that is next. Truv's records need not have an id.
func readRecord(e api.Endpoint, from *rawjson.Reader) (record api.Record, _ error) {
	if from.Next() != '{' {
		from.Value()
		return api.Record{}, &api.ContractError{Endpoint: e.Template, Why: "a record is no object"}
	}
	begin := from.Offset()
	for name := range from.Members() {
		switch {
		case strings.EqualFold(string(name), "id"):
			_ = rawjson.ReadText(from.Value(), &record.ID)
		case strings.EqualFold(string(name), "pay_date"):
			_ = rawjson.ReadText(from.Value(), &record.PayDate)
		}
	}
	record.JSON = from.From(begin)
	return record, nil
}

// readObject reads the single object of body, which is changed.
func readObject(e api.Endpoint, body []byte) (api.Snapshot, error) {
	body, err := cut(body, accessToken, bankAccounts)
	if err != nil {
		return api.Snapshot{}, noJSON(e)
	}
	record, err := readRecord(e, rawjson.NewReader(body))
	if err != nil {
		return api.Snapshot{}, err
	}
	return api.Snapshot{Record: record}, nil
}

func noJSON(e api.Endpoint) error {
	return &api.ContractError{Endpoint: e.Template, Why: "the body is not JSON"}
}
