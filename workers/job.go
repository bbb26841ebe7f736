package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/api/pace"
)

// Job is an event in a worker's hands.
type Job struct {
	Event   schema.Event
	Payload Payload
	// StoredAt is when the broker stored the event.
	StoredAt time.Time
	// Attempt is the number of the attempt at the event, from 1.
	Attempt int
	// Started is when the attempt began. The fetched data is at least as new.
	Started time.Time
	// Records takes the records that the handler fetches.
	Records *Records
	// provider counts how long the provider made the event wait.
	provider *providerClock
	// Progress is what Records.Save returned to an earlier attempt. Nil: nothing was saved.
	Progress *schema.RecordsRef
}

// Source is a provider's side of a resource.
type Source struct {
	// Decode reads the body of a webhook. Ingress has checked the body: a JSON object without
	// repeated keys. An error wraps ErrUndecodable.
	Decode  func(schema.Event) (Payload, error)
	Handler Handler
	// Pace is the pace of the handler's calls, nil without one.
	Pace *pace.Pacer
}

// Handler fetches the data that an event announces, and adds each record to job.Records. Fetch is
// called for several events at a time.
type Handler interface {
	Fetch(ctx context.Context, job Job) (Fetched, error)
}

// Fetched is the result of a fetch. The records are in Job.Records.
type Fetched struct {
	// Outcome is Unavailable, Disconnected or Deleted. Empty means Succeeded.
	Outcome schema.Outcome
	// Scope says what the records are.
	Scope schema.Scope
	// From and To are the dates of a Window, as YYYY-MM-DD. Empty means no bound.
	From, To string
	// EndUserID is the operator's own name for the person, if the data has it and the webhook has
	// none.
	EndUserID string
	// Accounts are the accounts of the person, if the event names a person: each gets a completion.
	// They count beside an error, too. Without accounts, the completion is the person's.
	Accounts []string
	// Supported are the resources that the account can have, if the provider says it. They count
	// beside an error, too.
	Supported []schema.Resource
	// RefreshedAt is the time of the provider's own last look at the data. Zero means unknown.
	RefreshedAt time.Time
	// DataAt is the time that the completion's sequence begins with, if there is data. Zero means
	// RefreshedAt, or the time of the event without it.
	DataAt time.Time
	// Deleted are the ids of deleted records, as the event says.
	Deleted []string
	// Missing are announced ids without a record in the API.
	Missing []string
	// Stale is true if the data is older than the event.
	Stale bool
}

// isIncomplete reports whether the provider's data is behind the webhook.
func (f Fetched) isIncomplete() bool { return f.Stale || len(f.Missing) > 0 }

// orderedBy returns the time of the data. Zero means that of the event.
func (f Fetched) orderedBy() time.Time {
	if f.DataAt.IsZero() {
		return f.RefreshedAt
	}
	return f.DataAt
}

// Verdict is the decision about a job.
type Verdict struct {
	Kind Kind
	// Class is the class of the error, if there was one.
	Class schema.Class
	// Outcome is the outcome of the completion. Empty: no completion is stored.
	Outcome schema.Outcome
	// Reason is the reason of the dead letter. Only Never has a dead letter.
	Reason schema.Reason
	// Delay is the time before the next try. Only Later has a delay.
	Delay time.Duration
	// Step is the step of the class's ladder, from 1, and Steps the length of the ladder. Both are
	// 0 without a ladder: the wait then counts as no failure.
	Step  int
	Steps int
	// LogAs is the outcome in the log and in the metrics: the completion's, or another word.
	LogAs string
	// Skipped is true if the job needed no work here. Its error is the reason and no failure.
	Skipped bool
}

// Kind is a way to settle a job.
type Kind int

// The kinds.
const (
	// Done means: store the completion, then tell the queue that the event is done.
	Done Kind = iota
	// Later means: let the event wait at the broker, for another try after a delay.
	Later
	// Back means: give the event back to the queue as it came.
	Back
	// Never means: store a dead letter and the completion, then end the event's deliveries.
	Never
)

