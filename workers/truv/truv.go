// Package truv gets the links that Truv's webhooks announce. For operators, it registers for
// webhooks and reads the log of those that were sent.
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
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
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

// Client gets links from Truv. It is safe for concurrent use.
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

	// JSON is the link as Truv wrote it, byte for byte, but without any access_token. An
	// access_token is a credential to a person's payroll account.
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
	withoutToken, err := cut(body, "access_token")
	if err != nil {
		return Link{}, &api.ContractError{Endpoint: e.Template, Why: "the body is not JSON"}
	}
	return Link{
		ID:             known.ID,
		UpdatedAt:      known.UpdatedAt.Time,
		DeletedAt:      known.DeletedAt.Time,
		UserExternalID: string(known.User),
		JSON:           withoutToken,
	}, nil
}

// cut returns doc without the members named name, in upper or lower case and at any depth. All
// other bytes stay. Decoding and encoding a document would change numbers, spacing and order; a
// library that deletes members by path would need each path. The result takes the place of doc, so
// that a large link is in memory once.
func cut(doc []byte, name string) ([]byte, error) {
	c := cutter{name: name, doc: doc, dec: json.NewDecoder(bytes.NewReader(doc))}
	c.dec.UseNumber() // a float64 cannot hold every number JSON can
	if err := c.readValue(); err != nil {
		return nil, err
	}
	kept := doc[:0]
	done := 0
	for _, cut := range c.cuts {
		kept = append(kept, doc[done:cut.from]...)
		done = cut.to
	}
	return append(kept, doc[done:]...), nil
}

type cutter struct {
	name string
	doc  []byte
	dec  *json.Decoder
	cuts []span // in the order of doc, without overlaps
}

// span is the part of a document between two offsets.
type span struct{ from, to int }

// offset returns the offset just after the last decoded token.
func (c *cutter) offset() int { return int(c.dec.InputOffset()) }

// readValue reads one value and cuts inside the value.
func (c *cutter) readValue() error {
	open, err := c.dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	first := true // no member of the object is kept yet
	for end := c.offset(); c.dec.More(); end = c.offset() {
		if open == json.Delim('{') {
			key, err := c.dec.Token()
			if err != nil {
				return err
			}
			if strings.EqualFold(key.(string), c.name) {
				if err := c.dec.Decode(new(json.RawMessage)); err != nil {
					return err
				}
				c.cut(end, first)
				continue
			}
			first = false
		}
		if err := c.readValue(); err != nil {
			return err
		}
	}
	_, err = c.dec.Token() // the closing delimiter
	return err
}

// cut drops the member just read, which began after the offset from. The comma before the member
// is dropped too. If no member before it is kept (first), the comma after the member is dropped
// instead.
func (c *cutter) cut(from int, first bool) {
	to := c.offset()
	if first {
		rest := bytes.TrimLeft(c.doc[to:], " \t\r\n")
		if after, ok := bytes.CutPrefix(rest, []byte(",")); ok {
			to = len(c.doc) - len(after)
		}
	}
	if last := len(c.cuts) - 1; last >= 0 && from < c.cuts[last].to {
		from = c.cuts[last].to // the comma was dropped with the member before
	}
	c.cuts = append(c.cuts, span{from, to})
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
	e.Message = envelope.Error.Message
	if e.Message == "" {
		e.Message = envelope.Detail
	}
	if e.Status != http.StatusTooManyRequests || e.RetryAfter > 0 {
		return
	}
	if m := throttled.FindStringSubmatch(e.Message); m != nil {
		seconds, _ := strconv.Atoi(m[1])
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
}
