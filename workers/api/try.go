package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// try makes a single call with the secret, after resent others of the same Get. took is how long
// the call took, without the wait for room in the Memory. The error is the cause of ctx's end if
// ctx ended.
func (c *Client) try(
	ctx context.Context, e Endpoint, secret string, resent int,
) (_ Answer, took time.Duration, _ error) {
	tryCtx, cancel := context.WithCancel(ctx)
	defer cancel()

	req, err := c.request(tryCtx, e, secret)
	if err != nil {
		return Answer{}, 0, err
	}
	began := time.Now()
	clock := startClock(TryFor, cancel)
	answer, status, err := c.exchange(req, e, clock)
	took = clock.stop()
	if status == 0 {
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case tryCtx.Err() != nil:
			err = &NetworkError{
				Endpoint: e.Template,
				Method:   e.method(),
				Why:      fmt.Sprintf("no whole answer within %v", TryFor),
			}
		default:
			err = &NetworkError{
				Endpoint: e.Template, Method: e.method(), Why: describeBreak(err),
			}
		}
	}
	if c.config.OnCall != nil {
		c.config.OnCall(ctx, Call{
			Template: e.Template, Host: c.host, Port: c.port, Resent: resent,
			Status: status, Began: began, Took: took, Err: err,
		})
	}
	return answer, took, err
}

func (c *Client) request(ctx context.Context, e Endpoint, secret string) (*http.Request, error) {
	target := c.base + e.path
	if len(e.Query) > 0 {
		target += "?" + e.Query.Encode()
	}
	req, err := newRequest(ctx, e, target)
	if err != nil { // not wrapped: err quotes the URL, and so the ids
		return nil, fmt.Errorf("%s %s: not a url", e.verb(), e.Template)
	}
	header, err := c.headerOf(secret)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", e.verb(), e.Template, err)
	}
	if e.change == nil {
		req.Header = header // no transport may change it
	} else {
		maps.Copy(req.Header, header)
	}
	if c.keepsHTTP1.Load() && e.change == nil {
		setEmptyBody(req)
	}
	return req, nil
}

// secretHeader has the headers of every call with a secret.
type secretHeader struct {
	secret string
	header http.Header
}

// headerOf returns the headers of a call with the secret, for reading alone.
func (c *Client) headerOf(secret string) (http.Header, error) {
	if last := c.header.Load(); last != nil && last.secret == secret {
		return last.header, nil
	}
	header := http.Header{}
	header.Set("Accept", "application/json")
	header.Set("User-Agent", "wagewire")
	for name, values := range c.dialect.Header(secret) {
		for _, value := range values {
			if strings.ContainsFunc(value, unicode.IsControl) {
				return nil, fmt.Errorf("%w: a control character in header %s",
					ErrCredentials, name)
			}
		}
		header[name] = values
	}
	c.header.Store(&secretHeader{secret, header})
	return header, nil
}

// newRequest returns the request without credentials. The Transport cannot send the body of a
// change again by itself.
func newRequest(ctx context.Context, e Endpoint, target string) (*http.Request, error) {
	if e.change == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	}
	body := bytes.NewReader(e.change.body)
	req, err := http.NewRequestWithContext(ctx, e.change.method, target, body)
	if err != nil {
		return nil, err
	}
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// setEmptyBody gives the request a body that keeps a http.Transport from sending the request again
// by itself. A Transport does so if a kept connection of HTTP/1 breaks before the answer, once for
// each kept connection: calls without a turn. It cannot send a body again, and nothing of an empty
// body is sent. HTTP/2 would send a frame for the body, and needs none, because there only calls
// that the API has not begun are sent again. The encoding "identity" adds no header: without it, a
// Transport starts a goroutine to find out whether the body is empty.
func setEmptyBody(req *http.Request) {
	req.Body = io.NopCloser(strings.NewReader(""))
	req.TransferEncoding = []string{"identity"}
}

// exchange sends req and reads the answer. If no whole answer came, status is 0 and err is the
// transport's own. The transport is called directly, because an http.Client would follow
// redirects and put the URL into errors.
func (c *Client) exchange(
	req *http.Request, e Endpoint, clock *tryClock,
) (_ Answer, status int, _ error) {
	resp, err := c.config.Transport.RoundTrip(req)
	if err != nil {
		return Answer{}, 0, err
	}
	c.keepsHTTP1.Store(resp.ProtoMajor == 1)
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, drainBytesMax)
		_ = resp.Body.Close()
	}()

	if !e.isSuccess(resp.StatusCode) {
		return Answer{}, resp.StatusCode, c.statusError(resp, e)
	}
	answer, err := c.readAnswer(req.Context(), resp, clock)
	switch {
	case errors.Is(err, errTooLarge):
		tooLarge := &ContractError{
			Endpoint: e.Template, Method: e.method(), Why: errTooLarge.Error(),
		}
		return Answer{}, resp.StatusCode, tooLarge
	case err != nil:
		return Answer{}, 0, err
	}
	if why := whyNotJSON(answer.Body); why != "" {
		answer.Release()
		broken := &ContractError{Endpoint: e.Template, Method: e.method(), Why: why}
		return Answer{}, resp.StatusCode, broken
	}
	return answer, resp.StatusCode, nil
}

// statusError returns the error of an answer other than 200. A cut body does not change the
// meaning of the status: statusError reads as much as came.
func (c *Client) statusError(resp *http.Response, e Endpoint) error {
	if resp.StatusCode < 300 {
		return &ContractError{
			Endpoint: e.Template,
			Method:   e.method(),
			Why:      fmt.Sprintf("status %d instead of 200", resp.StatusCode),
		}
	}
	s := &StatusError{
		Endpoint:   e.Template,
		Method:     e.method(),
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
