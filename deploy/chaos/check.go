package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

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
	ended      = "process"
	logged     = "log"
	waiting    = "waiting"
)

// violation is a promise that was broken, and by what.
type violation struct{ what, id, why string }

// message is one message of a stream.
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

// place is where a completion was seen, and what it said.
type place struct {
	sequence uint64
	sum      [sha256.Size]byte
}

// told is what the streams say of one event and resource.
type told struct {
	completions int
	outcome     schema.Outcome
	class       string
	deadLetters int
}

// check compares the ledger with the streams. Each message is given to one of its methods; finish looks for what is missing.
type check struct {
	ledger *ledger
	served *served
	// records reads the object that a large completion points to.
	records func(schema.RecordsRef) ([]byte, error)

	stored      map[string]int // copies of an event, by key
	told        map[string]*told
	places      map[string]place // of completions, by id
	doubled     map[string]bool  // ids that were seen at two places, told once
	tombstones  map[string]bool  // by account token
	quarantined map[string]bool  // by hash of the body

	violations []violation
	counts     counts
}

// counts are the figures of the report.
type counts struct {
	stored, copies, completions, deadLetters, quarantined, tombstones int
	records, large, stale, missing                                    int
	outcomes                                                          map[schema.Outcome]int
	accepted, unanswered, forged, erased                              int
}

func newCheck(l *ledger, s *served, records func(schema.RecordsRef) ([]byte, error)) *check {
	return &check{
		ledger: l, served: s, records: records,
		stored: map[string]int{}, told: map[string]*told{}, places: map[string]place{}, doubled: map[string]bool{},
		tombstones: map[string]bool{}, quarantined: map[string]bool{},
		counts: counts{outcomes: map[schema.Outcome]int{}},
	}
}

func (c *check) violate(what, id, why string, args ...any) {
	c.violations = append(c.violations, violation{what, id, fmt.Sprintf(why, args...)})
}

func (c *check) of(key string, r schema.Resource) *told {
	id := key + ":" + string(r)
	if c.told[id] == nil {
		c.told[id] = &told{}
	}
	return c.told[id]
}

// event takes a message of the events stream.
func (c *check) event(m message) {
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
		c.violate(changed, key, "event %d has not the bytes that were sent", m.sequence)
	case m.subject != e.event().Subject():
		c.violate(changed, key, "event %d is at %s, not at %s", m.sequence, m.subject, e.event().Subject())
	}
}

// seen takes a completion that was read while it came. It may be erased by the end.
func (c *check) seen(m message) {
	id := m.get("Nats-Msg-Id")
	now := place{m.sequence, sha256.Sum256(m.data)}
	before, again := c.places[id]
	switch {
	case !again:
		c.places[id] = now
	case before == now || c.doubled[id]:
		return
	case before.sum == now.sum:
		c.violate(twice, id, "the completion stands at %d and at %d", before.sequence, now.sequence)
	default:
		c.violate(twice, id, "the completion at %d has another content than the one at %d", now.sequence, before.sequence)
	}
	c.doubled[id] = again
}

// completion takes a message of the completions stream, completions and tombstones.
func (c *check) completion(m message) {
	if token, ok := strings.CutPrefix(m.subject, "wagewire.tombstones."); ok {
		c.counts.tombstones++
		c.tombstones[token] = true
		return
	}
	c.counts.completions++
	c.seen(m)
	var got schema.Completion
	if err := json.Unmarshal(m.data, &got); err != nil {
		c.violate(changed, m.subject, "the completion at %d cannot be read: %v", m.sequence, err)
		return
	}
	d := got.Data
	key := string(d.Provider) + ":" + schema.Token(d.Event.ID)
	c.counts.outcomes[d.Outcome]++
	t := c.of(key, d.Resource)
	t.completions++
	t.outcome = d.Outcome
	if d.Error != nil {
		t.class = d.Error.Class
	}
	e := c.ledger.entries[key]
	switch {
	case e == nil || e.kind == unreadable:
		c.violate(invented, got.ID, "completion of an event that was never sent")
		return
	case e.kind == forged:
		c.violate(invented, got.ID, "completion of an event that was never signed by its provider")
		return
	case !slices.Contains(e.workers(), d.Resource):
		c.violate(invented, got.ID, "%s has no worker for %s", e.typ, d.Resource)
		return
	case got.ID != e.event().CompletionKey(d.Resource) || m.get("Nats-Msg-Id") != got.ID:
		c.violate(changed, got.ID, "the id is not %s, or not that of the message, %s", e.event().CompletionKey(d.Resource), m.get("Nats-Msg-Id"))
	case m.subject != e.event().CompletionSubject(d.Resource):
		c.violate(changed, got.ID, "the completion is at %s, not at %s", m.subject, e.event().CompletionSubject(d.Resource))
	case m.get("Wagewire-Outcome") != string(d.Outcome):
		c.violate(changed, got.ID, "the header says %q of the outcome %s", m.get("Wagewire-Outcome"), d.Outcome)
	}
	c.data(e, got)
}

// deadLetter takes a message of the dead letters stream.
func (c *check) deadLetter(m message) {
	c.counts.deadLetters++
	queue := m.get("Wagewire-Queue")
	p, r, _ := strings.Cut(queue, "_")
	id, err := url.PathUnescape(m.get("ce-id"))
	key := p + ":" + schema.Token(id)
	e := c.ledger.entries[key]
	switch {
	case err != nil || e == nil || e.kind == forged || e.kind == unreadable:
		c.violate(invented, key, "dead letter %d of %s was never sent", m.sequence, queue)
	case sha256.Sum256(m.data) != e.body:
		c.violate(changed, key, "dead letter %d of %s has not the bytes that were sent", m.sequence, queue)
	}
	c.of(key, schema.Resource(r)).deadLetters++
}

