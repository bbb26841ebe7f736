package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// StopFor is how long a worker that is told to stop may take to finish what it has in hand. What is left goes back.
	StopFor = 25 * time.Second
	// StoreFor is how long storing a last word may take before the event goes back: a stream that is not there would
	// otherwise hold every hand, without a word.
	StoreFor = 30 * time.Second
	// FreshFor is how long an event is new to its queue. A first delivery after that may be one of many: a queue that was
	// deleted and provisioned again hands out all that is retained.
	FreshFor = time.Minute
)

// Config is how a worker works. Its zero value has the defaults.
type Config struct {
	// Concurrency is how many events one queue has in hand at a time; 16.
	Concurrency int
	Ladders     Ladders
	// PauseFor, StopFor and StoreFor are the package's constants of that name.
	PauseFor, StopFor, StoreFor time.Duration
	// Tracing is where spans go. nil: nowhere.
	Tracing trace.TracerProvider
}

// Worker serves the queues of one resource.
type Worker struct {
	resource schema.Resource
	conn     *stream.Conn
	config   Config
	log      *zap.Logger
	metrics  *metrics
	tracer   trace.Tracer
	queues   []*queue
}

// queue is one of the worker's queues, and whether it is paused.
type queue struct {
	*stream.Queue
	name   string
	source Source
	pause  *pause
}

// New returns a worker for the resource, which serves the queues of the providers that have a source. Nothing starts before Run.
func New(r schema.Resource, sources map[schema.Provider]Source, conn *stream.Conn, c Config, log *zap.Logger, registry prometheus.Registerer) *Worker {
	c.Concurrency = cmp.Or(c.Concurrency, concurrencyDefault)
	if len(c.Ladders.Retry) == 0 {
		c.Ladders.Retry = DefaultLadders().Retry
	}
	if len(c.Ladders.NotReady) == 0 {
		c.Ladders.NotReady = DefaultLadders().NotReady
	}
	c.PauseFor, c.StopFor, c.StoreFor = cmp.Or(c.PauseFor, PauseFor), cmp.Or(c.StopFor, StopFor), cmp.Or(c.StoreFor, StoreFor)
	tracing := c.Tracing
	if tracing == nil {
		tracing = noop.NewTracerProvider()
	}
	w := &Worker{
		resource: r, conn: conn, config: c, log: log, metrics: newMetrics(registry),
		tracer: tracing.Tracer("github.com/wagewire/wagewire/workers"),
	}
	for _, q := range schema.QueuesOf(r) {
		source, ok := sources[q.Provider]
		if !ok {
			continue
		}
		w.queues = append(w.queues, &queue{conn.Queue(q), q.Name, source, newPause(c.PauseFor)})
		w.metrics.paused(q.Name, false)
	}
	return w
}

// Ready reports an error until every queue can be served.
func (w *Worker) Ready(ctx context.Context) error {
	for _, q := range w.queues {
		if err := q.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Run works until ctx ends. It then takes nothing new, finishes what it has in hand within StopFor, gives the rest back
// and returns nil.
func (w *Worker) Run(ctx context.Context) error {
	hand, drop := context.WithCancel(context.WithoutCancel(ctx))
	defer drop()
	var group, watch errgroup.Group
	finished := make(chan struct{})
	watch.Go(func() error {
		select {
		case <-finished:
			return nil
		case <-ctx.Done():
		}
		select {
		case <-finished:
		case <-time.After(w.config.StopFor):
			drop()
		}
		return nil
	})
	for _, q := range w.queues {
		q.pause.stopping = ctx.Done()
		group.Go(func() error {
			return q.Consume(ctx, w.config.Concurrency, func(d *stream.Delivery) { w.traced(hand, q, d) })
		})
		group.Go(func() error {
			return q.Exhausted(ctx, func(d *stream.Delivery) error { return w.exhausted(hand, q, d) })
		})
	}
	err := group.Wait()
	close(finished)
	return errors.Join(err, watch.Wait())
}

// traced is work in a span of the trace that the webhook began.
func (w *Worker) traced(ctx context.Context, q *queue, d *stream.Delivery) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": d.Event.TraceParent})
	ctx, span := w.tracer.Start(ctx, "job", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("queue", q.name), attribute.String("type", d.Event.Type), attribute.Int("attempt", d.Attempt)))
	defer span.End()
	w.work(ctx, q, d)
}

// work is the life of one job: fetch, judge, complete, settle. A crash after any of them costs a repeat of that one.
func (w *Worker) work(ctx context.Context, q *queue, d *stream.Delivery) {
	started := time.Now()
	job, fetched, err := w.fetch(ctx, q, d)
	verdict := w.config.Ladders.judge(err, d.Attempt)
	if verdict.Kind != Later && verdict.Outcome != "" {
		if unstored := w.complete(ctx, d, job, fetched, verdict, err); unstored != nil {
			err, verdict = unstored, w.config.Ladders.judge(unstored, d.Attempt)
		}
	}
	w.told(ctx, q, d, fetched, verdict, started, errors.Join(err, settle(d, verdict)))
}

