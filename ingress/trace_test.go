package ingress

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/wagewire/wagewire/schema"
)

func TestARequestWithoutASignatureHasNoSpan(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	c := testConfig(t)
	c.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	s, _ := handler(t, c, &fakePublisher{})
	serve(s, with(request(truvPath, connected), "X-Webhook-Sign"))
	serve(s, httptest.NewRequest(http.MethodGet, truvPath, nil))
	serve(s, request("/elsewhere", connected))
	if n := len(spans.Started()); n != 0 {
		t.Errorf("%d spans, want none", n)
	}
}

func TestASpanBeginsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		broker := &fakePublisher{}
		broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
			<-time.After(time.Second)
			return broker.store(ctx, e)
		}
		c := testConfig(t)
		c.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
		s, _ := handler(t, c, broker)
		r := request(truvPath, connected)
		r.Body = io.NopCloser(io.MultiReader(slowReader{}, r.Body))
		serve(s, r)
		span := spans.Ended()[0]
		if took := span.EndTime().Sub(span.StartTime()); took != 3*time.Second {
			t.Errorf("the span takes %v, want 2 s for the body and 1 s for the broker", took)
		}
	})
}

// slowReader is the beginning of a body that comes late.
type slowReader struct{}

func (slowReader) Read([]byte) (int, error) {
	<-time.After(2 * time.Second)
	return 0, io.EOF
}

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
