package process

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// flushFor limits the sending of the last spans when a process ends.
const flushFor = 5 * time.Second

// Tracing returns a provider of tracers. Their spans go to c.TracesEndpoint by OTLP over HTTP, or
// nowhere if the endpoint is empty. stop sends the last spans. A span must hold no body, name,
// amount or raw id.
func Tracing(
	ctx context.Context, c Config, service string,
) (_ trace.TracerProvider, stop func(), _ error) {
	endpoint := c.TracesEndpoint
	if endpoint == "" {
		return noop.NewTracerProvider(), func() {}, nil
	}
	if !isHTTP(endpoint) {
		return nil, nil, fmt.Errorf(
			"OTEL_EXPORTER_OTLP_ENDPOINT: %q is not a URL such as http://collector:4318", endpoint)
	}
	tracesURL := strings.TrimRight(endpoint, "/") + "/v1/traces"
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(tracesURL))
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	origin := resource.NewSchemaless(attribute.String("service.name", service))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(origin))
	return provider, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushFor)
		defer cancel()
		_ = provider.Shutdown(last) // lost spans do not fail the process
	}, nil
}

func isHTTP(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
