package ingress

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// Publisher stores what was received.
type Publisher interface {
	// PublishEvent stores the event durably before it returns. duplicate: it was stored before. It tries again under the same id
	// until ctx ends. errors.Is(err, schema.ErrIDConflict): another body was stored before under its id.
	PublishEvent(ctx context.Context, e schema.Event) (duplicate bool, err error)
	// PublishQuarantined stores a signed webhook that is no event, as durably.
	PublishQuarantined(ctx context.Context, q schema.Quarantined) error
	// Ready reports an error until events can be stored: connected, the stream there and not nearly full.
	Ready(ctx context.Context) error
}

const routePrefix = "/webhooks/"

// receipt is what became of one webhook, as far as it came.
type receipt struct {
	provider  schema.Provider
	event     schema.Event
	duplicate bool
	// quarantined is why it went to quarantine, nil where it did not.
	quarantined error
}

// ServeHTTP answers one webhook, and tells the log and the metrics what became of it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx, span := s.tracer.Start(r.Context(), "webhook", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	got, err := s.accept(w, r.WithContext(ctx))
	a := statusOf(err)
	s.reply(w, r, got, a)
	span.SetAttributes(attribute.String("type", typeLabel(got.event)), attribute.Int("http.response.status_code", a.status))
	s.tell(got, a, err, time.Since(began))
}

// accept is the line: when it returns nil, the webhook is stored.
func (s *Server) accept(w http.ResponseWriter, r *http.Request) (receipt, error) {
	var got receipt
	var err error
	if got.provider, err = s.route(r); err != nil {
		return got, err
	}
	if !s.admit() {
		return got, errShed
	}
	defer s.release()

	in, err := s.read(w, r, got.provider)
	if err != nil {
		return got, err
	}
	if err := s.verify(in, r.RemoteAddr); err != nil {
		return got, err
	}
	// From here on the webhook is in our custody: nothing may end in anything but stored, quarantined or 503.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.limits.PublishFor)
	defer cancel()
	if got.event, err = webhook.Parse(in); err == nil {
		got.duplicate, err = s.publish(ctx, got.event)
	}
	if reason, ok := quarantineReason(err); ok {
		got.quarantined = err
		err = s.quarantine(ctx, in, reason)
	}
	return got, err
}

// route returns the provider that is served at the request's path, or why nothing is read from it.
func (s *Server) route(r *http.Request) (schema.Provider, error) {
	name, ok := strings.CutPrefix(r.URL.Path, routePrefix)
	p := schema.Provider(name)
	if ok {
		_, ok = s.secrets[p]
	}
	if !ok {
		return "", errRoute
	}
	if r.Method != http.MethodPost {
		return p, errMethod
	}
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return p, errEncoding // nothing is inflated for a stranger
		}
	}
	return p, nil
}

func (s *Server) admit() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		s.metrics.published.WithLabelValues(resultShed).Inc()
		return false
	}
}

func (s *Server) release() { <-s.slots }

func (s *Server) read(w http.ResponseWriter, r *http.Request, p schema.Provider) (webhook.Received, error) {
	if r.ContentLength > BodyBytesMax {
		return webhook.Received{}, fmt.Errorf("%w: %w", errBody, &http.MaxBytesError{Limit: BodyBytesMax})
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, BodyBytesMax))
	if err != nil {
		return webhook.Received{}, fmt.Errorf("%w: %w", errBody, err)
	}
	return webhook.Received{Provider: p, Header: r.Header, Body: body, At: time.Now()}, nil
}

func (s *Server) verify(in webhook.Received, remote string) error {
	secrets, err := s.secrets[in.Provider].Active()
	if err != nil {
		s.log.Error("secrets not taken", providerField(in.Provider), zap.Error(err))
	}
	if err := webhook.Verify(in, secrets, s.config.SignatureAgeMax); err != nil {
		if !s.forgeries.allow(remote, in.At) {
			return fmt.Errorf("%w: %w", errFlood, err)
		}
		return err
	}
	if at, ok := webhook.SignedAt(in); ok {
		s.metrics.skew.Observe(in.At.Sub(at).Seconds())
	}
	return nil
}

func (s *Server) publish(ctx context.Context, e schema.Event) (duplicate bool, err error) {
	e.TraceParent = traceParent(ctx)
	duplicate, err = s.publisher.PublishEvent(ctx, e)
	s.metrics.published.WithLabelValues(resultOf(duplicate, err)).Inc()
	return duplicate || errors.Is(err, schema.ErrIDConflict), err
}

