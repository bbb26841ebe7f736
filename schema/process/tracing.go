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

// flushFor is how long a process that ends tries to send its last spans.
const flushFor = 5 * time.Second

// Tracing returns where the process's spans go: by OTLP over HTTP to c.TracesEndpoint, or nowhere if that is empty. stop sends what has not been sent. No span holds a body, a name, an amount or a raw id.
func Tracing(ctx context.Context, c Config, service string) (_ trace.TracerProvider, stop func(), _ error) {
	endpoint := c.TracesEndpoint
	if endpoint == "" {
		return noop.NewTracerProvider(), func() {}, nil
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %q is not a URL such as http://collector:4318", endpoint)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimRight(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	return provider, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushFor)
		defer cancel()
		_ = provider.Shutdown(last) // spans that nobody takes are no reason to end badly
	}, nil
}
