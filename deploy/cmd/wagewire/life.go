package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// life is the way of an event through the line: of the webhook's own event, or of a redrive.
type life struct {
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
	Stored *storedEvent `json:"stored"`
	Queues []fate       `json:"queues"`

	event schema.Event
}

// storedEvent is an event on the events stream.
type storedEvent struct {
	At         time.Time `json:"at"`
	OccurredAt time.Time `json:"occurred_at"`
	ReceivedAt time.Time `json:"received_at"`
	Sequence   uint64    `json:"sequence"`
	Subject    string    `json:"subject"`
	BodyBytes  int       `json:"body_bytes"`
	BodySHA256 string    `json:"body_sha256"`
}

func newStoredEvent(h stream.Heading) *storedEvent {
	return &storedEvent{
		At: h.At.UTC(), OccurredAt: h.Event.OccurredAt.UTC(), ReceivedAt: h.Event.ReceivedAt.UTC(),
		Sequence: h.Sequence, Subject: h.Subject, BodyBytes: h.BodyBytes, BodySHA256: h.BodySHA256,
	}
}

// fate is the end of an event in a queue, or its state so far.
type fate struct {
	Queue string `json:"queue"`
	// State is a state of the list below. Note explains more.
	State       string             `json:"state"`
	Note        string             `json:"note,omitempty"`
	DeadLetters []shelf.LetterJSON `json:"dead_letters,omitempty"`
	Completion  *completionSummary `json:"completion,omitempty"`
	// Completions are all completions of an event that names a person: one for each account.
	// Completion is then the first.
	Completions []*completionSummary `json:"completions,omitempty"`
	// Wait is the wait of a waiting event, or the last wait of an event whose time has come.
	Wait *waitSummary `json:"wait,omitempty"`
	// DueSince is when the last wait ended, or when a worker put a replayed event behind fresh
	// ones. It is zero for another event, and while the event waits.
	DueSince time.Time `json:"due_since,omitzero"`
	// Endings are the broker's reports about deliveries without success.
	Endings []deliveries `json:"deliveries_ended,omitempty"`
	// PausedUntil and Refusal say why the queue takes no events: see stream.QueueStatus.
	PausedUntil time.Time     `json:"paused_until,omitzero"`
	Refusal     *schema.Pause `json:"refusal,omitempty"`

	// retry is the event's last message among the retries or replays of the queue.
	retry *stream.Retry
}

// States of an event in a queue.
const (
	stateReady     = "ready"
	stateInHand    = "in_hand"
	stateWaiting   = "waiting"
	stateSettled   = "settled"
	stateCompleted = "completed"
	stateDead      = "dead_letter"
	stateExhausted = "exhausted"
	stateErased    = "erased"
	stateUnknown   = "unknown"
)

// isExhausted reports whether the deliveries of the event's last message ran out.
func (f *fate) isExhausted() bool {
	for _, e := range f.Endings {
		isLast := f.retry == nil && e.Stream == schema.EventsStream ||
			f.retry != nil && e.Stream == f.retry.Lane.Stream && e.Sequence == f.retry.Number
		if isLast && e.Exhausted {
			return true
		}
	}
	return false
}

// noteOnExhausted says what a worker does next.
func (f *fate) noteOnExhausted() string {
	if f.retry == nil {
		return "a worker of the queue publishes it anew among the retries or replays"
	}
	return "its dead letter and completion are to come: a worker of the queue writes them"
}

// waitSummary is a wait for another program.
type waitSummary struct {
	Class    schema.Class    `json:"class"`
	Status   int             `json:"status,omitempty"`
	Endpoint string          `json:"endpoint,omitempty"`
	Step     int             `json:"step,omitempty"`
	Steps    int             `json:"steps,omitempty"`
	Since    time.Time       `json:"since,omitzero"`
	NextTry  time.Time       `json:"next_try,omitzero"`
	Failures schema.Failures `json:"failures"`
}

// newWaitSummary returns nil for an event that has not waited.
func newWaitSummary(w schema.Wait) *waitSummary {
	if w.Class == "" {
		return nil
	}
	return &waitSummary{
		Class: w.Class, Status: w.Status, Endpoint: w.Endpoint, Step: w.Step, Steps: w.Steps,
		Since: w.Since.UTC(), NextTry: w.Until.UTC(), Failures: w.Failures,
	}
}

// deliveries is the broker's report of the end of a message's deliveries.
type deliveries struct {
	// Stream and Sequence are the place of the message: the event, a retry, or a replay.
	Stream     string    `json:"stream"`
	Sequence   uint64    `json:"sequence"`
	At         time.Time `json:"at"`
	Deliveries int       `json:"deliveries"`
	Exhausted  bool      `json:"exhausted"`
	Reason     string    `json:"reason,omitempty"`
}

func newDeliveries(e stream.Ended) deliveries {
	return deliveries{
		Stream: e.Stream, Sequence: e.Sequence, At: e.At.UTC(), Deliveries: e.Deliveries,
		Exhausted: e.Exhausted, Reason: e.Reason,
	}
}

// completionSummary is a completion without records.
type completionSummary struct {
	ID string `json:"id"`
	// Account is the token of the account.
	Account  string                  `json:"account"`
	At       time.Time               `json:"at"`
	Outcome  schema.Outcome          `json:"outcome"`
	Attempts int                     `json:"attempts"`
	Records  int                     `json:"records"`
	Error    *schema.CompletionError `json:"error"`
}

