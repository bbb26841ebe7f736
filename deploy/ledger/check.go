package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

// Names of violations. The package comment explains each.
const (
	Lost       = "lost"
	Unfinished = "unfinished"
	Twice      = "twice"
	Changed    = "changed"
	Incomplete = "incomplete"
	Outcome    = "outcome"
	Hidden     = "hidden"
	Invented   = "invented"
	Erased     = "erased"
	Custody    = "custody"
	Waiting    = "waiting"
	Invalid    = "invalid"
	State      = "state"
	Revealed   = "revealed"
)

// Violation is a broken promise: its name, the id of the event or completion, and an explanation.
type Violation struct{ What, ID, Why string }

// Message is a message of a stream.
type Message struct {
	Subject  string
	Header   map[string][]string
	Sequence uint64
	Data     []byte
}

func (m Message) get(header string) string {
	if values := m.Header[header]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// redrive is the number of the redrive that an event or a dead letter is a message of, 0 for none.
func (m Message) redrive() int {
	n, _ := strconv.Atoi(m.get("Wagewire-Redrive")) // another text is no number of a redrive
	return n
}

// version is a place in the stream and the hash of the content.
type version struct {
	sequence uint64
	sum      [sha256.Size]byte
}

// result is what the streams hold for an event and a resource.
type result struct {
	completions int
	// accounts are the accounts of a person that have a completion of the event.
	accounts    []string
	outcome     schema.Outcome
	class       string
	deadLetters int
}

// Steps are the lengths of the ladders in a run.
type Steps struct{ NotReady, Retry int }

// Check compares the ledger with the streams. Every message of a stream goes to the method for its
// stream. Finish looks for missing messages. A Check is safe for concurrent use.
type Check struct {
	ledger *Ledger
	served *Served
	steps  Steps
	// records reads the object of a large completion.
	records func(schema.RecordsRef) ([]byte, error)
	// rules are the published schema of completions.
	rules *jsonschematest.Schema

	mu          sync.Mutex
	stored      map[string]int // copies of an event, by key
	results     map[string]*result
	seen        map[string]version // completions, by id
	doubled     map[string]bool    // completion ids with a violation `twice`
	tombstones  map[string]bool    // by account token
	quarantined map[string]bool    // by hash of the body
	waitOf      map[string]string  // the subject of a schedule or retry, by account
	drained     bool

	violations []Violation
	counts     Counts
}

// Counts are the figures of a report.
type Counts struct {
	Stored, Copies, Completions, DeadLetters, Quarantined, Tombstones int
	Records, Large, Stale, Missing                                    int
	Outcomes                                                          map[schema.Outcome]int
	Accepted, Unanswered, Forged, Erased, Forbidden, Redriven         int
}

// NewCheck returns a check of the ledger and of the answers of the providers. records reads the
// object of a large completion.
func NewCheck(
	l *Ledger, s *Served, steps Steps, records func(schema.RecordsRef) ([]byte, error),
) *Check {
	rules, err := jsonschematest.Compile(jsonschema.Completion())
	if err != nil {
		panic(err) // the schema is a part of the program
	}
	return &Check{
		rules:       rules,
		ledger:      l,
		served:      s,
		steps:       steps,
		records:     records,
		stored:      map[string]int{},
		results:     map[string]*result{},
		seen:        map[string]version{},
		doubled:     map[string]bool{},
		tombstones:  map[string]bool{},
		quarantined: map[string]bool{},
		waitOf:      map[string]string{},
		counts:      Counts{Outcomes: map[schema.Outcome]int{}},
	}
}

// SetDrained notes that the queues were empty, and that nothing waited. An event without an end is
// lost then, and otherwise unfinished.
func (c *Check) SetDrained() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drained = true
}

// Violate adds a violation that the caller has found.
func (c *Check) Violate(what, id, why string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violate(what, id, why, args...)
}

func (c *Check) violate(what, id, why string, args ...any) {
	c.violations = append(c.violations, Violation{what, id, fmt.Sprintf(why, args...)})
}

// Violations returns the violations until now. Finish sorts them.
func (c *Check) Violations() []Violation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.violations)
}

