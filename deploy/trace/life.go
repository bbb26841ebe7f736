package trace

import (
	"fmt"
	"time"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Life is the way of an event through the line: of the webhook's own event, or of a redrive.
type Life struct {
	Event    string          `json:"event"`
	Provider schema.Provider `json:"provider"`
	Type     string          `json:"type"`
	Account  string          `json:"account"`
	Erased   bool            `json:"erased"`
	// Redrive is 0 for the webhook's own event. Queue is the queue of a redrive, "" for all.
	Redrive int    `json:"redrive"`
	Queue   string `json:"queue,omitempty"`
	// Backfill is true for a webhook that an operator sent for accounts linked long ago.
	Backfill bool `json:"backfill"`
	// Stored is null if the event is gone from the stream.
	Stored *Stored `json:"stored"`
	// Queues has a fate for each queue that reads the type, in the order of schema.Queues.
	Queues []Fate `json:"queues"`

	event schema.Event
}

// Webhook is the key of the webhook's own event, which has no number of a redrive.
func (l *Life) Webhook() string {
	e := l.event
	e.Redrive = 0
	return e.Key()
}

// Stored is an event on the events stream.
type Stored struct {
	At         time.Time `json:"at"`
	OccurredAt time.Time `json:"occurred_at"`
	ReceivedAt time.Time `json:"received_at"`
	Sequence   uint64    `json:"sequence"`
	Subject    string    `json:"subject"`
	BodyBytes  int       `json:"body_bytes"`
	BodySHA256 string    `json:"body_sha256"`
}

func newStored(h stream.Heading) *Stored {
	return &Stored{
		At: h.At.UTC(), OccurredAt: h.Event.OccurredAt.UTC(), ReceivedAt: h.Event.ReceivedAt.UTC(),
		Sequence: h.Sequence, Subject: h.Subject, BodyBytes: h.BodyBytes, BodySHA256: h.BodySHA256,
	}
}

// Wait is a wait for another program.
type Wait struct {
	Class    schema.Class    `json:"class"`
	Status   int             `json:"status,omitempty"`
	Endpoint string          `json:"endpoint,omitempty"`
	Step     int             `json:"step,omitempty"`
	Steps    int             `json:"steps,omitempty"`
	Since    time.Time       `json:"since,omitzero"`
	NextTry  time.Time       `json:"next_try,omitzero"`
	Failures schema.Failures `json:"failures"`
}

// newWait returns nil for an event that has not waited.
func newWait(w schema.Wait) *Wait {
	if w.Class == "" {
		return nil
	}
	return &Wait{
		Class: w.Class, Status: w.Status, Endpoint: w.Endpoint, Step: w.Step, Steps: w.Steps,
		Since: w.Since.UTC(), NextTry: w.Until.UTC(), Failures: w.Failures,
	}
}

// Deliveries is the broker's report of the end of a message's deliveries.
type Deliveries struct {
	// Stream and Sequence are the place of the message: the event, a retry, or a replay.
	Stream     string    `json:"stream"`
	Sequence   uint64    `json:"sequence"`
	At         time.Time `json:"at"`
	Deliveries int       `json:"deliveries"`
	Exhausted  bool      `json:"exhausted"`
	Reason     string    `json:"reason,omitempty"`
}

func newDeliveries(e stream.Ended) Deliveries {
	return Deliveries{
		Stream: e.Stream, Sequence: e.Sequence, At: e.At.UTC(), Deliveries: e.Deliveries,
		Exhausted: e.Exhausted, Reason: e.Reason,
	}
}

// Completion is a completion without records.
type Completion struct {
	ID string `json:"id"`
	// Account is the token of the account.
	Account  string         `json:"account"`
	At       time.Time      `json:"at"`
	Outcome  schema.Outcome `json:"outcome"`
	Attempts int            `json:"attempts"`
	Records  int            `json:"records"`
	// Missing is how many announced ids the provider did not have at the last attempt. Stale: its
	// data was still older, or less, than the webhook said.
	Missing int                     `json:"missing,omitempty"`
	Stale   bool                    `json:"stale,omitempty"`
	Error   *schema.CompletionError `json:"error"`
	// ReceivedAt, OccurredAt, StoredAt and TakenAt are the times before the end: see
	// schema.CompletionData. Completions of earlier releases have no StoredAt and TakenAt.
	OccurredAt time.Time `json:"-"`
	ReceivedAt time.Time `json:"-"`
	StoredAt   time.Time `json:"-"`
	TakenAt    time.Time `json:"-"`
}

func newCompletion(c schema.Completion) *Completion {
	return &Completion{
		ID: c.ID, Account: c.Subject, At: c.Time.UTC(), Outcome: c.Data.Outcome,
		Attempts: c.Data.Attempts, Records: c.CountRecords(), Error: c.Data.Error,
		Missing: len(c.Data.Missing), Stale: c.Data.Stale,
		OccurredAt: c.Data.Event.OccurredAt, ReceivedAt: c.Data.Event.ReceivedAt,
		StoredAt: c.Data.StoredAt, TakenAt: c.Data.TakenAt,
	}
}

// addCompletion adds a completion of the event in the queue.
func (f *Fate) addCompletion(c schema.Completion) {
	summary := newCompletion(c)
	if f.Completion == nil {
		f.Completion = summary
	}
	if schema.Lookup(c.Data.Provider, c.Data.Event.Type).NamesEndUser {
		f.Completions = append(f.Completions, summary)
	}
}

// String describes how the event ended, and what the last attempt still lacked.
func (c *Completion) String() string {
	lacks := ""
	if c.Missing > 0 {
		lacks = fmt.Sprintf(", missing=%d", c.Missing)
	}
	if c.Stale {
		lacks += ", stale"
	}
	return fmt.Sprintf("%s, %s, %s%s%s", plain.Word(c.Outcome), plain.Count(c.Attempts, "attempt"),
		plain.Count(c.Records, "record"), lacks, formatError(c.Error))
}

func formatError(e *schema.CompletionError) string {
	switch {
	case e == nil:
		return ""
	case e.Code == "":
		return ", class " + plain.Word(e.Class)
	default:
		return ", class " + plain.Word(e.Class) + ", code " + plain.Word(e.Code)
	}
}
