package process_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema/process"
)

func TestSpansGoToTheCollector(t *testing.T) {
	received := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/traces" {
				t.Errorf("spans were sent to %s", r.URL.Path)
			}
			body, _ := io.ReadAll(r.Body)
			select {
			case received <- body:
			default:
			}
		}))
	defer collector.Close()
	var body []byte
	for body == nil { // stop may give up on a slow machine
		sendSpan(t, collector.URL+"/")
		select {
		case body = <-received:
		default:
		}
	}
	for _, want := range []string{"a webhook", "ingress"} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%q is not in the sent bytes: %q", want, body)
		}
	}
}

func sendSpan(t *testing.T, endpoint string) {
	t.Helper()
	config := process.Config{TracesEndpoint: endpoint}
	provider, stop, err := process.Tracing(t.Context(), config, "ingress")
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("test").Start(t.Context(), "a webhook")
	span.End()
	stop()
}

func TestTracingIsOffWithoutAnEndpoint(t *testing.T) {
	provider, stop, err := process.Tracing(t.Context(), process.Config{}, "ingress")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	_, span := provider.Tracer("test").Start(t.Context(), "a webhook")
	if span.SpanContext().IsValid() {
		t.Error("a span was begun, and nobody takes it")
	}
}

func TestAnEndpointThatIsNoURLNamesItsVariable(t *testing.T) {
	for _, endpoint := range []string{"collector:4318", "collector", "ftp://collector", "http://"} {
		_, _, err := process.Tracing(t.Context(), process.Config{TracesEndpoint: endpoint}, "x")
		if err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_ENDPOINT") {
			t.Errorf("%q: error %v", endpoint, err)
		}
	}
}