// Counts returns the figures. They are complete after Finish.
func (c *Check) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.Outcomes = maps.Clone(c.counts.Outcomes)
	return counts
}

// result returns the result of an event and a resource.
func (c *Check) result(key string, r schema.Resource) *result {
	id := key + ":" + string(r)
	if c.results[id] == nil {
		c.results[id] = &result{}
	}
	return c.results[id]
}

// AddEvent checks a message of the events stream.
func (c *Check) AddEvent(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := m.get("Nats-Msg-Id")
	c.counts.Copies++
	c.stored[key]++
	p, known := c.ledger.find(key)
	switch {
	case !known || p.Kind == Unreadable:
		c.violate(Invented, key, "event %d at %s was never sent", m.Sequence, m.Subject)
	case p.Kind == Forged:
		c.violate(Invented, key, "event %d was never signed by its provider", m.Sequence)
	case sha256.Sum256(m.Data) != p.body:
		c.violate(Changed, key, "event %d does not have the bytes that were sent", m.Sequence)
	case m.Subject != p.Event().Subject():
		c.violate(Changed, key, "event %d is at %s, not at %s",
			m.Sequence, m.Subject, p.Event().Subject())
	case m.redrive() != p.number || m.get("Wagewire-Queue") != p.queue:
		c.violate(Changed, key, "event %d is redrive %d for queue %q, not redrive %d for %q",
			m.Sequence, m.redrive(), m.get("Wagewire-Queue"), p.number, p.queue)
	}
}

// AddVersion checks a completion during the run. The completion may be erased before the end.
func (c *Check) AddVersion(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addVersion(m)
}

func (c *Check) addVersion(m Message) {
	id := m.get("Nats-Msg-Id")
	now := version{m.Sequence, sha256.Sum256(m.Data)}
	before, known := c.seen[id]
	switch {
	case !known:
		c.seen[id] = now
		return
	case before == now || c.doubled[id]:
		return
	case before.sum == now.sum:
		c.violate(Twice, id, "the completion is at %d and at %d", before.sequence, now.sequence)
	default:
		c.violate(Twice, id, "the completion at %d has another content than the one at %d",
			now.sequence, before.sequence)
	}
	c.doubled[id] = true
}

// AddCompletion checks a message of the completions stream: a completion or a tombstone.
func (c *Check) AddCompletion(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token, ok := strings.CutPrefix(m.Subject, "wagewire.tombstones."); ok {
		c.counts.Tombstones++
		c.tombstones[token] = true
		return
	}
	c.counts.Completions++
	c.addVersion(m)
	var got schema.Completion
	if err := json.Unmarshal(m.Data, &got); err != nil {
		c.violate(Changed, m.Subject, "the completion at %d cannot be read: %v", m.Sequence, err)
		return
	}
	if err := c.rules.Check(m.Data); err != nil {
		c.violate(Invalid, got.ID, "the completion at %d breaks its schema: %v", m.Sequence, err)
	}
	d := got.Data
	key := completedKey(got)
	c.counts.Outcomes[d.Outcome]++
	result := c.result(key, d.Resource)
	result.completions++
	result.outcome = d.Outcome
	if d.Error != nil {
		result.class = d.Error.Class
	}
	p, known := c.ledger.find(key)
	if p.Event().NamesEndUser() && d.AccountID != nil {
		result.accounts = append(result.accounts, *d.AccountID)
	}
	if c.checkEnvelope(m, got, p, known) {
		c.checkRecords(p, got)
	}
}

// completedKey is the key of the completed event. The body of the completion names the webhook, and
// only the completion's id says which redrive the event is.
func completedKey(got schema.Completion) string {
	key := string(got.Data.Provider) + ":" + schema.Token(got.Data.Event.ID)
	event, r, ok := schema.ParseCompletionKey(got.ID)
	number, isRedrive := strings.CutPrefix(event, key+":r")
	n, err := strconv.Atoi(number)
	if !ok || r != got.Data.Resource || !isRedrive || err != nil {
		return key
	}
	return schema.RedriveID(key, n)
}

