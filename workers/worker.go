package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api/pace"
)

// Worker serves the queues of one resource.
type Worker struct {
	resource schema.Resource
	conn     *stream.Conn
	config   Config
	log      *zap.Logger
	metrics  *metrics
	// traces is false if nobody takes the spans. The worker then makes none.
	traces bool
	tracer trace.Tracer
	// reference finds the drift of the records.
	reference *jsonschema.Reference
	queues    []*queue
}

// queue is a queue of a worker.
type queue struct {
	*stream.Queue
	name     string
	provider schema.Provider
	source   Source
	// erases is true for a queue of erasures.
	erases bool
	// calls is true if the handler calls the provider. A queue without calls never pauses.
	calls    bool
	pause    *pause
	closures *closures
}

// New returns a worker for the queues of the resource. A queue is served if its provider has a
// source. Nothing starts before Run.
func New(
	r schema.Resource, sources map[schema.Provider]Source, conn *stream.Conn, c Config,
	log *zap.Logger, registry prometheus.Registerer,
) *Worker {
	c = c.withDefaults()
	tracing := cmp.Or[trace.TracerProvider](c.Tracing, noop.NewTracerProvider())
	_, isOff := tracing.(noop.TracerProvider)
	w := &Worker{
		resource: r,
		conn:     conn,
		config:   c,
		log:      log,
		metrics:  newMetrics(registry),
		traces:   !isOff,
		tracer:   tracing.Tracer(tracerName),

		reference: jsonschema.NewReference(),
	}
	for _, q := range schema.QueuesOf(r) {
		source, ok := sources[q.Provider]
		if !ok {
			// The events of the queue wait on their stream. Only this line tells.
			log.Warn("queue not served: no secret of its provider's API is configured",
				zap.String("queue", q.Name), zap.String("provider", string(q.Provider)))
			continue
		}
		w.queues = append(w.queues, w.newQueue(q, source))
	}
	return w
}

func (w *Worker) newQueue(of schema.Queue, source Source) *queue {
	on := w.conn.Queue(of)
	closures := newClosures(on, of.Name, w.log)
	q := &queue{
		Queue:    on,
		name:     of.Name,
		provider: of.Provider,
		source:   source,
		erases:   of.Erases,
		calls:    of.CallsProvider(),
		pause:    newPause(on, of.Name, w.config.PauseFor, closures, w.log, w.metrics),
		closures: closures,
	}
	if source.Pace != nil && !q.erases {
		source.Pace.OnHold(q.pause.hold)
	}
	w.metrics.setPaused(q.name, false)
	if !q.erases {
		w.metrics.showResource(q.provider, w.resource)
	}
	return q
}

