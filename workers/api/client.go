package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/time/rate"
)

// The limits of a call.
const (
	TryFor        = 15 * time.Second // one try, from the dial to the last byte of the body
	RetryFor      = 20 * time.Second // the tries and pauses of one Get; no try starts later, so a Get ends within RetryFor + TryFor, holds and turns apart
	RetryAfterMax = 15 * time.Minute // the longest hold an API can ask for
	BodyBytesMax  = 16 << 20         // an answer's body, decompressed
	PagesMax      = 200              // the pages of one list; for clients that page

	pauseBase = 250 * time.Millisecond
	pauseMax  = 4 * time.Second

	// What is read of an error's body, and of a body nobody wants, so that the
	// connection can be used again.
	drainBytesMax = 64 << 10

	idleConnsMax = 16
)

// Config says which API, and as whom.
type Config struct {
	// URL is what every path is appended to: absolute, http or https, without
	// credentials, query or fragment. It may have a path of its own.
	URL string

	// Header returns the headers that say who we are. It is asked for each try,
	// so that a secret changed on disk is used at once.
	Header func() (http.Header, error)

	// RatePerS is how many tries may start in a second, over all callers of the
	// Client. Half a second's worth may start at once.
	RatePerS float64

	// ErrorOf reads the body of an answer that is not 200, at most 64 KiB of it
	// and not always JSON, into Code, Type and Message, and into RetryAfter if
	// that is still 0 and the body says it. May be nil.
	ErrorOf func(body []byte, e *StatusError)

	// RequestIDHeader is the header of an answer that becomes RequestID. May be
	// empty.
	RequestIDHeader string

	// Transport makes the calls; nil means one of the Client's own.
	Transport http.RoundTripper

	// OnCall, if not nil, is told of each try. Status is 0 when no whole answer
	// came.
	OnCall func(template string, status int, took time.Duration)

	// OnHold, if not nil, is told when a 429 stops all calls, and until when.
	OnHold func(until time.Time)
}

// Client gets JSON from one API. It is safe for concurrent use, and one per API
// and process is the idea: the rate and the hold after a 429 are the Client's.
type Client struct {
	cfg      Config
	base     string
	tokens   *rate.Limiter
	throttle throttle
	close    func()
}

// New checks cfg. Its errors say what is wrong with the URL and do not repeat
// it: someone may have put a password in it.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, errors.New("base url: cannot be read")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("base url: must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("base url: has no host")
	case u.User != nil:
		return nil, errors.New("base url: must not hold credentials")
	case strings.ContainsAny(cfg.URL, "?#"):
		return nil, errors.New("base url: must not have a query or a fragment")
	case !(cfg.RatePerS > 0) || math.IsInf(cfg.RatePerS, 0):
		return nil, errors.New("calls a second: must be above 0")
	case cfg.Header == nil:
		return nil, ErrCredentials
	}
	c := &Client{
		cfg:    cfg,
		base:   strings.TrimRight(u.String(), "/"),
		tokens: rate.NewLimiter(rate.Limit(cfg.RatePerS), int(math.Ceil(cfg.RatePerS/2))),
		close:  func() {},
	}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = idleConnsMax
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		c.cfg.Transport, c.close = t, t.CloseIdleConnections
	}
	return c, nil
}

// Close closes the idle connections of the Client's own transport.
func (c *Client) Close() { c.close() }

// Get returns the body of a 200: all of it, at most BodyBytesMax, valid JSON in
// UTF-8. Transient failures are tried again within RetryFor; after a 429 it
// waits, with every other caller, for as long as the API asks and ctx lives.
// The package comment lists its errors.
func (c *Client) Get(ctx context.Context, e Endpoint) ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	var last error // how the last try failed
	pauses := &pauses{left: RetryFor}

	body, err := backoff.RetryWithData(func() ([]byte, error) {
		for {
			if err := c.turn(ctx); err != nil {
				return nil, backoff.Permanent(err)
			}
			sent := time.Now()
			body, err := c.try(ctx, e)
			if s, ok := errors.AsType[*StatusError](err); ok && s.Status == http.StatusTooManyRequests {
				c.hold(sent, s.RetryAfter)
				last = err
				continue
			}
			pauses.left -= time.Since(sent)
			if transient(err) {
				last = err
				return nil, err
			}
			return body, backoff.Permanent(err)
		}
	}, backoff.WithContext(pauses, ctx))

	switch {
	case err == nil:
		c.throttle.clear()
		return body, nil
	case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
		return nil, err
	}
	if left := c.throttle.left(); left > 0 {
		last = &StatusError{Endpoint: e.Template, Status: http.StatusTooManyRequests, RetryAfter: left}
	}
	if last == nil {
		return nil, fmt.Errorf("get %s: %w", e.Template, ended(ctx))
	}
	return nil, fmt.Errorf("%w; given up: %w", last, ended(ctx))
}

