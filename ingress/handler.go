package ingress

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// Publisher stores webhooks.
type Publisher interface {
	// PublishEvent stores the event durably before it returns. duplicate is true if the event was
	// stored before. PublishEvent repeats its tries under the same id until ctx ends. The error is
	// schema.ErrIDConflict if another body was stored before under the event's id.
	PublishEvent(ctx context.Context, e schema.Event) (duplicate bool, err error)
	// PublishQuarantined stores a signed webhook that cannot be an event now, as durably.
	PublishQuarantined(ctx context.Context, q schema.Quarantined) error
	// Ready returns an error until events can be stored: the connection is up, the stream exists
	// and is not nearly full.
	Ready(ctx context.Context) error
}

// receipt is what accept has learned about a webhook. Fields of steps that were not reached are
// zero.
type receipt struct {
	provider  schema.Provider
	event     schema.Event
	duplicate bool
	// quarantined is the reason for quarantine, nil if the webhook is not in quarantine.
	quarantined error
	// span is nil until the webhook is verified.
	span trace.Span
}

// ServeHTTP accepts a webhook, answers, counts and logs.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	got, err := s.accept(w, r, began)
	resp := responseFor(err)
	s.writeResponse(w, r, got, resp)
	took := time.Since(began)
	s.metrics.countWebhook(got, resp, took)
	if resp.reason != "" {
		s.refusals.count(resp.reason)
	}
	s.logWebhook(got, resp, err, took)
	endSpan(got, resp)
}

// accept is the line: if accept returns nil, the webhook is stored, as an event or in quarantine.
// Until receive returns, nothing is known of the sender.
func (s *Server) accept(
	w http.ResponseWriter, r *http.Request, began time.Time,
) (receipt, error) {
	var got receipt
	var err error
	got.provider, err = s.route(r)
	if err != nil {
		return got, err
	}
	in, err := s.receive(w, r, got.provider)
	if err != nil {
		return got, err
	}
	// From here on the webhook is in our custody: it must end stored, in quarantine or with a 503.
	// A sender that hangs up does not end the publish.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.limits.PublishFor)
	defer cancel()
	ctx, got.span = s.startSpan(ctx, got.provider, began)
	if !s.hand.take(in.Body) {
		s.metrics.published.WithLabelValues(resultShed).Inc()
		return got, errShed
	}
	defer s.hand.giveBack(in.Body)
	got.event, err = s.readEvent(in)
	if err == nil {
		got.duplicate, err = s.publish(ctx, got.event)
	}
	if reason, ok := quarantineReason(err); ok {
		got.quarantined = err
		err = s.quarantine(ctx, in, reason)
	}
	return got, err
}

// route returns the provider that is served at the request's path, or the reason to refuse the
// request before the body is read.
func (s *Server) route(r *http.Request) (schema.Provider, error) {
	p := providerAt(r.URL.Path)
	if s.secrets[p] == nil {
		return "", errRoute
	}
	if r.Method != http.MethodPost {
		return p, errMethod
	}
	return p, nil
}

// providerAt returns the provider that a path names, or "" if it names none. Letter case and
// further slashes do not matter, because a person who gives the URL to a provider takes such URLs
// for the same. Dots in the path are not resolved.
func providerAt(path string) schema.Provider {
	first, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	name := strings.Trim(rest, "/")
	if strings.ToLower(first) != "webhooks" || strings.Contains(name, "/") {
		return ""
	}
	return schema.Provider(strings.ToLower(name))
}

// isEncoded reports whether a body has a content encoding other than identity.
func isEncoded(h http.Header) bool {
	values := h.Values("Content-Encoding")
	if len(values) == 0 {
		return false
	}
	codings := strings.Split(strings.Join(values, ","), ",")
	return slices.ContainsFunc(codings, func(coding string) bool {
		coding = strings.TrimSpace(coding)
		return coding != "" && !strings.EqualFold(coding, "identity")
	})
}

// refusal counts a request that is not signed, and adds to the error what else is to be answered.
func (s *Server) refusal(h http.Header, peer netip.Prefix, err error) error {
	switch {
	case !s.forgeries.allow(peer, time.Now()):
		return fmt.Errorf("%w: %w", errFlood, err)
	case isEncoded(h):
		return fmt.Errorf("%w: %w", errEncoded, err)
	default:
		return err
	}
}

func (s *Server) verify(in webhook.Received, peer netip.Prefix) error {
	err := s.verifySignature(in)
	if err == nil || webhook.IsMismatch(err) {
		s.sightings[in.Provider].signatures.Note(err == nil)
	}
	if err != nil {
		return s.refusal(in.Header, peer, err)
	}
	return nil
}

// verifySignature verifies with the active secrets. If none of them signed the webhook, the file of
// secrets is read again at once: a new secret may have been added a moment ago.
func (s *Server) verifySignature(in webhook.Received) error {
	file := s.secrets[in.Provider]
	secrets, fault := file.Active()
	s.logSecretsFault(in.Provider, fault)
	err := webhook.Verify(in, secrets)
	if !webhook.IsMismatch(err) {
		return err
	}
	secrets, changed, fault := file.Reload(secrets)
	s.logSecretsFault(in.Provider, fault)
	if !changed {
		return err
	}
	return webhook.Verify(in, secrets)
}

// readEvent reads the event of a signed webhook. Every error is a reason for quarantine. With
// webhook.ErrStale the event is there too.
func (s *Server) readEvent(in webhook.Received) (schema.Event, error) {
	stale := s.checkAge(in)
	if isEncoded(in.Header) {
		return schema.Event{}, errEncoded
	}
	event, err := webhook.Parse(in)
	if err != nil {
		return schema.Event{}, err
	}
	event.Backfill = in.Header.Get(schema.BackfillHeader) == schema.BackfillTrue
	return event, stale
}

// checkAge returns webhook.ErrStale if the signed date is too far from our clock.
func (s *Server) checkAge(in webhook.Received) error {
	at, ok := webhook.SignedAt(in)
	if !ok {
		return nil
	}
	age := in.At.Sub(at)
	err := webhook.CheckAge(age, s.config.Providers[in.Provider].SignatureAgeMax)
	s.metrics.skew.Observe(age.Seconds())
	s.sightings[in.Provider].noteDate(age, err == nil)
	return err
}

func (s *Server) publish(ctx context.Context, e schema.Event) (duplicate bool, err error) {
	ctx, span := s.startSend(ctx, schema.EventsTemplate)
	e.TraceParent = traceParent(ctx)
	duplicate, err = s.publisher.PublishEvent(ctx, e)
	endSend(span, err)
	s.metrics.published.WithLabelValues(resultOf(duplicate, err)).Inc()
	isConflict := errors.Is(err, schema.ErrIDConflict)
	s.sightings[e.Provider].stored.Note(err == nil || isConflict)
	return duplicate || isConflict, err
}

func (s *Server) quarantine(
	ctx context.Context, in webhook.Received, reason schema.QuarantineReason,
) error {
	ctx, span := s.startSend(ctx, schema.QuarantineTemplate)
	err := s.publisher.PublishQuarantined(ctx, schema.Quarantined{
		Provider:   in.Provider,
		Reason:     reason,
		ReceivedAt: in.At,
		Body:       in.Body,
	})
	endSend(span, err)
	if err == nil {
		s.metrics.quarantined.WithLabelValues(string(in.Provider), string(reason)).Inc()
	}
	return err
}
