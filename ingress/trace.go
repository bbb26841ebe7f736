package ingress

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// routeOfWebhooks is the path of every webhook, with a name for the part that differs.
const routeOfWebhooks = "/webhooks/{provider}"

// startSpan begins the span of a verified webhook. The span names the provider and the route, and
// nothing else of the request: not the sender's address, and no header.
func (s *Server) startSpan(
	ctx context.Context, p schema.Provider, began time.Time,
) (context.Context, trace.Span) {
	if process.IsOff(s.tracer) {
		return ctx, trace.SpanFromContext(ctx)
	}
	return s.tracer.Start(ctx, http.MethodPost+" "+routeOfWebhooks,
		trace.WithTimestamp(began),
		trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			semconv.HTTPRequestMethodPost,
			semconv.HTTPRoute(routeOfWebhooks),
			semconv.URLScheme("http"), // whoever ends TLS stands before ingress
			semconv.URLPath("/webhooks/"+string(p)),
			attribute.String("provider", string(p)),
		))
}

// endSpan ends the span of a webhook, if the webhook has one.
func endSpan(got receipt, resp response) {
	if got.span == nil || !got.span.IsRecording() {
		return
	}
	errorType := ""
	if resp.status >= http.StatusInternalServerError {
		errorType = strconv.Itoa(resp.status)
	}
	process.EndSpan(got.span, errorType,
		attribute.String("type", typeLabel(got.event)),
		semconv.HTTPResponseStatusCode(resp.status))
}

// startSend begins the span of a publish.
func (s *Server) startSend(
	ctx context.Context, template string,
) (context.Context, trace.Span) {
	return process.StartMessageSpan(ctx, s.tracer, process.Send, template)
}

// endSend ends the span of a publish that ended with err.
func endSend(span trace.Span, err error) {
	errorType := ""
	if err != nil {
		errorType = resultOf(false, err)
	}
	process.EndSpan(span, errorType)
}

// traceParent returns the webhook's trace, for everyone who works on the event: the trace of the
// span, or a new trace if no spans are kept. A webhook does not join the provider's trace. Pinwheel
// was seen to send a trace id whose upper half is zero, and the provider's trace is not ours to
// extend.
func traceParent(ctx context.Context) string {
	if parent := process.TraceParent(ctx); parent != "" {
		return parent
	}
	var ids [24]byte
	_, _ = rand.Read(ids[:]) // never fails
	text := append(make([]byte, 0, len("00---01")+hex.EncodedLen(len(ids))), "00-"...)
	text = append(hex.AppendEncode(text, ids[:16]), '-')
	return string(append(hex.AppendEncode(text, ids[16:]), "-01"...))
}
