package ingress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

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
		span := ofKind(t, spans, trace.SpanKindServer)
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

// ofKind returns the only ended span of a kind.
func ofKind(
	t *testing.T, spans *tracetest.SpanRecorder, kind trace.SpanKind,
) sdk.ReadOnlySpan {
	t.Helper()
	var found []sdk.ReadOnlySpan
	for _, span := range spans.Ended() {
		if span.SpanKind() == kind {
			found = append(found, span)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans are of kind %v, want 1", len(found), kind)
	}
	return found[0]
}

func TestTheEventCarriesTheSpanOfItsPublish(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	broker := &fakePublisher{}
	c := testConfig(t)
	c.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	s, _ := handler(t, c, broker)
	core, logged := observer.New(zapcore.InfoLevel)
	s.log = zap.New(core)
	r := request(pinwheelPath, income)
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	r.Header.Set("Traceparent", "00-"+theirs+"-00f067aa0ba902b7-01")
	serve(s, r)
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want those of the webhook and of its publish", len(ended))
	}
	send := ofKind(t, spans, trace.SpanKindProducer)
	webhook := ofKind(t, spans, trace.SpanKindServer).SpanContext()
	span := send.SpanContext()
	if span.TraceID() != webhook.TraceID() || send.Parent().SpanID() != webhook.SpanID() {
		t.Error("the publish is no child of its webhook")
	}
	want := "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-01"
	if got := broker.events["pinwheel:e1"].TraceParent; got != want {
		t.Errorf("traceparent %q, want %q", got, want)
	}
	line := logged.FilterField(zap.String("trace_id", span.TraceID().String()))
	if line.FilterMessage("webhook").Len() != 1 {
		t.Errorf("no line of the log names the trace: %v", logged.All())
	}
	if strings.Contains(span.TraceID().String(), theirs) {
		t.Error("the provider's trace was joined")
	}
}

// attributesOf returns the attributes of a span as text.
func attributesOf(span sdk.ReadOnlySpan) map[string]string {
	texts := map[string]string{}
	for _, a := range span.Attributes() {
		texts[string(a.Key)] = a.Value.String()
	}
	return texts
}

func TestTheSpansOfAWebhookFollowTheConventions(t *testing.T) {
	server := func(provider, kind, status string) map[string]string {
		return map[string]string{
			"http.request.method": "POST", "http.route": "/webhooks/{provider}",
			"url.path": "/webhooks/" + provider, "url.scheme": "http",
			"http.response.status_code": status, "provider": provider, "type": kind,
		}
	}
	send := func(template string) map[string]string {
		return map[string]string{
			"messaging.system":               "nats",
			"messaging.operation.name":       "send",
			"messaging.operation.type":       "send",
			"messaging.destination.template": template,
		}
	}
	failed := func(with map[string]string, errorType string) map[string]string {
		with["error.type"] = errorType
		return with
	}
	const events = "wagewire.events.{provider}.{resource}.{action}.{account}"
	down := func(context.Context, schema.Event) (bool, error) { return false, errors.New("down") }
	for _, row := range []struct {
		promise        string
		request        *http.Request
		onEvent        func(context.Context, schema.Event) (bool, error)
		name           string // of the publish
		webhook, about map[string]string
	}{
		{"a webhook that is stored", request(pinwheelPath, income), nil, "send wagewire.events",
			server("pinwheel", "income.added", "200"), send(events)},
		{"a webhook that cannot be stored", request(pinwheelPath, income), down,
			"send wagewire.events",
			failed(server("pinwheel", "income.added", "503"), "503"),
			failed(send(events), "error")},
		{"a webhook that cannot be read", request(truvPath, "[]"), nil,
			"send wagewire.quarantine",
			server("truv", "unread", "200"), send("wagewire.quarantine.{provider}")},
	} {
		t.Run(row.promise, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			c := testConfig(t)
			c.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
			s, _ := handler(t, c, &fakePublisher{onEvent: row.onEvent})
			serve(s, row.request)
			webhook := ofKind(t, spans, trace.SpanKindServer)
			about := ofKind(t, spans, trace.SpanKindProducer)
			if webhook.Name() != "POST /webhooks/{provider}" || about.Name() != row.name {
				t.Errorf("spans %q and %q", webhook.Name(), about.Name())
			}
			if diff := cmp.Diff(row.webhook, attributesOf(webhook)); diff != "" {
				t.Errorf("the webhook (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.about, attributesOf(about)); diff != "" {
				t.Errorf("the publish (-want +got):\n%s", diff)
			}
			for _, span := range []sdk.ReadOnlySpan{webhook, about} {
				_, isFailed := attributesOf(span)["error.type"]
				if got := span.Status().Code == codes.Error; got != isFailed {
					t.Errorf("%s is failed: %v, want %v", span.Name(), got, isFailed)
				}
			}
		})
	}
}

func TestNoSpanHasAnIDOrAnAddress(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	c := testConfig(t)
	c.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	broker := &fakePublisher{}
	s, _ := handler(t, c, broker)
	r := request("//Webhooks/PINWHEEL/", income)
	maps.Copy(r.Header, signed(pinwheelPath, income, time.Now()))
	serve(s, r)
	e := broker.events["pinwheel:e1"]
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	var shown string // all but the ids of traces and spans, which are random
	for _, span := range spans.Ended() {
		shown += fmt.Sprintln(span.Name(), span.Attributes(), span.Events(), span.Status())
	}
	if !strings.Contains(shown, "income.added") {
		t.Fatalf("the type is not in %s", shown)
	}
	for _, canary := range []string{e.ID, e.AccountID, e.Account(), host, r.Host, "Webhooks"} {
		if canary == "" || strings.Contains(shown, canary) {
			t.Errorf("%q is in %s", canary, shown)
		}
	}
}
