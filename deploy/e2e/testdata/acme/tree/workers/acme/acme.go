// Package acme gets the records of a provider that exists only in tests.
package acme

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/wagewire/wagewire/workers/api"
)

// Client gets records from Acme.
type Client struct{ api *api.Client }

// New makes a Client. It sends nothing.
func New(c api.Config) (*Client, error) {
	client, err := api.New(c, api.Dialect{
		Header: func(secret string) http.Header {
			return http.Header{"Authorization": {"Bearer " + secret}}
		},
	})
	if err != nil {
		return nil, err
	}
	return &Client{api: client}, nil
}

// Employment gets a person's employment. The caller releases the answer.
func (c *Client) Employment(ctx context.Context, person string) (api.Answer, error) {
	return c.api.Get(ctx, api.Path("/v2/people/{ref}/employment", person))
}

// Pay lists what a person was paid. A page begins at an offset, and says how many records there are
// in all.
func (c *Client) Pay(ctx context.Context, person string) iter.Seq2[api.Page, error] {
	e := api.Path("/v2/people/{ref}/pay", person)
	return api.Pages(e.Template, func(cursor string) (page api.Page, next string, err error) {
		offset, _ := strconv.Atoi(cursor) // the first page has no cursor, and offset 0
		e.Query = url.Values{"offset": {strconv.Itoa(offset)}}
		page.Answer, err = c.api.Get(ctx, e)
		if err != nil {
			return page, "", err
		}
		var list struct {
			Items []json.RawMessage `json:"items"`
			Total int               `json:"total"`
		}
		if json.Unmarshal(page.Answer.Body, &list) != nil {
			return page, "", &api.ContractError{Endpoint: e.Template, Why: "not items and a total"}
		}
		for _, item := range list.Items {
			var known struct{ Pay string }
			if json.Unmarshal(item, &known) != nil || known.Pay == "" {
				return page, "", &api.ContractError{Endpoint: e.Template, Why: "no id"}
			}
			page.Records = append(page.Records, api.Record{ID: known.Pay, JSON: item})
		}
		if end := offset + len(list.Items); end < list.Total {
			next = strconv.Itoa(end)
		}
		return page, next, nil
	})
}