// Errors that do not come from a provider.
var (
	// errIncomplete means that the data is older than the event or lacks announced records.
	errIncomplete = errors.New("the provider's data is behind its webhook")
	// errNotStored means that a completion or dead letter could not be stored. errNotStored never
	// ends an event, because the event has no completion yet.
	errNotStored = errors.New("not stored")
	errPanic     = errors.New("the handler panicked")
	// errCompleted means that an earlier delivery has completed the event.
	errCompleted = errors.New("completed before")
	// errOtherQueue means that the event was sent again for another queue of the same type.
	errOtherQueue = errors.New("sent again for another queue")
	// errOtherResource means that the provider's job of another resource brought no data. The
	// worker of that resource says so.
	errOtherResource = errors.New("no data of another resource")
	// errWornOut means that the event had many deliveries without a verdict.
	errWornOut = errors.New("many deliveries without a verdict")
	// errPaused means that the queue was paused when the job wanted to call the provider.
	errPaused = errors.New("the provider refuses our credentials, and another event asks")
	// errRefused means that the provider refused many accounts without one success.
	errRefused = errors.New("the provider refuses every account: our credentials lack the right")
	// errExhausted means that the worker died with the event in hand, at every delivery.
	errExhausted = errors.New("the event's deliveries ran out before a verdict")
	// ErrUndecodable means that the event or the body cannot be read.
	ErrUndecodable = errors.New("the event cannot be decoded")
)

// judge decides about a job by the result or the error of the fetch, or by the error of storing the
// completion, and by the event's failures until now. No other function turns errors into verdicts.
func (l Ladders) judge(fetched Fetched, err error, failures schema.Failures) Verdict {
	var status *api.StatusError
	var contract *api.ContractError
	switch {
	case err == nil:
		return done("", fetchedOutcome(fetched))
	case errors.Is(err, context.Canceled), errors.Is(err, errWornOut), errors.Is(err, errPaused):
		return Verdict{Kind: Back, LogAs: "given_back"}
	case errors.Is(err, errCompleted):
		return skip("completed_before")
	case errors.Is(err, errOtherQueue):
		return skip("other_queue")
	case errors.Is(err, errOtherResource):
		return skip("other_resource")
	case errors.Is(err, stream.ErrErased):
		return Verdict{Kind: Done, LogAs: "erased"}
	case errors.Is(err, errNotStored):
		return storeLadder.climbForEver(schema.ClassNotStored, failures)
	case errors.Is(err, stream.ErrTooLarge):
		return never(schema.ClassContract, schema.ReasonTooLarge, schema.Failed)
	case errors.Is(err, errIncomplete):
		return l.notReady(schema.ClassNotReady, failures, fetchedOutcome(fetched))
	case errors.Is(err, errExhausted):
		return never(schema.ClassExhausted, schema.ReasonDeliveriesMax, schema.Failed)
	case errors.Is(err, errPanic):
		return never(schema.ClassPoison, schema.ReasonPanic, schema.Failed)
	case errors.Is(err, ErrUndecodable):
		return never(schema.ClassPoison, schema.ReasonUndecodable, schema.Failed)
	case errors.Is(err, api.ErrCredentials), errors.Is(err, errRefused):
		return later(schema.ClassUnauthorized, PauseFor)
	case errors.Is(err, api.ErrID):
		return never(schema.ClassPermanent, schema.ReasonRejected, schema.Failed)
	case errors.As(err, &contract):
		return l.retry(schema.ClassContract, failures, schema.ReasonContract, ContractTries-1)
	case errors.As(err, &status):
		return l.judgeStatus(status, failures)
	default:
		return l.retry(schema.ClassTransient, failures, schema.ReasonLadderEnded, len(l.Retry))
	}
}

