package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// The limits of a call.
const (
	// TryFor limits one try, from the dial to the last byte of the body.
	TryFor = 15 * time.Second
	// RetryFor limits the tries and pauses of one Get. No try starts later. A Get therefore ends
	// within RetryFor + TryFor. Holds, waits for a turn and tries answered 401 or 429 are not
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
	// PagesMax limits the pages of one list that Pages reads.
	PagesMax = 200

	// drainBytesMax is how much is read of an error's body and of an unwanted body. The
	// connection can be used again only after the body is read.
	drainBytesMax = 64 << 10
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

	// Pace says when a try may start. Nil: at once, and Get returns a 429 as any other error.
	Pace Pace

	// Answers limits the bytes of answers that all Clients of the process hold. Nil: no limit.
	Answers *Memory

	// Transport makes the calls; nil means a transport of the Client's own.
	Transport http.RoundTripper

	// OnCall, if not nil, is called after each try, with the ctx of its Get.
	OnCall func(ctx context.Context, c Call)

	// OnGet, if not nil, is called after each Get with its ctx and the time that the API took: the
	// tries, the pauses between them, and the holds in hand. Waits for a turn and for room in
	// Answers are not counted.
	OnGet func(ctx context.Context, took time.Duration)
}

// Call describes a try. It names no id, and not the secret.
type Call struct {
	Template string // the path without ids
	Host     string // of the API, without a port
	Port     int
	// Resent is how many tries of the same Get came before.
	Resent int
	// Status is 0 if no whole answer came.
	Status int
	Began  time.Time
	// Took is how long the try took, without the wait for room in Config.Answers.
	Took time.Duration
	// Err is the error of the try, nil after a 200.
	Err error
}

