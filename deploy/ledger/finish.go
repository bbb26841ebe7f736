package ledger

import (
	"cmp"
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// Finish looks for missing messages, and sorts the violations. All streams must have been read.
func (c *Check) Finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	gone := c.erasedAccounts()
	c.checkDisappeared(gone)
	for key, e := range c.ledger.Entries() {
		c.checkAnswers(key, e)
		c.checkWebhook(key, e, gone)
	}
	for key, p := range c.ledger.redrives() {
		c.counts.Redriven++
		c.checkRedrive(key, p, gone)
	}
	slices.SortFunc(c.violations, func(a, b Violation) int {
		return cmp.Or(
			cmp.Compare(a.What, b.What), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Why, b.Why))
	})
}

// checkWebhook checks the webhook's own event, and not its redrives.
func (c *Check) checkWebhook(key string, e Entry, gone map[string]bool) {
	isStored := c.stored[key] > 0
	if isStored {
		c.counts.Stored++
	}
	switch {
	case e.Kind == Forged:
		c.counts.Forged++
	case e.Kind == Unreadable:
		if e.IsAccepted() && !c.quarantined[key] {
			c.violate(Lost, key, "answered 200 and not in quarantine")
		}
	case gone[e.Account]:
		c.counts.Erased++
		c.checkErased(key, passage{Webhook: e.Webhook})
	case e.IsAccepted() && !isStored:
		c.violate(Lost, key, "%s was answered 200 and is not stored", e.Type)
	case isStored:
		c.checkPassage(key, passage{Webhook: e.Webhook})
	}
}

// checkRedrive checks an event that an operator sent again.
func (c *Check) checkRedrive(key string, p passage, gone map[string]bool) {
	switch {
	case p.Kind == Forged || p.Kind == Unreadable: // a violation if it is on a stream
	case gone[p.Account]:
		c.checkErased(key, p)
	case c.stored[key] == 0:
		c.violate(Lost, key, "%s was sent again by an operator and is not stored", p.Type)
	default:
		c.checkPassage(key, p)
	}
}

// checkPassage checks all ends of a stored event.
func (c *Check) checkPassage(key string, p passage) {
	for _, r := range p.Workers() {
		c.checkFinished(key, p, r)
	}
}

// checkDisappeared looks for completions that were seen during the run and are not on the stream,
// although their account is not erased.
func (c *Check) checkDisappeared(gone map[string]bool) {
	for id, v := range c.seen {
		key, r, _ := schema.ParseCompletionKey(id)
		if c.result(key, r).completions > 0 {
			continue
		}
		p, known := c.ledger.find(key)
		if !known || !gone[p.Account] {
			c.violate(Lost, id, "the completion was at %d and disappeared", v.sequence)
		}
	}
}

// checkAnswers checks the answers that the sender got.
func (c *Check) checkAnswers(key string, e Entry) {
	switch {
	case e.Kind == Forged:
	case e.IsAccepted():
		c.counts.Accepted++
	default:
		c.counts.Unanswered++
	}
	for status, n := range e.Answers {
		switch {
		case status == 0 || status == 503: // not received, or perhaps not stored
		case e.Kind == Forged && (status < 400 || status > 499):
			c.violate(Custody, key, "forged, and answered %d (%d times)", status, n)
		case e.Kind != Forged && status != 200:
			c.violate(Custody, key, "signed, and answered %d (%d times)", status, n)
		}
	}
}

// erasedAccounts returns the accounts whose deletion was accepted or stored. An erasure deletes its
// own event last. If the sender got no answer, only the tombstone shows that the event was stored.
func (c *Check) erasedAccounts() map[string]bool {
	gone := map[string]bool{}
	reported := map[string]bool{}
	for key, e := range c.ledger.Entries() {
		if !e.Event().Erases() || e.Kind != Genuine {
			continue
		}
		token := accountKey(string(e.Provider), e.Event().Account())
		reported[token] = true
		if !e.IsAccepted() && c.stored[key] == 0 && !c.tombstones[token] {
			continue
		}
		gone[e.Account] = true
		if !c.tombstones[token] {
			c.violate(Erased, key, "the account %s has no tombstone", e.Account)
		}
		if subject := c.waitOf[token]; subject != "" {
			c.violate(Erased, key, "the account is erased, and has a message at %s", subject)
		}
	}
	for token := range c.tombstones {
		if !reported[token] {
			c.violate(Invented, token, "the account has a tombstone, and nobody deleted it")
		}
	}
	return gone
}

// checkErased looks for data of an event whose account is erased. Only the completion `deleted`
// stays.
func (c *Check) checkErased(key string, p passage) {
	erases := p.Event().Erases()
	if c.stored[key] > 0 {
		c.violate(Erased, key, "the account is erased, and has a webhook %s", p.Type)
	}
	for _, r := range p.Workers() {
		result := c.result(key, r)
		switch {
		case erases && result.completions == 0:
			c.violate(c.withoutEnd(), key, "the erasure of %s has no completion", p.Account)
		case erases && result.outcome != schema.Deleted:
			c.violate(Outcome, key, "%s is completed as %s", p.Type, result.outcome)
		case result.deadLetters > 0:
			c.violate(Erased, key, "the account is erased, and has a dead letter of %s", p.Type)
		case !erases && result.completions > 0:
			c.violate(Erased, key, "the account is erased, and has a completion of %s, %s",
				p.Type, result.outcome)
		}
	}
}

// withoutEnd names the violation of a stored event without a completion. If no queue has the event
// any more, the event is lost.
func (c *Check) withoutEnd() string {
	if c.drained {
		return Lost
	}
	return Unfinished
}

// lacksAccount reports whether an account of the event's person has no completion. If the provider
// did not name the accounts, the person has a completion instead.
func (c *Check) lacksAccount(p passage, r *result, cause cause) bool {
	if !p.Event().NamesEndUser() || p.Kind == Undecodable {
		return false
	}
	if len(r.accounts) == 0 && cause.Answers != (Answers{}) {
		return false
	}
	return slices.ContainsFunc(c.served.accountsOf(p.Account),
		func(account string) bool { return !slices.Contains(r.accounts, account) })
}

// checkFinished checks the end of a stored event.
func (c *Check) checkFinished(key string, p passage, r schema.Resource) {
	result := c.result(key, r)
	cause := c.causeOf(p, r)
	if cause.isForbidden {
		c.counts.Forbidden++
	}
	isDiscarded := c.ledger.isDiscarded(key, schema.QueueName(p.Provider, r))
	switch {
	case result.completions == 0 && result.deadLetters > 0:
		c.violate(Hidden, key, "%s has a dead letter of %s and no completion", p.Type, r)
	case result.completions == 0:
		c.violate(c.withoutEnd(), key, "%s has no completion of %s", p.Type, r)
	case c.lacksAccount(p, result, cause):
		c.violate(c.withoutEnd(), key, "%s has completions of the accounts %v, and the person "+
			"has %v", p.Type, result.accounts, c.served.accountsOf(p.Account))
	case !cause.allows(result):
		c.violate(Outcome, key, "%s is completed by %s as %s %s, and the answers were %s",
			p.Type, r, result.outcome, result.class, cause)
	case cause.wantsDeadLetter(result) && result.deadLetters == 0 && !isDiscarded:
		c.violate(Hidden, key, "%s is %s with class %s and has no dead letter of %s",
			p.Type, result.outcome, result.class, r)
	case result.deadLetters > 0 && !cause.allowsDeadLetter():
		c.violate(Outcome, key, "%s has a dead letter of %s, and the answers were %s",
			p.Type, r, cause)
	}
}
