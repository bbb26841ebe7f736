package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// ErrCredentials is wrapped by Get's error when Config.Header gave no usable
// headers. Nothing was sent.
var ErrCredentials = errors.New("no credentials")

// StatusError is an answer with another status than 200. Redirects are such
// answers too: they are not followed.
type StatusError struct {
	Endpoint   string        // the template
	Status     int           // HTTP status, 300 or above
	Code       string        // the API's code, as Config.ErrorOf read it; may be empty
	Type       string        // the API's type, likewise
	Message    string        // the API's prose. It can quote anything, a person's data included: not for logs
	RetryAfter time.Duration // how long the API asked us to wait, at most RetryAfterMax; 0 when it did not
	RequestID  string        // the API's own name for this call, for its support; may be empty
}

// Error has the status, the code and the type, and never the message.
func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "get %s: status %d", e.Endpoint, e.Status)
	for _, word := range []string{e.Code, e.Type} {
		if isWord(word) {
			b.WriteString(" " + word)
		}
	}
	return b.String()
}

// isWord reports whether s looks like a code. A code that is really prose is
// treated like prose: not printed.
func isWord(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.", r)
	})
}

// NetworkError is the absence of a whole answer: the API could not be reached,
// did not answer within TryFor, or the connection ended before the body did.
//
// It wraps nothing. What the standard library returns for a dial that timed out
// also says that it is context.DeadlineExceeded, and that must mean the caller's.
type NetworkError struct {
	Endpoint string // the template
	Why      string // how it broke off, never what was received
}

func (e *NetworkError) Error() string { return fmt.Sprintf("get %s: %s", e.Endpoint, e.Why) }

// ContractError is a whole answer that is not what the API promises: not JSON,
// not the promised shape, too large, a list that does not end.
type ContractError struct {
	Endpoint string // the template
	Why      string // what is wrong, in fixed words: never what was received
}

func (e *ContractError) Error() string { return fmt.Sprintf("get %s: %s", e.Endpoint, e.Why) }

// transient reports whether the same call may well succeed a moment later.
func transient(err error) bool {
	if s, ok := errors.AsType[*StatusError](err); ok {
		return s.Status >= 500 || s.Status == http.StatusRequestTimeout
	}
	_, ok := errors.AsType[*NetworkError](err)
	return ok
}

// brokenOff says how an exchange broke off. Only errors known not to quote what
// was received are repeated: net/http quotes a malformed answer.
func brokenOff(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Error()
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return cert.Error()
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return record.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection cut"
	}
	return "connection broken"
}

// ended is how ctx ended, with the cause where that says more.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
