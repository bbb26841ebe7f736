package workers

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// logJob writes the only log line of a job, counts the job, and marks the span. err is the error
// behind the verdict, unsettled the error of telling the queue.
func (w *Worker) logJob(
	ctx context.Context, d *stream.Delivery, records int, v Verdict, took time.Duration,
	err, unsettled error,
) {
	w.metrics.countJob(d.Queue.Name, v, took)
	markJob(ctx, v)
	if v.Skipped {
		err = nil
	}
	err = errors.Join(err, unsettled)
	fields := []zap.Field{
		zap.String("event_id", d.Event.Key()),
		zap.String("queue", d.Queue.Name),
		zap.String("resource", string(w.resource)),
		zap.String("type", d.Event.Type),
		zap.String("account", d.Account),
		zap.Int("attempt", d.Attempt()),
		zap.String("outcome", v.LogAs),
		zap.Int("records", records),
		zap.Duration("took", took),
	}
	if id := process.KeptTrace(trace.SpanFromContext(ctx)); id != "" {
		fields = append(fields, zap.String("trace_id", id))
	}
	if v.Class != "" {
		fields = append(fields, zap.String("class", string(v.Class)))
	}
	fields = append(fields, w.pageOf(d, v)...)
	if v.Kind == Later {
		fields = append(fields, zap.Duration("delay", v.Delay))
	}
	if err != nil {
		fields = append(fields, zap.Error(err))
	}
	w.log.Log(jobLevel(v, err), "job", fields...)
}

// pageOf is the field of a log line with the address of the event's page, if the event ended with a
// dead letter and there is a console. An event that cannot be decoded has no page of its own.
func (w *Worker) pageOf(d *stream.Delivery, v Verdict) []zap.Field {
	console := w.config.Console.URL
	if v.Kind != Never || console == "" || d.Err != nil {
		return nil
	}
	return []zap.Field{zap.String("console", console.Event(d.Event.Key()))}
}

func jobLevel(v Verdict, err error) zapcore.Level {
	switch {
	case v.Kind == Never:
		return zap.ErrorLevel
	case err != nil:
		return zap.WarnLevel
	default:
		return zap.InfoLevel
	}
}