// turn returns when a try may start: no hold, and a token taken. A hold that
// began while we waited for the token costs that token, or all who waited would
// start at once when it ends.
func (c *Client) turn(ctx context.Context) error {
	for {
		if err := sleep(ctx, c.throttle.left()); err != nil {
			return err
		}
		token := c.tokens.Reserve()
		if err := sleep(ctx, token.Delay()); err != nil {
			token.Cancel()
			return err
		}
		if c.throttle.left() <= 0 {
			return nil
		}
	}
}

func (c *Client) hold(sent time.Time, said time.Duration) {
	until, moved := c.throttle.hold(sent, said)
	if moved && c.cfg.OnHold != nil {
		c.cfg.OnHold(until)
	}
}

// try asks once. The error is ctx.Err() when ctx ended.
func (c *Client) try(ctx context.Context, e Endpoint) ([]byte, error) {
	tryCtx, cancel := context.WithTimeout(ctx, TryFor)
	defer cancel()

	req, err := c.request(tryCtx, e)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	body, status, err := c.exchange(req, e)
	if status == 0 {
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case tryCtx.Err() != nil:
			err = &NetworkError{Endpoint: e.Template, Why: fmt.Sprintf("no whole answer within %v", TryFor)}
		default:
			err = &NetworkError{Endpoint: e.Template, Why: brokenOff(err)}
		}
	}
	if c.cfg.OnCall != nil {
		c.cfg.OnCall(e.Template, status, time.Since(began))
	}
	return body, err
}

func (c *Client) request(ctx context.Context, e Endpoint) (*http.Request, error) {
	target := c.base + e.path
	if len(e.Query) > 0 {
		target += "?" + e.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: not a url", e.Template) // err holds the url, and so the ids
	}
	header, err := c.cfg.Header()
	if err != nil {
		return nil, fmt.Errorf("get %s: %w: %w", e.Template, ErrCredentials, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "wagewire")
	for name, values := range header {
		for _, value := range values {
			if strings.ContainsFunc(value, unicode.IsControl) {
				return nil, fmt.Errorf("get %s: %w: a control character in header %s", e.Template, ErrCredentials, name)
			}
		}
		req.Header[name] = values
	}
	return req, nil
}

// exchange sends req and reads the answer. Status is 0 when no whole answer
// came, and err is then the transport's own. The transport is called without an
// http.Client: that would follow redirects and put the URL into errors.
func (c *Client) exchange(req *http.Request, e Endpoint) (body []byte, status int, err error) {
	resp, err := c.cfg.Transport.RoundTrip(req)
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
	if resp.ContentLength > BodyBytesMax {
		return nil, resp.StatusCode, &ContractError{Endpoint: e.Template, Why: "over 16 MiB"}
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, BodyBytesMax+1))
	switch {
	case len(body) > BodyBytesMax:
		return nil, resp.StatusCode, &ContractError{Endpoint: e.Template, Why: "over 16 MiB"}
	case err != nil:
		return nil, 0, err
	case resp.ContentLength >= 0 && int64(len(body)) != resp.ContentLength:
		return nil, 0, io.ErrUnexpectedEOF
	case !utf8.Valid(body) || !json.Valid(body):
		return nil, resp.StatusCode, &ContractError{Endpoint: e.Template, Why: "the body is not JSON"}
	}
	return body, resp.StatusCode, nil
}

// statusError makes the error of an answer that is not 200. Its body is read as
// far as it goes: a cut one does not change what the status says.
func (c *Client) statusError(resp *http.Response, e Endpoint) error {
	if resp.StatusCode < 300 {
		return &ContractError{Endpoint: e.Template, Why: fmt.Sprintf("status %d instead of 200", resp.StatusCode)}
	}
	s := &StatusError{Endpoint: e.Template, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	if c.cfg.RequestIDHeader != "" {
		s.RequestID = resp.Header.Get(c.cfg.RequestIDHeader)
	}
	if c.cfg.ErrorOf != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, drainBytesMax))
		c.cfg.ErrorOf(body, s)
		s.RetryAfter = min(max(0, s.RetryAfter), RetryAfterMax)
	}
	return s
}
