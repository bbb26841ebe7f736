package forward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"

	"github.com/wagewire/wagewire/schema"
)

// RefusedError means that the program has not stored the completion.
type RefusedError struct {
	// Status is the status of the answer, 0 without an answer.
	Status int
	// Reason says what may be wrong, and what to do.
	Reason string
	// IsUnreachable is true if there was no connection to the program: it got nothing.
	IsUnreachable bool
}

// Error is the status and the reason.
func (r *RefusedError) Error() string {
	if r.Status == 0 {
		return "no answer: " + r.Reason
	}
	return fmt.Sprintf("answer %d: %s", r.Status, r.Reason)
}

// reasonEarly is the reason against a 2xx to a part of a completion.
const reasonEarly = "the program answered before the whole completion was sent: read the body first"

// refusalOf returns the refusal that an answer is, nil for 2xx.
func refusalOf(status int) error {
	if status/100 == 2 {
		return nil
	}
	return &RefusedError{Status: status, Reason: reasonOf(status)}
}

func reasonOf(status int) string {
	switch {
	case status/100 == 3:
		return "a redirect is not followed: give the address to which it leads"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "the program wants credentials: http://user:password@… sends some"
	case status == http.StatusNotFound:
		return "is the path right?"
	case status == http.StatusMethodNotAllowed:
		return "the program takes no POST there: is the path right?"
	case status == http.StatusRequestEntityTooLarge:
		return "the body is too large for the program: raise the program's limit"
	case status == http.StatusUnsupportedMediaType:
		return "the program does not take bodies of " + schema.CloudEventsJSON
	case status/100 == 4:
		return "the program does not take the completion: see the program's log"
	case status/100 == 5:
		return "the program failed: see the program's log"
	default:
		return "only 2xx means that the completion is stored"
	}
}

// noAnswer returns the refusal that an error of a request is.
func (t *Target) noAnswer(err error) *RefusedError {
	dial, isDial := errors.AsType[*net.OpError](err)
	return &RefusedError{
		Reason:        t.reasonWithout(err),
		IsUnreachable: isDial && dial.Op == "dial",
	}
}

func (t *Target) reasonWithout(err error) string {
	host := t.address.Host
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, errLate):
		return fmt.Sprintf("nothing came within %s", t.answerFor)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: does a program listen on " + host + "?"
	case isDNS && dns.IsNotFound:
		return "there is no host " + t.address.Hostname()
	case isClosed(err):
		return "the program closed the connection: did it crash?"
	default:
		return withoutURL(err).Error()
	}
}

// isClosed reports whether the program closed the connection in the middle of a request.
func isClosed(err error) bool {
	ends := []error{
		io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed,
	}
	return slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) })
}

// withoutURL is the cause of an error of an HTTP client. url.Error repeats the address, with its
// password.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
