package process_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/schema/process"
)

func TestASpanAboutAMessageHasTheNameAndKindOfItsOperation(t *testing.T) {
	for _, row := range []struct {
		operation      process.Operation
		template, name string
		kind           trace.SpanKind
	}{
		{process.Send, "a.b.{c}.{d}", "send a.b", trace.SpanKindProducer},
		{process.Process, "a.b.{c}.d", "process a.b", trace.SpanKindConsumer},
		{process.Settle, "a.b", "settle a.b", trace.SpanKindClient},
	} {
		t.Run(row.name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)).Tracer("test")
			_, span := process.StartMessageSpan(t.Context(), tracer, row.operation, row.template)
			process.EndSpan(span, "")
			got := spans.Ended()[0]
			if got.Name() != row.name || got.SpanKind() != row.kind ||
				got.Status().Code != codes.Unset {
				t.Errorf("span %q of kind %v, status %v", got.Name(), got.SpanKind(), got.Status())
			}
		})
	}
}

func TestATraceContextCrossesTheWire(t *testing.T) {
	const sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, row := range []struct{ promise, text, want string }{
		{"as it was", sampled, sampled},
		{"with the decision not to keep it",
			strings.TrimSuffix(sampled, "1") + "0", strings.TrimSuffix(sampled, "1") + "0"},
		{"not if it is empty", "", ""},
		{"not if it is broken", strings.ToUpper(sampled), ""},
	} {
		t.Run(row.promise, func(t *testing.T) {
			got := process.TraceParent(process.WithTraceParent(t.Context(), row.text))
			if got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestATracerThatKeepsNoSpansPassesTheTraceOn(t *testing.T) {
	const received = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	tracing, stop, err := process.Tracing(t.Context(), process.Config{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	tracer := tracing.Tracer("test")
	if !process.IsOff(tracer) {
		t.Error("the tracer is on without an endpoint")
	}
	ctx := process.WithTraceParent(t.Context(), received)
	ctx, span := process.StartMessageSpan(ctx, tracer, process.Send, "a.{b}")
	process.EndSpan(span, "")
	if got := process.TraceParent(ctx); got != received || process.KeptTrace(span) != "" {
		t.Errorf("the trace is %q, kept as %q, want %q and not kept",
			got, process.KeptTrace(span), received)
	}
	if process.IsOff(sdk.NewTracerProvider().Tracer("test")) {
		t.Error("the tracer of the SDK is off")
	}
}