func (s *Server) quarantine(ctx context.Context, in webhook.Received, reason schema.QuarantineReason) error {
	err := s.publisher.PublishQuarantined(ctx, schema.Quarantined{Provider: in.Provider, Reason: reason, ReceivedAt: in.At, Body: in.Body})
	if err == nil {
		s.metrics.quarantined.WithLabelValues(string(in.Provider), string(reason)).Inc()
	}
	return err
}

// traceParent is the webhook's trace, for whoever works on its event: that of its span, or one of its own where no spans are
// kept. The provider's is not joined: Pinwheel was seen to send one whose upper half is zero, and theirs is not ours to add to.
func traceParent(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		return fmt.Sprintf("00-%s-%s-%s", span.TraceID(), span.SpanID(), span.TraceFlags())
	}
	var id [24]byte
	_, _ = rand.Read(id[:]) // it never fails
	return fmt.Sprintf("00-%x-%x-01", id[:16], id[16:])
}

// What a request is refused for, besides a webhook.UnverifiedError.
var (
	errRoute    = errors.New("no provider is served at this path")
	errMethod   = errors.New("the method is not POST")
	errEncoding = errors.New("the body is encoded")
	errBody     = errors.New("read body")
	errFlood    = errors.New("too many requests fail verification")
	errShed     = errors.New("too many requests in hand")
)

// answer is what an HTTP client is told.
type answer struct {
	status int
	// reason is the label of wagewire_ingress_rejected_total, "" where nothing is rejected.
	reason string
	// retryAfter is when the sender should come again, 0 where it need not.
	retryAfter time.Duration
	// hangUp closes the connection: the body was not read to its end, and is not going to be.
	hangUp bool
	// quiet keeps what anyone can cause at any rate out of the log.
	quiet bool
}

// statusOf is the one table that turns an error into an answer. What it does not know came after verification: 503.
func statusOf(err error) answer {
	unverified, _ := errors.AsType[*webhook.UnverifiedError](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch unread := errors.Is(err, errBody); {
	case err == nil:
		return answer{status: http.StatusOK}
	case errors.Is(err, errRoute):
		return answer{status: http.StatusNotFound, reason: "route", hangUp: true, quiet: true}
	case errors.Is(err, errMethod):
		return answer{status: http.StatusMethodNotAllowed, reason: "method", hangUp: true, quiet: true}
	case errors.Is(err, errEncoding):
		return answer{status: http.StatusUnsupportedMediaType, reason: "encoding", hangUp: true}
	case unread && tooLarge:
		return answer{status: http.StatusRequestEntityTooLarge, reason: "too_large", hangUp: true}
	case unread && errors.Is(err, os.ErrDeadlineExceeded):
		return answer{status: http.StatusRequestTimeout, reason: "body_timeout", hangUp: true}
	case unread:
		return answer{status: http.StatusBadRequest, reason: "body_read", hangUp: true}
	case errors.Is(err, errFlood):
		return answer{status: http.StatusTooManyRequests, reason: "limited", retryAfter: RetryAfter, quiet: true}
	case unverified != nil:
		return answer{status: http.StatusUnauthorized, reason: unverified.Reason}
	case errors.Is(err, errShed):
		return answer{status: http.StatusServiceUnavailable, retryAfter: RetryAfter, hangUp: true}
	default:
		return answer{status: http.StatusServiceUnavailable, retryAfter: RetryAfter}
	}
}

// quarantineReason tells the errors that another try would meet again, and a person must look at.
func quarantineReason(err error) (schema.QuarantineReason, bool) {
	if unreadable, ok := errors.AsType[*webhook.UnreadableError](err); ok {
		return unreadable.Reason, true
	}
	return schema.QuarantineIDConflict, errors.Is(err, schema.ErrIDConflict)
}

// reply writes the answer. A refusal says no more than its status does.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, got receipt, a answer) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.limits.WriteFor)) // a recorder has none
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if a.status == http.StatusMethodNotAllowed {
		h.Set("Allow", http.MethodPost)
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(a.retryAfter.Seconds())))
	}
	if a.hangUp || s.isStopping() || len(r.TransferEncoding) > 0 {
		h.Set("Connection", "close")
	}
	var body any = struct {
		Error string `json:"error"`
	}{strings.ToLower(http.StatusText(a.status))}
	if a.status == http.StatusOK {
		body = struct {
			ID          string `json:"id"`
			Duplicate   bool   `json:"duplicate"`
			Quarantined bool   `json:"quarantined,omitempty"`
		}{got.event.ID, got.duplicate, got.quarantined != nil}
	}
	text, _ := json.Marshal(body) // strings and booleans always marshal
	w.WriteHeader(a.status)
	_, _ = w.Write(text) // a sender that hung up is told next time
}