func newCompletionSummary(c schema.Completion) *completionSummary {
	return &completionSummary{
		ID: c.ID, Account: c.Subject, At: c.Time.UTC(), Outcome: c.Data.Outcome,
		Attempts: c.Data.Attempts, Records: c.CountRecords(), Error: c.Data.Error,
	}
}

// addCompletion adds a completion of the event in the queue.
func (f *fate) addCompletion(c schema.Completion) {
	summary := newCompletionSummary(c)
	if f.Completion == nil {
		f.Completion = summary
	}
	if schema.Lookup(c.Data.Provider, c.Data.Event.Type).NamesEndUser {
		f.Completions = append(f.Completions, summary)
	}
}

// String describes how the event ended.
func (c *completionSummary) String() string {
	return fmt.Sprintf("%s, %s, %s%s", plain.Word(c.Outcome), plain.Count(c.Attempts, "attempt"),
		plain.Count(c.Records, "record"), formatError(c.Error))
}

// printRow prints an incident with its time.
type printRow func(at time.Time, format string, args ...any)

func (l *life) print(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "%s  %s  account %s\n", plain.Word(l.Event), plain.Word(l.Type), plain.Word(l.Account))
	printAt := func(at time.Time, format string, args ...any) {
		fmt.Fprintf(w, "  %-20s  %s\n", plain.Time(at), fmt.Sprintf(format, args...))
	}
	l.printStored(printAt)
	if l.Erased {
		printAt(time.Time{}, "the account is erased")
	}
	if len(l.Queues) == 0 {
		printAt(time.Time{}, "no queue reads it: it is stored, nothing more")
	}
	for _, f := range l.Queues {
		fmt.Fprintf(w, "  %s: %s\n", f.Queue, strings.ReplaceAll(f.State, "_", " "))
		f.print(now, func(at time.Time, format string, args ...any) {
			printAt(at, "  "+format, args...)
		})
	}
}

func (l *life) printStored(printAt printRow) {
	s := l.Stored
	if s == nil && l.Erased {
		printAt(time.Time{}, "the event is gone: an erasure removes the account's webhooks")
		return
	}
	if s == nil {
		printAt(time.Time{}, "the event is gone from its stream")
		return
	}
	printAt(s.OccurredAt, "occurred, says the provider")
	printAt(s.ReceivedAt, "received")
	how := "stored"
	switch {
	case l.Redrive == 0 && l.Backfill:
		how = "sent as a backfill, stored"
	case l.Redrive > 0 && l.Queue != "":
		how = "sent again to " + plain.Word(l.Queue) + " alone, stored"
	case l.Redrive > 0:
		how = "sent again, stored"
	}
	printAt(s.At, "%s as %d of %s, %s, %d bytes", how, s.Sequence, schema.EventsStream,
		plain.Word(s.Subject), s.BodyBytes)
}

func (f fate) print(now time.Time, printAt printRow) {
	for _, e := range f.Endings {
		if e.Exhausted {
			printAt(e.At, "deliveries ran out after %d", e.Deliveries)
		} else {
			printAt(e.At, "deliveries ended by a worker after %d: %s",
				e.Deliveries, plain.Word(e.Reason))
		}
	}
	for _, d := range f.DeadLetters {
		printAt(d.At, "dead letter %d: class %s, reason %s, %s",
			d.Number, plain.Word(d.Class), plain.Word(d.Reason), plain.Count(d.Attempts, "attempt"))
	}
	if c := f.Completion; c != nil && len(f.Completions) == 0 {
		printAt(c.At, "completed: %s", c)
	}
	for _, c := range f.Completions {
		printAt(c.At, "account %s completed: %s", plain.Word(c.Account), c)
	}
	f.printWait(printAt)
	f.printNextTry(now, printAt)
	f.printRest(now, printAt)
	if f.Note != "" {
		printAt(time.Time{}, "%s", f.Note)
	}
}

// printWait prints the last failure, and the number of all failures.
func (f fate) printWait(printAt printRow) {
	w := f.Wait
	if w == nil {
		return
	}
	step := ""
	if w.Steps > 0 {
		step = fmt.Sprintf(", step %d of %d", w.Step, w.Steps)
	}
	printAt(w.Since, "began to wait: %s%s", formatCause(w.Class, w.Status, w.Endpoint), step)
	if n := w.Failures.Total(); n > 0 {
		printAt(time.Time{}, "%s: %s", plain.Count(n, "failure"), w.Failures)
	}
}

func (f fate) printNextTry(now time.Time, printAt printRow) {
	switch {
	case f.State == stateWaiting:
		printAt(f.Wait.NextTry, "next try, %s", plain.In(f.Wait.NextTry, now))
	case f.DueSince.IsZero():
	case f.State == stateReady:
		printAt(f.DueSince, "among the %s: no worker has taken it since", f.retry.Lane.Name)
	default:
		printAt(f.DueSince, "among the %s: a worker has taken it since", f.retry.Lane.Name)
	}
}

// printRest says why the queue takes no events.
func (f fate) printRest(now time.Time, printAt printRow) {
	rest := queueRest{until: f.PausedUntil, refusal: f.Refusal}
	for _, line := range rest.lines(now) {
		printAt(time.Time{}, "%s", line)
	}
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