// Pace is the pace of the calls to one API. Clients in several processes may share it: see package
// pace.
type Pace interface {
	// Wait returns when a try may start. During a hold Wait returns at once how long the hold
	// lasts, and no try may start. The error is the cause of ctx's end.
	Wait(ctx context.Context) (held time.Duration, err error)
	// Hold begins a hold after an answer 429 to a try that started at sent. retryAfter is how long
	// the API asks to wait, 0 if it does not say.
	Hold(ctx context.Context, sent time.Time, retryAfter time.Duration)
	// Held returns how long the hold lasts. The result is not positive without a hold.
	Held() time.Duration
	// Succeeded is called after a try with an answer 200.
	Succeeded()
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

// Client gets JSON from one API. It is safe for concurrent use.
type Client struct {
	config  Config
	dialect Dialect
	base    string // Config.URL as baseOf reads it
	host    string
	port    int
	secrets secrets
	// header has the headers of the last call. It is nil before the first.
	header atomic.Pointer[secretHeader]
	// keepsHTTP1 is true if the connections kept from earlier calls are of HTTP/1.
	keepsHTTP1 atomic.Bool
	close      func()
}

// New makes a Client. It sends nothing. Errors say what is wrong with the URL without quoting the
// URL, which may hold a password by mistake.
func New(config Config, dialect Dialect) (*Client, error) {
	base, err := baseOf(config.URL)
	if err != nil {
		return nil, err
	}
	if config.Secrets == nil {
		return nil, ErrCredentials
	}
	host, port := hostOf(base)
	c := &Client{
		config:  config,
		dialect: dialect,
		base:    base,
		host:    host,
		port:    port,
		secrets: secrets{active: config.Secrets, reread: config.Reread},
		close:   func() {},
	}
	if config.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		// A connection is kept for every call that was under way at the same time, or some calls
		// would dial anew while all are busy. The hands of the process limit the number.
		t.MaxIdleConns = 0 // no limit
		t.MaxIdleConnsPerHost = math.MaxInt
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
// every user of the Pace for as long as the API asks: Get waits for the rest of a hold up to
// HoldInHandMax. If the rest is longer, Get returns a *StatusError 429 with the rest as RetryAfter,
// and sends nothing. The package comment lists the errors.
func (c *Client) Get(ctx context.Context, e Endpoint) (Answer, error) {
	if e.err != nil {
		return Answer{}, e.err
	}
	began := time.Now()
	retries := newRetries()
	answer, err := backoff.RetryWithData(
		func() (Answer, error) { return c.tryInTurn(ctx, e, retries) },
		backoff.WithContext(retries, ctx),
	)
	if c.config.OnGet != nil {
		c.config.OnGet(ctx, time.Since(began)-retries.ours)
	}
	switch {
	case err == nil:
		if c.config.Pace != nil {
			c.config.Pace.Succeeded()
		}
		return answer, nil
	case isEndOf(ctx, err):
		return Answer{}, c.stopped(ctx, e, retries.lastErr)
	default:
		return Answer{}, err
	}
}

// Change sends the fields as Send does, and drops the answer.
func (c *Client) Change(
	ctx context.Context, method string, e Endpoint, fields map[string]any,
) error {
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	answer, err := c.Send(ctx, method, e, body)
	if err != nil {
		return err
	}
	answer.Release()
	return nil
}

// Send sends a JSON body with a method that changes something, such as POST, and returns the body
// of a 200 or 201, as Get does. After a failure the change may have been made, so Send makes no
// second try, except after a 401 or 429: the API has then changed nothing. The errors are Get's.
func (c *Client) Send(
	ctx context.Context, method string, e Endpoint, body []byte,
) (Answer, error) {
	if e.err != nil {
		return Answer{}, e.err
	}
	e.change = &change{method, body}
	tries := newRetries()
	answer, err := c.tryInTurn(ctx, e, tries)
	if final, ok := errors.AsType[*backoff.PermanentError](err); ok {
		err = final.Unwrap()
	}
	switch {
	case err == nil:
		if c.config.Pace != nil {
			c.config.Pace.Succeeded()
		}
		return answer, nil
	case isEndOf(ctx, err):
		return Answer{}, c.stopped(ctx, e, tries.lastErr)
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

// tryInTurn waits for a turn and makes one try. After a 429, tryInTurn begins a hold, waits and
// tries again. After a 401, tryInTurn tries again with the next secret.
func (c *Client) tryInTurn(ctx context.Context, e Endpoint, retries *retries) (Answer, error) {
	for {
		secret, err := c.secrets.choose(retries.refused)
		if err != nil {
			return Answer{}, backoff.Permanent(fmt.Errorf("%s %s: %w", e.verb(), e.Template, err))
		}
		if secret == "" {
			return Answer{}, backoff.Permanent(retries.refusal)
		}
		if err := c.waitForTurn(ctx, e, retries); err != nil {
			return Answer{}, backoff.Permanent(err)
		}
		sent := time.Now()
		answer, took, err := c.try(ctx, e, secret, retries.sent)
		retries.sent++
		retries.ours += time.Since(sent) - took
		if s, ok := errors.AsType[*StatusError](err); ok {
			switch {
			case s.Status == http.StatusTooManyRequests && c.config.Pace != nil:
				retries.lastErr = err
				c.config.Pace.Hold(ctx, sent, s.RetryAfter)
				continue
			case s.Status == http.StatusUnauthorized:
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

// waitForTurn returns when a try may start. If the rest of a hold is longer than HoldInHandMax,
// waitForTurn returns a *StatusError 429 instead.
func (c *Client) waitForTurn(ctx context.Context, e Endpoint, retries *retries) error {
	if c.config.Pace == nil {
		return nil
	}
	for {
		began := time.Now()
		held, err := c.config.Pace.Wait(ctx)
		retries.ours += time.Since(began)
		switch {
		case err != nil:
			return err
		case held <= 0:
			return nil
		case held > HoldInHandMax:
			return throttled(e, held)
		}
		if err := sleep(ctx, held); err != nil {
			return err
		}
	}
}

// throttled returns the error of a call that is not made, because a hold lasts for left.
func throttled(e Endpoint, left time.Duration) *StatusError {
	return &StatusError{
		Endpoint:   e.Template,
		Method:     e.method(),
		Status:     http.StatusTooManyRequests,
		RetryAfter: left,
	}
}

// stopped returns the error of a Get whose ctx ended, joined with the error of the last try.
func (c *Client) stopped(ctx context.Context, e Endpoint, lastErr error) error {
	if c.config.Pace != nil {
		if left := c.config.Pace.Held(); left > 0 {
			lastErr = throttled(e, left)
		}
	}
	if lastErr == nil {
		return fmt.Errorf("%s %s: %w", e.verb(), e.Template, endOf(ctx))
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
