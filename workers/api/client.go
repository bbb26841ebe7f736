package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/time/rate"
)

// The limits of a call.
const (
	// TryFor limits one try, from the dial to the last byte of the body.
	TryFor = 15 * time.Second
	// RetryFor limits the tries and pauses of one Get. No try starts later. A Get therefore ends
	// within RetryFor + TryFor. Holds, waits for a token and tries answered 401 or 429 are not
	// counted.
	RetryFor = 20 * time.Second
	// HoldInHandMax is the longest rest of a hold for which a Get waits.
	HoldInHandMax = 5 * time.Second
	// RetryAfterMax is the longest hold an API can ask for.
	RetryAfterMax = 15 * time.Minute
	// BodyBytesMax limits the body of an answer after decompression.
	BodyBytesMax = 16 << 20
	// DepthMax limits how deeply the objects and arrays of an answer are nested.
	DepthMax = 64
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
	// query, fragment or space. A path is allowed. Slashes at its end, doubled slashes and a last
	// segment v1 make no difference.
	URL string

	// Secrets returns the API's active secrets, at least one. Get calls Secrets before each try,
	// and so uses a secret changed on disk at once. The secret of the last success is tried
	// first, then the others in order. A try answered 401 is made again with the next secret.
	Secrets func() ([]string, error)

	// Reread, if not nil, reads the secrets where they are kept, at once. Get calls Reread when the
	// API has refused every active secret, because another may have been added a moment ago.
	Reread func() ([]string, error)

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

	// Codes are the words that an error's Code and Type can have. A StatusError has a hash in the
	// place of any other word, because the API chooses the word, and a log repeats it.
	Codes []string

	// RequestIDHeader is the header of an answer with the RequestID. It may be empty.
	RequestIDHeader string
}

// Client gets JSON from one API. It is safe for concurrent use. A process needs one Client for
// each API, because the rate and the hold after a 429 are the Client's.
type Client struct {
	config   Config
	dialect  Dialect
	base     string // Config.URL as baseOf reads it
	secrets  secrets
	tokens   *rate.Limiter
	throttle throttle
	close    func()
}

// New makes a Client. It sends nothing. Errors say what is wrong with the URL without quoting the
// URL, which may hold a password by mistake.
func New(config Config, dialect Dialect) (*Client, error) {
	base, err := baseOf(config.URL)
	if err != nil {
		return nil, err
	}
	if !(config.RatePerS > 0) || math.IsInf(config.RatePerS, 0) {
		return nil, errors.New("calls a second: must be above 0")
	}
	if config.Secrets == nil {
		return nil, ErrCredentials
	}
	c := &Client{
		config:  config,
		dialect: dialect,
		base:    base,
		secrets: secrets{active: config.Secrets, reread: config.Reread},
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

// Get returns the body of a 200: whole, at most BodyBytesMax, valid JSON in UTF-8, nested at most
// DepthMax deep. The caller must release the Answer before the caller asks for the next. Get
// retries transient failures within RetryFor. After a 401, Get tries the other secrets. A 429 holds
// every caller of the Client for as long as the API asks: Get waits for the rest of a hold up to
// HoldInHandMax. If the rest is longer, Get returns a *StatusError 429 with the rest as RetryAfter,
// and sends nothing. The package comment lists the errors.
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
// and tries again. After a 401, tryInTurn tries again with the next secret.
func (c *Client) tryInTurn(ctx context.Context, e Endpoint, retries *retries) (Answer, error) {
	for {
		secret, err := c.secrets.choose(retries.refused)
		if err != nil {
			return Answer{}, backoff.Permanent(fmt.Errorf("get %s: %w", e.Template, err))
		}
		if secret == "" {
			return Answer{}, backoff.Permanent(retries.refusal)
		}
		if err := c.waitForTurn(ctx, e); err != nil {
			return Answer{}, backoff.Permanent(err)
		}
		sent := time.Now()
		answer, took, err := c.try(ctx, e, secret)
		if s, ok := errors.AsType[*StatusError](err); ok {
			switch s.Status {
			case http.StatusTooManyRequests:
				retries.lastErr = err
				c.hold(sent, s.RetryAfter)
				continue
			case http.StatusUnauthorized:
				retries.refusal = err
				retries.refused = append(retries.refused, secret)
				continue
			}
		}
		if err == nil {
			c.secrets.remember(secret)
		}
		retries.left -= took
		if !isTransient(err) {
			return answer, backoff.Permanent(err)
		}
		retries.lastErr = err
		return Answer{}, err
	}
}

// waitForTurn returns when a try may start: there is no hold, and the try has a token. If the rest
// of a hold is longer than HoldInHandMax, waitForTurn returns a *StatusError 429 instead.
// waitForTurn does not use rate.Limiter.Wait: if the deadline of ctx is too near, Wait returns its
// own error at once.
//
// If a hold begins during the wait for a token, the token is spent. Otherwise all callers with a
// token would start in the moment of the hold's end.
func (c *Client) waitForTurn(ctx context.Context, e Endpoint) error {
	for {
		left := c.throttle.left()
		if left > HoldInHandMax {
			return throttled(e, left)
		}
		if err := sleep(ctx, left); err != nil {
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

// throttled returns the error of a call that is not made, because a hold lasts for left.
func throttled(e Endpoint, left time.Duration) *StatusError {
	return &StatusError{
		Endpoint:   e.Template,
		Status:     http.StatusTooManyRequests,
		RetryAfter: left,
	}
}

// stopped returns the error of a Get whose ctx ended, joined with the error of the last try.
func (c *Client) stopped(ctx context.Context, e Endpoint, lastErr error) error {
	if left := c.throttle.left(); left > 0 {
		lastErr = throttled(e, left)
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
