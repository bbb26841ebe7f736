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
	got := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/traces" {
			t.Errorf("spans were sent to %s", r.URL.Path)
		}
		body, _ := io.ReadAll(r.Body)
		got <- body
	}))
	defer collector.Close()
	provider, stop, err := process.Tracing(t.Context(),
		process.Config{TracesEndpoint: collector.URL + "/"}, "ingress")
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("test").Start(t.Context(), "a webhook")
	span.End()
	stop()
	if body := <-got; !bytes.Contains(body, []byte("a webhook")) ||
		!bytes.Contains(body, []byte("ingress")) {
		t.Errorf("the span or its service is not in what was sent: %q", body)
	}
}

func TestTracingIsOffWithoutAnEndpoint(t *testing.T) {
	provider, stop, err := process.Tracing(t.Context(), process.Config{}, "ingress")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, span := provider.Tracer("test").Start(t.Context(), "a webhook"); span.SpanContext().
		IsValid() {
		t.Error("a span was begun that nobody takes")
	}
}

func TestAnEndpointThatIsNoURLNamesItsVariable(t *testing.T) {
	for _, endpoint := range []string{"collector:4318", "collector", "ftp://collector", "http://"} {
		if _, _, err := process.Tracing(t.Context(), process.Config{TracesEndpoint: endpoint}, "x"); err == nil ||
			!strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_ENDPOINT") {
			t.Errorf("%q: error %v", endpoint, err)
		}
	}
}