// fetch gets what the event announces, unless its body says that there is nothing to get.
func (w *Worker) fetch(ctx context.Context, q *queue, d *stream.Delivery) (job Job, fetched Fetched, err error) {
	if d.Err != nil {
		return job, fetched, fmt.Errorf("%w: %w", ErrUndecodable, d.Err)
	}
	job = Job{Event: d.Event, Attempt: d.Attempt}
	if d.Event.Queue != "" && d.Event.Queue != q.name {
		return job, fetched, errOtherQueue
	}
	if job.Payload, err = q.source.Decode(d.Event); err != nil {
		return job, fetched, err
	}
	if d.Account == schema.NoAccount {
		return job, fetched, fmt.Errorf("%w: %s names no account", ErrUndecodable, d.Event.Type)
	}
	again := d.Attempt > 1 || time.Since(d.Event.ReceivedAt) > FreshFor
	if again && d.Event.Action != schema.ActionDeleted { // an erasure has steps after its completion
		if err := w.completedBefore(ctx, d.Event); err != nil {
			return job, fetched, err
		}
	}
	switch {
	case job.Payload.Outcome != "":
		return job, Fetched{Outcome: job.Payload.Outcome}, nil
	case d.Event.Erases(): // it calls no provider: no pause may hold it up
		fetched, err = w.call(ctx, q, job)
	default:
		fetched, err = w.allowed(ctx, q, job)
	}
	if err == nil && (fetched.Stale || len(fetched.Missing) > 0) {
		err = errIncomplete
	}
	return job, fetched, err
}

// completedBefore is errCompleted where the event has its completion.
func (w *Worker) completedBefore(ctx context.Context, e schema.Event) error {
	ctx, cancel := context.WithTimeout(ctx, w.config.StoreFor)
	defer cancel()
	switch completed, err := w.conn.Completed(ctx, e, w.resource); {
	case err != nil:
		return fmt.Errorf("%w: %w", errNotStored, err)
	case completed:
		return errCompleted
	default:
		return nil
	}
}

// allowed calls the handler, and calls it again as long as the provider refuses our credentials: the event stays in hand
// meanwhile and its deliveries are not used up. One job at a time finds out whether the provider has changed its mind.
func (w *Worker) allowed(ctx context.Context, q *queue, job Job) (Fetched, error) {
	for {
		leave, err := q.pause.enter(ctx)
		if err != nil {
			return Fetched{}, err
		}
		fetched, err := w.call(ctx, q, job)
		said := w.answer(err, job)
		if changed := leave(said); changed {
			w.metrics.paused(q.name, said == refused)
			if said == refused {
				w.log.Error("queue paused: the provider refuses our credentials", zap.String("queue", q.name), zap.Error(err))
			} else {
				w.log.Info("queue resumed", zap.String("queue", q.name))
			}
		}
		if said != refused {
			return fetched, err
		}
	}
}

// answer is what the call's error tells of our credentials.
func (w *Worker) answer(err error, job Job) answer {
	switch w.config.Ladders.judge(err, job.Attempt).Class {
	case schema.ClassUnauthorized:
		return refused
	case schema.ClassNotReady, schema.ClassPermanent, schema.ClassContract:
		return accepted
	default:
		if err == nil {
			return accepted
		}
		return silent
	}
}

// call calls the handler and survives it.
func (w *Worker) call(ctx context.Context, q *queue, job Job) (fetched Fetched, err error) {
	defer func() {
		if r := recover(); r != nil {
			// Its type and where, not its value: that may hold what was fetched.
			w.log.Error("handler panicked", zap.String("event_id", job.Event.Key()), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("%w: %T", errPanic, r)
		}
	}()
	return q.source.Handler.Fetch(ctx, job)
}

// complete gives the event its last word. What could not be finished is kept as a dead letter first; what is about an
// erased account leaves nothing behind.
func (w *Worker) complete(ctx context.Context, d *stream.Delivery, job Job, fetched Fetched, v Verdict, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, w.config.StoreFor)
	defer cancel()
	if v.Kind == Never {
		if err := w.conn.PublishDeadLetter(ctx, d.DeadLetter(v.Class, v.Reason, time.Now())); err != nil {
			return fmt.Errorf("%w: %w", errNotStored, err)
		}
		w.metrics.deadLetter(d.Queue.Name, v)
	}
	if d.Err != nil {
		return w.unnamed(ctx, d)
	}
	deleted := v.Kind == Done && fetched.Outcome == schema.Deleted
	if deleted {
		if err := w.erase(ctx, d); err != nil {
			return fmt.Errorf("%w: %w", errNotStored, err)
		}
	}
	stored, err := w.conn.PublishCompletion(ctx, job.Event, w.completion(job, fetched, v, cause))
	switch {
	case errors.Is(err, stream.ErrErased):
		w.metrics.dropped(d.Queue.Name)
		gone := w.conn.EraseDeadLetters(ctx, d.Queue.Name, d.Account)
		if gone = errors.Join(gone, w.conn.EraseEvents(ctx, d.Event.Provider, d.Account)); gone != nil {
			return fmt.Errorf("%w: %w", errNotStored, gone)
		}
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errNotStored, err)
	case !stored:
		w.metrics.fenced(d.Queue.Name)
	}
	if deleted {
		if err := w.conn.EraseEvents(ctx, d.Event.Provider, d.Account); err != nil {
			return fmt.Errorf("%w: %w", errNotStored, err)
		}
	}
	return nil
}

