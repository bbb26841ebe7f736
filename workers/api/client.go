package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/time/rate"
)

// The limits of a call.
const (
	// TryFor limits one try, from the dial to the last byte of the body.
	TryFor = 15 * time.Second
	// RetryFor limits the tries and pauses of one Get. No try starts later. A Get therefore ends
	// within RetryFor + TryFor; holds and waits for a token are not counted.
	RetryFor = 20 * time.Second
	// RetryAfterMax is the longest hold an API can ask for.
	RetryAfterMax = 15 * time.Minute
	// BodyBytesMax limits the body of an answer after decompression.
	BodyBytesMax = 16 << 20
	// PagesMax limits the pages of one list.
	PagesMax = 200

	// drainBytesMax is how much is read of an error's body and of an unwanted body. The
	// connection can be used again only after the body is read.
	drainBytesMax = 64 << 10

	idleConnsMax = 16
)

// Config is how a process calls one API. Each provider's Config embeds it.
type Config struct {
	// URL is the beginning of every call's URL: absolute, http or https, without credentials,
	// query or fragment. A path is allowed.
	URL string

	// Secret returns the API's secret. Get calls Secret before each try, and so uses a secret
	// changed on disk at once.
	Secret func() (string, error)

	// RatePerS is how many tries may start in a second, over all callers of the Client. The tries
	// of half a second may start at once.
	RatePerS float64

	// Answers limits the bytes of answers that all Clients of the process hold. Nil: no limit.
	Answers *Budget

	// Transport makes the calls; nil means a transport of the Client's own.
	Transport http.RoundTripper

	// OnCall, if not nil, is called after each try. Status is 0 if no whole answer came.
	OnCall func(template string, status int, took time.Duration)

	// OnHold, if not nil, is called when a 429 stops all calls, with the end of the hold.
	OnHold func(until time.Time)
}

// Dialect is how a provider's API differs from others.
type Dialect struct {
	// Header returns the headers of a call. They show the secret.
	Header func(secret string) http.Header

	// ErrorOf reads the body of an answer other than 200 into Code, Type and Message, and into
	// RetryAfter if the header gave none and the body gives one. The body is at most 64 KiB long
	// and not always JSON. ErrorOf may be nil.
	ErrorOf func(body []byte, e *StatusError)

	// RequestIDHeader is the header of an answer with the RequestID. It may be empty.
	RequestIDHeader string
}

// Client gets JSON from one API. It is safe for concurrent use. A process needs one Client for
// each API, because the rate and the hold after a 429 are the Client's.
type Client struct {
	config   Config
	dialect  Dialect
	base     string // Config.URL without a slash at its end
	tokens   *rate.Limiter
	throttle throttle
	close    func()
}

// New makes a Client. It sends nothing. Errors say what is wrong with the URL without quoting the
// URL, which may hold a password by mistake.
func New(config Config, dialect Dialect) (*Client, error) {
	u, err := url.Parse(config.URL)
	switch {
	case err != nil:
		return nil, errors.New("base url: cannot be read")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("base url: must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("base url: has no host")
	case u.User != nil:
		return nil, errors.New("base url: must not hold credentials")
	case strings.ContainsAny(config.URL, "?#"):
		return nil, errors.New("base url: must not have a query or a fragment")
	case !(config.RatePerS > 0) || math.IsInf(config.RatePerS, 0):
		return nil, errors.New("calls a second: must be above 0")
	case config.Secret == nil:
		return nil, ErrCredentials
	}
	c := &Client{
		config:  config,
		dialect: dialect,
		base:    strings.TrimRight(u.String(), "/"),
		tokens:  rate.NewLimiter(rate.Limit(config.RatePerS), int(math.Ceil(config.RatePerS/2))),
		close:   func() {},
	}
	if config.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = idleConnsMax
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		c.config.Transport = t
		c.close = t.CloseIdleConnections
	}
	return c, nil
}

// Close closes the idle connections of the Client's own transport.
func (c *Client) Close() { c.close() }

// Get returns the body of a 200: whole, at most BodyBytesMax, valid JSON in UTF-8. The caller must
// release the Answer before the caller asks for the next. Get retries
// transient failures within RetryFor. After a 429 it waits, with every other caller, for as long
// as the API asks and ctx lives. The package comment lists the errors.
func (c *Client) Get(ctx context.Context, e Endpoint) (Answer, error) {
	if e.err != nil {
		return Answer{}, e.err
	}
	retries := newRetries()
	answer, err := backoff.RetryWithData(
		func() (Answer, error) { return c.tryInTurn(ctx, e, retries) },
		backoff.WithContext(retries, ctx),
	)
	switch {
	case err == nil:
		c.throttle.clear()
		return answer, nil
	case isEndOf(ctx, err):
		return Answer{}, c.stopped(ctx, e, retries.lastErr)
	default:
		return Answer{}, err
	}
}

// isEndOf reports whether err says that ctx ended.
func isEndOf(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		return false
	}
	return errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))
}

// tryInTurn waits for a turn and makes one try. After a 429, tryInTurn holds every caller, waits
// and tries again.
func (c *Client) tryInTurn(ctx context.Context, e Endpoint, retries *retries) (Answer, error) {
	for {
		if err := c.waitForTurn(ctx); err != nil {
			return Answer{}, backoff.Permanent(err)
		}
		sent := time.Now()
		answer, took, err := c.try(ctx, e)
		if s, ok := errors.AsType[*StatusError](err); ok && s.Status == http.StatusTooManyRequests {
			retries.lastErr = err
			c.hold(sent, s.RetryAfter)
			continue
		}
		retries.left -= took
		if !isTransient(err) {
			return answer, backoff.Permanent(err)
		}
		retries.lastErr = err
		return Answer{}, err
	}
}

// waitForTurn returns when a try may start: there is no hold, and the try has a token.
// waitForTurn does not use rate.Limiter.Wait: if the deadline of ctx is too near, Wait returns its
// own error at once.
//
// If a hold begins during the wait for a token, the token is spent. Otherwise all callers with a
// token would start in the moment of the hold's end.
func (c *Client) waitForTurn(ctx context.Context) error {
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

func (c *Client) hold(sent time.Time, retryAfter time.Duration) {
	until, moved := c.throttle.hold(sent, retryAfter)
	if moved && c.config.OnHold != nil {
		c.config.OnHold(until)
	}
}

// stopped returns the error of a Get whose ctx ended, joined with the error of the last try.
func (c *Client) stopped(ctx context.Context, e Endpoint, lastErr error) error {
	if left := c.throttle.left(); left > 0 {
		lastErr = &StatusError{
			Endpoint:   e.Template,
			Status:     http.StatusTooManyRequests,
			RetryAfter: left,
		}
	}
	if lastErr == nil {
		return fmt.Errorf("get %s: %w", e.Template, endOf(ctx))
	}
	return fmt.Errorf("%w; given up: %w", lastErr, endOf(ctx))
}

// endOf returns why ctx ended, with the cause if the cause says more.
func endOf(ctx context.Context) error {
	err := ctx.Err()
	cause := context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
