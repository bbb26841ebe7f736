package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/fake/signature"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

const (
	// responseFor is how long Pinwheel waits for a response. Truv waits 10 s.
	responseFor      = 15 * time.Second
	responseBytesMax = 64 << 10
	// hooksPath is the path of ingress that the provider's name follows.
	hooksPath = "/webhooks/"
)

// request is a webhook to send.
type request struct {
	provider schema.Provider
	body     []byte
	url      string
	secret   schema.Secret
	backfill bool
	// label stands in front of each printed response.
	label string
}

// sendTimes sends the webhook so often and prints each response. An error says how many webhooks
// ingress did not store.
func (r request) sendTimes(ctx context.Context, stdout io.Writer, times int) error {
	client := &http.Client{
		Timeout: responseFor,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	defer client.CloseIdleConnections()
	lost := 0
	advice := ""
	for range times {
		got, err := r.send(ctx, client)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(stdout, r.label+got.String()); err != nil {
			return err
		}
		if !got.isStored() {
			lost++
			advice = r.advise(got)
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d of %d not stored%s", lost, times, advice)
	}
	return nil
}

// advise is the advice about a webhook that is not stored. An address without the path of ingress
// is the likeliest cause of 404.
func (r request) advise(got response) string {
	hasPath := strings.HasSuffix(r.url, hooksPath+string(r.provider))
	if got.status == http.StatusNotFound && !hasPath {
		return fmt.Sprintf(": %s has no path /webhooks: see --url, which is %s by default", r.url,
			urlDefault)
	}
	return got.advice(r.provider)
}

// send signs the webhook with the present time, and posts the webhook.
func (r request) send(ctx context.Context, client *http.Client) (response, error) {
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return response{}, err
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("User-Agent", program)
	if r.backfill {
		post.Header.Set(schema.BackfillHeader, schema.BackfillTrue)
	}
	scheme, ok := signature.Of(string(r.provider))
	if !ok {
		return response{}, fmt.Errorf("nobody knows how %s signs: add it to "+
			"deploy/fake/signature/signature.go", r.provider)
	}
	scheme.Sign(post.Header, r.secret.Reveal(), time.Now(), r.body)
	began := time.Now()
	got, err := client.Do(post)
	if err != nil {
		return response{}, fmt.Errorf("no answer from %s: %w: is ingress there? see --url",
			r.url, withoutURL(err))
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, responseBytesMax))
	if err != nil {
		return response{}, fmt.Errorf("read the answer of %s: %w", r.url, err)
	}
	answer := newResponse(got.StatusCode, body, time.Since(began))
	answer.retryAfter = got.Header.Get("Retry-After")
	return answer, nil
}

// withoutURL is the cause of an error of an HTTP client. url.Error repeats the method and the
// address.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// response is a response to a webhook, from ingress or from another server at the address.
type response struct {
	status     int
	retryAfter string
	took       time.Duration
	// isIngress: the body is as ingress writes it.
	isIngress bool
	body      struct {
		ID          *string `json:"id"`
		Duplicate   bool    `json:"duplicate"`
		Quarantined bool    `json:"quarantined"`
		Error       string  `json:"error"`
	}
}

func newResponse(status int, body []byte, took time.Duration) response {
	r := response{status: status, took: took}
	err := json.Unmarshal(body, &r.body)
	r.isIngress = err == nil && (r.body.ID != nil || r.body.Error != "")
	return r
}

// isStored reports whether Wagewire has stored the webhook.
func (r response) isStored() bool {
	return r.status == http.StatusOK && r.isIngress && r.body.ID != nil
}

// String is the line of the response: 200 id=… duplicate=false took=3ms.
func (r response) String() string {
	var b strings.Builder
	fmt.Fprint(&b, r.status)
	switch {
	case r.isStored():
		id := cmp.Or(plain.Word(*r.body.ID), "-")
		fmt.Fprintf(&b, " id=%s duplicate=%t", id, r.body.Duplicate)
		if r.body.Quarantined {
			fmt.Fprint(&b, " quarantined")
		}
	case r.body.Error != "":
		fmt.Fprintf(&b, " error=%q", r.body.Error)
	}
	if r.retryAfter != "" {
		fmt.Fprintf(&b, " retry-after=%s", plain.Word(r.retryAfter))
	}
	fmt.Fprintf(&b, " took=%s", r.took.Round(100*time.Microsecond))
	return b.String()
}

// advice is ": " and the advice for an operator about a webhook that is not stored.
func (r response) advice(p schema.Provider) string {
	switch {
	case !r.isIngress:
		return ": the answer is not from ingress: see --url"
	case r.status == http.StatusUnauthorized:
		return ": ingress does not know the secret, or a clock is wrong"
	case r.status == http.StatusNotFound:
		return fmt.Sprintf(": ingress does not serve %s there: set %s for it, or see --url",
			p, p.Variable("SECRETS_FILE"))
	case r.status == http.StatusServiceUnavailable:
		return ": ingress could not store it: see its /readyz and log"
	default:
		return ""
	}
}
