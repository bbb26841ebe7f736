package workers

import (
	"context"
	"encoding/json"
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
	Event schema.Event
	// Payload is what the event's body says.
	Payload Payload
	// Attempt counts the event's deliveries, from 1.
	Attempt int
}

// Source is one provider's side of a resource: how its webhooks are read, and where their data is.
type Source struct {
	// Decode reads what a webhook's body says. Ingress has made sure that the body is one JSON object without repeated keys.
	Decode  func(schema.Event) (Payload, error)
	Handler Handler
}

// Handler gets what one event announces. It may be called for several events at once.
type Handler interface {
	Fetch(ctx context.Context, job Job) (Fetched, error)
}

// Fetched is what a fetch brought.
type Fetched struct {
	// Outcome is Succeeded unless it says Unavailable or Deleted.
	Outcome schema.Outcome
	// Records are the provider's objects as they came.
	Records []json.RawMessage
	// RefreshedAt is when the provider says it last looked; zero where it does not.
	RefreshedAt time.Time
	// Deleted are the ids the event says are gone, Missing those it announced and the API does not have.
	Deleted, Missing []string
	// Stale: the data is older than the event that announced it.
	Stale bool
}

// Verdict is what an error means for a job.
type Verdict struct {
	Kind Kind
	// Class is the error's, "" where there was none or we stopped.
	Class schema.Class
	// Outcome of the completion, for Done and Never.
	Outcome schema.Outcome
	// Reason of the dead letter, for Never.
	Reason schema.Reason
	// Delay before the next delivery, for Later.
	Delay time.Duration
}

// Kind is one of three things that can be done with a job.
type Kind int

// The kinds.
const (
	// Done: complete it with its outcome.
	Done Kind = iota
	// Later: give it back for a while.
	Later
	// Never: keep a dead letter, complete it with its outcome, and end its deliveries.
	Never
)

// Limits of the verdicts.
const (
	// ContractTries is how often an answer that is not what the API promises is asked for again.
	ContractTries = 5
	// PauseFor is how long a queue rests between two probes of credentials that were refused.
	PauseFor = 30 * time.Second
	// FullFor is how long a completion waits for room on its stream, at least.
	FullFor = time.Minute
)

// Ladders are the pauses between deliveries. An event that needs one more than there are has its verdict.
type Ladders struct {
	// Retry is for what a provider's outage breaks.
	Retry []time.Duration
	// NotReady is for data that lags behind the webhook announcing it.
	NotReady []time.Duration
}

// DefaultLadders span 68 hours of outage, and 13 minutes of lag.
func DefaultLadders() Ladders {
	const h = time.Hour
	return Ladders{
		Retry:    []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * h, 5 * h, 10 * h, 10 * h, 10 * h, 10 * h, 10 * h, 10 * h},
		NotReady: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute},
	}
}

// step is the pause after the attempt, false where the ladder ends.
func step(ladder []time.Duration, attempt int) (time.Duration, bool) {
	if attempt = max(attempt, 1); attempt > len(ladder) {
		return 0, false
	}
	return ladder[attempt-1], true
}

// Errors that are not a provider's.
var (
	// errIncomplete: the fetch went well, but what it brought is older than the event or lacks what was announced.
	errIncomplete = errors.New("the provider's data is behind its webhook")
	// errNotStored: a completion or dead letter could not be stored. It never ends an event: it has no last word yet.
	errNotStored = errors.New("not stored")
	// errPanic: the handler panicked.
	errPanic = errors.New("the handler panicked")
	// errCompleted: the event has its completion from a delivery before this one.
	errCompleted = errors.New("completed before")
	// errOtherQueue: the event was sent again for another queue that reads its type.
	errOtherQueue = errors.New("sent again for another queue")
	// ErrUndecodable: the event or its body cannot be read. A Source's Decode wraps it.
	ErrUndecodable = errors.New("the event cannot be decoded")
)

// judge turns an error into a verdict. It is the one place that does.
func (l Ladders) judge(err error, attempt int) Verdict {
	var status *api.StatusError
	var contract *api.ContractError
	switch {
	case err == nil:
		return Verdict{Kind: Done, Outcome: schema.Succeeded}
	case errors.Is(err, context.Canceled):
		return Verdict{Kind: Later} // we are stopping: back at once
	case errors.Is(err, errCompleted), errors.Is(err, errOtherQueue):
		return Verdict{Kind: Done}
	case errors.Is(err, stream.ErrErased):
		return Verdict{Kind: Done, Outcome: schema.Deleted}
	case errors.Is(err, stream.ErrFull):
		return Verdict{Kind: Later, Class: schema.ClassTransient, Delay: max(FullFor, l.onward(attempt))}
	case errors.Is(err, errNotStored):
		return Verdict{Kind: Later, Class: schema.ClassTransient, Delay: l.onward(attempt)}
	case errors.Is(err, errIncomplete):
		return l.notReady(attempt, schema.Succeeded)
	case errors.Is(err, errPanic):
		return never(schema.ClassPoison, schema.ReasonPanic, schema.Failed)
	case errors.Is(err, ErrUndecodable):
		return never(schema.ClassPoison, schema.ReasonUndecodable, schema.Failed)
	case errors.Is(err, api.ErrCredentials):
		return Verdict{Kind: Later, Class: schema.ClassUnauthorized, Delay: PauseFor}
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

func (l Ladders) judgeStatus(err *api.StatusError, attempt int) Verdict {
	switch code := err.Status; {
	case code == http.StatusTooManyRequests:
		delay := err.RetryAfter
		if delay <= 0 {
			delay = l.onward(attempt)
		}
		return Verdict{Kind: Later, Class: schema.ClassThrottled, Delay: min(delay, api.RetryAfterMax)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return Verdict{Kind: Later, Class: schema.ClassUnauthorized, Delay: PauseFor}
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

// notReady climbs the short ladder; at its end what there is has to do.
func (l Ladders) notReady(attempt int, atEnd schema.Outcome) Verdict {
	if delay, more := step(l.NotReady, attempt); more {
		return Verdict{Kind: Later, Class: schema.ClassNotReady, Delay: delay}
	}
	return Verdict{Kind: Done, Class: schema.ClassNotReady, Outcome: atEnd}
}

// retry climbs the long ladder, tries times at most.
func (l Ladders) retry(attempt int, class schema.Class, atEnd schema.Reason, tries int) Verdict {
	if delay, more := step(l.Retry, attempt); more && attempt < tries {
		return Verdict{Kind: Later, Class: class, Delay: delay}
	}
	return never(class, atEnd, schema.Failed)
}

// onward climbs the long ladder and stays on its last step. What waits like that never ends: its event grows too old for the
// stream before its deliveries run out.
func (l Ladders) onward(attempt int) time.Duration {
	delay, _ := step(l.Retry, min(attempt, len(l.Retry)))
	return delay
}

func never(class schema.Class, reason schema.Reason, outcome schema.Outcome) Verdict {
	return Verdict{Kind: Never, Class: class, Reason: reason, Outcome: outcome}
}

// completionError is what a completion says of the error that ended its event: our words and the provider's codes, never
// its prose, which may quote a person's data.
func completionError(err error, v Verdict) *schema.CompletionError {
	e := &schema.CompletionError{Class: string(v.Class), Code: string(v.Reason), Message: err.Error()}
	var status *api.StatusError
	if errors.As(err, &status) {
		e.Code, e.Type = status.Code, status.Type
		if e.Code == "" {
			e.Code = fmt.Sprintf("http_%d", status.Status)
		}
	}
	return e
}
