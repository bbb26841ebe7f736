package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// ErrCredentials is wrapped by Get's error if there is no secret or the secret does not fit in a
// header. Nothing was sent.
var ErrCredentials = errors.New("no credentials")

// StatusError is an answer with another status than 200. A redirect is not followed, and so is a
// StatusError too.
type StatusError struct {
	Endpoint string // the template
	Status   int    // HTTP status, 300 or above
	Code     string // the API's code, as Dialect.ErrorOf read it; may be empty
	Type     string // the API's type, as Dialect.ErrorOf read it; may be empty
	// Message is the API's prose. Prose can quote personal data: not for logs.
	Message string
	// RetryAfter is how long the API asks to wait, at most RetryAfterMax; 0 if the API does not
	// ask.
	RetryAfter time.Duration
	// RequestID is the API's name for the call, for questions to its support; may be empty.
	RequestID string
}

// Error returns the status, the code and the type, and never the message.
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

// isWord reports whether s looks like a code. Prose in the place of a code is not printed,
// because prose can quote personal data.
func isWord(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		isLetter := (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
		isDigit := r >= '0' && r <= '9'
		return !isLetter && !isDigit && !strings.ContainsRune("_-.", r)
	})
}

// NetworkError is the absence of a whole answer: the API could not be reached or did not answer
// within TryFor, or the connection ended before the body did.
//
// NetworkError wraps nothing. The standard library's error for a dial time-out is also a
// context.DeadlineExceeded, and only the end of the caller's ctx may be one.
type NetworkError struct {
	Endpoint string // the template
	Why      string // how the exchange broke; holds nothing received
}

func (e *NetworkError) Error() string { return fmt.Sprintf("get %s: %s", e.Endpoint, e.Why) }

// ContractError is a whole answer against the API's promise: not JSON, another shape, too large, a
// list that does not end.
type ContractError struct {
	Endpoint string // the template
	Why      string // the mistake in fixed words; holds nothing received
}

func (e *ContractError) Error() string { return fmt.Sprintf("get %s: %s", e.Endpoint, e.Why) }

// isTransient reports whether the same call may succeed a moment later.
func isTransient(err error) bool {
	if s, ok := errors.AsType[*StatusError](err); ok {
		return s.Status >= 500 || s.Status == http.StatusRequestTimeout
	}
	_, ok := errors.AsType[*NetworkError](err)
	return ok
}

// describeBreak says how an exchange broke. It repeats only errors that are known to quote
// nothing received. net/http, for example, quotes a malformed answer.
func describeBreak(err error) string {
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
