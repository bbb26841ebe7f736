package ledger

import (
	"fmt"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
)

// cause is everything that may decide about the end of an event: the webhook, and the answers of
// the provider about its target. Restarts, refused credentials, 429 and redeliveries are no cause.
//
// Several events have the same target, and all bad answers about the target are counted together.
// An event that ends after a ladder of two steps had three bad answers, so an end with fewer is
// certainly wrong. An end with more may be right.
type cause struct {
	Answers

	steps   Steps
	kind    Kind
	outcome string // the provider's word about its own job
	// isForbidden is true if the provider answers 403 to every call.
	isForbidden bool
	// aimed is true if the account has a fault of its own, for any number of calls.
	aimed bool
}

// causeOf returns what may decide about the end of the event.
func (c *Check) causeOf(p passage, r schema.Resource) cause {
	_, person := c.ledger.recordsOf(p)
	return cause{
		Answers:     c.served.AnswersTo(TargetsOf(p.Provider, p.Account, r)[0]),
		steps:       c.steps,
		kind:        p.Kind,
		outcome:     p.Outcome,
		isForbidden: person.Forbidden && p.NeedsCall(r),
		aimed:       c.served.isAimed(p.Account),
	}
}

// String describes the answers.
func (c cause) String() string {
	return fmt.Sprintf("broken %d, lagging %d, forbidden %d, gone %d, rejected %d",
		c.Broken, c.Lagging, c.Forbidden, c.Gone, c.Rejected)
}

// allows reports whether an event may end so.
func (c cause) allows(r *result) bool {
	class := schema.Class(r.class)
	switch {
	case c.kind == Undecodable:
		return r.outcome == schema.Failed && class == schema.ClassPoison
	case c.outcome == "pending":
		return r.outcome == schema.Pending
	case c.outcome == "error":
		return r.outcome == schema.Failed && class == schema.ClassProvider
	case c.outcome == "unavailable":
		return r.outcome == schema.Unavailable && class == schema.ClassProvider
	case c.isForbidden:
		return r.outcome == schema.Unavailable && class == schema.ClassForbidden &&
			c.Forbidden > c.steps.NotReady
	case r.outcome.HasRecords():
		return true
	case r.outcome == schema.Unavailable:
		return c.allowsUnavailable(class)
	case r.outcome == schema.Failed:
		return c.allowsFailed(class)
	default:
		return false
	}
}

func (c cause) allowsUnavailable(class schema.Class) bool {
	switch class {
	case schema.ClassNotReady:
		return c.aimed || c.Lagging > c.steps.NotReady
	case schema.ClassForbidden:
		return c.Forbidden > c.steps.NotReady
	case schema.ClassPermanent:
		return c.Gone > 0
	default:
		return false
	}
}

func (c cause) allowsFailed(class schema.Class) bool {
	switch class {
	case schema.ClassPermanent:
		return c.Rejected > 0
	case schema.ClassContract:
		return c.aimed || c.Broken >= workers.ContractTries
	case schema.ClassTransient:
		return c.Broken > c.steps.Retry
	default:
		return false
	}
}

// wantsDeadLetter reports whether an event that ends so must have a dead letter.
func (c cause) wantsDeadLetter(r *result) bool {
	if schema.Class(r.class) == schema.ClassPermanent {
		return true
	}
	return r.outcome == schema.Failed && c.outcome != "error"
}

// allowsDeadLetter reports whether the event may have a dead letter. If a worker dies after the
// dead letter and before the completion, the event may still succeed.
func (c cause) allowsDeadLetter() bool {
	return c.kind == Undecodable || c.aimed || c.Gone > 0 || c.Rejected > 0 ||
		c.Broken >= workers.ContractTries
}
