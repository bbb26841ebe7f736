package ingress

import (
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestTheEventCarriesTheSpanOfItsWebhook(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	broker := &fakePublisher{}
	c := testConfig(t)
	c.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	s, _ := handler(t, c, broker)
	r := request(pinwheelPath, income)
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	r.Header.Set("Traceparent", "00-"+theirs+"-00f067aa0ba902b7-01")
	serve(s, r)
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans, want 1", len(ended))
	}
	span := ended[0].SpanContext()
	want := "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-01"
	if got := broker.events["pinwheel:e1"].TraceParent; got != want {
		t.Errorf("traceparent %q, want %q", got, want)
	}
	if strings.Contains(span.TraceID().String(), theirs) {
		t.Error("the provider's trace was joined")
	}
}
