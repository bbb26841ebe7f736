package workers

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

// webhookTrace is the trace of a webhook, and webhookSpan the span that published the event.
const (
	webhookTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	webhookSpan   = "00f067aa0ba902b7"
	webhookParent = "00-" + webhookTrace + "-" + webhookSpan + "-01"
)

// traced is a webhook with a trace.
func traced(t *testing.T, id string) schema.Event {
	t.Helper()
	e := employment(t, id)
	e.TraceParent = webhookParent
	return e
}

// recordSpans returns a quick Config, and what takes the spans.
func recordSpans() (Config, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	config := quick()
	config.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	return config, spans
}

// jobSpans waits for n spans of jobs, and returns them in their order.
func (b *bench) jobSpans(spans *tracetest.SpanRecorder, n int) (jobs []sdk.ReadOnlySpan) {
	b.Helper()
	streamtest.Eventually(b, fmt.Sprintf("%d spans of jobs", n), func() bool {
		jobs = named(spans, "process wagewire.events")
		return len(jobs) >= n
	})
	return jobs
}

// named returns the ended spans of a name.
func named(spans *tracetest.SpanRecorder, name string) []sdk.ReadOnlySpan {
	return slices.DeleteFunc(spans.Ended(), func(s sdk.ReadOnlySpan) bool {
		return s.Name() != name
	})
}

// attributesOf returns the attributes of a span as text.
func attributesOf(span sdk.ReadOnlySpan) map[string]string {
	texts := map[string]string{}
	for _, a := range span.Attributes() {
		texts[string(a.Key)] = a.Value.String()
	}
	return texts
}

func TestAJobIsASpanOfItsWebhooksTrace(t *testing.T) {
	b := newBench(t)
	config, spans := recordSpans()
	e := traced(t, "traced")
	b.publish(e)
	b.start(schema.Employment, brings, config)
	b.completed(e, schema.Employment)
	span := b.jobSpans(spans, 1)[0]
	if got := span.Parent().TraceID().String(); got != webhookTrace {
		t.Errorf("span %s of trace %s, want %s", span.Name(), got, webhookTrace)
	}
	if got := span.Parent().SpanID().String(); got != webhookSpan || len(span.Links()) > 0 {
		t.Errorf("the parent is %s, want the publish of the event; links: %v", got, span.Links())
	}
	attributes := attribute.NewSet(span.Attributes()...)
	for key, want := range map[attribute.Key]string{"queue": "pinwheel_employment",
		"type": "employment.added", "outcome": "succeeded"} {
		if got, _ := attributes.Value(key); got.AsString() != want {
			t.Errorf("attribute %s is %q, want %q", key, got.AsString(), want)
		}
	}
}

func TestARetryIsATraceOfItsOwnWithALinkToTheLastAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config, spans := recordSpans()
	e := traced(t, "retried")
	b.publish(e)
	b.start(schema.Employment, takes(3), config)
	b.completed(e, schema.Employment)
	jobs := b.jobSpans(spans, 3)
	if got := jobs[0].SpanContext().TraceID().String(); got != webhookTrace {
		t.Errorf("the first attempt is in trace %s, want that of the webhook", got)
	}
	for i, job := range jobs[1:] {
		b.checkLink(job, jobs[i].SpanContext())
	}
	completion := b.all(schema.CompletionsStream, e.CompletionSubject(schema.Employment))[0]
	stored := named(spans, "send wagewire.completions")[0].SpanContext()
	want := fmt.Sprintf("00-%s-%s-01", stored.TraceID(), stored.SpanID())
	if got := completion.Header.Get("traceparent"); got != want {
		t.Errorf("the completion has the trace context %s, want that of its publish %s", got, want)
	}
	for i, line := range b.jobs(e) {
		if want := jobs[i].SpanContext().TraceID().String(); line["trace_id"] != want {
			t.Errorf("line %d of the log names the trace %v, want %s", i, line["trace_id"], want)
		}
	}
	if stored.TraceID() != jobs[2].SpanContext().TraceID() {
		t.Error("the completion is not in the trace of the attempt that stored it")
	}
}

// checkLink fails the test if the span is not the root of a trace of its own with a link to another
// span.
func (b *bench) checkLink(span sdk.ReadOnlySpan, to trace.SpanContext) {
	b.Helper()
	if span.Parent().IsValid() || span.SpanContext().TraceID() == to.TraceID() {
		b.Errorf("the span of trace %s is no root of its own", span.SpanContext().TraceID())
	}
	links := span.Links()
	if len(links) != 1 || links[0].SpanContext.TraceID() != to.TraceID() ||
		links[0].SpanContext.SpanID() != to.SpanID() {
		b.Errorf("links %v, want one to span %s of trace %s", links, to.SpanID(), to.TraceID())
	}
}

