// Package truv gets the links that Truv's webhooks announce.
//
// How calls are paced, held, limited and retried, and every error, is told in
// package api. What Truv itself promises comes from
//
//	docs.truv.com/api-reference/authentication    host, headers
//	docs.truv.com/api-reference/errors            error bodies, 300 calls a minute
//	github.com/truvhq/demo-apps                   what a throttled answer looks like
//
// Truv's demo waits ten seconds longer than a 429 asks for, because all its
// workers started again in one moment and were throttled at once. Ours come out
// of a hold at RatePerS, so nothing is added here.
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

// Config says where Truv is and who asks.
type Config struct {
	// URL is https://prod.truv.com for every environment: the secret's prefix
	// chooses between sandbox and production.
	URL      string
	ClientID string // X-Access-Client-Id
	// AccessSecret returns the X-Access-Secret. It is asked for each try.
	AccessSecret func() (string, error)
	// RatePerS is how many calls may start in a second. Truv allows 300 a minute
	// over everything that uses the secret.
	RatePerS float64

	Transport http.RoundTripper                                     // see api.Config
	OnCall    func(template string, status int, took time.Duration) // see api.Config
	OnHold    func(until time.Time)                                 // see api.Config
}

// Client gets links from Truv. It is safe for concurrent use.
type Client struct{ api *api.Client }

// New checks c. Nothing is sent.
func New(c Config) (*Client, error) {
	if c.ClientID == "" {
		return nil, errors.New("no truv client id")
	}
	if c.AccessSecret == nil {
		return nil, errors.New("no truv access secret")
	}
	client, err := api.New(api.Config{
		URL: c.URL,
		Header: func() (http.Header, error) {
			secret, err := c.AccessSecret()
			if err != nil {
				return nil, err
			}
			if secret == "" {
				return nil, errors.New("the access secret is empty")
			}
			h := http.Header{}
			h.Set("X-Access-Client-Id", c.ClientID)
			h.Set("X-Access-Secret", secret)
			return h, nil
		},
		RatePerS:  c.RatePerS,
		ErrorOf:   errorOf,
		Transport: c.Transport,
		OnCall:    c.OnCall,
		OnHold:    c.OnHold,
	})
	if err != nil {
		return nil, err
	}
	return &Client{api: client}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.api.Close() }

// Link is a person's connection to an employer or payroll provider.
type Link struct {
	ID        string
	UpdatedAt time.Time // zero if Truv did not say
	DeletedAt time.Time // zero unless the link is deleted

	// JSON is the link as Truv wrote it, byte for byte, but without any
	// access_token: that is a credential to a person's payroll account.
	JSON json.RawMessage
}

// Link gets a link. A deleted one may come with DeletedAt, or be a 404: Truv
// does not say which.
func (c *Client) Link(ctx context.Context, linkID string) (Link, error) {
	e := api.Path("/v1/links/{link_id}/", linkID)
	body, err := c.api.Get(ctx, e)
	if err != nil {
		return Link{}, err
	}
	var known struct {
		ID        string
		UpdatedAt api.Stamp `json:"updated_at"`
		DeletedAt api.Stamp `json:"deleted_at"`
	}
	if json.Unmarshal(body, &known) != nil || known.ID == "" {
		return Link{}, &api.ContractError{Endpoint: e.Template, Why: "not an object with an id"}
	}
	clean, err := cut(body, "access_token")
	if err != nil {
		return Link{}, &api.ContractError{Endpoint: e.Template, Why: "the body is not JSON"}
	}
	return Link{ID: known.ID, UpdatedAt: known.UpdatedAt.Time, DeletedAt: known.DeletedAt.Time, JSON: clean}, nil
}

// cut returns doc without the members named name, in any case and at any depth.
// All other bytes stay: re-encoding would change numbers, spacing and order.
func cut(doc []byte, name string) ([]byte, error) {
	c := cutter{name: name, doc: doc, dec: json.NewDecoder(bytes.NewReader(doc))}
	c.dec.UseNumber() // a float64 cannot hold every number JSON can
	if err := c.value(); err != nil {
		return nil, err
	}
	return append(c.kept, doc[c.done:]...), nil
}

type cutter struct {
	name string
	doc  []byte
	dec  *json.Decoder
	kept []byte
	done int // doc up to here is either in kept or cut
}

// at is the offset just after what was last decoded.
func (c *cutter) at() int { return int(c.dec.InputOffset()) }

// value reads one value and cuts inside it.
func (c *cutter) value() error {
	open, err := c.dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	first := true // no member of this object is kept yet
	for end := c.at(); c.dec.More(); end = c.at() {
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
		if err := c.value(); err != nil {
			return err
		}
	}
	_, err = c.dec.Token() // the closing delimiter
	return err
}

// cut drops the member just read. It began after from, so a comma before it goes
// too; where none is, because no member before it is kept, the comma after it.
func (c *cutter) cut(from int, first bool) {
	to := c.at()
	if first {
		rest := bytes.TrimLeft(c.doc[to:], " \t\r\n")
		if after, ok := bytes.CutPrefix(rest, []byte(",")); ok {
			to = len(c.doc) - len(after)
		}
	}
	if from > c.done {
		c.kept = append(c.kept, c.doc[c.done:from]...)
	}
	c.done = to
}

// throttled is how Truv's framework says how long to wait.
var throttled = regexp.MustCompile(`available in (\d{1,6}) second`)

// errorOf reads {"error":{"code","message"}} and {"detail"}: a 404 and some 429
// have the latter. Of a 429 without Retry-After the prose says how long to wait.
func errorOf(body []byte, e *api.StatusError) {
	var envelope struct {
		Error  struct{ Code, Message string }
		Detail string
	}
	_ = json.Unmarshal(body, &envelope) // what does not fit stays empty
	e.Code, e.Message = envelope.Error.Code, envelope.Error.Message
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