// checkEnvelope checks the id, the subject and the header of a completion. It returns false if the
// completion should not exist.
func (c *Check) checkEnvelope(m Message, got schema.Completion, p passage, known bool) bool {
	r := got.Data.Resource
	e := p.Event()
	if account := got.Data.AccountID; e.NamesEndUser() && account != nil {
		e.Of = *account
	}
	switch {
	case !known || p.Kind == Unreadable:
		c.violate(Invented, got.ID, "completion of an event that was never sent")
		return false
	case p.Kind == Forged:
		c.violate(Invented, got.ID,
			"completion of an event that was never signed by its provider")
		return false
	case !slices.Contains(p.Workers(), r):
		c.violate(Invented, got.ID, "%s has no worker for %s", p.Type, r)
		return false
	case e.Of != "" && !slices.Contains(c.served.accountsOf(p.Account), e.Of):
		c.violate(Invented, got.ID, "the provider did not name %s as an account of the person",
			e.Of)
	case got.ID != e.CompletionKey(r) || m.get("Nats-Msg-Id") != got.ID:
		c.violate(Changed, got.ID, "the id is not %s, or differs from the message id %s",
			e.CompletionKey(r), m.get("Nats-Msg-Id"))
	case m.Subject != e.CompletionSubject(r):
		c.violate(Changed, got.ID, "the completion is at %s, not at %s",
			m.Subject, e.CompletionSubject(r))
	case p.Kind == Genuine && (got.Data.ObjectID != p.ObjectID ||
		got.Data.EmploymentID != p.EmploymentID):
		c.violate(Changed, got.ID, "the object %q of the employment %q is not the webhook's",
			got.Data.ObjectID, got.Data.EmploymentID)
	case m.get("Wagewire-Outcome") != string(got.Data.Outcome):
		c.violate(Changed, got.ID, "the header has the outcome %q, the body has %s",
			m.get("Wagewire-Outcome"), got.Data.Outcome)
	}
	return true
}

// AddDeadLetter checks a message of the dead letters stream.
func (c *Check) AddDeadLetter(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.DeadLetters++
	queue := m.get("Wagewire-Queue")
	i := slices.IndexFunc(schema.Queues(), func(q schema.Queue) bool { return q.Name == queue })
	if i < 0 {
		c.violate(Invented, queue, "dead letter %d is of no queue", m.Sequence)
		return
	}
	q := schema.Queues()[i]
	id, err := url.PathUnescape(m.get("ce-id"))
	original := schema.OriginalID(id, m.redrive())
	key := schema.RedriveID(string(q.Provider)+":"+schema.Token(original), m.redrive())
	p, known := c.ledger.find(key)
	switch {
	case err != nil || !known || p.Kind == Forged || p.Kind == Unreadable:
		c.violate(Invented, key, "dead letter %d of %s was never sent", m.Sequence, queue)
	case !slices.Contains(p.Workers(), q.Resource):
		c.violate(Invented, key, "dead letter %d is of %s, which does not work on %s",
			m.Sequence, queue, p.Type)
	case id != schema.RedriveID(p.ID, p.number):
		c.violate(Changed, key, "dead letter %d of %s does not have the id of redrive %d",
			m.Sequence, queue, p.number)
	case sha256.Sum256(m.Data) != p.body:
		c.violate(Changed, key, "dead letter %d of %s does not have the bytes that were sent",
			m.Sequence, queue)
	}
	c.result(key, q.Resource).deadLetters++
}

// AddWaiting notes a message of a stream of waiting events: an event that waits, a retry, or a
// replay. Retries and replays stay on the stream after their work.
func (c *Check) AddWaiting(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waitOf[accountKey(m.get("ce-source"), m.get("ce-subject"))] = m.Subject
}

// accountKey identifies an account by its provider and its token.
func accountKey(provider, token string) string {
	return strings.TrimPrefix(provider, "urn:wagewire:provider:") + "." + token
}

// AddQuarantined checks a message of the quarantine stream.
func (c *Check) AddQuarantined(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Quarantined++
	sum := sha256.Sum256(m.Data)
	key := hex.EncodeToString(sum[:])
	c.quarantined[key] = true
	if _, known := c.ledger.find(key); !known {
		c.violate(Invented, key, "message %d of the quarantine was never sent as unreadable",
			m.Sequence)
	}
}
