package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// try makes a single call with the secret. The error is the cause of ctx's end if ctx ended.
func (c *Client) try(ctx context.Context, e Endpoint, secret string) ([]byte, error) {
	tryCtx, cancel := context.WithTimeout(ctx, TryFor)
	defer cancel()

	req, err := c.request(tryCtx, e, secret)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	body, status, err := c.exchange(req, e)
	if status == 0 {
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case tryCtx.Err() != nil:
			err = &NetworkError{
				Endpoint: e.Template,
				Why:      fmt.Sprintf("no whole answer within %v", TryFor),
			}
		default:
			err = &NetworkError{Endpoint: e.Template, Why: describeBreak(err)}
		}
	}
	if c.config.OnCall != nil {
		c.config.OnCall(e.Template, status, time.Since(began))
	}
	return body, err
}

func (c *Client) request(ctx context.Context, e Endpoint, secret string) (*http.Request, error) {
	target := c.base + e.path
	if len(e.Query) > 0 {
		target += "?" + e.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil { // not wrapped: err quotes the URL, and so the ids
		return nil, fmt.Errorf("get %s: not a url", e.Template)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "wagewire")
	for name, values := range c.dialect.Header(secret) {
		for _, value := range values {
			if strings.ContainsFunc(value, unicode.IsControl) {
				return nil, fmt.Errorf("get %s: %w: a control character in header %s",
					e.Template, ErrCredentials, name)
			}
		}
		req.Header[name] = values
	}
	return req, nil
}

// exchange sends req and reads the answer. If no whole answer came, status is 0 and err is the
// transport's own. The transport is called directly, because an http.Client would follow
// redirects and put the URL into errors.
func (c *Client) exchange(req *http.Request, e Endpoint) (body []byte, status int, err error) {
	resp, err := c.config.Transport.RoundTrip(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, drainBytesMax)
		_ = resp.Body.Close()
	}()

	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode, c.statusError(resp, e)
	}
	tooLarge := &ContractError{Endpoint: e.Template, Why: "over 16 MiB"}
	if resp.ContentLength > BodyBytesMax {
		return nil, resp.StatusCode, tooLarge
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, BodyBytesMax+1))
	switch {
	case len(body) > BodyBytesMax:
		return nil, resp.StatusCode, tooLarge
	case err != nil:
		return nil, 0, err
	case resp.ContentLength >= 0 && int64(len(body)) != resp.ContentLength:
		return nil, 0, io.ErrUnexpectedEOF
	}
	if why := whyNotJSON(body); why != "" {
		return nil, resp.StatusCode, &ContractError{Endpoint: e.Template, Why: why}
	}
	return body, resp.StatusCode, nil
}

// statusError returns the error of an answer other than 200. A cut body does not change the
// meaning of the status: statusError reads as much as came.
func (c *Client) statusError(resp *http.Response, e Endpoint) error {
	if resp.StatusCode < 300 {
		return &ContractError{
			Endpoint: e.Template,
			Why:      fmt.Sprintf("status %d instead of 200", resp.StatusCode),
		}
	}
	s := &StatusError{
		Endpoint:   e.Template,
		Status:     resp.StatusCode,
		RetryAfter: retryAfter(resp.Header),
	}
	if c.dialect.RequestIDHeader != "" {
		s.RequestID = resp.Header.Get(c.dialect.RequestIDHeader)
	}
	if c.dialect.ErrorOf != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, drainBytesMax))
		c.dialect.ErrorOf(body, s)
		s.RetryAfter = min(max(0, s.RetryAfter), RetryAfterMax)
		s.Code = codeOrHash(c.dialect.Codes, s.Code)
		s.Type = codeOrHash(c.dialect.Codes, s.Type)
	}
	return s
}
