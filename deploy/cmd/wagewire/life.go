package main

import (
	"fmt"
	"io"
	"strings"
	"time"

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
	Ended       *deliveries        `json:"deliveries_ended,omitempty"`
	DeadLetters []letterJSON       `json:"dead_letters,omitempty"`
	Completion  *completionSummary `json:"completion,omitempty"`
}

// States of an event in a queue.
const (
	stateWaiting   = "waiting"
	stateInFlight  = "in_flight"
	stateSettled   = "settled"
	stateCompleted = "completed"
	stateDead      = "dead_letter"
	stateExhausted = "exhausted"
	stateErased    = "erased"
	stateUnknown   = "unknown"
)

// deliveries is the broker's report of the end of an event's deliveries.
type deliveries struct {
	At         time.Time `json:"at"`
	Deliveries int       `json:"deliveries"`
	Exhausted  bool      `json:"exhausted"`
	Reason     string    `json:"reason,omitempty"`
}

// completionSummary is a completion without records.
type completionSummary struct {
	ID       string                  `json:"id"`
	At       time.Time               `json:"at"`
	Outcome  schema.Outcome          `json:"outcome"`
	Attempts int                     `json:"attempts"`
	Records  int                     `json:"records"`
	Error    *schema.CompletionError `json:"error"`
}

func newCompletionSummary(c schema.Completion) *completionSummary {
	return &completionSummary{
		ID: c.ID, At: c.Time.UTC(), Outcome: c.Data.Outcome, Attempts: c.Data.Attempts,
		Records: c.CountRecords(), Error: c.Data.Error,
	}
}

// printRow prints an incident with its time.
type printRow func(at time.Time, format string, args ...any)

func (l *life) print(w io.Writer) {
	fmt.Fprintf(w, "%s  %s  account %s\n", plain(l.Event), plain(l.Type), plain(l.Account))
	printAt := func(at time.Time, format string, args ...any) {
		fmt.Fprintf(w, "  %-20s  %s\n", formatTime(at), fmt.Sprintf(format, args...))
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
		f.print(func(at time.Time, format string, args ...any) {
			printAt(at, "  "+format, args...)
		})
	}
}

func (l *life) printStored(printAt printRow) {
	s := l.Stored
	if s == nil {
		printAt(time.Time{}, "the event is gone from its stream")
		return
	}
	printAt(s.OccurredAt, "occurred, says the provider")
	printAt(s.ReceivedAt, "received")
	how := "stored"
	switch {
	case l.Redrive > 0 && l.Queue != "":
		how = "sent again to " + plain(l.Queue) + " alone, stored"
	case l.Redrive > 0:
		how = "sent again, stored"
	}
	printAt(s.At, "%s as %d of %s, %s, %d bytes", how, s.Sequence, schema.EventsStream,
		plain(s.Subject), s.BodyBytes)
}

func (f fate) print(printAt printRow) {
	if e := f.Ended; e != nil {
		if e.Exhausted {
			printAt(e.At, "deliveries ran out after %d", e.Deliveries)
		} else {
			printAt(e.At, "deliveries ended by a worker after %d: %s",
				e.Deliveries, plain(e.Reason))
		}
	}
	for _, d := range f.DeadLetters {
		printAt(d.At, "dead letter %d: class %s, reason %s, %s",
			d.Number, plain(d.Class), plain(d.Reason), plural(d.Attempts, "attempt"))
	}
	if c := f.Completion; c != nil {
		printAt(c.At, "completed: %s, %s, %s%s", plain(c.Outcome),
			plural(c.Attempts, "attempt"), plural(c.Records, "record"), formatError(c.Error))
	}
	if f.Note != "" {
		printAt(time.Time{}, "%s", f.Note)
	}
}

func formatError(e *schema.CompletionError) string {
	switch {
	case e == nil:
		return ""
	case e.Code == "":
		return ", class " + plain(e.Class)
	default:
		return ", class " + plain(e.Class) + ", code " + plain(e.Code)
	}
}