// quarantine takes a message of the quarantine stream.
func (c *check) quarantine(m message) {
	c.counts.quarantined++
	sum := sha256.Sum256(m.data)
	key := hex.EncodeToString(sum[:])
	c.quarantined[key] = true
	if c.ledger.entries[key] == nil {
		c.violate(invented, key, "what is in quarantine at %d is nothing unreadable that was sent", m.sequence)
	}
}

// finish looks for what no message told.
func (c *check) finish() {
	gone := c.erasedAccounts()
	for id := range c.places {
		if t := c.told[id]; t == nil || t.completions == 0 {
			if e := c.ledger.entries[id[:strings.LastIndexByte(id, ':')]]; e == nil || !gone[e.account] {
				c.violate(lost, id, "the completion was there at %d and is not any more", c.places[id].sequence)
			}
		}
	}
	for key, e := range c.ledger.entries {
		c.answers(key, e)
		stored := c.stored[key] > 0
		if stored {
			c.counts.stored++
		}
		switch {
		case e.kind == forged:
			c.counts.forged++
		case e.kind == unreadable:
			if e.accepted() && !c.quarantined[key] {
				c.violate(lost, key, "answered 200 and not in quarantine")
			}
		case gone[e.account]:
			c.counts.erased++
			c.erased(key, e)
		case e.accepted() && !stored:
			c.violate(lost, key, "%s was answered 200 and is not stored", e.typ)
		case stored:
			for _, r := range e.workers() {
				c.finished(key, e, r)
			}
		}
	}
	slices.SortFunc(c.violations, func(a, b violation) int { return strings.Compare(a.what+a.id+a.why, b.what+b.id+b.why) })
}

// answers looks at what the sender was told.
func (c *check) answers(key string, e *entry) {
	if e.kind != forged {
		if e.accepted() {
			c.counts.accepted++
		} else {
			c.counts.unanswered++
		}
	}
	for status, n := range e.answers {
		switch {
		case status == 0 || status == 503: // not received, or not known to be stored
		case e.kind == forged && (status < 400 || status > 499):
			c.violate(custody, key, "forged, and answered %d (%d times)", status, n)
		case e.kind != forged && status != 200:
			c.violate(custody, key, "signed, and answered %d (%d times)", status, n)
		}
	}
}

// erasedAccounts are those of links whose deletion was accepted.
func (c *check) erasedAccounts() map[string]bool {
	gone := map[string]bool{}
	for key, e := range c.ledger.entries {
		if e.event().Action == schema.ActionDeleted && e.kind == genuine && (e.accepted() || c.stored[key] > 0) {
			gone[e.account] = true
			if !c.tombstones[string(e.provider)+"."+e.event().Account()] {
				c.violate(erased, key, "the account %s has no tombstone", e.account)
			}
		}
	}
	return gone
}

// erased looks for what is left of an event of an erased account.
func (c *check) erased(key string, e *entry) {
	deletion := e.event().Action == schema.ActionDeleted
	if deletion && c.stored[key] == 0 {
		c.violate(lost, key, "%s was answered 200 and is not stored", e.typ)
	}
	for _, r := range e.workers() {
		t := c.of(key, r)
		switch {
		case deletion && t.completions == 0:
			c.violate(unfinished, key, "the erasure of %s has no completion", e.account)
		case deletion && t.outcome != schema.Deleted:
			c.violate(outcome, key, "%s is completed as %s", e.typ, t.outcome)
		case deletion:
		case t.completions > 0:
			c.violate(erased, key, "the account is erased, and its completion of %s, %s, is there", e.typ, t.outcome)
		case t.deadLetters > 0:
			c.violate(erased, key, "the account is erased, and its dead letter of %s is there", e.typ)
		case c.stored[key] > 0:
			c.violate(erased, key, "the account is erased, and its webhook %s is there", e.typ)
		}
	}
}

// finished looks at the last word on a stored event.
func (c *check) finished(key string, e *entry, r schema.Resource) {
	t := c.of(key, r)
	want, dead := wantedOutcomes(e, c.served.troubled[e.account])
	switch {
	case t.completions == 0 && t.deadLetters > 0:
		c.violate(hidden, key, "%s has a dead letter of %s and no completion", e.typ, r)
	case t.completions == 0:
		c.violate(unfinished, key, "%s has no completion of %s", e.typ, r)
	case !slices.Contains(want, t.outcome):
		c.violate(outcome, key, "%s is completed as %s, not as one of %s", e.typ, t.outcome, want)
	case t.outcome == schema.Failed && t.class == string(schema.ClassProvider) != (e.outcome == "error"):
		c.violate(outcome, key, "%s failed with class %s, and the provider said %q", e.typ, t.class, e.outcome)
	case t.outcome == schema.Failed && t.class != string(schema.ClassProvider) && t.deadLetters == 0:
		c.violate(hidden, key, "%s failed with class %s and has no dead letter of %s", e.typ, t.class, r)
	case t.deadLetters > 0 && !dead:
		c.violate(outcome, key, "%s has a dead letter of %s, and the provider did nothing wrong", e.typ, r)
	}
}

// wantedOutcomes are those that an event may have, and whether it may have a dead letter.
func wantedOutcomes(e *entry, troubled bool) (outcomes []schema.Outcome, dead bool) {
	switch {
	case e.kind == undecodable:
		return []schema.Outcome{schema.Failed}, true
	case e.outcome == "pending":
		return []schema.Outcome{schema.Pending}, false
	case e.outcome == "error":
		return []schema.Outcome{schema.Failed}, false
	case troubled:
		return []schema.Outcome{schema.Succeeded, schema.Unavailable, schema.Failed}, true
	default:
		return []schema.Outcome{schema.Succeeded}, false
	}
}
