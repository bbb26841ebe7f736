package chaos

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
	answers

	kind    kind
	outcome string // the provider's word about its own job
	// forbidden is true if the provider answers 403 to every call.
	forbidden bool
	// aimed is true if the account has a fault of its own, for any number of calls.
	aimed bool
}

// causeOf returns what may decide about the end of the event.
func (c *check) causeOf(e *entry, r schema.Resource) cause {
	return cause{
		answers:   c.served.answers[target{e.account, string(r)}],
		kind:      e.kind,
		outcome:   e.outcome,
		forbidden: c.ledger.people[e.account].forbidden && e.needsCall(r),
		aimed:     c.served.aimed[e.account],
	}
}

// needsCall reports whether the worker must call the provider about the event.
func (w webhook) needsCall(r schema.Resource) bool {
	if w.kind != genuine || w.outcome != "" {
		return false
	}
	hasIDs := r == schema.Paystubs || r == schema.Shifts
	namesNothing := w.event().Action == schema.ActionAdded && len(w.added) == 0
	return !hasIDs || !namesNothing
}

// String describes the answers.
func (c cause) String() string {
	return fmt.Sprintf("broken %d, lagging %d, forbidden %d, gone %d, rejected %d",
		c.broken, c.lagging, c.answers.forbidden, c.gone, c.rejected)
}

// allows reports whether an event may end so.
func (c cause) allows(r *result) bool {
	class := schema.Class(r.class)
	switch {
	case c.kind == undecodable:
		return r.outcome == schema.Failed && class == schema.ClassPoison
	case c.outcome == "pending":
		return r.outcome == schema.Pending
	case c.outcome == "error":
		return r.outcome == schema.Failed && class == schema.ClassProvider
	case c.forbidden:
		return r.outcome == schema.Unavailable && class == schema.ClassForbidden &&
			c.answers.forbidden > notReadySteps
	case r.outcome == schema.Succeeded:
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
		return c.aimed || c.lagging > notReadySteps
	case schema.ClassPermanent:
		return c.gone > 0
	default:
		return false
	}
}

func (c cause) allowsFailed(class schema.Class) bool {
	switch class {
	case schema.ClassPermanent:
		return c.rejected > 0
	case schema.ClassContract:
		return c.aimed || c.broken >= workers.ContractTries
	case schema.ClassTransient:
		return c.broken > retrySteps
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
	return c.kind == undecodable || c.aimed || c.gone > 0 || c.rejected > 0 ||
		c.broken >= workers.ContractTries
}