// unnamed ends an event that cannot be decoded: it has no id to complete, so the dead letter is its last word, unless its
// account is erased.
func (w *Worker) unnamed(ctx context.Context, d *stream.Delivery) error {
	erased, err := w.conn.Erased(ctx, d.Event.Provider, d.Account)
	if err == nil && erased {
		err = w.conn.EraseDeadLetters(ctx, d.Queue.Name, d.Account)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNotStored, err)
	}
	return nil
}

// erase takes the account out of the streams, tombstone first.
func (w *Worker) erase(ctx context.Context, d *stream.Delivery) error {
	for _, step := range w.conn.ErasureSteps(d.Event.Provider, d.Account) {
		if err := step.Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// completion is what the event's last word says.
func (w *Worker) completion(job Job, fetched Fetched, v Verdict, cause error) schema.Completion {
	outcome := v.Outcome
	if v.Kind == Done && v.Outcome == schema.Succeeded && fetched.Outcome != "" {
		outcome = fetched.Outcome
	}
	c := schema.NewCompletion(job.Event, w.resource, outcome, time.Now())
	c.Data.Attempts = job.Attempt
	if job.Payload.EndUserID != "" {
		c.Data.EndUserID = &job.Payload.EndUserID
	}
	if job.Event.AccountID != "" && !job.Event.NamesEndUser() {
		c.Data.AccountID = &job.Event.AccountID
	}
	switch {
	case cause != nil && !errors.Is(cause, errIncomplete):
		c.Data.Error = completionError(cause, v)
		return c
	case outcome == schema.Failed:
		c.Data.Error = &schema.CompletionError{
			Class: string(schema.ClassProvider), Code: job.Payload.ErrorCode, Type: job.Payload.ErrorType, Message: "the provider's job failed",
		}
		return c
	}
	// Appended, for an empty list must stay one: null would break the contract.
	c.Data.Records = append(c.Data.Records, fetched.Records...)
	c.Data.Deleted = append(c.Data.Deleted, fetched.Deleted...)
	c.Data.Missing = append(c.Data.Missing, fetched.Missing...)
	c.Data.Stale = fetched.Stale
	if !fetched.RefreshedAt.IsZero() {
		at := fetched.RefreshedAt.UTC()
		c.Data.RefreshedAt = &at
	}
	return c
}

// settle tells the queue.
func settle(d *stream.Delivery, v Verdict) error {
	switch v.Kind {
	case Later:
		delay := v.Delay
		if spread := delay / 10; spread > 0 { // so that an outage does not end for all its events at one moment
			delay += rand.N(spread)
		}
		return d.Later(delay)
	case Never:
		return d.Never(v.Reason)
	default:
		return d.Done()
	}
}

// told writes the job's one line.
func (w *Worker) told(ctx context.Context, q *queue, d *stream.Delivery, fetched Fetched, v Verdict, started time.Time, err error) {
	took := time.Since(started)
	outcome := string(v.Outcome)
	switch {
	case errors.Is(err, errCompleted):
		outcome, err = "completed_before", nil
	case errors.Is(err, errOtherQueue):
		outcome, err = "other_queue", nil
	case errors.Is(err, stream.ErrErased):
		outcome = "erased"
	case v.Kind == Later:
		outcome = "later"
	case fetched.Outcome != "" && v.Kind == Done:
		outcome = string(fetched.Outcome)
	}
	w.metrics.job(q.name, outcome, string(v.Class), took)
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("outcome", outcome), attribute.String("class", string(v.Class)))
	level := zap.InfoLevel
	if v.Kind == Never {
		level = zap.ErrorLevel
	} else if err != nil {
		level = zap.WarnLevel
	}
	fields := []zap.Field{
		zap.String("event_id", d.Event.Key()), zap.String("queue", q.name), zap.String("resource", string(w.resource)),
		zap.String("type", d.Event.Type), zap.String("account", d.Account), zap.Int("attempt", d.Attempt),
		zap.String("outcome", outcome), zap.Int("records", len(fetched.Records)), zap.Duration("took", took),
	}
	if v.Class != "" {
		fields = append(fields, zap.String("class", string(v.Class)))
	}
	if v.Kind == Later {
		fields = append(fields, zap.Duration("delay", v.Delay))
	}
	if err != nil {
		fields = append(fields, zap.Error(err))
	}
	w.log.Log(level, "job", fields...)
}
