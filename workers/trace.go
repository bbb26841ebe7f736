package workers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
)

// tracerName is the name of the tracer of all spans of workers.
const tracerName = "github.com/wagewire/wagewire/workers"

// workInSpan does a job in a span.
func (w *Worker) workInSpan(ctx context.Context, q *queue, d *stream.Delivery) {
	if !w.traces {
		w.work(ctx, q, d)
		return
	}
	ctx, span := w.startJobSpan(ctx, q, d)
	defer span.End()
	w.work(ctx, q, d)
}

// startJobSpan begins the span of a job. Section "Traces" of the package comment says in which
// trace.
func (w *Worker) startJobSpan(
	ctx context.Context, q *queue, d *stream.Delivery,
) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithAttributes(
		semconv.MessagingConsumerGroupName(q.name),
		attribute.String("queue", q.name),
		attribute.String("type", d.Event.Type),
		attribute.Int("attempt", d.Attempt()),
	)}
	if former := formerTrace(d); former != "" {
		link := trace.LinkFromContext(process.WithTraceParent(context.Background(), former))
		options = append(options, trace.WithNewRoot(), trace.WithLinks(link))
	} else {
		ctx = process.WithTraceParent(ctx, d.Event.TraceParent)
	}
	return process.StartMessageSpan(ctx, w.tracer, process.Process, schema.EventsTemplate,
		options...)
}

// formerTrace returns the trace context to which a trace of its own is linked: the last attempt at
// an event that has waited, and the webhook of a redrive. It returns "" for the first attempt at a
// webhook.
func formerTrace(d *stream.Delivery) string {
	switch {
	case d.Waited.Class != "": // in an earlier release, a wait had no trace context
		return cmp.Or(d.Waited.TraceParent, d.Event.TraceParent)
	case d.Event.Redrive > 0:
		return d.Event.TraceParent
	default:
		return ""
	}
}

// markJob writes the verdict into the span of a job.
func markJob(ctx context.Context, v Verdict) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("outcome", v.LogAs), attribute.String("class", string(v.Class)))
	if v.Kind == Later || v.Kind == Never {
		process.MarkError(span, string(v.Class))
	}
}

// publishCompletion stores the completion in a span. Who reads the completion goes on with its
// trace.
func (w *Worker) publishCompletion(
	ctx context.Context, job Job, c schema.Completion,
) (stored bool, err error) {
	if !w.traces {
		return job.Records.publish(ctx, w.conn, job.Event, c)
	}
	ctx, span := process.StartMessageSpan(ctx, w.tracer, process.Send, schema.CompletionsTemplate)
	job.Event.TraceParent = cmp.Or(process.TraceParent(ctx), job.Event.TraceParent)
	stored, err = job.Records.publish(ctx, w.conn, job.Event, c)
	process.EndSpan(span, brokerError(err), attribute.Bool("stored", stored))
	return stored, err
}

// settleInSpan tells the queue the verdict in a span.
func (w *Worker) settleInSpan(
	ctx context.Context, d *stream.Delivery, job Job, v Verdict, cause error,
) (_ Verdict, err error) {
	if !w.traces {
		return w.settle(ctx, d, job, v, cause)
	}
	span := w.startSettleSpan(ctx, d.Queue.Name)
	defer func() { process.EndSpan(span, brokerError(err)) }()
	return w.settle(ctx, d, job, v, cause)
}

// startSettleSpan begins the span of telling the queue.
func (w *Worker) startSettleSpan(ctx context.Context, q string) trace.Span {
	_, span := process.StartMessageSpan(ctx, w.tracer, process.Settle, schema.EventsTemplate,
		trace.WithAttributes(semconv.MessagingConsumerGroupName(q)))
	return span
}

// brokerError is the error of the broker in a word, "" without an error.
func brokerError(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, stream.ErrErased):
		return "erased"
	case errors.Is(err, stream.ErrFull):
		return "full"
	case errors.Is(err, stream.ErrTooLarge):
		return "too_large"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return semconv.ErrorTypeOther.Value.AsString()
	}
}

// traceCall makes a span of a call to a provider, in the trace of ctx. The span has the template of
// the path. A URL would name an account, and so the span has no url.full.
func traceCall(ctx context.Context, c api.Call) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() { // nor would its child
		return
	}
	tracer := parent.TracerProvider().Tracer(tracerName)
	_, span := tracer.Start(ctx, http.MethodGet+" "+c.Template,
		trace.WithTimestamp(c.Began),
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			semconv.HTTPRequestMethodGet,
			semconv.URLTemplate(c.Template),
			semconv.ServerAddress(c.Host),
			semconv.ServerPort(c.Port),
		))
	if c.Status != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(c.Status))
	}
	if c.Resent > 0 {
		span.SetAttributes(semconv.HTTPRequestResendCount(c.Resent))
	}
	process.EndSpan(span, callError(c))
}

// callError is the error of a call in a word, "" without an error.
func callError(c api.Call) string {
	_, isBreach := errors.AsType[*api.ContractError](c.Err)
	_, isBroken := errors.AsType[*api.NetworkError](c.Err)
	switch {
	case c.Err == nil:
		return ""
	case isBreach:
		return "contract"
	case isBroken:
		return "no_answer"
	case c.Status == 0:
		return "stopped"
	default:
		return strconv.Itoa(c.Status)
	}
}