// judgeStatus decides about a response with an HTTP status other than 2xx.
func (l Ladders) judgeStatus(err *api.StatusError, failures schema.Failures) Verdict {
	code := err.Status
	switch {
	case code == http.StatusTooManyRequests:
		held := min(max(err.RetryAfter, time.Second), api.RetryAfterMax)
		return later(schema.ClassThrottled, held)
	case code == http.StatusUnauthorized:
		return later(schema.ClassUnauthorized, PauseFor)
	case code == http.StatusForbidden:
		return l.notReady(schema.ClassForbidden, failures, schema.Unavailable)
	case code == http.StatusNotFound, code == http.StatusConflict:
		return l.notReady(schema.ClassNotReady, failures, schema.Unavailable)
	case code == http.StatusGone:
		return never(schema.ClassPermanent, schema.ReasonRejected, schema.Unavailable)
	case code == http.StatusRequestTimeout, code >= 500:
		return l.retry(schema.ClassTransient, failures, schema.ReasonLadderEnded, len(l.Retry))
	case code >= 300 && code < 400:
		return never(schema.ClassPermanent, schema.ReasonRedirected, schema.Failed)
	default:
		return never(schema.ClassPermanent, schema.ReasonRejected, schema.Failed)
	}
}

// notReady climbs the short ladder. After the last step the fetched data is good enough, or the
// provider does not have the data.
func (l Ladders) notReady(
	class schema.Class, failures schema.Failures, atEnd schema.Outcome,
) Verdict {
	if v, more := l.NotReady.climb(class, failures, len(l.NotReady)); more {
		return v
	}
	return done(class, atEnd)
}

// retry climbs the long ladder, for stepsMax steps at most.
func (l Ladders) retry(
	class schema.Class, failures schema.Failures, atEnd schema.Reason, stepsMax int,
) Verdict {
	if v, more := l.Retry.climb(class, failures, stepsMax); more {
		return v
	}
	return never(class, atEnd, schema.Failed)
}

// climb takes the next step of the class. more is false after the last of stepsMax steps.
func (l Ladder) climb(
	class schema.Class, failures schema.Failures, stepsMax int,
) (v Verdict, more bool) {
	steps := min(len(l), stepsMax)
	step := failures[class] + 1
	if step > steps {
		return Verdict{}, false
	}
	v = later(class, l[step-1])
	v.Step = step
	v.Steps = steps
	return v, true
}

// climbForEver takes the next step of the class, or the last step again. Such a ladder ends no
// event.
func (l Ladder) climbForEver(class schema.Class, failures schema.Failures) Verdict {
	v := later(class, l[min(failures[class], len(l)-1)])
	v.Step = failures[class] + 1
	return v
}

func skip(logAs string) Verdict { return Verdict{Kind: Done, Skipped: true, LogAs: logAs} }

// wait describes the wait of a verdict Later after the error.
func (v Verdict) wait(err error, failures schema.Failures) schema.Wait {
	now := time.Now()
	w := schema.Wait{
		Class: v.Class, Step: v.Step, Steps: v.Steps,
		Since: now, Until: now.Add(spread(v.Delay)), Failures: failures,
	}
	w.Status, w.Endpoint = lastAnswer(err)
	if v.Step > 0 {
		w.Failures = failures.With(v.Class)
	}
	return w
}

// lastAnswer returns the HTTP status of the provider's last answer, 0 if none came, and the
// endpoint without ids, "" if none was called.
func lastAnswer(err error) (status int, endpoint string) {
	if answer, ok := errors.AsType[*api.StatusError](err); ok {
		return answer.Status, answer.Endpoint
	}
	if broken, ok := errors.AsType[*api.ContractError](err); ok {
		return http.StatusOK, broken.Endpoint
	}
	if lost, ok := errors.AsType[*api.NetworkError](err); ok {
		return 0, lost.Endpoint
	}
	return 0, ""
}

func done(class schema.Class, outcome schema.Outcome) Verdict {
	return Verdict{Kind: Done, Class: class, Outcome: outcome, LogAs: string(outcome)}
}

