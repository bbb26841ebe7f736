package process

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// flushFor limits the sending of the last spans when a process ends.
const flushFor = 5 * time.Second

// Limits of one span. An attribute over attributeBytesMax is cut.
const (
	attributesMax     = 32
	attributeBytesMax = 256
	linksMax          = 4
	eventsMax         = 8
)

// Tracing returns a provider of tracers. Their spans go to c.TracesEndpoint by OTLP over HTTP, or
// nowhere if the endpoint is empty. c.TracesSampler decides which. stop sends the last spans. A
// span must hold no body, name, amount or raw id. Errors name the variable to change.
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
	sampler, err := samplerOf(c)
	if err != nil {
		return nil, nil, err
	}
	tracesURL := strings.TrimRight(endpoint, "/") + "/v1/traces"
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(tracesURL))
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithSampler(sampler),
		sdk.WithRawSpanLimits(spanLimits()), sdk.WithResource(originOf(service)))
	return provider, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushFor)
		defer cancel()
		_ = provider.Shutdown(last) // lost spans do not fail the process
	}, nil
}

// originOf names the process as the origin of its spans. Each process has another instance id.
func originOf(service string) *resource.Resource {
	return resource.NewSchemaless(
		semconv.ServiceName(service),
		semconv.ServiceVersion(Version()),
		semconv.ServiceInstanceID(rand.Text()))
}

func spanLimits() sdk.SpanLimits {
	return sdk.SpanLimits{
		AttributeCountLimit:         attributesMax,
		AttributeValueLengthLimit:   attributeBytesMax,
		AttributePerEventCountLimit: attributesMax,
		AttributePerLinkCountLimit:  attributesMax,
		EventCountLimit:             eventsMax,
		LinkCountLimit:              linksMax,
	}
}

// samplerOf returns the sampler of c, under the names of OpenTelemetry. The SDK reads the variables
// too, but takes another sampler if it does not know the value.
func samplerOf(c Config) (sdk.Sampler, error) {
	share := 1.0
	if c.TracesSamplerArg != "" {
		var err error
		share, err = strconv.ParseFloat(c.TracesSamplerArg, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: %q is not a number from 0 to 1",
				c.TracesSamplerArg)
		}
	}
	ofRoots := map[string]sdk.Sampler{
		"always_on":    sdk.AlwaysSample(),
		"always_off":   sdk.NeverSample(),
		"traceidratio": sdk.TraceIDRatioBased(share),
	}
	name := cmp.Or(c.TracesSampler, "parentbased_always_on")
	root, isParentBased := strings.CutPrefix(name, "parentbased_")
	sampler, ok := ofRoots[root]
	if !ok {
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER: %q is none of always_on, always_off and "+
			"traceidratio, or one of them with parentbased_ before it", c.TracesSampler)
	}
	if isParentBased {
		sampler = sdk.ParentBased(sampler)
	}
	return sampler, nil
}

func isHTTP(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
