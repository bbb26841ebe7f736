package chaos

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/deploy/flood"
	"github.com/wagewire/wagewire/schema"
)

// Names of violations.
const (
	lost       = "lost"
	unfinished = "unfinished"
	twice      = "twice"
	changed    = "changed"
	incomplete = "incomplete"
	outcome    = "outcome"
	hidden     = "hidden"
	invented   = "invented"
	erased     = "erased"
	custody    = "custody"
	crowded    = "crowded"
	ended      = "process"
	logged     = "log"
	waiting    = "waiting"
	fast       = "fast"
)

// violation is a broken promise: its name, the id of the event or completion, and an explanation.
type violation struct{ what, id, why string }

// message is a message of a stream.
type message struct {
	subject  string
	header   map[string][]string
	sequence uint64
	data     []byte
}

func (m message) get(header string) string {
	if values := m.header[header]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// version is a place in the stream and the hash of the content.
type version struct {
	sequence uint64
	sum      [sha256.Size]byte
}

// result is what the streams hold for an event and a resource.
type result struct {
	completions int
	outcome     schema.Outcome
	class       string
	deadLetters int
}

// check compares the ledger with the streams. Every message of a stream goes to the method for its
// stream. finish looks for missing messages.
type check struct {
	ledger *ledger
	served *served
	// records reads the object of a large completion.
	records func(schema.RecordsRef) ([]byte, error)

	stored      map[string]int // copies of an event, by key
	results     map[string]*result
	seen        map[string]version // completions, by id
	doubled     map[string]bool    // completion ids with a violation `twice`
	tombstones  map[string]bool    // by account token
	quarantined map[string]bool    // by hash of the body
	waitOf      map[string]string  // the subject of a schedule or retry, by account
	drained     bool               // the queues were empty, and nothing waited

	violations []violation
	counts     counts
}

// counts are the figures of the report.
type counts struct {
	stored, copies, completions, deadLetters, quarantined, tombstones int
	records, large, stale, missing                                    int
	outcomes                                                          map[schema.Outcome]int
	accepted, unanswered, forged, erased, forbidden                   int
}

func newCheck(
	l *ledger, s *served, records func(schema.RecordsRef) ([]byte, error),
) *check {
	return &check{
		ledger:      l,
		served:      s,
		records:     records,
		stored:      map[string]int{},
		results:     map[string]*result{},
		seen:        map[string]version{},
		doubled:     map[string]bool{},
		tombstones:  map[string]bool{},
		quarantined: map[string]bool{},
		waitOf:      map[string]string{},
		counts:      counts{outcomes: map[schema.Outcome]int{}},
	}
}

func (c *check) violate(what, id, why string, args ...any) {
	c.violations = append(c.violations, violation{what, id, fmt.Sprintf(why, args...)})
}

// result returns the result of an event and a resource.
func (c *check) result(key string, r schema.Resource) *result {
	id := key + ":" + string(r)
	if c.results[id] == nil {
		c.results[id] = &result{}
	}
	return c.results[id]
}

// addEvent checks a message of the events stream.
func (c *check) addEvent(m message) {
	key := m.get("Nats-Msg-Id")
	c.counts.copies++
	c.stored[key]++
	e := c.ledger.entries[key]
	switch {
	case e == nil || e.kind == unreadable:
		c.violate(invented, key, "event %d at %s was never sent", m.sequence, m.subject)
	case e.kind == forged:
		c.violate(invented, key, "event %d was never signed by its provider", m.sequence)
	case sha256.Sum256(m.data) != e.body:
		c.violate(changed, key, "event %d does not have the bytes that were sent", m.sequence)
	case m.subject != e.event().Subject():
		c.violate(changed, key, "event %d is at %s, not at %s",
			m.sequence, m.subject, e.event().Subject())
	}
}

// addVersion checks a completion during the run. The completion may be erased before the end.
func (c *check) addVersion(m message) {
	id := m.get("Nats-Msg-Id")
	now := version{m.sequence, sha256.Sum256(m.data)}
	before, known := c.seen[id]
	switch {
	case !known:
		c.seen[id] = now
		return
	case before == now || c.doubled[id]:
		return
	case before.sum == now.sum:
		c.violate(twice, id, "the completion is at %d and at %d", before.sequence, now.sequence)
	default:
		c.violate(twice, id, "the completion at %d has another content than the one at %d",
			now.sequence, before.sequence)
	}
	c.doubled[id] = true
}

// addCompletion checks a message of the completions stream: a completion or a tombstone.
func (c *check) addCompletion(m message) {
	if token, ok := strings.CutPrefix(m.subject, "wagewire.tombstones."); ok {
		c.counts.tombstones++
		c.tombstones[token] = true
		return
	}
	c.counts.completions++
	c.addVersion(m)
	var got schema.Completion
	if err := json.Unmarshal(m.data, &got); err != nil {
		c.violate(changed, m.subject, "the completion at %d cannot be read: %v", m.sequence, err)
		return
	}
	d := got.Data
	key := string(d.Provider) + ":" + schema.Token(d.Event.ID)
	c.counts.outcomes[d.Outcome]++
	result := c.result(key, d.Resource)
	result.completions++
	result.outcome = d.Outcome
	if d.Error != nil {
		result.class = d.Error.Class
	}
	e := c.ledger.entries[key]
	if c.checkEnvelope(m, got, e) {
		c.checkRecords(e, got)
	}
}

// checkEnvelope checks the id, the subject and the header of a completion. It returns false if the
// completion should not exist.
func (c *check) checkEnvelope(m message, got schema.Completion, e *entry) bool {
	r := got.Data.Resource
	switch {
	case e == nil || e.kind == unreadable:
		c.violate(invented, got.ID, "completion of an event that was never sent")
		return false
	case e.kind == forged:
		c.violate(invented, got.ID,
			"completion of an event that was never signed by its provider")
		return false
	case !slices.Contains(e.workers(), r):
		c.violate(invented, got.ID, "%s has no worker for %s", e.typ, r)
		return false
	case got.ID != e.event().CompletionKey(r) || m.get("Nats-Msg-Id") != got.ID:
		c.violate(changed, got.ID, "the id is not %s, or differs from the message id %s",
			e.event().CompletionKey(r), m.get("Nats-Msg-Id"))
	case m.subject != e.event().CompletionSubject(r):
		c.violate(changed, got.ID, "the completion is at %s, not at %s",
			m.subject, e.event().CompletionSubject(r))
	case m.get("Wagewire-Outcome") != string(got.Data.Outcome):
		c.violate(changed, got.ID, "the header has the outcome %q, the body has %s",
			m.get("Wagewire-Outcome"), got.Data.Outcome)
	}
	return true
}

// addDeadLetter checks a message of the dead letters stream.
func (c *check) addDeadLetter(m message) {
	c.counts.deadLetters++
	queue := m.get("Wagewire-Queue")
	i := slices.IndexFunc(schema.Queues(), func(q schema.Queue) bool { return q.Name == queue })
	if i < 0 {
		c.violate(invented, queue, "dead letter %d is of no queue", m.sequence)
		return
	}
	q := schema.Queues()[i]
	id, err := url.PathUnescape(m.get("ce-id"))
	key := string(q.Provider) + ":" + schema.Token(id)
	e := c.ledger.entries[key]
	switch {
	case err != nil || e == nil || e.kind == forged || e.kind == unreadable:
		c.violate(invented, key, "dead letter %d of %s was never sent", m.sequence, queue)
	case sha256.Sum256(m.data) != e.body:
		c.violate(changed, key, "dead letter %d of %s does not have the bytes that were sent",
			m.sequence, queue)
	}
	c.result(key, q.Resource).deadLetters++
}

// addWaiting notes a message of a stream of waiting events: an event that waits, a retry, or a
// replay. Retries and replays stay on the stream after their work.
func (c *check) addWaiting(m message) {
	c.waitOf[accountKey(m.get("ce-source"), m.get("ce-subject"))] = m.subject
}

// accountKey identifies an account by its provider and its token.
func accountKey(provider, token string) string {
	return strings.TrimPrefix(provider, "urn:wagewire:provider:") + "." + token
}

// addQuarantined checks a message of the quarantine stream.
func (c *check) addQuarantined(m message) {
	c.counts.quarantined++
	sum := sha256.Sum256(m.data)
	key := hex.EncodeToString(sum[:])
	c.quarantined[key] = true
	if c.ledger.entries[key] == nil {
		c.violate(invented, key, "message %d of the quarantine was never sent as unreadable",
			m.sequence)
	}
}

// finish looks for missing messages. All streams must have been read.
func (c *check) finish() {
	gone := c.erasedAccounts()
	c.checkDisappeared(gone)
	for key, e := range c.ledger.entries {
		c.checkAnswers(key, e)
		isStored := c.stored[key] > 0
		if isStored {
			c.counts.stored++
		}
		switch {
		case e.kind == forged:
			c.counts.forged++
		case e.kind == unreadable:
			if e.isAccepted() && !c.quarantined[key] {
				c.violate(lost, key, "answered 200 and not in quarantine")
			}
		case gone[e.account]:
			c.counts.erased++
			c.checkErased(key, e)
		case e.isAccepted() && !isStored:
			c.violate(lost, key, "%s was answered 200 and is not stored", e.typ)
		case isStored:
			for _, r := range e.workers() {
				c.checkFinished(key, e, r)
			}
		}
	}
	slices.SortFunc(c.violations, func(a, b violation) int {
		return cmp.Or(
			cmp.Compare(a.what, b.what), cmp.Compare(a.id, b.id), cmp.Compare(a.why, b.why))
	})
}

// checkDisappeared looks for completions that were seen during the run and are not on the stream,
// although their account is not erased.
func (c *check) checkDisappeared(gone map[string]bool) {
	for id, v := range c.seen {
		if result := c.results[id]; result != nil && result.completions > 0 {
			continue
		}
		e := c.ledger.entries[id[:strings.LastIndexByte(id, ':')]]
		if e == nil || !gone[e.account] {
			c.violate(lost, id, "the completion was at %d and disappeared", v.sequence)
		}
	}
}

// checkCalm checks the share of signed webhooks that were stored at the first try while nothing but
// a flood disturbed ingress. A few failures are no proof: a busy machine has them too.
func (c *check) checkCalm() {
	const fewMax = 2
	most := fewMax + c.ledger.calm/100
	if n := c.ledger.refused; n > most {
		c.violate(crowded, "ingress",
			"%d of %d signed webhooks were not answered 200 while only floods disturbed ingress",
			n, c.ledger.calm)
	}
}

// checkFloods checks the answers to the requests of floods.
func (c *check) checkFloods(sum flood.Tally) {
	for status, n := range sum.Answers {
		if status < 400 || status > 499 {
			c.violate(custody, "flood", "an unsigned request was answered %d (%d times)", status, n)
		}
	}
}

// checkPaces checks that no provider got more calls in a second than its rate and burst, and none
// in a hold.
func (c *check) checkPaces(paces map[schema.Provider]pace) {
	for _, provider := range schema.Providers() {
		p := paces[provider]
		if limit := callsMax(provider); p.most > limit {
			c.violate(fast, string(provider), "%d calls in a second, and at most %d are allowed",
				p.most, limit)
		}
		if p.inside > 0 {
			c.violate(fast, string(provider), "%d calls in a hold; the first: %s",
				p.inside, p.firstInside)
		}
	}
}

// checkAnswers checks the answers that the sender got.
func (c *check) checkAnswers(key string, e *entry) {
	switch {
	case e.kind == forged:
	case e.isAccepted():
		c.counts.accepted++
	default:
		c.counts.unanswered++
	}
	for status, n := range e.answers {
		switch {
		case status == 0 || status == 503: // not received, or perhaps not stored
		case e.kind == forged && (status < 400 || status > 499):
			c.violate(custody, key, "forged, and answered %d (%d times)", status, n)
		case e.kind != forged && status != 200:
			c.violate(custody, key, "signed, and answered %d (%d times)", status, n)
		}
	}
}

// erasedAccounts returns the accounts whose deletion was accepted or stored. An erasure deletes its
// own event last. If the sender got no answer, only the tombstone shows that the event was stored.
func (c *check) erasedAccounts() map[string]bool {
	gone := map[string]bool{}
	reported := map[string]bool{}
	for key, e := range c.ledger.entries {
		if !e.event().Erases() || e.kind != genuine {
			continue
		}
		token := accountKey(string(e.provider), e.event().Account())
		reported[token] = true
		if !e.isAccepted() && c.stored[key] == 0 && !c.tombstones[token] {
			continue
		}
		gone[e.account] = true
		if !c.tombstones[token] {
			c.violate(erased, key, "the account %s has no tombstone", e.account)
		}
		if subject := c.waitOf[token]; subject != "" {
			c.violate(erased, key, "the account is erased, and has a message at %s", subject)
		}
	}
	for token := range c.tombstones {
		if !reported[token] {
			c.violate(invented, token, "the account has a tombstone, and nobody deleted it")
		}
	}
	return gone
}

// checkErased looks for data of an event whose account is erased. Only the completion `deleted`
// stays.
func (c *check) checkErased(key string, e *entry) {
	erases := e.event().Erases()
	if c.stored[key] > 0 {
		c.violate(erased, key, "the account is erased, and has a webhook %s", e.typ)
	}
	for _, r := range e.workers() {
		result := c.result(key, r)
		switch {
		case erases && result.completions == 0:
			c.violate(c.withoutEnd(), key, "the erasure of %s has no completion", e.account)
		case erases && result.outcome != schema.Deleted:
			c.violate(outcome, key, "%s is completed as %s", e.typ, result.outcome)
		case result.deadLetters > 0:
			c.violate(erased, key, "the account is erased, and has a dead letter of %s", e.typ)
		case !erases && result.completions > 0:
			c.violate(erased, key, "the account is erased, and has a completion of %s, %s",
				e.typ, result.outcome)
		}
	}
}

// withoutEnd names the violation of a stored event without a completion. If no queue has the event
// any more, the event is lost.
func (c *check) withoutEnd() string {
	if c.drained {
		return lost
	}
	return unfinished
}

// checkFinished checks the end of a stored event.
func (c *check) checkFinished(key string, e *entry, r schema.Resource) {
	result := c.result(key, r)
	cause := c.causeOf(e, r)
	if cause.forbidden {
		c.counts.forbidden++
	}
	switch {
	case result.completions == 0 && result.deadLetters > 0:
		c.violate(hidden, key, "%s has a dead letter of %s and no completion", e.typ, r)
	case result.completions == 0:
		c.violate(c.withoutEnd(), key, "%s has no completion of %s", e.typ, r)
	case !cause.allows(result):
		c.violate(outcome, key, "%s is completed by %s as %s %s, and the answers were %s",
			e.typ, r, result.outcome, result.class, cause)
	case cause.wantsDeadLetter(result) && result.deadLetters == 0:
		c.violate(hidden, key, "%s is %s with class %s and has no dead letter of %s",
			e.typ, result.outcome, result.class, r)
	case result.deadLetters > 0 && !cause.allowsDeadLetter():
		c.violate(outcome, key, "%s has a dead letter of %s, and the answers were %s",
			e.typ, r, cause)
	}
}
