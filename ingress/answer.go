package ingress

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// The reasons to refuse a request, besides a webhook.UnverifiedError. errEncoded and errFlood wrap
// an UnverifiedError. errEncoded alone sends a signed webhook to quarantine.
var (
	errRoute   = errors.New("no provider is served at this path")
	errMethod  = errors.New("the method is not POST")
	errBody    = errors.New("read body")
	errEncoded = errors.New("the body is encoded")
	errFlood   = errors.New("too many requests fail verification")
	errShed    = errors.New("too many requests in hand")
)

// response is the answer to a request.
type response struct {
	status int
	// reason is the label of wagewire_ingress_rejected_total, "" if nothing is rejected.
	reason string
	// retryAfter is how long the sender should wait before the next try, 0 if no try is needed.
	retryAfter time.Duration
	// hangUp closes the connection: the rest of the body is never read, or the request is not
	// verified. Another request without a signature costs its sender another connection.
	hangUp bool
}

// responseFor is the only table from errors to answers. An error that is not in the table came
// after verification: 503.
func responseFor(err error) response {
	if unverified, ok := errors.AsType[*webhook.UnverifiedError](err); ok {
		return responseForUnverified(err, unverified.Reason)
	}
	unread := errors.Is(err, errBody)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
		return response{status: http.StatusOK}
	case errors.Is(err, errRoute):
		return response{status: http.StatusNotFound, reason: "route", hangUp: true}
	case errors.Is(err, errMethod):
		return response{status: http.StatusMethodNotAllowed, reason: "method", hangUp: true}
	case unread && tooLarge:
		return response{status: http.StatusRequestEntityTooLarge, reason: "too_large", hangUp: true}
	case unread && (errors.Is(err, errCutOff) || errors.Is(err, net.ErrClosed)):
		// The connection is closed: nobody reads the answer.
		return response{status: http.StatusRequestTimeout, reason: "cut_off", hangUp: true}
	case unread && errors.Is(err, os.ErrDeadlineExceeded):
		return response{status: http.StatusRequestTimeout, reason: "body_timeout", hangUp: true}
	case unread:
		return response{status: http.StatusBadRequest, reason: "body_read", hangUp: true}
	default:
		return response{status: http.StatusServiceUnavailable, retryAfter: RetryAfter}
	}
}

// responseForUnverified is the part of the table for requests whose signature is not right.
func responseForUnverified(err error, reason string) response {
	switch {
	case errors.Is(err, errFlood):
		return response{
			status: http.StatusTooManyRequests, reason: "limited",
			retryAfter: RetryAfter, hangUp: true,
		}
	case errors.Is(err, errEncoded):
		return response{status: http.StatusUnsupportedMediaType, reason: "encoding", hangUp: true}
	default:
		return response{status: http.StatusUnauthorized, reason: reason, hangUp: true}
	}
}

// quarantineReason reports whether the error sends the signed webhook to quarantine: another try
// would meet the same error, and a person must look at the webhook.
func quarantineReason(err error) (reason schema.QuarantineReason, ok bool) {
	unreadable, isUnreadable := errors.AsType[*webhook.UnreadableError](err)
	switch {
	case isUnreadable:
		return unreadable.Reason, true
	case errors.Is(err, errEncoded):
		return schema.QuarantineEncoding, true
	case errors.Is(err, webhook.ErrStale):
		return schema.QuarantineStale, true
	case errors.Is(err, schema.ErrIDConflict):
		return schema.QuarantineIDConflict, true
	default:
		return "", false
	}
}

// accepted is the body of a 200.
type accepted struct {
	ID          string `json:"id"`
	Duplicate   bool   `json:"duplicate"`
	Quarantined bool   `json:"quarantined,omitempty"`
}

// refused is the body of any other status. It says no more than the status does.
type refused struct {
	Error string `json:"error"`
}

// writeResponse sends the answer.
func (s *Server) writeResponse(w http.ResponseWriter, r *http.Request, got receipt, resp response) {
	deadline := time.Now().Add(s.limits.WriteFor)
	_ = http.NewResponseController(w).SetWriteDeadline(deadline) // a test's recorder has none
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if resp.status == http.StatusMethodNotAllowed {
		h.Set("Allow", http.MethodPost)
	}
	if resp.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(resp.retryAfter.Seconds())))
	}
	if resp.hangUp || s.isStopping() || len(r.TransferEncoding) > 0 {
		h.Set("Connection", "close")
	}
	text, _ := json.Marshal(bodyOf(got, resp)) // strings and booleans always marshal
	w.WriteHeader(resp.status)
	_, _ = w.Write(text) // after a hang-up the sender tries again
}

// bodyOf returns the body of the answer.
func bodyOf(got receipt, resp response) any {
	if resp.status == http.StatusOK {
		return accepted{got.event.ID, got.duplicate, got.quarantined != nil}
	}
	return refused{strings.ToLower(http.StatusText(resp.status))}
}