// requireSource returns an error if no queue of the resource has a source: a worker without queues
// would do nothing and look healthy.
func requireSource(r schema.Resource, sources map[schema.Provider]Source) error {
	var names []string
	for _, q := range schema.QueuesOf(r) {
		if _, ok := sources[q.Provider]; ok {
			return nil
		}
		names = append(names, q.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("no queue has events of %s", r)
	}
	return fmt.Errorf("no source for the queues of %s: %s", r, strings.Join(names, ", "))
}

// Ready returns an error until every queue can be served, and each provider that gets calls has a
// budget.
func (w *Worker) Ready(ctx context.Context) error {
	for _, q := range w.queues {
		if err := q.Ready(ctx); err != nil {
			return err
		}
		if !q.calls {
			continue
		}
		if err := w.conn.Budget(q.provider).Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Run works until ctx ends. Run then takes no new events, finishes the jobs in hand within StopFor,
// gives the others back and returns nil.
func (w *Worker) Run(ctx context.Context) error {
	inHand, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var group, timer errgroup.Group
	finished := make(chan struct{})
	timer.Go(func() error {
		awaitStop(ctx, w.conn, w.config.StopFor, finished)
		giveUp()
		return nil
	})
	for _, q := range w.queues {
		w.serve(ctx, inHand, q, &group)
	}
	err := group.Wait()
	close(finished)
	return errors.Join(err, timer.Wait())
}

// serve starts the parts of a queue in the group. They end with ctx. inHand ends the jobs.
func (w *Worker) serve(ctx, inHand context.Context, q *queue, group *errgroup.Group) {
	if q.calls {
		group.Go(func() error {
			q.pause.share(ctx)
			return nil
		})
		group.Go(func() error {
			q.closures.announce(ctx)
			return nil
		})
	}
	group.Go(func() error {
		if q.source.Pace != nil && !q.erases {
			q.source.Pace.Learn(ctx) // another process may have begun a hold
		}
		return q.Consume(ctx, w.takingFrom(q), func(d *stream.Delivery) {
			w.workInSpan(inHand, q, d)
		})
	})
	group.Go(func() error {
		return q.Exhausted(ctx, func(d *stream.Delivery) error {
			return w.completeExhausted(inHand, q, d)
		})
	})
}

// takingFrom says how the worker takes events from the queue.
func (w *Worker) takingFrom(q *queue) stream.Taking {
	hands := int(w.config.Concurrency)
	fewer := max(1, hands/HandsPerRetryHand)
	taking := stream.Taking{Hands: hands, RetryHands: fewer, ReplayHands: fewer}
	if q.calls {
		taking.Gate = q.pause
	}
	return taking
}

// awaitStop returns when the jobs are finished, stopFor after the end of ctx, or at the end of ctx
// if the connection is lost: then nothing can be stored.
func awaitStop(
	ctx context.Context, conn *stream.Conn, stopFor time.Duration, finished <-chan struct{},
) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	select {
	case <-finished:
	case <-conn.Lost():
	case <-time.After(stopFor):
	}
}

// work does one job: fetch, judge, complete, settle, log. A crash after any step costs a repeat of
// the step.
func (w *Worker) work(ctx context.Context, q *queue, d *stream.Delivery) {
	started := time.Now()
	job, fetched, err := w.fetch(ctx, q, d)
	verdict := w.config.Ladders.judge(fetched, err, d.Waited.Failures)
	verdict, err = w.finish(ctx, d, job, fetched, verdict, err)
	verdict, unsettled := w.settleInSpan(ctx, d, job, verdict, err)
	unsettled = errors.Join(unsettled, job.Records.Close(ctx))
	w.logJob(ctx, d, job.Records.Count(), verdict, time.Since(started), err, unsettled)
}

// finish stores what the verdict asks for. If the broker stores nothing, finish returns the verdict
// about that failure. cause is the error behind the verdict, if any.
func (w *Worker) finish(
	ctx context.Context, d *stream.Delivery, job Job, fetched Fetched, verdict Verdict, cause error,
) (Verdict, error) {
	for verdict.Outcome != "" {
		failure := w.complete(ctx, d, job, fetched, verdict, cause)
		if failure == nil {
			break
		}
		if errors.Is(cause, stream.ErrTooLarge) { // the completion that says so is too large, too
			failure = notStored(failure)
		}
		cause = failure
		verdict = w.config.Ladders.judge(fetched, cause, d.Waited.Failures)
	}
	return verdict, cause
}

// fetch decodes the event and gets the announced data.
func (w *Worker) fetch(ctx context.Context, q *queue, d *stream.Delivery) (Job, Fetched, error) {
	job, err := q.decode(d)
	if err != nil {
		return job, Fetched{}, err
	}
	if err := w.checkNotCompleted(ctx, d); err != nil {
		return job, Fetched{}, err
	}
	job.Records = NewRecords(w.conn, job.Event, w.resource, job.Progress)
	job.Records.reference = w.reference
	var fetched Fetched
	switch {
	case job.Payload.Outcome != "" && w.leavesWord(job.Event):
		return job, Fetched{}, errOtherResource
	case job.Payload.Outcome != "": // the provider's job brought no data to fetch
		fetched.Outcome = job.Payload.Outcome
	case !q.calls: // so no pause may delay the event
		fetched, err = w.callHandler(ctx, q, job)
	default:
		fetched, err = w.fetchInTurn(inLane(ctx, job.Event), q, job)
	}
	if err == nil && fetched.isIncomplete() {
		err = errIncomplete
	}
	if errors.Is(err, stream.ErrErased) { // Job.Records does not store records of such an account
		err = w.dropErased(ctx, d, err)
	}
	return job, fetched, err
}

// leavesWord reports whether another worker says how the provider's job ended.
func (w *Worker) leavesWord(e schema.Event) bool {
	return slices.Contains(schema.Lookup(e.Provider, e.Type).OnSuccess, w.resource)
}

// inLane lets the calls for a replayed event come after those for fresh events.
func inLane(ctx context.Context, e schema.Event) context.Context {
	if e.Replayed() {
		return pace.AsReplay(ctx)
	}
	return ctx
}

// dropErased erases the event of an account that was erased before the fetch ended.
func (w *Worker) dropErased(ctx context.Context, d *stream.Delivery, refusal error) error {
	ctx, cancel := context.WithTimeout(ctx, w.config.StoreFor)
	defer cancel()
	return w.eraseLateEvent(ctx, d, refusal)
}

// decode makes a job of the delivery.
func (q *queue) decode(d *stream.Delivery) (Job, error) {
	if d.Err != nil {
		return Job{}, fmt.Errorf("%w: %w", ErrUndecodable, d.Err)
	}
	now := time.Now()
	job := Job{
		Event: d.Event, StoredAt: d.StoredAt, Attempt: d.Attempt(), Started: now,
		Progress: d.Waited.Progress,
		provider: q.startProviderClock(d, now),
	}
	if !d.Retry && d.IsWornOut() {
		return job, errWornOut
	}
	if q.isOthers(d.Event) {
		return job, errOtherQueue
	}
	var err error
	job.Payload, err = q.source.Decode(d.Event)
	if err != nil {
		return job, err
	}
	if d.Account == schema.NoAccount {
		return job, fmt.Errorf("%w: %s names no account", ErrUndecodable, d.Event.Type)
	}
	return job, nil
}

// isOthers reports whether another queue works on the event. A queue of erasures works on every
// erasure, also on one sent again for the queue that had the erasures in earlier releases.
func (q *queue) isOthers(e schema.Event) bool {
	if e.Erases() {
		return !q.erases
	}
	return e.Queue != "" && e.Queue != q.name
}

// checkNotCompleted returns errCompleted if an earlier delivery has completed the event. A fresh
// event has had no earlier delivery. An erasure is done again, because some of its steps come after
// the completion.
//
// Of an event that names a person, only the person's own completion counts. The completions of some
// accounts do not say whether every account has its own, and only the provider knows the accounts.
// So the event is fetched again, and the broker refuses a second completion of an account.
func (w *Worker) checkNotCompleted(ctx context.Context, d *stream.Delivery) error {
	fresh := !d.Retry && d.Deliveries <= 1 && time.Since(d.Event.ReceivedAt) <= FreshFor
	if fresh || d.Event.Erases() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.StoreFor)
	defer cancel()
	completed, err := w.conn.Completed(ctx, d.Event, w.resource)
	if err != nil {
		return notStored(err)
	}
	if completed {
		return errCompleted
	}
	return nil
}

// callHandler calls the queue's handler. A panic of the handler becomes an error.
func (w *Worker) callHandler(ctx context.Context, q *queue, job Job) (fetched Fetched, err error) {
	defer func() {
		if r := recover(); r != nil {
			// The log and the error have the type of r. The value of r may hold fetched data.
			w.log.Error("handler panicked",
				zap.String("event_id", job.Event.Key()), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("%w: %T", errPanic, r)
		}
	}()
	return q.source.Handler.Fetch(withProviderClock(ctx, job.provider), job)
}

// complete stores the completion of the event, or those of the person's accounts: before them the
// dead letter, if the verdict is Never, and with the completion the erasure, if the account was
// deleted. cause is the error behind the verdict, if any.
func (w *Worker) complete(
	ctx context.Context, d *stream.Delivery, job Job, fetched Fetched, verdict Verdict, cause error,
) error {
	storing, cancel := context.WithTimeout(ctx, w.config.StoreFor)
	defer cancel()
	if verdict.Kind == Never {
		if err := w.storeDeadLetter(storing, d, verdict, cause); err != nil {
			return err
		}
	}
	if d.Err != nil { // an event without an id has no completion, only a dead letter
		return w.eraseLateDeadLetter(storing, d)
	}
	if len(fetched.Accounts) > 0 {
		return w.completeAccounts(ctx, d, job, fetched, verdict, cause)
	}
	completion := newCompletion(w.resource, job, fetched, verdict, cause)
	if verdict.Outcome == schema.Deleted {
		return w.erase(storing, d, job, completion)
	}
	return w.storeCompletion(storing, d, job, completion)
}

// storeDeadLetter stores a copy of an event that no worker can finish. The error is
// stream.ErrErased if the account was erased. Nothing is stored then: the event may be gone from
// its stream, and if this worker died before the broker refuses the completion, nobody would erase
// the dead letter.
func (w *Worker) storeDeadLetter(
	ctx context.Context, d *stream.Delivery, v Verdict, cause error,
) error {
	erased, err := w.conn.Erased(ctx, d.Event.Provider, d.Account)
	if err != nil {
		return notStored(err)
	}
	if erased {
		return w.eraseLateEvent(ctx, d, stream.ErrErased)
	}
	letter := d.DeadLetter(v.Class, v.Reason, time.Now())
	letter.Status, letter.Endpoint = lastAnswer(cause)
	if err := w.conn.PublishDeadLetter(ctx, letter); err != nil {
		return notStored(err)
	}
	w.metrics.countDeadLetter(d.Queue.Name, v)
	return nil
}

// storeCompletion stores the completion, if the event has none yet. The error is stream.ErrErased
// if the account was erased.
func (w *Worker) storeCompletion(
	ctx context.Context, d *stream.Delivery, job Job, c schema.Completion,
) error {
	stored, err := w.publishCompletion(ctx, job, c)
	switch {
	case errors.Is(err, stream.ErrErased) && job.Event.Of != "": // the event is the person's
		w.metrics.countDropped(d.Queue.Name)
		return err
	case errors.Is(err, stream.ErrErased):
		return w.eraseLateEvent(ctx, d, err)
	case errors.Is(err, stream.ErrTooLarge):
		return err // storing again would have the same end
	case err != nil:
		return notStored(err)
	case !stored:
		w.metrics.countFenced(d.Queue.Name)
	default:
		w.countStored(ctx, job, c)
	}
	return nil
}

// countStored counts a completion that this worker stored. The times of replayed events are not
// observed: they began with an operator.
func (w *Worker) countStored(ctx context.Context, job Job, c schema.Completion) {
	if c.CountRecords() > 0 {
		w.metrics.countDrift(c.Data.Provider, w.resource, job.Records.drift)
	}
	if job.Event.Replayed() {
		return
	}
	took := max(0, time.Since(job.Event.ReceivedAt)) // ingress may have another clock
	own := max(0, took-job.provider.took())
	w.metrics.observeCompletion(ctx, c.Data.Provider, w.resource, took, own)
}

func notStored(err error) error { return fmt.Errorf("%w: %w", errNotStored, err) }

// settle reports the verdict to the queue. Done and Later wait for the broker to confirm; during
// the wait of Done, the hand takes another event. If a Never gets lost, the lease ends and the
// event is delivered again. settle returns the verdict that holds in the end: an event does not
// wait if its account is erased meanwhile.
func (w *Worker) settle(
	ctx context.Context, d *stream.Delivery, job Job, v Verdict, cause error,
) (Verdict, error) {
	switch v.Kind {
	case Later:
		return w.wait(ctx, d, job, v, cause)
	case Back:
		return v, d.GiveBack()
	case Never:
		return v, d.Never(v.Reason)
	default:
		d.FreeHand()
		return v, d.Done()
	}
}

// wait lets the event wait at the broker. If the account is erased meanwhile, nothing waits, and
// the verdict becomes that of an event of an erased account.
func (w *Worker) wait(
	ctx context.Context, d *stream.Delivery, job Job, v Verdict, cause error,
) (Verdict, error) {
	if v.Class == schema.ClassUnauthorized {
		v.Delay = w.config.PauseFor // until the next probe
	}
	wait := v.wait(cause, d.Waited.Failures)
	wait.ProviderTook = job.provider.took()
	wait.TraceParent = process.TraceParent(ctx)
	err := letWait(ctx, d, job, wait)
	if !errors.Is(err, stream.ErrErased) {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.StoreFor)
	defer cancel()
	if err := w.eraseLateEvent(ctx, d, err); !errors.Is(err, stream.ErrErased) {
		return v, errors.Join(err, d.GiveBack())
	}
	return w.config.Ladders.judge(Fetched{}, err, d.Waited.Failures), d.Done()
}

// letWait saves the records that the attempt found for the next attempt, and lets the event wait.
// If the records cannot be saved, the next attempt fetches them again.
func letWait(ctx context.Context, d *stream.Delivery, job Job, wait schema.Wait) error {
	progress, unsaved := job.Records.Save(ctx)
	if errors.Is(unsaved, stream.ErrErased) {
		return unsaved
	}
	wait.Progress = cmp.Or(progress, job.Progress)
	if err := d.Wait(wait); err != nil {
		return err
	}
	job.Records.Keep()
	return unsaved
}

// spread makes a delay up to a tenth longer, so that the events of an outage do not all come back
// at the same moment.
func spread(delay time.Duration) time.Duration {
	if delay < 10 {
		return delay
	}
	return delay + rand.N(delay/10)
}