func TestOnlyAWaitOrARedriveBeginsATrace(t *testing.T) {
	const last = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"
	waited := schema.Wait{Class: schema.ClassTransient, TraceParent: last}
	for _, row := range []struct {
		promise  string
		delivery stream.Delivery
		want     string
	}{
		{"a webhook does not", stream.Delivery{}, ""},
		{"a webhook that was given back does not", stream.Delivery{Retry: true}, ""},
		{"a backfill does not", stream.Delivery{Event: schema.Event{Backfill: true}}, ""},
		{"a redrive is linked to the webhook", stream.Delivery{Event: schema.Event{Redrive: 1}},
			webhookParent},
		{"a retry is linked to the last attempt", stream.Delivery{Waited: waited}, last},
		{"a retry of a redrive is linked to the last attempt",
			stream.Delivery{Event: schema.Event{Redrive: 1}, Waited: waited}, last},
		{"a retry of an earlier release is linked to the webhook",
			stream.Delivery{Waited: schema.Wait{Class: schema.ClassTransient}}, webhookParent},
	} {
		t.Run(row.promise, func(t *testing.T) {
			row.delivery.Event.TraceParent = webhookParent
			if got := formerTrace(&row.delivery); got != row.want {
				t.Errorf("linked to %q, want %q", got, row.want)
			}
		})
	}
}

func TestARedriveIsATraceOfItsOwnWithALinkToTheWebhook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config, spans := recordSpans()
	e := traced(t, "redriven")
	b.publish(e)
	b.start(schema.Employment, brings, config)
	b.completed(e, schema.Employment)
	_, err := stream.NewOperator(b.conn).Redrive(t.Context(), e, testQueue, 1)
	if err != nil {
		t.Fatal(err)
	}
	jobs := b.jobSpans(spans, 2)
	publish := process.WithTraceParent(t.Context(), webhookParent)
	b.checkLink(jobs[1], trace.SpanContextFromContext(publish))
}

