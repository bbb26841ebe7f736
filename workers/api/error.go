package api

import (
	"crypto/tls"
	"crypto/x509"
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
	Method   string // of a Send; empty for a Get
	Status   int    // HTTP status, 300 or above
	Code     string // the API's code: a word of Dialect.Codes or a hash; may be empty
	Type     string // the API's type: a word of Dialect.Codes or a hash; may be empty
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
	fmt.Fprintf(&b, "%s %s: status %d", verbOf(e.Method), e.Endpoint, e.Status)
	for _, word := range []string{e.Code, e.Type} {
		if word != "" {
			b.WriteString(" " + word)
		}
	}
	return b.String()
}

// IsNotFound reports whether the error is an API's 404: the API knows nothing of a name in the
// path, or of a page.
func IsNotFound(err error) bool {
	status, ok := errors.AsType[*StatusError](err)
	return ok && status.Status == http.StatusNotFound
}

// NetworkError is the absence of a whole answer: the API could not be reached or did not answer
// within TryFor, or the connection ended before the body did.
//
// NetworkError wraps nothing. The standard library's error for a dial time-out is also a
// context.DeadlineExceeded, and only the end of the caller's ctx may be one.
type NetworkError struct {
	Endpoint string // the template
	Method   string // of a Send; empty for a Get
	Why      string // how the exchange broke; holds nothing received
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("%s %s: %s", verbOf(e.Method), e.Endpoint, e.Why)
}

// ContractError is a whole answer against the API's promise: not JSON, another shape, too large, a
// list that does not end.
type ContractError struct {
	Endpoint string // the template
	Method   string // of a Send; empty for a Get
	Why      string // the mistake in fixed words; holds nothing received
}

func (e *ContractError) Error() string {
	return fmt.Sprintf("%s %s: %s", verbOf(e.Method), e.Endpoint, e.Why)
}

// verbOf is the word for a call in errors.
func verbOf(method string) string {
	if method == "" {
		return "get"
	}
	return strings.ToLower(method)
}

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
		return "tls: " + describeCertificate(cert.Err)
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return record.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection cut"
	}
	return "connection broken"
}

// describeCertificate says why a certificate was not accepted. The names in the certificate are
// left out, because the other side of the connection chooses them.
func describeCertificate(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another host"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate is signed by an unknown authority"
	}
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	if ok && invalid.Reason == x509.Expired {
		return "the certificate has expired or is not yet valid"
	}
	return "the certificate cannot be verified"
}
