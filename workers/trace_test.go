package workers

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestAJobIsASpanOfItsWebhooksTrace(t *testing.T) {
	b := newBench(t)
	spans := tracetest.NewSpanRecorder()
	config := quick()
	config.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	e := employment(t, "traced")
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	e.TraceParent = "00-" + trace + "-00f067aa0ba902b7-01"
	b.publish(e)
	b.start(schema.Employment, brings, config)
	b.completed(e, schema.Employment)
	streamtest.Eventually(b, "the job's span", func() bool { return len(spans.Ended()) > 0 })
	span := spans.Ended()[0]
	if got := span.Parent().TraceID().String(); got != trace || span.Name() != "job" {
		t.Errorf("span %s of trace %s, want job of %s", span.Name(), got, trace)
	}
	attributes := attribute.NewSet(span.Attributes()...)
	for key, want := range map[attribute.Key]string{"queue": "pinwheel_employment",
		"type": "employment.added", "outcome": "succeeded"} {
		if got, _ := attributes.Value(key); got.AsString() != want {
			t.Errorf("attribute %s is %q, want %q", key, got.AsString(), want)
		}
	}
}