func TestTheSpansOfAJobFollowTheConventions(t *testing.T) {
	t.Parallel()
	message := func(operation, template string) map[string]string {
		return map[string]string{
			"messaging.system":               "nats",
			"messaging.operation.name":       operation,
			"messaging.operation.type":       operation,
			"messaging.destination.template": template,
		}
	}
	and := func(more map[string]string, pairs ...string) map[string]string {
		for i := 0; i < len(pairs); i += 2 {
			more[pairs[i]] = pairs[i+1]
		}
		return more
	}
	const (
		events      = "wagewire.events.{provider}.{resource}.{action}.{account}"
		completions = "wagewire.completions.{provider}.{resource}.{account}.{event}"
	)
	job := func(outcome, class string, more ...string) map[string]string {
		return and(and(message("process", events), "queue", testQueue, "type", "employment.added",
			"messaging.consumer.group.name", testQueue, "attempt", "1", "outcome", outcome,
			"class", class), more...)
	}
	settle := and(message("settle", events), "messaging.consumer.group.name", testQueue)
	type span struct {
		Name       string
		Kind       trace.SpanKind
		Attributes map[string]string
	}
	send := func(stored string) span {
		return span{"send wagewire.completions", trace.SpanKindProducer,
			and(message("send", completions), "stored", stored)}
	}
	end := span{"settle wagewire.events", trace.SpanKindClient, settle}
	for _, row := range []struct {
		promise string
		err     error
		want    []span // in the order of their ends
	}{
		{"a job that succeeds", nil, []span{send("true"), end,
			{"process wagewire.events", trace.SpanKindConsumer, job("succeeded", "")}}},
		{"a job that must wait", errDown, []span{end,
			{"process wagewire.events", trace.SpanKindConsumer,
				job("later", "transient", "error.type", "transient")}}},
		{"a job that fails for good", &api.StatusError{Status: 422}, []span{send("true"), end,
			{"process wagewire.events", trace.SpanKindConsumer,
				job("failed", "permanent", "error.type", "permanent")}}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			config, spans := recordSpans()
			config.Ladders.Retry = []time.Duration{time.Hour}
			b.start(schema.Employment, fetchFunc(
				func(ctx context.Context, job Job) (Fetched, error) {
					if row.err != nil {
						return Fetched{}, row.err
					}
					return Fetched{}, bring(ctx, job, canaryRecord)
				}), config)
			b.publish(traced(t, "conventional"))
			job := b.jobSpans(spans, 1)[0]
			var got []span
			for _, s := range spans.Ended() {
				got = append(got, span{s.Name(), s.SpanKind(), attributesOf(s)})
				if s != job && s.Parent().SpanID() != job.SpanContext().SpanID() {
					t.Errorf("%s is no child of the job", s.Name())
				}
				_, isFailed := attributesOf(s)["error.type"]
				if (s.Status().Code == codes.Error) != isFailed {
					t.Errorf("%s has the status %v", s.Name(), s.Status())
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheSpanOfACallFollowsTheConventions(t *testing.T) {
	const template = "/v1/accounts/{account_id}/paystubs"
	basic := map[string]string{
		"http.request.method": "GET", "url.template": template,
		"server.address": "api.test", "server.port": "443",
	}
	for _, row := range []struct {
		promise string
		call    api.Call
		more    map[string]string
	}{
		{"an answer", api.Call{Status: 200}, map[string]string{
			"http.response.status_code": "200",
		}},
		{"a second try", api.Call{Status: 200, Resent: 1}, map[string]string{
			"http.response.status_code": "200", "http.request.resend_count": "1",
		}},
		{"an error of the provider",
			api.Call{Status: 503, Err: &api.StatusError{Status: 503}}, map[string]string{
				"http.response.status_code": "503", "error.type": "503",
			}},
		{"an answer against the contract",
			api.Call{Status: 200, Err: &api.ContractError{}}, map[string]string{
				"http.response.status_code": "200", "error.type": "contract",
			}},
		{"no answer", api.Call{Err: &api.NetworkError{}}, map[string]string{
			"error.type": "no_answer",
		}},
		{"the end of the job", api.Call{Err: context.Canceled}, map[string]string{
			"error.type": "stopped",
		}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			tracing := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
			ctx, job := tracing.Tracer("test").Start(t.Context(), "job")
			row.call.Template = template
			row.call.Host = "api.test"
			row.call.Port = 443
			row.call.Began = at(7)
			NewAPIMetrics(prometheus.NewRegistry(), "truv", 5).Call(ctx, row.call)
			span := spans.Ended()[0]
			want := map[string]string{}
			maps.Copy(want, basic)
			maps.Copy(want, row.more)
			if diff := cmp.Diff(want, attributesOf(span)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if span.Name() != "GET "+template || span.SpanKind() != trace.SpanKindClient ||
				!span.StartTime().Equal(at(7)) ||
				span.Parent().SpanID() != job.SpanContext().SpanID() {
				t.Errorf("span %q of kind %v at %v below %v", span.Name(), span.SpanKind(),
					span.StartTime(), span.Parent().SpanID())
			}
			if got := span.Status().Code == codes.Error; got != (row.call.Err != nil) {
				t.Errorf("the status is %v", span.Status())
			}
		})
	}
}

// answering is a provider that gives the answer to every call.
type answering string

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ContentLength: int64(len(a)),
		Body: io.NopCloser(strings.NewReader(string(a))),
	}, nil
}

func TestNoSpanOfAJobHasAnIDOrData(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config, spans := recordSpans()
	client, err := api.New(api.Config{
		URL: "https://api.test", Transport: answering(canaryRecord),
		Secrets: func() ([]string, error) { return []string{"sekret"}, nil },
		OnCall:  NewAPIMetrics(b.registry, "pinwheel", 5).Call,
	}, api.Dialect{Header: func(string) http.Header { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	e := traced(t, "canary-event")
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		endpoint := api.Path("/v1/accounts/{account_id}/employment", job.Event.AccountID)
		answer, err := client.Get(ctx, endpoint)
		if err != nil {
			return Fetched{}, err
		}
		defer answer.Release()
		return Fetched{}, bring(ctx, job, string(answer.Body))
	}), config)
	b.publish(e)
	job := b.jobSpans(spans, 1)[0]
	call := named(spans, "GET /v1/accounts/{account_id}/employment")
	if len(call) != 1 || call[0].Parent().SpanID() != job.SpanContext().SpanID() {
		t.Errorf("%d spans of calls, want one below the job", len(call))
	}
	for _, span := range spans.Ended() {
		shown := fmt.Sprintln(span.Name(), span.Attributes(), span.Events(), span.Status())
		for _, canary := range []string{"canary", "Canary", "acct-", "person-77", canaryAmount,
			"sekret", e.Account()} {
			if strings.Contains(shown, canary) {
				t.Errorf("%q is in %s", canary, shown)
			}
		}
	}
}
