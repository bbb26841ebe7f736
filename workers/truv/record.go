package truv

import (
	"cmp"
	"context"
	"hash/maphash"
	"iter"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/wagewire/wagewire/schema/rawjson"
	"github.com/wagewire/wagewire/workers/api"
)

// Employments lists every employment of a link (docs.truv.com, Employment). Truv documents an array
// without pages. The errors are those of a call, for this list and the others; nothing follows an
// error, and the pages before an error are not the whole list. A list that does not end is an
// *api.ContractError.
func (c *Client) Employments(ctx context.Context, linkID string) iter.Seq2[api.Page, error] {
	e := api.Path("/v1/links/{link_id}/employments/", linkID)
	return c.pages(ctx, e, accessToken, bankAccounts)
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
	e := api.Path("/v1/links/{link_id}/statements/", linkID)
	e.Query = url.Values{"page_size": {pageSize}, "return_all_statements": {"true"}}
	if employmentID != "" {
		e.Query.Set("employment_id", employmentID)
	}
	return c.pages(ctx, e, accessToken, bankAccounts)
}

// Shifts lists the shifts of a link, of all its employments.
func (c *Client) Shifts(ctx context.Context, linkID string) iter.Seq2[api.Page, error] {
	e := api.Path("/v1/links/{link_id}/shifts/", linkID)
	e.Query = url.Values{"page_size": {pageSize}}
	return c.pages(ctx, e, accessToken, bankAccounts)
}

// HasShifts reports whether a link has a shift. It asks for one.
func (c *Client) HasShifts(ctx context.Context, linkID string) (bool, error) {
	e := api.Path("/v1/links/{link_id}/shifts/", linkID)
	e.Query = url.Values{"page_size": {"1"}}
	for page, err := range c.pages(ctx, e) {
		return len(page.Records) > 0, err
	}
	return false, nil
}

// BankAccounts lists the bank accounts to which a link's pay goes, with whole account numbers. The
// records have no ids.
func (c *Client) BankAccounts(ctx context.Context, linkID string) iter.Seq2[api.Page, error] {
	return c.pages(ctx, api.Path("/v1/links/{link_id}/bank_accounts/", linkID), accessToken)
}

const (
	// pageSize is the number of records that a list asks for. Truv documents neither the largest
	// page nor the usual one, and may send smaller pages. A larger number may be refused.
	pageSize = "100"
	// pagesMax limits the pages of one list. It is larger than api.PagesMax, so that a link with
	// 25,000 shifts has room even if Truv sends 25 a page.
	pagesMax = 1000
)

// pages lists by number, beginning with page 1. Truv's answer has the address of the next page, but
// in another form than the documented path, so only its presence counts. A list without pages, an
// array, is a single page. Members with the names in without are cut from the records.
//
// The records of a page are there until the caller asks for the next page.
func (c *Client) pages(
	ctx context.Context, e api.Endpoint, without ...string,
) iter.Seq2[api.Page, error] {
	return func(yield func(api.Page, error) bool) {
		list := listing{client: c, endpoint: e, without: without, seed: maphash.MakeSeed()}
		for number := 1; number <= pagesMax; number++ {
			page, more, err := list.get(ctx, number)
			goesOn := yield(page, err)
			page.Answer.Release()
			if !goesOn || err != nil || !more {
				return
			}
		}
		yield(api.Page{}, list.broken("over 1000 pages"))
	}
}

// listing is the state of one list.
type listing struct {
	client   *Client
	endpoint api.Endpoint
	without  []string
	// read is the number of records so far, and count the newest number that Truv says. 0 means
	// unknown.
	read, count int
	// last tells the records of the page before from others.
	last uint64
	seed maphash.Seed
}

// get gets a page. more reports whether another page follows.
func (l *listing) get(ctx context.Context, number int) (_ api.Page, more bool, _ error) {
	answer, err := l.client.api.Get(ctx, l.at(number))
	// Truv's framework answers 404 behind the last page.
	if number > 1 && api.IsNotFound(err) && l.read >= l.count {
		return api.Page{Total: l.count}, false, nil
	}
	if err != nil {
		return api.Page{}, false, err
	}
	page := api.Page{Answer: answer}
	read, err := readPage(l.endpoint, cut(answer.Body, l.without...))
	if err != nil {
		return page, false, err
	}
	l.count = cmp.Or(read.count, l.count)
	page.Total = l.count
	sum := l.sum(read.records)
	if number > 1 && sum == l.last {
		return page, false, l.endRepeated()
	}
	page.Records = read.records
	l.read += len(read.records)
	l.last = sum
	return page, read.more, nil
}

// endRepeated ends a list of which a page came twice. After all records, the repeated page is that
// of an API which answers a number beyond the end with the last page. Before that, the list breaks
// the contract.
func (l *listing) endRepeated() error {
	if l.count > 0 && l.read >= l.count {
		return nil
	}
	return l.broken("a page came twice")
}

// at returns the endpoint of a page. The first page has no number, because a list without pages has
// no such parameter.
func (l *listing) at(number int) api.Endpoint {
	e := l.endpoint
	if number > 1 {
		e.Query = maps.Clone(e.Query)
		if e.Query == nil {
			e.Query = url.Values{}
		}
		e.Query.Set("page", strconv.Itoa(number))
	}
	return e
}

// sum returns a number for the records of a page: of their ids, or of a record without an id. The
// text of a record can change with each call, because some have an address that is signed anew.
func (l *listing) sum(records []api.Record) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	for _, r := range records {
		if r.ID == "" {
			_, _ = h.Write(r.JSON) // never fails
		} else {
			_, _ = h.WriteString(r.ID)
		}
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (l *listing) broken(why string) error {
	return &api.ContractError{Endpoint: l.endpoint.Template, Why: why}
}

// listPage is a page of a list as Truv writes it.
type listPage struct {
	records []api.Record
	count   int  // of the whole list, 0 if unknown
	more    bool // another page follows
}

// readPage reads {"count","next","previous","results"}, or an array. Results that are null are
// none. The records are parts of body.
func readPage(e api.Endpoint, body []byte) (page listPage, _ error) {
	r := rawjson.NewReader(body)
	if r.Next() == '[' {
		records, err := readList(e, r)
		return listPage{records: records}, err
	}
	broken := error(&api.ContractError{Endpoint: e.Template, Why: "not a list with results"})
	for name := range r.Members() {
		switch string(name) {
		case "count":
			count, _ := strconv.Atoi(string(r.Value())) // another type says nothing
			page.count = max(0, count)
		case "next":
			page.more = isPresent(string(r.Value()))
		case "results":
			switch r.Next() {
			case '[':
				page.records, broken = readList(e, r)
			case 'n':
				broken = nil
			}
		}
	}
	return page, broken
}

// isPresent reports whether a value of JSON is there: an address or anything like one.
func isPresent(value string) bool { return value != "null" && value != "false" && value != `""` }

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
	record, err := readRecord(e, rawjson.NewReader(cut(body, accessToken, bankAccounts)))
	if err != nil {
		return api.Snapshot{}, err
	}
	return api.Snapshot{Record: record}, nil
}