func later(class schema.Class, delay time.Duration) Verdict {
	return Verdict{Kind: Later, Class: class, Delay: delay, LogAs: "later"}
}

func never(class schema.Class, reason schema.Reason, outcome schema.Outcome) Verdict {
	return Verdict{
		Kind: Never, Class: class, Reason: reason, Outcome: outcome, LogAs: string(outcome),
	}
}

func fetchedOutcome(f Fetched) schema.Outcome { return cmp.Or(f.Outcome, schema.Succeeded) }

// newCompletion returns the completion of the job. err is the error behind the verdict, if any.
func newCompletion(
	r schema.Resource, job Job, fetched Fetched, v Verdict, err error,
) schema.Completion {
	c := schema.NewCompletion(job.Event, r, v.Outcome, time.Now())
	c.Data.Attempts = job.Attempt
	c.Data.StoredAt = job.StoredAt.UTC()
	c.Data.TakenAt = job.Started.UTC()
	c.Sequence = schema.Sequence(job.Event.OccurredAt, job.Started, c.ID)
	c.Data.AccountID = textOrNull(job.Event.AccountID)
	c.Data.EndUserID = textOrNull(cmp.Or(job.Payload.EndUserID, fetched.EndUserID))
	if job.Event.NamesEndUser() {
		c.Data.AccountID = textOrNull(job.Event.Of)
		c.Data.EndUserID = textOrNull(job.Event.AccountID)
	}
	c.Data.ObjectID = job.Payload.ObjectID
	c.Data.EmploymentID = job.Payload.EmploymentID
	c.Data.Supported = job.Payload.Supported
	if fetched.Supported != nil {
		c.Data.Supported = fetched.Supported
	}
	if err != nil && !errors.Is(err, errIncomplete) {
		c.Data.Error = completionError(err, v)
		return c
	}
	if job.Payload.Outcome == schema.Failed || job.Payload.Outcome == schema.Unavailable {
		c.Data.Error = providerError(job.Payload)
		return c
	}
	job.Records.put(&c)
	// append keeps the empty lists of NewCompletion: null would break the contract.
	c.Data.Deleted = append(c.Data.Deleted, fetched.Deleted...)
	c.Data.Missing = append(c.Data.Missing, fetched.Missing...)
	c.Data.Stale = fetched.Stale
	if v.Outcome.HasRecords() && fetched.Scope != "" {
		c.Data.Scope = &fetched.Scope
		c.Data.From = textOrNull(fetched.From)
		c.Data.To = textOrNull(fetched.To)
	}
	if !fetched.RefreshedAt.IsZero() {
		at := fetched.RefreshedAt.UTC()
		c.Data.RefreshedAt = &at
	}
	if at := fetched.orderedBy(); !at.IsZero() {
		c.Sequence = schema.Sequence(at, job.Started, c.ID)
	}
	return c
}

// textOrNull returns nil for an empty text: the contract has null then.
func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// completionError returns the completion's description of the error behind the verdict. The
// description has our words and the provider's codes. It leaves out the provider's prose, because
// prose may quote a person's data.
func completionError(err error, v Verdict) *schema.CompletionError {
	e := &schema.CompletionError{
		Class:   string(v.Class),
		Code:    string(v.Reason),
		Message: err.Error(),
	}
	if status, ok := errors.AsType[*api.StatusError](err); ok {
		e.Code = cmp.Or(status.Code, fmt.Sprintf("http_%d", status.Status))
		e.Type = status.Type
	}
	return e
}

// providerError returns the completion's description of a job that brought no data at the provider.
func providerError(p Payload) *schema.CompletionError {
	message := "the provider's job failed"
	if p.Outcome == schema.Unavailable {
		message = "the provider does not have the data"
	}
	return &schema.CompletionError{
		Class:   string(schema.ClassProvider),
		Code:    p.ErrorCode,
		Type:    p.ErrorType,
		Message: message,
	}
}
