package process

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Operation is what a span about a message does with the message.
type Operation string

// The operations, as OpenTelemetry's messaging conventions have them.
const (
	// Send is the publish of a message.
	Send Operation = "send"
	// Process is the work with a message.
	Process Operation = "process"
	// Settle tells the broker that the work has ended.
	Settle Operation = "settle"
)

func (o Operation) kind() trace.SpanKind {
	switch o {
	case Send:
		return trace.SpanKindProducer
	case Process:
		return trace.SpanKindConsumer
	default:
		return trace.SpanKindClient
	}
}

// StartMessageSpan begins a span about a message, named for example "send wagewire.events".
// template is the subject of the message with names in braces for the tokens that differ, such as
// "wagewire.events.{provider}": the subject itself names an account. EndSpan ends the span.
func StartMessageSpan(
	ctx context.Context, tracer trace.Tracer, o Operation, template string,
	options ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	if IsOff(tracer) {
		return ctx, trace.SpanFromContext(ctx)
	}
	place, _, _ := strings.Cut(template, ".{")
	options = append(options,
		trace.WithSpanKind(o.kind()),
		trace.WithAttributes(
			semconv.MessagingSystemKey.String("nats"), // the conventions have no NATS yet
			semconv.MessagingOperationName(string(o)),
			semconv.MessagingOperationTypeKey.String(string(o)),
			semconv.MessagingDestinationTemplate(template),
		))
	return tracer.Start(ctx, string(o)+" "+place, options...)
}

// IsOff reports whether the tracer keeps no spans, because no traces are sent. A caller then need
// not make the attributes of a span.
func IsOff(tracer trace.Tracer) bool {
	_, isOff := tracer.(noop.Tracer)
	return isOff
}

// EndSpan ends a span with more attributes, and marks it as MarkError does.
func EndSpan(span trace.Span, errorType string, attributes ...attribute.KeyValue) {
	span.SetAttributes(attributes...)
	MarkError(span, errorType)
	span.End()
}

// MarkError marks a span as failed. errorType is a word from a short list that says how, or "" if
// the span did not fail.
func MarkError(span trace.Span, errorType string) {
	if errorType == "" {
		return
	}
	span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	span.SetStatus(codes.Error, "")
}

// TraceParent returns the span of ctx as W3C trace context, or "" if ctx has none.
func TraceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// KeptTrace returns the id of the span's trace, or "" if the span is not kept. A log line and an
// exemplar lead to the trace by the id.
func KeptTrace(span trace.Span) string {
	if !span.IsRecording() || !span.SpanContext().IsSampled() {
		return ""
	}
	return span.SpanContext().TraceID().String()
}

// WithTraceParent returns ctx with a span of another process. A text that is no W3C trace context
// changes nothing.
func WithTraceParent(ctx context.Context, traceParent string) context.Context {
	carrier := propagation.MapCarrier{"traceparent": traceParent}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}
