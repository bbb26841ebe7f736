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
)

// Job is an event in a worker's hands.
type Job struct {
	Event   schema.Event
	Payload Payload
	// Attempt is the number of the delivery, from 1.
	Attempt int
	// Records takes the records that the handler fetches.
	Records *Records
	// Progress is what Records.Save returned to an earlier attempt. Nil: nothing was saved.
	Progress *schema.RecordsRef
}

// Source is a provider's side of a resource.
type Source struct {
	// Decode reads the body of a webhook. Ingress has checked the body: a JSON object without
	// repeated keys. An error wraps ErrUndecodable.
	Decode  func(schema.Event) (Payload, error)
	Handler Handler
}

// Handler fetches the data that an event announces, and adds each record to job.Records. Fetch is
// called for several events at a time.
type Handler interface {
	Fetch(ctx context.Context, job Job) (Fetched, error)
}

// Fetched is the result of a fetch. The records are in Job.Records.
type Fetched struct {
	// Outcome is Unavailable or Deleted. Empty means Succeeded.
	Outcome schema.Outcome
	// RefreshedAt is the time of the provider's own last look at the data. Zero means unknown.
	RefreshedAt time.Time
	// Deleted are the ids of deleted records, as the event says.
	Deleted []string
	// Missing are announced ids without a record in the API.
	Missing []string
	// Stale is true if the data is older than the event.
	Stale bool
}

// isIncomplete reports whether the provider's data is behind the webhook.
func (f Fetched) isIncomplete() bool { return f.Stale || len(f.Missing) > 0 }

// Verdict is the decision about a job.
type Verdict struct {
	Kind Kind
	// Class is the class of the error, if there was one.
	Class schema.Class
	// Outcome is the outcome of the completion. Empty: no completion is stored.
	Outcome schema.Outcome
	// Reason is the reason of the dead letter. Only Never has a dead letter.
	Reason schema.Reason
	// Delay is the time before the next delivery. Only Later has a delay.
	Delay time.Duration
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
	// Later means: give the event back to the queue, for another delivery after a delay.
	Later
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
	// errExhausted means that the worker died with the event in hand, at every delivery.
	errExhausted = errors.New("the event's deliveries ran out before a verdict")
	// ErrUndecodable means that the event or the body cannot be read.
	ErrUndecodable = errors.New("the event cannot be decoded")
)

// judge decides about a job by the result or the error of the fetch, or by the error of storing the
// completion. No other function turns errors into verdicts.
func (l Ladders) judge(fetched Fetched, err error, attempt int) Verdict {
	var status *api.StatusError
	var contract *api.ContractError
	switch {
	case err == nil:
		return done("", fetchedOutcome(fetched))
	case errors.Is(err, context.Canceled):
		return later("", 0) // the worker stops: another worker may have the event at once
	case errors.Is(err, errCompleted):
		return Verdict{Kind: Done, Skipped: true, LogAs: "completed_before"}
	case errors.Is(err, errOtherQueue):
		return Verdict{Kind: Done, Skipped: true, LogAs: "other_queue"}
	case errors.Is(err, stream.ErrErased):
		return Verdict{Kind: Done, LogAs: "erased"}
	case errors.Is(err, stream.ErrFull):
		return later(schema.ClassTransient, max(FullFor, l.Retry.stepOrLast(attempt)))
	case errors.Is(err, errNotStored):
		return later(schema.ClassTransient, l.Retry.stepOrLast(attempt))
	case errors.Is(err, errIncomplete):
		return l.notReady(attempt, fetchedOutcome(fetched))
	case errors.Is(err, errExhausted):
		return never(schema.ClassExhausted, schema.ReasonDeliveriesMax, schema.Failed)
	case errors.Is(err, errPanic):
		return never(schema.ClassPoison, schema.ReasonPanic, schema.Failed)
	case errors.Is(err, ErrUndecodable):
		return never(schema.ClassPoison, schema.ReasonUndecodable, schema.Failed)
	case errors.Is(err, api.ErrCredentials):
		return later(schema.ClassUnauthorized, PauseFor)
	case errors.Is(err, api.ErrID):
		return never(schema.ClassPermanent, schema.ReasonRejected, schema.Failed)
	case errors.As(err, &contract):
		return l.retry(attempt, schema.ClassContract, schema.ReasonContract, ContractTries)
	case errors.As(err, &status):
		return l.judgeStatus(status, attempt)
	default:
		return l.retry(attempt, schema.ClassTransient, schema.ReasonLadderEnded, len(l.Retry)+1)
	}
}

// judgeStatus decides about a response with an HTTP status other than 2xx.
func (l Ladders) judgeStatus(err *api.StatusError, attempt int) Verdict {
	code := err.Status
	switch {
	case code == http.StatusTooManyRequests:
		delay := err.RetryAfter
		if delay <= 0 {
			delay = l.Retry.stepOrLast(attempt)
		}
		return later(schema.ClassThrottled, min(delay, api.RetryAfterMax))
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return later(schema.ClassUnauthorized, PauseFor)
	case code == http.StatusNotFound, code == http.StatusConflict:
		return l.notReady(attempt, schema.Unavailable)
	case code == http.StatusGone:
		return never(schema.ClassPermanent, schema.ReasonRejected, schema.Unavailable)
	case code == http.StatusRequestTimeout, code >= 500:
		return l.retry(attempt, schema.ClassTransient, schema.ReasonLadderEnded, len(l.Retry)+1)
	case code >= 300 && code < 400:
		return never(schema.ClassPermanent, schema.ReasonRedirected, schema.Failed)
	default:
		return never(schema.ClassPermanent, schema.ReasonRejected, schema.Failed)
	}
}

// notReady climbs the short ladder. After the last step the fetched data is good enough.
func (l Ladders) notReady(attempt int, atEnd schema.Outcome) Verdict {
	if delay, more := l.NotReady.step(attempt); more {
		return later(schema.ClassNotReady, delay)
	}
	return done(schema.ClassNotReady, atEnd)
}

// retry climbs the long ladder, for triesMax attempts at most.
func (l Ladders) retry(attempt int, class schema.Class, atEnd schema.Reason, triesMax int) Verdict {
	if delay, more := l.Retry.step(attempt); more && attempt < triesMax {
		return later(class, delay)
	}
	return never(class, atEnd, schema.Failed)
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
	if job.Payload.EndUserID != "" {
		c.Data.EndUserID = &job.Payload.EndUserID
	}
	if job.Event.AccountID != "" && !job.Event.NamesEndUser() {
		c.Data.AccountID = &job.Event.AccountID
	}
	if err != nil && !errors.Is(err, errIncomplete) {
		c.Data.Error = completionError(err, v)
		return c
	}
	if v.Outcome == schema.Failed {
		c.Data.Error = providerError(job.Payload)
		return c
	}
	job.Records.put(&c)
	// append keeps the empty lists of NewCompletion: null would break the contract.
	c.Data.Deleted = append(c.Data.Deleted, fetched.Deleted...)
	c.Data.Missing = append(c.Data.Missing, fetched.Missing...)
	c.Data.Stale = fetched.Stale
	if !fetched.RefreshedAt.IsZero() {
		at := fetched.RefreshedAt.UTC()
		c.Data.RefreshedAt = &at
	}
	return c
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

// providerError returns the completion's description of a job that failed at the provider.
func providerError(p Payload) *schema.CompletionError {
	return &schema.CompletionError{
		Class:   string(schema.ClassProvider),
		Code:    p.ErrorCode,
		Type:    p.ErrorType,
		Message: "the provider's job failed",
	}
}
