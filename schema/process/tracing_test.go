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
	for _, want := range []string{"a webhook", "ingress", "service.version", "service.instance.id"} {
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

func TestASamplerIsChosenByItsNameInOpenTelemetry(t *testing.T) {
	for _, row := range []struct {
		promise, name, arg string
		want               string // the sampler's description of itself
	}{
		{"without a name every trace that begins here is kept, and others as they came", "", "",
			"ParentBased{root:AlwaysOnSampler,"},
		{"all traces", "always_on", "", "AlwaysOnSampler"},
		{"none", "always_off", "", "AlwaysOffSampler"},
		{"a share", "traceidratio", "0.25", "TraceIDRatioBased{0.25}"},
		{"a share of one without an argument", "traceidratio", "", "TraceIDRatioBased{1}"},
		{"a share of those that begin here", "parentbased_traceidratio", "0.5",
			"ParentBased{root:TraceIDRatioBased{0.5},"},
		{"none of those that begin here", "parentbased_always_off", "",
			"ParentBased{root:AlwaysOffSampler,"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			got, err := process.SamplerOf(
				process.Config{TracesSampler: row.name, TracesSamplerArg: row.arg})
			if err != nil || !strings.HasPrefix(got.Description(), row.want) {
				t.Errorf("%v, %v; want %s", got, err, row.want)
			}
		})
	}
}

func TestASamplerThatIsNotKnownNamesItsVariable(t *testing.T) {
	for _, row := range []struct{ promise, name, arg, want string }{
		{"another word", "sometimes", "", "OTEL_TRACES_SAMPLER:"},
		{"a name in capitals", "ALWAYS_ON", "", "OTEL_TRACES_SAMPLER:"},
		{"no number", "traceidratio", "half", "OTEL_TRACES_SAMPLER_ARG:"},
		{"a number over one", "traceidratio", "1.5", "OTEL_TRACES_SAMPLER_ARG:"},
		{"a number under none", "traceidratio", "-0.1", "OTEL_TRACES_SAMPLER_ARG:"},
		{"not a number", "traceidratio", "NaN", "OTEL_TRACES_SAMPLER_ARG:"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			_, _, err := process.Tracing(t.Context(), process.Config{
				TracesEndpoint: "http://127.0.0.1:1", TracesSampler: row.name,
				TracesSamplerArg: row.arg,
			}, "x")
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want one about %s", err, row.want)
			}
		})
	}
}
